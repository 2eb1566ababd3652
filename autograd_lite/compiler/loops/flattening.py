"""Sums of products: which nodes are written out where they are used, and the terms and factors that result.

A chain ``((a * b) * c) * d`` becomes one product and a chain of such products one sum, if nothing else reads
the results between. Other parentheses round elsewhere, so they stay nodes of their own. Next door: `nodes.py`
lists the nodes, `grouping.py` collects the sums that are made alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING

from autograd_lite.compiler.loops.ir import CONSTANT
from autograd_lite.compiler.loops.nodes import ADD, DOT, MUL, NEG, SUB, SUM, Nodes

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Integers = NDArray[numpy.int64]
    Floats = NDArray[numpy.float64]
    Booleans = NDArray[numpy.bool_]


@dataclass
class NodeArrays:
    """`Nodes` as arrays. Constants are nodes after the `size` others, with the code -1 - CONSTANT."""

    size: int
    constants: Floats
    code: Integers  # of each node
    uses: Integers  # of each node: how often it is read; an output counts twice more
    start: Integers  # of each node: where its operands begin
    operand: Integers  # of all nodes
    user: Integers  # of each operand: the node that reads it
    slot: Integers  # of each operand: its position among those of its user


@dataclass
class Inlined:
    """Which nodes are written out where they are used. All arrays have an entry for each node."""

    term: Booleans  # written out as terms of the sum that uses them
    factor: Booleans  # written out as factors of the product that uses them
    negated: Booleans  # negations that go into the coefficient of a product
    free: Booleans  # sums whose terms may be added up in any order
    root: Integers  # the node in which a term ends up
    sign: Floats  # the sign with which it arrives there
    depth: Integers  # how many sums lie between
    product: Integers  # the node in which a factor ends up
    product_depth: Integers  # how many products lie between


@dataclass
class FlatTerms:
    """The terms of all sums and the factors of all terms: ``(coefficient * factor) * factor * ...``."""

    root: Integers  # of each term: the sum that it belongs to
    depth: Integers  # of each term: terms of greater depth are added up earlier
    coefficient: Floats  # of each term
    factor: Integers  # of each factor: the node that is multiplied
    term: Integers  # of each factor: the term that it belongs to
    level: Integers  # of each factor: those of lower level are multiplied earlier

    def widths(self, np: ModuleType) -> Integers:
        """Return the number of factors of each term."""
        widths: Integers = np.bincount(self.term, minlength=len(self.root))
        return widths


def node_arrays(nodes: Nodes, outputs: Iterable[int], np: ModuleType) -> NodeArrays:
    """Return nodes as arrays; outputs count as read by others, which keeps them nodes of their own."""
    n, constants = len(nodes), np.array(nodes.constants, dtype=float)
    code = np.concatenate([np.array(nodes.codes, dtype=np.int64), np.full(len(constants), -1 - CONSTANT)])
    count = np.array(nodes.counts, dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(count)])
    operand = np.array(nodes.operands, dtype=np.int64)
    operand = np.where(operand < 0, n - 1 - operand, operand)
    user = np.repeat(np.arange(n), count)
    uses = np.bincount(operand, minlength=len(code))
    for i in outputs:
        uses[i] += 2
    return NodeArrays(n, constants, code, uses, start, operand, user, np.arange(len(operand)) - start[user])


def inline(nodes: NodeArrays, np: ModuleType) -> Inlined:
    """Decide which nodes are written out where they are used: those that one sum or product reads once."""
    code, total = nodes.code, len(nodes.code)
    itself, ones, zeros = np.arange(total), np.ones(total), np.zeros(total, np.int64)
    only, only_slot = zeros.copy(), zeros.copy()  # of a node that is read once: its user, and its slot there
    only[nodes.operand], only_slot[nodes.operand] = nodes.user, nodes.slot
    once, by = nodes.uses == 1, code[only]

    # A sign rounds nothing, so it may go anywhere, to a factor or a term. Only a zero may get another sign.
    negated = once & (code == NEG) & (by == MUL)
    while True:
        more = once & (code == NEG) & ~negated & (by == NEG) & negated[only]
        if not more.any():
            break
        negated |= more
    in_sum = (by >= ADD) & (by <= SUM) & ~negated[only]
    minus_term = once & (code == NEG) & in_sum
    above, _, _ = _ends(np.where(negated | minus_term, only, itself), ones, zeros)
    of = above[only]  # the user past the signs

    chosen = np.flatnonzero(once & (code == MUL) & ((by == MUL) | negated[only]))
    factor = negated.copy()
    factor[chosen] = _leading(chosen, of[chosen], zeros[chosen] > 0, np)
    sums = once & in_sum & ((code == ADD) | (code == SUB) | (code == SUM) | (code == DOT))
    by_two = sums & ((code[of] == ADD) | (code[of] == SUB))
    term = minus_term | (once & in_sum & (code == MUL)) & ~factor
    term |= sums & (code[of] == NEG) | sums & (code[of] == SUM) & (code != ADD) & (code != SUB)
    loops = (code == SUM) | (code == DOT)
    begun = _begun(nodes, np)
    chosen = np.flatnonzero(by_two & (loops | ~begun[of]))
    term[chosen] = _leading(chosen, of[chosen], (loops | begun)[chosen], np)

    # A sum that contains a loop is a loop itself; then a second loop in it is written out as well.
    free = np.zeros(total, bool)
    free[_ends(np.where(term, only, itself), ones, zeros)[0][loops]] = True
    term |= loops & by_two & free[_ends(np.where(term, only, itself), ones, zeros)[0][of]]
    minus = term & once & in_sum & ((by == NEG) | ((by == SUB) & (only_slot == 1)))
    deeper = np.where(term & (code != NEG) & (code != MUL), 1, 0)
    root, sign, depth = _ends(np.where(term, only, itself), np.where(minus, -1.0, 1.0), deeper)
    deeper = np.where(factor & (code == MUL), 1, 0)
    product, _, product_depth = _ends(np.where(factor, only, itself), ones, deeper)
    return Inlined(term, factor, negated, free, root, sign, depth, product, product_depth)


def _begun(nodes: NodeArrays, np: ModuleType) -> Booleans:
    """Return which nodes add a value to the constant 0: they begin a sum, whose terms are all alike."""
    begun: Booleans = np.zeros(len(nodes.code), bool)
    zero = np.append(nodes.constants, np.nan)[np.maximum(nodes.operand - nodes.size, -1)] == 0.0
    begun[nodes.user[(nodes.operand >= nodes.size) & zero]] = True
    return begun


def _ends(up: Integers, sign: Floats, depth: Integers) -> tuple[Integers, Floats, Integers]:
    """Follow paths to their ends; return those, and the products of signs and sums of depths on the way.

    ``up[i]`` is the next node on the path, i itself at an end. Each round doubles the steps.
    """
    while True:
        further = up[up]
        if (further == up).all():
            return up, sign, depth
        sign = sign * sign[up]
        depth = depth + depth[up]
        up = further


def _leading(candidates: Integers, user: Integers, first: Booleans, np: ModuleType) -> Booleans:
    """Return which candidates continue the chain of their user: of two operands, the longer chain.

    Of two chains of equal length neither does, as in ``(a + b) + (c + d)``, except one that comes `first`.
    """
    if len(np.unique(user)) == len(user):
        return np.ones(len(user), bool)  # type: ignore[no-any-return]
    size: dict[int, int] = {}
    most: dict[int, int] = {}
    leads: dict[int, int] = {}
    pairs = candidates.tolist(), user.tolist()
    kept = {*candidates[first].tolist()}
    for i, j in zip(*pairs, strict=True):  # operands come before their users
        own = 1 + size.get(i, 0)
        size[j] = size.get(j, 0) + own
        if own > most.get(j, 0) or (own == most[j] and i in kept):
            most[j], leads[j] = own, i
        elif own == most[j] and leads[j] not in kept:
            leads[j] = -1
    return np.array([leads[j] == i for i, j in zip(*pairs, strict=True)])  # type: ignore[no-any-return]


def flatten(nodes: NodeArrays, inlined: Inlined, np: ModuleType) -> FlatTerms:
    """Return the terms of all sums, with their factors. Constants are factors still.

    Terms come from four places: operands of sums, products, pairs of `dot`, last operands of `dot`.
    """
    code, operand, user, slot = nodes.code, nodes.operand, nodes.user, nodes.slot
    term, factor = inlined.term, inlined.factor
    user_code = code[user]
    plain = np.flatnonzero((user_code >= ADD) & (user_code <= SUM) & ~factor[user] & ~term[operand])
    minus = (user_code[plain] == NEG) | ((user_code[plain] == SUB) & (slot[plain] == 1))
    products = np.flatnonzero((code == MUL) & ~factor)
    dots = user_code == DOT
    half = np.diff(nodes.start)[user] // 2
    first = np.flatnonzero(dots & (slot < half))
    second = np.flatnonzero(dots & (slot >= half) & (slot < 2 * half))
    rest = np.flatnonzero(dots & (slot == 2 * half))
    term_of_product = np.zeros(len(code), np.int64)
    term_of_product[products] = len(plain) + np.arange(len(products))

    sources = np.concatenate([user[plain], products, user[first], user[rest]])
    coefficient = inlined.sign[sources]
    coefficient[: len(plain)] *= np.where(minus, -1.0, 1.0)
    signs = np.flatnonzero(inlined.negated)
    np.multiply.at(coefficient, term_of_product[inlined.product[signs]], -1.0)

    inner = np.flatnonzero(((user_code == MUL) | factor[user]) & ~factor[operand])
    pairs = len(plain) + len(products) + np.arange(len(first))
    lasts = len(plain) + len(products) + len(first) + np.arange(len(rest))
    of_inner = term_of_product[inlined.product[user[inner]]]
    factor_term = np.concatenate([np.arange(len(plain)), of_inner, pairs, pairs, lasts])
    factors = operand[np.concatenate([plain, inner, first, second, rest])]
    # The level of a factor: how far it is from the two that are multiplied first.
    depth = np.zeros(len(factors), np.int64)
    depth[len(plain) : len(plain) + len(inner)] = inlined.product_depth[user[inner]]
    deepest = np.zeros(len(sources), np.int64)
    np.maximum.at(deepest, factor_term, depth)
    level = deepest[factor_term] - depth
    return FlatTerms(inlined.root[sources], inlined.depth[sources], coefficient, factors, factor_term, level)


def fold_constants(nodes: NodeArrays, terms: FlatTerms, np: ModuleType) -> tuple[FlatTerms, bool]:
    """Multiply constants that come first, and signs, into the coefficients; later constants stay factors.

    Return also whether the product of all constants of a term leaves a float's range, which it does not where
    the term multiplies them one by one: derivatives would be wrong.
    """
    number = terms.factor >= nodes.size
    given = nodes.constants[terms.factor[number] - nodes.size]
    coefficient, whole = terms.coefficient.copy(), terms.coefficient.copy()
    with np.errstate(all="ignore"):
        np.multiply.at(whole, terms.term[number], given)
        early = number.copy()
        early[number] = (terms.level[number] == 0) | (np.abs(given) == 1.0)
        np.multiply.at(coefficient, terms.term[early], nodes.constants[terms.factor[early] - nodes.size])
    lost = ~np.isfinite(whole) | (np.abs(whole) < np.finfo(float).tiny)
    lost[terms.term[number][~np.isfinite(given) | (given == 0.0)]] = False
    folded = replace(
        terms,
        coefficient=coefficient,
        factor=terms.factor[~early],
        term=terms.term[~early],
        level=terms.level[~early],
    )
    return folded, bool(lost.any())


def drop_zeros(terms: FlatTerms, sums: Integers, np: ModuleType) -> FlatTerms:
    """Drop terms that are the constant -0.0; one of `sums` with no other term keeps a zero.

    The constant 0.0 stays: a sum of it and -0.0 is 0.0. Sums that are loops drop it, for they begin at 0.0.
    """
    kept = np.flatnonzero(
        (terms.widths(np) > 0) | (terms.coefficient != 0.0) | ~np.signbit(terms.coefficient)
    )
    empty = sums[~np.isin(sums, terms.root[kept])]
    renumbered = np.zeros(len(terms.root), np.int64)
    renumbered[kept] = np.arange(len(kept))
    zeros = np.zeros(len(empty), np.int64)
    return replace(
        terms,
        root=np.concatenate([terms.root[kept], empty]),
        depth=np.concatenate([terms.depth[kept], zeros]),
        coefficient=np.concatenate([terms.coefficient[kept], zeros]),
        term=renumbered[terms.term],
    )


def sort_terms(terms: FlatTerms, np: ModuleType) -> FlatTerms:
    """Sort terms by their roots and as they are added up, and the factors of each as they are multiplied.

    Afterwards factors have level 0 only where two of them are multiplied first: a single one is multiplied by
    the coefficient.
    """
    order = np.lexsort((-terms.depth, terms.root))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    term = back[terms.term]
    by_term = np.lexsort((terms.level, term))
    term, level = term[by_term], terms.level[by_term]
    two_first = np.bincount(term[level == 0], minlength=len(order)) == 2
    return FlatTerms(
        terms.root[order],
        terms.depth[order],
        terms.coefficient[order],
        terms.factor[by_term],
        term,
        np.where(two_first[term], level, level + 1),
    )
