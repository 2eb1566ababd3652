"""Congruence classes: a graph as integers, and its nodes in groups that are made alike.

`Nodes` lists the operations of a recording or of a `Graph`, with the operands of all of them in one list.
`grouped` writes sums and products as sums of products, gives each remaining node a *shape*, which is its
operation and the shapes of its operands, and collects the nodes of one shape. Next door: `lowering.py` turns
groups into loop nests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd_lite.compiler.frontend.recording import LEAF, Recording
from autograd_lite.compiler.ir.graph import LINEAR, Graph, Op
from autograd_lite.compiler.loops.ir import ARGUMENT, CONSTANT, PARAMETER

# Codes of nodes: inputs, by the shape that they have (X, W, C or more), are below 0; then come the linear
# operations, which are written out in sums of products, then the others, in any order.
ADD, SUB, NEG, SUM, MUL, DOT = range(6)
_CODE: dict[Op, int] = {op: code for code, op in enumerate(LINEAR)}

# So many terms of one kind are a loop, whose sum may be taken in any order. Fewer are added up as they are
# written, and so are sums of other terms; `sum` and `dot` round once and have no order.
LOOP = 8

# Of one operation: which code, and which of the operands, are taken in its place.
Writing = tuple[int, tuple[int | float, ...]]


class Nodes:
    """Node i is the operation ``codes[i]`` of ``counts[i]`` operands; ``operands`` are those of all nodes.

    An operand -1 - k is the number ``constants[k]``. ``place`` of an input is its number among its kind.
    ``write`` is asked once for each operation that is not linear, with its numbers, what to write for it.
    """

    def __init__(self, write: Callable[[Op, tuple[float | None, ...]], Writing]) -> None:
        self.codes: list[int] = []
        self.counts: list[int] = []
        self.operands: list[int] = []
        self.constants: list[float] = []
        self.place: dict[int, int] = {}
        self.labels: dict[int, str] = {}
        self._write = write
        self._written: dict[Any, Writing] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def constant(self, number: float) -> int:
        """The operand that is a number."""
        self.constants.append(number)
        return -len(self.constants)

    def input(self, shape: int, place: int) -> int:
        """A new node that is an argument or a leaf."""
        self.place[len(self.codes)] = place
        self.codes.append(-1 - shape)
        self.counts.append(0)
        return len(self.codes) - 1

    def node(self, code: int, operands: Sequence[int]) -> int:
        """A new node that is an operation."""
        self.codes.append(code)
        self.counts.append(len(operands))
        self.operands += operands
        return len(self.codes) - 1

    def written(
        self, op: Op, operands: Sequence[int], numbers: tuple[float | None, ...]
    ) -> tuple[int, Sequence[int]]:
        """Code and operands of any operation; `numbers` holds its constants, None for what is a node."""
        code = _CODE.get(op)
        if code is not None:
            return code, operands
        key = (op, tuple([None if number is None else number.hex() for number in numbers]))  # -0.0 is not 0.0
        if key not in self._written:
            self._written[key] = self._write(op, numbers)
        code, taken = self._written[key]
        return code, [operands[k] if type(k) is int else self.constant(k) for k in taken]


def of_recording(
    recording: Recording, write: Callable[[Op, tuple[float | None, ...]], Writing], np: Any
) -> Nodes:
    """The nodes of a recorded loss, which is the last of them."""
    nodes = Nodes(write)
    codes, counts = np.array(recording.codes), np.array(recording.counts)
    operands = np.array(recording.operands, dtype=np.int64)
    nodes.constants = recording.constants.tolist()
    leaves = np.flatnonzero(codes == LEAF)
    nodes.place = dict(zip(leaves.tolist(), range(len(leaves)), strict=True))
    others = np.flatnonzero(codes > DOT)
    codes[leaves] = -1 - PARAMETER
    users = np.repeat(np.arange(len(codes)), counts)
    starts = np.cumsum(counts) - counts
    # What is not linear is written anew, one by one, in place of what was recorded.
    to: list[int] = []
    taken: list[int] = []
    rest = np.flatnonzero(codes[users] <= DOT)
    for i, code, start, count in zip(
        *[each[others].tolist() for each in (np.arange(len(codes)), codes, starts, counts)], strict=True
    ):
        given = recording.operands[start : start + count].tolist()
        numbers = tuple([None if k >= 0 else recording.constants[-1 - k] for k in given])
        codes[i], written = nodes.written(recording.rows[code], given, numbers)
        counts[i] = len(written)
        to += [i] * len(written)
        taken += written
    if to:
        users = np.concatenate([users[rest], to])
        operands = np.concatenate([operands[rest], taken])[np.argsort(users, kind="stable")]
    nodes.codes, nodes.counts, nodes.operands = codes, counts, operands
    nodes.labels = recording.labels
    return nodes


def of_graph(
    graph: Graph,
    outputs: Iterable[int],
    write: Callable[[Op, tuple[float | None, ...]], Writing],
    shapes: dict[int, int] | None = None,
) -> tuple[Nodes, dict[int, int]]:
    """The nodes of a graph that the outputs need, and where each of them went.

    `shapes` of inputs, where given, holds for the constants too: they are inputs like others then.
    """
    nodes = Nodes(write)
    went: dict[int, int] = {}
    for i in graph.live(outputs):
        op = graph.ops[i]
        if shapes is not None and not graph.operands[i] and (op == "constant" or op == "argument"):
            went[i] = nodes.input(shapes.get(i, CONSTANT), i)
        elif op == "constant":
            went[i] = nodes.constant(graph.constants[i])
        elif op == "argument" or op == "leaf":
            went[i] = nodes.input(ARGUMENT if op == "argument" else PARAMETER, graph.numbers[i])
        else:
            operands = graph.operands[i]
            numbers = tuple([None if went[k] >= 0 else graph.constants[k] for k in operands])
            went[i] = nodes.node(*nodes.written(op, [went[k] for k in operands], numbers))
        if i in graph.labels and went[i] >= 0 and graph.operands[i]:
            nodes.labels[went[i]] = graph.labels[i]
    return nodes, went


@dataclass
class Terms:
    """Terms of one kind in a group of sums: the shapes of the factors; for each node and term a coefficient
    and the nodes that are multiplied: ``((coefficient * factor) * factor) * ...``."""

    shapes: tuple[int, ...]
    coefficients: Any  # nodes by terms
    factors: Any  # nodes by terms by factors


@dataclass
class Group:
    """Nodes of one shape: sums of products in ``terms``, or an operation, with nodes by ``operands``.

    The terms of an `ordered` group are added up one by one, from the first to the last.
    """

    code: int
    shape: int
    members: Any
    terms: list[Terms] = field(default_factory=list)
    shapes: tuple[int, ...] = ()
    operands: Any = None
    ordered: bool = False


@dataclass
class Grouped:
    """The groups of a graph in an order that can be run; constants are nodes after the others."""

    groups: list[Group]
    shape: Any  # of each node, -1 for one that is written out where it is used
    constants: Any
    size: int  # the number of nodes without the constants
    lost: bool  # derivatives multiply constants that only what stands between them keeps in a float's range


def _jumped(up: Any, sign: Any, depth: Any) -> tuple[Any, Any, Any]:
    """The ends of the paths that lead up, with products of signs and sums of depths along them.

    It takes log₂ of the longest path's length in steps.
    """
    while True:
        further = up[up]
        if (further == up).all():
            return up, sign, depth
        sign = sign * sign[up]
        depth = depth + depth[up]
        up = further


def _chained(candidates: Any, user: Any, loops: Any, np: Any) -> Any:
    """Which of the candidates lead the chain of their user: that of the most operations, if there are two.

    Of two alike none does, as of the terms ``(a + b) + (c + d)`` of a sum, but if they are `loops`.
    """
    if len(np.unique(user)) == len(user):
        return np.ones(len(user), bool)
    size: dict[int, int] = {}
    most: dict[int, int] = {}
    leads: dict[int, int] = {}
    pairs = candidates.tolist(), user.tolist()
    kept = {*candidates[loops].tolist()}
    for i, j in zip(*pairs, strict=True):  # operands come before their users
        own = 1 + size.get(i, 0)
        size[j] = size.get(j, 0) + own
        if own > most.get(j, 0) or (own == most[j] and i in kept):
            most[j], leads[j] = own, i
        elif own == most[j] and leads[j] not in kept:
            leads[j] = -1
    return np.array([leads[j] == i for i, j in zip(*pairs, strict=True)])


def grouped(nodes: Nodes, outputs: Iterable[int], np: Any) -> Grouped:
    """The nodes in groups. An `output` stays a node of its own.

    A chain ``((a * b) * c) * d`` is one product, a chain of such products one sum; what is written in other
    parentheses is computed by itself, for it rounds elsewhere. An operation commutes, so a chain may stand on
    either side.
    """
    n, constants = len(nodes), np.array(nodes.constants, dtype=float)
    total = n + len(constants)
    code = np.concatenate([np.array(nodes.codes, dtype=np.int64), np.full(len(constants), -1 - CONSTANT)])
    count = np.array(nodes.counts, dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(count)])
    operand = np.array(nodes.operands, dtype=np.int64)
    operand = np.where(operand < 0, n - 1 - operand, operand)
    user = np.repeat(np.arange(n), count)
    slot = np.arange(len(operand)) - start[user]

    # What is used once, within a sum or a product, may be written out there.
    uses = np.bincount(operand, minlength=total)
    for i in outputs:
        uses[i] += 2
    only, only_slot = np.zeros(total, np.int64), np.zeros(total, np.int64)
    only[operand] = user
    only_slot[operand] = slot
    once, by = uses == 1, code[only]
    itself, ones, zeros = np.arange(total), np.ones(total), np.zeros(total, np.int64)

    # Signs are exact, so they may go anywhere: to a factor, to a term.
    negated = once & (code == NEG) & (by == MUL)
    while True:
        more = once & (code == NEG) & ~negated & (by == NEG) & negated[only]
        if not more.any():
            break
        negated |= more
    in_sum = (by >= ADD) & (by <= SUM) & ~negated[only]
    minus_term = once & (code == NEG) & in_sum
    above, _, _ = _jumped(np.where(negated | minus_term, only, itself), ones, zeros)
    of = above[only]  # who uses it, past the signs

    chosen = np.flatnonzero(once & (code == MUL) & ((by == MUL) | negated[only]))
    factor = negated.copy()
    factor[chosen] = _chained(chosen, of[chosen], zeros[chosen] > 0, np)
    sums = once & in_sum & ((code == ADD) | (code == SUB) | (code == SUM) | (code == DOT))
    by_two = sums & ((code[of] == ADD) | (code[of] == SUB))
    term = minus_term | (once & in_sum & (code == MUL)) & ~factor
    term |= sums & (code[of] == NEG) | sums & (code[of] == SUM) & (code != ADD) & (code != SUB)
    loops = (code == SUM) | (code == DOT)
    begun = np.zeros(total, bool)  # 0 + x, which begins a sum: x is a term like those to come
    begun[user[(operand >= n) & (np.append(constants, np.nan)[np.maximum(operand - n, -1)] == 0.0)]] = True
    chosen = np.flatnonzero(by_two & (loops | ~begun[of]))
    term[chosen] = _chained(chosen, of[chosen], loops[chosen], np)
    minus = once & in_sum & ((by == NEG) | ((by == SUB) & (only_slot == 1)))

    def rooted() -> tuple[Any, Any, Any]:
        return _jumped(
            np.where(term, only, itself),
            np.where(term & minus, -1.0, 1.0),
            np.where(term & (code != NEG) & (code != MUL), 1, 0),
        )

    # A sum of a loop is a loop, and so is one of two loops.
    free = np.zeros(total, bool)
    free[rooted()[0][loops]] = True
    term |= loops & by_two & free[rooted()[0][of]]
    root, sign, deep = rooted()
    head, _, inside = _jumped(np.where(factor, only, itself), ones, np.where(factor & (code == MUL), 1, 0))

    # The terms: the root that each belongs to, its coefficient, its factors.
    user_code = code[user]
    in_product = (user_code == MUL) | factor[user]
    plain = np.flatnonzero((user_code >= ADD) & (user_code <= SUM) & ~factor[user] & ~term[operand])
    minus = (user_code[plain] == NEG) | ((user_code[plain] == SUB) & (slot[plain] == 1))
    heads = np.flatnonzero((code == MUL) & ~factor)
    dots = user_code == DOT
    half = count[user] // 2
    first, second, rest = (
        np.flatnonzero(dots & (slot < half)),
        np.flatnonzero(dots & (slot >= half) & (slot < 2 * half)),
        np.flatnonzero(dots & (slot == 2 * half)),
    )
    of_head = np.zeros(total, np.int64)
    of_head[heads] = len(plain) + np.arange(len(heads))
    sources = np.concatenate([user[plain], heads, user[first], user[rest]])
    sizes = np.cumsum([len(plain), len(heads), len(first)])
    term_root, term_deep, coefficient = root[sources], deep[sources], sign[sources]
    coefficient[: len(plain)] *= np.where(minus, -1.0, 1.0)
    signs = np.flatnonzero(negated)
    np.multiply.at(coefficient, of_head[head[signs]], -1.0)
    inner = np.flatnonzero(in_product & ~factor[operand])
    factor_term = np.concatenate(
        [
            np.arange(len(plain)),
            of_head[head[user[inner]]],
            sizes[1] + np.arange(len(first)),
            sizes[1] + np.arange(len(first)),
            sizes[2] + np.arange(len(rest)),
        ]
    )
    factors = operand[np.concatenate([plain, inner, first, second, rest])]
    # How far a factor is from the two that are multiplied first.
    factor_deep = np.zeros(len(factors), np.int64)
    factor_deep[len(plain) : len(plain) + len(inner)] = inside[user[inner]]
    deepest = np.zeros(len(sources), np.int64)
    np.maximum.at(deepest, factor_term, factor_deep)
    level = deepest[factor_term] - factor_deep

    # Constants that come first, and signs, are coefficients; a later one is a factor like others.
    number = factors >= n
    given = constants[factors[number] - n]
    whole = coefficient.copy()
    with np.errstate(all="ignore"):
        np.multiply.at(whole, factor_term[number], given)
        early = number.copy()
        early[number] = (level[number] == 0) | (np.abs(given) == 1.0)
        np.multiply.at(coefficient, factor_term[early], constants[factors[early] - n])
    lost = ~np.isfinite(whole) | (np.abs(whole) < np.finfo(float).tiny)
    lost[factor_term[number][~np.isfinite(given) | (given == 0.0)]] = False
    factors, factor_term, level = factors[~early], factor_term[~early], level[~early]

    # A sum of nothing is 0, which else is not added; x + 0 is taken for x, also where x is -0.0.
    roots = np.flatnonzero((code >= 0) & ~term & ~factor)
    several = np.bincount(factor_term, minlength=len(term_root))
    kept = np.flatnonzero((several > 0) | (coefficient != 0.0))
    with_terms = np.zeros(total, bool)
    with_terms[term_root[kept]] = True
    empty = roots[(code[roots] <= DOT) & ~with_terms[roots]]
    renumbered = np.zeros(len(term_root), np.int64)
    renumbered[kept] = np.arange(len(kept))
    factor_term = renumbered[factor_term]
    nothing = np.zeros(len(empty), np.int64)
    term_root = np.concatenate([term_root[kept], empty])
    term_deep = np.concatenate([term_deep[kept], nothing])
    coefficient = np.concatenate([coefficient[kept], nothing])
    several = np.concatenate([several[kept], nothing])

    # In the order of the roots, each with its terms as they are added up, each with its factors.
    order = np.lexsort((-term_deep, term_root))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    term_root, coefficient, several = term_root[order], coefficient[order], several[order]
    factor_term = back[factor_term]
    by_term = np.lexsort((level, factor_term))
    factors, factor_term, level = factors[by_term], factor_term[by_term], level[by_term]
    # Of those that are multiplied first, one may be a coefficient.
    level = np.where(
        (np.bincount(factor_term[level == 0], minlength=len(order)) == 2)[factor_term], level, level + 1
    )
    shaped = _shaped(code, roots, free, operand, start, term_root, several, factors, level, np)

    # By shape, then by node, then in the order of the terms. The factors of a term that are multiplied first
    # by shape, and by how often they are used: of a weight and an input that are both leaves, the one that
    # more nodes share comes first in all terms.
    shape = shaped.shape
    order = np.lexsort((shaped.rank, term_root, shape[term_root]))
    back[order] = np.arange(len(order))
    coefficient, several, kind = coefficient[order], several[order], shaped.kind[order]
    term_shape = shape[term_root[order]]
    factors = factors[np.lexsort((factors, -uses[factors], shape[factors], level, back[factor_term]))]
    factor_at = np.cumsum(several) - several
    roots = roots[np.argsort(shape[roots], kind="stable")]
    ends = range(len(shaped.made) + 1)
    root_bounds = np.searchsorted(shape[roots], ends).tolist()
    term_bounds = np.searchsorted(term_shape, ends).tolist()
    groups = []
    for s in sorted(range(len(shaped.made)), key=lambda s: (shaped.depth[s], s)):
        if shaped.made[s] is None:
            continue
        members = roots[root_bounds[s] : root_bounds[s + 1]]
        group = Group(shaped.made[s][0], s, members)
        if group.code == SUM:
            block = np.arange(term_bounds[s], term_bounds[s + 1]).reshape(len(members), -1)
            group.ordered = shaped.made[s][2]
            own = kind[block[0]].tolist()
            a = 0
            for each, t in zip(own, [1] * len(own), strict=True) if group.ordered else Counter(own).items():
                columns, shapes = block[:, a : a + t], shaped.kinds[each]
                at = factor_at[columns][:, :, None] + np.arange(len(shapes))
                group.terms.append(Terms(shapes, coefficient[columns], factors[at]))
                a += t
        else:
            group.shapes = shaped.made[s][1]
            group.operands = operand[start[members][:, None] + np.arange(len(group.shapes))]
        groups.append(group)
    return Grouped(groups, shape, constants, n, bool(lost.any()))


@dataclass
class _Shaped:
    shape: Any  # of each node, -1 for one that is written out where it is used
    kind: Any  # of each term
    rank: Any  # of each term: its place in the sum, or its kind where the order is free
    kinds: list[tuple[int, ...]]  # the shapes of the factors in each kind
    made: list[Any]  # of each shape: code, kinds of terms or shapes of operands, and whether it is ordered
    depth: list[int]


def _shaped(
    code: Any,
    roots: Any,
    free: Any,
    operand: Any,
    start: Any,
    term_root: Any,
    several: Any,
    factors: Any,
    level: Any,
    np: Any,
) -> _Shaped:
    """Shapes for the roots, in their order, and kinds for their terms."""
    inputs = max(CONSTANT + 1, -int(code.min()))
    depth = [0] * inputs
    made: list[Any] = [None] * inputs
    kinds: list[tuple[int, ...]] = []
    known_shapes: dict[Any, int] = {}
    known_kinds: dict[tuple[int, ...], int] = {}
    kind: list[int] = []
    rank: list[int] = []
    # One pass in Python, for a shape needs those of its operands: lists are faster here than arrays.
    shape = np.where(code < 0, -1 - code, -1).tolist()
    term_at = [*np.searchsorted(term_root, roots).tolist(), len(term_root)]
    factor_at = [*(np.cumsum(several) - several).tolist(), len(factors)]
    factor_list, operand_list, at, free_list = (x.tolist() for x in (factors, operand, start, free))
    first = (level == 0).tolist()
    for k, (i, op) in enumerate(zip(roots.tolist(), code[roots].tolist(), strict=True)):
        if op <= DOT:
            own = []
            shapes: tuple[int, ...]
            for t in range(term_at[k], term_at[k + 1]):
                a, b = factor_at[t], factor_at[t + 1]
                if b - a == 2:
                    p, q = shape[factor_list[a]], shape[factor_list[a + 1]]
                    shapes = (q, p) if p > q and first[a] else (p, q)
                elif b - a == 1:
                    shapes = (shape[factor_list[a]],)
                else:
                    shapes = tuple([shape[j] for j in factor_list[a:b]])
                    if b > a and first[a]:
                        shapes = (*sorted(shapes[:2]), *shapes[2:])
                found = known_kinds.get(shapes)
                if found is None:
                    found = known_kinds[shapes] = len(kinds)
                    kinds.append(shapes)
                own.append(found)
            kind += own
            ordered = not free_list[i] and (len(own) < LOOP or max(Counter(own).values()) < LOOP)
            if not ordered:
                rank += own
                own.sort()
            elif len(own) > 1 and own[0] > own[1]:
                rank += [1, 0, *range(2, len(own))]
                own[:2] = own[1::-1]
            else:
                rank += range(len(own))
            whole: Any = (SUM, tuple(own), ordered)
        else:
            whole = (op, tuple([shape[j] for j in operand_list[at[i] : at[i + 1]]]), False)
        found = known_shapes.get(whole)
        if found is None:
            found = known_shapes[whole] = len(made)
            made.append(whole)
            used = whole[1] if op > DOT else {s for each in {*own} for s in kinds[each]}
            depth.append(1 + max([depth[s] for s in used], default=0))
        shape[i] = found
    as_array = np.array(kind, dtype=np.int64), np.array(rank, dtype=np.int64)
    return _Shaped(np.array(shape, dtype=np.int64), *as_array, kinds, made, depth)
