// The steps: the panel, the controls, and the keys.

let at = 0, timer = null

function show(step, quietly) {
  at = Math.max(0, Math.min(steps.length, step))
  paint(at)
  const {phase = "forward", mathml = [], text, reason = "", cards: outlined = []} = steps[at - 1] || {}
  document.body.classList.remove("forward", "backward")
  document.body.classList.add(phase)
  $("panel").scrollTop = 0
  if (at) {
    $("phase").textContent = `${phase} ${phase === "forward" ? at : at - count.forward} / ${count[phase]}`
    $("why").textContent = at === steps.length && note ? note : reason
    reveal(...outlined.flatMap(id => cardOf[id]?.card || []))
  } else {
    $("phase").textContent = "start"
    $("why").textContent = "Press → or Play: first the values, then the gradient backward. Click a card, or choose one with Tab, ↑ and ↓ and press Enter, to go to its next step."
  }
  write(at ? text : "", mathml)
  if (!quietly) $("said").textContent = at ? [text, $("why").textContent].filter(Boolean).join(". ") : "start"
  $("at").value = at
  $("at").setAttribute("aria-valuetext", $("phase").textContent)
  $("count").textContent = `${at} / ${steps.length}`
  // Not `disabled`, which would take the focus away.
  for (const name of ["first", "back"]) $(name).setAttribute("aria-disabled", at === 0)
  for (const name of ["next", "last"]) $(name).setAttribute("aria-disabled", at === steps.length)
  if (!picture.contains(document.activeElement)) enter(outlined[0])
}

// The name and the first side stand on one line, every other side on one of its own; each may be broken
// between its pieces.
function write(text, [name, ...sides]) {
  const math = pieces => pieces.map(piece => `<math>${piece}</math>`).join("<wbr>")
  const line = pieces => `<div class="side${pieces.some(piece => piece.includes("<mfrac>")) ? " tall" : ""}">${math(pieces)}</div>`
  if (name) $("formula").innerHTML = [[...name, ...(sides[0] || [])], ...sides.slice(1)].map(line).join("")
  else $("formula").innerHTML = `<p class="words"></p>`
  if (!name) $("formula").firstChild.textContent = text
}

function pause() {
  clearInterval(timer)
  timer = null
  $("play").textContent = "Play"
  $("said").setAttribute("aria-live", "polite")
}

function play() {
  if (timer) return pause()
  if (at === steps.length) show(0, true)
  const tick = () => { show(at + 1); if (at === steps.length) pause() }
  $("said").setAttribute("aria-live", "off")
  $("play").textContent = "Pause"
  timer = setInterval(tick, +$("speed").value)
  tick()
}

// The live page is a page of its own, in a frame. Without one (a graph it cannot follow), there is no button.
const livePage = JSON.parse($("live-page").textContent)
$("live").hidden = !livePage
$("live").onclick = () => {
  pause()
  const isLive = document.body.classList.toggle("live")
  const theme = document.documentElement.classList.contains("dark") ? "dark" : "light"
  $("room").srcdoc = isLive ? livePage.replace("<html", `<html class="${theme}"`) : ""
  $("live").textContent = isLive ? "Back to the steps" : "Live"
  if (!isLive) show(at, true)
}

const go = step => { pause(); show(step) }
$("first").onclick = () => go(0)
$("back").onclick = () => go(at - 1)
$("next").onclick = () => go(at + 1)
$("last").onclick = () => go(steps.length)
$("backward").onclick = () => count.backward && go(count.forward + 1)
$("backward").setAttribute("aria-disabled", !count.backward)
$("play").onclick = play
$("at").max = steps.length
$("at").oninput = () => go(+$("at").value)
$("speed").onchange = () => { if (timer) { pause(); play() } }
$("theme").onclick = () => document.documentElement.classList.toggle("dark")

// --- Cards, by mouse and by keyboard ------------------------------------------------------------------

function visit(card) {
  const own = steps.map((step, k) => step.cards[0] === card.id ? k + 1 : 0).filter(Boolean)
  if (own.length) go(own.find(k => k > at) ?? own[0])
}
picture.onclick = event => {
  const card = event.target.closest(".card")
  if (card && !isPanned) visit(card)
}

// The cards are one stop of the Tab key, in the order in which they are computed.
const order = [...new Set([...steps.flatMap(step => step.cards), ...cards.map(({card}) => card.id)])]
function enter(id = order[0]) {
  for (const {card} of cards) card.setAttribute("tabindex", card.id === id ? 0 : -1)
}
function move(card, by) {
  const id = order[order.indexOf(card.id) + by]
  if (!id) return
  enter(id)
  $(id).focus({preventScroll: true})
  reveal($(id))
}

document.addEventListener("keydown", event => {
  const {key, target} = event, card = target.closest(".card")
  if (event.ctrlKey || event.altKey || event.metaKey || target.tagName === "SELECT") return
  if (document.body.classList.contains("live")) return
  const keys = {
    ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), Home: () => go(0), End: () => go(steps.length), " ": play,
    "+": () => enlarge(1.25), "=": () => enlarge(1.25), "-": () => enlarge(0.8), 0: whole,
    ...(card && {ArrowUp: () => move(card, -1), ArrowDown: () => move(card, 1), Enter: () => visit(card), " ": () => visit(card)}),
  }
  if (!(key in keys) || (key === " " && target.tagName === "BUTTON")) return
  event.preventDefault()
  keys[key]()
})

if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark")
show(0, true)
