// The number in hand: dragged, nudged by keys or the wheel, and undone.

// Each leaf has a range: ±3 for numbers of that size, else three times its size.
const reach = start.map(x => {
  const size = Math.abs(x), isUsual = !Number.isFinite(x) || x === 0 || (size >= 0.05 && size <= 3)
  const far = isUsual ? 3 : roundUp(3 * size)
  return [-far, far]
})
const grain = k => roundUp((reach[k][1] - reach[k][0]) / 1000)  // 0.01 for a range from −3 to 3
const rounded = (k, x) => Number((Math.round(x / grain(k)) * grain(k)).toPrecision(12))
const within = (k, x) => Math.min(Math.max(x, reach[k][0]), reach[k][1])

function set(k, x) {
  if (!Number.isFinite(x)) return
  numbers[k] = x
  const [low, high] = reach[k]
  if (x < low || x > high) reach[k] = [Math.min(low, -roundUp(1.5 * Math.abs(x))), Math.max(high, roundUp(1.5 * Math.abs(x)))]
  if (k !== hand || x < low || x > high) curve = null
}

// --- Frames -----------------------------------------------------------------------------------------

let wanted = 0  // a frame that will show the numbers as they are by then
function refresh() {
  wanted = wanted || requestAnimationFrame(() => {
    wanted = 0
    compute()
    paint()
    describe()
    plot()
    walked()
  })
}

// While a gesture lasts, colours keep their scale.
let resting = 0
function hold(forAWhile) {
  live.classList.add("held")
  clearTimeout(resting)
  if (forAWhile) resting = setTimeout(release, 600)
}
function release() {
  live.classList.remove("held")
  compute()
  rescale()
  for (const handle of handles.values()) handle.describe()
  refresh()
}

// One gesture is one step for Undo, however many changes it makes; keys count as one if they follow at once.
const past = []
let gesture = {}
function remember(kind) {
  const at = performance.now(), goesOn = kind && gesture.kind === kind && at - gesture.at < 800
  gesture = {kind, at}
  if (!goesOn) past.push({numbers: [...numbers], trail: [...trail]})
}
function change(kind, k, x) {
  remember(kind && `${kind} ${k}`)
  trail = []
  set(k, x)
  refresh()
}

// --- Gestures ---------------------------------------------------------------------------------------

function nudge(kind, k, steps) {
  hold(true)
  change(kind, k, within(k, rounded(k, numbers[k] + steps * 5 * grain(k))))
}

function press(event, k) {
  const {key, shiftKey, altKey, ctrlKey, metaKey} = event
  const steps = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10}[key]
  const end = {Home: 0, End: 1}[key]
  if (steps) nudge("keys", k, shiftKey ? steps * 10 : altKey ? steps / 5 : steps)
  else if (end !== undefined) { hold(true); change("keys", k, reach[k][end]) }
  else if (key === "Enter") type("")
  else if (/^[-−\d.,]$/.test(key) && !ctrlKey && !metaKey) type(key)
  else return
  event.preventDefault()
}

function turn(event, k) {
  if (event.ctrlKey) return  // that zooms
  event.preventDefault()
  nudge("wheel", k, event.deltaY < 0 ? 1 : -1)
}

// Follow a pointer that went down on `element`; `at` gives the number after a movement of so many px.
function drag({button, pointerId, clientX}, element, k, at) {
  if (button) return
  element.setPointerCapture(pointerId)
  let moved = false
  const ended = new AbortController(), {signal} = ended
  element.addEventListener("pointermove", event => {
    const by = event.clientX - clientX
    if (!moved && Math.abs(by) < 2) return
    if (!moved) { hold(); remember() }
    moved = true
    trail = []
    set(k, within(k, rounded(k, at(by))))
    refresh()
  }, {signal})
  const end = () => { ended.abort(); if (moved) release() }
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, end, {signal})
}

// --- The handle of each leaf ------------------------------------------------------------------------

// How wide a number is, from the widths of its characters: asking the picture would lay it out anew.
const pen = document.createElement("canvas").getContext("2d")
pen.font = `11px ${getComputedStyle(picture).fontFamily}`
const widths = {}
const widthOf = text => [...text].reduce((sum, c) => sum + (widths[c] ??= pen.measureText(c).width), 0)

const full = ({place, name}) => place ? `${place} · ${name}` : name
const hasGhost = i => i === leaves[hand] && numbers[hand] !== start[hand]  // its old number stands beside it
const RAIL = 46  // the length of the track under a number

const handles = new Map(leaves.map((i, k) => {
  const {value, pill, card, right} = rows.find(row => row.i === i)
  const base = number(value, "y"), top = number(pill, "y"), height = number(pill, "height")
  const group = create("g", {class: "leaf", role: "slider", tabindex: 0, "aria-label": full(nodes[i]), "data-leaf": nodes[i].name}, card)
  create("rect", {class: "hit", x: right - 58, y: top - 1, width: 61, height: height + 2, rx: 3}, group)
  group.append(value)
  const dots = create("line", {class: "dots", x2: right, y1: base + 2.6, y2: base + 2.6}, group)
  create("line", {class: "rail", x1: right - RAIL, x2: right, y1: base + 3, y2: base + 3}, group)
  const knob = create("circle", {class: "knob", cy: base + 3, r: 2.2}, group)
  const ghost = create("text", {class: "ghost", y: base}, group)

  group.addEventListener("focus", () => take(k))
  group.addEventListener("keydown", event => press(event, k))
  group.addEventListener("wheel", event => k === hand && turn(event, k), {passive: false})
  group.addEventListener("dblclick", () => type(""))
  group.addEventListener("pointerdown", event => {
    event.stopPropagation()
    event.preventDefault()
    group.focus({preventScroll: true})
    const from = numbers[k], perPixel = (reach[k][1] - reach[k][0]) / 400
    drag(event, group, k, by => from + by * perPixel)
  })
  return [i, {
    group, middle: top + height / 2, end: number(pill, "x") + number(pill, "width"),
    paint() {
      const left = right - widthOf(short(numbers[k])), [low, high] = reach[k]
      put(dots, {x1: left})
      put(knob, {cx: right - RAIL + RAIL * (numbers[k] - low) / (high - low)})
      put(ghost, {x: left - 4, text: hasGhost(i) ? short(start[k]) : ""})
    },
    describe() {
      const [low, high] = reach[k], slope = isLost() ? "no gradient" : `gradient ${short(slopes[i])}`
      const text = `${short(numbers[k])}; ${slope}`
      put(group, {"aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": numbers[k], "aria-valuetext": text})
    },
  }]
}))

function take(k) {
  hand = k
  curve = null
  for (const [i, {group}] of handles) group.classList.toggle("taken", i === leaves[k])
  introduce(leaves[k])
  refresh()
}
