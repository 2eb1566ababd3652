"""`why`: what is wrong with one value's gradient, or that nothing is, with the evidence.

Questions come after the fact, so nothing is kept for them: which nodes were made from a value is read off the
garbage collector's list of what is alive, and adjoints are computed again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from html import escape

from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.graph import (
    Between,
    Edge,
    Pass,
    above,
    adjoints,
    alive,
    consumers,
    passes,
)
from autograd_lite.explain.ledger import ledger
from autograd_lite.explain.lines import written_at
from autograd_lite.explain.paths import count, largest, many, product
from autograd_lite.explain.shown import Shown, ends, required
from autograd_lite.notation.namer import Namer
from autograd_lite.notation.writing import TEXT

TINY, HUGE = 1e-6, 1e6  # |∂root/∂value| below or above which a gradient is called so
_DIGITS = 4
_NAMED = 3  # examples that a sentence gives

# What a local partial of exactly 0 means, by row.
_FLAT = {
    "relu": "inactive relu",
    "leaky_relu": "inactive relu",
    "mul": "multiplied by 0",
    "dot": "multiplied by 0",
    "prod": "multiplied by 0",
    "clip": "clipped",
    "maximum": "not selected",
    "minimum": "not selected",
}


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
    """What `why` returns: the ``cause`` in a word or two, the ``text`` with the evidence.

    Causes of a gradient that is None: unused, not connected, detached, no backward yet, cleared. Of 0:
    inactive relu, multiplied by 0, clipped, not selected, flat, branch not taken, cancellation, underflow,
    zero seed. Of any number: tiny, huge, healthy, unknown. Of NaN or infinity: not finite from the start,
    operation, partial, overflow.
    """

    value: Value
    cause: str
    told: str

    @property
    def text(self) -> str:
        """The diagnosis as text."""
        return self.told

    @property
    def html(self) -> str:
        """The same as a paragraph, which folds where there is little room."""
        return f"<p>{escape(self.told)}</p>"


def why(value: Value, output: Value | None = None) -> Diagnosis:
    """Return why the gradient of `value` is None, 0, tiny, huge, NaN or infinite, in a sentence or two.

    Without `output` it is about ``value.grad`` and the last backward pass that reached it, as long as the
    node that pass began from is alive. With `output` it is about ∂output/∂value, whether or not a pass has
    run.

    Raises `TypeError` if one of the two is no Value.

    >>> from autograd_lite import relu
    >>> w, x = Value(2.0, "w"), Value(-3.0, "x")
    >>> y = relu(w * x)
    >>> y.backward()
    >>> why(w)
    w.grad is 0: relu(v₁) is flat at v₁ = −6 (inactive relu).
    """
    for what, node in (("value", value), ("output", output)):
        if not isinstance(node, Value) and not (what == "output" and node is None):
            raise TypeError(f"{what} must be a Value, got {type(node).__name__} {node!r}")
    return _Case(value, output).diagnosis()


class _Case:
    def __init__(self, value: Value, output: Value | None) -> None:
        self.value = value
        self.output = output
        self.everything = alive()
        self.above = above(value, consumers(self.everything))
        self.namer = Namer(self.above)
        self.name = self._named(value)

    # --- Words

    def _named(self, node: Value) -> str:
        return self.namer(node, TEXT).text

    def _number(self, x: float) -> str:
        return TEXT.number(x, _DIGITS).text

    def _shown(self, x: Value | float) -> str:
        return self._named(x) if isinstance(x, Value) else self._number(x)

    def _call(self, node: Value) -> str:
        """The operation that made a node: relu(z)."""
        operands = ["…" if x is None else self._shown(x) for x in ends(node.operands, 4)]
        return f"{required(node.primitive).name}({', '.join(operands)})"

    def _at(self, node: Value) -> str:
        """What a node was made from: z = −0.3."""
        values = {x: None for x in node.operands if isinstance(x, Value)}
        return ", ".join(
            ["…" if x is None else f"{self._named(x)} = {self._number(x.data)}" for x in ends([*values], 4)]
        )

    def _say(self, cause: str, *sentences: str) -> Diagnosis:
        return Diagnosis(self.value, cause, " ".join(sentences))

    # --- Which case it is

    def diagnosis(self) -> Diagnosis:
        """The case of ∂output/∂value, or of the latest pass that brought something to ``.grad``."""
        if self.output is not None:
            what = TEXT.derivative(self._named(self.output), self.name)
            return self._of_pass(what, Pass(self.output, 1.0), None)
        log = passes(self.everything)
        ran = [each for each in log if each.root is not None and each.root in self.above]
        grad = self.value.grad
        if grad is None:
            return self._none(bool(ran), [each.root for each in log if each.root is not None])
        what = f"{self.name}.grad"
        if not ran:
            return self._say(
                "unknown",
                f"{what} is {self._number(grad)}, and the graph that it came through is gone:",
                "keep what backward() is called on in a variable, and ask again.",
            )
        if grad == 0.0:
            found = ledger(self.value)
            brought = [self._number(share.adjoint) for share in found.shares if share.adjoint != 0.0]
            if brought and found.before is None:
                return self._say(
                    "cancellation",
                    f"{what} is 0: {len(brought)} backward passes brought {', '.join(brought)}.",
                )
            if brought:
                return self._say(
                    "cleared", f"{what} is 0: it was set to that after a backward pass brought {brought[-1]}."
                )
        if not math.isfinite(grad):  # one of several passes may have brought it
            ran = [each for each in ran if not math.isfinite(self._brought(each))] or ran
        return self._of_pass(what, ran[-1], grad)

    def _brought(self, ran: Pass) -> float:
        return adjoints(topological_order(required(ran.root)), ran.seed).get(self.value, 0.0)

    def _none(self, cleared: bool, roots: list[Value]) -> Diagnosis:
        start = f"{self.name}.grad is None:"
        if cleared:
            return self._say("cleared", start, "a backward pass has reached it, and it was cleared since.")
        for root in reversed(roots):  # any pass may be the one that was to reach it
            detached = self._detached(topological_order(root))
            if detached is not None:
                return self._say("detached", start, detached)
        tops = [node for node in self.above if node is not self.value and node not in self._used]
        if not tops:
            return self._say(
                "unused",
                start,
                f"nothing that is alive was made from {self.name}; within no_grad nothing is recorded.",
            )
        names = ", ".join([self._named(node) for node in tops[:_NAMED]]) + (
            ", …" if len(tops) > _NAMED else ""
        )
        if roots:
            return self._say(
                "not connected",
                start,
                f"the last backward pass began at {self._named(roots[-1])}, which does not depend on it;",
                f"none began at {names}, which does.",
            )
        return self._say(
            "no backward yet", start, f"no backward pass has begun at {names}, which depends on {self.name}."
        )

    @cached_property
    def _used(self) -> set[Value]:
        return {x for node in self.above for x in node.operands if isinstance(x, Value)}

    def _detached(self, order: list[Value]) -> str | None:
        """Whether a leaf of a graph holds the very number of the value, or of something made from it."""
        numbers = {id(node.data): node for node in self.above}
        for leaf in order:
            node = numbers.get(id(leaf.data))
            # Two leaves may share a number that was written once in a program; their labels then tell.
            if (
                node is not None
                and leaf.primitive is None
                and leaf not in self.above
                and leaf.label == node.label
                and (node.label or node.primitive is not None)
            ):
                user = consumers(order)[leaf][0]
                return (
                    f"{self._named(node)} was detached. What {self._call(user)} used is a leaf that holds "
                    "its number alone, and no gradient flows back through that."
                )
        return None

    def _of_pass(self, what: str, ran: Pass, grad: float | None) -> Diagnosis:
        root = required(ran.root)
        order = topological_order(root)
        between = Between(order, self.value)
        if not between.order:
            return self._no_path(what, root, order)
        reached = adjoints(order, ran.seed)
        x = reached[self.value]
        what = f"{what} is {self._number(x if grad is None else grad)}"
        if not math.isfinite(x if grad is None else grad):
            return self._not_finite(what, between, reached, ran.seed)
        if x == 0.0:
            return self._zero(what, between, reached, ran.seed)
        if TINY <= abs(x) <= HUGE:
            (first, *_), _ = largest(between, 1)
            paths = count(between)
            largest_brings = self._number(first.contribution * ran.seed)
            ways = (
                "one path"
                if paths == 1
                else f"{many(paths, TEXT)} paths, of which the largest brings {largest_brings}"
            )
            return self._say(
                "healthy",
                f"{what}: nothing is wrong with it. It comes from {self._named(root)} along {ways}.",
            )
        return self._size(what, between, ran.seed, x)

    def _no_path(self, what: str, root: Value, order: list[Value]) -> Diagnosis:
        if self.value not in set(order):
            detached = self._detached(order)
            if detached is not None:
                return self._say("detached", f"{what} is 0:", detached)
            return self._say(
                "not connected", f"{what} is 0: {self._named(root)} does not depend on {self.name}."
            )
        leads = above(self.value, consumers(order))
        for node in reversed(order):
            for x, partial in zip(node.operands, node.partials, strict=True):
                if isinstance(x, Value) and partial is None and x in leads:
                    branch = self._named(x)
                    return self._say(
                        "branch not taken",
                        f"{what} is 0: {self._named(node)} took the other branch of its "
                        f"{required(node.primitive).name}, and {self.name} is only in {branch}, the one not "
                        f"taken{written_at(node)}.",
                    )
        raise AssertionError("a node of the graph is on no path, and in no branch")

    # --- 0

    def _zero(self, what: str, between: Between, reached: dict[Value, float], seed: float) -> Diagnosis:
        if seed == 0.0:
            return self._say("zero seed", f"{what}: the backward pass was given the seed 0.")
        terms: dict[Value, list[float]] = {}
        found: dict[str, list[str]] = {}
        for node in reversed(between.order):
            for edge in between.edges(node):
                upstream = reached[node]
                terms.setdefault(edge.operand, []).append(upstream * edge.partial)
                if upstream != 0.0 and edge.partial == 0.0:
                    cause = _FLAT.get(required(node.primitive).name, "flat")
                    found.setdefault(cause, []).append(self._flat(edge, cause))
                elif upstream != 0.0 and upstream * edge.partial == 0.0:
                    found.setdefault("underflow", []).append(
                        f"{self._number(upstream)} · {self._number(edge.partial)} at {self._named(node)} is "
                        "below the least float"
                    )
        for node, contributions in terms.items():
            if reached[node] == 0.0 and any(contributions):
                shown = " + ".join(
                    ["…" if x is None else f"({self._number(x)})" for x in ends(contributions, 6)]
                )
                found.setdefault("cancellation", []).append(
                    f"what comes to {self._named(node)} cancels exactly, {shown} = 0"
                )
        causes = sorted(found, key=lambda cause: -len(found[cause]))
        told = [_several(found[cause], cause) for cause in causes]
        return self._say(causes[0], f"{what}: {'; '.join(told)}.")

    def _flat(self, edge: Edge, cause: str) -> str:
        node, row = edge.consumer, required(edge.consumer.primitive)
        if cause != "multiplied by 0":
            return f"{self._call(node)} is flat at {self._at(node)}{written_at(node)}"
        half = len(node.operands) // 2
        if row.name == "prod":
            others = [x for k, x in enumerate(node.operands) if k != edge.position]
        else:  # the factor across, of w·x and of a product of two
            others = [node.operands[(edge.position + half) % (2 * half)]]
        zero = next((x for x in others if (x.data if isinstance(x, Value) else x) == 0.0), others[0])
        by = f"{self._named(zero)} = 0" if isinstance(zero, Value) else "the constant 0"
        where = f"{self._named(node)} = {self._call(node)}{written_at(node)}"
        return f"{self._named(edge.operand)} is multiplied by {by} in {where}"

    # --- NaN and infinity

    def _not_finite(self, what: str, between: Between, reached: dict[Value, float], seed: float) -> Diagnosis:
        if not math.isfinite(seed):
            return self._say("not finite from the start", f"{what}: the backward pass was given that seed.")
        for node in reversed(between.order):
            upstream = reached[node]
            if not math.isfinite(upstream):
                return self._say(
                    "overflow", f"{what}: the contributions to {self._named(node)} add up beyond the floats."
                )
            for edge in between.edges(node):
                if not math.isfinite(edge.partial):
                    return self._made(what, edge)
                if not math.isfinite(upstream * edge.partial):
                    return self._say(
                        "overflow",
                        f"{what}: {self._number(upstream)} · {self._number(edge.partial)}, upstream times",
                        f"local partial at {self._named(node)} = {self._call(node)}, is beyond the floats"
                        f"{written_at(node)}.",
                    )
        return self._say("overflow", f"{what}: passes of finite contributions add up beyond the floats.")

    def _made(self, what: str, edge: Edge) -> Diagnosis:
        node = edge.consumer
        for x in topological_order(node):
            if not math.isfinite(x.data):
                if x.primitive is None:
                    return self._say(
                        "not finite from the start",
                        f"{what}: {self._named(x)} = {self._number(x.data)} to begin with.",
                    )
                constants = [y for y in x.operands if not isinstance(y, Value) and not math.isfinite(y)]
                given = f", with the constant {self._number(constants[0])}" if constants else ""
                return self._say(
                    "operation",
                    f"{what}: the first number that is not finite is {self._named(x)} = {self._call(x)} =",
                    f"{self._number(x.data)} at {self._at(x)}{given}{written_at(x)}.",
                )
        row = required(node.primitive)
        edges = f" ({row.edges})" if row.edges else ""
        return self._say(
            "partial",
            f"{what}: the local partial of {self._call(node)} is {self._number(edge.partial)}",
            f"at {self._at(node)}{edges}{written_at(node)}.",
        )

    # --- Tiny and huge

    def _size(self, what: str, between: Between, seed: float, x: float) -> Diagnosis:
        (path, *_), _ = largest(between, 1)
        groups: dict[str, list[float]] = {}
        for edge in path.edges:
            groups.setdefault(required(edge.consumer.primitive).name, []).append(edge.partial)
        if seed != 1.0:
            groups["seed"] = [seed]
        tiny = abs(x) < TINY
        sizes = {name: sum([math.log(abs(factor)) for factor in factors]) for name, factors in groups.items()}
        blamed = min(sizes, key=lambda name: sizes[name] if tiny else -sizes[name])
        factors = groups.pop(blamed)
        bound = max(map(abs, factors)) if tiny else min(map(abs, factors))
        if len(factors) == 1:
            told = f"the factor of {blamed} is {self._number(factors[0])}"
        else:
            told = (
                f"{len(factors)} factors of {blamed}, each {'at most' if tiny else 'at least'} "
                f"{self._number(bound)} in size, multiply to {self._number(product(factors))}"
            )
        rest = [factor for others in groups.values() for factor in others]
        others = ""
        if rest:
            multiply = "factor is" if len(rest) == 1 else f"{len(rest)} factors multiply to"
            others = f"; the other {multiply} {self._number(product(rest))}"
        paths = count(between)
        along = "" if paths == 1 else f"along the largest of {many(paths, TEXT)} paths, "
        return self._say("tiny" if tiny else "huge", f"{what}: {along}{told}{others}.")


def _several(sentences: list[str], cause: str) -> str:
    if len(sentences) == 1:
        return sentences[0] if cause.split()[0] in sentences[0] else f"{sentences[0]} ({cause})"
    return f"{len(sentences)} times {cause}, for instance {sentences[0]}"
