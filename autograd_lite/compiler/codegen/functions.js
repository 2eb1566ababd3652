// Functions that Math lacks, or that differ from C's: values only.

// C: 1 to any power is 1, and so is -1 to an infinite power. Math.pow gives NaN.
function pow(x, y) {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y)
}

// exp(-x²): the square of the upper half of x is exact, which keeps the last digits where x² is large.
function gauss(x) {
  const upper = Math.fround(x)
  return Math.exp(-upper * upper) * Math.exp((upper - x) * (upper + x))
}

// Below 1 the series 2/√π · exp(-x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 · … · (2n+1)), whose terms are all positive.
function erf(x) {
  if (!(Math.abs(x) < 1)) return x < 0 ? erfc(-x) - 1 : 1 - erfc(x)
  let term = x, total = x
  for (let n = 1; n < 24; n++) total += term *= 2 * x * x / (2 * n + 1)
  return 2 / Math.sqrt(Math.PI) * gauss(x) * total
}

// From 1 on the continued fraction exp(-x²)/√π · 1/(x + ½/(x + 1/(x + 3/2/(x + …)))), from its tail up.
function erfc(x) {
  if (x < 1) return x > -1 ? 1 - erf(x) : 2 - erfc(-x)
  if (!(x < 27)) return x > 0 ? 0 : NaN
  let tail = x
  for (let n = Math.ceil(20 + 170 / (x * x)); n > 0; n--) tail = x + n / 2 / tail
  return gauss(x) / Math.sqrt(Math.PI) / tail
}
