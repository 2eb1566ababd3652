"""How an operation makes a node: all makers alike, operands without a number."""

import math
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from autograd_lite.core import modes
from autograd_lite.core import rules as table
from autograd_lite.core.modes import no_grad, scope
from autograd_lite.core.primitive import TABLE, Primitive
from autograd_lite.core.recording import binary, linear, record, unary
from autograd_lite.core.tracing import Tracer
from autograd_lite.core.value import Value
from tests.sampling import call, points


def number_of(x: Any) -> float:
    return x.hidden if type(x) is Unknown else x.data if type(x) is Value else x


class Unknown(Value, Tracer):
    """A number that the library does not get to see: it computes with rows, and shows at the end."""

    __slots__ = ("hidden",)

    def __init__(self, hidden: float) -> None:
        self.hidden = hidden

    def _record(self, row: Primitive, operands: tuple[Any, ...]) -> Any:
        return Unknown(row.forward(*map(number_of, operands)))

    def __eq__(self, other: object) -> Any:
        return Unknown(self.hidden == other)

    __hash__ = None


def test_what_has_no_number_records_itself():
    u = Unknown(0.25)
    for row, operands in (
        (table.exp, (u,)),
        (table.hypot, (u, 4.0)),
        (table.hypot, (4.0, u)),
        (table.add, (Value(4.0), u)),
        (table.dot, (u, 4.0, 4.0)),
        (table.dot, (4.0, Value(2.0), u)),
    ):
        assert call(row, operands).hidden == call(row, tuple(map(number_of, operands)))


def test_where_computes_both_branches_of_what_is_not_decided():
    ran = []
    for condition in (True, False):
        branches = (lambda: ran.append("x") or 2.0, lambda: ran.append("y") or 3.0)
        assert table.where(Unknown(condition), *branches).hidden == (2.0 if condition else 3.0)
    assert ran == ["x", "y", "x", "y"]
    assert table.where(Unknown(1.0), 2.0, 3.0).hidden == 2.0


@pytest.mark.parametrize("label", [0, 1, 2])
def test_label_may_be_undecided(label):
    scores = [0.3, -1.0, 2.0]
    loss = table.softmax_cross_entropy(scores, Unknown(label))
    assert loss.hidden == pytest.approx(table.softmax_cross_entropy(scores, label), rel=4e-16)


def test_comparisons_are_handed_on_while_they_are_undecided():
    asked = []

    def answer(value: Value, name: str, other: Any) -> str:
        asked.append((value.data, name, other))
        return "later"

    x, y = Value(1.0), Value(2.0)
    token = modes.comparison_hook.set(answer)
    try:
        assert (x < y, x == 3.0, bool(x)) == ("later", "later", True)
    finally:
        modes.comparison_hook.reset(token)
    assert asked == [(1.0, "lt", y), (1.0, "eq", 3.0), (1.0, "ne", 0.0)]
    assert x < y


@pytest.mark.parametrize("count", [1, 2])
def test_an_attribute_error_of_a_row_is_not_taken_for_something_else(count):
    def fail(*operands: float) -> float:
        raise AttributeError("mine")

    rule = (lambda out, x: (1.0,)) if count == 1 else (lambda out, x, y: (1.0, 1.0))
    row = table.primitive("failing", fail, rule)
    try:
        with pytest.raises(AttributeError, match=r"^mine$"):
            row(*[Value(1.0)] * count)
    finally:
        del table.TABLE["failing"]


# --- All makers make the same node -----------------------------------------------------------------

SLOTS = ("_data", "_grad", "_mark", "_operands", "_partials", "primitive")


def fields(node: Any) -> dict[str, Any]:
    assert type(node) is Value
    assert not hasattr(node, "_adjoint")
    # A NaN is not itself; its text is.
    found = {slot: getattr(node, slot) for slot in SLOTS} | {"_note": getattr(node, "_note", "unset")}
    return {slot: [*map(repr, part)] if slot == "_partials" else part for slot, part in found.items()}


def same(made: Any, generic: Any) -> bool:
    made, generic = fields(made), fields(generic)
    (a, b), (c, d) = ((made.pop(slot), generic.pop(slot)) for slot in ("_data", "_operands"))
    alike = all(x is y or (isinstance(x, float) and x.hex() == y.hex()) for x, y in zip(c, d, strict=True))
    return made == generic and a.hex() == b.hex() and len(c) == len(d) and alike


@pytest.mark.parametrize("scoped", [False, True])
@pytest.mark.parametrize(
    "row", [row for row in TABLE.values() if row.arity in (1, 2)], ids=lambda row: row.name
)
def test_a_maker_makes_the_node_that_record_makes(row, scoped, monkeypatch):
    if not scoped:
        monkeypatch.setattr(modes, "provenance", None)
    for point in points(row):
        with scope("one") if scoped else nullcontext():
            if row.arity == 1:
                x = Value(*point)
                assert same(unary(row, x), record(row, (x,)))
            else:
                x, y = map(Value, point)
                for operands in ((x, y), (x, point[1]), (point[0], y), (x, x)):
                    try:
                        generic = record(row, operands)
                    except (ArithmeticError, ValueError):  # (x, x) may be outside the domain
                        continue
                    assert same(binary(row, *operands), generic)


@pytest.mark.parametrize("scoped", [False, True])
def test_a_layer_is_made_of_the_nodes_that_record_makes(scoped, monkeypatch):
    if not scoped:
        monkeypatch.setattr(modes, "provenance", None)
    W = [[Value(0.1), Value(-math.inf), Value(1e308)], [Value(math.nan), Value(0.0), Value(-0.0)]]
    x, b = [Value(0.3), Value(2.0), Value(-1.5)], [Value(0.7), Value(-0.1)]
    with scope("layer") if scoped else nullcontext():
        for made, w, bi in zip(linear(W, x, b), W, b, strict=True):
            assert same(made, record(table.dot, (*w, *x, bi)))


def test_x_plus_a_constant_shares_its_partials():
    x = Value(2.0)
    assert (x + 1.0)._partials is (x - 5.0)._partials
    assert (x + 1.0).partials == (x - 5.0).partials == (1.0, None)
    assert (1.0 - x).partials == (None, -1.0)
    assert (x * 1.0).partials == (1.0, None)
    assert (x * 3.0).partials == (3.0, None)


# --- A layer ---------------------------------------------------------------------------------------


def mixed(number: float) -> Any:
    return Value(number) if number > 0.0 else number


KINDS = [Value, float, int, np.float64, mixed]


@pytest.mark.parametrize("of_w", KINDS)
@pytest.mark.parametrize("of_x", KINDS)
@pytest.mark.parametrize("of_b", [*KINDS, None])
def test_linear_is_a_dot_for_each_row(of_w, of_x, of_b):
    W = [[of_w(w) for w in line] for line in ((1.0, -2.0, 3.0), (-4.0, 5.0, 6.0))]
    x = [*map(of_x, (7.0, -8.0, 9.0))]
    b = None if of_b is None else [*map(of_b, (-2.0, 3.0))]
    outputs = linear(W, x, b)
    dots = [table.dot(w, x, None if b is None else b[k]) for k, w in enumerate(W)]
    assert [*map(type, outputs)] == [*map(type, dots)]
    for output, dot in zip(outputs, dots, strict=True):
        assert output == dot
        if type(dot) is Value:
            assert output.primitive is table.dot
            assert output.partials == dot.partials
            assert [type(p) for p in output.operands] == [type(p) for p in dot.operands]
            assert all(p is q or p == q for p, q in zip(output.operands, dot.operands, strict=True))


@pytest.mark.parametrize("W", [[], [[]], [[], []]])
@pytest.mark.parametrize("biased", [False, True])
def test_linear_of_nothing(W, biased):
    b = [Value(2.0) for _ in W] if biased else None
    outputs = linear(W, [], b)
    assert outputs == [2.0 if biased else 0.0] * len(W)
    for output, bias in zip(outputs, b or (), strict=False):
        output.backward()
        assert bias.grad == 1.0


def test_linear_keeps_scope_and_no_grad():
    W, x, b = [[Value(1.0), Value(2.0)]], [Value(3.0), Value(4.0)], [Value(5.0)]
    with scope("layer") as layer:
        (y,) = linear(W, x, b)
    assert (y.scope, y.data) == (layer, 16.0)
    with no_grad():
        (z,) = linear(W, x, b)
    assert (z.data, z.primitive) == (16.0, None)


def test_linear_says_what_does_not_fit():
    x = [Value(1.0), Value(2.0)]
    with pytest.raises(ValueError, match=r"^linear needs a bias for each row of W, got 1 for 2 rows$"):
        linear([x, x], x, [Value(1.0)])
    with pytest.raises(ValueError, match=r"^dot needs two vectors of one length, got 1 and 2 numbers$"):
        linear([x, x[:1]], x, x)
    with pytest.raises(TypeError, match=r"^an operand of dot must be a real number, got str 'a'$"):
        linear([x, ["a", x[1]]], x, x)
    huge = [Value(1.7e308, "huge"), Value(1.7e308)]
    with pytest.raises(OverflowError, match=r"^dot\(huge=1\.7e\+308, "):
        linear([huge], [Value(1.0), Value(1.0)], [Value(0.0)])


def test_linear_outside_of_any_scope(monkeypatch):
    monkeypatch.setattr(modes, "provenance", None)
    (node,) = linear([[Value(1.0), Value(2.0)]], [Value(3.0), Value(4.0)], [Value(5.0)])
    assert (node.data, node.scope) == (16.0, None)


def test_an_overflow_is_not_blamed_on_the_domain():
    with pytest.raises(OverflowError, match=r"^pow\(1e\+200, 3\.0\): math range error$"):
        Value(1e200) ** 3.0
    with pytest.raises(ValueError, match=r"^pow\(-1\.0, 0\.5\): math domain error \(domain: x > 0, or"):
        Value(-1.0) ** 0.5
