"""Schedules against their closed forms, in optimizers and in `descend`."""

import copy
import math
import pickle

import pytest

from autograd_lite import Value, compile
from autograd_lite.train import SGD, Adam, CosineDecay, StepDecay, WarmUp


def test_each_schedule_at_its_corners():
    cosine = CosineDecay(0.5, steps=8, end=0.1)
    assert [cosine(t) for t in (0, 4, 8, 9)] == pytest.approx([0.5, 0.3, 0.1, 0.1], rel=1e-15)
    assert cosine(2) == pytest.approx(0.3 + 0.2 * math.sqrt(0.5), rel=1e-15)
    step = StepDecay(0.5, every=3, factor=0.5)
    assert [step(t) for t in range(7)] == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    warm = WarmUp(CosineDecay(0.5, steps=2), steps=5)
    assert [warm(t) for t in range(9)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.25, 0.0, 0.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StepDecay(0.0, 3), r"lr must be a positive number, got 0\.0"),
        (lambda: StepDecay(0.1, 0), "every must be at least 1, got 0"),
        (lambda: StepDecay(0.1, 1, -1.0), r"factor must be a positive number, got -1\.0"),
        (lambda: CosineDecay(-0.1, 3), r"lr must be a positive number, got -0\.1"),
        (lambda: CosineDecay(0.1, 0), "steps must be at least 1, got 0"),
        (lambda: CosineDecay(0.1, 1, -1.0), r"end must be at least 0 and finite, got -1\.0"),
        (lambda: WarmUp(0.0, 3), r"lr must be a positive number, got 0\.0"),
        (lambda: WarmUp(0.1, 0), "steps must be at least 1, got 0"),
        (lambda: SGD([Value(1.0)], lambda step: step), "lr must be a positive number, got 0"),
    ],
)
def test_a_schedule_is_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_optimizer_takes_the_size_of_each_step_from_its_schedule():
    x, sizes = Value(0.0), []
    optimizer = SGD([x], lr=StepDecay(0.5, every=2, factor=0.5))
    assert optimizer.lr == 0.5
    for _ in range(5):
        before, x.grad = x.data, 1.0
        optimizer.step()
        sizes.append(before - x.data)
        assert optimizer.lr == sizes[-1]
    assert sizes == [0.5, 0.5, 0.25, 0.25, 0.125]


@pytest.mark.parametrize("size", [-0.1, math.nan, math.inf])
def test_a_schedule_that_goes_astray_is_named_with_its_step(size):
    x = Value(1.0)
    optimizer = SGD([x], lr=lambda step: 0.1 if step < 2 else size)
    for x.grad in (1.0, 1.0):
        optimizer.step()
    with pytest.raises(ValueError, match=r"lr at step 2 must be at least 0 and finite, got (-0\.1|nan|inf)"):
        optimizer.step()
    assert x.data == pytest.approx(0.8)


def test_an_optimizer_with_a_schedule_is_copied_and_pickled_with_its_place():
    x = Value(1.0)
    optimizer = Adam([x], lr=WarmUp(0.1, steps=10))
    for x.grad in (1.0, 2.0):
        optimizer.step()
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (y,) = twin.parameters
        x_before = x.data
        y.grad, x.grad = 3.0, 3.0
        twin.step()
        assert (twin.lr, twin.steps) == (pytest.approx(0.03), 3)
        assert y.data != x_before


def test_descend_takes_the_same_schedules():
    w, v = Value(1.0), Value(1.0)
    schedule = CosineDecay(0.25, steps=4)
    compile(lambda x: (w * x) ** 2, 1.0).descend([1.0], lr=schedule, steps=4)
    optimizer = SGD([v], lr=schedule)
    for _ in range(4):
        v.grad = 0.0
        (v**2).backward()
        optimizer.step()
    assert w.data == pytest.approx(v.data, rel=1e-15)
