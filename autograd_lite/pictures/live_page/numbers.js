// Numbers as text and back, as `short` in notation/names.py prints them.

const RAISED = {"-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹"}

// Python rounds a tie to the even digit, toFixed away from zero.
function fixed(x, digits) {
  const scaled = Math.abs(x) * 10 ** digits, whole = Math.floor(scaled)
  const isTie = scaled - whole === 0.5 && Number.isInteger(x * 2 ** (digits + 1))
  const text = (isTie ? Math.sign(x) * (whole + whole % 2) / 10 ** digits : x).toFixed(digits)
  return text.replace("-", "−")
}

function short(x, digits = 3) {
  if (x === 0) return "0"
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞"
  const exponent = Number(x.toExponential(digits - 1).split("e")[1])
  if (exponent >= 0 && exponent <= 3) return fixed(x, Math.max(digits - 1 - exponent, 0))
  const [mantissa, power] = x.toExponential(1).split("e").map(Number)
  if (-digits <= power && power <= 0) return fixed(x, digits)
  return `${fixed(mantissa, 1)}·10${[...String(power)].map(c => RAISED[c]).join("")}`
}

// A number as it is typed or shown: with either minus, a decimal comma, or a power of ten. NaN for other text.
function read(text) {
  const lowered = power => [...power].map(c => Object.keys(RAISED).find(digit => RAISED[digit] === c)).join("")
  const plain = text.replaceAll("−", "-").replace(",", ".").replace("∞", "Infinity")
  return text ? Number(plain.replace(/·10(.+)$/, (_, power) => `e${lowered(power)}`)) : NaN
}

// The least of …, 1, 2, 3, 5, 10, … that is not below x.
function roundUp(x) {
  const unit = 10 ** Math.floor(Math.log10(x))
  return unit * [1, 2, 3, 5, 10].find(k => k * unit >= x * 0.999)
}
