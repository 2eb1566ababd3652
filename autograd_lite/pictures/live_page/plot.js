// The plot: the result against the number in hand, with its tangent, whose slope is the gradient.

const POINTS = 160, LEFT = 36, RIGHT = 12, TOP = 24, BOTTOM = 20, TANGENT = 62  // px, but for the first
const plotted = part("plot")
let room = {width: 0, height: 0}
let curve = null  // until something other than the number in hand changes

const axis = create("path", {class: "axis"}, plotted)
const line = create("path", {class: "line", "clip-path": "url(#live-clip)"}, plotted)
const tangent = create("line", {class: "tangent", "clip-path": "url(#live-clip)"}, plotted)
const before = create("circle", {class: "before", r: 3.5}, plotted)
const point = create("circle", {class: "point", r: 5.5}, plotted)
const [highest, lowest, from, to] = [1, 2, 3, 4].map(() => create("text", {}, plotted))
const [above, below] = [1, 2].map(() => create("text", {class: "letter"}, plotted))
const frame = create("rect", {}, create("clipPath", {id: "live-clip"}, plotted))

function calculate() {
  const [low, high] = reach[hand], found = []
  for (let n = 0; n <= POINTS; n++) {
    const x = low + (high - low) * n / POINTS
    found.push([x, resultAt(hand, x)])
  }
  const heights = found.map(([, y]) => y).filter(Number.isFinite).sort((a, b) => a - b)
  const at = share => heights[Math.round(share * (heights.length - 1))] ?? 0
  let bottom = at(0), top = at(1)
  if (top - bottom > 40 * (at(0.9) - at(0.1))) [bottom, top] = [at(0.05), at(0.95)]  // a pole would flatten the rest
  if (!(top - bottom > 1e-12 * Math.abs(top))) {
    const margin = Math.abs(top) / 2 || 1
    bottom -= margin
    top += margin
  }
  return {found, bottom, top}
}

function plot() {
  if (!room.width) return
  curve = curve || calculate()
  const {found, bottom, top} = curve, [low, high] = reach[hand], i = leaves[hand], slope = slopes[i], lost = isLost()
  const width = room.width - LEFT - RIGHT, height = room.height - TOP - BOTTOM - 12, base = room.height - BOTTOM
  const px = x => LEFT + (x - low) / (high - low) * width
  const py = y => base - 6 - (y - bottom) / (top - bottom) * height
  put(frame, {x: LEFT, y: TOP - 4, width: room.width - LEFT, height: base - TOP + 4})
  put(axis, {d: `M${LEFT} ${TOP - 6}V${base}H${room.width}`})

  let isGap = true
  put(line, {d: found.map(([x, y]) => {
    if (!Number.isFinite(y)) { isGap = true; return "" }
    const step = `${isGap ? "M" : "L"}${px(x).toFixed(1)} ${Math.max(-9999, Math.min(9999, py(y))).toFixed(1)}`
    isGap = false
    return step
  }).join("")})

  const x = px(numbers[hand]), y = py(values[result]), hasSlope = !lost && Number.isFinite(slope)
  put(point, lost ? {visibility: "hidden"} : {visibility: "", cx: x.toFixed(1), cy: y.toFixed(1)})
  put(tangent, {visibility: hasSlope ? "" : "hidden"})
  if (hasSlope) {
    const rise = -slope * (high - low) / width * height / (top - bottom), run = TANGENT / Math.hypot(1, rise)
    const ends = {x1: x - run, y1: y - rise * run, x2: x + run, y2: y + rise * run}
    put(tangent, Object.fromEntries(Object.entries(ends).map(([name, at]) => [name, at.toFixed(1)])))
    put(tangent, {class: `tangent ${sign(slope)}`})
  }
  const old = resultAt(hand, start[hand]), hasMoved = numbers[hand] !== start[hand] && Number.isFinite(old)
  put(before, hasMoved ? {visibility: "", cx: px(start[hand]).toFixed(1), cy: py(old).toFixed(1)} : {visibility: "hidden"})

  const decimals = 1 - Math.floor(Math.log10(top - bottom))
  const tick = y => Math.round(y * 10 ** decimals) / 10 ** decimals
  const tickText = y => Math.abs(y) < 1e4 && decimals < 5 ? fixed(tick(y), Math.max(decimals, 0)) : short(y, 2)
  for (const [text, y] of [[highest, top], [lowest, bottom]])
    put(text, {x: LEFT - 6, y: py(tick(y)) + 4, "text-anchor": "end", text: tickText(y)})
  put(from, {x: LEFT, y: base + 15, text: trimmed(low)})
  put(to, {x: room.width, y: base + 15, "text-anchor": "end", text: trimmed(high)})
  put(above, {x: LEFT + 7, y: 14, text: nodes[result].name})
  put(below, {x: LEFT + width / 2, y: base + 16, "text-anchor": "middle", text: nodes[i].name})
  const said = hasSlope ? `slope = gradient ∂${nodes[result].name}/∂${nodes[i].name} = ${short(slope)}` : "no slope here"
  put(part("slope"), {text: said, class: `slope ${hasSlope ? sign(slope) : ""}`})
  put(plotted, {"aria-label": `${nodes[result].name} against ${nodes[i].name}; ${said}`})
}

plotted.addEventListener("pointerdown", event => {
  const perPixel = (reach[hand][1] - reach[hand][0]) / (room.width - LEFT - RIGHT)
  const began = reach[hand][0] + (event.clientX - plotted.getBoundingClientRect().left - LEFT) * perPixel
  drag(event, plotted, hand, by => began + by * perPixel)
})
new ResizeObserver(([{contentRect}]) => { room = contentRect; refresh() }).observe(plotted)
