"""The language model: its shape, what it may look at, and what it writes."""

import random

import pytest

from autograd_lite import Adam, no_grad
from autograd_lite.nn import GPT

SMALL = {"width": 4, "heads": 2, "length": 6, "rng": 0}


def scores(model, tokens):
    with no_grad():
        return [[score.data for score in row] for row in model(tokens)]


@pytest.mark.parametrize("layers", [1, 2])
def test_the_architecture_builds_the_shape_again(layers):
    model = GPT(5, layers=layers, **SMALL)
    assert len(model.parameters()) == 4 * (2 * 5 + 6 + 12 * 4 * layers)
    again = GPT(**model.architecture)
    again.load_state_dict(model.state_dict())
    assert scores(again, [4, 1, 2]) == scores(model, [4, 1, 2])


def test_attention_looks_back_and_never_ahead():
    model = GPT(5, **SMALL)
    one, other = scores(model, [4, 1, 2, 3]), scores(model, [4, 1, 0, 3])
    assert one[:2] == other[:2]
    assert all(a != b for a, b in zip(one[2:], other[2:], strict=True))


def test_positions_matter():
    first, second = scores(GPT(5, **SMALL), [1, 1])
    assert first != second


def test_samples_are_those_of_the_seed_and_no_longer_than_the_positions():
    model = GPT(5, **SMALL)
    lines = [model.sample(4, rng=seed) for seed in range(30)]
    assert lines == [model.sample(4, rng=random.Random(seed)) for seed in range(30)]
    assert {token for line in lines for token in line} == {0, 1, 2, 3}
    assert max(map(len, lines)) == 6
    assert [] in lines


def test_a_low_temperature_takes_the_likeliest_token():
    model = GPT(5, **SMALL)
    optimizer = Adam(model.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        model.loss([4, 2, 0, 2, 1, 4]).backward()
        optimizer.step()
    assert [model.sample(4, 0.01, rng=seed) for seed in range(3)] == [[2, 0, 2, 1]] * 3
    assert len({tuple(model.sample(4, 100.0, rng=seed)) for seed in range(9)}) > 5


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"tokens": 0}, "the number of tokens must be at least 1, got 0"),
        ({"tokens": 3, "heads": 3}, "3 heads cannot share a width of 16: it must be a multiple of them"),
        ({"tokens": 3, "layers": 0}, "the number of layers must be at least 1, got 0"),
    ],
)
def test_shapes_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        GPT(**shape)
