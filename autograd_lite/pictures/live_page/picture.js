// The picture: rows of cards and edges, whose texts, colours and widths follow the numbers.

const live = document.getElementById("live")
const part = name => live.querySelector(`.${name}`)
const picture = live.querySelector(".stage > svg")

function create(tag, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return parent ? parent.appendChild(made) : made
}

// Write what differs from what was written before: most of a picture stays as it is from frame to frame.
const written = new WeakMap()
function put(element, changes) {
  let before = written.get(element)
  if (!before) written.set(element, before = {})
  for (const key in changes) {
    const value = changes[key]
    if (before[key] === value) continue
    before[key] = value
    if (key === "text") element.textContent = value
    else if (key === "html") element.innerHTML = value
    else if (["fill", "stroke", "color", "background", "visibility"].includes(key)) element.style[key] = value
    else element.setAttribute(key, value)
  }
}

// --- Colours ----------------------------------------------------------------------------------------

let scale = 0  // the largest |slope|, which stays what it was while a number is dragged

function rescale() {  // the slope of the result itself is always 1: it would hide how small the others are
  scale = Math.max(0, ...slopes.slice(0, -1).map(Math.abs).filter(Number.isFinite))
}

const strength = x => x === 0 ? 0 : Math.abs(x) < scale ? Math.log1p(Math.abs(x) / scale * 1000) / Math.log1p(1000) : 1

// The fill and the ink of a pill, and the colour of an edge.
function shades(x) {
  const isDark = document.documentElement.classList.contains("dark")
  const {plus, minus, idle, alarm} = facts.colours[isDark ? "dark" : "light"]
  if (!Number.isFinite(x)) return alarm
  const tones = x < 0 ? minus : plus, k = Math.round(strength(x) * (tones.fills.length - 1))
  return {fill: tones.fills[k], ink: tones.inks[k], flow: x === 0 ? idle : tones.flows[k]}
}

// --- Rows and edges ---------------------------------------------------------------------------------

const number = (element, name) => Number(element.getAttribute(name))
function loosen(text) {  // it was drawn with the width of its first content
  for (const name of ["textLength", "lengthAdjust"]) text.removeAttribute(name)
}
for (const title of picture.querySelectorAll("title")) title.remove()  // they hold the first numbers

const rows = nodes.flatMap(({op}, i) => {
  const value = picture.querySelector(`text.value[data-row=v${i}]`)
  if (!value) return []
  const [pill, slope] = ["rect", "text"].map(kind => picture.querySelector(`${kind}.pill[data-row=v${i}]`))
  const beside = value.previousElementSibling, by = !op && beside.textContent.includes("×") ? beside : null
  const right = number(pill, "x") - 4
  for (const [name, at] of Object.entries({x: right, "text-anchor": "end"})) value.setAttribute(name, at)
  for (const text of [value, beside]) loosen(text)
  by?.classList.add("by")
  return [{i, value, pill, slope, by, right, card: value.closest(".card")}]
})

const isCrowded = Object.keys(facts.lines).length > 60  // as in pictures/dot.py: no room for labels
const lines = Object.entries(facts.lines).map(([id, through]) => {
  const group = document.getElementById(id), path = group.querySelector("path"), head = group.querySelector("polygon")
  const tip = head.getAttribute("points").split(" ")[1].split(",").map(Number)
  let label = group.querySelector("text")
  if (!label && !isCrowded) {  // a local partial of 1 has no label, but it may not stay 1
    const {x, y} = path.getPointAtLength(path.getTotalLength() / 2)
    label = create("text", {x: x + 4, y: y + 3, fill: "#56616f"}, group)
  }
  if (label) loosen(label)
  return {through, group, path, head, tip, label}
})

// Only what is in sight is kept up to date; the rest follows when it comes into sight.
const inSight = new WeakSet()
const sight = new IntersectionObserver(changes => {
  for (const {target, isIntersecting} of changes) isIntersecting ? inSight.add(target) : inSight.delete(target)
  refresh()
}, {root: part("stage"), rootMargin: "60px"})
for (const each of new Set([...rows.map(({card}) => card), ...lines.map(({group}) => group)])) sight.observe(each)

const times = partial => isLost() || partial === 1 ? "" : `×${short(partial, 2)}`

function paint() {
  const lost = isLost()
  for (const {i, value, pill, slope, by, card} of rows) {
    if (!inSight.has(card)) continue
    const {fill, ink} = shades(lost ? 0 : slopes[i])
    put(value, {text: origin[i] >= 0 ? "–" : short(values[i])})
    put(pill, {fill})
    put(slope, {fill: ink, text: lost ? "–" : short(slopes[i])})
    if (by) put(by, {text: hasGhost(i) ? "" : `\u00a0${times(partials[uses[i][0]])}`})
    if (nodes[i].op) put(card, {class: `node card ${origin[i] === i ? "lost" : origin[i] >= 0 ? "gone" : ""}`})
    handles.get(i)?.paint()
  }
  for (const {through, group, path, head, tip: [x, y], label} of lines) {
    if (!inSight.has(group)) continue
    const flow = lost ? 0 : through.reduce((sum, k) => sum + slopes[edges[k][0]] * partials[k], 0)
    const t = Number.isFinite(flow) ? strength(flow) : 1, colour = shades(flow).flow
    put(path, {stroke: colour, "stroke-width": (0.7 + 3.6 * t * t).toFixed(1), "stroke-dasharray": flow === 0 ? "4 3" : "none"})
    put(head, {stroke: colour, fill: colour, transform: `translate(${x} ${y}) scale(${(1 + t * t).toFixed(1)}) translate(${-x} ${-y})`})
    if (label) put(label, {text: through.length > 1 ? `${through.length} edges` : times(partials[through[0]])})
  }
}
