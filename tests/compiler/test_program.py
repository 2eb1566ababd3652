"""Programs as a whole: what they return, copies and pickles, misuse."""

import copy
import math
import pickle

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value
from autograd_lite.compiler import Program, compile
from tests.compiler.models import demo, hinge

COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


def test_a_constant_and_an_unused_argument_have_gradient_0():
    assert compile(lambda x: 3.0, 1.0)(2.0) == (3.0, 0.0)
    assert compile(lambda x, y: x, 1.0, 1.0)(2.0, 5.0) == (2.0, (1.0, 0.0))


def test_functions_of_several_numbers_give_their_values():
    assert compile(lambda x: [x, {"twice": 2.0 * x}], 1.0)(3.0) == [3.0, {"twice": 6.0}]


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("model_first", [True, False])
def test_a_model_and_its_program_stay_together(copied, model_first):
    """Trap 33: within one copy, or one pickle, the leaves of a program are those of its model."""
    model, X, y = demo(sizes=(3, 1))
    optimizer = ag.GradientDescent(model.parameters(), lr=0.1)
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    program.batch(X, y, backward=True)
    given = (model, program, optimizer)
    made = copied(given if model_first else given[::-1])
    model2, program2, optimizer2 = made if model_first else made[::-1]
    leaves = set(model2.parameters())
    assert leaves == {*program2.leaves} == {*optimizer2.parameters}
    assert leaves.isdisjoint(program.leaves)
    assert [x.grad for x in program2.leaves] == [x.grad for x in program.leaves]
    before = program2.batch(X, y)
    assert before == program.batch(X, y)
    optimizer2.step()
    assert program2.batch(X, y) != before == program.batch(X, y)
    assert program2.batch(X, y)[0] == pytest.approx(
        math.fsum(hinge(model2)([*x], t).data for x, t in zip(X, y, strict=True)) / len(X), rel=1e-12
    )


def test_copies_of_one_program_alone():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    program = compile(a * b + a)
    shallow = copy.copy(program)
    assert all(x is y for x, y in zip(shallow.leaves, program.leaves, strict=True))
    shallow.backward()
    assert (a.grad, b.grad) == (4.0, 2.0)
    first, second = copy.deepcopy([program, program])
    assert first is second


@pytest.mark.parametrize("copied", [*COPIES.values(), copy.copy], ids=[*COPIES, "copy"])
def test_copies_after_the_text_was_asked_for(copied):
    a, b = Value(2.0, "a"), Value(3.0, "b")
    for program in (compile(a * b + a), compile(lambda x: a * b + a * x, 1.0)):
        text = program.source
        again = copied(program)
        given = [1.0] * len(program.arguments)
        assert again.source == text
        assert again(*given) == program(*given)


def test_a_program_pickles_small():
    model, X, y = demo()
    program = compile(hinge(model), [0.0, 0.0], 0.0)
    again = pickle.loads(pickle.dumps(program))
    assert isinstance(again, Program)
    assert again.batch(X, y) == program.batch(X, y)
    assert again.leaves[0] is not program.leaves[0]
    assert len(program.packed) < 60_000


def test_misuse_is_refused():
    several = compile(lambda x: [x, x], 1.0)
    with pytest.raises(TypeError, match="only one number has a gradient"):
        several.backward(1.0)
    with pytest.raises(TypeError, match="reduce=None"):
        several.batch(np.ones(3))
    assert [v.tolist() for v in several.batch(np.ones(2), reduce=None)] == [[1.0, 1.0]] * 2
    one = compile(lambda x: x * x, 1.0)
    for options in ({"wrt": "x"}, {"backward": True}):
        with pytest.raises(ValueError, match=r"wrt|backward"):
            one.batch(np.ones(3), **options)
    with pytest.raises(TypeError, match="1 batches"):
        one.batch(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="threads"):
        one.native(threads=0)
    with pytest.raises(ValueError, match="float16"):
        one.native("float16")
    with pytest.raises(TypeError, match="takes no arguments"):
        compile(Value(1.0) * 2.0).batch()
    assert repr(one) == "<program program(x): 1 operations, 0 leaves>"


def test_what_is_not_a_function_is_named():
    with pytest.raises(TypeError, match=r"^compile takes a function or a recorded Value, got float 3\.0$"):
        compile(3.0, 1.0)
