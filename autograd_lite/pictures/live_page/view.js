// The view: zoom, theme, the sheet on a phone, and what one sees first.

const stage = part("stage"), natural = picture.viewBox.baseVal
const LEAST = 0.82, MOST = 1.6  // px for a point where the picture is fitted: below, numbers are hard to read
let zoom = 0  // px for a point; 0: as large as fits

function fit() {
  const fitting = Math.min((stage.clientWidth - 24) / natural.width, (stage.clientHeight - 24) / natural.height)
  const factor = zoom || Math.max(Math.min(fitting, MOST), LEAST)
  picture.setAttribute("width", natural.width * factor)
  picture.setAttribute("height", natural.height * factor)
  stage.style.setProperty("--label", `${Math.max(8.5, 9 / factor)}px`)  // at least 9 px on the screen
  stage.classList.toggle("small", factor < 0.8)
  return factor
}

function enlarge(by, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const before = fit()
  zoom = Math.min(Math.max(before * by, 0.3), 5)
  const ratio = fit() / before
  stage.scrollLeft = (stage.scrollLeft + x) * ratio - x
  stage.scrollTop = (stage.scrollTop + y) * ratio - y
}

function reveal(element) {
  const box = element.getBoundingClientRect(), view = stage.getBoundingClientRect()
  stage.scrollLeft += (box.left + box.right - view.left - view.right) / 2
  stage.scrollTop += (box.top + box.bottom - view.top - view.bottom) / 2
}

part("larger").onclick = () => enlarge(1.25)
part("smaller").onclick = () => enlarge(0.8)
part("fit").onclick = () => { zoom = 0; fit() }
part("theme").onclick = () => { document.documentElement.classList.toggle("dark"); refresh() }

stage.addEventListener("wheel", event => {
  if (!event.ctrlKey) return
  event.preventDefault()
  const {left, top} = stage.getBoundingClientRect()
  enlarge(event.deltaY < 0 ? 1.12 : 0.89, event.clientX - left, event.clientY - top)
}, {passive: false})

stage.addEventListener("pointerdown", ({button, pointerType, clientX, clientY}) => {
  if (button || pointerType === "touch") return  // a finger scrolls by itself
  const {scrollLeft, scrollTop} = stage, ended = new AbortController(), {signal} = ended
  addEventListener("pointermove", event => {
    stage.scrollLeft = scrollLeft + clientX - event.clientX
    stage.scrollTop = scrollTop + clientY - event.clientY
  }, {signal})
  addEventListener("pointerup", () => ended.abort(), {signal})
})

// --- The sheet --------------------------------------------------------------------------------------

const sheet = live.querySelector("aside"), grip = part("grip")
let pulledFrom = 0

function pull(isUp) {
  sheet.classList.toggle("up", isUp)
  grip.setAttribute("aria-expanded", isUp)
}
const isUp = () => sheet.classList.contains("up")
grip.onpointerdown = event => { pulledFrom = event.clientY; grip.setPointerCapture(event.pointerId) }
grip.onpointerup = event => {
  const by = event.clientY - pulledFrom
  pull(Math.abs(by) < 8 ? !isUp() : by < 0)
}
grip.onclick = event => event.detail || pull(!isUp())  // by the keyboard

// --- First view -------------------------------------------------------------------------------------

const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches
if (prefersDark && !document.documentElement.className) document.documentElement.classList.add("dark")
part("outcome-name").textContent = nodes[result].name

compute()
take(moving.reduce((best, k) => Math.abs(slopes[leaves[k]]) > Math.abs(slopes[leaves[best]]) ? k : best, moving[0]))
release()

const inHand = handles.get(leaves[hand])
const hint = create("g", {class: "hint"}, picture.querySelector("g"))
create("path", {d: `M${inHand.end + 6} ${inHand.middle}l7 -5v10z`}, hint)
create("rect", {x: inHand.end + 12, y: inHand.middle - 9, width: 54, height: 18, rx: 9}, hint)
create("text", {x: inHand.end + 39, y: inHand.middle + 3.5, "text-anchor": "middle"}, hint).textContent = "drag me"
for (const event of ["pointerdown", "keydown"])
  live.addEventListener(event, () => hint.remove(), {once: true, capture: true})

let isFirst = true
new ResizeObserver(() => {
  fit()
  if (isFirst) reveal(inHand.group.firstChild)
  isFirst = false
  refresh()
}).observe(stage)
