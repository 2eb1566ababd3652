"""Functions are traced: conditions, branches, errors with their lines."""

import copy
import math
import operator
import pickle
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, exp, log, sqrt, where
from autograd_lite.compiler import TraceError, compile
from autograd_lite.nn.losses import log_loss_from_scores
from autograd_lite.transforms.derivatives import grad
from tests.compiler import nested_choices as nested_choices
from tests.compiler.common import has_cc


def every_form(program, *point):
    """The value and the gradient at a point, as every form of a program gives them."""
    yield program(*point)
    forms = [program, program.native()] if has_cc else [program]
    for form in forms:
        values, gradients = form.batch(*[np.array([x, x]) for x in point], reduce=None)
        gradients = gradients if len(point) > 1 else [gradients]
        for sample in (0, 1):
            slopes = [gradient[sample] for gradient in gradients]
            yield values[sample], tuple(slopes) if len(point) > 1 else slopes[0]


def test_derivatives_inside_do_not_confuse_their_variables():
    assert compile(lambda x: x * grad(lambda y: x * y)(x), 1.0)(2.0) == (4.0, 4.0)
    w = Value(2.0)
    program = compile(lambda x: grad(lambda y: w * y * y)(x), 1.0)
    assert program(5.0) == (20.0, 4.0)
    w.data = 3.0
    assert program(5.0) == (30.0, 6.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if x > 0.0 else -x,
        lambda x: max(x, 1.0),
        lambda x: math.exp(x),
        lambda x: float(x),
        lambda x: [1.0, 2.0][x],
        lambda x: x.data * 2.0,
        lambda x: x.item() * 2.0,
        lambda x: x * 2.0 if f"{x:.1f}" else x,
        lambda x: round(x),
    ],
)
def test_trace_error_names_the_line(f):
    with pytest.raises(TraceError) as raised:
        compile(f, 1.0)
    assert f"{__file__}:{f.__code__.co_firstlineno}: " in str(raised.value)


def test_what_hides_from_derivatives_is_refused():
    """A program that left it out would give a wrong gradient; one that kept its number, an old one."""
    w = Value(2.0)

    def paused(x):
        with ag.no_grad():
            scale = x * w
        return scale * x

    for f, name in (
        (paused, "no_grad"),
        (lambda x: x.detach() * x, "detach"),
        (lambda x: w.detach() * x, "detach"),
    ):
        with pytest.raises(TraceError, match=rf"test_trace\.py:\d+: {name} within a traced function"):
            compile(f, 1.0)
    with ag.no_grad():
        program = compile(lambda x: w * w * x, 1.0)
        assert program.backward(3.0) == 12.0
        assert program.backward(3) == 12.0  # by the eager engine, which makes a float of it
    assert w.grad == 24.0


def test_a_task_that_outlives_the_trace_is_not_traced():
    """It keeps a copy of the context in which it was started."""
    contexts = []

    def f(x):
        contexts.append(copy_context())
        return x * x

    def work() -> tuple[Any, ...]:
        v = Value(2.0)
        with ag.no_grad():
            y = v * 3.0
        return (
            v > 1.0,
            v == Value(3.0),
            v != 2.0,
            bool(Value(0.0)),
            v.detach().data,
            y.operands,
            (v * v).operands == (v, v),
        )

    compile(f, 1.0)
    assert contexts
    for context in contexts:
        assert context.run(work) == (True, False, False, False, 2.0, (), True)


def test_trace_error_of_a_branch_names_where():
    with pytest.raises(TraceError, match="where"):
        compile(lambda x: x if x > 0.0 else -x, 1.0)


def test_a_leaf_in_a_branch_is_refused_too():
    w = Value(2.0)
    with pytest.raises(TraceError):
        compile(lambda x: x if w > 0.0 else -x, 1.0)
    assert w > 0.0  # and afterwards all is as before


def test_conditions_combine_and_count():
    def f(x):
        inside = (x > 0.0) & (x < 2.0)
        outside = ~inside | (x == 5.0)
        return (
            where(inside, lambda: ag.sqrt(x), lambda: -x)
            + 10.0 * outside
            + (x >= 1.0) * (x <= 3.0) * 100.0
            + (x != 1.0)
        )

    program = compile(f, 1.0)
    for x in (-1.0, 0.5, 1.0, 2.5, 5.0):
        inside = 0.0 < x < 2.0
        want = (
            (math.sqrt(x) if inside else -x)
            + 10.0 * (not inside or x == 5.0)
            + 100.0 * (1.0 <= x <= 3.0)
            + (x != 1.0)
        )
        assert program(x) == (want, 0.5 / math.sqrt(x) if inside else -1.0)
        values, _ = program.batch(np.array([x, x]), reduce=None)
        assert values.tolist() == [want] * 2


@pytest.mark.parametrize(
    ("condition", "at_minus_2", "at_2"),
    [
        (lambda c: c & True, False, True),
        (lambda c: True & c, False, True),
        (lambda c: c & False, False, False),
        (lambda c: False & c, False, False),
        (lambda c: c | True, True, True),
        (lambda c: True | c, True, True),
        (lambda c: c | False, False, True),
        (lambda c: False | c, False, True),
        (lambda c: c * True, False, True),
        (lambda c: True * c, False, True),
        (lambda c: c * False, False, False),
        (lambda c: ~c & True, True, False),
        (lambda c: ~(c | False), True, False),
        (lambda c: 1.0 - c, True, False),
    ],
)
def test_conditions_with_plain_truth(condition, at_minus_2, at_2):
    program = compile(lambda x: where(condition(x > 0.0), 3.0 * x, x * x), 1.0)
    for x, holds in ((-2.0, at_minus_2), (2.0, at_2)):
        want = (3.0 * x, 3.0) if holds else (x * x, 2.0 * x)
        found = [*every_form(program, x)]
        assert found == [want] * len(found)


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparisons_below_at_and_above(name):
    """With a number on either side, and with another traced value; a condition counts as 0 or 1, too."""
    compare = getattr(operator, name)
    programs = [
        (compile(lambda x: where(compare(x, 1.0), 3.0 * x, x * x), 1.0), 1),
        (compile(lambda x: where(compare(1.0, x), 3.0 * x, x * x), 1.0), 1),
        (compile(lambda x: where(~compare(x, 1.0), x * x, 3.0 * x), 1.0), 1),
        (compile(lambda x, y: where(compare(x, y), 3.0 * x, x * y), 1.0, 1.0), 2),
        (compile(lambda x, y: compare(x, y) * 3.0 * x + compare(x, y), 1.0, 1.0), 2),
    ]
    for x in (0.5, 1.0, 1.5):
        holds, turned = compare(x, 1.0), compare(1.0, x)
        wants = [
            (3.0 * x, 3.0) if holds else (x * x, 2.0 * x),
            (3.0 * x, 3.0) if turned else (x * x, 2.0 * x),
            (3.0 * x, 3.0) if holds else (x * x, 2.0 * x),
            (3.0 * x, (3.0, 0.0)) if holds else (x, (1.0, x)),
            (3.0 * x + 1.0, (3.0, 0.0)) if holds else (0.0, (0.0, 0.0)),
        ]
        for (program, count), want in zip(programs, wants, strict=True):
            found = [*every_form(program, *(x, 1.0)[:count])]
            assert found == [want] * len(found), x


def test_traced_values_stay_within_their_trace():
    kept = []
    compile(lambda x: kept.append(x) or x, 1.0)
    with pytest.raises(TraceError, match="one trace"):
        compile(lambda y: y * kept[0], 1.0)
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="within one trace"):
            use(kept[0])
    assert repr(kept[0]) == "<traced 'argument'>"
    with pytest.raises(TypeError):
        kept[0] + "a"
    assert (kept[0] == "a") is False


def test_a_branch_on_a_number_is_a_condition_as_well():
    w = Value(0.5, "w")
    program = compile(lambda x, y: where(x, lambda: log_loss_from_scores(w, y), lambda: w * 1.0), 1.0, 1.0)
    assert program(0.0, 7.0)[0] == 0.5
    with pytest.raises(ValueError, match=r"targets must lie between 0 and 1, got 7\.0"):
        program(1.0, 7.0)


def test_what_may_fail_runs_only_if_it_is_used():
    def f(x, y):
        root = sqrt(x)
        return where(y > 1.0, lambda: root, lambda: where(x > 0.0, lambda: root * y, lambda: y))

    program = compile(f, 1.0, 1.0)
    assert program.function()(-1.0, 0.5) == (0.5, (0.0, 1.0))
    assert program.function()(4.0, 0.5) == (1.0, (0.125, 2.0))
    assert program.function()(4.0, 2.0) == (2.0, (0.25, 0.0))


@pytest.mark.parametrize(("condition", "taken"), [(-2, 2.0), (-1, 1.0), (-2 | -1, 1.0), (-2 & 1, 2.0)])
def test_what_python_makes_of_not(condition, taken):
    """~True is -2 and ~False is -1; newer Pythons warn of it."""
    assert where(condition, 1.0, 2.0) == taken


def test_a_leaf_may_be_compared_for_a_difference():
    w = Value(2.0)
    assert w != 3.0
    assert (w != 2.0) is False
    assert compile(lambda x: where(w != 2.0, x, -x), 1.0)(5.0) == (-5.0, -1.0)


@pytest.mark.parametrize(
    "fails",
    [
        lambda x: 1.0 / 0.0,
        lambda x: log(0.0),
        lambda x: ag.reciprocal(0.0) * x,
        lambda x: x / 0.0,
        lambda x: 1.0 / Value(0.0),
        lambda x: exp(1000.0),
        lambda x: exp(1000.0 * Value(1.0)),
        lambda x: ag.atanh(where(x > 5.0, -1.0, -1.0)) * x,
        lambda x: where(x > 5.0, 0.0, 0.0) / where(x < 5.0, 0.0, 0.0),  # folded to 0 / 0
        lambda x: (1.0 / where(x > 5.0, 0.0, 0.0)) / where(x < 5.0, 0.0, 0.0),
        lambda x: ag.logsumexp([]),
        lambda x: ag.clip(x, 2.0, 1.0),
        lambda x: ag.rsqrt(-1.0) * x,
        lambda x: ag.softmax_cross_entropy([x, 1.0], 2),
    ],
)
def test_a_constant_error_is_raised_only_by_a_branch_that_is_taken(fails):
    for program in (
        compile(lambda x: where(x > 0.0, x * 2.0, lambda: fails(x)), 1.0),
        compile(lambda x: where(x > -1.0, lambda: where(x > 0.0, x * 2.0, lambda: fails(x)), 0.0), 1.0),
        pickle.loads(pickle.dumps(compile(lambda x: where(x > 0.0, x * 2.0, lambda: fails(x)), 1.0))),
    ):
        assert program(3.0) == (6.0, 2.0)
        values, gradients = program.batch(np.array([3.0, 4.0]), reduce=None, wrt="arguments")
        assert (values.tolist(), gradients.tolist()) == ([6.0, 8.0], [2.0, 2.0])
        with pytest.raises((ArithmeticError, ValueError)) as compiled:
            program(-0.5)
        with pytest.raises((ArithmeticError, ValueError)) as eagerly:
            fails(Value(-0.5))
        assert type(compiled.value) is type(eagerly.value)
        kernel = program.kernel("argument")  # sums over samples
        assert kernel([np.array([3.0, 4.0])], [leaf.data for leaf in program.leaves]) == (14.0, [4.0])
        assert program.latex


def test_data_of_a_leaf_that_fails_while_it_is_traced_may_change():
    w = Value(0.0, "w")
    program = compile(lambda x: where(w != 0.0, lambda: 1.0 / w, lambda: x), 1.0)
    assert program(5.0) == (5.0, 1.0)
    w.data = 4.0
    assert program(5.0) == (0.25, 0.0)
    assert program.backward(5.0) == 0.25
    assert w.grad == -0.0625


def test_equal_errors_make_equal_programs():
    from autograd_lite.compiler.frontend.trace import Failed

    assert Failed(ValueError("a")) == Failed(ValueError("a")) != Failed(ValueError("b"))
    assert len({Failed(ValueError("a")), Failed(ValueError("a"))}) == 1
