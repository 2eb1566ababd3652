"""`Module`: a model, which finds its own parameters, names them, and keeps them in files.

Next door: the modules that come with the library (`layers.py`), the format of the files (`files.py`), the
table that a module shows in Jupyter (`summary.py`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from autograd_lite.core.habits import MODULE, unknown
from autograd_lite.core.modes import no_grad
from autograd_lite.core.numbers import real
from autograd_lite.core.value import Value
from autograd_lite.nn.examples import Rows, rows_of
from autograd_lite.nn.files import Document, held, read_json, write_json
from autograd_lite.nn.summary import as_html, as_text
from autograd_lite.transforms.pytrees import flatten

# Where a parameter was found, innermost key last: (((None, "layers"), 0), "w"). Names are joined only on
# request, because a training loop asks for the parameters alone.
KeyPath: TypeAlias = tuple[Any, Any] | None


def find_parameters(part: object) -> dict[Value, KeyPath]:
    """Return the parameters in a module and everything it holds, each with its path."""
    found: dict[Value, KeyPath] = {}
    _search(part, None, {}, found)
    return found


def path_keys(path: KeyPath) -> list[Any]:
    """Return a path as the list of its keys, outermost first: attribute names, list indices, dict keys."""
    reversed_keys = []
    while path is not None:
        path, key = path
        reversed_keys.append(key)
    return reversed_keys[::-1]


def _search(part: Any, path: KeyPath, seen: dict[int, object], found: dict[Value, KeyPath]) -> None:
    seen[id(part)] = part  # kept alive, so that no new object gets its id
    if isinstance(part, Module):
        entries: Iterable[tuple[Any, Any]] = vars(part).items()
    else:
        entries = part.items() if isinstance(part, dict) else enumerate(part)
    for key, entry in entries:
        if isinstance(entry, Value):
            if entry.primitive is None:
                found.setdefault(entry, (path, key))
        elif isinstance(entry, _HOLDERS):
            if id(entry) not in seen:
                _search(entry, (path, key), seen, found)
        elif getattr(entry, "dtype", None) == "O":  # an array of Values
            _search(entry.tolist(), (path, key), seen, found)


class Module:
    """A model: a callable object that owns parameters.

    Its parameters are the leaf Values among its attributes, and in the lists, tuples, dicts, object arrays
    and Modules found there, at any depth, in the order in which they were set. A shared parameter counts
    once, under its first name. A Value produced by an operation is not a parameter.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0, "slope"), Value(1.0, "offset")
    ...
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def __call__(self, x: Any) -> Any:
        """Return the output for one example: a Value, or a container of Values. A subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(self, x)")

    def predict(self, X: Rows) -> Any:
        """Return the outputs for the examples `X` as numbers; nothing is recorded.

        `X` has a row for each example: a list, an array or a DataFrame. The outputs are a list with an entry
        for each example, or an array if `X` is one or a DataFrame. Of a classifier these are scores:
        ``[argmax(scores) for scores in model.predict(X)]`` are the classes.

        >>> from autograd_lite import MLP
        >>> len(MLP(2, [8, 3], rng=0).predict([[0.5, -1.0], [0.0, 2.0]]))
        2
        """
        with no_grad():
            outputs = [flatten(self(x), "the output") for x in rows_of(X, "X")]
        numbers = [y.around([x.data if isinstance(x, Value) else x for x in y.leaves]) for y in outputs]
        if not hasattr(X, "dtype") and not hasattr(X, "to_numpy"):
            return numbers
        import numpy

        return numpy.array(numbers)

    def parameters(self) -> list[Value]:
        """Return the parameters, in the order of definition."""
        return list(find_parameters(self))

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield each parameter with its dotted name, ``layers.0.neurons.3.w.1``.

        Raises `ValueError` if the keys of a dict give two parameters the same name.
        """
        names = set()
        for parameter, path in find_parameters(self).items():
            name = ".".join(map(str, path_keys(path)))
            if name in names:
                raise ValueError(f"two parameters are named {name!r}: rename a key of a dict in the model")
            names.add(name)
            yield name, parameter

    def zero_grad(self) -> None:
        """Set ``grad`` of every parameter to 0.0, not reached."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, float]:
        """Return the data of the parameters by name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set the data of all parameters by name, as `state_dict` returned them.

        Raises `ValueError`, and changes nothing, unless `state` has a finite number for each parameter and
        nothing else. Raises `TypeError` if it is not a dict.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"a state is a dict of numbers by name, got {type(state).__name__} {state!r:.40}")
        parameters = dict(self.named_parameters())
        numbers, wrong = {}, []
        for name in parameters.keys() & state.keys():
            with suppress(TypeError, OverflowError):
                numbers[name] = real(state[name])
            if not math.isfinite(numbers.get(name, math.nan)):
                wrong.append(f"{name} ({state[name]!r:.40})")
        problems = [
            f"{what} {_some(names)}"
            for what, names in (
                ("missing:", [name for name in parameters if name not in state]),
                ("unexpected:", [str(name) for name in state if name not in parameters]),
                ("not a finite number:", sorted(wrong)),
            )
            if names
        ]
        if problems:
            raise ValueError(f"this state does not fit {self!r}: {'; '.join(problems)}")
        for name, parameter in parameters.items():
            parameter.data = numbers[name]

    @property
    def architecture(self) -> Document | None:
        """The arguments that build a model of this shape, for its file. None by default; `MLP` has them."""
        return None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters to the file `path`, as JSON that gives every float back exactly.

        The file begins with the model's repr, and its shape if a file can hold it. Raises `ValueError`, and
        writes nothing, if a parameter is infinite or NaN. Raises `OSError` if the file cannot be written.
        """
        state = self.state_dict()
        wrong = [f"{name} ({number!r})" for name, number in state.items() if not math.isfinite(number)]
        if wrong:
            raise ValueError(f"{path} is not written: these parameters are not finite: {_some(wrong)}")
        write_json(path, {"model": repr(self), "architecture": self.architecture, "parameters": state})

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters from a file that `save` wrote.

        The file is JSON, which runs no code, unlike a pickle. Raises `ValueError`, and changes nothing, if it
        is damaged or belongs to another model. Raises `OSError` if it cannot be read.
        """
        self.load_document(read_json(path), path)

    def load_document(self, document: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
        """Set the parameters from the result of `read_json`; errors are those of `load` and name `path`."""
        state, theirs, ours = document.get("parameters"), document.get("architecture"), self.architecture
        if not isinstance(state, dict):
            raise ValueError(f'{path} does not hold a saved model: it has no "parameters"')
        if ours and theirs and ours != theirs:
            raise ValueError(f"{path} does not fit {self!r}: it holds {held(document)}")
        try:
            self.load_state_dict(state)
        except ValueError as error:
            raise ValueError(f"{path}, which holds {held(document)}: {error}") from None

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> NoReturn:
            raise unknown(self, f"{type(self).__name__!r} object", name, MODULE)

    def _count(self) -> str:
        count = len(self.parameters())
        return f"{count} parameter{'' if count == 1 else 's'}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {self._count()}>"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": as_text(self), "text/html": as_html(self)}


_HOLDERS = (Module, list, tuple, dict)  # where parameters are looked for


def _some(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
