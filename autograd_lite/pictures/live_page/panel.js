// The panel: the number in hand as a field and a slider, and the chain rule to it in symbols and in numbers.

const MOST_TERMS = 4
let terms = []  // of the chain rule that are written out
let left = 0  // how many are not
let mistyped = ""
const field = part("number"), track = part("track")

function introduce(i) {
  put(part("name"), {html: `<math>${nodes[i].math}</math>`, "aria-label": full(nodes[i])})
  put(part("place"), {text: nodes[i].place || ""})
  put(field, {"aria-label": `the number of ${full(nodes[i])}`})
  put(track, {"aria-label": full(nodes[i])})
  terms = chainTo(i)
  left = terms.length > MOST_TERMS ? terms.length - MOST_TERMS + 1 : 0
  if (left) terms = terms.slice(0, MOST_TERMS - 1)
  const written = sum(terms, factors => factors.map(({y, x}) => derivative(y, x)).join(" · "))
  const isOne = !left && terms.length <= 1 && (terms[0]?.length || 1) === 1  // it says nothing new
  put(part("symbols"), {html: derivative(result, i) + (isOne ? "" : ` = ${written}${left ? ` + … ${left} more` : ""}`)})
}

const sum = (terms, write) => terms.map(write).join(" + ")

function derivative(y, x) {
  const prime = y !== x && nodes[y].math === nodes[x].math ? "<mo>′</mo>" : ""
  const [above, below] = [nodes[y].math + prime, nodes[x].math].map(name => `<mrow><mo>∂</mo>${name}</mrow>`)
  return `<math displaystyle="true"><mfrac>${above}${below}</mfrac></math>`
}

const sign = x => x > 0 ? "plus" : x < 0 ? "minus" : ""

function figures(i) {
  if (isLost()) return "= –"
  const total = `<b class="${sign(slopes[i])}">${short(slopes[i])}</b>`
  if (!left && terms.length <= 1 && (terms[0]?.length || 1) === 1) return `= ${total}`
  const factor = (x, isFirst) => x < 0 && !isFirst ? `(${short(x)})` : short(x)
  const written = sum(terms, (factors, n) => factors.map((f, j) => factor(valueOf(f), !n && !j)).join(" · "))
  // Rounded factors need not make the rounded product.
  const asShown = terms.reduce((sum, factors) => sum + factors.reduce((x, f) => x * read(short(valueOf(f))), 1), 0)
  const equals = left || short(asShown) === short(slopes[i]) ? "=" : "≈"
  return `= ${written}${left ? " + …" : ""} ${equals} ${total}`
}

const trimmed = x => short(x).replace(/\.0+$/, "")

function describe() {
  const i = leaves[hand], {name} = nodes[i], slope = slopes[i], lost = isLost(), [low, high] = reach[hand]
  const {fill, ink} = shades(lost ? 0 : slope), text = lost ? "–" : short(slope)
  if (document.activeElement !== field) field.value = short(numbers[hand])
  field.style.width = `${field.value.length + 0.4}ch`
  for (const [key, value] of Object.entries({min: low, max: high, value: numbers[hand]})) track[key] = value
  put(track, {"aria-valuetext": short(numbers[hand])})
  put(part("low"), {text: trimmed(low)})
  put(part("high"), {text: trimmed(high)})
  put(part("was"), {text: numbers[hand] === start[hand] ? "" : `was ${short(start[hand])}`})
  put(part("gradient"), {text, background: fill, color: ink})
  put(part("pull"), {text: `∂${nodes[result].name}/∂${name} = ${text}`, background: fill, color: ink})
  put(part("outcome-value"), {text: lost ? "–" : short(values[result])})
  put(part("figures"), {html: figures(i)})
  put(part("trouble"), {text: trouble(i)})
  handles.get(i).describe()
}

function trouble(i) {
  if (mistyped) return `${mistyped} is not a number.`
  if (isLost()) return complaint(origin[result])
  if (Number.isFinite(slopes[i])) return ""
  return `The gradient of ${nodes[i].name} is ${short(slopes[i])} here: a curve on the way is vertical or has a corner.`
}

// --- Typing -----------------------------------------------------------------------------------------

function type(text) {
  field.focus()
  if (text) field.value = text
  else field.select()
}

// Whether the text in the field is a number, which is then the number in hand.
function accept() {
  const text = field.value.trim(), x = read(text)
  if (text === short(numbers[hand])) return true
  mistyped = Number.isFinite(x) ? "" : text || "Nothing"
  if (mistyped) refresh()
  else { change("", hand, x); release() }
  return !mistyped
}

function leave() {
  mistyped = ""
  handles.get(leaves[hand]).group.focus()
  refresh()
}

field.onkeydown = event => {
  const steps = {ArrowUp: 1, ArrowDown: -1}[event.key]
  if (event.key === "Enter" && accept()) leave()
  if (event.key === "Escape") { field.value = short(numbers[hand]); leave() }
  if (steps) { event.preventDefault(); nudge("keys", hand, steps); field.value = short(numbers[hand]) }
}
field.onblur = () => { accept(); mistyped = ""; refresh() }
track.oninput = () => { hold(true); change("track", hand, rounded(hand, Number(track.value))) }
for (const each of [field, track]) each.addEventListener("wheel", event => turn(event, hand), {passive: false})
