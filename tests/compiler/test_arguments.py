"""Arguments of programs: their containers, and numbers that are not floats."""

import copy

import numpy as np
import pytest

from autograd_lite import Value
from autograd_lite.compiler import compile
from autograd_lite.train import Adam, GradientDescent

KINDS = [np.uint8, np.int8, np.int64, np.uint64, np.float16, np.float32, np.float64, np.longdouble, int]


def cube(x, p):
    return x * x * x * p["a"][0] + p["a"][1] * x - p["b"]


def test_nested_arguments_come_back_in_their_containers():
    def f(x, named):
        return x[0] * x[1][0] + x[1][1] * named["a"] + named["b"][0] ** 2

    program = compile(f, [1.0, (2.0, 3.0)], {"a": 4.0, "b": [5.0]})
    value, (dx, dnamed) = program([1.0, (2.0, 3.0)], {"a": 4.0, "b": [5.0]})
    assert value == 39.0
    assert dx == [2.0, (1.0, 4.0)]
    assert dnamed == {"a": 3.0, "b": [10.0]}


def test_arrays_are_arguments_too():
    program = compile(lambda x: x[0][0] * x[1][1] + x[0][1], np.ones((2, 2)))
    value, gradient = program(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert value == 6.0
    assert gradient.tolist() == [[4.0, 1.0], [0.0, 1.0]]


def test_what_is_no_float_is_made_one_or_refused():
    w = Value(2.0)
    program = compile(lambda x: x * w, 1.0)
    for number in (3, np.float32(3.0)):
        assert [type(x) for x in program(number)] == [float, float]
    assert program(np.float32(0.1))[0] == 2.0 * float(np.float32(0.1))
    for wrong in (Value(3.0), 1j, np.array([1.0, 2.0])):
        with pytest.raises(TypeError, match="x must be a real number"):
            program(wrong)
        with pytest.raises(TypeError, match="x must be a real number"):
            program.backward(wrong)
    assert not w.reached


def test_named_tuples_and_dicts():
    import collections

    Point = collections.namedtuple("Point", "x y")
    program = compile(lambda p, d: p.x * p.y + d["a"], Point(1.0, 2.0), {"a": 1.0})
    value, (dp, dd) = program(Point(3.0, 4.0), {"a": 5.0})
    assert (value, tuple(dp), dd) == (17.0, (4.0, 3.0), {"a": 1.0})
    values, (dp, dd) = program.batch(
        np.array([[3.0, 4.0], [1.0, 1.0]]), {"a": np.array([5.0, 1.0])}, reduce=None
    )
    assert values.tolist() == [17.0, 2.0]
    assert dp.tolist() == [[4.0, 3.0], [1.0, 1.0]]
    assert dd["a"].tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="dict with the keys"):
        program(Point(3.0, 4.0), [5.0])
    with pytest.raises(TypeError, match="dict of batches"):
        program.batch(np.ones((2, 2)), [5.0])


def test_ragged_arguments():
    program = compile(lambda x: x[0] * x[1][0] * x[1][1], [1.0, [2.0, 3.0]])
    values, gradients = program.batch([[1.0, [2.0, 3.0]], [4.0, [5.0, 6.0]]], reduce=None)
    assert values.tolist() == [6.0, 120.0]
    assert gradients[0].tolist() == [6.0, 30.0]
    assert gradients[1].tolist() == [[3.0, 2.0], [24.0, 20.0]]
    with pytest.raises(ValueError, match="2 parts in each sample"):
        program.batch([[1.0, [2.0], 3.0], [4.0, [5.0], 6.0]])
    with pytest.raises(TypeError, match="must hold 2 parts"):
        program([1.0, 2.0])


def test_what_an_example_may_not_be():
    with pytest.raises(TypeError, match="without axes"):
        compile(lambda x: x, np.array(1.0))
    with pytest.raises(TypeError, match="the example x"):
        compile(lambda x: x, "a")
    with pytest.raises(TypeError, match="what the function returned"):
        compile(lambda x: "a", 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_trap_32_numbers_of_numpy_become_floats(kind):
    """In uint8 200 · 200 is 64; in float16 it is 40000 with three digits, and ∞ from there on."""
    w = Value(0.1, "w")
    program = compile(lambda x, p: cube(x, p) * w, 1.0, {"a": [1.0, 1.0], "b": 1.0})
    floats = (101.0, {"a": [3.0, 7.0], "b": 11.0})
    given = (kind(101), {"a": [kind(3), kind(7)], "b": kind(11)})
    w.grad = None
    value = program.backward(*floats)
    want, slope = (program(*floats), w.grad)
    w.grad = None
    assert program(*given) == want
    assert program.backward(*given, seed=kind(1)) == value
    assert w.grad == slope
    found, (dx, dp) = program(*given)
    assert {type(x) for x in (found, dx, dp["b"], *dp["a"], value, w.grad)} == {float}
    x = np.array([101], dtype=kind)
    p = {"a": np.array([[3, 7]], dtype=kind), "b": np.array([11], dtype=kind)}
    assert program.batch(x, p) == program.batch([101.0], {"a": [[3.0, 7.0]], "b": [11.0]})


@pytest.mark.parametrize("kind", KINDS)
def test_trap_32_arrays_of_any_kind(kind):
    program = compile(lambda a: a[0] * a[0] * a[1] - a[2], np.zeros(3))
    for given in (np.array([101, 3, 7], dtype=kind), [kind(101), kind(3), kind(7)]):
        value, gradient = program(given)
        assert type(value) is float
        assert (value, gradient.tolist()) == (30596.0, [606.0, 10201.0, -1.0])
        assert gradient.dtype == float
    nested = compile(lambda a, s: a[0][0] * a[0][1] + a[1][0] * s, [[1.0, 1.0], (1.0,)], 1.0)
    rows = compile(lambda a: a[0][0] * a[1][0] + a[1][1], [[1.0], [1.0, 1.0]])
    for first in ([kind(101)], np.array([101], dtype=kind), (101,), [101.0]):
        assert rows([first, [3.0, kind(7)]]) == (310.0, [[3.0], [101.0, 1.0]])
        assert rows([first, (3.0, 7.0)]) == (310.0, [[3.0], [101.0, 1.0]])
    with pytest.raises(ValueError, match=r"a\[0\] must hold 1 parts, got 2"):
        rows([[1.0, 2.0], [1.0, 2.0]])
    with pytest.raises(TypeError, match=r"a\[1\] must hold 2 parts, got 1.0"):
        rows([[1.0], 1.0])
    given = ([np.array([200, 200], dtype=np.uint8), (kind(3),)], kind(5))
    assert nested(*given) == (40015.0, ([[200.0, 200.0], (5.0,)], 3.0))


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32])
def test_trap_32_every_other_entrance(kind):
    """Gradients, seeds, step sizes and states that are set by hand."""
    w = Value(0.1, "w")
    w.grad = kind(3)
    assert type(w.grad) is float
    (w * 0.1).backward(kind(1))
    assert w.grad == 3.1
    assert type(w.grad) is float
    for wrong in (True, "1", np.array([1.0]), Value(1.0)):
        with pytest.raises(TypeError, match="the grad of a Value must be a real number"):
            w.grad = wrong
    for make in (GradientDescent, Adam):
        a, b = Value(0.1), Value(0.1)
        one, two = make([a], lr=kind(1)), make([b], lr=1.0)
        one.lr, two.lr = kind(2), 2.0
        assert type(one.lr) is float
        for x, optimizer in ((a, one), (b, two)):
            x.grad = 0.1
            optimizer.step()
        assert a.data == b.data
        with pytest.raises(TypeError, match="lr must be a real number"):
            one.lr = "0.1"
    program = compile(lambda x: w * x, 1.0)
    w.data = 0.1
    assert program.descend([0.3], lr=kind(1)) == [0.1 * 0.3]
    assert w.data == 0.1 - 0.3


def test_the_shape_of_an_argument_is_checked_at_the_door():
    program = compile(lambda p, x: p["a"] * x[0] + x[1], {"a": 1.0}, [1.0, 1.0])
    for given, kind, said in [
        (({"a": 1.0},), TypeError, "takes 2 arguments, got 1"),
        (({"a": 1.0}, [1.0]), ValueError, "x must hold 2 parts, got 1"),
        (({"a": 1.0}, 3.0), TypeError, "x must hold 2 parts, got 3.0"),
        (({"b": 1.0}, [1.0, 1.0]), TypeError, "p must be a dict with the keys"),
        (({"a": "1"}, [1.0, 1.0]), TypeError, r"p\['a'\] must be a real number, got str '1'"),
        (({"a": 1.0}, [1.0, True]), TypeError, r"x\[1\] must be a real number, got bool"),
        (
            ({"a": 1.0}, [1.0, Value(1.0)]),
            TypeError,
            r"x\[1\] must be .* take the number out of it with .data",
        ),
    ]:
        with pytest.raises(kind, match=said):
            program(*given)
    with pytest.raises(TypeError, match=r"x must be a real number, got list"):
        compile(lambda x: x * x, 1.0)([1.0])


def test_an_argument_is_not_changed():
    program = compile(lambda p: p["a"][0] * p["a"][1], {"a": [1.0, 1.0]})
    given = {"a": [2, np.float16(3.0)]}
    before = copy.deepcopy(given)
    assert program(given) == (6.0, {"a": [3.0, 2.0]})
    assert given == before
    assert [*map(type, given["a"])] == [int, np.float16]
