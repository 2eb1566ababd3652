// The graph as it is now: what the program computes, where it stops, and the chain rule to one value.

const facts = JSON.parse(document.getElementById("live-graph").textContent)
const {nodes, leaves, edges, moving} = facts  // an edge is [consumer, operand]
const result = nodes.length - 1
const start = facts.start.map(Number)

let numbers = [...start]  // of the leaves
let values, slopes, partials  // slopes are ∂result/∂value; partials belong to the edges
let origin = []  // for each value that is lost, the one at which the computation left its domain; else -1
let hand = 0  // the leaf in hand, by its place among the leaves

const uses = nodes.map(() => [])  // the edges that leave each value
const into = nodes.map(() => [])  // and those that enter it
edges.forEach(([consumer, operand], k) => { uses[operand].push(k); into[consumer].push(k) })

// A sum within a sum has no row of its own, and no name: the sum around it has the same slope.
const drawn = i => nodes[i].name ? i : drawn(edges[uses[i][0]][0])

function compute() {
  [values, slopes, partials] = program(numbers)
  origin = nodes.map(() => -1)
  nodes.forEach(({of = []}, i) => {
    const before = of.find(k => origin[k] >= 0)
    const hasNoSlope = into[i].length && into[i].every(k => Number.isNaN(partials[k]))
    if (before !== undefined) origin[i] = origin[before]
    else if (!Number.isFinite(values[i]) || hasNoSlope) origin[i] = drawn(i)
  })
}

const isLost = () => origin[result] >= 0

// The result at other numbers than those of now.
const resultAt = (k, x) => program(numbers.with(k, x))[0][result]

// Why the computation stops at value i, in the words of the table of primitives.
function complaint(i) {
  const {op, of, name} = nodes[i]
  if (!op) return `${name} = ${short(values[i])} is not a number to compute with.`
  const {domain, given} = facts.rows[op]
  const here = of.map((k, place) => {
    const operand = given[Math.min(place, given.length - 1)], own = nodes[k]?.name
    return `${operand} = ${own && own !== operand ? `${own} = ` : ""}${short(nodes[k] ? values[k] : Number(k))}`
  })
  if (domain) return `${op} is defined for ${domain}, but here ${here.join(" and ")}.`
  return `The result of ${op} is too large for a number: here ${here.slice(0, 3).join(" and ")}.`
}

// ∂result/∂x as a sum of products, one for each use of x. A factor is {y, x, k}: the local partial of edge k.
// Where the way to the result splits, or gets long, the slope of a value on it stands for the rest: no k.
const MOST_FACTORS = 6

function chainTo(leaf) {
  return uses[leaf].map(k => {
    const factors = []
    for (let x = leaf; ; k = uses[x][0]) {
      const y = drawn(edges[k][0])
      factors.unshift({y, x, k})
      x = y
      if (x === result) return factors
      if (uses[x].length > 1 || factors.length === MOST_FACTORS) return [{y: result, x}, ...factors]
    }
  })
}

const valueOf = ({x, k}) => k === undefined ? slopes[x] : partials[k]
