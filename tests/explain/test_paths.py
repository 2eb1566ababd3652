"""Paths: all of them are counted, the largest are found, and with the rest they are the gradient."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Value, explain, where
from autograd_lite.explain.graph import edges
from autograd_lite.explain.paths import many, product
from autograd_lite.notation.writing import LATEX, TEXT
from tests.random_graphs import any_graphs, exact_graphs


def every_path(root: Value, wrt: Value) -> list[list[float]]:
    """The partials along each path, by walking all of them."""
    if root is wrt:
        return [[]]
    return [[edge.partial, *rest] for edge in edges(root) for rest in every_path(edge.operand, wrt)]


def exactly(factors: list[float]) -> Fraction:
    return math.prod(map(Fraction, factors), start=Fraction(1))


def test_parallel_edges_are_paths_of_their_own():
    a = Value(2.0, "a")
    explanation = explain(a + a, a)
    assert (explanation.count, explanation.value, len(explanation.paths)) == (2, 2.0, 2)


@given(exact_graphs, st.integers(1, 40))
def test_the_largest_paths_and_the_rest_are_the_gradient(graph, k):
    leaves, root = graph
    for x in leaves:
        explanation = explain(root, x, paths=k)
        paths = every_path(root, x)
        assert explanation.count == len(paths)
        assert exactly([explanation.value]) == sum(map(exactly, paths))  # small whole numbers: all is exact
        sizes = sorted([abs(exactly(path)) for path in paths], reverse=True)
        found = [path.contribution for path in explanation.paths]
        assert [abs(Fraction(c)) for c in found] == sizes[:k]
        assert sum(map(Fraction, found)) + Fraction(explanation.rest) == Fraction(explanation.value)


@pytest.mark.parametrize("k", range(1, 9))
def test_the_largest_of_many_paths_are_found_before_the_others(k):
    x = Value(2.0, "x")
    y = x
    for small, large in ((1.0, 10.0), (100.0, 3.0), (-5.0, 0.5)):
        y = small * y + large * y
    sizes = sorted([a * b * c for a in (1.0, 10.0) for b in (100.0, 3.0) for c in (5.0, 0.5)], reverse=True)
    explanation = explain(y, x, paths=k)
    assert [abs(path.contribution) for path in explanation.paths] == sizes[:k]
    assert sum(path.contribution for path in explanation.paths) + explanation.rest == explanation.value


@given(any_graphs)
def test_paths_sum_to_the_gradient_within_an_error_bound(graph):
    leaves, root = graph
    for x in leaves:
        explanation = explain(root, x, paths=1000)
        if explanation.count > 1000:
            continue
        exact = [exactly([edge.partial for edge in path.edges]) for path in explanation.paths]
        # Each product and each sum rounds once, by 2⁻⁵³ of what it holds; a path is at most 30 edges long.
        bound = sum(map(abs, exact)) * (30 + len(exact)) * Fraction(2) ** -52
        assert abs(sum(exact) - Fraction(explanation.value)) <= bound + Fraction(5e-324) * 30 * len(exact)
        assert explanation.rest == 0.0


def test_branches_not_taken_are_no_paths():
    x = Value(2.0, "x")
    assert explain(where(x > 0.0, 3.0 * x, 5.0 * x), x).count == 1


def test_paths_with_infinite_and_nan_partials_come_first():
    x = Value(0.0, "x")
    y = x**0.5 + 3.0 * x
    explanation = explain(y, x)
    assert explanation.value == math.inf
    assert [path.contribution for path in explanation.paths] == [math.inf, 3.0]
    z = (x**0.5) * 0.0 + 3.0 * x  # 0 · ∞
    explanation = explain(z, x)
    assert math.isnan(explanation.value)
    assert math.isnan(explanation.paths[0].contribution)


def test_products_do_not_overflow_on_the_way():
    assert product([1e-200, 1e-200, 1e300, 1e200]) == pytest.approx(1e100)
    assert product([1e200, 1e200]) == math.inf
    assert product([-1e200, 1e200]) == -math.inf
    assert product([2.0] * 3000 + [0.5] * 3001) == 0.5
    assert product([]) == 1.0


def test_a_number_of_paths_is_written_as_long_as_it_can_be_read():
    assert [many(n, TEXT) for n in (1, 1024, 2**20, 2**21, 10**14, 10**15)] == [
        "1",
        "1,024",
        "1,048,576",
        "2²¹",
        "100,000,000,000,000",
        "about 10¹⁵",
    ]
    assert [many(n, LATEX) for n in (1024, 2**21, 10**15)] == ["1,024", "2^{21}", r"\text{about }10^{15}"]
