"""Print a graph for whole arrays: each node becomes one array, with an entry for each sample.

The text names functions only; `functions` finds them in NumPy, `jax.numpy`, PyTorch, CuPy and the like. Next
door: `printer.py` prints the expressions, `numpy_loops.py` prints loop nests.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from autograd_lite.compiler.codegen.printer import ATOM, CHOICE, Language, Printer
from autograd_lite.compiler.codegen.python import _block, _wrapped_pattern, _wrapped_return, load
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.compiler.passes.decompose import decompose
from autograd_lite.core.primitive import TABLE, Primitive

ARRAY = Language(
    "array",
    {"and": "({0}) & ({1})", "or": "({0}) | ({1})", "not": "~({0})", "whole": "{0} % 1.0 == 0.0"},
    (ATOM, (CHOICE, CHOICE, CHOICE)),
)
_NUMPY_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "pow": "power"}
_NUMPY_NAMES |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}


def numpy() -> Any:
    """Return NumPy. Raises `ModuleNotFoundError` with what to install."""
    try:
        import numpy as module
    except ModuleNotFoundError:
        message = "arrays need NumPy: pip install 'autograd-lite[fast]'"
        raise ModuleNotFoundError(message, name="numpy") from None
    return module


def _one_by_one(function: Callable[..., float]) -> Callable[..., Any]:
    """Return a function of arrays that calls a function of numbers on each entry; errors become NaN."""

    def safe(*x: float) -> float:
        try:
            return function(*map(float, x))
        except (ArithmeticError, ValueError):
            return math.nan

    def on_arrays(*x: Any) -> Any:
        np = numpy()
        return np.asarray(np.frompyfunc(safe, len(x), 1)(*x), dtype=float)

    return on_arrays


def _entry(namespace: Any, index: Any, *rows: Any) -> Any:
    """Return for each sample the number in row `index`."""
    n, where = len(rows), namespace.where
    torch = namespace.__name__ == "torch"
    broadcast = namespace.broadcast_tensors if torch else namespace.broadcast_arrays
    index, *rows = broadcast(index, *rows)
    index = where((index >= 0) & (index < n), index, 0)  # a wrong one is refused by a check of the program
    if torch:
        return namespace.gather(namespace.stack(rows), 0, index.long()[None])[0]
    return namespace.take_along_axis(namespace.stack(rows), index.astype(int)[None], 0)[0]


def _special(namespace: Any, name: str) -> Callable[..., Any] | None:
    homes = {"numpy": "scipy.special", "jax": "jax.scipy.special", "cupy": "cupyx.scipy.special"}
    home = homes.get(namespace.__name__.partition(".")[0])
    if home is None:
        return None
    try:
        module = importlib.import_module(home)
    except ModuleNotFoundError:
        return None
    return getattr(module, name, None)


def functions(namespace: Any, names: Iterable[str], opaque: dict[str, Primitive]) -> dict[str, Any]:
    """Return the functions of a namespace under the names that programs use.

    A function that the namespace lacks is called on each entry. `opaque` rows always are.
    """
    found: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
    torch = namespace.__name__ == "torch"
    for name in names:
        function = getattr(namespace, name, None) or getattr(namespace, _NUMPY_NAMES.get(name, name), None)
        function = function or _special(namespace, name)
        if name == "entry":
            function = partial(_entry, namespace)
        elif name in opaque:
            function = _one_by_one(opaque[name].forward)
        elif name == "cbrt" and function is None:
            function = lambda x: namespace.sign(x) * namespace.abs(x) ** (1.0 / 3.0)  # noqa: E731
        elif function is None and name in TABLE:
            function = _one_by_one(TABLE[name].forward)
        if torch and name not in found:  # PyTorch's functions take only tensors
            function = _of_tensors(namespace, function)  # type: ignore[arg-type]
        found.setdefault(name, function)
    return found


def _of_tensors(torch: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    def tensor(number: Any, tensors: list[Any]) -> Any:
        kind = next((t.dtype for t in tensors if t.dtype.is_floating_point), torch.float64)
        kind = torch.bool if isinstance(number, bool) else kind
        return torch.as_tensor(number, dtype=kind, device=tensors[0].device if tensors else None)

    def call(*x: Any) -> Any:
        tensors = [xi for xi in x if hasattr(xi, "dtype")]
        return function(*[xi if hasattr(xi, "dtype") else tensor(xi, tensors) for xi in x])

    return call


def array_source(
    graph: Graph, outputs: Sequence[int], *, name: str, n: int, leaves: int
) -> tuple[str, Printer]:
    """Return the text of a function of the arguments' columns and the leaves, and its printer."""
    low, out = decompose(graph, list(outputs), "array")
    printer = Printer(
        low, out, ARRAY, {*TABLE, *_NUMPY_NAMES.values(), name, "arguments", "leaves", "inf", "nan"}
    )
    place = {
        (low.ops[i], low.numbers[i]): printer.names[i]
        for i in printer.live
        if low.ops[i] in ("argument", "leaf")
    }
    lines = []
    for kind, given, count in (("argument", "arguments", n), ("leaf", "leaves", leaves)):
        if count:
            names = [place.get((kind, i), "_") for i in range(count)]
            lines += _wrapped_pattern(f"    ({', '.join(names)},) = {given}")
    lines += _block(printer, printer.statements(), "    ", True)
    lines += _wrapped_return(f"[{', '.join(printer.text(i) for i in out)}]")
    return "\n".join([f"def {name}(arguments, leaves):", *lines, ""]), printer


def array_function(
    graph: Graph, outputs: Sequence[int], namespace: Any, *, name: str, n: int, leaves: int
) -> Callable[..., list[Any]]:
    """Return a function from the columns and the leaves to the outputs, for arrays of a namespace."""
    text, printer = array_source(graph, outputs, name=name, n=n, leaves=leaves)
    bound = functions(namespace, printer.called, printer.opaque)
    return load(text, name, bound)


def all_finite(numbers: Any, np: Any) -> bool:
    """Return whether all numbers of an array are finite.

    If the sum of their squares is finite, they all are; otherwise each is tested.
    """
    # `dot` does the same, but warns where the squares overflow.
    return math.isfinite(np.vdot(numbers, numbers)) or bool(np.isfinite(numbers).all())
