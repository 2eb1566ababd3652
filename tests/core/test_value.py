"""`Value`: what it takes and refuses, the order of a graph, the backward pass, depth, memory, threads."""

import copy
import gc
import math
import multiprocessing
import pickle
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograd_lite.core import rules as table
from autograd_lite.core.locks import traversal
from autograd_lite.core.recording import linear
from autograd_lite.core.value import Value, topological_order
from tests.core.common import NO_REALS, REALS, graphs, reachable

# --- Construction and data -------------------------------------------------------------------------


@pytest.mark.parametrize("number", REALS, ids=repr)
def test_data_is_a_float(number):
    value = Value(number)
    assert type(value.data) is float
    assert value.data == 3.0
    value.data = 4.0
    value.data = number
    assert type(value.data) is float
    assert value.data == 3.0
    value.backward(seed=number)
    assert type(value.grad) is float


@pytest.mark.parametrize("thing", [*NO_REALS, np.ones(()), np.ones(1), Value(3.0)], ids=repr)
def test_data_and_seed_refuse_what_is_no_real_number(thing):
    kind = type(thing).__name__
    with pytest.raises(TypeError, match=rf"^the data of a Value must be a real number, got {kind} "):
        Value(thing)
    value = Value(1.0)
    with pytest.raises(TypeError, match=rf"^the data of a Value must be a real number, got {kind} "):
        value.data = thing
    with pytest.raises(TypeError, match=rf"^the seed must be a real number, got {kind} "):
        value.backward(thing)
    assert (value.data, value.reached) == (1.0, False)


def test_data_beyond_a_float_is_refused():
    with pytest.raises(OverflowError, match=r"^the data of a Value is beyond the range of a float"):
        Value(10**400)


@pytest.mark.parametrize("label", [3, b"w", {"w"}, Value(1.0)], ids=repr)
def test_label_is_text(label):
    with pytest.raises(TypeError, match=r"^a label must be text, got "):
        Value(1.0, label)
    value = Value(1.0, "w")
    with pytest.raises(TypeError, match=r"^a label must be text, got "):
        value.label = label
    assert value.label == "w"
    value.label = None
    assert value.label is None
    assert Value(1.0, label="w₁").label == "w₁"
    assert Value(1.0).label is None


def test_leaf_has_neither_operands_nor_gradient():
    leaf = Value(2.0)
    assert (leaf.grad, leaf.reached, leaf.primitive, leaf.scope) == (0.0, False, None, None)
    assert leaf.operands == leaf.partials == ()
    assert (leaf._prev, leaf._op) == ((), "")


def test_misspelt_attribute_is_an_error():
    value = Value(1.0)
    with pytest.raises(AttributeError):
        value.gard = 5.0
    with pytest.raises(AttributeError):
        value.operands = ()
    with pytest.raises(AttributeError):
        value.partials = ()
    assert not hasattr(value, "__dict__")


def test_subclass_is_an_operand_like_any_other():
    class Parameter(Value):
        pass

    w, x = Parameter(2.0, "w"), Value(3.0)
    for node in (w * x, x * w, w.exp() * x, table.sum([w, x, w]), table.maximum(w, 1.0), 2.0 * w, w > x):
        assert type(node) in (Value, bool)
    y = w * x + table.dot([w, w], [x, w])
    y.backward()
    assert (w.grad, x.grad) == (3.0 + 3.0 + 4.0, 2.0 + 2.0)
    assert type(copy.deepcopy(y).operands[0].operands[0]) is Parameter


# --- The graph -------------------------------------------------------------------------------------


def test_operands_and_partials_of_each_arity():
    x, y, z = Value(2.0), Value(3.0), Value(5.0)
    for node, operands, partials in (
        (x.square(), (x,), (4.0,)),
        (x * y, (x, y), (3.0, 2.0)),
        (x * x, (x, x), (2.0, 2.0)),
        (x * 7.0, (x, 7.0), (7.0, None)),
        (7.0 - x, (7.0, x), (None, -1.0)),
        (table.sum([x]), (x,), (1.0,)),
        (table.sum([x, 7]), (x, 7.0), (1.0, None)),
        (table.prod([x, y, z]), (x, y, z), (15.0, 10.0, 6.0)),
        (table.prod([x, 7, z]), (x, 7.0, z), (35.0, None, 14.0)),
        (table.prod([x, x, 7.0]), (x, x, 7.0), (14.0, 14.0, None)),
    ):
        assert len(node.operands) == len(operands)
        assert all(a is b or a == b for a, b in zip(node.operands, operands, strict=True))
        assert [type(a) for a in node.operands] == [type(b) for b in operands]
        assert node.partials == partials


def test_micrograds_names():
    x, y = Value(2.0), Value(3.0)
    assert (x * y)._prev == (x, y)
    assert (x * y)._prev[0] is x
    assert [child.data for child in (x - 7.0)._prev] == [2.0, 7.0]
    assert [node._op for node in (x + y, x - y, x * y, x / y, x.relu(), x.tanh())] == [
        "+",
        "-",
        "*",
        "/",
        "ReLU",
        "tanh",
    ]


@given(graphs())
def test_topological_order_lists_each_node_once_after_its_operands(graph):
    _, root = graph
    order = topological_order(root)
    place = {id(node): k for k, node in enumerate(order)}
    assert len(place) == len(order)
    assert place.keys() == reachable(root).keys()
    assert order[-1] is root
    for node in order:
        assert all(place[id(x)] < place[id(node)] for x in node.operands if isinstance(x, Value))


@given(graphs(), graphs())
def test_topological_order_of_several_roots(one, another):
    roots = [one[1], another[1], one[1] + another[1], one[1]]
    order = topological_order(*roots)
    place = {id(node): k for k, node in enumerate(order)}
    assert len(place) == len(order)
    assert place.keys() == {i for root in roots for i in reachable(root)}
    assert all(place[id(x)] < place[id(n)] for n in order for x in n.operands if isinstance(x, Value))


def test_topological_order_of_nothing():
    assert topological_order() == []


def path_sum(root: Value, target: Value, size: Callable[[float], Any] = Fraction) -> Any:
    """∂root/∂target as it is defined: the products of the local partials along each path, summed exactly."""
    if root is target:
        return 1
    return sum(
        size(partial) * path_sum(x, target, size)
        for x, partial in zip(root.operands, root.partials, strict=True)
        if partial is not None
    )


@given(graphs())
def test_backward_is_the_sum_over_all_paths(graph):
    _, root = graph
    nodes = topological_order(root)
    # Sums of whole numbers below 2**53 (and halves, where maximum ties) are exact in floats, in any order.
    assume(all(path_sum(root, node, lambda p: abs(Fraction(p))) < 2**42 for node in nodes))
    root.backward()
    assert [node.grad for node in nodes] == [path_sum(root, node) for node in nodes]
    root.backward(seed=-2.0)
    assert [node.grad for node in nodes] == [-path_sum(root, node) for node in nodes]
    root.zero_grad()
    assert {(node.grad, node.reached) for node in nodes} == {(0.0, False)}


# --- Backward --------------------------------------------------------------------------------------


def test_backward_of_a_leaf_is_the_seed():
    x = Value(3.0)
    x.backward()
    assert x.grad == 1.0
    x.backward(-2.5)
    assert x.grad == -1.5


def test_gradient_of_a_node_that_appears_in_every_place_of_a_wide_one():
    x = Value(2.0)
    table.dot([x, x, x], [x, x, x], x).backward()
    assert x.grad == 6 * 2.0 + 1.0


def test_branch_not_taken_gets_exactly_0():
    x, y = Value(2.0), Value(3.0)
    untaken = table.log(y) * 5.0
    node = table.where(x > 0.0, x * 4.0, untaken)
    node.backward()
    assert (x.grad, y.grad, untaken.grad) == (4.0, 0.0, 0.0)
    assert node.partials == (None, 1.0, None)
    y.grad = untaken.grad = 7.0
    node.backward()
    assert (x.grad, y.grad, untaken.grad) == (8.0, 7.0, 7.0)


def test_branch_not_taken_elsewhere_taken():
    x = Value(3.0)
    y = x * 2.0
    (table.where(False, y, 1.0) + y).backward()
    assert (y.grad, x.grad) == (1.0, 2.0)
    z = Value(3.0)
    table.where(True, z, z).backward()
    assert z.grad == 1.0


def test_infinite_partial_times_0_is_not_hidden():
    x = Value(0.0)
    (table.sqrt(x) * 0.0).backward()
    assert math.isnan(x.grad)


@pytest.mark.parametrize("seed", [0.0, -0.0, math.inf, math.nan, 1e-310])
def test_any_number_is_a_seed(seed):
    x = Value(3.0)
    (x * 2.0).backward(seed)
    assert x.grad == 2.0 * seed or math.isnan(x.grad) == math.isnan(seed) is True


def test_zero_grad_clears_the_whole_graph():
    x = Value(2.0)
    y = x * x
    z = y + 1.0
    z.backward()
    y.zero_grad()
    assert [(node.grad, node.reached) for node in (x, y, z)] == [(0.0, False), (0.0, False), (1.0, True)]


def test_the_gradient_is_a_number_before_any_pass_and_reached_tells_a_zero_from_none():
    x, unused = Value(3.0), Value(1.0)
    x.data -= 0.1 * x.grad  # what programs do before the first pass
    assert (x.data, x.grad, x.reached) == (3.0, 0.0, False)
    (x * 0.0).backward()
    assert (x.grad, x.reached) == (0.0, True)
    assert (unused.grad, unused.reached) == (0.0, False)


@pytest.mark.parametrize("reset", [0, 0.0, -0.0, None, np.float64(0.0)])
def test_a_gradient_set_to_zero_or_none_is_reset(reset):
    x = Value(3.0)
    (x * x).backward()
    assert (x.grad, x.reached) == (6.0, True)
    x.grad = reset
    assert (repr(x.grad), x.reached, repr(x)) == ("0.0", False, "Value(3.0)")
    x.grad = 1.5
    assert (x.grad, x.reached) == (1.5, True)
    (x * x).backward()
    assert x.grad == 7.5


def test_detach_cuts_the_graph():
    x = Value(2.0, "x")
    y = x * x
    cut = y.detach()
    assert (cut.data, cut.primitive, cut.operands) == (4.0, None, ())
    assert x.detach().label == "x"
    (cut * x).backward()
    assert x.grad == 4.0
    assert (y.grad, y.reached, cut.grad) == (0.0, False, 2.0)


# --- Zeros and infinities --------------------------------------------------------------------------


def plain_adjoints(root: Value) -> dict[Value, float]:
    """The adjoints by the chain rule to the letter: every term is added, zeros and all; what no term reaches
    is left out."""
    adjoints = {root: 1.0}
    for node in reversed(topological_order(root)):
        if node in adjoints:
            for x, partial in zip(node.operands, node.partials, strict=True):
                if isinstance(x, Value) and partial is not None:
                    adjoints[x] = adjoints.get(x, 0.0) + adjoints[node] * partial
    return adjoints


STEPS: list[Callable[[list[Value]], Any]] = [
    lambda v: [v[0] + v[1]],
    lambda v: [v[0] * v[1]],
    lambda v: [v[0].relu()],
    lambda v: [(v[0] - 1.0).relu()],
    lambda v: [abs(v[0]).sqrt()],  # an infinite partial at 0
    lambda v: [abs(v[0]) ** 0.5],
    lambda v: [table.where(v[1] > 0.0, v[0], v[2])],
    lambda v: [table.where(v[1] > 0.0, abs(v[0]).sqrt(), v[2])],
    lambda v: [table.dot(v[:2], v[1:3], v[3])],
    lambda v: [table.dot(v[:2], [0.0, 2.0])],
    lambda v: [table.prod(v)],
    lambda v: linear([v[:2], v[2:4], v[1:3]], v[3:5], v[:3]),
    lambda v: [z.relu() for z in linear([v[1:3], v[:2]], v[4:2:-1], v[:2])],
]


@given(st.lists(st.sampled_from([0.0, 0.0, 1.0, -1.0, 2.0]), min_size=5, max_size=5), st.data())
def test_backward_is_the_chain_rule_also_with_zeros_and_infinities(numbers, data):
    values = [*map(Value, numbers)]
    for _ in range(data.draw(st.integers(1, 12))):
        chosen = [data.draw(st.sampled_from(values[-8:])) for _ in range(5)]
        try:
            values += data.draw(st.sampled_from(STEPS))(chosen)
        except (ArithmeticError, ValueError):
            assume(False)
    root = values[-1]
    assume(math.isfinite(root.data))
    expected = plain_adjoints(root)
    root.backward()
    for node in topological_order(root):
        adjoint = expected.get(node, 0.0)
        # Small whole numbers and halves of them, mostly: only the order of a sum of roots can show.
        assert node.grad == pytest.approx(adjoint, rel=1e-12, abs=1e-12, nan_ok=True)


def dead_above(make: Callable[[Value], Value]) -> float | None:
    x = Value(0.0)
    (make(x.sqrt()) - 50.0).relu().backward()
    return x.grad


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s,
        lambda s: s + 1.0,
        lambda s: s * 2.0 + 1.0,
        lambda s: table.dot([s, 1.0], [2.0, 3.0]),
        lambda s: table.dot([s, Value(1.0)], [Value(2.0), s], s),
        lambda s: linear([[Value(2.0)]], [s], [Value(3.0)])[0] * 2.0,
        lambda s: linear([[s]], [Value(1.0)], [Value(3.0)])[0] * 2.0,
        lambda s: linear([[Value(1.0)]], [Value(1.0)], [s])[0] * 2.0,
        lambda s: table.where(True, s + 1.0, 0.0) * 1.0,
    ],
)
def test_a_zero_times_infinity_below_a_dead_unit_is_nan(make):
    assert math.isnan(dead_above(make))


@pytest.mark.parametrize(
    "make",
    [
        lambda s: table.where(False, s + 1.0, 0.0) + 1.0,
        lambda s: table.where(False, s, s.detach()) * 2.0,
        lambda s: linear([[Value(2.0)]], [table.where(False, s, 1.0)], [Value(3.0)])[0] * 2.0,
    ],
)
def test_what_is_not_taken_below_a_dead_unit_stays_nothing(make):
    assert dead_above(make) == 0.0


@pytest.mark.parametrize(("w", "x"), [(math.inf, 1.0), (1.0, math.inf), (math.nan, 1.0)])
def test_a_neuron_with_a_number_that_is_not_finite_passes_zeros_on(w, x):
    w, x, b, c = Value(w), Value(x), Value(1.0), Value(1.0)
    z, finite = linear([[w], [c]], [x], [b, c])
    table.dot([z, finite], [0.0, 0.0]).backward()
    assert [math.isnan(v.grad) for v in (w, x)] == [not math.isfinite(x.data), not math.isfinite(w.data)]


def test_a_pickle_and_a_copy_of_a_layer_keep_its_form():
    W, x, b = [[Value(1.0), Value(2.0)]], [Value(3.0), Value(4.0)], [Value(5.0)]
    (y,) = linear(W, x, b)
    for twin in (pickle.loads(pickle.dumps(y)), copy.deepcopy(y), copy.copy(y)):
        assert (twin.data, twin.partials) == (16.0, (3.0, 4.0, 1.0, 2.0, 1.0))
        twin.backward()
        assert [v.grad for v in twin.operands] == [3.0, 4.0, 1.0, 2.0, 1.0]


# --- Depth, memory, threads, processes -------------------------------------------------------------


def test_node_takes_at_most_245_bytes():
    """The room of a chain of tanh(x·b + c) steps, gradients included."""
    x = h = Value(0.5)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5_000):
            h = (h * 0.9 + x).tanh()
        h.backward()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert used / 15_000 <= 245.0


@pytest.mark.usefixtures("collector_off")
def test_graph_of_any_shape_holds_no_cycle():
    x = Value(0.5)
    y = table.dot([x, x], [x, 2.0], x).tanh() + table.where(x > 0.0, x * x, table.exp(x))
    y.backward()
    copy.deepcopy(y)
    pickle.loads(pickle.dumps(y))
    del x, y
    assert gc.collect() == 0


def test_threads_share_leaves_and_lose_nothing():
    """Whole numbers add up exactly: any lost or doubled addition would show."""
    leaves = [Value(float(k), f"leaf{k}") for k in range(4)]
    shared = leaves[0] * leaves[1] + leaves[2]

    def work(k: int) -> None:
        for _ in range(200):
            y = table.sum([*leaves, shared]) * float(k)
            y.backward()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            [*pool.map(work, (1, 2, 3, 4))]
    finally:
        sys.setswitchinterval(interval)
    total = 200.0 * (1 + 2 + 3 + 4)
    # ∂/∂leaf: 1 by the sum itself, and what comes through leaf0 · leaf1 + leaf2.
    assert [leaf.grad for leaf in leaves] == [
        total * (1.0 + 1.0),
        total * (1.0 + 0.0),
        total * (1.0 + 1.0),
        total,
    ]
    assert shared.grad == total


def test_results_do_not_depend_on_the_process():
    """A wide random graph, whose sums would round differently in another order; trap 6 has a small one."""
    code = """
import random
from autograd_lite.core.value import Value
from autograd_lite.core import rules as table
random.seed(1)
leaves = [Value(random.uniform(-1, 1)) for _ in range(20)]
nodes = list(leaves)
for _ in range(500):
    a, b, c = random.sample(nodes[-60:], 3)
    nodes.append(table.tanh(a * b + c) if random.random() < 0.5 else table.dot([a, b], [c, a], b))
table.sum(nodes).backward()
print(*(leaf.grad.hex() for leaf in leaves))
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop().split()) == 20


def test_backward_visits_each_node_once():
    """Where every node has two consumers there are 2^1000 paths, and 2,001 nodes."""
    x = y = Value(1.0)
    for _ in range(1_000):
        y = (y + y) * 0.5
    y.backward()
    assert x.grad == 1.0
    assert len(topological_order(y)) == 2_001


def _backward(results):
    x = Value(3.0)
    (x * x).backward()
    results.put(x.grad)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_within_a_backward_pass_of_another_thread_runs_on():
    taken = threading.Event()

    def hold():
        with traversal:
            taken.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_backward, args=(results,))
    child.start()
    try:
        assert results.get(timeout=60) == 6.0
    finally:
        child.kill()
        thread.join()


def test_an_order_is_that_of_values():
    with pytest.raises(TypeError, match=r"^topological_order takes Values, got int 3$"):
        topological_order(Value(1.0), 3)
