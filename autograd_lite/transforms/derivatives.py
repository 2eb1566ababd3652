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

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from autograd_lite.core.modes import enable_grad
from autograd_lite.core.numbers import real
from autograd_lite.core.value import Value
from autograd_lite.transforms.linear_map import LinearMap, Scalar, Variable, floats_or_values
from autograd_lite.transforms.pytrees import Pytree, flatten

Function: TypeAlias = Callable[..., Any]  # of pytrees, returns a pytree
Argnums: TypeAlias = int | Sequence[int]


class Run:
    """One run of a function, differentiated with respect to some of its arguments.

    ``arguments`` and ``result`` are pytrees taken apart, ``linear`` the linear map in between.
    """

    def __init__(
        self,
        f: Function,
        argnums: Argnums,
        arguments: Sequence[Pytree],
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.single = isinstance(argnums, int)
        positions = [argnums] if isinstance(argnums, int) else argnums
        count = len(arguments)
        try:
            self.chosen = [range(count)[k] for k in positions]
        except IndexError:
            were = "argument was" if count == 1 else "arguments were"
            raise TypeError(f"argnums={argnums} is out of range: {count} positional {were} given") from None
        self.arguments = flatten({k: arguments[k] for k in self.chosen}, "arguments")
        # Each number gets a variable of its own. A Value is multiplied by 1, which keeps -0.0 and links the
        # variable to the graph of that Value.
        one = Variable(1.0)
        inputs = [x * one if isinstance(x, Value) else Variable(x) for x in self.arguments.leaves]
        called = {**dict(enumerate(arguments)), **self.arguments.around(inputs)}
        try:
            with enable_grad():
                self.result = flatten(f(*called.values(), **(options or {})), "the result")
        finally:
            for x in (one, *inputs):
                if isinstance(x, Variable):
                    x.live = False
        self.linear = LinearMap(self.result.leaves, inputs, within=True)
        given = any(isinstance(x, Value) for x in self.arguments.leaves)
        if given or self.linear.live or self.linear.foreign:
            self.linear.record()

    def value(self) -> Pytree:
        """Return the function's result, as floats unless the derivatives are recorded."""
        return self.result.around(floats_or_values(self.result.leaves, self.linear.recorded))

    def like_arguments(self, leaves: Sequence[Scalar]) -> Pytree:
        """Return numbers in the containers of the chosen argument; a tuple of these for several."""
        trees = self.arguments.around(leaves)
        return trees[self.chosen[0]] if self.single else tuple([trees[k] for k in self.chosen])


def value_and_grad(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that gives the value of `f` and its gradient, ``(f(...), gradient)``, in one run.

    `argnums`, containers and errors are those of `grad`.

    >>> value_and_grad(lambda x, y: x * y)(3.0, 4.0)
    (12.0, 4.0)
    """

    def derivative(*arguments: Pytree, **options: object) -> tuple[Pytree, Pytree]:
        run = Run(f, argnums, arguments, options)
        count = len(run.result.leaves)
        if run.result.paths != [""]:
            raise TypeError(
                f"grad needs a function that returns one number, not {count} in a container: use jacobian"
            )
        return run.value(), run.like_arguments(run.linear.pull([(run.result.leaves[0], 1.0)]))

    return derivative


def grad(f: Function, argnums: Argnums = 0) -> Function:
    """Return the gradient of `f` as a function of the same arguments: ∂f/∂x for each number x in one of them.

    `argnums` is the position of the argument to differentiate with respect to, and the gradient has the
    containers of that argument; of several positions it is a tuple. The other arguments, and keyword
    arguments, are passed on as they are. No ``.grad`` is read or changed. `grad` also works within `no_grad`.

    Raises `TypeError` if `f` does not return one number, or if an argument holds something that is not a
    number, and says where: ``arguments[0]['w'][2]``.

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

    The Jacobian has the containers of the result of `f`, and in place of each yⱼ those of the argument: for
    lists of m and n numbers, m lists of n. `argnums` is that of `grad`. It costs a sweep over the graph for
    each input or for each output, whichever there are fewer of.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], 5.0])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0], [0.0, 0.0]]
    """

    def derivative(*arguments: Pytree, **options: object) -> Pytree:
        run = Run(f, argnums, arguments, options)
        inputs, outputs = run.linear.inputs, run.linear.outputs
        if len(inputs) < len(outputs):
            columns = [run.linear.push({x: 1.0}) for x in inputs]
            rows = [[column[j] for column in columns] for j in range(len(outputs))]
        else:
            rows = [run.linear.pull([(y, 1.0)]) for y in outputs]
        return run.result.around(map(run.like_arguments, rows))

    return derivative


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """Return the function that gives ∂²f/∂xᵢ∂xⱼ, n × n for n numbers: the `jacobian` of the `grad` of `f`.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """
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
