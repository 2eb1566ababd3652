"""Tracing: a function is run once on `Traced` values, which stand for numbers that are not known yet.

Rules run on them as on any Values, so a gradient is written by the table itself. A comparison gives a
condition, which `where` takes; a Python branch on one is a `TraceError`.

What does not live here: the list that all of this is written into (`graph.py`).
"""

from __future__ import annotations

import contextlib
import math
import sys
import types
from collections.abc import Callable, Collection, Iterable, Sequence
from contextvars import Context
from pathlib import Path
from typing import Any, NoReturn

from autograd_lite.compiler.ir.graph import Graph, Op
from autograd_lite.core import modes
from autograd_lite.core import rules as table
from autograd_lite.core.numbers import is_real
from autograd_lite.core.primitive import ATOM, TABLE, Primitive, Tracer
from autograd_lite.core.value import Value, topological_order
from autograd_lite.transforms.derivatives import Variable

_TAKEN = (
    "a recorded `where` has taken its branch, which a program would take for ever: "
    "compile the function that computes it, not its result"
)
_PACKAGE = str(Path(__file__).parents[2])


class TraceError(TypeError):
    """A function needs a number while it is traced, when there is none yet."""


def _refuse(what: str) -> NoReturn:
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_PACKAGE, contextlib.__file__)):
        frame = frame.f_back
    at = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}: "
    raise TraceError(at + what)


def _writes(row: Primitive, swapped: bool = False) -> Callable[..., Any]:
    def method(self: Traced, *others: Any) -> Any:
        if not all(isinstance(x, Value) or is_real(x) or isinstance(x, bool) for x in others):
            return NotImplemented
        operands = (self, *others)
        return self._record(row, operands[::-1] if swapped else operands)

    return method


def _compares(name: str) -> Callable[[Traced, Any], Any]:
    def method(self: Traced, other: Any) -> Any:
        if not isinstance(other, Value) and not is_real(other):
            return NotImplemented
        return self._made(name, (self, other))

    return method


def _unknown(what: str) -> Callable[..., NoReturn]:
    def method(self: Any, *_: Any) -> NoReturn:
        _refuse(f"{what} of a traced value is not known before the program runs")

    return method


class Traced(Value, Tracer):
    """A number that is not known yet: a node of the graph that a trace writes."""

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
    def operands(self) -> tuple[Any, ...]:
        """What it was made from, as for any Value."""
        graph = self.trace.graph
        if self.primitive is None:
            return ()
        # A Value from outside is itself: derivatives within the function find their variables by identity.
        outside = self.trace.outside
        return tuple(
            [
                outside.get(i, x)
                for i, x in zip(
                    graph.operands[self.index], self.trace.numbers(graph.operands[self.index]), strict=True
                )
            ]
        )

    @property
    def partials(self) -> tuple[Any, ...]:
        """Not known: NaN for each operand, None for those that no derivative reaches."""
        return tuple([None if isinstance(x, float | Condition) else math.nan for x in self.operands])

    def _made(self, op: Any, operands: Iterable[Any]) -> Any:
        return self.trace.traced(self.trace.made(op, tuple(map(self.trace.index, operands))))

    def _require(self, holds: Callable[[], Any], sentence: str, refuse: Callable[[float], None]) -> None:
        trace = self.trace
        branches = [(c if isinstance(c, Condition) else c != 0.0, taken) for c, taken in trace.given]
        given = [trace.index(c if taken else ~c) for c, taken in branches]
        trace.checks.append((given, trace.index(holds()), self.index, refuse, sentence))

    def _branch(self, given: Any, taken: bool) -> Any:
        self.trace.given.append((self, taken))
        try:
            return super()._branch(given, taken)
        except (ArithmeticError, ValueError) as error:  # of constants: it is raised if the branch is taken
            return self._made(Failed(error), ())
        finally:
            self.trace.given.pop()

    def _record(self, row: Primitive, operands: tuple[Any, ...]) -> Any:
        first = 1 if row is table.where else 0  # the one place where a condition stands as such
        return self._made(row, (*operands[:first], *map(_as_number, operands[first:])))

    __add__, __radd__ = _writes(table.add), _writes(table.add, True)
    __sub__, __rsub__ = _writes(table.sub), _writes(table.sub, True)
    __mul__, __rmul__ = _writes(table.mul), _writes(table.mul, True)
    __truediv__, __rtruediv__ = _writes(table.div), _writes(table.div, True)
    __pow__, __rpow__ = _writes(table.pow), _writes(table.pow, True)
    __neg__, __abs__ = _writes(table.neg), _writes(table.abs)
    __lt__, __le__, __gt__, __ge__ = _compares("lt"), _compares("le"), _compares("gt"), _compares("ge")
    __eq__, __ne__ = _compares("eq"), _compares("ne")
    __hash__ = Value.__hash__

    def __bool__(self) -> bool:  # noqa: PLE0304 - it only raises
        _refuse(
            "a branch on a traced value: which way it goes is known when the program runs, "
            "so write where(condition, x, y), or maximum, minimum, clip, relu"
        )

    def _pulled(self, seeds: Iterable[tuple[Any, Any]], inputs: list[Any]) -> dict[Any, Any]:
        index = self.trace.index
        terms: dict[int, list[int]] = {}
        for y, seed in seeds:
            if isinstance(y, Value):
                terms.setdefault(index(y), []).append(index(seed))
        found = pulled_back(self.trace, terms, [*map(index, inputs)])
        return {x: self.trace.traced(found[i]) for x in inputs if (i := index(x)) in found}

    data = property(_unknown("the number"), _unknown("the number"))
    __float__ = __int__ = __complex__ = __trunc__ = __floor__ = __ceil__ = _unknown("the number")
    __round__ = __format__ = _unknown("the number")
    backward = _unknown("the gradient")

    def __index__(self) -> int:  # noqa: PLE0305 - it only raises
        _refuse("a traced value is no index: which one it is, is known when the program runs")

    def __repr__(self) -> str:
        return f"<traced {self.label or self.trace.graph.ops[self.index]!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a traced value lives within one trace: it is neither copied nor pickled")

    __copy__ = __reduce__

    def __deepcopy__(self, memo: Any) -> NoReturn:
        self.__reduce__()


class Failed(Primitive):
    """An operation that raises an error: a branch of a `where` that raised it while it was traced."""

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

    def __reduce__(self) -> tuple[Any, ...]:
        return Failed, (self.error,)


class Condition(Traced):
    """True or false, once the program runs. In arithmetic it is 1 or 0; ``&``, ``|``, ``~`` combine it."""

    __slots__ = ()

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Condition | bool):
            return self & other
        return table.where(self, other, 0.0)  # what it leaves contributes nothing, not 0 · ∞

    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Any:
        return ~self if type(other) is float and other == 1.0 else _as_number(self).__rsub__(other)

    def __and__(self, other: Any) -> Any:
        return (self if other else False) if isinstance(other, bool) else self._made("and", (self, other))

    def __or__(self, other: Any) -> Any:
        return (True if other else self) if isinstance(other, bool) else self._made("or", (self, other))

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Any:
        return self._made("not", (self,))


def _as_number(x: Any) -> Any:
    if isinstance(x, Condition):
        return table.where(x, 1.0, 0.0)
    return float(x) if isinstance(x, bool) else x


class Trace:
    """One trace: the graph that it writes, and the leaves that were met on the way."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.leaves: list[Value] = []
        self.named: dict[int, Traced] = {}
        self.outside: dict[int, Value] = {}
        # What is asked of the numbers (`checks.py`), and the branches of `where` that are being traced.
        self.checks: list[tuple[list[int], int, int, Callable[[float], None], str]] = []
        self.given: list[tuple[Traced, bool]] = []
        self._lifted: dict[Value, int] = {}

    def traced(self, index: int) -> Traced:
        """The traced value of a node: always the same one, which has an identity like any Value."""
        found = self.named.get(index)
        if found is None:
            kind = Condition if self.graph.is_condition(index) else Traced
            found = self.named[index] = kind(self, index)
        return found

    def made(self, op: Op, operands: tuple[int, ...]) -> int:
        """The node of an operation."""
        return self.graph.add(op, operands)

    def again(self, op: Op, operands: tuple[int, ...]) -> int:
        """The node of an operation of a graph that is written anew."""
        return self.made(op, operands)

    def index(self, x: Any) -> int:
        """The node of an operand: traced, a number, or a Value from outside with all it was made from."""
        if isinstance(x, Traced):
            if x.trace is not self:
                _refuse("a value of one trace is used in another: return it from the function instead")
            return x.index
        return self._lift(x) if isinstance(x, Value) else self.graph.constant(float(x))

    def numbers(self, nodes: Iterable[int]) -> list[Any]:
        """The nodes as operands for a rule or a formula: constants as floats, which those may branch on."""
        known, outside = self.graph.constants, self.outside
        return [known[i] if i in known and i not in outside else self.traced(i) for i in nodes]

    def _lift(self, root: Value) -> int:
        lifted = self._lifted
        if root not in lifted:
            for node in topological_order(root) if root.primitive is not None else [root]:
                if node in lifted:
                    continue
                row = node.primitive
                if isinstance(node, Variable):  # of a derivative within the function, which made it a number
                    lifted[node] = self.graph.constant(node.data)
                    self.outside[lifted[node]] = node
                    continue
                if row is None:
                    label = node.label or f"leaf_{len(self.leaves) + 1}"
                    lifted[node] = self.graph.input("leaf", len(self.leaves), label)
                    self.outside[lifted[node]] = node
                    self.leaves.append(node)
                    continue
                if row is table.where:
                    raise TraceError(_TAKEN)
                operands = [
                    lifted[x] if isinstance(x, Value) else self.graph.constant(x) for x in node.operands
                ]
                lifted[node] = self.graph.add(row, tuple(operands))
                self.outside[lifted[node]] = node
                if node.label:
                    self.graph.labels.setdefault(lifted[node], node.label)
        return lifted[root]

    def run(self, function: Callable[..., Any], arguments: list[Any]) -> Any:
        """What the function returns; comparisons of Values from outside are traced as well meanwhile."""

        def undecided(x: Any, name: str, other: Any) -> Any:
            hides = name in ("no_grad", "detach")
            if not running:  # a task that the function started may outlive it, and keeps its context
                told = hides or name == "record"
                return None if told else Context().run(getattr(x, f"__{name}__"), other)
            if name == "record":
                return self.traced(self.made(x, tuple(map(self.index, other))))
            if hides:
                _refuse(
                    f"{name} within a traced function: a program passes every derivative on, "
                    "so give what shall have none as an argument of its own"
                )
            return getattr(self.traced(self.index(x)), f"__{name}__")(other)

        running = True
        before = modes.comparison_hook.set(undecided)
        try:
            with modes.enable_grad():  # also what is compiled within `no_grad`
                return function(*arguments)
        finally:
            running = False
            modes.comparison_hook.reset(before)


# --- Rewriting graphs ------------------------------------------------------------------------------


def rebuilt(graph: Graph, outputs: list[int], trace: Trace | None = None) -> tuple[Graph, list[int]]:
    """The part of a graph that the outputs need, in a graph that shares, as `trace` writes it."""
    trace = trace or Trace(Graph())
    new = trace.graph
    place: dict[int, int] = {}
    for i in graph.live(outputs):
        op = graph.ops[i]
        if op == "constant":
            place[i] = new.constant(graph.numbers[i])
        elif op in ("argument", "leaf"):
            place[i] = new.input(op, graph.numbers[i], graph.labels[i])
        else:
            place[i] = trace.again(op, tuple([place[k] for k in graph.operands[i]]))
        if i in graph.labels:
            new.labels.setdefault(place[i], graph.labels[i])
        if i in graph.adjoints and graph.adjoints[i] in place:
            new.adjoints.setdefault(place[i], place[graph.adjoints[i]])
        if isinstance(op, Primitive):
            new.origins.setdefault(place[i], graph.origins.get(i, op.name))
    return new, [place[i] for i in outputs]


def differentiated(graph: Graph, output: int, inputs: list[int], seed: int | None = None) -> list[int]:
    """Write the gradient of a node by others into the same graph, by the table's rules; return its nodes.

    `seed`, where given, is the node that is the adjoint of the output, else that is 1.
    """
    zero = graph.constant(0.0)
    found = pulled_back(Trace(graph), {output: [graph.constant(1.0) if seed is None else seed]}, inputs)
    return [found.get(i, zero) for i in inputs]


def pulled_back(trace: Trace, terms: dict[int, list[int]], inputs: list[int]) -> dict[int, int]:
    """Write the adjoints of the inputs into the graph of a trace; `terms` add up to those of the outputs.

    The branch of a `where` that is not taken contributes exactly zero, and so does everything that only this
    branch uses: each node knows the conditions under which an adjoint reaches it, and passes a zero on where
    they do not hold, whatever its partials are.
    """
    graph, last = trace.graph, max(terms, default=-1)
    depends = graph.dependent(inputs)
    taken: dict[int, list[int] | None] = dict.fromkeys(terms)  # one of these conditions holds; None: always
    wanted = set(inputs)
    adjoints: dict[int, int] = {}
    simple: dict[tuple[Primitive, int], list[Any] | None] = {}
    zero = graph.constant(0.0)
    for i in range(last, -1, -1):
        if i not in terms:
            continue
        adjoint = graph.add(table.sum, tuple(terms.pop(i)))
        mask = taken.pop(i)
        if i in wanted:
            adjoints[i] = adjoint
        if adjoint > last and graph.operands[adjoint]:
            graph.adjoints.setdefault(adjoint, i)
        row, operands = graph.ops[i], graph.operands[i]
        if not depends[i] or isinstance(row, str):
            continue
        holds: int | None = None
        if mask is not None:
            holds = mask[0]
            for c in mask[1:]:
                holds = graph.add("or", (holds, c))
            if graph.number(holds) == 0.0:  # nothing ever reaches it
                continue
            if graph.number(holds) is not None:  # one branch or the other
                holds = None
            elif graph.ops[adjoint] is table.where and graph.operands[adjoint][0] == holds:
                adjoint = graph.operands[adjoint][1]  # what is made of it is chosen by the same condition
        key = (row, len(operands))
        if key not in simple:
            simple[key] = _operands_alone(*key)
        places = simple[key]
        if places is not None:
            partials: Sequence[Any] = [operands[p] if type(p) is int else p for p in places]
        else:
            try:
                partials = row.rule(trace.traced(i), *trace.numbers(operands))
            except (ArithmeticError, ValueError):  # of constants among the operands: so will the value
                partials = (math.nan,) * len(operands)
        if len(partials) != len(operands):
            raise TypeError(
                f"the rule of {row.name} gave {len(partials)} partials for {len(operands)} operands"
            )
        for k, partial in zip(operands, partials, strict=True):
            if not depends[k] or (type(partial) is float and partial == 0.0):
                continue
            passed = holds
            if isinstance(partial, Condition):
                condition = trace.index(partial)
                passed = condition if holds is None else graph.add("and", (holds, condition))
                term = graph.add(table.where, (passed, adjoint, zero))
            else:
                if type(partial) is not int:
                    partial = trace.index(_as_number(partial))
                term = _passed(graph, adjoint, partial)
                if holds is not None:
                    term = graph.add(table.where, (holds, term, zero))
            terms.setdefault(k, []).append(term)
            before = taken.get(k, [])
            if passed is None or before is None:
                taken[k] = None
            elif passed not in before:
                taken[k] = [*before, passed]
    return adjoints


def _passed(graph: Graph, adjoint: int, partial: int) -> int:
    """An adjoint times a partial, which nobody wrote in an order: numbers meet, and 1 / y divides."""
    for a, b in ((adjoint, partial), (partial, adjoint)):
        number, operands = graph.number(a), graph.operands[b]
        second = graph.number(operands[0]) if graph.ops[b] in (table.mul, table.div) else None
        if graph.ops[b] is table.div and second == 1.0:
            return graph.add(table.div, (a, operands[1]))
        if graph.ops[b] is table.mul and number is not None and second is not None:
            product = number * second
            if sys.float_info.min <= abs(product) <= sys.float_info.max:
                return graph.add(table.mul, (graph.constant(product), operands[1]))
    return graph.add(table.mul, (adjoint, partial))


def _operands_alone(row: Primitive, n: int) -> list[Any] | None:
    """The partials of a row, if each is an operand, given by its place, or a number: most nodes are such.

    Then the rule need not run again for each of them.
    """
    trace = Trace(Graph(share=False))
    x = [trace.traced(trace.graph.input("argument", k, "x")) for k in range(n + 1)]
    found: list[Any] = []
    try:
        partials = row.rule(x[n], *x[:n])
    except (TypeError, ValueError, ArithmeticError):
        return None
    for partial in partials:
        if isinstance(partial, Traced):
            if isinstance(partial, Condition) or partial.index >= n:
                return None
            found.append(partial.index)
        elif isinstance(partial, Value):
            return None
        else:
            found.append(float(partial))
    return found if not row.masks else None


class _Rows:
    """Stands for `math` where the value of a row of one's own is traced: its functions are rows."""

    def __getattr__(self, name: str) -> Any:
        row = TABLE.get({"fabs": "abs", "fsum": "sum"}.get(name, name))
        return getattr(math, name) if row is None else row


def _formula(row: Primitive) -> Callable[..., Any] | None:
    """The formula of a row. That of a row of one's own may be its forward function, with rows for `math`."""
    given = row.decomposition
    if not isinstance(given, types.FunctionType) or given.__module__ == table.__name__:
        return given
    names = {name: _Rows() if x is math else x for name, x in given.__globals__.items()}
    return types.FunctionType(given.__code__, names, row.name, given.__defaults__, given.__closure__)


class _Lowering(Trace):
    """Writes each row that a target does not print by its formula, and so on for the rows in that.

    A row with neither stays as it is, for the printer to call or to refuse.
    """

    def __init__(self, target: str, keep: Collection[Primitive]) -> None:
        super().__init__(Graph())
        self.target = target
        # What the target prints; a row of one's own that was redefined since is not in the table.
        printed = {row for row in TABLE.values() if target in row.template}
        self.plain = {row for row in printed if (row, target) not in _FOR_TARGET} | set(keep)

    def again(self, op: Op, operands: tuple[int, ...]) -> int:
        return self.graph.copied(op, operands) if op in self.plain else self.made(op, operands)

    def made(self, op: Op, operands: tuple[int, ...]) -> int:
        if isinstance(op, Primitive) and op not in self.plain:
            formula = _FOR_TARGET.get((op, self.target)) or _formula(op)
            if formula is not None:
                try:
                    return self.index(formula(*self.numbers(operands)))
                except TypeError:  # it needs a number: the row can only be called as it is
                    pass
                except (ArithmeticError, ValueError):  # of constants: the eager engine says it with its place
                    return self.graph.constant(math.nan)
        return self.graph.add(op, operands)


def lowered(
    graph: Graph, outputs: list[int], target: str, keep: Collection[Primitive] = ()
) -> tuple[Graph, list[int]]:
    """The graph in operations that the target prints, or in rows to keep; and where the outputs went."""
    return rebuilt(graph, outputs, lowering(target, keep))


def lowering(target: str, keep: Collection[Primitive] = ()) -> Trace:
    """What writes graphs as `lowered` does, several into one."""
    return _Lowering(target, keep)


def _sigmoid_in_python(x: Any) -> Any:
    # One e^-x serves σ(x) and σ(-x). Its overflow is an exception in Python, which the eager engine settles.
    if isinstance(x, Traced) and x.primitive is table.neg:
        (x,) = x.operands
        e = table.exp(-x)
        return table.where(e < math.inf, e * (1.0 / (1.0 + e)), 1.0)
    return 1.0 / (1.0 + table.exp(-x))


def _rsqrt_without_errors(x: Any) -> Any:
    return 1.0 / abs(table.sqrt(x))  # of -0.0 as of 0.0: ∞


_FOR_TARGET: dict[tuple[Primitive, str], Callable[..., Any]] = {
    (table.sigmoid, "python"): _sigmoid_in_python,
    (table.rsqrt, "array"): _rsqrt_without_errors,
    (table.rsqrt, "c"): _rsqrt_without_errors,
}
