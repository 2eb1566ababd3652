"""Loops as NumPy."""

import random

import autograd_lite as ag
from autograd_lite import Value
from autograd_lite.compiler import compile
from tests.compiler.common import agree, whole


def test_a_product_of_very_many_factors():
    x = [Value(random.Random(k).uniform(0.99, 1.01)) for k in range(4000)]
    loss = ag.prod(x) + ag.sum([ag.sin(v) ** (k % 150 + 3) for k, v in enumerate(x[:300])])
    loss.backward()
    agree(whole(compile(loss), x), [loss.data, *[v.grad for v in x]])
