"""Derivatives of functions: `grad`, `jacobian`, `hessian`, `jvp`, `vjp`, `hvp`; `gradcheck` tests them.

A function is run once, on fresh Values for the numbers in its arguments. What it recorded is a linear map,
pulled back from the outputs (reverse mode) or pushed forward from the inputs (forward mode). No two
derivatives share a variable, so nested ones cannot confuse theirs, and composing them gives any order.

Arguments and results are *trees*: numbers, or lists, tuples, dicts and NumPy arrays of trees. Derivatives
come back in such containers, as floats; as recorded Values where Values from outside took part (the variable
of an outer derivative, the weights of a model), for then the derivatives depend on those too. Any leaf that
the function makes itself, by `detach` for one, may be such a Value, and counts as one.

The derivative rules live in `primitives.py`; `Value.backward`, which adds to ``.grad``, in `value.py`.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from autograd_lite.core.modes import enable_grad, no_grad
from autograd_lite.core.numbers import real
from autograd_lite.core.primitive import Tracer
from autograd_lite.core.value import Value
from autograd_lite.transforms.pytrees import flatten

Tree: TypeAlias = Any
Function: TypeAlias = Callable[..., Any]
Argnums: TypeAlias = int | Sequence[int]

# --- The linear map --------------------------------------------------------------------------------


class Variable(Value):
    """A leaf made here: while ``live``, derivatives taken inside depend on it; after that, a constant."""

    __slots__ = ("live",)

    def __init__(self, data: float, live: bool = True) -> None:
        super().__init__(data)
        self.live = live


class _Linear:
    """The derivative of outputs with respect to inputs in a recorded graph.

    ``order``: the nodes that link them, operands before consumers. ``linked``: those and the inputs, a set.
    ``live``, ``foreign``: whether the outputs depend on the variable of a derivative under way, or on leaves
    that were not made here. With `within`, what the inputs were made from is left out of all this.
    """

    def __init__(self, outputs: list[Any], inputs: list[Value], within: bool) -> None:
        self.outputs, self.inputs, self.linked = outputs, inputs, set(inputs)
        self.order: list[Value] = []
        self.live = self.foreign = self.recorded = False
        self.partials: Callable[[Value], tuple[Any, ...]] = operator.attrgetter("partials")
        seen = set(inputs) if within else set()
        stack: list[Any] = [y for y in outputs if isinstance(y, Value)]
        while stack:
            node = stack.pop()
            if node is None:  # all that the next one was made from is done
                node = stack.pop()
                for x, partial in zip(node.operands, node.partials, strict=True):
                    if partial is not None and x in self.linked:
                        self.order.append(node)
                        self.linked.add(node)
                        break
            elif node not in seen:
                seen.add(node)
                if node.primitive is not None:
                    stack += node, None
                    for x, partial in zip(node.operands, node.partials, strict=True):
                        if partial is not None and x not in seen:
                            stack.append(x)
                elif isinstance(node, Variable):
                    self.live = self.live or getattr(node, "live", False)  # a copy has no such slot
                else:
                    self.foreign = True

    def record(self) -> None:
        """Take the partials as functions of the operands, so that what comes out can be differentiated."""
        self.recorded = True
        kept = {node: partials_as_values(node) for node in self.order}
        # A partial may be a leaf, as ∂(w·x)/∂x is, whose data may change before the map is applied.
        numbers = {node: _numbers(partials) for node, partials in kept.items()}

        def partials(node: Value) -> tuple[Any, ...]:
            found = kept[node]
            if not all(map(_same, _numbers(found), numbers[node])):
                raise ValueError(_CHANGED.format(_made(node)))
            return found

        self.partials = partials

    def pull(self, seeds: Iterable[tuple[Any, Any]]) -> list[Any]:
        """Reverse mode, from outputs to inputs: adjoint(x) = Σ adjoint(node) · ∂node/∂x."""
        undecided = next((node for node in self.order if isinstance(node, Tracer)), None)
        if undecided is not None:  # a trace knows under which conditions an adjoint reaches a node
            return self.finished(self.inputs, undecided._pulled(seeds, self.inputs))
        adjoints: dict[Value, Any] = {}
        for y, seed in seeds:
            _add(adjoints, y, seed)
        for node in reversed(self.order):
            if node in adjoints:
                upstream = adjoints[node]
                for x, partial in zip(node.operands, self.partials(node), strict=True):
                    if partial is not None and x in self.linked:
                        _add(adjoints, x, upstream * partial)
        return self.finished(self.inputs, adjoints)

    def push(self, tangents: dict[Value, Any]) -> list[Any]:
        """Forward mode, from inputs to outputs: tangent(node) = Σ ∂node/∂x · tangent(x)."""
        for node in self.order:
            for x, partial in zip(node.operands, self.partials(node), strict=True):
                if partial is not None and x in tangents:
                    _add(tangents, node, partial * tangents[x])  # type: ignore[index]
        return self.finished(self.outputs, tangents)

    def finished(self, nodes: list[Any], found: dict[Value, Any]) -> list[Any]:
        recorded = self.recorded or any(isinstance(x, Value) for x in found.values())  # through the seeds
        return _plain([found.get(x, 0.0) for x in nodes], recorded)


def _add(totals: dict[Value, Any], node: Any, term: Any) -> None:
    totals[node] = totals[node] + term if node in totals else term


def _plain(leaves: list[Any], recorded: bool) -> list[Any]:
    if recorded:  # also a constant is a Value, for the caller may call its methods
        return [leaf if isinstance(leaf, Value) else Variable(leaf, live=False) for leaf in leaves]
    return [leaf.data if isinstance(leaf, Value) else leaf for leaf in leaves]


def _same(a: float | None, b: float | None) -> bool:
    return a == b or (a != a and b != b)


_CHANGED = (
    "{} no longer holds: data was changed after recording, so its rule cannot be run again; "
    "record the computation anew"
)


def _made(node: Value) -> str:
    row = node.primitive
    assert row is not None
    return f"{node!r} = {row.name}({', '.join(map(repr, node.operands))})"


def _numbers(partials: Iterable[Any]) -> list[float | None]:
    """What the partials are now; None where there is none, or it is not known while a program is traced."""
    return [None if isinstance(p, Tracer) else p.data if isinstance(p, Value) else p for p in partials]


def partials_as_values(node: Value) -> tuple[Any, ...]:
    """The partials of a node, by its rule on its operands; ValueError if data is not what it was."""
    row, operands = node.primitive, node.operands
    assert row is not None
    if isinstance(node, Tracer):  # while a program is traced there is no data yet
        return row.rule(node, *operands)
    numbers = [x.data if isinstance(x, Value) else x for x in operands]
    try:
        out = row.forward(*numbers)
        pairs = [*zip(node.partials, row.rule_on_floats(out, *numbers), strict=True)]
        fits = _same(out, node.data) and all(before is None or _same(before, now) for before, now in pairs)
    except (ArithmeticError, ValueError):
        fits = False
    if not fits:
        raise ValueError(_CHANGED.format(_made(node)))
    rule = row.rule(node, *operands)
    return tuple([None if p is None else r for p, r in zip(node.partials, rule, strict=True)])


class _Run:
    """One run of a function: the arguments to differentiate by, the result, and the linear map in between."""

    def __init__(
        self, f: Function, argnums: Argnums, arguments: Sequence[Tree], options: dict[str, Any]
    ) -> None:
        self.single = isinstance(argnums, int)
        positions = [argnums] if isinstance(argnums, int) else argnums
        count = len(arguments)
        try:
            self.chosen = [range(count)[k] for k in positions]
        except IndexError:
            raise TypeError(f"argnums={argnums}, but {count} arguments were given by position") from None
        self.arguments = flatten({k: arguments[k] for k in self.chosen}, "arguments")
        # Each number gets a variable of its own; times 1 (which keeps -0.0) ties it to what it stands for.
        one = Variable(1.0)
        inputs = [x * one if isinstance(x, Value) else Variable(x) for x in self.arguments.leaves]
        called = {**dict(enumerate(arguments)), **self.arguments.around(inputs)}
        try:
            with enable_grad():
                self.result = flatten(f(*called.values(), **options), "the result")
        finally:
            for x in (one, *inputs):
                if isinstance(x, Variable):
                    x.live = False
        self.linear = _Linear(self.result.leaves, inputs, within=True)
        given = any(isinstance(x, Value) for x in self.arguments.leaves)
        if given or self.linear.live or self.linear.foreign:
            self.linear.record()

    def value(self) -> Tree:
        return self.result.around(_plain(self.result.leaves, self.linear.recorded))

    def like_arguments(self, leaves: list[Any]) -> Tree:
        trees = self.arguments.around(leaves)
        return trees[self.chosen[0]] if self.single else tuple([trees[k] for k in self.chosen])


# --- Derivatives -----------------------------------------------------------------------------------


def value_and_grad(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function of the same arguments that gives ``(f(...), gradient)``, with one run of `f`.

    `argnums`, trees and errors as for `grad`.

    >>> value_and_grad(lambda x, y: x * y)(3.0, 4.0)
    (12.0, 4.0)
    """

    def derivative(*arguments: Tree, **options: Any) -> tuple[Any, Tree]:
        run = _Run(f, argnums, arguments, options)
        count = len(run.result.leaves)
        if run.result.paths != [""]:
            raise TypeError(
                f"grad needs a function that returns one number, not {count} in a container: use jacobian"
            )
        return run.value(), run.like_arguments(run.linear.pull([(run.result.leaves[0], 1.0)]))

    return derivative


def grad(f: Function, argnums: Argnums = 0) -> Function:
    """Return the gradient of `f` as a function of the same arguments: ∂f/∂x for each number x in one of them.

    `argnums` is the position of the argument to differentiate with respect to (the result is built like that
    argument), or several positions (the result is a tuple). Other arguments, and those given by keyword, are
    passed on as they are. No ``.grad`` is read or changed, and `grad` works within `no_grad`, too.

    Raises `TypeError` if `f` returns anything but one number, or if what should be a number is none: it says
    where, as in ``arguments[0]['w'][2]``.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda p, x: p["w"] * x + p["b"])({"w": 0.5, "b": 0.0}, 3.0)
    {'w': 3.0, 'b': 1.0}
    """
    both = value_and_grad(f, argnums)
    return lambda *arguments, **options: both(*arguments, **options)[1]


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that gives ∂yⱼ/∂xᵢ for each number yⱼ that `f` returns and each xᵢ in the argument.

    It is built like the result of `f`, with something built like the argument in the place of each yⱼ: of
    lists, a list of rows. `argnums` as for `grad`. It takes a sweep for each input or for each output, of
    whichever there are fewer.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], 5.0])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0], [0.0, 0.0]]
    """

    def derivative(*arguments: Tree, **options: Any) -> Tree:
        run = _Run(f, argnums, arguments, options)
        inputs, outputs = run.linear.inputs, run.linear.outputs
        if len(inputs) < len(outputs):
            columns = [run.linear.push({x: 1.0}) for x in inputs]
            rows = [[column[j] for column in columns] for j in range(len(outputs))]
        else:
            rows = [run.linear.pull([(y, 1.0)]) for y in outputs]
        return run.result.around(map(run.like_arguments, rows))

    return derivative


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that gives ∂²f/∂xᵢ∂xⱼ: the `jacobian` of the `grad` of `f`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return jacobian(grad(f, argnums), argnums)


def vjp(f: Function, *primals: Tree) -> tuple[Tree, Function]:
    """Return ``f(*primals)`` and its pullback: given adjoints built like the result, Σⱼ ȳⱼ ∂yⱼ/∂xᵢ.

    The pullback returns a tuple, with an entry for each primal, and may be called again and again. It raises
    `ValueError` if the adjoints are not built like the result.

    >>> y, pullback = vjp(lambda a, b: [a * b, a + b], 2.0, 3.0)
    >>> y, pullback([1.0, 10.0])
    ([6.0, 5.0], (13.0, 12.0))
    """
    run = _Run(f, range(len(primals)), primals, {})

    def pullback(adjoint: Tree) -> Tree:
        seeds = run.result.leaves_of(flatten(adjoint, "the adjoint"), "the adjoint and the result")
        return run.like_arguments(run.linear.pull(zip(run.linear.outputs, seeds, strict=True)))

    return run.value(), pullback


def jvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
    """Return ``f(*primals)`` and its derivative along the tangents, Σᵢ ∂yⱼ/∂xᵢ ẋᵢ, from one forward sweep.

    `primals` and `tangents` are tuples (or lists) with an entry for each argument of `f`. Raises `TypeError`
    if they are not, `ValueError` if the tangents are not built like the primals.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.5))
    (12.0, 5.5)
    """
    if not (isinstance(primals, tuple | list) and isinstance(tangents, tuple | list)):
        raise TypeError("primals and tangents must be tuples with an entry for each argument: (x,) for one")
    run = _Run(f, range(len(primals)), primals, {})
    flat = flatten(dict(enumerate(tangents)), "tangents")
    along = run.arguments.leaves_of(flat, "the tangents and the primals")
    return run.value(), run.result.around(run.linear.push(dict(zip(run.linear.inputs, along, strict=True))))


def hvp(f: Function, primals: Tree, tangents: Tree) -> Tree:
    """Return the Hessian of `f` times a vector, Σⱼ ∂²f/∂xᵢ∂xⱼ vⱼ, for the price of a few runs of `f`.

    `primals` is where and `tangents` the vector: of a function of several arguments, tuples with an entry for
    each, and so is the result; anything but a tuple is the one argument. It is the `jvp` of the `grad`.

    >>> hvp(lambda x: x[0] ** 2 * x[1], [3.0, 5.0], [1.0, 0.0])
    [10.0, 6.0]
    >>> hvp(lambda x, y: x**2 * y, (3.0, 5.0), (1.0, 0.0))
    (10.0, 6.0)
    """
    if type(primals) is not tuple:
        return jvp(grad(f), (primals,), (tangents,))[1]
    return jvp(grad(f, range(len(primals))), primals, tangents)[1]


def gradients(output: Value, inputs: Tree, seed: Any = 1.0, record: bool = False) -> Tree:
    """Return ∂output/∂x · `seed` for each x in `inputs`, Values of a graph that is recorded already.

    `inputs` is a Value or a tree of Values, which may be leaves or nodes; the result is built alike, with 0
    for what the output does not depend on. No ``.grad`` is read or changed. With ``record=True`` the results
    are Values, to be differentiated in turn (a gradient in a loss); so they are inside another derivative.

    Raises `TypeError` if `output` or one of `inputs` is no Value; with ``record=True`` `ValueError`, naming
    the node, if ``.data`` was changed after recording.

    >>> x = Value(3.0)
    >>> (slope,) = gradients(x**3, [x], record=True)
    >>> slope.data, gradients(slope, x)
    (27.0, 18.0)
    """
    flat = flatten(inputs, "inputs")
    names = ["output", *[f"inputs{path}" for path in flat.paths]]
    for what, node in zip(names, [output, *flat.leaves], strict=True):
        if not isinstance(node, Value):
            raise TypeError(f"{what} must be a Value, got {type(node).__name__} {node!r}")
    linear = _Linear([output], flat.leaves, within=False)
    if record or linear.live:
        linear.record()
    seed = seed if record and isinstance(seed, Value) else real(seed, "the seed")
    return flat.around(linear.pull([(output, seed)]))


# --- Checks ----------------------------------------------------------------------------------------


class GradcheckError(AssertionError):
    """What `gradcheck` found wrong: the operation, its operand, the derivative and what it should be."""


def gradcheck(f: Function, *point: Tree) -> bool:
    """Compare every derivative in ``f(*point)`` with differences: each operation's rule, then the whole.

    Returns True. Raises `GradcheckError` for the first derivative that is further off than the differences'
    own estimate of their error allows; it names the operation and the operand, so that a primitive with a
    wrong rule is found inside a large function. At a kink whatever lies between the slopes on its two sides
    is right. Where differences settle on no slope (a jump, a vertical tangent) it raises, too, and says so.

    >>> gradcheck(lambda x, y: (x * y).tanh() + x**y, 0.5, 2.0)
    True
    """
    run = _Run(f, range(len(point)), point, {})
    linear = run.linear
    for node in linear.order:
        row, numbers = node.primitive, [x.data if isinstance(x, Value) else x for x in node.operands]
        assert row is not None
        for k, derivative in enumerate(node.partials):
            if derivative is not None:
                what = f"{_made(node)}, operand {k}: the rule"
                _check(derivative, row.forward, numbers, k, what)

    def number(j: int, *numbers: float) -> float:
        with no_grad():
            result = f(*run.like_arguments([Value(x) for x in numbers]))
        return float(_plain(flatten(result, "the result").leaves, False)[j])

    for j, y in enumerate(linear.outputs):
        for k, derivative in enumerate(_plain(linear.pull([(y, 1.0)]), False)):
            what = (
                f"the result{run.result.paths[j]} by arguments{run.arguments.paths[k]}: each operation is "
                "right, but (because of .data, detach or no_grad?) the whole"
            )
            _check(derivative, functools.partial(number, j), [x.data for x in linear.inputs], k, what)
    return True


def _check(derivative: float, f: Callable[..., float], numbers: list[float], k: int, what: str) -> None:
    found: list[tuple[float, float]] = []
    for sides in ((0,), (-1, 1)):  # a kink has two slopes, and the difference across it is neither
        slopes = [_slope(lambda x: f(*numbers[:k], x, *numbers[k + 1 :]), numbers[k], side) for side in sides]
        settled = [slope for slope in slopes if slope is not None]
        if len(settled) == len(sides):
            found = settled
            room = [(slope, 10.0 * error + 1e-9 * math.fabs(slope)) for slope, error in found]
            if min(s - r for s, r in room) <= derivative <= max(s + r for s, r in room):
                return
    shown = " and ".join(f"{slope!r} (± {error:.1g})" for slope, error in found)
    raise GradcheckError(f"{what} gives {derivative!r}, differences give {shown or 'no slope at this point'}")


def _slope(f: Callable[[float], float], x: float, side: int) -> tuple[float, float] | None:
    """f'(x) by differences, from one side if `side` is ±1, and about how far off; None if they do not settle.

    The step is halved again and again. Entry n of a row combines the differences of n + 1 steps so that their
    errors cancel up to the power n of the step, 2n for differences across x (Richardson's extrapolation).
    """
    size = max(1.0, math.fabs(x))
    unseen = math.ulp(f(x)) / size + sys.float_info.min  # a slope that is lost in rounding
    step = 0.25 * max(1.0, size * 2.0**-20)
    best: tuple[float, float] | None = None
    least = math.inf
    coarser: list[float] = []
    while step > 1e-18:
        left, right = x - step * (side <= 0), x + step * (side >= 0)
        step *= 0.5
        try:
            a, b = f(left), f(right)
            row = [(b - a) / (right - left)]
            rounding = (math.ulp(a) + math.ulp(b)) / (right - left)
        except (ArithmeticError, ValueError):  # beyond the domain, or left is right
            row, rounding = [math.nan], math.nan  # which spreads to all that uses it
        for n, other in enumerate(coarser, 1):
            better = row[-1] + (row[-1] - other) / (2.0 ** (n if side else 2 * n) - 1.0)
            error = max(math.fabs(better - row[-1]), math.fabs(better - other)) + rounding
            row.append(better)
            relative = error / (math.fabs(better) + unseen)
            if relative < least and error <= 1e-4 * math.fabs(better) + 1e4 * rounding:
                best, least = (better, error), relative
        if best is not None and (least < 1e-11 or rounding > 1e3 * best[1]):
            break
        coarser = row[:7]
    return best
