"""`compile` and `Program`: a function of numbers, or a recorded loss, as code that runs by itself.

This is the public interface. Next door: how a call runs (`calls.py`), batches (`batching.py`), and the forms
that a program is compiled to (`forms.py`).
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeAlias

from autograd_lite.compiler.batching import Batching
from autograd_lite.compiler.calls import FAILURES, FLOAT
from autograd_lite.compiler.codegen import arrays, c_function, c_text, latex
from autograd_lite.compiler.codegen.printer import identifier
from autograd_lite.compiler.frontend.functions import TracedFunction, trace_function
from autograd_lite.compiler.frontend.recording import recorded
from autograd_lite.compiler.loops.show import show_loops
from autograd_lite.compiler.runtime.descent import Descent, GradientSteps
from autograd_lite.compiler.runtime.interface import Stepper
from autograd_lite.compiler.runtime.toolchain import NoCompilerError
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.numbers import real, whole
from autograd_lite.core.primitive import TABLE, TRACED, Primitive
from autograd_lite.core.value import Value
from autograd_lite.transforms.pytrees import Pytree, flatten

Rate: TypeAlias = float | Callable[[int], float]  # a step size, or a function from the step's number to it


def compile(function: Callable[..., Pytree] | Value, *example: Pytree, name: str | None = None) -> Program:
    """Return the `Program` of a function, traced once on arguments shaped like the `example`, or of a loss.

    The function takes numbers in lists, tuples, dicts or arrays, and returns a number. If it returns several,
    the program has values but no gradients. Values that it uses from outside, a model's parameters, are
    *leaves*: their data is read at every call. ``compile(loss)`` takes a recorded Value and its leaves.

    Raises `TraceError` with the line if the function branches on a number, and `TypeError` if an example
    holds something that is not a number.

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
    if not callable(function):
        raise TypeError(
            f"compile takes a function or a recorded Value, got {type(function).__name__} {function!r}"
        )
    found = trace_function(function, argument_names(function, len(example)), example)
    return program_of(found, str(name or getattr(function, "__name__", type(function).__name__)))


def program_of(found: TracedFunction, name: str) -> Program:
    """Return the `Program` of a traced function."""
    operations = sum(1 for op in found.graph.ops if isinstance(op, Primitive))
    origin, title = (found.graph, found.outputs), _identifier(name)
    return Program(origin, operations, found.result, found.arguments, found.leaves, title, found.checks)


def _identifier(title: str) -> str:
    """Return a function name that hides no function of `math` or of the table."""
    return identifier("program" if title == "<lambda>" else title, {*dir(math), *TABLE, *TRACED})


def argument_names(function: Callable[..., Pytree], n: int) -> list[str]:
    """Return the names of a function's parameters, or x1, x2, ... if they are unknown."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (ValueError, TypeError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:n]
    taken = {*names}
    return names + [identifier(f"x{k + 1}", taken) for k in range(len(names), n)]


class Program(Batching):
    """A function compiled by `compile`: call it with arguments like the example.

    ``source`` is its text in Python, ``leaves`` the Values from outside that it reads at every call.
    A pickle of a program can run any code when it is loaded: load only those that you trust.
    """

    def __repr__(self) -> str:
        return (
            f"<program {self.name}({', '.join(given for given, _ in self.arguments)}): "
            f"{self._operations} operations, {len(self.leaves)} leaves>"
        )

    # --- Texts

    @property
    def source(self) -> str:
        """The program as Python that runs without this package: the value and the gradients.

        As in a call, the gradients are with respect to the arguments or, if there are none, the leaves.
        """
        return self._printed(self._shown)[0]

    @property
    def latex(self) -> str:
        """The program as mathematics: ``aligned`` equations, the value first, then the derivatives."""
        if self.arguments:
            labels = [f"{given}{path}" for given, tree in self.arguments for path in tree.paths]
        else:
            labels = [leaf.label or f"leaf_{k}" for k, leaf in enumerate(self.leaves, 1)]
        nodes = self._nodes(self._shown)
        return latex.equations(self.graph, nodes, len(self.outputs), self.name, labels)

    @property
    def c_source(self) -> str:
        """The sums over samples as plain C99, one documented function that needs only libm.

        Compile it with ``-ffp-contract=off``: otherwise compilers may fuse a product with a sum.
        It does not check labels: one that a loss refuses gives a wrong number. All other forms refuse it.
        """
        np = arrays.numpy()
        program = self._loops("leaf" if self.leaves else "argument", "c")
        name = c_text.function_name(self.name)
        return c_function.c_layout(program, np, name=name, arguments=self._sizes(), lanes=1).text

    @property
    def loops(self) -> str:
        """The loops that were found, as nested ``for`` loops: a layer of a network is one."""
        return show_loops(self._loops("leaf" if self.leaves else "argument", "shown"), arrays.numpy())

    # --- Calls

    def __call__(self, *arguments: Pytree) -> Pytree:
        """Return the value and the gradients, shaped like the arguments, or like the only argument.

        Without arguments the gradients are a list, with respect to ``leaves``. A function that returns
        several numbers has no gradient, so only the values are returned. Raises the errors of the eager
        engine on the same numbers.
        """
        machine = self._caller("argument")
        if machine is not None:
            found = self._called(machine, arguments)
            return self._settled(arguments, self._shown) if found is None else self._built(iter(found))
        if arguments and {*map(type, arguments)} != FLOAT:
            arguments = self._floats(arguments)
        try:
            if self.leaves:
                returned = self._by_arguments(*arguments, self.leaf_numbers())
            else:
                returned = self._by_arguments(*arguments)
            value = self.scalar and returned[0]
            settled = value - value != 0.0
        except FAILURES:
            settled = True
        if settled:
            return self._settled(arguments, self._shown)
        return self._as_arrays(returned) if self._arrays else returned

    def backward(self, *arguments: Pytree, seed: float = 1.0) -> float:
        """Add the derivative with respect to each leaf, times `seed`, to its ``grad``; return the value."""
        self._needs_scalar()
        seed = real(seed, "the seed")
        machine = self._caller("leaf")
        if machine is not None:
            found = self._called(machine, arguments)
            settled = found is None
            value, *gradients = found or [0.0]
        else:
            if arguments and {*map(type, arguments)} != FLOAT:
                arguments = self._floats(arguments)
            try:
                value, gradients = self.leaf_function(*arguments, self.leaf_numbers())
                settled = value - value != 0.0
            except FAILURES:
                settled = True
        if settled:
            value, gradients = self._settled(arguments, "leaf")
        self.add_gradients(gradients, seed)
        return value

    # --- Batches

    def batch(
        self,
        *batches: Pytree,
        reduce: str | None = "mean",
        wrt: str | None = None,
        backward: bool = False,
        executor: Executor | None = None,
        deterministic: bool = False,
    ) -> Pytree:
        """Return the value and the gradients over a batch: arrays with one more axis in front, the samples.

        `reduce` is "mean" or "sum"; with None all results are arrays with an entry for each sample. `wrt` is
        "leaves" (the default if there are any) for a list of gradients with respect to the leaves, or
        "arguments" for gradients shaped like the arguments. ``backward=True`` adds the gradients of the
        leaves to their ``grad`` instead, and returns the value alone.

        An `executor`, one of `concurrent.futures` or Dask's ``Client.get_executor()``, computes parts of the
        batch elsewhere. The last bits of a sum depend on the number of parts, unless
        ``deterministic=True``. Raises the eager engine's error for the first sample that fails, and
        `RuntimeError` if a worker dies; ``grad`` then stays as it was.
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
                "backward=True adds to the leaves: give reduce='mean' or 'sum', and wrt='leaves'"
            )
        if not self.scalar and reduce is not None:
            raise TypeError(f"{self.name} returns {len(self.outputs)} numbers: give reduce=None")
        if executor is not None:
            if not hasattr(executor, "submit"):
                raise TypeError(f"executor must be one of concurrent.futures or the like, got {executor!r}")
            if reduce is None or kind == "argument":
                raise ValueError(
                    "an executor sums gradients of leaves: give reduce='mean' or 'sum', and wrt='leaves'"
                )
        if reduce is None or kind == "argument":
            return self._per_sample(batches, kind, reduce)
        value, gradients = self._reduced(kind, batches, reduce == "mean", executor, deterministic)
        if backward:
            self.add_gradients(gradients, 1.0)
            return value
        return value, gradients

    def descend(
        self,
        *batches: Pytree,
        lr: Rate = 0.1,
        steps: int = 1,
        optimizer: Stepper | None = None,
    ) -> list[float]:
        """Move the leaves by `steps` steps on the mean over a batch; return its values before each step.

        Without an `optimizer`, one of `Adam` and the like, this is gradient descent with the step size `lr`
        (default: 0.1), or a function from the number of the step, counted from 0, to its size. Raises
        `FloatingPointError`, or the eager engine's error, at the first step whose value, gradient or result
        is not finite; the leaves then keep the result of the steps before.
        """
        with self.descent(*batches, lr=lr, optimizer=optimizer) as step:
            return step.run(steps)

    def descent(self, *batches: Pytree, lr: Rate = 0.1, optimizer: Stepper | None = None) -> Descent:
        """Return a context manager that takes steps on a batch, one for each call.

        ``with program.descent(X, y, lr=0.1) as step:`` each call ``step()`` moves the parameters and returns
        the mean before the step; ``step.over([[0, 1], [2, 3]])`` takes a step on samples 0 and 1, then on 2
        and 3. With an `optimizer` such as ``Adam(model.parameters())`` the steps are those of its own
        ``step()``, and only its parameters move. Everything is kept in arrays; the leaves, their ``grad`` and
        the optimizer's memory get their numbers at the end of the block. A recorded loss takes no batch, and
        without an optimizer all its leaves move, including inputs that a model of `nn` turned into Values.
        """
        self.needs_leaves()
        if optimizer is None:
            return Descent([(self, batches)], GradientSteps(self.leaves, lr))
        if lr != 0.1:
            raise TypeError(f"lr belongs to descent without an optimizer: set the lr of {optimizer!r} itself")
        return Descent([(self, batches)], optimizer)

    # --- Other forms

    @property
    def is_native(self) -> bool:
        """Whether sums over a batch are computed by machine code."""
        return self._machine is not None

    def native(self, real: str = "float64", *, fastmath: bool = False, threads: int = 1) -> Program:
        """Compile batches, or the calls of a recorded loss, to machine code; return the program.

        Products and sums are computed in the order in which they are written. Only `dot`, `sum` and other
        long sums, which become loops, may be added up in another order. `real` is "float64" or "float32".
        ``fastmath=True`` lets the compiler reorder everything, fuse products with sums and assume that all
        numbers are finite. The samples of a large batch are split among `threads`; the last bits of sums
        depend on their number. Without a C compiler or NumPy, a warning says so and the program stays as it
        is. Raises `ValueError` with its name if a row of your own has no form in C.
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
