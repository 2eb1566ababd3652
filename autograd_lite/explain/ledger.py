"""`ledger`: what each backward pass added to a value's ``.grad``, and through which consumer.

Next door: `graph.py` knows which passes ran, `why.py` asks the ledger about gradients that cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import Pass, adjoints, alive, edges, passes
from autograd_lite.explain.shown import Shown
from autograd_lite.notation.columns import aligned
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import TEXT
from autograd_lite.transforms.linear_map import same

_DIGITS = 6


class Row(NamedTuple):
    """The contribution of one use of the value in one pass: ``contribution`` = ``upstream`` · ``partial``.

    ``number`` counts the passes from 1, ``root`` is where the pass started, and ``position`` is the place of
    the value among the consumer's operands. For the root itself the consumer is None and the contribution is
    the seed.
    """

    number: int
    root: Value
    consumer: Value | None
    position: int
    partial: float
    upstream: float
    contribution: float


@dataclass(frozen=True)
class Share:
    """The contribution of one pass: the adjoint of the value, and the terms that sum to it."""

    root: Value
    adjoint: float
    terms: Sequence[tuple[Value | None, int, float, float]]


def _share(value: Value, ran: Pass) -> Share | None:
    """Return the share of a pass, or None if its root is gone or it did not reach the value."""
    if ran.root is None:
        return None
    order = topological_order(ran.root)
    upstream = adjoints(order, ran.seed)
    if value is ran.root:
        return Share(ran.root, ran.seed, [(None, 0, 1.0, ran.seed)])
    if value not in upstream:
        return None
    terms = [
        (node, edge.position, edge.partial, upstream[node])
        for node in reversed(order)
        if node in upstream
        for edge in edges(node)
        if edge.operand is value
    ]
    return Share(ran.root, upstream[value], terms)


class Ledger(Shown):
    """The answer of `ledger`: ``rows``, and ``total``, which is ``value.grad`` to the last bit.

    ``shares`` holds the contribution of each pass, ``rows`` the same use by use. ``before`` is the content of
    ``.grad`` before the first of these passes, as far as that can be known; None if the rows are all of it.
    Sums are taken as the engine takes them: over the rows of a pass, then over the passes.
    """

    def __init__(self, value: Value) -> None:
        self.value = value
        self.before: float | None = None
        self.shares: list[Share] = []
        self._gone = 0  # passes whose roots are gone, some of which may have reached the value
        if value.reached:
            self._find(value.grad)

    def _find(self, grad: float) -> None:
        # Clearing a .grad leaves no trace. Passes are therefore added from the latest back until their sum is
        # .grad.
        known: list[Share] = []
        alone = 0  # how many of these came after the last pass whose root is gone
        for ran in reversed(passes(alive())):
            share = _share(self.value, ran)
            if share is not None:
                known.insert(0, share)
                if same(_added(None, known), grad):
                    self.shares, self._gone = known, 0
                    return
                alone += not self._gone
            self._gone += ran.root is None
        # Otherwise .grad held something before. If no number plus these passes gives .grad, it was changed
        # after them, and only later passes can explain it.
        for count in range(alone, -1, -1):
            self.shares = known[len(known) - count :]
            self.before = grad - sum([share.adjoint for share in self.shares]) if count else grad
            if same(_added(self.before, self.shares), grad):
                break

    @property
    def rows(self) -> list[Row]:
        """One row for each pass and each use, in the order in which they were added."""
        return [
            Row(number, share.root, consumer, position, partial, upstream, upstream * partial)
            for number, share in enumerate(self.shares, 1)
            for consumer, position, partial, upstream in share.terms
        ]

    @property
    def total(self) -> float:
        """The sum of ``before`` and the rows."""
        total = _added(self.before, self.shares)
        return 0.0 if total is None else total

    @cached_property
    def text(self) -> str:
        """The ledger as text."""
        rows = self.rows
        order = topological_order(*dict.fromkeys([row.root for row in rows]))
        namer = Namer(order if self.value in set(order) else [*order, self.value])
        name = namer(self.value, TEXT).text
        if not self.value.reached:
            return f"{name}.grad is 0: no backward pass has reached {name}, or it was cleared since."

        def shown(x: float) -> str:
            return TEXT.number(x, _DIGITS).text

        cells: list[tuple[str, ...]] = [
            ("pass", "from", "through", "upstream", f"· ∂/∂{name}", "= contribution")
        ]
        if self.before is not None:
            cells.append(("", "", "the rest", "", "", f"= {shown(self.before)}"))
        for row in rows:
            through = "the seed"
            if row.consumer is not None and row.consumer.primitive is not None:
                through = f"{namer(row.consumer, TEXT).text}  ({row.consumer.primitive.name})"
            numbers = [shown(row.upstream), f"· {shown(row.partial)}", f"= {shown(row.contribution)}"]
            cells.append((str(row.number), namer(row.root, TEXT).text, through, *numbers))
        lines = [
            f"{name}.grad = {shown(self.value.grad)}",
            *aligned(cells, ["left"] * 6),
            self._verdict(name),
        ]
        return "\n".join(lines)

    def _verdict(self, name: str) -> str:
        sentences = []
        if self.before is not None:
            gone = f"added by passes whose graphs are gone ({self._gone} ran), or " if self._gone else ""
            sentences.append(f"The rest was {gone}set by hand or by a compiled program.")
        if len(self.shares) + (self.before is not None) > 1:
            sentences.append(f"{name}.grad adds up over passes until zero_grad() clears it.")
        uses = max([len(share.terms) for share in self.shares], default=0)
        if uses > 1:
            sentences.append(f"One pass reaches {name} through {uses} uses, and their contributions add up.")
        return "\n".join(sentences) or f"One pass reached {name}, through one use."


def _added(before: float | None, shares: list[Share]) -> float | None:
    """Add as `backward` does, which takes the first adjoint as it is."""
    total = before
    for share in shares:
        total = share.adjoint if total is None else total + share.adjoint
    return total


def ledger(value: Value) -> Ledger:
    """Return where ``value.grad`` came from: a row for each backward pass and each use of the value.

    The latest 1000 passes are known. A pass is listed for as long as its root is alive. Its adjoints are
    computed again from the recorded partials, which gives the same bits.

    Raises `TypeError` if `value` is not a Value.

    >>> w = Value(2.0, "w")
    >>> L = w * 3.0 + w
    >>> L.label = "L"
    >>> L.backward()
    >>> L.backward()
    >>> ledger(w)
    w.grad = 8
    pass  from  through    upstream  · ∂/∂w  = contribution
    1     L     L  (add)   1         · 1     = 1
    1     L     v₁  (mul)  1         · 3     = 3
    2     L     L  (add)   1         · 1     = 1
    2     L     v₁  (mul)  1         · 3     = 3
    w.grad adds up over passes until zero_grad() clears it.
    One pass reaches w through 2 uses, and their contributions add up.
    """
    if not isinstance(value, Value):
        raise TypeError(f"ledger takes a Value, got {type(value).__name__} {value!r}")
    return Ledger(value)
