"""What the engine does, told as JSON by the form of it that runs: ``python -m tests.core.contract``.

`test_forms.py` runs this in both forms and compares. Numbers are told to the last bit. On standard input it
takes the pickles that another process told, and tells what it finds in them.
"""

from __future__ import annotations

import base64
import copy
import gc
import inspect
import json
import math
import pickle
import re
import sys
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd_lite
from autograd_lite import Value, core, grad, record_lines, topological_order
from autograd_lite.core import modes, rules
from autograd_lite.core.modes import no_grad, scope
from autograd_lite.core.primitive import TABLE, Primitive, primitive
from autograd_lite.core.recording import binary, linear, record, unary
from autograd_lite.core.tracing import Traceable, Tracer, alive
from tests.sampling import call, points


class Parameter(Value):
    """A subclass with a dictionary."""


class Slotted(Value):
    """A subclass with a slot of its own."""

    __slots__ = ("extra",)


class Unknown(Value, Tracer):
    """An operand that records operations itself."""

    __slots__ = ("row",)

    def __init__(self, row: Any) -> None:
        self.row = row

    def _record(self, row: Primitive, operands: tuple[Any, ...]) -> Any:
        return Unknown(row)


def told(thing: Any) -> Any:
    """Return a result as JSON takes it: floats to the last bit, of a Value all that it holds."""
    if isinstance(thing, float):
        return thing.hex() if type(thing) is float else [type(thing).__name__, float(thing).hex()]
    if isinstance(thing, Value):
        return [type(thing).__name__, *map(told, (thing.data, thing.grad, thing.reached, thing.label))]
    if isinstance(thing, list | tuple):
        return [type(thing).__name__, *map(told, thing)]
    return thing if thing is None or isinstance(thing, bool | int | str) else repr(thing)


def attempt(run: Callable[[], Any]) -> Any:
    """Return what a call gives, or its error with the whole text."""
    try:
        return told(run())
    except Exception as error:
        cause = error.__cause__ and [type(error.__cause__).__name__, str(error.__cause__)]
        return [type(error).__name__, _text(error), cause, getattr(error, "__notes__", None)]


def _text(error: Exception) -> str:
    # Python's own words for a wrong attribute or a call that does not fit depend on how a class was made.
    text = str(error).replace("autograd_lite.core.value.", "")
    words = isinstance(error, AttributeError) or re.search(r"\(\) (takes|got|missing) .*argument", text)
    return "in Python's words" if words else text


def graph(root: Any) -> Any:
    """Return every field of every node."""
    if not isinstance(root, Value):
        return told(root)
    order = topological_order(root)
    place = {id(node): k for k, node in enumerate(order)}
    return [
        [
            told(node),
            node.primitive and node.primitive.name,
            [["node", place[id(x)]] if isinstance(x, Value) else told(x) for x in node.operands],
            told(node.partials),
            node.scope and node.scope.name,
            node.line and node.line.number,
        ]
        for node in order
    ]


def of_row(row: Primitive) -> Any:
    found = []
    for point in points(row):
        for constant in range(-1, len(point) if len(point) <= 3 else 0):

            def recorded(point: Any = point, constant: int = constant) -> Any:
                operands = [x if k == constant else Value(x, f"x{k}") for k, x in enumerate(point)]
                node = record(row, tuple(operands))
                before = graph(node)
                node.backward(0.75)
                return [before, graph(node), told(call(row, tuple(operands)))]

            found.append(attempt(recorded))
        first, *others = point

        def f(x: Any, others: Any = others) -> Any:
            return call(row, (x, *others))

        derivative: Any = f
        for _ in range(3):
            derivative = grad(derivative)
            found.append(attempt(lambda d=derivative, x=first: d(x)))
        if row.arity in (1, 2):
            maker: Any = unary if row.arity == 1 else binary
            found.append(attempt(lambda maker=maker, point=point: graph(maker(row, *map(Value, point)))))
    return found


def behaviour() -> dict[str, Any]:
    x, y, array = Value(2.0, "x"), Value(-3.0, "y"), np.array([1.0, 2.0])
    own = TABLE.get("contract_own") or primitive(
        "contract_own", lambda x: math.sin(x) / x, lambda out, x: ((rules.cos(x) - out) / x,)
    )
    W, v, b = (
        [[Value(0.1), Value(-math.inf)], [Value(math.nan), Value(-0.0)]],
        [x, y],
        [Value(0.7), Value(-0.1)],
    )
    dead = rules.where(x > 0.0, x * 4.0, rules.log(x) * 5.0) * y
    dead.backward()

    def setting(name: str, value: Any) -> Callable[[], Any]:
        def run() -> Any:
            fresh = Value(1.0)
            setattr(fresh, name, value)
            return graph(fresh)

        return run

    cases: dict[str, Callable[[], Any]] = {
        **{
            f"{name} = {value!r}": setting(name, value)
            for name in ("data", "grad", "label", "operands", "partials", "gard", "primitive", "reached")
            for value in (1, 2.5, True, None, "a", 1j, math.nan, np.float32(0.1), np.int64(3), array, 10**400)
        },
        **{
            f"Value({value!r})": lambda value=value: Value(value)
            for value in (1, True, None, "a", 1j, np.uint8(7), array, 10**400, Value)
        },
        **{
            f"{name}({value!r})": lambda name=name, value=value: getattr(x, name)(value)
            for name in (
                "__add__",
                "__radd__",
                "__sub__",
                "__rsub__",
                "__mul__",
                "__truediv__",
                "__rtruediv__",
                "__pow__",
                "__rpow__",
                "__eq__",
                "__ne__",
                "__lt__",
                "__ge__",
                "atan2",
                "maximum",
            )
            for value in (3, 0.5, np.float32(0.1), "a", None, 1j, 0, y, Parameter(3.0), Slotted(3.0))
        },
        **{
            f"{name}()": lambda name=name: getattr(Value(-1.5, "z"), name)()
            for name in (
                "__neg__",
                "__abs__",
                "__pos__",
                "__bool__",
                "__float__",
                "__int__",
                "__complex__",
                "__trunc__",
                "__floor__",
                "__ceil__",
                "__round__",
                "__repr__",
                "log",
                "sqrt",
                "exp",
                "item",
            )
        },
        "no arguments": lambda: Value(),
        "many arguments": lambda: Value(1.0, "a", 2),
        "keyword": lambda: Value(1.0, labl="a"),
        "by keyword": lambda: Value(data=1.0, label="a"),
        "label": lambda: Value(1.0, 3),
        "exp(1)": lambda: x.exp(1),
        "float": lambda: float(x),
        "math": lambda: math.exp(x),
        "int": lambda: int(x),
        "index": lambda: [1][x],
        "format": lambda: [f"{x:.3f}", f"{x}", str(x), round(x, 2), round(x)],
        "hash": lambda: hash(x) == hash(x),
        "array": lambda: [told(z.data) for z in array * x] + [told(z.data) for z in x - array],
        "seed": lambda: x.backward("a"),
        "seed ∞": lambda: (x * 2).backward(math.inf),
        "own": lambda: graph(own(x)),
        "own error": lambda: own(Value(0.0, "zero")),
        "masked": lambda: graph(dead),
        "linear": lambda: [graph(z) for z in linear(W, v, b)],
        "linear sizes": lambda: linear(W, v, b[:1]),
        "linear mixed": lambda: [graph(z) for z in linear([[1.0, x]], v, [2])],
        "linear text": lambda: linear([["a", x]], v),
        "linear ∞": lambda: linear(
            [[Value(1e308, "w"), Value(1e308)]], [Value(9.0), Value(9.0)], [Value(0.0)]
        ),
        "tracer": lambda: [
            (Unknown(None) * 2.0).row,
            rules.dot([x, Unknown(None)], [x, y]).row,
            unary(rules.exp, Unknown(None)).row,
        ],
        "tracer graph": lambda: binary(rules.add, x, Unknown(None)).row,
        "reduce": lambda: copy.copy(dead).operands == dead.operands,
        "subclass": lambda: [
            graph(Parameter(2.0) * Slotted(3.0, "s")),
            type(copy.deepcopy(Parameter(1.0))).__name__,
        ],
        "subclass layer": lambda: [
            graph(z) for z in linear([[Parameter(2.0)]], [Slotted(3.0)], [Parameter(1.0)])
        ],
        "dict of subclass": lambda: vars(setattr(p := Parameter(1.0), "own", 3) or p),
        "weak": lambda: weakref.ref(x),
        "weak subclass": lambda: weakref.ref(Parameter(1.0))() is None,
        "dir": lambda: hasattr(x, "__dict__"),
        "kinds": lambda: [
            isinstance(x, Traceable),
            isinstance(x, Tracer),
            issubclass(Unknown, Tracer),
            issubclass(Value, Tracer),
        ],
        "names": lambda: [
            Value.__module__,
            Value.__qualname__,
            Value.exp.__qualname__,
            Value.__name__,
            Value.__doc__,
        ],
        "prev": lambda: [graph(z) for z in (x - 7.0)._prev],
        "op": lambda: (x * y)._op,
        "detach": lambda: graph((x * y).detach()),
        "alive": lambda: [thing.label for thing in alive() if thing is x or thing is y],
        "recorded": lambda: record(rules.exp, (x, "a")),
        "not a tuple": lambda: record(rules.exp, ("a",)),
    }
    with scope("outer"), scope("inner"), record_lines():
        scoped = (x * y + 1.0).exp()
    with no_grad():
        paused = (x * y).exp()
    cases |= {"scoped": lambda: graph(scoped), "paused": lambda: graph(paused)}
    return {name: attempt(run) for name, run in cases.items()}


def signatures() -> dict[str, Any]:
    """Of each public method: the names of its parameters, their defaults, its text."""
    methods = {name: getattr(Value, name) for name in dir(Value) if not name.startswith("_")}
    methods |= {"Value": Value, "linear": linear, "topological_order": topological_order, "record": record}
    found = {}
    for name, method in methods.items():
        parameters = inspect.signature(method).parameters.values() if callable(method) else ()
        found[name] = [[(p.name, told(p.default), str(p.kind)) for p in parameters], inspect.getdoc(method)]
    return found


def located() -> list[str]:
    """The lines of a traceback, from the user's to the engine's, without those that are Python's own."""
    try:
        rules.sqrt(Value(-1.0, "z")) + 1.0
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
        assert "rules.sqrt(Value" in (frames[0].line or "")
        return list(dict.fromkeys(frame.name.rpartition(".")[2] for frame in frames))
    raise AssertionError


def pickles() -> list[str]:
    x, w = Value(0.5, "x"), Parameter(-1.25, "w")
    with scope("model"), record_lines():
        y = rules.dot([x, w, 1.0], [w, w, x], x) + x.exp() * rules.where(x > 3.0, w, 2.0 - x)
    y.label = "y"
    y.backward()
    deep = x
    for _ in range(3_000):
        deep = deep + 1.0
    things = [y, x, Parameter(3.0), deep, rules.tanh, [y, y.operands[0]]]
    return [base64.b64encode(pickle.dumps(thing, n)).decode() for thing in things for n in (0, 2, 5)]


def described(text: str) -> Any:
    thing = pickle.loads(base64.b64decode(text))
    for root in thing if isinstance(thing, list) else [thing]:
        if isinstance(root, Value):
            root.backward()
    return [graph(root) for root in thing] if isinstance(thing, list) else graph(thing)


def steps(count: int) -> int:
    """How many blocks of memory are held after `count` steps more than after a tenth of them."""

    def step(k: int) -> None:
        x, w = Value(0.5, "x"), Parameter(float(k))
        y = rules.dot([x, w, 1.0], [w, w, x], x).tanh() * rules.where(x > 3.0, w, 2.0 - x)
        with scope("layer"):
            y = y + sum(linear([[x, w], [w, x]], [y, x], [w, w]))
        y.backward()
        grad(grad(lambda x: rules.tanh(x * x)))(0.3)
        y.zero_grad()
        pickle.loads(pickle.dumps(copy.deepcopy(y))).backward()
        for wrong in (
            lambda: x / 0.0,
            lambda: Value("a"),
            lambda: setattr(x, "gard", 1),
            lambda: linear([["a"]], [x]),
        ):
            attempt(wrong)
        x == y, x < 3, hash(x), repr(y), topological_order(y), alive()

    for k in range(count // 10):
        step(k)
    gc.collect()
    modes.backward_log.clear()  # it keeps the latest thousand
    before = sys.getallocatedblocks()
    for k in range(count):
        step(k)
    gc.collect()
    modes.backward_log.clear()
    return sys.getallocatedblocks() - before


def main() -> None:
    """Print all of it."""
    given = json.loads(sys.stdin.read() or "[]")
    x = Value(2.0)
    json.dump(
        {
            "form": {
                "compiled": core.compiled,
                "tracked": [
                    gc.is_tracked(x),
                    gc.is_tracked(x * x),
                    gc.is_tracked(linear([[x]], [x], [x])[0]),
                ],
            },
            "rows": {name: of_row(row) for name, row in TABLE.items()},
            "behaviour": behaviour(),
            "signatures": signatures(),
            "located": located(),
            "version": autograd_lite.__version__,
            "held": steps(1_000),
            "pickles": pickles(),
            "described": [*map(described, given)],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
