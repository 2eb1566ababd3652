"""`why`: a diagnosis of one value's gradient, with the evidence.

This module decides which backward pass the question is about, and why no pass has reached a value. Next door:
`causes.py` looks for the cause of a number in the graph of that pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from autograd_lite.core.value import Value, topological_order
from autograd_lite.explain.causes import Finding, Gradient, Words
from autograd_lite.explain.graph import Between, above, adjoints, alive, consumers, passes
from autograd_lite.explain.ledger import ledger
from autograd_lite.explain.lines import written_at
from autograd_lite.explain.shown import Shown
from autograd_lite.notation.writing import TEXT

_NAMED = 3  # the most examples that a sentence gives


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
    """The answer of `why`: the ``cause`` in a word or two, and the ``text`` with the evidence.

    Causes of a gradient that no pass has computed: unused, not connected, detached, no backward yet,
    cleared. Of 0: inactive relu, multiplied by 0, clipped, not selected, flat, branch not taken,
    cancellation, underflow, zero seed. Of any number: tiny, huge, healthy, unknown. Of NaN or infinity: not
    finite from the start, operation, partial, overflow.
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
        """The diagnosis as a paragraph, which wraps in a narrow window."""
        return f"<p>{escape(self.told)}</p>"


def why(value: Value, output: Value | None = None) -> Diagnosis:
    """Return why the gradient of `value` is 0, tiny, huge, NaN or infinite, in a sentence or two.

    Without `output` the answer is about ``value.grad`` and the last backward pass that reached it, if the
    root of that pass is alive. With `output` it is about ∂output/∂value, whether or not a pass has run.

    Raises `TypeError` if `value` or `output` is not a Value.

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
    question = _Question(value)
    return question.about_grad() if output is None else question.about_output(output)


class _Question:
    """The question about one value, put to every Value that is alive."""

    def __init__(self, value: Value) -> None:
        self.value = value
        self.everything = alive()
        self.above = above(value, consumers(self.everything))
        self.words = Words(topological_order(*(self.tops() or [value])))
        self.name = self.words.name(value)

    def tops(self) -> list[Value]:
        """Return the Values made from this one that nothing else was made from."""
        used = {x for node in self.above for x in node.operands if isinstance(x, Value)}
        return [node for node in self.above if node is not self.value and node not in used]

    def about_output(self, output: Value) -> Diagnosis:
        """Return the diagnosis of ∂output/∂value."""
        return self._of_pass(TEXT.derivative(self.words.name(output), self.name), output, 1.0, None)

    def about_grad(self) -> Diagnosis:
        """Return the diagnosis of ``value.grad``, by the latest pass that contributed to it."""
        log = [(ran.root, ran.seed) for ran in passes(self.everything) if ran.root is not None]
        reached = [(root, seed) for root, seed in log if root in self.above]
        grad, what = self.value.grad, f"{self.name}.grad"
        if not self.value.reached:
            return self._say(what, "0", self._none(bool(reached), [root for root, _ in log]))
        if not reached:
            evidence = (
                "the graph that it came from is gone. Keep the output in a variable, call backward() on it, "
                "and ask again."
            )
            return self._say(what, self.words.number(grad), Finding("unknown", evidence))
        if grad == 0.0 and (found := self._zero_over_passes()):
            return self._say(what, "0", found)
        # Of several passes, the latest that can explain the number: a NaN may come from any of them.
        explaining = (each for each in reversed(reached) if _explains(self._contributed(*each), grad))
        return self._of_pass(what, *next(explaining, reached[-1]), grad)

    def _say(self, what: str, number: str, found: Finding) -> Diagnosis:
        return Diagnosis(self.value, found.cause, f"{what} is {number}: {found.evidence}")

    def _contributed(self, root: Value, seed: float) -> float:
        return adjoints(topological_order(root), seed).get(self.value, 0.0)

    # --- None

    def _none(self, cleared: bool, roots: list[Value]) -> Finding:
        name = self.name
        if cleared:
            return Finding("cleared", f"a backward pass reached {name}, but the gradient was cleared since.")
        for root in reversed(roots):  # any pass may be the one that should have reached it
            if detached := self._detached(topological_order(root)):
                return detached
        tops = self.tops()
        if not tops:
            return Finding(
                "unused",
                f"no Value that is alive was made from {name}. Within no_grad, nothing is recorded.",
            )
        names = ", ".join([self.words.name(node) for node in tops[:_NAMED]])
        names += ", …" if len(tops) > _NAMED else ""
        one = len(tops) == 1
        if roots:
            return Finding(
                "not connected",
                f"the last backward pass started at {self.words.name(roots[-1])}, which does not depend on "
                f"{name}; none started at {names}, which {'does' if one else 'do'}.",
            )
        return Finding(
            "no backward yet",
            f"no backward pass has started at {names}, which {'depends' if one else 'depend'} on {name}.",
        )

    def _detached(self, order: list[Value]) -> Finding | None:
        """Return the finding if a leaf in `order` was detached from the value, or from a node made from it.

        Such a leaf holds the very same float object.
        """
        numbers = {id(node.data): node for node in self.above}
        for leaf in order:
            node = numbers.get(id(leaf.data))
            # Two leaves may share a float that a program wrote once; different labels tell them apart.
            if (
                node is not None
                and leaf.primitive is None
                and leaf not in self.above
                and leaf.label == node.label
                and (node.label or node.primitive is not None)
            ):
                user = consumers(order)[leaf][0]
                return Finding(
                    "detached",
                    f"{self.words.name(node)} was detached, so {self.words.call(user)} uses a new leaf with "
                    "the same number, which passes no gradient back.",
                )
        return None

    # --- A number

    def _zero_over_passes(self) -> Finding | None:
        """Return the finding that several passes, and what was there before, add up to 0."""
        found = ledger(self.value)
        terms = [share.adjoint for share in found.shares if share.adjoint != 0.0]
        if not terms:
            return None
        passes = f"{len(terms)} backward passes" if len(terms) > 1 else "a backward pass"
        before = [] if found.before is None else [found.before]
        who = f"what it held before and {passes}" if before else passes
        return Finding("cancellation", f"{who} cancel exactly, {self.words.sum([*before, *terms])} = 0.")

    def _of_pass(self, what: str, root: Value, seed: float, grad: float | None) -> Diagnosis:
        """Return the diagnosis of the contribution of one pass to `grad`, the sum over all passes."""
        order = topological_order(root)
        between = Between(order, self.value)
        if not between.order:
            return self._say(what, "0", self._no_path(root, order))
        gradient = Gradient(between, adjoints(order, seed), seed, self.words)
        shown = gradient.number if grad is None else grad
        return self._say(what, self.words.number(shown), gradient.finding(shown))

    def _no_path(self, root: Value, order: list[Value]) -> Finding:
        words = self.words
        if self.value not in set(order):
            return self._detached(order) or Finding(
                "not connected", f"{words.name(root)} does not depend on {self.name}."
            )
        leads = above(self.value, consumers(order))
        for node in reversed(order):
            for x, partial in zip(node.operands, node.partials, strict=True):
                if isinstance(x, Value) and partial is None and x in leads and node.primitive is not None:
                    branch = "" if x is self.value else f"{words.name(x)}, the branch that uses "
                    return Finding(
                        "branch not taken",
                        f"the {node.primitive.name} that made {words.name(node)} did not take "
                        f"{branch}{self.name}{written_at(node)}.",
                    )
        raise AssertionError("a node of the graph is on no path, and in no branch")


def _explains(contribution: float, grad: float) -> bool:
    """Return whether a pass with this contribution can be the reason for a gradient like `grad`."""
    if not math.isfinite(grad):
        return not math.isfinite(contribution)
    return contribution != 0.0 or grad == 0.0
