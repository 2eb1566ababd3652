"""`ledger`: rows for each pass and use, that add up to `.grad` to the last bit."""

import gc
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_lite import GradientDescent, Value, exp, half_squared_error, ledger, where
from autograd_lite.explain import ledger as ledger_function
from tests.documents_explained import named
from tests.random_graphs import any_graphs


def test_why_did_my_gradient_double():
    w = Value(2.0, "w")
    L = named(w * 3.0, "L")
    L.backward()
    L.backward()
    found = ledger(w)
    assert found.total == w.grad == 6.0
    assert [(row.number, row.root.label, row.consumer.label) for row in found.rows] == [
        (1, "L", "L"),
        (2, "L", "L"),
    ]
    assert str(found).splitlines() == [
        "w.grad = 6",
        "pass  from  through   upstream  · ∂/∂w  = contribution",
        "1     L     L  (mul)  1         · 3     = 3",
        "2     L     L  (mul)  1         · 3     = 3",
        "w.grad adds up over passes until zero_grad() clears it.",
    ]


def test_one_pass_through_one_use():
    w = Value(2.0, "w")
    L = named(exp(w * 3.0), "L")
    L.backward()
    ((row,),) = [ledger(w).rows]
    assert (row.root, row.position, row.partial, row.upstream) == (L, 0, 3.0, exp(6.0))
    assert row.contribution == row.partial * row.upstream == w.grad
    assert str(ledger(w)).endswith("One pass reached w, through one use.")


def test_parallel_edges_are_rows_of_their_own():
    w = Value(2.0, "w")
    y = w * w
    y.backward()
    assert [(row.position, row.contribution) for row in ledger(w).rows] == [(0, 2.0), (1, 2.0)]
    assert "One pass reaches w through 2 uses, and their contributions add up." in str(ledger(w))


def test_the_root_itself_gets_the_seed():
    y = Value(2.0, "y") * 3.0
    y.backward(0.5)
    ((row,),) = [ledger(y).rows]
    assert (row.consumer, row.contribution) == (None, 0.5)
    assert "the seed" in str(ledger(y))


@given(st.lists(any_graphs, min_size=1, max_size=3), st.data())
@settings(max_examples=15)  # each ledger looks at all that is alive
def test_rows_add_up_to_the_last_bit_whatever_ran(graphs, data):
    nodes = [
        node for _, root in graphs for node in (root, *[x for x in root.operands if isinstance(x, Value)])
    ]
    leaves = [x for leaves, _ in graphs for x in leaves]
    for _ in range(data.draw(st.integers(1, 5))):
        data.draw(st.sampled_from(nodes)).backward(data.draw(st.sampled_from([1.0, 1.0, -0.3, 7.0])))
        if data.draw(st.booleans()):
            data.draw(st.sampled_from(leaves)).grad = None
    for x in [*leaves, *nodes]:
        found = ledger(x)
        assert found.total == x.grad
        total = found.before
        for number in dict.fromkeys(row.number for row in found.rows):
            # The engine adds the rows of a pass first, then that to what is there.
            adjoint = -0.0
            for row in found.rows:
                if row.number == number:
                    assert row.contribution == row.upstream * row.partial
                    adjoint += row.contribution
            total = adjoint if total is None else total + adjoint
        assert (total or 0.0) == x.grad
        assert (total is None) == (not x.reached)
        assert str(found)


def test_only_the_passes_since_it_was_cleared():
    w = Value(2.0, "w")
    L = w * 3.0
    L.backward()
    w.grad = None
    L.backward()
    assert len(ledger(w).rows) == 1
    assert ledger(w).before is None


def test_passes_whose_graphs_are_gone_are_the_rest():
    w = Value(2.0, "w")
    for k in range(1, 4):
        L = named(w * float(k), "L")
        L.backward()
    found = ledger(w)
    assert (found.before, found.total) == (3.0, 6.0)
    assert [row.contribution for row in found.rows] == [3.0]
    assert "            the rest" in str(found)
    assert "The rest was added by passes whose graphs are gone (" in str(found)


def test_a_gradient_that_was_changed_by_hand():
    w = Value(2.0, "w")
    L = w * 3.0
    L.backward()
    w.grad *= 0.1  # clipped, say
    found = ledger(w)
    assert found.total == w.grad
    w.grad = math.pi
    assert ledger(w).total == math.pi
    assert "set by hand or by a compiled program" in str(ledger(w))


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan])
def test_gradients_that_are_not_finite(x):
    w = Value(2.0, "w")
    L = where(True, w * x, 0.0)
    L.backward()
    total = ledger(w).total
    assert total == w.grad or (math.isnan(total) and math.isnan(w.grad))
    L.backward(-1.0)
    total = ledger(w).total
    assert total == w.grad or (math.isnan(total) and math.isnan(w.grad))
    w.grad = 1.0
    assert ledger(w).total == 1.0


def test_no_gradient():
    w = Value(2.0, "w")
    found = ledger(w)
    assert (found.rows, found.total) == ([], 0.0)
    assert str(found) == "w.grad is 0: no backward pass has reached w, or it was cleared since."


def test_a_training_loop_that_forgets_to_clear():
    w = Value(0.1, "w")
    optimizer = GradientDescent([w], lr=0.01)
    losses = []
    for _ in range(3):
        losses.append(half_squared_error(w * 2.0, 1.0))
        losses[-1].backward()
        optimizer.step()
    found = ledger(w)
    assert len(found.shares) == 3
    assert found.total == w.grad
    del losses, found
    gc.collect()
    assert ledger(w).rows == []
    assert ledger(w).total == w.grad


def test_the_log_keeps_no_graph_alive_and_mistakes_no_node_for_another():
    w = Value(2.0, "w")
    for _ in range(50):
        L = w * 3.0  # likely at the address of the one before
        L.backward()
        del L
    L = w * 3.0
    w.grad = None
    L.backward()
    assert len(ledger(w).rows) == 1


def test_anything_but_a_value_is_a_type_error():
    with pytest.raises(TypeError, match=r"ledger takes a Value, got float 1\.0"):
        ledger_function(1.0)


def test_it_shows_as_text():
    w = Value(2.0, "w")
    (w * 3.0).backward()
    assert ledger(w)._repr_mimebundle_() == {"text/plain": str(ledger(w))}
