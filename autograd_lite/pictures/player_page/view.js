// The view: zoom, pan, and what is in sight.

const stage = $("stage"), natural = picture.viewBox.baseVal
const LEAST = 0.85, MOST = 2  // px for a point where the picture is fitted: below, numbers are hard to read
let zoom = 0  // px for a point; 0: as large as fits

function fit() {
  const fitting = Math.min((stage.offsetWidth - 16) / natural.width, (stage.offsetHeight - 16) / natural.height)
  const factor = zoom || Math.max(Math.min(fitting, MOST), LEAST)
  picture.setAttribute("width", natural.width * factor)
  picture.setAttribute("height", natural.height * factor)
  return factor
}

function enlarge(by, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const before = fit()
  zoom = Math.min(Math.max(before * by, 0.3), 5)
  const ratio = fit() / before
  stage.scrollLeft = (stage.scrollLeft + x) * ratio - x
  stage.scrollTop = (stage.scrollTop + y) * ratio - y
}

function whole() { zoom = 0; fit() }

// Scroll the stage, and no page around it, where one of these is out of sight; the first matters most.
function reveal(...cards) {
  const room = stage.getBoundingClientRect()
  for (const card of cards.reverse()) {
    const box = card.getBoundingClientRect()
    if (box.top < room.top || box.bottom > room.bottom) stage.scrollTop += (box.top + box.bottom - room.top - room.bottom) / 2
    if (box.left < room.left || box.right > room.right) stage.scrollLeft += (box.left + box.right - room.left - room.right) / 2
  }
}

$("larger").onclick = () => enlarge(1.25)
$("smaller").onclick = () => enlarge(0.8)
$("fit").onclick = whole

function around(event) {
  const {left, top} = stage.getBoundingClientRect()
  return [event.clientX - left, event.clientY - top]
}

stage.addEventListener("wheel", event => {
  if (!event.ctrlKey) return
  event.preventDefault()
  enlarge(event.deltaY < 0 ? 1.12 : 0.89, ...around(event))
}, {passive: false})

let apart = 0  // two fingers
stage.addEventListener("touchmove", event => {
  if (event.touches.length !== 2) return
  event.preventDefault()
  const [a, b] = event.touches, now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)
  if (apart) enlarge(now / apart, ...around({clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2}))
  apart = now
}, {passive: false})
stage.addEventListener("touchend", () => { apart = 0 })

let isPanned = false  // then the click at its end is none
stage.addEventListener("pointerdown", ({button, pointerType, clientX, clientY}) => {
  isPanned = false
  if (button || pointerType === "touch") return  // a finger scrolls by itself
  const {scrollLeft, scrollTop} = stage, ended = new AbortController(), {signal} = ended
  addEventListener("pointermove", event => {
    isPanned ||= Math.hypot(event.clientX - clientX, event.clientY - clientY) > 4
    if (!isPanned) return
    stage.scrollLeft = scrollLeft + clientX - event.clientX
    stage.scrollTop = scrollTop + clientY - event.clientY
  }, {signal})
  addEventListener("pointerup", () => ended.abort(), {signal})
})

new ResizeObserver(fit).observe(stage)  // also when a notebook shows a frame that was loaded while hidden
fit()
