"""`compile` and `Program`: a function of numbers, or a recorded loss, as code that runs by itself."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from autograd_lite.compiler.codegen import arrays, c_function, c_text, python
from autograd_lite.compiler.codegen import latex as mathematics
from autograd_lite.compiler.codegen.printer import identifier
from autograd_lite.compiler.frontend.checks import Checks
from autograd_lite.compiler.frontend.recording import Recording, recorded
from autograd_lite.compiler.frontend.trace import Trace
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.loops import lowering
from autograd_lite.compiler.loops.ir import LoopProgram
from autograd_lite.compiler.loops.reroll import reroll
from autograd_lite.compiler.loops.show import show_loops
from autograd_lite.compiler.loops.vectorize import VectorizedBatch, vectorize
from autograd_lite.compiler.passes.differentiate import differentiate, pull_back
from autograd_lite.compiler.passes.rebuild import rebuild
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.compiler.runtime.descent import Descent
from autograd_lite.compiler.runtime.executor import split_sums
from autograd_lite.compiler.runtime.interface import Kernel
from autograd_lite.compiler.runtime.interpreter import Tape, TapeKernel, replay
from autograd_lite.compiler.runtime.machine import Machine, NoCompilerError
from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.numbers import real, whole
from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.value import Value
from autograd_lite.transforms.pytrees import Tree, flatten

# Above this many operations straight-line code takes longer to compile, some 30 µs an operation, than a tape
# loses by a thousand runs; measured by `python -m tests.benchmarks`.
STRAIGHT_LINE = 20_000
# What an operand of `logsumexp` or of a cross-entropy takes, and its derivative.
MANY_LINES = 20
_WRITTEN_OUT = {TABLE["logsumexp"], TABLE["softmax_cross_entropy"]}
# NumPy takes some 3 µs for a loop, the tape half a microsecond for an operation and its derivative.
LOOP = 6
# To look for samples takes a quarter of a millisecond for a nest: of a long recurrence that is too much.
MANY_NESTS = 3_000


def compile(function: Callable[..., Any] | Value, *example: Any, name: str | None = None) -> Program:
    """Return the `Program` of a function, traced once on arguments shaped like the `example`, or of a loss.

    The function takes numbers in lists, tuples, dicts or arrays and returns a number (or several: then the
    program gives values, no gradients). Values that it uses from outside, a model's parameters, are
    *leaves*: their data is read at every call. ``compile(loss)`` takes a recorded Value and its leaves.

    Raises `TraceError` if the function branches on a number, with the line, and `TypeError` if an example
    holds what is no number.

    >>> program = compile(lambda x, y: x * y + x, 2.0, 3.0)
    >>> program(2.0, 3.0)
    (8.0, (4.0, 2.0))
    """
    if isinstance(function, Value):
        if example:
            raise TypeError("compile(loss) takes no example: its leaves are its parameters")
        with collector_paused():
            recording, leaves = recorded(function)
        title = name or function.label or "program"
        result = flatten(0.0, "the loss").tree
        return Program(recording, recording.operations, result, [], leaves, _identifier(title))
    trace = Trace(Graph(share=False), pull_back)
    names = _argument_names(function, len(example))
    trees = [flatten(x, f"the example {given}").tree for given, x in zip(names, example, strict=True)]
    inputs: list[Any] = []
    for given, tree in zip(names, trees, strict=True):
        tree.check_printable(f"the example {given}")
        for path in tree.paths:
            place = trace.graph.input("argument", len(inputs), f"{given}{path}")
            inputs.append(trace.traced(place))
    rest = iter(inputs)
    returned = trace.run(function, [tree.build(rest) for tree in trees])
    result, values = flatten(returned, "what the function returned")
    result.check_printable("what the function returned")
    outputs = [trace.index(x) for x in values]
    title = str(name or getattr(function, "__name__", type(function).__name__))
    for i, traced in trace.values.items():
        if traced.label:
            trace.graph.labels[i] = traced.label
    with collector_paused():
        graph, outputs = rebuild(trace.graph, outputs)
    checks = Checks.of(trace)
    used = [(g, i) for g in (graph, checks.graph) for i, op in enumerate(g.ops) if op == "leaf"]
    places = sorted({g.numbers[i] for g, i in used})
    number = {place: k for k, place in enumerate(places)}
    for g, i in used:
        g.numbers[i] = number[g.numbers[i]]
    leaves = [trace.leaves[place] for place in places]
    operations = sum(1 for op in graph.ops if isinstance(op, Primitive))
    arguments = list(zip(names, trees, strict=True))
    return Program((graph, outputs), operations, result, arguments, leaves, _identifier(title), checks)


def _identifier(title: str) -> str:
    """A function's name for a title: no name of a function that its text may call."""
    return identifier("program" if title == "<lambda>" else title, {*dir(math), *TABLE})


def _argument_names(function: Callable[..., Any], n: int) -> list[str]:
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (ValueError, TypeError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:n]
    taken = {*names}
    return names + [identifier(f"x{k + 1}", taken) for k in range(len(names), n)]


_FLOAT = {float}


class Program:
    """A function compiled by `compile`: call it with arguments like the example.

    ``source`` is its text in Python, ``leaves`` the Values from outside that it reads at every call.
    A pickle of a program can run any code when it is loaded: load only those that you trust.
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
        self.arguments = tuple(arguments)  # tuples: the compiled forms count on their number
        self.leaves = tuple(leaves)
        self.name = name
        self.scalar = result.kind == "number"
        self._count = sum(len(tree.paths) for _, tree in arguments)
        self._gradients: dict[str, list[int]] = {}
        self._kernels: dict[str, Callable[..., Any]] = {}
        self._machine: Machine | None = None
        self._native: tuple[str, bool, int] | None = None  # number, fastmath, threads: how it is made
        self._arrays = any(tree.has_arrays for _, tree in arguments)

    def __repr__(self) -> str:
        return (
            f"<program {self.name}({', '.join(given for given, _ in self.arguments)}): "
            f"{self._operations} operations, {len(self.leaves)} leaves>"
        )

    def __getstate__(self) -> dict[str, Any]:
        kept = (
            "_origin",
            "checks",
            "result",
            "arguments",
            "leaves",
            "name",
            "scalar",
            "_count",
            "_operations",
        )
        state = {slot: self.__dict__[slot] for slot in (*kept, "_arrays")}
        # They are written into the graph, and that of a recorded loss is listed anew.
        state["_gradients"] = {} if isinstance(self._origin, Recording) else self._gradients
        return state | {"_kernels": {}, "_machine": None, "_native": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1 wrote no checks, and lists where tuples are now.
        kept = {"checks": Checks(), **state}
        self.__dict__ |= kept | {name: tuple(kept[name]) for name in ("arguments", "leaves")}

    # --- What is computed

    @cached_property
    def _listed(self) -> tuple[Graph, list[int]]:
        """The graph and its outputs."""
        if isinstance(self._origin, Recording):
            with collector_paused():
                return self._origin.graph()
        return self._origin

    @property
    def graph(self) -> Graph:
        """The operations; those of a recorded loss are listed once something asks for them one by one."""
        return self._listed[0]

    @property
    def outputs(self) -> list[int]:
        """The nodes of ``graph`` that are returned."""
        return self._listed[1]

    def _loops(self, kind: str, target: str) -> LoopProgram:
        """The outputs and the gradients as loops."""
        return reroll(self._nests(kind, target), arrays.numpy())

    def _nests(self, kind: str, target: str) -> LoopProgram:
        np = arrays.numpy()
        if isinstance(self._origin, Recording):
            return lowering.lower_recording(self._origin, target, np)
        if self.scalar and lowering.derives(self.graph):
            count = self._count if kind == "argument" else len(self.leaves)
            return lowering.lower_gradient(self.graph, self.outputs[0], kind, count, target, np)
        return lowering.lower_to_loops(self.graph, self._nodes(kind), target, np)

    def _inputs(self, kind: str) -> list[int | None]:
        place = {self.graph.numbers[i]: i for i, op in enumerate(self.graph.ops) if op == kind}
        return [place.get(k) for k in range(self._count if kind == "argument" else len(self.leaves))]

    def _nodes(self, kind: str) -> list[int]:
        """The outputs, and the gradient by the arguments or the leaves; none for several outputs."""
        if not self.scalar:
            return self.outputs
        if kind not in self._gradients:
            inputs = self._inputs(kind)
            zero = self.graph.constant(0.0)
            with collector_paused():
                wanted = iter(
                    differentiate(self.graph, self.outputs[0], [i for i in inputs if i is not None])
                )
            self._gradients[kind] = [zero if i is None else next(wanted) for i in inputs]
        return [*self.outputs, *self._gradients[kind]]

    @property
    def form(self) -> str:
        """How a call is run: "machine code" or "source"; "loops" or "tape" of too large a graph for these."""
        if self._machine is not None and not self.arguments:
            return "machine code"
        if self._lines <= STRAIGHT_LINE:
            return "source"
        return "loops" if self._rolls else "tape"

    @cached_property
    def _lines(self) -> int:
        """About how many operations the source has: some rows are written out with several for an operand."""
        origin = self._origin
        pairs: Iterator[tuple[Any, int]]
        if isinstance(origin, Recording):
            pairs = zip(map(origin.rows.__getitem__, origin.codes), origin.counts, strict=True)
        else:
            pairs = zip(origin[0].ops, map(len, origin[0].operands), strict=True)
        many = [n for row, n in pairs if n > 2 and isinstance(row, Primitive) and row in _WRITTEN_OUT]
        return self._operations + MANY_LINES * sum(many)

    @cached_property
    def _rolls(self) -> bool:
        """Whether a recorded loss is a few loops, which NumPy runs in less time than the tape its nodes."""
        kernel = None if self.arguments or not self.leaves else self.kernel("leaf")
        if not isinstance(kernel, NumpyKernel):
            return False
        return LOOP * sum([max(nest.steps, 1) for nest in kernel.program.nests]) < self._operations

    def _title(self) -> str:
        signature = f"{self.name}({', '.join(given for given, _ in self.arguments)})"
        return f"{signature} and its gradient." if self.scalar else f"{signature}."

    def _printed(self, kind: str) -> tuple[str, dict[str, Primitive]]:
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

    @property
    def source(self) -> str:
        """The program as Python that runs without this package: the value and the gradients.

        With arguments the gradients are by them, as in a call; without, by the leaves.
        """
        return self._printed("argument" if self.arguments else "leaf")[0]

    @property
    def latex(self) -> str:
        """The program as mathematics: ``aligned`` equations, the value first, then the derivatives."""
        kind = "argument" if self.arguments else "leaf"
        if kind == "leaf":
            labels = [leaf.label or f"leaf_{k}" for k, leaf in enumerate(self.leaves, 1)]
        else:
            labels = [f"{given}{path}" for given, tree in self.arguments for path in tree.paths]
        return mathematics.equations(self.graph, self._nodes(kind), len(self.outputs), self.name, labels)

    @cached_property
    def _by_arguments(self) -> Callable[..., Any]:
        return self._compiled("argument" if self.arguments else "leaf")

    @cached_property
    def leaf_function(self) -> Callable[..., Any]:
        """The plain function behind `backward`: of the arguments and the numbers of the leaves."""
        return self._compiled("leaf")

    def _compiled(self, kind: str) -> Callable[..., Any]:
        if self.form in ("machine code", "loops"):
            return partial(self._by_kernel, self.kernel("leaf"))
        if self.form == "source":
            text, opaque = self._printed(kind)
            return python.load(text, self.name, {name: row.forward for name, row in opaque.items()})
        return lambda *given: self._on_tape(kind, given)

    def _by_kernel(self, kernel: Callable[..., Any], leaves: Sequence[float]) -> Any:
        """A call of a recorded loss; a kernel's IEEE arithmetic raises nothing, but the eager engine does."""
        value, gradients = kernel((), leaves)
        if not math.isfinite(value + sum(gradients)) and not all(map(math.isfinite, (value, *gradients))):
            (value,), gradients = self._eager([], leaves, "leaf")
        return value, gradients

    # --- Calls

    def __call__(self, *arguments: Any) -> Any:
        """The value and the gradients, shaped like the arguments (of one argument: like it).

        Without arguments the gradients are those by ``leaves``, a list. A function of several numbers has
        no gradient: then the values alone. Raises what the eager engine raises on the same numbers.
        """
        if arguments and {*map(type, arguments)} != _FLOAT:
            arguments = self._floats(arguments)
        try:
            if self.leaves:
                returned = self._by_arguments(*arguments, self.leaf_numbers())
            else:
                returned = self._by_arguments(*arguments)
            value = self.scalar and returned[0]
            settled = value - value != 0.0
        except (ArithmeticError, ValueError, TypeError, LookupError):
            settled = True
        if settled:
            return self._settled(arguments, "argument" if self.arguments else "leaf")
        return self._as_arrays(returned) if self._arrays else returned

    def _as_arrays(self, returned: Any) -> Any:
        if not self.scalar:
            return returned
        value, gradients = returned
        several = gradients if len(self.arguments) > 1 else (gradients,)
        pairs = zip(self.arguments, several, strict=True)
        return value, self._like_arguments(x for (given, tree), g in pairs for x in tree.flat(g, given))

    def backward(self, *arguments: Any, seed: float = 1.0) -> float:
        """Add the gradient by each leaf, times `seed`, to its ``grad``; return the value."""
        self._needs_scalar()
        seed = real(seed, "the seed")
        if arguments and {*map(type, arguments)} != _FLOAT:
            arguments = self._floats(arguments)
        try:
            value, gradients = self.leaf_function(*arguments, self.leaf_numbers())
            settled = value - value != 0.0
        except (ArithmeticError, ValueError, TypeError, LookupError):
            settled = True
        if settled:
            value, gradients = self._settled(arguments, "leaf")
        self.add_gradients(gradients, seed)
        return value  # type: ignore[no-any-return]

    def leaf_numbers(self) -> list[float]:
        """The data of the leaves; read past the property, which takes three times as long."""
        return [leaf._data for leaf in self.leaves]

    def set_leaf_numbers(self, numbers: Sequence[float]) -> None:
        """Set the data of the leaves to floats; past the property, which would look at each of them."""
        for leaf, number in zip(self.leaves, numbers, strict=True):
            leaf._data = number

    def add_gradients(self, gradients: Sequence[float], scale: float) -> None:
        """Add `scale` times the gradients by the leaves to their ``grad``."""
        if scale != 1.0:
            gradients = [gradient * scale for gradient in gradients]
        for leaf, gradient in zip(self.leaves, gradients, strict=True):
            leaf._grad = gradient if leaf._grad is None else leaf._grad + gradient

    def _needs_scalar(self) -> None:
        if not self.scalar:
            raise TypeError(
                f"{self.name} returns {len(self.outputs)} numbers: only one number has a gradient"
            )

    def _floats(self, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with a float for each number: NumPy's own would compute in their own precision."""
        self._count_arguments(arguments)
        return tuple(
            [tree.floats(x, given) for (given, tree), x in zip(self.arguments, arguments, strict=True)]
        )

    def _count_arguments(self, arguments: Sequence[Any]) -> None:
        if len(arguments) != len(self.arguments):
            raise TypeError(f"{self.name}() takes {len(self.arguments)} arguments, got {len(arguments)}")

    def _flat(self, arguments: Sequence[Any]) -> list[float]:
        self._count_arguments(arguments)
        return [
            number
            for (given, tree), x in zip(self.arguments, arguments, strict=True)
            for number in tree.flat(x, given)
        ]

    def _like_arguments(self, gradients: Iterator[Any]) -> Any:
        """The gradients by the arguments, shaped like them; of one argument: like it."""
        built = [tree.build(gradients) for _, tree in self.arguments]
        return built[0] if len(built) == 1 else tuple(built)

    def _settled(self, arguments: Sequence[Any], kind: str) -> Any:
        """What the eager engine gives, for numbers on which the source failed: an error with its place."""
        values, gradients = self._eager(self._flat(arguments), self.leaf_numbers(), kind)
        if not self.scalar:
            return self.result.build(iter(values))
        if kind == "leaf":
            return values[0], gradients
        return values[0], self._like_arguments(iter(gradients))

    def _eager(
        self, numbers: Sequence[float], leaves: Sequence[float], kind: str
    ) -> tuple[list[float], list[float]]:
        self.checks.run(numbers, leaves)
        graph = self.graph
        given = {"argument": numbers, "leaf": leaves}
        inputs = {
            i: Value(given[op][graph.numbers[i]], graph.labels.get(i))
            for i, op in enumerate(graph.ops)
            if op in ("argument", "leaf")
        }
        out = replay(graph, self.outputs, inputs)
        values = [x.data if isinstance(x, Value) else float(x) for x in out]
        gradients: list[float] = []
        if self.scalar:
            if isinstance(out[0], Value):
                out[0].backward()
            gradients = [0.0 if i is None else inputs[i].grad or 0.0 for i in self._inputs(kind)]
        return values, gradients

    def _on_tape(self, kind: str, given: tuple[Any, ...]) -> Any:
        """A call run by the tape."""
        *arguments, leaves = given if self.leaves else (*given, [])
        numbers = self._flat(arguments)
        if not self.scalar or self._tape is None:
            return self._settled(arguments, kind)
        self.checks.run(numbers, leaves)
        value, gradients = self._taped(kind, numbers, leaves)
        if kind == "leaf":
            return value, gradients
        return value, self._like_arguments(iter(gradients))

    def _taped(
        self, kind: str, numbers: Sequence[float], leaves: Sequence[float]
    ) -> tuple[float, list[float]]:
        """The value and the gradient for one sample by the tape; by the eager engine if there are choices."""
        if self._tape is None:
            (value, *_), gradients = self._eager(numbers, leaves, kind)
            return value, gradients
        value, adjoints = self._tape.run(numbers, leaves)
        return value, [0.0 if i is None else adjoints[i] + 0.0 for i in self._inputs(kind)]

    @cached_property
    def _tape(self) -> Tape | None:
        return Tape(self.graph, self.outputs[0]) if Tape.fits(self.graph) else None

    # --- Batches

    def batch(
        self,
        *batches: Any,
        reduce: str | None = "mean",
        wrt: str | None = None,
        backward: bool = False,
        executor: Executor | None = None,
        deterministic: bool = False,
    ) -> Any:
        """The value and the gradients over a batch: arrays with one more axis in front, the samples.

        `reduce` is "mean", "sum" or None: then everything is given for each sample, in arrays. The gradients
        are by the "leaves", a list like `leaves`, where there are any, else by the "arguments", shaped like
        them; `wrt` says which. ``backward=True`` adds those by the leaves to their ``grad`` instead, and
        returns the value alone.

        An `executor`, any of `concurrent.futures` or Dask's ``Client.get_executor()``, computes parts of the
        batch elsewhere; the sum differs in the last bits with the number of parts, with
        ``deterministic=True`` not at all. Raises what the eager engine raises for the first sample that goes
        wrong, and `RuntimeError` if a worker dies; ``grad`` is then as it was.
        """
        if reduce not in ("mean", "sum", None):
            raise ValueError(f"reduce must be 'mean', 'sum' or None, got {reduce!r}")
        kind = {"arguments": "argument", "leaves": "leaf", None: "leaf" if self.leaves else "argument"}.get(
            wrt
        )
        if kind is None:
            raise ValueError(f"wrt must be 'arguments' or 'leaves', got {wrt!r}")
        if backward and (reduce is None or kind == "argument"):
            raise ValueError(
                "backward=True adds sums or means to the leaves: it takes no reduce=None, no arguments"
            )
        if not self.scalar and reduce is not None:
            raise TypeError(f"{self.name} returns {len(self.outputs)} numbers: give reduce=None")
        if executor is not None:
            if not hasattr(executor, "submit"):
                raise TypeError(f"executor must be one of concurrent.futures or the like, got {executor!r}")
            if reduce is None or kind == "argument":
                raise ValueError(
                    "an executor adds up gradients by the leaves: it takes no reduce=None, no arguments"
                )
        leaves = self.leaf_numbers()
        if kind == "leaf" and reduce is not None and executor is None and not deterministic and self._machine:
            samples, m = self._samples(self._machine, batches)
            out = self._machine.sums(samples, leaves)
            if not arrays.all_finite(out, self._machine.np):
                columns = self.checked_columns(batches)[0] if batches else []
                value, gradients = self.settled_sums(columns, m, leaves, kind)
                out = self._machine.np.array([value, *gradients])
            if reduce == "mean":
                out /= m
            value, *gradients = out.tolist()
        else:
            if reduce is None or kind == "argument":
                return self._per_sample(batches, leaves, kind, reduce)
            columns, m = self.checked_columns(batches)
            value, gradients = split_sums(self, kind, columns, m, leaves, executor, deterministic)
            if not math.isfinite(value) or not all(map(math.isfinite, gradients)):
                value, gradients = self.settled_sums(columns, m, leaves, kind)
            if reduce == "mean":
                value, gradients = value / m, [gradient / m for gradient in gradients]
        if backward:
            self.add_gradients(gradients, 1.0)
            return value
        return value, gradients

    def descend(self, *batches: Any, lr: float | Callable[[int], float] = 0.1, steps: int = 1) -> list[float]:
        """Move the leaves by `steps` steps of gradient descent on the mean over a batch; return its values.

        `lr` is the step size, or gives it for the number of the step, from 0. Raises `FloatingPointError`,
        or what the eager engine raises, at the first step whose value or gradient is not finite; the leaves
        then hold what the steps before it made of them.
        """
        with self.descent(*batches, lr=lr) as step:
            return step.run(steps)

    def descent(self, *batches: Any, lr: float | Callable[[int], float] = 0.1) -> Descent:
        """Return what takes steps of gradient descent on a batch one by one, with the parameters in an array.

        ``with program.descent(X, y, lr=0.1) as step:`` each call ``step()`` moves them and returns the mean
        before; the leaves get their numbers at the end of the block. A recorded loss takes no batch, and
        all its leaves are moved: also the inputs, where a model of `nn` made Values of them.
        """
        self._needs_scalar()
        if not self.leaves:
            raise TypeError(f"{self.name} has no leaves: there is nothing to move")
        return Descent(self, batches, lr)

    def _samples(self, kernel: Any, batches: Sequence[Any]) -> tuple[Any, int]:
        """The samples as a kernel takes them; arrays are not copied where machine code can read them."""
        if not self.arguments and not batches:
            return kernel.samples([]), 1
        if isinstance(kernel, Machine) and len(batches) == len(self.arguments):
            if self.checks:
                self.checked_columns(batches)
            sizes = {tree.row_count(x) for (_, tree), x in zip(self.arguments, batches, strict=True)}
            if len(sizes) == 1 and 0 not in sizes:
                samples = kernel.rows(batches)
                return samples, samples.m
        columns, m = self.checked_columns(batches)
        return kernel.samples(columns), m

    def prepared(self, batches: Sequence[Any]) -> tuple[Kernel, Any, int]:
        """The kernel by the leaves, the batches as it reads them, and the number of samples."""
        kernel: Any = self.kernel("leaf")
        return kernel, *self._samples(kernel, batches)

    def checked_columns(self, batches: Sequence[Any]) -> tuple[list[Any], int]:
        """The columns of batches that passed the checks, and the number of samples."""
        columns, m = self.converted(batches)
        if not isinstance(columns[0], list):  # without NumPy the loop itself looks at each sample
            self.check(columns, self.leaf_numbers())
        return columns, m

    def converted(self, batches: Sequence[Any]) -> tuple[list[Any], int]:
        """The columns of batches, an array for each number (without NumPy a list), and how long they are."""
        if len(batches) != len(self.arguments):
            raise TypeError(f"{self.name}.batch() takes {len(self.arguments)} batches, got {len(batches)}")
        if not batches:
            raise TypeError(f"{self.name} takes no arguments: there is nothing to make a batch of; call it")
        try:
            np = arrays.numpy()
        except ModuleNotFoundError:
            np = None
        columns = [
            column
            for (given, tree), batch in zip(self.arguments, batches, strict=True)
            for column in tree.columns(batch, given, np)
        ]
        sizes = {len(column) for column in columns}
        if len(sizes) > 1:
            raise ValueError(f"the batches differ in their number of samples: {sorted(sizes)}")
        if sizes == {0} or not sizes:
            raise ValueError(f"{self.name}.batch() of no samples is undefined")
        return columns, sizes.pop()

    @property
    def checks_leaves(self) -> bool:
        """Whether a check of the inputs reads the leaves."""
        return self.checks.moves

    def check(self, columns: list[Any], leaves: Sequence[float]) -> None:
        """Raise what the eager engine raises for the first sample with a label that it refuses."""
        if not self.checks:
            return
        suspects: Any = range(len(columns[0]))
        if not isinstance(columns[0], list):
            suspects = self._suspects(columns, leaves)
        for i in suspects:
            with _in_sample(i):
                self.checks.run([float(column[i]) for column in columns], leaves)

    def _suspects(self, columns: list[Any], leaves: Sequence[float]) -> Any:
        """The numbers of the samples that are not as the function asks for them."""
        np, m = arrays.numpy(), len(columns[0])
        if "checks" not in self._kernels:
            self._kernels["checks"] = self._demands(np)
        with np.errstate(all="ignore"):
            found = self._kernels["checks"](columns, np.array(leaves))
            holds = np.all([np.broadcast_to(x, m) for x in found], axis=0)
        return np.flatnonzero(~holds)

    def kernel(self, kind: str) -> Callable[..., Any]:
        """The function of columns and leaves that gives the sums of the value and of the gradients."""
        if kind not in self._kernels:
            self._kernels[kind] = self._kernel(kind)
        return self._kernels[kind]

    def _kernel(self, kind: str) -> Callable[..., Any]:
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

    def _vectorized(self, kind: str, target: str) -> LoopProgram | VectorizedBatch:
        """The outputs as loops; of one sample if a batch of them was recorded."""
        np = arrays.numpy()
        program = self._nests(kind, target)
        found = None if self.arguments or len(program.nests) > MANY_NESTS else vectorize(program, np)
        return replace(found, program=reroll(found.program, np)) if found else reroll(program, np)

    # --- Machine code

    @property
    def c_source(self) -> str:
        """The sums over samples as plain C99, one documented function that needs libm and nothing else.

        It does not look at labels: one that a loss refuses gives a wrong number. All other forms refuse it.
        """
        np = arrays.numpy()
        program = self._loops("leaf" if self.leaves else "argument", "c")
        name = c_text.function_name(self.name)
        return c_function.c_layout(program, np, name=name, arguments=self._sizes(), lanes=1).text

    def _sizes(self) -> list[tuple[str, int]]:
        return [(given, len(tree.paths)) for given, tree in self.arguments]

    @property
    def loops(self) -> str:
        """The loops that were found, as nested ``for`` loops: a layer of a network is one."""
        return show_loops(self._loops("leaf" if self.leaves else "argument", "shown"), arrays.numpy())

    @property
    def is_native(self) -> bool:
        """Whether sums over a batch are computed by machine code."""
        return self._machine is not None

    def native(self, real: str = "float64", *, fastmath: bool = False, threads: int = 1) -> Program:
        """Compile batches, or the calls of a recorded loss, to machine code; return the program.

        Products and sums are computed in the order in which they are written; `dot`, `sum` and other long
        sums, which become loops, may be added up in another one. `real` is "float64" or "float32".
        ``fastmath=True`` lets the compiler reorder everything, fuse products with sums and assume that
        all numbers are finite. The samples of a large batch are shared out among `threads`; with their number
        the last bits of sums change. Without a C compiler here, or NumPy, a warning says so and the program
        stays as it is. Raises `ValueError` if a row of one's own has no form in C, with its name.
        """
        if real not in ("float64", "float32"):
            raise ValueError(f"real must be 'float64' or 'float32', got {real!r}")
        threads = whole(threads, "threads", most=1024)
        if not self.leaves and not self.arguments:
            raise TypeError(f"{self.name} has no leaves and no arguments: it is one number")
        added = self.scalar and bool(self.leaves)
        kind = "leaf" if added else "argument"
        how = (real, fastmath, threads)
        try:
            machine = self._made(kind, how, each=not added)
        except (NoCompilerError, ModuleNotFoundError) as error:
            form = "NumPy" if isinstance(error, NoCompilerError) else "Python"
            warnings.warn(f"{error}; the {form} form runs instead", RuntimeWarning, stacklevel=2)
            return self
        self._native = how
        self.__dict__.pop("packed", None)
        self._kernels.clear()
        if not added:
            self._kernels[f"each {kind}"] = machine
        else:
            self._machine = machine
            for cached in ("_by_arguments", "leaf_function"):
                if not self.arguments:
                    self.__dict__.pop(cached, None)
        return self

    def _made(self, kind: str, how: tuple[str, bool, int], each: bool) -> Machine:
        """Machine code for sums over samples, or for the outputs of each of them."""
        np = arrays.numpy()
        found: Any
        try:
            found = self._loops(kind, "c") if each else self._vectorized(kind, "c")
            program = found if isinstance(found, LoopProgram) else found.program
            irregular = len(program.nests) > native.IRREGULAR
        except lowering.IrregularError:
            irregular = True
        if irregular:
            found = (self.graph, self._nodes(kind))
        return Machine(found, each, self._sizes(), len(self.leaves), *how, np)

    def _each(self, kind: str, how: tuple[str, bool, int]) -> Machine:
        name = f"each {kind}"
        if name not in self._kernels:
            self._kernels[name] = self._made(kind, how, each=True)
        return self._kernels[name]  # type: ignore[return-value]

    def loop(self, kind: str) -> Callable[..., Any]:
        """The sums as a Python loop over samples, in one function: for where there is no NumPy."""
        text, opaque = python.loop_source(
            self.graph, self._nodes(kind), name=f"{self.name}_loop", title=self._title(), n=self._count,
            leaves=len(self.leaves), checks=self.checks,
        )  # fmt: skip
        loop = python.load(text, f"{self.name}_loop", {name: row.forward for name, row in opaque.items()})

        def sums(columns: list[Any], leaves: Sequence[float]) -> Any:
            samples = list(zip(*[c.tolist() if hasattr(c, "tolist") else c for c in columns], strict=True))
            try:
                value, *gradients = loop(samples, leaves) if self.leaves else loop(samples)
            except (ArithmeticError, ValueError):
                results = [self._eager_sample(i, sample, leaves, kind) for i, sample in enumerate(samples)]
                value = math.fsum([values[0] for values, _ in results])
                gradients = [math.fsum(parts) for parts in zip(*[g for _, g in results], strict=True)]
            return value, gradients

        return sums

    def _per_sample(self, batches: Sequence[Any], leaves: list[float], kind: str, reduce: str | None) -> Any:
        np = arrays.numpy()
        if self._native is not None:
            machine = self._each(kind, self._native)
            samples, m = self._samples(machine, batches)
            out = [*machine.each_sample(samples, leaves).T.astype(float, copy=True)]
        else:
            columns, m = self.checked_columns(batches)
            out = [x.copy() for x in self._each_in_numpy(columns, m, leaves, kind)]
        if not all(np.isfinite(x).all() for x in out):
            self._settle(out, self.checked_columns(batches)[0] if batches else [], leaves, kind)
        rest = iter(out)
        value = self.result.build(rest)
        if not self.scalar:
            return value
        scale = 1.0 / m if reduce == "mean" else 1.0
        if reduce is not None:
            value = float(value.sum()) * scale
        if kind == "leaf":
            return value, np.stack(list(rest), axis=1)
        scaled = (x * scale for x in rest)
        built = [tree.stacked(scaled, np) for _, tree in self.arguments]
        return value, built[0] if len(built) == 1 else tuple(built)

    def _each_in_numpy(self, columns: list[Any], m: int, leaves: Sequence[float], kind: str) -> list[Any]:
        """The outputs of each sample, an array for each."""
        np, name = arrays.numpy(), f"columns {kind}"
        if name not in self._kernels:
            self._kernels[name] = self._array_function(kind, np)
        with np.errstate(all="ignore"):
            # The leaves as NumPy's numbers: Python's raise an error where these give ∞.
            out = self._kernels[name](columns, np.array(leaves))
            return [np.broadcast_to(np.asarray(x, dtype=float), m) for x in out]

    def _array_function(self, kind: str, namespace: Any) -> Callable[..., list[Any]]:
        """The outputs for the arrays of a namespace: a function of the columns and the leaves."""
        nodes, n = self._nodes(kind), len(self.leaves)
        return arrays.array_function(self.graph, nodes, namespace, name=self.name, n=self._count, leaves=n)

    def _demands(self, namespace: Any) -> Callable[..., list[Any]]:
        """For the arrays of a namespace: whether the numbers are as the function asks for them."""
        graph, demands, n = self.checks.graph, self.checks.demands, len(self.leaves)
        return arrays.array_function(graph, demands, namespace, name=self.name, n=self._count, leaves=n)

    def settled_sums(
        self, columns: list[Any], m: int, leaves: Sequence[float], kind: str
    ) -> tuple[float, list[float]]:
        """The sums over the samples where those of a faster form are not finite: the eager engine decides.

        It runs the samples that are not finite in NumPy, or all if none is, and raises if it sees why.
        """
        if not columns or isinstance(columns[0], list):
            outputs: list[Any] = [[math.nan] * m for _ in range(1 + len(self._inputs(kind)))]
        else:
            outputs = [x.copy() for x in self._each_in_numpy(columns, m, leaves, kind)]
        self._settle(outputs, columns, leaves, kind)
        value, *gradients = [sum(map(float, x)) for x in outputs]
        return value, gradients

    def _settle(self, outputs: list[Any], columns: list[Any], leaves: Sequence[float], kind: str) -> None:
        """Put in what the eager engine gives for the samples of which an output is not finite, or for all."""
        suspects: Any = []
        if not isinstance(outputs[0], list):
            np = arrays.numpy()
            suspects = np.flatnonzero(~np.all([np.isfinite(x) for x in outputs], axis=0))
        for i in suspects if len(suspects) else range(len(outputs[0])):
            if columns:
                values, gradients = self._eager_sample(i, [float(x[i]) for x in columns], leaves, kind)
            else:
                values, gradients = self._eager([], leaves, kind)
            for x, number in zip(outputs, (*values, *gradients), strict=True):
                x[i] = number

    def _eager_sample(
        self, i: int, numbers: Sequence[float], leaves: Sequence[float], kind: str
    ) -> tuple[list[float], list[float]]:
        with _in_sample(i):
            return self._eager(numbers, leaves, kind)

    @cached_property
    def packed(self) -> bytes:
        """What travels to workers: the operations, not the leaves; and how their machine code is made."""
        for kind in ("leaf", "argument"):
            self._nodes(kind)
        travels = copy.copy(self)
        travels.leaves = tuple([Value(leaf.data, leaf.label) for leaf in self.leaves])
        return pickle.dumps((travels, self._native))

    # --- Arrays

    def function(self, namespace: Any = math) -> Callable[..., Any]:
        """The program as a plain function for the arrays of a namespace, for `jax.jit` or a GPU to take.

        It takes arguments shaped like the example, an array where that had a number, then, where there are
        leaves, the list of their data; it gives what a call gives, and NaN where a call refuses a label. For
        `math` it is ``source`` itself.
        """
        if namespace is math:
            return self._by_arguments
        kind = "argument" if self.arguments else "leaf"
        run = self._array_function(kind, namespace)
        demands = self._demands(namespace)

        def function(*arguments: Any) -> Any:
            *given, leaves = arguments if self.leaves else (*arguments, [])
            columns: list[Any] = []
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


@contextmanager
def _in_sample(i: int) -> Iterator[None]:
    try:
        yield
    except (ArithmeticError, ValueError, TypeError) as error:
        raise type(error)(f"sample {i}: {error}") from error
