"""The computation of a program (`Computation`), and the forms in which it can run (`Forms`).

The forms are Python source for a graph of moderate size, a tape or loops for a larger one, and loops in NumPy
or machine code for batches. Next door: batches of samples (`batching.py`) and what a user calls
(`program.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from types import ModuleType
from typing import Any, TypeAlias

from autograd_lite.compiler.codegen import arrays, python
from autograd_lite.compiler.frontend.checks import Checks
from autograd_lite.compiler.frontend.recording import Recording
from autograd_lite.compiler.ir.graph import Graph, Op
from autograd_lite.compiler.loops import lowering
from autograd_lite.compiler.loops.ir import LoopProgram
from autograd_lite.compiler.loops.reroll import reroll
from autograd_lite.compiler.loops.vectorize import VectorizedBatch, vectorize
from autograd_lite.compiler.passes.differentiate import differentiate
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.compiler.runtime.interface import Columns, Numbers, Summing, Sums
from autograd_lite.compiler.runtime.interpreter import Tape, TapeKernel, input_values, replay
from autograd_lite.compiler.runtime.machine import Machine
from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.value import Value
from autograd_lite.transforms.batches import Column
from autograd_lite.transforms.pytrees import Tree

# Python compiles straight-line code in about 30 µs per operation. Above this many operations that takes
# longer than a tape loses in a thousand runs.
STRAIGHT_LINE = 20_000
# The number of operations per operand of these rows, derivative included, once the source writes them out.
WRITTEN_OUT = 20
_WRITTEN_OUT = {TABLE["logsumexp"], TABLE["softmax_cross_entropy"]}
# A call of machine code takes about 10 µs besides its work. With so many operands the source takes as long:
# on MLPs of 8 inputs it takes 0.6 of the time with 160 operands, 1.1 with 870 and 1.4 with 2,750.
MANY = 500
# NumPy takes about 3 µs for a loop, the tape half a microsecond for an operation and its derivative.
LOOP = 6
# Searching for samples takes a quarter of a millisecond per nest: too much for a long recurrence.
MANY_NESTS = 3_000

# A function of columns and leaves, in the arrays of a namespace, that returns a column for each output.
ColumnFunction: TypeAlias = Callable[[Sequence[Column], Numbers], list[Column]]
# Settings of machine code: the type of its numbers, whether it may reorder sums, and the threads.
How: TypeAlias = tuple[str, bool, int]


@contextmanager
def in_sample(i: int) -> Iterator[None]:
    """Put the number of the sample in front of error messages."""
    try:
        yield
    except (ArithmeticError, ValueError, TypeError, LookupError) as error:
        raise type(error)(f"sample {i}: {error}") from error


class Computation:
    """The operations of a program, its arguments and leaves, and its gradients as operations.

    `kind` is "argument" or "leaf": the inputs that gradients are taken with respect to. ``origin`` is a graph
    with its outputs or, for a recorded loss, a `Recording`, which becomes a graph on demand.
    """

    def __init__(
        self,
        origin: tuple[Graph, list[int]] | Recording,
        operations: int,
        result: Tree,
        arguments: Sequence[tuple[str, Tree]],
        leaves: Sequence[Value],
        name: str,
        checks: Checks | None = None,
    ) -> None:
        self._origin = origin
        self.checks = checks or Checks()
        self._operations = operations
        self.result = result
        self.arguments = tuple(arguments)  # tuples, because the compiled forms rely on their lengths
        self.leaves = tuple(leaves)
        self.name = name
        self.scalar = result.kind == "number"
        self._count = sum(len(tree.paths) for _, tree in arguments)
        self._arrays = any(tree.has_arrays for _, tree in arguments)
        self._gradients: dict[str, list[int]] = {}
        self._start()

    def _start(self) -> None:
        """Clear everything that is compiled anew after unpickling."""

    def __getstate__(self) -> dict[str, object]:
        kept = ("_origin", "checks", "result", "arguments", "leaves", "name", "scalar", "_count", "_arrays")
        state = {slot: self.__dict__[slot] for slot in (*kept, "_operations")}
        # Gradients are nodes of the graph. The graph of a recorded loss is made again, so they are not kept.
        state["_gradients"] = {} if isinstance(self._origin, Recording) else self._gradients
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1 wrote no checks, and lists where tuples are now.
        kept = {"checks": Checks(), **state}
        self.__dict__ |= kept | {name: tuple(kept[name]) for name in ("arguments", "leaves")}
        self._start()

    @cached_property
    def _listed(self) -> tuple[Graph, list[int]]:
        if isinstance(self._origin, Recording):
            with collector_paused():
                return self._origin.graph()
        return self._origin

    @property
    def graph(self) -> Graph:
        """The operations; those of a recorded loss are listed on first use."""
        return self._listed[0]

    @property
    def outputs(self) -> list[int]:
        """The nodes of ``graph`` that are returned."""
        return self._listed[1]

    @cached_property
    def _source_size(self) -> int:
        """About how many operations the source has."""
        origin = self._origin
        pairs: Iterator[tuple[Op, int]]
        if isinstance(origin, Recording):
            pairs = zip(map(origin.rows.__getitem__, origin.codes), origin.counts, strict=True)
        else:
            pairs = zip(origin[0].ops, map(len, origin[0].operands), strict=True)
        many = [n for row, n in pairs if n > 2 and isinstance(row, Primitive) and row in _WRITTEN_OUT]
        return self._operations + WRITTEN_OUT * sum(many)

    @cached_property
    def is_worth_a_machine(self) -> bool:
        """Whether a call by machine code takes less time than one by the source."""
        origin = self._origin
        counts = origin.counts if isinstance(origin, Recording) else map(len, origin[0].operands)
        return sum(counts) >= MANY

    # --- Gradients

    def _inputs(self, kind: str) -> list[int | None]:
        """Return the node of each argument or leaf, None for one that is not used."""
        place = {self.graph.numbers[i]: i for i, op in enumerate(self.graph.ops) if op == kind}
        return [place.get(k) for k in range(self._count if kind == "argument" else len(self.leaves))]

    def _nodes(self, kind: str) -> list[int]:
        """Return the outputs and, if there is one, its gradient by the arguments or the leaves."""
        if not self.scalar:
            return self.outputs
        if kind not in self._gradients:
            inputs = self._inputs(kind)
            zero = self.graph.constant(0.0)
            used = [i for i in inputs if i is not None]
            with collector_paused():
                found = iter(differentiate(self.graph, self.outputs[0], used))
            self._gradients[kind] = [zero if i is None else next(found) for i in inputs]
        return [*self.outputs, *self._gradients[kind]]

    def _loops(self, kind: str, target: str) -> LoopProgram:
        """Return the outputs and the gradients as loops."""
        return reroll(self._nests(kind, target), arrays.numpy())

    def _nests(self, kind: str, target: str) -> LoopProgram:
        np = arrays.numpy()
        if isinstance(self._origin, Recording) and lowering.derives_recording(self._origin):
            return lowering.lower_recording(self._origin, target, np)
        if self.scalar and lowering.derives(self.graph, self.outputs[0]):
            count = self._count if kind == "argument" else len(self.leaves)
            return lowering.lower_gradient(self.graph, self.outputs[0], kind, count, target, np)
        return lowering.lower_to_loops(self.graph, self._nodes(kind), target, np)

    def _vectorized(self, kind: str, target: str) -> LoopProgram | VectorizedBatch:
        """Return the same as loops; if a batch of samples was recorded, as the loops of one sample."""
        np = arrays.numpy()
        program = self._nests(kind, target)
        found = None if self.arguments or len(program.nests) > MANY_NESTS else vectorize(program, np)
        return replace(found, program=reroll(found.program, np)) if found else reroll(program, np)

    # --- One sample by the eager engine, which defines every result

    def _eager(
        self, numbers: Sequence[float], leaves: Sequence[float], kind: str
    ) -> tuple[list[float], list[float]]:
        """Return the values and, if there is one, its gradient. Raises the eager engine's errors."""
        self.checks.run(numbers, leaves)
        inputs = input_values(self.graph, numbers, leaves)
        out = replay(self.graph, self.outputs, inputs)
        values = [x.data if isinstance(x, Value) else float(x) for x in out]
        gradients: list[float] = []
        if self.scalar:
            if isinstance(out[0], Value):
                out[0].backward()
            gradients = [0.0 if i is None else inputs[i].grad for i in self._inputs(kind)]
        return values, gradients

    def _eager_sample(
        self, i: int, numbers: Sequence[float], leaves: Sequence[float], kind: str
    ) -> tuple[list[float], list[float]]:
        with in_sample(i):
            return self._eager(numbers, leaves, kind)


class Forms(Computation):
    """The forms of a computation; each is compiled on first use, and kept."""

    single = False  # whether calls of one sample decide how machine code is laid out: those of `jit`

    def _start(self) -> None:
        self._kernels: dict[str, Summing] = {}
        self._columnwise: dict[str, ColumnFunction] = {}
        self._machine: Machine | None = None
        self._native: How | None = None

    @property
    def form(self) -> str:
        """How a call runs: as "machine code" or "source"; if the graph is too large, as "loops" or "tape"."""
        if self._machine is not None and not self.arguments and self.is_worth_a_machine:
            return "machine code"
        if self._source_size <= STRAIGHT_LINE:
            return "source"
        return "loops" if self._has_few_loops else "tape"

    @cached_property
    def _has_few_loops(self) -> bool:
        """Whether NumPy runs a recorded loss as loops in less time than the tape runs its nodes."""
        if isinstance(self._origin, Recording) and not lowering.derives_recording(self._origin):
            return False  # a chain has a loop in every step
        kernel = None if self.arguments or not self.leaves else self.kernel("leaf")
        return isinstance(kernel, NumpyKernel) and self._is_short(kernel)

    def _is_short(self, kernel: NumpyKernel) -> bool:
        """Return whether NumPy runs loops in less time than Python runs the operations one by one."""
        return LOOP * sum([max(nest.steps, 1) for nest in kernel.program.nests]) < self._operations

    # --- Source and tape

    def _title(self) -> str:
        signature = f"{self.name}({', '.join(given for given, _ in self.arguments)})"
        return f"{signature} and its gradient." if self.scalar else f"{signature}."

    def _printed(self, kind: str) -> tuple[str, dict[str, Primitive]]:
        """Return the source of a call, and the rows that it calls by name."""

        def result(texts: list[str]) -> str:
            rest = iter(texts)
            value = self.result.text(rest)
            if not self.scalar:
                return value
            if kind == "leaf":
                return f"{value}, [{', '.join(rest)}]"
            gradients = [tree.text(rest) for _, tree in self.arguments]
            return f"{value}, {gradients[0] if len(gradients) == 1 else '(' + ', '.join(gradients) + ')'}"

        return python.function_source(
            self.graph,
            self._nodes(kind),
            name=self.name,
            title=self._title(),
            arguments=self.arguments,
            leaves=len(self.leaves),
            result=result,
            forward=len(self.outputs),
            named=kind == "argument" or not self.arguments,  # the text that `source` shows
            checks=self.checks,
        )

    @cached_property
    def _tape(self) -> Tape | None:
        return Tape(self.graph, self.outputs[0]) if Tape.fits(self.graph) else None

    def _taped(
        self, kind: str, numbers: Sequence[float], leaves: Sequence[float]
    ) -> tuple[float, list[float]]:
        """Return the value and the gradient of one sample by the tape, or eagerly if there are choices."""
        if self._tape is None:
            (value, *_), gradients = self._eager(numbers, leaves, kind)
            return value, gradients
        value, adjoints = self._tape.run(numbers, leaves)
        return value, [0.0 if i is None else adjoints[i] + 0.0 for i in self._inputs(kind)]

    # --- Sums over samples

    def kernel(self, kind: str) -> Summing:
        """Return the function of columns and leaves that sums the value and the gradients."""
        if kind not in self._kernels:
            self._kernels[kind] = self._kernel(kind)
        return self._kernels[kind]

    def _kernel(self, kind: str) -> Summing:
        try:
            np = arrays.numpy()
        except ModuleNotFoundError:
            return self.loop(kind)
        if self._machine is not None and kind == "leaf":
            return self._machine
        try:
            return NumpyKernel(self._vectorized(kind, "array"), np)
        except lowering.IrregularError:
            return TapeKernel(partial(self._taped, kind), np)

    def loop(self, kind: str) -> Summing:
        """Return the sums as one Python function that loops over samples: the form without NumPy."""
        text, opaque = python.loop_source(
            self.graph, self._nodes(kind), name=f"{self.name}_loop", title=self._title(), n=self._count,
            leaves=len(self.leaves), checks=self.checks,
        )  # fmt: skip
        loop = python.load(text, f"{self.name}_loop", {name: row.forward for name, row in opaque.items()})

        def sums(columns: Columns, leaves: Sequence[float]) -> Sums:
            samples = list(zip(*[c.tolist() if hasattr(c, "tolist") else c for c in columns], strict=True))
            try:
                value, *gradients = loop(samples, leaves) if self.leaves else loop(samples)
            except (ArithmeticError, ValueError, LookupError):
                results = [self._eager_sample(i, sample, leaves, kind) for i, sample in enumerate(samples)]
                value = math.fsum([values[0] for values, _ in results])
                gradients = [math.fsum(parts) for parts in zip(*[g for _, g in results], strict=True)]
            return value, gradients

        return sums

    # --- Machine code

    def _sizes(self) -> list[tuple[str, int]]:
        return [(given, len(tree.paths)) for given, tree in self.arguments]

    def _made(self, kind: str, how: How, each: bool) -> Machine:
        """Return machine code for sums over samples, or for the outputs of `each` sample."""
        np = arrays.numpy()
        found: LoopProgram | VectorizedBatch | tuple[Graph, list[int]]
        try:
            found = self._loops(kind, "c") if each else self._vectorized(kind, "c")
            program = found if isinstance(found, LoopProgram) else found.program
            irregular = len(program.nests) > native.IRREGULAR
        except lowering.IrregularError:
            irregular = True
        if irregular:
            found = (self.graph, self._nodes(kind))
        return Machine(found, each, self._sizes(), len(self.leaves), *how, np, self.single)

    def _each(self, kind: str, how: How) -> Machine:
        name = f"each {kind}"
        if name not in self._kernels:
            self._kernels[name] = self._made(kind, how, each=True)
        return self._kernels[name]  # type: ignore[return-value]

    # --- Arrays

    def _array_function(self, kind: str, namespace: ModuleType) -> ColumnFunction:
        """Return the outputs as a function of columns and leaves, arrays of a namespace."""
        nodes, n = self._nodes(kind), len(self.leaves)
        return arrays.array_function(self.graph, nodes, namespace, name=self.name, n=self._count, leaves=n)

    def _demands(self, namespace: ModuleType) -> ColumnFunction:
        """Return the same for the checks: a function that says which samples pass."""
        graph, demands, n = self.checks.graph, self.checks.demands, len(self.leaves)
        return arrays.array_function(graph, demands, namespace, name=self.name, n=self._count, leaves=n)
