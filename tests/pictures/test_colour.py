"""Colours: the scale, mixing, contrast."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite.pictures.colour import DARK, LIGHT, contrast, mix, strength


@given(st.floats(0.0, 1.0), st.sampled_from([LIGHT, DARK]), st.sampled_from([1.0, -1.0]))
def test_ink_can_be_read_on_every_pill(x, theme, sign):
    pill = theme.gradient(sign * x, 1.0)
    assert contrast(theme.ink_on(pill), pill) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_scale_grows_with_the_magnitude(theme):
    for sign, end in ((1.0, theme.plus), (-1.0, theme.minus)):
        steps = [theme.gradient(sign * 10.0**-k, 1.0) for k in (0, 1, 2, 3)]
        away = [contrast(step, theme.zero) for step in steps]
        assert steps[0] == end
        assert away == sorted(away, reverse=True)
    assert theme.gradient(0.0, 1.0) == theme.zero
    assert theme.gradient(-5e-324, 5e-324) == theme.minus
    assert theme.gradient(1e308, 1.7e308) != theme.zero
    assert theme.gradient(math.nan, 1.0) == theme.gradient(-math.inf, 1.0) == theme.alarm


def test_strength_is_a_symmetric_log_over_three_decades():
    assert strength(0.0, 1.0) == 0.0
    assert strength(-1.0, 1.0) == strength(2.0, 1.0) == 1.0
    assert strength(1e-3, 1.0) == pytest.approx(math.log(2.0) / math.log(1001.0), rel=1e-14)
    assert strength(0.0, 0.0) == 0.0
    assert strength(1.0, 0.0) == 1.0


def test_mixing_keeps_the_ends_and_goes_through_oklab():
    # Ottosson's own example of the space: L of white is 1, of black 0, and half way is #636363
    assert mix("#000000", "#FFFFFF", 0.5) == "#636363"
    for a, b in itertools.combinations([LIGHT.plus, LIGHT.minus, DARK.zero, "#FFFFFF", "#000000"], 2):
        assert (mix(a, b, 0.0), mix(a, b, 1.0)) == (a, b)


def test_contrast_is_that_of_wcag():
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == contrast("#FFFFFF", "#777777") == pytest.approx(4.48, abs=0.005)
