"""`Calls`: a program at one point, from arguments in their containers to numbers and back.

Where compiled code fails or gives a number that is not finite, the eager engine computes the result or raises
its located error. Next door: the forms (`forms.py`) and many points at once (`batching.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from types import ModuleType

from autograd_lite.compiler.codegen import python
from autograd_lite.compiler.forms import Forms
from autograd_lite.compiler.runtime.interface import Summing, Sums
from autograd_lite.compiler.runtime.machine import Machine
from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel
from autograd_lite.transforms.batches import numbers_of
from autograd_lite.transforms.pytrees import Leaf, Pytree

FLOAT = {float}
# Of so many operations the text takes longer to write than the loops, which NumPy then runs in less time.
LONG_TEXT = 3_000
# Errors of compiled code. The eager engine then refuses the numbers, too, or computes the result after all.
FAILURES = (ArithmeticError, ValueError, TypeError, LookupError)


class Calls(Forms):
    """Runs a program at one point."""

    # --- Leaves

    def leaf_numbers(self) -> list[float]:
        """Return the data of the leaves, read without the property, which takes three times as long."""
        return [leaf._data for leaf in self.leaves]

    def set_leaf_numbers(self, numbers: Sequence[float]) -> None:
        """Set the data of the leaves to floats, without the property, which would check each of them."""
        for leaf, number in zip(self.leaves, numbers, strict=True):
            leaf._data = number

    def add_gradients(self, gradients: Sequence[float], scale: float) -> None:
        """Add `scale` times the gradients with respect to the leaves to their ``grad``."""
        if scale != 1.0:
            gradients = [gradient * scale for gradient in gradients]
        for leaf, gradient in zip(self.leaves, gradients, strict=True):
            leaf._grad = gradient if leaf._grad is None else leaf._grad + gradient

    # --- The function that runs

    @property
    def _shown(self) -> str:
        """Whether the gradients of a call are with respect to "argument" or "leaf"."""
        return "argument" if self.arguments else "leaf"

    @cached_property
    def _by_arguments(self) -> Callable[..., Pytree]:
        return self._compiled(self._shown)

    @cached_property
    def leaf_function(self) -> Callable[..., Pytree]:
        """The plain function behind `backward`: of the arguments and the numbers of the leaves."""
        return self._compiled("leaf")

    def _compiled(self, kind: str) -> Callable[..., Pytree]:
        if self.form in ("machine code", "loops"):
            return partial(self._by_kernel, self.kernel("leaf"))
        if self.form == "source":
            text, opaque = self._printed(kind)
            return python.load(text, self.name, {name: row.forward for name, row in opaque.items()})
        return lambda *given: self._on_tape(kind, given)

    def _by_kernel(self, kernel: Summing, leaves: Sequence[float]) -> Sums:
        """Call a recorded loss. The eager engine may raise an error where a kernel returns NaN or ∞."""
        value, gradients = kernel((), leaves)
        if not math.isfinite(value + sum(gradients)) and not all(map(math.isfinite, (value, *gradients))):
            (value,), gradients = self._eager([], leaves, "leaf")
        return value, gradients

    def _on_tape(self, kind: str, given: tuple[Pytree, ...]) -> Pytree:
        *arguments, leaves = given if self.leaves else (*given, [])
        numbers = self._flat(arguments)
        if not self.scalar or self._tape is None:
            return self._settled(arguments, kind)
        self.checks.run(numbers, leaves)
        value, gradients = self._taped(kind, numbers, leaves)
        return value, gradients if kind == "leaf" else self._like_arguments(iter(gradients))

    # --- Machine code for one sample

    def _caller(self, kind: str) -> Machine | None:
        """Return machine code that has been made, if a call by it takes less time than by the source."""
        if not self.arguments or not self.is_worth_a_machine:
            return None
        if kind == "leaf":
            return self._machine
        found = self._kernels.get("each argument")
        return found if isinstance(found, Machine) else None

    def _called(self, machine: Machine, arguments: Sequence[Pytree]) -> list[float] | None:
        """Return what machine code computes for the arguments, in which arrays stay as they are.

        None stands for the eager engine's word: numbers that are not finite, or arguments that it refuses.
        """
        self._count_arguments(arguments)
        leaves = self.leaf_numbers()
        try:
            if self.checks:
                self.checks.run(self._flat(arguments), leaves)
            pairs = zip(self.arguments, arguments, strict=True)
            found = machine.one([numbers_of(tree, x, given) for (given, tree), x in pairs], leaves)
        except FAILURES:
            return None
        return found if math.isfinite(sum(found)) or all(map(math.isfinite, found)) else None

    def _built(self, found: Iterator[Leaf]) -> Pytree:
        """Return the result of a call from its numbers: the values, then the gradients of the arguments."""
        value = self.result.build(found)
        return (value, self._like_arguments(found)) if self.scalar else value

    # --- Numbers in a row: what `jit` calls

    def values_at(self, numbers: list[float], leaves: list[float]) -> list[float]:
        """Return the values of a program without gradients, whose only argument is a list of numbers."""
        try:
            if self._native is None:
                given = (leaves,) if self.leaves else ()
                out = self._by_arguments(*([numbers] if self.arguments else []), *given)
            else:
                self._check_one(numbers, leaves)
                out = self._row(self._each("argument", self._native), numbers, leaves)
            settled = not math.isfinite(sum(out)) and not all(map(math.isfinite, out))
        except FAILURES:
            settled = True
        return self._eager(numbers, leaves, "argument")[0] if settled else out

    def gradient_at(self, numbers: list[float], leaves: list[float]) -> Sums:
        """Return the value and the gradient by the leaves; the only argument is a list of numbers."""
        try:
            if self._machine is not None:
                self._check_one(numbers, leaves)
                value, *gradients = self._row(self._machine, numbers, leaves)
            elif (in_arrays := self._arrays_at) is not None:
                self._check_one(numbers, leaves)
                value, gradients = in_arrays(numbers, leaves)
            else:
                value, gradients = self.leaf_function(*([numbers] if self.arguments else []), leaves)
            total = value + sum(gradients)
            settled = not math.isfinite(total) and not all(map(math.isfinite, (value, *gradients)))
        except FAILURES:
            settled = True
        if settled:
            (value,), gradients = self._eager(numbers, leaves, "leaf")
        return value, gradients

    @cached_property
    def _arrays_at(self) -> Callable[[list[float], list[float]], Sums] | None:
        """The loops of a large program in NumPy; None where the text is shorter or NumPy is missing."""
        kernel = self.kernel("leaf") if self._source_size >= LONG_TEXT else None
        if not isinstance(kernel, NumpyKernel) or not self._is_short(kernel):
            return None
        array, run = kernel.np.array, kernel
        return lambda numbers, leaves: run([array([x]) for x in numbers], leaves)

    def _row(self, machine: Machine, numbers: list[float], leaves: list[float]) -> list[float]:
        """Return what a machine computes for one sample."""
        return machine.one([numbers] if self.arguments else [], leaves)

    @cached_property
    def _check_one(self) -> Callable[[list[float], list[float]], None]:
        """The checks of one sample as a function, which raises an error where the numbers are refused."""
        if not self.checks:
            return lambda numbers, leaves: None
        text, _ = python.function_source(
            self.checks.graph, [], name="check", title="Checks.", arguments=self.arguments,
            leaves=len(self.leaves), result=lambda _: "None", forward=0, named=False, checks=self.checks,
        )  # fmt: skip
        check = python.load(text, "check", {})
        return check if self.arguments and self.leaves else lambda *given: check(*filter(None, given))

    # --- Containers

    def _settled(self, arguments: Sequence[Pytree], kind: str) -> Pytree:
        """Return the eager engine's result where the compiled code failed, or raise its located error."""
        values, gradients = self._eager(self._flat(arguments), self.leaf_numbers(), kind)
        if not self.scalar:
            return self.result.build(iter(values))
        return values[0], gradients if kind == "leaf" else self._like_arguments(iter(gradients))

    def _needs_scalar(self) -> None:
        if not self.scalar:
            raise TypeError(
                f"{self.name} returns {len(self.outputs)} numbers: only one number has a gradient"
            )

    def needs_leaves(self) -> None:
        """Raise `TypeError` unless there is one value, which depends on leaves that can be moved."""
        self._needs_scalar()
        if not self.leaves:
            raise TypeError(f"{self.name} has no leaves: there is nothing to move")

    def _count_arguments(self, arguments: Sequence[Pytree]) -> None:
        if len(arguments) != len(self.arguments):
            raise TypeError(f"{self.name}() takes {len(self.arguments)} arguments, got {len(arguments)}")

    def _floats(self, arguments: Sequence[Pytree]) -> tuple[Pytree, ...]:
        """Return the arguments in floats: NumPy's own numbers would compute in their own precision."""
        self._count_arguments(arguments)
        return tuple(
            [tree.floats(x, given) for (given, tree), x in zip(self.arguments, arguments, strict=True)]
        )

    def _flat(self, arguments: Sequence[Pytree]) -> list[float]:
        self._count_arguments(arguments)
        pairs = zip(self.arguments, arguments, strict=True)
        return [number for (given, tree), x in pairs for number in tree.flat(x, given)]

    def _like_arguments(self, gradients: Iterator[Leaf]) -> Pytree:
        """Return gradients shaped like the arguments, or like the argument if there is only one."""
        built = [tree.build(gradients) for _, tree in self.arguments]
        return built[0] if len(built) == 1 else tuple(built)

    def _as_arrays(self, returned: Pytree) -> Pytree:
        if not self.scalar:
            return returned
        value, gradients = returned
        several = gradients if len(self.arguments) > 1 else (gradients,)
        pairs = zip(self.arguments, several, strict=True)
        return value, self._like_arguments(x for (given, tree), g in pairs for x in tree.flat(g, given))

    def function(self, namespace: ModuleType = math) -> Callable[..., Pytree]:
        """Return a plain function of the arrays of a namespace, for `jax.jit` or a GPU.

        It takes arguments shaped like the example, with an array in place of each number, and then, if there
        are leaves, the list of their data. It returns the result of a call, with NaN where a call refuses a
        label. For `math` it is the function in ``source``. Its products and sums stand in their order, but
        `jax.jit` fuses some of them on processors that can, unless XLA_FLAGS is --xla_cpu_max_isa=AVX.
        """
        if namespace is math:
            return self._by_arguments
        kind = self._shown
        run = self._array_function(kind, namespace)
        demands = self._demands(namespace)

        def function(*arguments: Pytree) -> Pytree:
            *given, leaves = arguments if self.leaves else (*arguments, [])
            columns: list[Leaf] = []
            for (_, tree), x in zip(self.arguments, given, strict=True):
                tree.collect(x, columns)
            out = run(columns, leaves)
            for holds in demands(columns, leaves):
                out = [namespace.where(holds, x, math.nan) for x in out]
            rest = iter(out)
            value = self.result.build(rest)
            if not self.scalar:
                return value
            if kind == "leaf":
                return value, list(rest)
            return value, self._like_arguments(rest)

        function.__name__ = self.name
        return function
