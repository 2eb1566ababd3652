"""Copies and pickles of graphs."""

import copy
import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given

from autograd_lite.core import rules as table
from autograd_lite.core.value import Value, topological_order
from tests.core.common import chain, graphs, reachable


def python_pickle(thing: Any) -> Any:
    file = io.BytesIO()
    pickle._Pickler(file, 4).dump(thing)
    return pickle._Unpickler(io.BytesIO(file.getvalue())).load()


WAYS = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle protocol 0": lambda x: pickle.loads(pickle.dumps(x, 0)),
    "pickle in Python": python_pickle,
}
each_way = pytest.mark.parametrize("clone", WAYS.values(), ids=WAYS)


def described(root: Value) -> list[Any]:
    order = topological_order(root)
    place = {id(node): k for k, node in enumerate(order)}
    return [
        (n.data, n.grad, n.label, n.primitive, n.partials, [place.get(id(x), x) for x in n.operands])
        for n in order
    ]


@each_way
def test_copy_is_a_graph_of_its_own(clone):
    x, w = Value(2.0, "x"), Value(3.0, "w")
    y = table.dot([x, w, 1.0], [w, w, x], x) + x.exp() * table.where(x > 3.0, w, 2.0 - x)
    y.label = "y"
    y.backward()
    twin = clone(y)
    assert described(twin) == described(y)
    assert not reachable(twin).keys() & reachable(y).keys()
    before = described(y)
    twin.backward()
    assert described(y) == before
    assert [n.grad for n in topological_order(twin)] == [2.0 * n.grad for n in topological_order(y)]


@each_way
@given(graph=graphs())
def test_copy_of_any_graph(clone, graph):
    _, root = graph
    twin = clone(root)
    assert described(twin) == described(root)
    twin.backward()
    root.backward()
    assert described(twin) == described(root)


@each_way
def test_roots_copied_together_go_on_sharing(clone):
    x = Value(2.0, "x")
    shared = x * x
    one, another, dictionary = clone([shared + 1.0, shared * 3.0, {"x": x, "shared": shared}])
    assert one.operands[0] is another.operands[0] is dictionary["shared"]
    assert dictionary["shared"].operands == (dictionary["x"], dictionary["x"])
    assert dictionary["shared"].operands[0] is dictionary["x"]
    one.backward()
    another.backward()
    assert dictionary["x"].grad == 4.0 * (1.0 + 3.0)


@each_way
def test_copy_is_no_deeper_than_the_stack(clone):
    """20,000 operations, with a fork at each end, in a list of two roots, and another graph after it."""
    x = Value(0.5)
    deep = chain(20_000, x)
    one, another, apart = clone([deep * x, deep + 1.0, chain(20_000)])
    assert one.operands[0] is another.operands[0]
    one.backward()
    assert one.operands[1].grad == 0.5 + 20_000.5
    assert len(topological_order(one)) == 20_002
    assert apart.data == 20_000.5


def test_shallow_copy_shares_the_operands():
    x = Value(2.0, "x")
    y = x * 3.0
    y.backward()
    twin = copy.copy(y)
    assert twin is not y
    assert (twin.data, twin.grad, twin.primitive, twin.partials) == (6.0, 1.0, table.mul, (3.0, None))
    assert twin.operands[0] is x
    leaf = copy.copy(x)
    leaf.data = 5.0
    assert (x.data, leaf.label) == (2.0, "x")


def test_copies_that_are_left_half_way_leave_nothing_behind():
    deep = chain(10_000)
    root = deep * 2.0
    copy.copy(root)
    root.__reduce__()
    assert pickle.loads(pickle.dumps(deep)).data == deep.data

    class Local(Value):
        """No pickle finds a class inside a function."""

    unpicklable = Local(1.0)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(deep * unpicklable)
    assert pickle.loads(pickle.dumps(deep)).data == deep.data
    with pytest.raises((pickle.PicklingError, AttributeError)):
        python_pickle(deep * unpicklable)
    assert python_pickle(deep).data == deep.data


def test_pickler_that_lives_on_does_not_meet_the_next():
    deep = chain(10_000)
    pickler = pickle.Pickler(io.BytesIO())
    pickler.dump(deep * 2.0)
    assert pickle.loads(pickle.dumps(deep)).data == deep.data


def test_pickles_in_two_threads_do_not_meet():
    roots = [chain(2_000) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for root, saved in zip(roots, pool.map(pickle.dumps, roots), strict=True):
            assert described(pickle.loads(saved)) == described(root)
