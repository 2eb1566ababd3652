"use strict"
{
const facts = JSON.parse(document.getElementById("live-graph").textContent)
const {nodes, leaves, edges, moving} = facts
const result = nodes.length - 1
const live = document.getElementById("live")
const part = name => live.querySelector(`.${name}`)
const picture = live.querySelector(".stage > svg")

const create = (tag, attributes, parent) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return parent ? parent.appendChild(made) : made
}

// What changes in every frame is written only where it differs from what is there.
const seen = new WeakMap()
function put(element, key, value) {
  const before = seen.get(element) || seen.set(element, {}).get(element)
  if (before[key] === value) return false
  before[key] = value
  if (key === "text") element.textContent = value
  else if (key === "html") element.innerHTML = value
  else if (key === "fill" || key === "stroke") element.style[key] = value
  else element.setAttribute(key, value)
  return true
}

// --- Numbers, as `short` in notation/names.py prints them ------------------------------------------

const RAISED = {"-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹"}

function fixed(x, digits) {
  const scaled = Math.abs(x) * 10 ** digits, whole = Math.floor(scaled)
  const isTie = scaled - whole === 0.5 && Number.isInteger(x * 2 ** (digits + 1))
  return isTie ? (Math.sign(x) * (whole + whole % 2) / 10 ** digits).toFixed(digits) : x.toFixed(digits)
}

function short(x, digits = 3) {
  if (x === 0) return "0"
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞"
  const exponent = Number(x.toExponential(digits - 1).split("e")[1])
  if (exponent >= 0 && exponent <= 3) return fixed(x, Math.max(digits - 1 - exponent, 0)).replace("-", "−")
  const [mantissa, power] = x.toExponential(1).split("e").map(Number)
  if (-digits <= power && power <= 0) return fixed(x, digits).replace("-", "−")
  return `${mantissa.toFixed(1)}·10${[...String(power)].map(c => RAISED[c]).join("")}`.replace("-", "−")
}

// --- The graph as it is now -------------------------------------------------------------------------

const start = facts.start.map(Number)
let numbers = [...start]  // of the leaves
let values, slopes, partials  // what the program says: slopes are ∂result/∂value
let origin = []  // for each value that is lost, the one at which the computation left its domain
let scale = 0  // the largest |slope|: it holds still while a number is dragged
let hand = 0  // the leaf in hand, by its place among the leaves
let past = []  // what Undo goes back to
let trail = []  // of the result, while going downhill

const uses = nodes.map(() => [])  // of each value: the numbers of the edges that leave it
const into = nodes.map(() => [])  // and of those that enter it
edges.forEach(([consumer, operand], k) => { uses[operand].push(k); into[consumer].push(k) })

function compute() {
  [values, slopes, partials] = program(numbers)
  origin = nodes.map(() => -1)
  nodes.forEach(({of}, i) => {
    const before = of && of.find(k => origin[k] >= 0)
    if (before !== undefined) origin[i] = origin[before]
    else if (!Number.isFinite(values[i]) || (into[i].length && into[i].every(k => Number.isNaN(partials[k])))) origin[i] = i
  })
}

const isLost = () => origin[result] >= 0

// Why the computation stops at value i: the domain is that of the table of primitives.
function complaint(i) {
  const {op, of} = nodes[i]
  if (!op) return `${nodes[i].name} is not a number to compute with.`
  const {domain, given} = facts.rows[op]
  const here = of.map((k, place) => {
    const name = given[Math.min(place, given.length - 1)], own = nodes[k] && nodes[k].name
    return `${name} is ${own && own !== name ? `${own} = ` : ""}${short(Number(nodes[k] ? values[k] : k))}`
  })
  if (domain) return `${op} is defined for ${domain}. Here ${here.join(" and ")}.`
  return `The result of ${op} is too large for a number. Here ${here.slice(0, 3).join(" and ")}.`
}

// --- The picture ------------------------------------------------------------------------------------

const byRow = (kind, id) => picture.querySelector(`${kind}[data-row="${id}"]`)
for (const title of picture.querySelectorAll("title")) title.remove()  // they hold the old numbers

const rows = []
nodes.forEach((node, i) => {
  const value = byRow("text.value", `v${i}`)
  if (!value) return
  const pill = byRow("rect.pill", `v${i}`), slope = byRow("text.pill", `v${i}`), by = value.previousElementSibling
  value.setAttribute("x", Number(pill.getAttribute("x")) - 4)
  value.setAttribute("text-anchor", "end")
  for (const text of [value, by]) for (const name of ["textLength", "lengthAdjust"]) text.removeAttribute(name)
  rows.push({i, value, pill, slope, card: value.closest(".card"), by: by.textContent.includes("×") && !node.op ? by : null})
  if (rows.at(-1).by) by.classList.add("by")
})

const lines = Object.entries(facts.lines).map(([id, through]) => {
  const group = document.getElementById(id), path = group.querySelector("path"), head = group.querySelector("polygon")
  const tip = head.getAttribute("points").split(" ")[1].split(",").map(Number)
  const label = group.querySelector("text")
  if (label) for (const name of ["textLength", "lengthAdjust"]) label.removeAttribute(name)
  return {through, group, path, head, tip, label}
})

// How wide a number is, from the widths of its characters: asking the picture would lay it out anew.
const pen = document.createElement("canvas").getContext("2d")
pen.font = `11px ${getComputedStyle(picture).fontFamily}`
const widths = new Map([..."0123456789.−·∞NaN–⁻⁰¹²³⁴⁵⁶⁷⁸⁹"].map(c => [c, pen.measureText(c).width]))
const widthOf = text => [...text].reduce((sum, c) => sum + widths.get(c), 0)

const isDark = () => document.documentElement.classList.contains("dark")
const tones = () => facts.colours[isDark() ? "dark" : "light"]
const strength = x => x === 0 ? 0 : Math.abs(x) < scale ? Math.log1p(Math.abs(x) / scale * 1000) / Math.log1p(1000) : 1

function shades(x) {
  const {plus, plusInk, plusFlow, minus, minusInk, minusFlow, idle, alarm, onAlarm} = tones()
  if (!Number.isFinite(x)) return [alarm, onAlarm, alarm]
  const k = Math.round(strength(x) * (plus.length - 1))
  if (x === 0) return [plus[0], plusInk[0], idle]
  return x > 0 ? [plus[k], plusInk[k], plusFlow[k]] : [minus[k], minusInk[k], minusFlow[k]]
}

// Only what is in sight is kept up to date; the rest follows when it comes into sight.
const inSight = new WeakSet()
const sight = new IntersectionObserver(changes => {
  for (const {target, isIntersecting} of changes) isIntersecting ? inSight.add(target) : inSight.delete(target)
  refresh()
}, {root: part("stage"), rootMargin: "60px"})
for (const each of new Set([...rows.map(({card}) => card), ...lines.map(({group}) => group)])) sight.observe(each)

function paint() {
  const lost = isLost()
  for (const {i, value, pill, slope, card, by} of rows) {
    if (!inSight.has(card)) continue
    put(value, "text", origin[i] >= 0 ? "–" : short(values[i]))
    const [fill, ink] = shades(lost ? 0 : slopes[i])
    put(pill, "fill", fill)
    put(slope, "fill", ink)
    put(slope, "text", lost ? "–" : short(slopes[i]))
    if (by) put(by, "text", times(partials[uses[i][0]], lost, "\u00a0"))
    if (!nodes[i].op) handles.get(i).moved()
    else put(card, "class", `node card ${origin[i] === i ? "lost" : origin[i] >= 0 ? "gone" : ""}`)
  }
  for (const {through, group, path, head, tip, label} of lines) {
    if (!inSight.has(group)) continue
    let flow = 0
    if (!lost) for (const k of through) flow += slopes[edges[k][0]] * partials[k]
    const colour = shades(flow)[2], t = Number.isFinite(flow) ? strength(flow) : 1
    if (put(path, "stroke", colour)) head.style.fill = head.style.stroke = colour
    if (put(path, "stroke-width", (0.7 + 3.6 * t * t).toFixed(1)))
      head.setAttribute("transform", `translate(${tip}) scale(${(1 + t * t).toFixed(2)}) translate(${-tip[0]} ${-tip[1]})`)
    put(path, "stroke-dasharray", flow === 0 ? "4 3" : "none")
    if (label) put(label, "text", through.length > 1 ? `${through.length} edges` : times(partials[through[0]], lost, ""))
  }
}

const times = (x, lost, space) => lost || x === 1 ? "" : `${space}×${short(x, 2)}`

// --- Leaves that can be dragged ---------------------------------------------------------------------

// The range of a leaf: ±3 for numbers of that size, else three times its size.
const size = x => { const unit = 10 ** Math.floor(Math.log10(x)); return unit * [1, 2, 3, 5, 10].find(k => k * unit >= x * 0.999) }
const reach = start.map(x => {
  const far = !Number.isFinite(x) || x === 0 || (Math.abs(x) <= 3 && Math.abs(x) >= 0.05) ? 3 : size(3 * Math.abs(x))
  return [-far, far]
})
const grain = k => size((reach[k][1] - reach[k][0]) / 1000)  // 0.01 for a range from −3 to 3

let curve = null  // the points of the plot, until something other than the number in hand changes

function set(k, x) {
  if (!Number.isFinite(x)) return
  if (k !== hand) curve = null
  numbers[k] = x
  if (x < reach[k][0]) { reach[k][0] = -size(1.5 * Math.abs(x)); curve = null }
  if (x > reach[k][1]) { reach[k][1] = size(1.5 * Math.abs(x)); curve = null }
}

const rounded = (k, x) => { const unit = grain(k); return Number((Math.round(x / unit) * unit).toPrecision(12)) }
const within = (k, x) => Math.min(Math.max(x, reach[k][0]), reach[k][1])

// One gesture is one step for Undo, however many changes it makes: keys and wheel count together if they come soon.
let gesture = {}
function remember(kind) {
  const now = performance.now(), same = kind && gesture.kind === kind && now - gesture.at < 800
  gesture = {kind, at: now}
  if (!same) past.push({numbers: [...numbers], trail: [...trail]})
  if (kind) trail = []
}

let wanted = 0
function refresh() {
  wanted = wanted || requestAnimationFrame(() => { wanted = 0; frame() })
}

function frame() {
  compute()
  paint()
  describe()
  plot()
  downhill()
}

const hold = () => live.classList.add("held")
function release() {
  live.classList.remove("held")
  compute()
  rescale()
  for (const handle of handles.values()) handle.describe()
  refresh()
}
function rescale() {
  scale = Math.max(0, ...rows.map(({i}) => Math.abs(slopes[i])).filter(Number.isFinite))
}
let resting = 0
function holdForAWhile() {
  hold()
  clearTimeout(resting)
  resting = setTimeout(release, 600)
}

function nudge(k, steps, kind) {
  remember(`${kind} ${k}`)
  holdForAWhile()
  set(k, within(k, rounded(k, numbers[k] + steps * 5 * grain(k))))
  refresh()
}

function keys(event, k) {
  const steps = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10}[event.key]
  if (steps) nudge(k, event.shiftKey ? steps * 10 : event.altKey ? steps / 5 : steps, "keys")
  else if (event.key === "Home" || event.key === "End") {
    remember(`keys ${k}`)
    set(k, reach[k][event.key === "Home" ? 0 : 1])
    refresh()
  } else if (event.key === "Enter") type("")
  else if (/^[-−\d.,]$/.test(event.key) && !event.ctrlKey && !event.metaKey) type(event.key)
  else return
  event.preventDefault()
}

function wheel(event, k) {
  if (event.ctrlKey) return
  event.preventDefault()
  nudge(k, event.deltaY < 0 ? 1 : -1, "wheel")
}

// Follow a pointer that went down on `element`: `to` gives the number for a movement of so many px.
function drag(event, element, k, to) {
  if (event.button) return
  element.setPointerCapture(event.pointerId)
  const {clientX} = event
  let moved = false
  const move = event => {
    if (!moved && Math.abs(event.clientX - clientX) < 2) return
    if (!moved) { remember("drag"); gesture = {}; hold() }
    moved = true
    set(k, within(k, rounded(k, to(event.clientX - clientX))))
    refresh()
  }
  const end = () => {
    for (const name of ["pointermove", "pointerup", "pointercancel"]) element.removeEventListener(name, name === "pointermove" ? move : end)
    if (moved) release()
  }
  element.addEventListener("pointermove", move)
  element.addEventListener("pointerup", end)
  element.addEventListener("pointercancel", end)
}

const handles = new Map()  // by the number of the value
leaves.forEach((i, k) => {
  const {value, pill, card} = rows.find(row => row.i === i)
  const right = Number(value.getAttribute("x")), base = Number(value.getAttribute("y"))
  const top = Number(pill.getAttribute("y")), height = Number(pill.getAttribute("height"))
  const group = create("g", {class: "leaf", role: "slider", tabindex: 0}, card)
  group.dataset.leaf = nodes[i].name
  create("rect", {class: "hit", x: right - 58, y: top - 1, width: 61, height: height + 2, rx: 3}, group)
  group.append(value)
  const dots = create("line", {class: "dots", x1: right, x2: right, y1: base + 2.6, y2: base + 2.6}, group)
  create("line", {class: "rail", x1: right - 46, x2: right, y1: base + 3, y2: base + 3}, group)
  const knob = create("circle", {class: "knob", cy: base + 3, r: 2.2}, group)
  const ghost = create("text", {class: "ghost", y: base}, group)
  const handle = {
    group,
    right: Number(pill.getAttribute("x")) + Number(pill.getAttribute("width")),  // of the card
    middle: top + height / 2,
    moved() {
      const width = widthOf(short(numbers[k])), [low, high] = reach[k]
      if (put(dots, "x1", right - width)) ghost.setAttribute("x", right - width - 4)
      put(knob, "cx", right - 46 + 46 * (numbers[k] - low) / (high - low))
      put(ghost, "text", k === hand && numbers[k] !== start[k] ? short(start[k]) : "")
    },
    describe() {
      const said = `${short(numbers[k])}; ${isLost() ? "no gradient" : `gradient ${short(slopes[i])}`}`
      put(group, "aria-valuemin", reach[k][0])
      put(group, "aria-valuemax", reach[k][1])
      put(group, "aria-valuenow", numbers[k])
      put(group, "aria-valuetext", said)
    },
  }
  handles.set(i, handle)
  group.setAttribute("aria-label", full(i))
  group.addEventListener("focus", () => take(k))
  group.addEventListener("keydown", event => keys(event, k))
  group.addEventListener("wheel", event => k === hand && wheel(event, k), {passive: false})
  group.addEventListener("dblclick", () => type(""))
  group.addEventListener("pointerdown", event => {
    event.stopPropagation()
    event.preventDefault()
    group.focus({preventScroll: true})
    const from = numbers[k], perPixel = (reach[k][1] - reach[k][0]) / 400
    drag(event, group, k, x => from + x * perPixel)
  })
})

function full(i) {
  const {name, place} = nodes[i]
  return place ? `${place} · ${name}` : name
}

// --- The value in hand: its number, and the chain rule to it ----------------------------------------

const MOST_TERMS = 4, MOST_FACTORS = 6

function take(k) {
  for (const {group} of handles.values()) group.classList.remove("taken")
  hand = k
  curve = null
  const i = leaves[k], {name, math, place} = nodes[i]
  handles.get(i).group.classList.add("taken")
  part("name").innerHTML = `<math>${math}</math>`
  part("name").setAttribute("aria-label", full(i))
  part("number").setAttribute("aria-label", `the number of ${full(i)}`)
  part("track").setAttribute("aria-label", full(i))
  part("place").textContent = place || ""
  writeChain(i)
  refresh()
}

// A sum that is written as part of another is not drawn; the one around it has the same slope.
const drawn = i => nodes[i].name ? i : drawn(edges[uses[i][0]][0])

// ∂result/∂x as a sum over the uses of x, each a product along the way: [y, x, number of the edge], or no
// edge where the way splits, and the slope of y stands for the rest.
function terms(x) {
  return uses[x].map(k => {
    const factors = []
    for (let at = x; ; k = uses[at][0]) {
      const next = drawn(edges[k][0])
      factors.unshift([next, at, k])
      at = next
      if (at === result) return factors
      if (uses[at].length > 1 || factors.length === MOST_FACTORS) return [[result, at], ...factors]
    }
  })
}

let chain = []
const of = (y, x) => `<math displaystyle="true"><mfrac><mrow><mo>∂</mo>${nodes[y].math}</mrow><mrow><mo>∂</mo>${nodes[x].math}${nodes[y].math === nodes[x].math && y !== x ? "<mo>′</mo>" : ""}</mrow></mfrac></math>`

function writeChain(i) {
  chain = i === result ? [[[i, i]]] : terms(i)
  const first = chain.length > MOST_TERMS ? chain.slice(0, MOST_TERMS - 1) : chain
  const more = chain.length - first.length
  const product = factors => factors.map(([y, x]) => of(y, x)).join(" · ")
  const right = first.map(product).join(" + ") + (more ? ` + … ${more} more` : "")
  part("symbols").innerHTML = i === result || (chain.length === 1 && chain[0].length === 1) ? of(result, i) : `${of(result, i)} = ${right}`
}

const factor = ([y, x, k]) => k === undefined ? slopes[x] : partials[k]
const bracketed = (x, first) => x < 0 && !first ? `(${short(x)})` : short(x)

function figures(i) {
  if (isLost()) return "= –"
  const shown = chain.length > MOST_TERMS ? chain.slice(0, MOST_TERMS - 1) : chain
  const all = `<b class="${slopes[i] > 0 ? "plus" : slopes[i] < 0 ? "minus" : ""}">${short(slopes[i])}</b>`
  if (shown.length === 1 && shown[0].length === 1) return `= ${all}`
  const written = shown.map((factors, n) => factors.map((f, j) => bracketed(factor(f), !n && !j)).join(" · ")).join(" + ")
  return `= ${written}${chain.length > shown.length ? " + …" : ""} = ${all}`
}

function describe() {
  const i = leaves[hand], lost = isLost(), slope = slopes[i], [fill, ink] = shades(lost ? 0 : slope)
  const field = part("number")
  if (document.activeElement !== field) field.value = short(numbers[hand])
  field.style.width = `${field.value.length + 0.4}ch`
  put(part("was"), "text", numbers[hand] === start[hand] ? "" : `was ${short(start[hand])}`)
  for (const name of ["gradient", "pull"]) {
    put(part(name), "text", lost ? "–" : name === "pull" ? `∂${nodes[result].name}/∂${nodes[i].name} = ${short(slope)}` : short(slope))
    part(name).style.background = fill
    part(name).style.color = ink
  }
  const track = part("track"), [low, high] = reach[hand]
  track.min = low
  track.max = high
  track.value = numbers[hand]
  track.setAttribute("aria-valuetext", short(numbers[hand]))
  put(part("low"), "text", short(low).replace(/\.0+$/, ""))
  put(part("high"), "text", short(high).replace(/\.0+$/, ""))
  put(part("figures-of-chain"), "html", figures(i))
  put(part("outcome-value"), "text", lost ? "–" : short(values[result]))
  const wrong = mistyped ? `${mistyped} is not a number.` : lost ? complaint(origin[result]) : Number.isFinite(slope) ? "" : `The gradient of ${nodes[i].name} is ${short(slope)} here: a curve on the way is vertical or has a corner.`
  put(part("trouble"), "text", wrong)
  handles.get(i).describe()
}

let mistyped = ""

// A number as it is typed or as it is shown: with either minus, a comma, or a power of ten.
function read(text) {
  const power = digits => `e${[...digits].map(c => Object.keys(RAISED).find(d => RAISED[d] === c)).join("")}`
  return text ? Number(text.replace("−", "-").replace(",", ".").replace(/·10(.+)$/, (_, digits) => power(digits))) : NaN
}

function type(text) {
  const field = part("number")
  field.focus()
  if (text) field.value = text
  else field.select()
}

{
  const field = part("number"), track = part("track")
  const leave = () => { mistyped = ""; refresh(); handles.get(leaves[hand]).group.focus() }
  const commit = () => {
    const text = field.value.trim(), x = read(text)
    if (text === short(numbers[hand])) return true
    mistyped = Number.isFinite(x) ? "" : text || "Nothing"
    if (!mistyped) { remember(); set(hand, x); release() }
    refresh()
    return !mistyped
  }
  field.onkeydown = event => {
    const steps = {ArrowUp: 1, ArrowDown: -1}[event.key]
    if (event.key === "Enter" && commit()) leave()
    if (event.key === "Escape") { field.value = short(numbers[hand]); leave() }
    if (steps) { event.preventDefault(); nudge(hand, steps, "keys"); field.value = short(numbers[hand]) }
  }
  field.onblur = () => { commit(); mistyped = ""; refresh() }
  field.onwheel = event => document.activeElement !== field && wheel(event, hand)
  track.oninput = () => { remember(`track ${hand}`); holdForAWhile(); set(hand, rounded(hand, Number(track.value))); refresh() }
  track.onwheel = event => wheel(event, hand)
}

// --- The plot: the result against the number in hand ------------------------------------------------

const POINTS = 160, LEFT = 36, RIGHT = 12
const plotted = part("plot")
let room = {width: 0, height: 0}
const line = {}
for (const [name, tag] of [["axis", "path"], ["line", "path"], ["tangent", "line"], ["before", "circle"], ["point", "circle"]])
  line[name] = create(tag, {class: name, ...(tag === "circle" ? {r: name === "point" ? 5.5 : 3.5} : {})}, plotted)
for (const name of ["high-y", "low-y", "low-x", "high-x", "letter y", "letter x"]) line[name] = create("text", {class: name}, plotted)
const clip = create("clipPath", {id: "live-clip"}, plotted)
const clipped = create("rect", {}, clip)
for (const name of ["line", "tangent"]) line[name].setAttribute("clip-path", "url(#live-clip)")

function curvePoints() {
  const [low, high] = reach[hand], tried = [...numbers], found = []
  for (let n = 0; n <= POINTS; n++) {
    tried[hand] = low + (high - low) * n / POINTS
    found.push([tried[hand], program(tried)[0][result]])
  }
  const heights = found.map(([, y]) => y).filter(Number.isFinite).sort((a, b) => a - b)
  const at = share => heights[Math.round(share * (heights.length - 1))]
  let bottom = at(0), top = at(1)
  if (top - bottom > 40 * (at(0.9) - at(0.1))) { bottom = at(0.05); top = at(0.95) }  // a pole: it would flatten the rest
  if (!(top - bottom > 1e-12 * Math.abs(top))) { const room = Math.abs(top) / 2 || 1; bottom -= room; top += room }
  return {found, bottom, top}
}

function plot() {
  const {width, height} = room
  if (!width) return
  curve = curve || curvePoints()
  const {found, bottom, top} = curve, [low, high] = reach[hand], i = leaves[hand]
  const left = LEFT, base = height - 20, roof = 24
  const px = x => left + (x - low) / (high - low) * (width - left - RIGHT)
  const py = y => base - 6 - (y - bottom) / (top - bottom) * (base - roof - 12)
  for (const [name, value] of Object.entries({x: left, y: roof - 4, width: width - left, height: base - roof + 4})) clipped.setAttribute(name, value)
  put(line.axis, "d", `M${left} ${roof - 6}V${base}H${width}`)
  let pen = "M"
  put(line.line, "d", found.map(([x, y]) => {
    if (!Number.isFinite(y)) { pen = "M"; return "" }
    const step = `${pen}${px(x).toFixed(1)} ${Math.max(-9999, Math.min(9999, py(y))).toFixed(1)}`
    pen = "L"
    return step
  }).join(""))
  const x = px(numbers[hand]), y = py(values[result]), slope = slopes[i], lost = isLost() || !Number.isFinite(slope)
  const rise = -slope * (high - low) / (width - left - RIGHT) * (base - roof - 12) / (top - bottom)
  const run = 62 / Math.hypot(1, rise), colour = slope > 0 ? "var(--plus)" : slope < 0 ? "var(--minus)" : "var(--faint)"
  for (const name of ["tangent", "point"]) line[name].style.visibility = lost && (name === "tangent" || isLost()) ? "hidden" : ""
  if (!lost) {
    for (const [name, value] of Object.entries({x1: x - run, x2: x + run, y1: y - rise * run, y2: y + rise * run})) put(line.tangent, name, value.toFixed(1))
    put(line.tangent, "stroke", colour)
  }
  if (!isLost()) { put(line.point, "cx", x.toFixed(1)); put(line.point, "cy", y.toFixed(1)) }
  const tried = [...numbers]
  tried[hand] = start[hand]
  const old = program(tried)[0][result]
  line.before.style.visibility = numbers[hand] === start[hand] || !Number.isFinite(old) ? "hidden" : ""
  if (Number.isFinite(old)) { put(line.before, "cx", px(start[hand]).toFixed(1)); put(line.before, "cy", py(old).toFixed(1)) }
  const decimals = 1 - Math.floor(Math.log10(top - bottom)), tick = y => Math.round(y * 10 ** decimals) / 10 ** decimals
  const tickText = y => Math.abs(tick(y)) < 1e4 && decimals < 5 ? tick(y).toFixed(Math.max(decimals, 0)).replace("-", "−") : short(tick(y), 2)
  const texts = {
    "high-y": [left - 6, py(tick(top)) + 4, "end", tickText(top)], "low-y": [left - 6, py(tick(bottom)) + 4, "end", tickText(bottom)],
    "low-x": [left, base + 15, "start", short(low).replace(/\.0+$/, "")], "high-x": [width, base + 15, "end", short(high).replace(/\.0+$/, "")],
    "letter y": [left + 7, 14, "start", nodes[result].name], "letter x": [left + (width - left) / 2, base + 16, "middle", nodes[i].name],
  }
  for (const [name, [x, y, anchor, text]] of Object.entries(texts)) {
    put(line[name], "x", x); put(line[name], "y", y); put(line[name], "text-anchor", anchor); put(line[name], "text", text)
  }
  const says = lost ? "no slope here" : `slope = gradient ∂${nodes[result].name}/∂${nodes[i].name} = ${short(slope)}`
  put(part("slope"), "text", says)
  part("slope").style.color = lost ? "" : colour
  put(plotted, "aria-label", `${nodes[result].name} against ${nodes[i].name}; ${says}`)
}

plotted.addEventListener("pointerdown", event => {
  const width = room.width - LEFT - RIGHT, [low, high] = reach[hand]
  const from = low + (event.clientX - plotted.getBoundingClientRect().left - LEFT) / width * (high - low)
  drag(event, plotted, hand, x => from + x / width * (high - low))
})

// --- Downhill ---------------------------------------------------------------------------------------

const spark = part("spark")
const sparkLine = create("path", {}, spark), sparkEnd = create("circle", {r: 3.5}, spark)
const rate = () => Number((10 ** Number(part("rate").value)).toPrecision(2))
let running = 0

function descend() {
  if (isLost() || moving.some(k => !Number.isFinite(slopes[leaves[k]]))) return false
  if (!trail.length) trail = [values[result]]
  for (const k of moving) set(k, numbers[k] - rate() * slopes[leaves[k]])
  curve = null
  compute()
  trail.push(values[result])
  return !isLost()
}

function downhill() {
  part("step").disabled = part("run").disabled = isLost()
  part("undo").disabled = !past.length
  part("reset").disabled = numbers.every((x, k) => x === start[k])
  const steps = Math.max(trail.length - 1, 0), name = nodes[result].name
  put(part("last"), "text", steps ? `${name} = ${isLost() ? "–" : short(values[result])} after ${steps} step${steps > 1 ? "s" : ""}` : "")
  put(part("rate-text"), "text", short(rate(), 2))
  part("rate").setAttribute("aria-valuetext", short(rate(), 2))
  const known = trail.filter(Number.isFinite), width = 150, height = 30
  const [low, high] = [Math.min(...known), Math.max(...known)]
  const point = (y, n) => [2 + n / Math.max(steps, 12) * width, high > low ? 3 + (high - y) / (high - low) * (height - 4) : height / 2]
  put(sparkLine, "d", known.length > 1 ? `M${known.map((y, n) => point(y, n).map(x => x.toFixed(1)).join(" ")).join("L")}` : "")
  sparkEnd.style.visibility = known.length > 1 ? "" : "hidden"
  if (known.length > 1) { const [x, y] = point(known.at(-1), known.length - 1); put(sparkEnd, "cx", x.toFixed(1)); put(sparkEnd, "cy", y.toFixed(1)) }
}

function stop() {
  clearInterval(running)
  running = 0
  part("run").textContent = "Run"
  release()
}

function back({numbers: then, trail: walked}) {
  if (running) stop()
  numbers = [...then]
  trail = [...walked]
  curve = null
  compute()
  release()
}

part("step").onclick = () => {
  remember()
  descend()
  release()
  part("said").textContent = part("trouble").textContent || `${nodes[result].name} = ${short(values[result])} after ${trail.length - 1} steps`
}
part("run").onclick = () => {
  if (running) return stop()
  remember()
  hold()
  part("run").textContent = "Stop"
  running = setInterval(() => {
    const before = values[result]
    if (!descend() || trail.length > 1000 || values[result] === before) stop()
    refresh()
  }, 60)
}
part("undo").onclick = () => past.length && back(past.pop())
part("reset").onclick = () => { remember(); back({numbers: start, trail: []}) }
part("rate").oninput = refresh
{
  const names = moving.map(k => nodes[leaves[k]].name)
  const each = names.length > 4 ? `each of the ${names.length} ${facts.moves}s` : names.join(", ").replace(/, ([^,]*)$/, " and $1")
  part("rule").textContent = `A step takes learning rate · gradient off ${each}.`
}

// --- The view ---------------------------------------------------------------------------------------

const stage = part("stage"), natural = picture.viewBox.baseVal
const LEAST = 0.82, MOST = 1.6  // px for a point of what fits: below, numbers are too small to read
let zoom = 0  // 0: as large as fits

function fit() {
  const fitting = Math.min((stage.clientWidth - 24) / natural.width, (stage.clientHeight - 24) / natural.height)
  const factor = zoom || Math.max(Math.min(fitting, MOST), LEAST)
  picture.setAttribute("width", natural.width * factor)
  picture.setAttribute("height", natural.height * factor)
  stage.classList.toggle("small", factor < 1.05)
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
  const room = stage.getBoundingClientRect()
  enlarge(event.deltaY < 0 ? 1.12 : 0.89, event.clientX - room.left, event.clientY - room.top)
}, {passive: false})
stage.addEventListener("pointerdown", event => {
  if (event.button || event.pointerType === "touch") return
  const {clientX, clientY} = event, {scrollLeft, scrollTop} = stage
  const move = event => { stage.scrollLeft = scrollLeft + clientX - event.clientX; stage.scrollTop = scrollTop + clientY - event.clientY }
  const end = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", end) }
  addEventListener("pointermove", move)
  addEventListener("pointerup", end)
})

{
  const sheet = live.querySelector("aside"), grip = part("grip")
  const pull = up => { sheet.classList.toggle("up", up); grip.setAttribute("aria-expanded", up); refresh() }
  let from = null
  grip.onpointerdown = event => { from = event.clientY; grip.setPointerCapture(event.pointerId) }
  grip.onpointerup = event => {
    const by = event.clientY - from
    pull(Math.abs(by) < 8 ? !sheet.classList.contains("up") : by < 0)
  }
  grip.onclick = event => event.detail || pull(!sheet.classList.contains("up"))  // by the keyboard
}

// --- First view -------------------------------------------------------------------------------------

const hint = create("g", {class: "hint"})
part("outcome-name").textContent = nodes[result].name
if (!document.documentElement.className && matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark")
compute()
rescale()
take(moving.reduce((best, k) => Math.abs(slopes[leaves[k]]) > Math.abs(slopes[leaves[best]]) ? k : best, moving[0]))
{
  const {group, right, middle: y} = handles.get(leaves[hand]), x = right + 12
  create("path", {d: `M${x - 6} ${y}l7 -5v10z`}, hint)
  create("rect", {x, y: y - 9, width: 54, height: 18, rx: 9}, hint)
  create("text", {x: x + 27, y: y + 3.5, "text-anchor": "middle"}, hint).textContent = "drag me"
  group.closest("svg > g").append(hint)
}
for (const event of ["pointerdown", "keydown"]) live.addEventListener(event, () => hint.remove(), {once: true, capture: true})
frame()
for (const handle of handles.values()) handle.describe()
let isFirst = true
new ResizeObserver(() => {
  fit()
  if (isFirst) reveal(handles.get(leaves[hand]).group.firstChild)
  isFirst = false
  refresh()
}).observe(stage)
new ResizeObserver(([{contentRect}]) => { room = contentRect; refresh() }).observe(plotted)
}
