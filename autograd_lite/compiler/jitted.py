"""`jit`: a function that is compiled when it is called, once for each structure of its arguments.

A call takes its arguments apart into a *structure* (containers, lengths, types, static arguments), plain
numbers and Values. The first call with a structure traces the function; its program is kept. Numbers are read
at every call, and so are the Values given or used from outside: these are the operands of the node that a
call returns, with the gradients that the program computed as its partials.

Next door: `program.py`, which compiles for one example, and `transforms`, whose derivatives take the function
that `jit` returns like any other.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, overload

from autograd_lite.compiler.frontend.functions import trace_call
from autograd_lite.compiler.program import Program, argument_names, program_of
from autograd_lite.compiler.runtime.descent import Descent
from autograd_lite.compiler.runtime.interface import Stepper
from autograd_lite.compiler.runtime.interpreter import replay
from autograd_lite.compiler.runtime.toolchain import NoCompilerError, compilers
from autograd_lite.core import modes, recording
from autograd_lite.core.numbers import is_real, real
from autograd_lite.core.primitive import ATOM, Operands, Primitive, Scalar
from autograd_lite.core.tracing import Tracer
from autograd_lite.core.value import Value
from autograd_lite.transforms.derivatives import gradients
from autograd_lite.transforms.pytrees import Pytree, flatten

# From so many operations on, machine code pays for its compilation after a few hundred calls.
NATIVE = 1_000


@overload
def jit(function: Callable[..., Pytree], *, static_argnums: int | Sequence[int] = ()) -> Jitted: ...
@overload
def jit(*, static_argnums: int | Sequence[int] = ()) -> Callable[[Callable[..., Pytree]], Jitted]: ...
def jit(
    function: Callable[..., Pytree] | None = None, *, static_argnums: int | Sequence[int] = ()
) -> Jitted | Callable[[Callable[..., Pytree]], Jitted]:
    """Return a function that computes the same as `function`, by a program; also as a decorator.

    The function is traced at the first call, and again for every new structure of its arguments: containers,
    lengths, shapes, whole numbers or not. Programs are kept. Arguments are numbers and Values in lists,
    tuples, dicts and arrays. Everything else, and a number that decides how the function runs (a count, a
    flag), is *static*: give its position in `static_argnums`; it must be hashable, and each value has a
    program of its own. A model is static by itself. Values from outside, such as its parameters, are read at
    every call; plain numbers from outside are those of the first call.

    The result is what the function returns: a number if no Values are involved, else a Value to call
    `backward` on. ``grad(jit(f))`` and ``value_and_grad(jit(f))`` are derivatives of any order. Large
    functions run as machine code if there is a C compiler. A function of several numbers that depend on
    Values has a program within `no_grad` alone.

    Raises `TraceError` with the line if the function branches on a number or asks for its data, `TypeError`
    for an argument that is neither a number nor static, and all errors of the function itself.

    >>> from autograd_lite import grad
    >>> @jit
    ... def f(x, n):
    ...     return x * x * n
    >>> f(3.0, 2), grad(f)(3.0, 2)
    (18.0, 12.0)
    """
    if function is None:
        return functools.partial(jit, static_argnums=static_argnums)
    return Jitted(function, static_argnums)


class Jitted:
    """A function that `jit` returned; its programs are made on demand, one for each structure."""

    def __init__(self, function: Callable[..., Pytree], static_argnums: int | Sequence[int] = ()) -> None:
        if not callable(function):
            raise TypeError(f"jit takes a function, got {type(function).__name__} {function!r:.40}")
        functools.update_wrapper(self, function)
        self._function = function
        self._static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
        self._compiled: dict[Hashable, _Compiled] = {}

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return (
            f"<jit of {getattr(self._function, '__name__', self._function)}: {len(self._compiled)} programs>"
        )

    def __call__(self, *arguments: Pytree, **named: Pytree) -> Pytree:
        """Return what the function returns for these arguments."""
        call = _Call(self._names(len(arguments)), self._static, arguments, named)
        # Within another trace the function is traced as part of it.
        if call.traced or modes.comparison_hook.get() is not None:
            return self._function(*arguments, **named)
        compiled = self._of(call)
        if not compiled.operands:
            return compiled.values(call.numbers, [])
        operands = compiled.given(call.values)
        if modes.pauses and modes.is_paused():
            return compiled.values(call.numbers, operands, Value)
        if not compiled.program.scalar:  # a program has the gradient of one number only
            return self._function(*arguments, **named)
        return compiled.node(call.numbers, operands)

    def program(self, *arguments: Pytree, **named: Pytree) -> Program:
        """Return the program for arguments like these: of one list, the plain numbers in them."""
        return self._of(_Call(self._names(len(arguments)), self._static, arguments, named)).program

    def descend(self, *batches: Sequence[Pytree], optimizer: Stepper) -> list[float]:
        """Take a step of the optimizer on each sample, in their order; return the values before each step.

        `batches` hold for each argument an entry for each sample. The samples may differ in structure.
        """
        with self.descent(*batches, optimizer=optimizer) as step:
            return step.over([[i] for i in range(len(batches[0]))])

    def descent(self, *batches: Sequence[Pytree], optimizer: Stepper) -> Descent:
        """Return a context manager that takes steps on samples, one after the other or in any order.

        ``with loss.descent(documents, optimizer=adam) as step:`` each call ``step.over([[2], [0], [1]])``
        takes a step on documents 2, 0 and 1 and returns the losses before each. `batches` are those of
        `descend`; samples of one structure can share a batch, whose mean is descended. See `Program.descent`.
        """
        if not batches or len({*map(len, batches)}) > 1:
            raise ValueError(f"give for each argument the same number of samples, got {[*map(len, batches)]}")
        if not batches[0]:
            raise ValueError("there are no samples to take steps on")
        names = self._names(len(batches))
        rows: dict[_Compiled, list[list[float]]] = {}  # of the samples of each structure, in order
        places: list[tuple[_Compiled, int]] = []
        for arguments in zip(*batches, strict=True):
            call = _Call(names, self._static, arguments, {})
            if call.values:
                raise TypeError("samples are plain numbers, but one holds a Value")
            found = rows.setdefault(compiled := self._of(call), [])
            compiled.program.needs_leaves()
            places.append((compiled, len(found)))
            found.append(call.numbers)
        number = {compiled: k for k, compiled in enumerate(rows)}
        given = [
            (compiled.fast_program, ([*map(tuple, numbers)],) if numbers[0] else ())
            for compiled, numbers in rows.items()
        ]
        # A program without arguments has one sample, whose value is always the same.
        samples = [(k := number[compiled], row if given[k][1] else 0) for compiled, row in places]
        return Descent(given, optimizer, samples)

    def _of(self, call: _Call) -> _Compiled:
        compiled = self._compiled.get(call.structure)
        if compiled is None:
            compiled = self._compiled[call.structure] = _Compiled(self._function, call)
        return compiled

    def _names(self, n: int) -> Callable[[], list[str]]:
        return functools.partial(argument_names, self._function, n)


class _Same:
    """An object as a key: equal to itself alone, whatever its own ``==`` says."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


class _Call:
    """The arguments of a call, taken apart: their ``structure``, ``numbers`` and ``values``."""

    def __init__(
        self,
        names: Callable[[], list[str]],
        static: Sequence[int],
        arguments: Sequence[Pytree],
        named: dict[str, Pytree],
    ) -> None:
        self.names, self.arguments, self.named = names, arguments, named
        self.numbers: list[float] = []
        self.values: list[Value] = []
        self.traced = False
        chosen = {k % len(arguments) for k in static if -len(arguments) <= k < len(arguments)}
        self.static = frozenset(chosen)
        parts: list[Hashable] = [
            self._fixed(k, x) if k in chosen else self._apart(x, (k,)) for k, x in enumerate(arguments)
        ]
        parts += [(name, self._apart(x, (name,))) for name, x in named.items()]
        self.structure: Hashable = tuple(parts)

    def _fixed(self, k: int, x: object) -> Hashable:
        try:
            hash(x)
        except TypeError:
            raise TypeError(
                f"the static argument {self.names()[k]} must be hashable, got {type(x).__name__} {x!r:.40}"
            ) from None
        return type(x), x

    def _name(self, path: tuple[object, ...]) -> str:
        first, *keys = path
        name = self.names()[first] if isinstance(first, int) else str(first)
        return name + "".join([f"[{key!r}]" for key in keys])

    def _apart(self, x: Pytree, path: tuple[object, ...]) -> Any:
        """Return the structure of an argument; append its numbers and Values to the lists."""
        kind = type(x)
        if kind is float or kind is int:
            self.numbers.append(real(x))
            return kind
        if isinstance(x, Value):
            self.values.append(x)
            self.traced |= isinstance(x, Tracer)
            return Value
        if x is None:
            return None
        if isinstance(x, list | tuple):
            kinds = {*map(type, x)}
            if kinds == {int} or kinds == {float}:  # tokens, coordinates
                self.numbers += map(float, x)
                return kind, len(x), *kinds
            return kind, *[self._apart(part, (*path, i)) for i, part in enumerate(x)]
        if isinstance(x, dict):
            return dict, *[(key, self._apart(part, (*path, key))) for key, part in x.items()]
        if type(x).__name__ == "ndarray":
            return "array", x.shape, self._apart(x.ravel().tolist(), path)
        if is_real(x):
            self.numbers.append(real(x))
            return int if hasattr(x, "__index__") else float
        if callable(getattr(x, "parameters", None)):
            return _Same(x)
        raise TypeError(
            f"{self._name(path)} is neither a number nor a Value: {type(x).__name__} {x!r:.40}; "
            "give the position of an argument that is not a number in static_argnums"
        )

    # --- The same arguments around traced values

    def around(
        self, numbers: Iterator[Scalar], values: Iterator[Scalar]
    ) -> tuple[list[Pytree], dict[str, Pytree]]:
        """Return the arguments with others in place of the numbers and the Values."""
        return (
            [x if k in self.static else _around(x, numbers, values) for k, x in enumerate(self.arguments)],
            {name: _around(x, numbers, values) for name, x in self.named.items()},
        )

    def labels(self) -> list[tuple[str, str]]:
        """Return for each number and Value, in order, its kind ("int", "float" or "Value") and its name."""
        found: list[tuple[str, str]] = []
        for k, (name, x) in enumerate(zip(self.names(), self.arguments, strict=True)):
            if k not in self.static:
                _labels(x, name, found)
        for name, x in self.named.items():
            _labels(x, name, found)
        return found


def _around(x: Pytree, numbers: Iterator[Scalar], values: Iterator[Scalar]) -> Pytree:
    if isinstance(x, Value):
        return next(values)
    if is_real(x):
        return next(numbers)
    if isinstance(x, dict):
        return {key: _around(part, numbers, values) for key, part in x.items()}
    if isinstance(x, list | tuple):
        parts = [_around(part, numbers, values) for part in x]
        return type(x)._make(parts) if hasattr(x, "_make") else type(x)(parts)
    if type(x).__name__ == "ndarray":
        array = x.astype(object)
        array.reshape(-1)[:] = [_around(part, numbers, values) for part in x.ravel().tolist()]
        return array
    return x


def _labels(x: Pytree, name: str, found: list[tuple[str, str]]) -> None:
    if isinstance(x, Value):
        found.append(("Value", x.label or name))
    elif is_real(x):
        found.append(("int" if hasattr(x, "__index__") else "float", name))
    elif isinstance(x, dict):
        for key, part in x.items():
            _labels(part, f"{name}[{key!r}]", found)
    elif isinstance(x, list | tuple):
        for i, part in enumerate(x):
            _labels(part, f"{name}[{i}]", found)
    elif type(x).__name__ == "ndarray":
        _labels(x.tolist(), name, found)


# --- One structure ---------------------------------------------------------------------------------


class _Compiled:
    """The programs of one structure; their leaves are the Values given and those from outside."""

    def __init__(self, function: Callable[..., Pytree], call: _Call) -> None:
        given = [Value(0.0) for _ in call.values]
        found = trace_call(
            lambda numbers, values: function(*(made := call.around(numbers, values))[0], **made[1]),
            call.labels(),
            given,
        )
        name = str(getattr(function, "__name__", type(function).__name__))
        self.program = program_of(found, name)
        values = found._replace(result=flatten([0.0] * len(found.outputs), "the result").tree)
        self._only_values = program_of(values, name)
        self.program.single = self._only_values.single = True
        place = {leaf: k for k, leaf in enumerate(given)}
        # Of each leaf the place among the Values given, or the Value from outside itself.
        self.operands: list[int | Value] = [place.get(leaf, leaf) for leaf in found.leaves]
        self.row = CompiledRow(self.program)
        self._native = len(found.graph) >= NATIVE and _has_compiler()

    def given(self, values: Sequence[Value]) -> list[Value]:
        """Return the operands of a call: the Values that the program reads."""
        return [values[x] if isinstance(x, int) else x for x in self.operands]

    def values(
        self, numbers: list[float], operands: Sequence[Value], kind: Callable[[float], Scalar] = float
    ) -> Pytree:
        """Return the result without derivatives, its numbers made by `kind`."""
        program = self._fast(self._only_values)
        found = program.values_at(numbers, [x._data for x in operands])
        return self.program.result.build(map(kind, found))

    def node(self, numbers: list[float], operands: Sequence[Value]) -> Value:
        """Return the result as a node of its operands: the numbers, which are constants, and the Values."""
        program = self.fast_program
        value, partials = program.gradient_at(numbers, [x._data for x in operands])
        none = (None,) * len(numbers)
        return recording.made(value, self.row, (*numbers, *operands), (*none, *partials))

    @property
    def fast_program(self) -> Program:
        """The program in its fastest form."""
        return self._fast(self.program)

    def _fast(self, program: Program) -> Program:
        """Compile a large program to machine code; it runs in another form where that fails."""
        if self._native and program._native is None:
            try:
                program.native()
            except (RuntimeError, ValueError):  # the compiler fails, or a row of the user's has no form in C
                self._native = False
        return program


class CompiledRow(Primitive):
    """The operation of a node that a compiled function returned, on the numbers and on the leaves."""

    def __init__(self, program: Program) -> None:
        self.program, n = program, sum(len(tree.paths) for _, tree in program.arguments)

        def at(*x: float) -> tuple[float, list[float]]:
            return program.gradient_at([*x[:n]], [*x[n:]])

        def partials(out: float, *x: float) -> tuple[float, ...]:
            return (*[0.0] * n, *at(*x)[1])

        def rule(out: Scalar, *x: Scalar) -> Operands:
            # The engine records the operations of the program, on inputs of their own.
            inputs = [xi * 1.0 if isinstance(xi, Value) else xi for xi in x]
            place = {"argument": inputs[:n], "leaf": inputs[n:]}
            graph = program.graph
            known = {i: place[op][graph.numbers[i]] for i, op in enumerate(graph.ops) if op in place}
            (y,) = replay(graph, program.outputs, known)
            if not isinstance(y, Value):
                return (0.0,) * len(x)
            return (*[0.0] * n, *gradients(y, inputs[n:], record=True))

        name, escaped = program.name, program.name.replace("_", r"\_")
        super().__init__(
            name, lambda *x: at(*x)[0], rule, name, rf"\operatorname{{{escaped}}}",
            (ATOM,), "", "", None, False, None, partials, f"{name}, a compiled function.",
        )  # fmt: skip

    def __reduce__(self) -> tuple[object, ...]:
        return CompiledRow, (self.program,)


@functools.cache
def _has_compiler() -> bool:
    try:
        return bool(compilers())
    except NoCompilerError:
        return False
