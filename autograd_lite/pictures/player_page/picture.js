// The picture at a step: what is shown on its cards and edges. Nothing shows before its step, nor do its titles.

const $ = id => document.getElementById(id)
const {steps, rows, note} = JSON.parse($("facts").textContent)
const picture = document.querySelector("#stage svg")
const count = {forward: steps.filter(step => step.phase === "forward").length}
count.backward = steps.length - count.forward
const marks = (kind, row) => document.querySelectorAll(`${kind}[data-row="${row}"]`)
const drawn = new Map([...document.querySelectorAll("text.pill")].map(text => [text, text.textContent]))

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
  return {edge, path, title, words: title.textContent, forward: `M${tail}L${d.slice(1)}`, backward: `${d}L${head}`}
})

function paintEdges() {
  for (const {edge, path, title, words, forward, backward} of edges) {
    const isOn = edge.classList.contains("on")
    path.setAttribute("d", isOn ? backward : forward)
    title.textContent = isOn ? words : ""
  }
}

// --- Cards ------------------------------------------------------------------------------------------

const lastOf = {}  // the step that completes a card
steps.forEach(({phase, cards}, k) => { if (phase === "backward") lastOf[cards[0]] = k + 1 })

const cards = [...document.querySelectorAll(".card")].map(card => {
  const title = card.querySelector("title"), [heading] = title.textContent.split("\n")
  const own = [...new Set([...card.querySelectorAll("text.value")].map(text => text.dataset.row))].filter(row => rows[row])
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
      const [name, value, gradient] = rows[row], [number] = marks("text.value", row), [pill] = marks("text.pill", row)
      if (!number.classList.contains("on")) return name
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
  for (const each of picture.querySelectorAll(".on,.now,.into,.running")) each.classList.remove("on", "now", "into", "running")
  for (const halo of picture.querySelectorAll(".halo")) halo.remove()
  for (const [text, original] of drawn) text.textContent = original
  for (const {phase, rows, edges = [], running} of steps.slice(0, at)) {
    const kind = phase === "forward" ? ".value" : ":is(.pill,.by)"
    for (const row of rows) for (const mark of marks(kind, row)) {
      mark.classList.add("on")
      mark.classList.toggle("running", !!running)
      if (running) {
        const [text, light, lightInk, night, nightInk] = running
        mark.style.setProperty("--light", light); mark.style.setProperty("--light-ink", lightInk)
        mark.style.setProperty("--night", night); mark.style.setProperty("--night-ink", nightInk)
        if (drawn.has(mark)) mark.textContent = text
      } else if (drawn.has(mark)) mark.textContent = drawn.get(mark)
    }
    if (phase === "backward") for (const edge of edges) $(edge)?.classList.add("on")
  }
  const isEnd = at === steps.length && count.backward
  if (isEnd) for (const {edge} of edges) edge.classList.add("on")
  for (const norm of picture.querySelectorAll(".norm"))
    norm.classList.toggle("on", isEnd || at >= lastOf[norm.closest(".card").id])
  const {phase, cards: outlined = [], edges: lit = []} = steps[at - 1] || {}
  outlined.forEach((id, k) => outline(id, k ? "halo from" : "halo"))
  for (const edge of lit) $(edge)?.classList.add(phase === "forward" ? "into" : "now")
  paintEdges()
  describeCards()
}
