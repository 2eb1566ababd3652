"""Derivatives of functions: `grad`, `jacobian`, `hessian`, `jvp`, `vjp`, `hvp`, and `gradients` of a graph.

A function is run once, on fresh Values for the numbers in its arguments. The recorded graph is a linear map
(`linear_map.py`), which is applied forward or in reverse. Each derivative has variables of its own, so nested
derivatives do not interfere, and composing them gives any order.

Arguments and results are *pytrees* (`pytrees.py`): numbers, or lists, tuples, dicts and NumPy arrays of
pytrees. Derivatives come back in the same containers, as floats. They are recorded Values if the result
depends on Values from outside, such as the variable of an outer derivative or the weights of a model, because
the derivatives then depend on these, too. A leaf that the function itself makes, for example by `detach`,
looks the same, so it counts as one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from autograd_lite.core.modes import enable_grad
from autograd_lite.core.numbers import real
from autograd_lite.core.value import Value
from autograd_lite.transforms.linear_map import LinearMap, Scalar, Variable, floats_or_values
from autograd_lite.transforms.pytrees import Pytree, flatten

Function: TypeAlias = Callable[..., Any]  # of pytrees, returns a pytree
Argnums: TypeAlias = int | str | Sequence[int | str]  # positions or names of arguments


class Run:
    """One run of a function, differentiated with respect to some of its arguments.

    ``arguments`` and ``result`` are pytrees taken apart, ``linear`` the linear map in between.
    """

    def __init__(
        self,
        f: Function,
        argnums: Argnums,
        arguments: Sequence[Pytree],
        options: Mapping[str, Pytree] | None = None,
        *,
        has_aux: bool = False,
    ) -> None:
        given: dict[Any, Pytree] = {**dict(enumerate(arguments)), **(options or {})}
        self.single = isinstance(argnums, int | str)
        chosen = [argnums] if isinstance(argnums, int | str) else argnums
        self.chosen = [_key(argument, len(arguments), given, f) for argument in chosen]
        self.arguments = flatten({key: given[key] for key in self.chosen}, "arguments")
        # Each number gets a variable of its own. A Value is multiplied by 1, which keeps -0.0 and links the
        # variable to the graph of that Value.
        one = Variable(1.0)
        inputs = [x * one if isinstance(x, Value) else Variable(x) for x in self.arguments.leaves]
        given |= self.arguments.around(inputs)
        positional = [given.pop(k) for k in range(len(arguments))]
        self.aux: Pytree = None
        try:
            with enable_grad():
                returned = f(*positional, **given)
            if has_aux:
                if not isinstance(returned, tuple) or len(returned) != 2:
                    raise TypeError(
                        f"has_aux=True wants a function that returns (value, aux), got {returned!r:.60}"
                    )
                returned, self.aux = returned
            self.result = flatten(returned, "the result")
        finally:
            for x in (one, *inputs):
                if isinstance(x, Variable):
                    x.live = False
        self.linear = LinearMap(self.result.leaves, inputs, within=True)
        recorded = any(isinstance(x, Value) for x in self.arguments.leaves)
        if recorded or self.linear.live or self.linear.foreign:
            self.linear.record()

    def value(self) -> Pytree:
        """Return the function's result, as floats unless the derivatives are recorded."""
        return self.result.around(floats_or_values(self.result.leaves, self.linear.recorded))

    def like_arguments(self, leaves: Sequence[Scalar]) -> Pytree:
        """Return numbers in the containers of the chosen argument; a tuple of these for several."""
        trees = self.arguments.around(leaves)
        return trees[self.chosen[0]] if self.single else tuple([trees[k] for k in self.chosen])


def _key(argument: int | str, count: int, given: Mapping[int | str, Pytree], f: Function) -> int | str:
    """Return the key in `given` of an argument by position or by name; `count` are given by position."""
    if isinstance(argument, str):
        if argument in given:  # by keyword
            return argument
        try:
            names = [*inspect.signature(f).parameters][:count]
        except (TypeError, ValueError):  # a function that does not say how it is called
            names = []
        if argument in names:
            return names.index(argument)
        shown = f"its arguments by position are {', '.join(names)}" if names else "it has none of that name"
        raise TypeError(f"argnums={argument!r}, but no argument of that name was given: {shown}")
    try:
        return range(count)[argument]
    except IndexError:
        were = "argument was" if count == 1 else "arguments were"
        raise TypeError(f"argnums={argument} is out of range: {count} positional {were} given") from None


def _check_function(f: object, name: str) -> None:
    """Raise `TypeError` unless `f` is a function; of a Value say how to differentiate it."""
    if isinstance(f, Value):
        raise TypeError(
            f"{name} takes a function, and {f!r} is a recorded Value: write gradients(loss, [a, b]) for its "
            f"gradients, or {name}(lambda a, b: a * b, (0, 1))(2.0, 3.0) for those of a function"
        )
    if not callable(f):
        raise TypeError(f"{name} takes a function, got {type(f).__name__} {f!r:.60}")


def value_and_grad(f: Function, argnums: Argnums = 0, *, has_aux: bool = False) -> Function:
    """Return the function that gives the value of `f` and its gradient, ``(f(...), gradient)``, in one run.

    With ``has_aux=True`` it gives ``((value, aux), gradient)``. `argnums`, containers and errors are those of
    `grad`.

    >>> value_and_grad(lambda x, y: x * y)(3.0, 4.0)
    (12.0, 4.0)
    """
    _check_function(f, "value_and_grad")

    def derivative(*arguments: Pytree, **options: Pytree) -> tuple[Pytree, Pytree]:
        run = Run(f, argnums, arguments, options, has_aux=has_aux)
        count = len(run.result.leaves)
        if run.result.paths != [""]:
            raise TypeError(
                f"grad needs a function that returns one number, not {count} in a container: use jacobian, "
                "or has_aux=True if it returns (value, aux)"
            )
        gradient = run.like_arguments(run.linear.pull([(run.result.leaves[0], 1.0)]))
        return ((run.value(), run.aux) if has_aux else run.value()), gradient

    derivative.__wrapped__ = f  # type: ignore[attr-defined] # the names of its arguments, for `argnums`
    return derivative


def grad(f: Function, argnums: Argnums = 0, *, has_aux: bool = False) -> Function:
    """Return the gradient of `f` as a function of the same arguments: ∂f/∂x for each number x in one of them.

    `argnums` is the position or the name of the argument to differentiate with respect to, and the gradient
    has the containers of that argument; of several it is a tuple. The other arguments are passed on as they
    are. With ``has_aux=True``, `f` returns ``(value, aux)`` and the gradient function ``(gradient, aux)``,
    whatever aux is. No ``.grad`` is read or changed. `grad` also works within `no_grad`.

    Raises `TypeError` if `f` does not return one number, or if an argument holds something that is not a
    number, and says where: ``arguments[0]['w'][2]``. For a Value that is already recorded there is
    `gradients`.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda p, x: p["w"] * x + p["b"])({"w": 0.5, "b": 0.0}, 3.0)
    {'w': 3.0, 'b': 1.0}
    >>> grad(lambda w, x: (w * x, "seen"), "x", has_aux=True)(2.0, x=3.0)
    (2.0, 'seen')
    """
    _check_function(f, "grad")
    both = value_and_grad(f, argnums, has_aux=has_aux)

    def derivative(*arguments: Pytree, **options: Pytree) -> Pytree:
        value, gradient = both(*arguments, **options)
        return (gradient, value[1]) if has_aux else gradient

    derivative.__wrapped__ = f  # type: ignore[attr-defined] # the names of its arguments, for `argnums`
    return derivative


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that gives ∂yⱼ/∂xᵢ for each number yⱼ that `f` returns and each xᵢ in the argument.

    The Jacobian has the containers of the result of `f`, and in place of each yⱼ those of the argument: for
    lists of m and n numbers, m lists of n. `argnums` is that of `grad`. It costs a sweep over the graph for
    each input or for each output, whichever there are fewer of.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], 5.0])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0], [0.0, 0.0]]
    """
    _check_function(f, "jacobian")

    def derivative(*arguments: Pytree, **options: Pytree) -> Pytree:
        run = Run(f, argnums, arguments, options)
        inputs, outputs = run.linear.inputs, run.linear.outputs
        if len(inputs) < len(outputs):
            columns = [run.linear.push({x: 1.0}) for x in inputs]
            rows = [[column[j] for column in columns] for j in range(len(outputs))]
        else:
            rows = [run.linear.pull([(y, 1.0)]) for y in outputs]
        return run.result.around(map(run.like_arguments, rows))

    derivative.__wrapped__ = f  # type: ignore[attr-defined] # the names of its arguments, for `argnums`
    return derivative


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that gives ∂²f/∂xᵢ∂xⱼ, n × n for n numbers: the `jacobian` of the `grad` of `f`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """
    _check_function(f, "hessian")
    return jacobian(grad(f, argnums), argnums)


def vjp(f: Function, *primals: Pytree) -> tuple[Pytree, Function]:
    """Return ``f(*primals)`` and its pullback, the function from adjoints ȳ to Σⱼ ȳⱼ ∂yⱼ/∂xᵢ.

    The adjoints have the containers of the result; anything else is a `ValueError`. The pullback returns a
    tuple with an entry for each primal, and may be called many times.

    >>> y, pullback = vjp(lambda a, b: [a * b, a + b], 2.0, 3.0)
    >>> y, pullback([1.0, 10.0])
    ([6.0, 5.0], (13.0, 12.0))
    """
    run = Run(f, range(len(primals)), primals)

    def pullback(adjoint: Pytree) -> Pytree:
        seeds = run.result.leaves_of(flatten(adjoint, "the adjoint"), "the adjoint and the result")
        return run.like_arguments(run.linear.pull(zip(run.linear.outputs, seeds, strict=True)))

    return run.value(), pullback


def jvp(f: Function, primals: Sequence[Pytree], tangents: Sequence[Pytree]) -> tuple[Pytree, Pytree]:
    """Return ``f(*primals)`` and its derivative along the tangents ẋ, Σᵢ ∂yⱼ/∂xᵢ ẋᵢ, in one forward sweep.

    `primals` and `tangents` are tuples or lists with an entry for each argument of `f`; anything else is a
    `TypeError`. Raises `ValueError` if the tangents do not have the containers of the primals.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.5))
    (12.0, 5.5)
    """
    if not (isinstance(primals, tuple | list) and isinstance(tangents, tuple | list)):
        raise TypeError("primals and tangents must be tuples with an entry for each argument: (x,) for one")
    run = Run(f, range(len(primals)), primals)
    flat = flatten(dict(enumerate(tangents)), "tangents")
    along = run.arguments.leaves_of(flat, "the tangents and the primals")
    return run.value(), run.result.around(run.linear.push(dict(zip(run.linear.inputs, along, strict=True))))


def hvp(f: Function, primals: Pytree, tangents: Pytree) -> Pytree:
    """Return the Hessian of `f` times a vector, Σⱼ ∂²f/∂xᵢ∂xⱼ vⱼ, at the cost of a few runs of `f`.

    `primals` is the point and `tangents` the vector v. For a function of several arguments both are tuples
    with an entry for each, and so is the result; anything but a tuple is the only argument. It is the `jvp`
    of the `grad`.

    >>> hvp(lambda x: x[0] ** 2 * x[1], [3.0, 5.0], [1.0, 0.0])
    [10.0, 6.0]
    >>> hvp(lambda x, y: x**2 * y, (3.0, 5.0), (1.0, 0.0))
    (10.0, 6.0)
    """
    if type(primals) is not tuple:
        return jvp(grad(f), (primals,), (tangents,))[1]
    return jvp(grad(f, range(len(primals))), primals, tangents)[1]


def gradients(output: Value, inputs: Pytree, seed: Scalar = 1.0, record: bool = False) -> Pytree:
    """Return ∂output/∂x · `seed` for each x in `inputs`, Values of a graph that is already recorded.

    `inputs` is a Value or a pytree of Values, leaves or other nodes. The result has the same containers, with
    0 for a Value that the output does not depend on. No ``.grad`` is read or changed. With ``record=True``,
    and inside another derivative, the results are Values that can be differentiated in turn, for example to
    put a gradient into a loss.

    Raises `TypeError` if `output` or one of `inputs` is not a Value, and, with ``record=True``, `ValueError`
    with the name of the node if ``.data`` was changed after recording.

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
    linear = LinearMap([output], flat.leaves, within=False)
    if record or linear.live:
        linear.record()
    seed = seed if record and isinstance(seed, Value) else real(seed, "the seed")
    return flat.around(linear.pull([(output, seed)]))
