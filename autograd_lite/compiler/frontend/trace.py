"""Tracing: a function runs once on `TracedValue` objects, and its operations are written into a graph.

A `TracedValue` stands for a number that is not known yet. The rules of the table run on them as on any
Values, so derivatives are traced, too. A comparison gives a `Condition`, which `where` takes; a Python branch
on one raises `TraceError` with its line. Next door: the graph (`ir/graph.py`), a recorded loss as a list
(`recording.py`), checks of labels (`checks.py`), and derivatives in the graph (`passes/differentiate.py`).
"""

from __future__ import annotations

import contextlib
import math
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeAlias

from autograd_lite.compiler.ir.graph import Graph, Op
from autograd_lite.core import modes
from autograd_lite.core import rules as table
from autograd_lite.core.numbers import is_real
from autograd_lite.core.primitive import ATOM, Primitive, Scalar
from autograd_lite.core.tracing import Tracer
from autograd_lite.core.value import Value, topological_order
from autograd_lite.transforms.linear_map import Variable
from autograd_lite.transforms.pytrees import Pytree

# The message for a recorded `where`, here and in `recording.py`.
BRANCH_TAKEN = (
    "a recorded `where` has taken its branch, which a program would take forever: "
    "compile the function that computes it, not its result"
)
_PACKAGE = str(Path(__file__).parents[2])


class TraceError(TypeError):
    """A traced function needs a number that is known only when the program runs."""


def _refuse(what: str) -> NoReturn:
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_PACKAGE, contextlib.__file__)):
        frame = frame.f_back
    at = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}: "
    raise TraceError(at + what)


def _operator(row: Primitive, swapped: bool = False) -> Callable[..., Scalar]:
    def method(self: TracedValue, *others: Scalar) -> Scalar:
        if not all(isinstance(x, Value) or is_real(x) or isinstance(x, bool) for x in others):
            return NotImplemented
        operands = (self, *others)
        return self._record(row, operands[::-1] if swapped else operands)

    return method


def _comparison(name: str) -> Callable[[TracedValue, Scalar], Scalar]:
    def method(self: TracedValue, other: Scalar) -> Scalar:
        if not isinstance(other, Value) and not is_real(other):
            return NotImplemented
        return self._node(name, (self, other))

    return method


def _unknown(what: str) -> Callable[..., NoReturn]:
    def method(self: object, *_: object) -> NoReturn:
        _refuse(
            f"{what} of a traced value is known only when the program runs: compute with the functions of "
            "autograd_lite, or make it a static argument of jit (static_argnums)"
        )

    return method


class TracedValue(Value, Tracer):
    """A number that is not known yet: node ``index`` of the graph that ``trace`` writes."""

    __slots__ = ("index", "trace")

    index: int
    trace: Trace

    def __init__(self, trace: Trace, index: int) -> None:
        self.trace = trace
        self.index = index
        self._grad = None
        op = trace.graph.ops[index]
        self.primitive = op if isinstance(op, Primitive) else None

    @property
    def operands(self) -> tuple[Scalar, ...]:
        """The operands, as for any Value: traced values, floats, and Values from outside."""
        graph = self.trace.graph
        if self.primitive is None:
            return ()
        # A Value from outside is itself: derivatives within the function find their variables by identity.
        outside, nodes = self.trace.outside, graph.operands[self.index]
        found = zip(nodes, self.trace.operands(nodes), strict=True)
        return tuple([outside.get(i, x) for i, x in found])

    @property
    def partials(self) -> tuple[Scalar, ...]:
        """NaN for each operand, because partials are not known yet; None where no derivative passes."""
        return tuple([None if isinstance(x, float | Condition) else math.nan for x in self.operands])

    def _node(self, op: Op, operands: Iterable[Scalar]) -> Scalar:
        return self.trace.traced(self.trace.add(op, tuple(map(self.trace.index, operands))))

    def _require(
        self,
        holds: Callable[[], Scalar],
        sentence: str,
        refuse: Callable[[float], None],
        error: type[Exception] = ValueError,
    ) -> None:
        trace = self.trace
        branches = [(c if isinstance(c, Condition) else c != 0.0, taken) for c, taken in trace.branches]
        given = [trace.index(c if taken else ~c) for c, taken in branches]
        trace.checks.append(Check(given, trace.index(holds()), self.index, refuse, sentence, error.__name__))

    def _require_whole(
        self, least: int, most: int, sentence: str, refuse: Callable[[float], None], error: type[Exception]
    ) -> None:
        if self.index in self.trace.fractions:
            kind = self.trace.fractions[self.index]
            raise TypeError(f"{self._name()} must be a whole number, got a {kind}")

        def holds() -> Scalar:
            return self._node("whole", (self,)) & (self >= float(least)) & (self <= float(most))

        self._require(holds, sentence, refuse, error)

    def _name(self) -> str:
        return self.label or self.trace.graph.labels.get(self.index) or super()._name()

    def _meet(self, values: Iterable[Scalar]) -> None:
        for x in values:
            if isinstance(x, Value):
                self.trace.index(x)

    def _branch(self, given: Scalar, taken: bool) -> Scalar:
        self.trace.branches.append((self, taken))
        try:
            return super()._branch(given, taken)
        except (ArithmeticError, ValueError) as error:  # an error of constants: raised if the branch is taken
            return self._node(Failed(error), ())
        finally:
            self.trace.branches.pop()

    def _record(self, row: Primitive, operands: tuple[Scalar, ...]) -> Scalar:
        if not _PLAIN.issuperset(map(type, operands)):
            first = 1 if row is table.where else 0  # only `where` takes a condition as it is
            operands = (*operands[:first], *map(as_number, operands[first:]))
        return self._node(row, operands)

    __add__, __radd__ = _operator(table.add), _operator(table.add, True)
    __sub__, __rsub__ = _operator(table.sub), _operator(table.sub, True)
    __mul__, __rmul__ = _operator(table.mul), _operator(table.mul, True)
    __truediv__, __rtruediv__ = _operator(table.div), _operator(table.div, True)
    __pow__, __rpow__ = _operator(table.pow), _operator(table.pow, True)
    __neg__, __abs__ = _operator(table.neg), _operator(table.abs)
    __lt__, __le__, __gt__, __ge__ = (
        _comparison("lt"),
        _comparison("le"),
        _comparison("gt"),
        _comparison("ge"),
    )
    __eq__, __ne__ = _comparison("eq"), _comparison("ne")
    __hash__ = Value.__hash__

    def __bool__(self) -> bool:  # noqa: PLE0304 - it only raises
        _refuse(
            "a branch on a traced value: which way it goes is known when the program runs, "
            "so write where(condition, x, y), or maximum, minimum, clip, relu, "
            "or make the number a static argument of jit (static_argnums)"
        )

    def _pulled(self, seeds: Iterable[tuple[Scalar, Scalar]], inputs: list[Scalar]) -> dict[Scalar, Scalar]:
        index = self.trace.index
        terms: dict[int, list[int]] = {}
        for y, seed in seeds:
            if isinstance(y, Value):
                terms.setdefault(index(y), []).append(index(seed))
        found = self.trace.pull_back(self.trace, terms, [*map(index, inputs)])
        return {x: self.trace.traced(found[i]) for x in inputs if (i := index(x)) in found}

    data = property(_unknown("the number"), _unknown("the number"))
    __float__ = __int__ = __complex__ = __trunc__ = __floor__ = __ceil__ = _unknown("the number")
    __round__ = __format__ = _unknown("the number")
    backward = _unknown("the gradient")

    def __index__(self) -> int:  # noqa: PLE0305 - it only raises
        _refuse(
            "a traced value is not an index nor a count: its number is known only when the program runs, "
            "so write take(rows, index) for an entry of a list, "
            "and make a count a static argument of jit (static_argnums)"
        )

    def __repr__(self) -> str:
        return f"<traced {self.label or self.trace.graph.ops[self.index]!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a traced value lives within one trace: it is neither copied nor pickled")

    __copy__ = __reduce__

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__reduce__()


_PLAIN = frozenset((float, Value, TracedValue))  # operands that are numbers already


class Failed(Primitive):
    """An operation that raises an error, in place of a branch of `where` that raised while traced."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(
            "undefined", self._raise, lambda out: (), "undefined", r"\text{{undefined}}", (ATOM,), "", "",
            None, False, 0, lambda out: (), "Raise an error.", decomposition=lambda: math.nan,
        )  # fmt: skip

    def _raise(self) -> NoReturn:
        raise type(self.error)(*self.error.args)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failed) and repr(self.error) == repr(other.error)

    def __hash__(self) -> int:
        return hash(repr(self.error))

    def __reduce__(self) -> tuple[object, ...]:
        return Failed, (self.error,)


class Condition(TracedValue):
    """A comparison of traced values, combined by ``&``, ``|`` and ``~``. In arithmetic it is 1 or 0."""

    __slots__ = ()

    def __mul__(self, other: Scalar) -> Scalar:
        if isinstance(other, Condition | bool):
            return self & other
        return table.where(self, other, 0.0)  # false contributes exactly zero, not 0 · ∞

    __rmul__ = __mul__

    def __rsub__(self, other: Scalar) -> Scalar:
        return ~self if type(other) is float and other == 1.0 else as_number(self).__rsub__(other)

    def __and__(self, other: Scalar) -> Scalar:
        return (self if other else False) if isinstance(other, bool) else self._node("and", (self, other))

    def __or__(self, other: Scalar) -> Scalar:
        return (True if other else self) if isinstance(other, bool) else self._node("or", (self, other))

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Scalar:
        return self._node("not", (self,))


def as_number(x: Scalar) -> Scalar:
    """Return 1 or 0 for a condition or a bool, everything else as it is."""
    if isinstance(x, Condition):
        return table.where(x, 1.0, 0.0)
    return float(x) if isinstance(x, bool) else x


class Check(NamedTuple):
    """A condition on a number: where all nodes ``given`` are true, the node ``holds`` must be true.

    Otherwise ``refuse`` raises the error for the node ``number``; ``sentence`` says the condition in words,
    ``error`` is the name of the error.
    """

    given: list[int]
    holds: int
    number: int
    refuse: Callable[[float], None]
    sentence: str
    error: str


class Trace:
    """Writes operations on traced values into a graph, and lists the leaves that they read.

    ``pull_back`` differentiates within the function that is traced (`passes/differentiate.py`).
    """

    def __init__(self, graph: Graph, pull_back: PullBack) -> None:
        self.graph = graph
        self.pull_back = pull_back
        self.leaves: list[Value] = []
        self.values: dict[int, TracedValue] = {}
        self.outside: dict[int, Value] = {}
        self.checks: list[Check] = []
        self.fractions: dict[int, str] = {}  # inputs that are no index, and what they are
        self.branches: list[tuple[TracedValue, bool]] = []  # the branches of `where` that are being traced
        self._written: dict[Value, int] = {}

    def traced(self, index: int) -> TracedValue:
        """Return the traced value of a node, always the same object, because Values have an identity."""
        found = self.values.get(index)
        if found is None:
            kind = Condition if self.graph.is_condition(index) else TracedValue
            found = self.values[index] = kind(self, index)
        return found

    def add(self, op: Op, operands: tuple[int, ...]) -> int:
        """Write an operation into the graph; return its node."""
        return self.graph.add(op, operands)

    def index(self, x: Scalar) -> int:
        """Return the node of an operand: a traced value, a number, or a Value from outside."""
        if type(x) is Value and x in self._written:  # the weights of a model: most operands of all
            return self._written[x]
        if isinstance(x, TracedValue):
            if x.trace is not self:
                _refuse("a value of one trace is used in another: return it from the function instead")
            return x.index
        return self._write(x) if isinstance(x, Value) else self.graph.constant(float(x))

    def operands(self, nodes: Iterable[int]) -> list[Scalar]:
        """Return nodes as operands for a rule: constants as floats, on which it may branch."""
        known, outside = self.graph.constants, self.outside
        return [known[i] if i in known and i not in outside else self.traced(i) for i in nodes]

    def _write(self, root: Value) -> int:
        """Write a Value from outside and its graph."""
        written = self._written
        if root not in written:
            for node in topological_order(root) if root.primitive is not None else [root]:
                if node not in written:
                    written[node] = i = self._write_node(node)
                    self.outside[i] = node
                    if node.label and node.primitive is not None:
                        self.graph.labels.setdefault(i, node.label)
        return written[root]

    def _write_node(self, node: Value) -> int:
        row = node.primitive
        if isinstance(node, Variable):  # from a derivative within the function, which made a constant of it
            return self.graph.constant(node.data)
        if row is None:
            self.leaves.append(node)
            label = node.label or f"leaf_{len(self.leaves)}"
            return self.graph.input("leaf", len(self.leaves) - 1, label)
        if row is table.where:
            raise TraceError(BRANCH_TAKEN)
        operands = [
            self._written[x] if isinstance(x, Value) else self.graph.constant(x) for x in node.operands
        ]
        return self.graph.add(row, tuple(operands))

    def run(self, function: Callable[..., Pytree], arguments: list[Pytree]) -> Pytree:
        """Return the function's result; while it runs, comparisons of Values from outside are traced, too."""
        with self._hooked(), modes.enable_grad():  # also within `no_grad`
            return function(*arguments)

    @contextlib.contextmanager
    def _hooked(self) -> Iterator[None]:
        def hook(x: Scalar, name: str, other: Scalar) -> Scalar:
            hides = name in ("no_grad", "detach")
            if not running:  # a task that the function started may outlive it, and keeps its context
                told = hides or name == "record"
                return None if told else Context().run(getattr(x, f"__{name}__"), other)
            if name == "record":
                return self.traced(self.add(x, tuple(map(self.index, other))))
            if hides:
                _refuse(
                    f"{name} within a traced function: a program passes every derivative on, "
                    "so make a number that needs no derivative an argument of its own"
                )
            return getattr(self.traced(self.index(x)), f"__{name}__")(other)

        running = True
        before = modes.comparison_hook.set(hook)
        try:
            yield
        finally:
            running = False
            modes.comparison_hook.reset(before)


# Takes a trace, the terms of each node's adjoint, and inputs; returns the adjoints of the inputs.
PullBack: TypeAlias = Callable[[Trace, dict[int, list[int]], list[int]], dict[int, int]]
