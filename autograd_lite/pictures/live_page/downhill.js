// Gradient descent from where the numbers are: one step, many, and back.

const FEW = 12  // steps that fill the sparkline
let trail = []  // of the result, since the last change by hand
let running = 0
const spark = create("path", {}, part("spark")), last = create("circle", {r: 3.5}, part("spark"))

const rate = () => Number((10 ** Number(part("rate").value)).toPrecision(2))
const canDescend = () => !isLost() && moving.every(k => Number.isFinite(slopes[leaves[k]]))
const after = steps => `${nodes[result].name} = ${isLost() ? "–" : short(values[result])} after ${steps} step${steps > 1 ? "s" : ""}`

function descend() {
  if (!trail.length) trail = [values[result]]
  for (const k of moving) set(k, numbers[k] - rate() * slopes[leaves[k]])
  curve = null
  compute()
  trail.push(values[result])
}

function walked() {
  const steps = Math.max(trail.length - 1, 0), known = trail.filter(Number.isFinite)
  put(part("last"), {text: steps ? after(steps) : ""})
  put(part("rate-text"), {text: short(rate(), 2)})
  put(part("rate"), {"aria-valuetext": short(rate(), 2)})
  part("step").disabled = part("run").disabled = !running && !canDescend()
  part("undo").disabled = !past.length
  part("reset").disabled = numbers.every((x, k) => x === start[k])
  const low = Math.min(...known), high = Math.max(...known)
  const at = (y, n) => [2 + 150 * n / Math.max(steps, FEW), high > low ? 3 + 26 * (high - y) / (high - low) : 16].map(x => x.toFixed(1))
  const points = steps ? known.map(at) : [], [cx, cy] = points.at(-1) || [0, 0]
  put(spark, {d: points.length ? `M${points.map(point => point.join(" ")).join("L")}` : ""})
  put(last, {cx, cy, visibility: points.length ? "" : "hidden"})
}

function stop() {
  clearInterval(running)
  running = 0
  part("run").textContent = "Run"
  release()
}

function goBackTo(then) {
  if (running) stop()
  numbers = [...then.numbers]
  trail = [...then.trail]
  curve = null
  release()
}

part("step").onclick = () => {
  remember()
  descend()
  release()
  part("said").textContent = isLost() ? complaint(origin[result]) : after(trail.length - 1)
}
part("run").onclick = () => {
  if (running) return stop()
  remember()
  hold()
  part("run").textContent = "Stop"
  running = setInterval(() => {
    const reached = values[result]
    descend()
    if (!canDescend() || values[result] === reached || trail.length > 1000) stop()
    refresh()
  }, 60)
}
part("undo").onclick = () => goBackTo(past.pop())
part("reset").onclick = () => { remember(); goBackTo({numbers: start, trail: []}) }
part("rate").oninput = refresh

const moved = moving.map(k => nodes[leaves[k]].name)
const each = moved.length > 4 ? `each of the ${moved.length} ${facts.moves}s` : moved.join(", ").replace(/, ([^,]*)$/, " and $1")
part("rule").textContent = `A step takes learning rate · gradient off ${each}.`
