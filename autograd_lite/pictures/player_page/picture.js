// The picture at a step: what is shown on its cards and edges. Nothing shows before its step, nor do its titles.

const $ = id => document.getElementById(id)
const {steps, rows, note} = JSON.parse($("facts").textContent)
const picture = document.querySelector("#stage svg")
const count = {forward: steps.filter(step => step.phase === "forward").length}
count.backward = steps.length - count.forward

// What belongs to the value and to the gradient of each row.
const marked = kind => [...document.querySelectorAll(kind)]
const values = marked(".value"), gradients = marked(":is(.pill,.by)"), norms = marked(".norm")
const texts = selector => Object.fromEntries(marked(selector).map(text => [text.dataset.row, text]))
const numbers = texts("text.value"), pills = texts("text.pill")
const drawn = new Map(Object.values(pills).map(text => [text, text.textContent]))

function create(tag, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  parent.append(made)
  return made
}

// --- Edges: values flow forward, gradients back, so each has an arrowhead at either end -----------------

const nearest = (points, [x, y]) => points.reduce((best, p) => Math.hypot(p[0] - x, p[1] - y) < Math.hypot(best[0] - x, best[1] - y) ? p : best)

const edges = [...document.querySelectorAll(".edge")].map(edge => {
  const path = edge.querySelector("path"), title = edge.querySelector("title"), d = path.getAttribute("d")
  const [x, y] = d.match(/-?[\d.]+/g).map(Number)
  const tips = [...edge.querySelectorAll("polygon")].map(polygon => [polygon, polygon.getAttribute("points").split(" ")[1].split(",").map(Number)])
  const tail = nearest(tips.map(([, tip]) => tip), [x, y])
  for (const [polygon, tip] of tips) polygon.classList.add(tip === tail ? "tail" : "head")
  const head = tips.find(([, tip]) => tip !== tail)?.[1] || tail
  // The line goes on to the end at which no arrowhead is shown.
  const words = title.textContent, forward = `M${tail}L${d.slice(1)}`
  path.setAttribute("d", forward)
  title.textContent = ""
  return {edge, path, title, words, forward, backward: `${d}L${head}`}
})

function paintEdges(lit) {
  for (const {edge, path, title, words, forward, backward} of edges) {
    const isOn = lit.has(edge.id)
    if (isOn === edge.classList.contains("on")) continue
    edge.classList.toggle("on", isOn)
    path.setAttribute("d", isOn ? backward : forward)
    title.textContent = isOn ? words : ""
  }
}

// --- Cards ------------------------------------------------------------------------------------------

const lastOf = {}  // the step that completes a card
steps.forEach(({phase, cards}, k) => { if (phase === "backward") lastOf[cards[0]] = k + 1 })

const cards = [...document.querySelectorAll(".card")].map(card => {
  const title = card.querySelector("title"), [heading] = title.textContent.split("\n")
  const own = [...new Set([...card.querySelectorAll("text.value")].map(text => text.dataset.row))]
  const box = card.getBBox()
  const place = {x: box.x - 1, y: box.y - 1, width: box.width + 2, height: box.height + 2, rx: 7}
  create("rect", {...place, class: "ring"}, card)
  for (const [name, value] of Object.entries({role: "button", tabindex: -1})) card.setAttribute(name, value)
  return {card, title, heading: heading.includes(" = ") ? "" : heading, own, place}
})
const cardOf = Object.fromEntries(cards.map(each => [each.card.id, each]))
document.querySelector(".graph > title").remove()
picture.setAttribute("role", "group")
picture.setAttribute("aria-label", "cards")

function describeCards() {
  for (const {card, title, heading, own} of cards) {
    const words = own.map(row => {
      const [name, value, gradient] = rows[row], pill = pills[row]
      if (!numbers[row].classList.contains("on")) return name
      const isOn = pill?.classList.contains("on")
      return `${name} = ${value}${!isOn ? "" : `, gradient ${pill.classList.contains("running") ? `so far ${pill.textContent}` : gradient}`}`
    })
    title.textContent = [heading, ...words].filter(Boolean).join("\n")
    card.setAttribute("aria-label", title.textContent.replaceAll("\n", "; "))
  }
}

function outline(id, kind) {
  if (cardOf[id]) create("rect", {...cardOf[id].place, class: kind}, cardOf[id].card)
}

// What is shown depends on all steps so far, so it is set up anew each time.
function paint(at) {
  for (const each of picture.querySelectorAll(".now,.into")) each.classList.remove("now", "into")
  for (const halo of picture.querySelectorAll(".halo")) halo.remove()
  const computed = new Set(), flowed = new Map(), lit = new Set()  // flowed: what the pill of a row says so far
  for (const {phase, rows, edges = [], running} of steps.slice(0, at)) {
    for (const row of rows) phase === "forward" ? computed.add(row) : flowed.set(row, running)
    if (phase === "backward") for (const edge of edges) lit.add(edge)
  }
  const isEnd = at === steps.length && count.backward
  if (isEnd) for (const {edge} of edges) lit.add(edge.id)
  for (const mark of values) mark.classList.toggle("on", computed.has(mark.dataset.row))
  for (const mark of gradients) {
    const running = flowed.get(mark.dataset.row)
    mark.classList.toggle("on", flowed.has(mark.dataset.row))
    mark.classList.toggle("running", !!running)
    if (drawn.has(mark)) mark.textContent = running ? running[0] : drawn.get(mark)
    for (const [k, name] of ["light", "light-ink", "night", "night-ink"].entries())
      if (running) mark.style.setProperty(`--${name}`, running[k + 1])
  }
  for (const norm of norms) norm.classList.toggle("on", isEnd || at >= lastOf[norm.closest(".card").id])
  // A card whose gradient is not finite has another border.
  for (const {card, own} of cards)
    card.classList.toggle("calm", own.some(row => /inf|nan/.test(rows[row][2]) && !pills[row]?.classList.contains("on")))
  paintEdges(lit)
  const {phase, cards: outlined = [], edges: through = []} = steps[at - 1] || {}
  outlined.forEach((id, k) => outline(id, k ? "halo from" : "halo"))
  for (const edge of through) $(edge)?.classList.add(phase === "forward" ? "into" : "now")
  describeCards()
}
