"""Products and sums round as they are written, in every form; only a loop may be summed in another order."""

import contextlib
import math
import operator
import random
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autograd_lite as ag
from autograd_lite import Value, dot, tanh, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.loops.grouping import LOOP
from autograd_lite.compiler.runtime import machine as native
from tests.compiler.common import has_cc, needs_cc
from tests.optional import needs_numpy


def bits(x):
    return struct.pack("d", x + 0.0)  # 0 and -0 are one number here


def in_python(f, x):
    """The value of f of a list of numbers in the forms that take no C compiler."""
    program = compile(f, x)
    yield "source", program(x)[0]
    yield "arrays", program.batch(np.array([x] * 3), reduce=None, wrt="arguments")[0][2]
    yield "NumPy", program.batch(np.array([x]), reduce="sum", wrt="arguments")[0]
    nests = program._kernel("argument")
    yield "loops", nests([np.array([xi]) for xi in x], [])[0]
    loss = f([Value(xi) for xi in x])
    if not isinstance(loss, Value):  # nothing but constants
        return
    yield "eager", loss.data
    recorded = compile(loss)
    leaves = [leaf.data for leaf in recorded.leaves]
    yield "recorded", recorded()[0]
    yield "recorded, loops", recorded._kernel("leaf")([], leaves)[0]
    outside = [Value(xi) for xi in x]
    per_sample = compile(lambda t: f(outside) * t, 1.0)
    if per_sample.leaves:
        yield "leaves, loops", per_sample.batch(np.ones(1), reduce="sum")[0]


def in_c(f, x, monkeypatch):
    """The value in machine code, compiled and interpreted."""
    outside = [Value(xi) for xi in x]
    for kind, irregular in (("C", native.IRREGULAR), ("C, interpreted", -1)):
        monkeypatch.setattr(native, "IRREGULAR", irregular)
        program = compile(f, x).native()
        for m in (1, 9, 17):  # lone samples, vectors, blocks of vectors
            yield f"{kind}, {m}", program.batch(np.array([x] * m), reduce=None)[0][m - 1]
        yield f"{kind}, recorded", compile(f([Value(xi) for xi in x])).native()()[0]
        yield f"{kind}, leaves", compile(lambda t: f(outside) * t, 1.0).native().batch(np.ones(1))[0]


def logistic(step):
    def run(x):
        x, r = x
        for _ in range(200):
            x = step(r, x)
        return x

    return run


STEPS = {
    "r*x*(1-x)": lambda r, x: r * x * (1 - x),
    "(r*x)*(1-x)": lambda r, x: (r * x) * (1 - x),
    "r*(x*(1-x))": lambda r, x: r * (x * (1 - x)),
    "(1-x)*(x*r)": lambda r, x: (1 - x) * (x * r),
    "r*(1-x)*x": lambda r, x: r * (1 - x) * x,
    "r*x-r*x*x": lambda r, x: r * x - r * x * x,
    "r*(x-x*x)": lambda r, x: r * (x - x * x),
    "x*(r-r*x)": lambda r, x: x * (r - r * x),
    "3.9*x*(1-x)": lambda r, x: 3.9 * x * (1 - x),
    "x*(1-x)*3.9": lambda r, x: x * (1 - x) * 3.9,
    "1.95*(2.1*x)*(1-x)": lambda r, x: 1.95 * (2.1 * x) * (1 - x) * 0.95,
    "-r*x*-(1-x)": lambda r, x: -r * x * -(1 - x),
    "x/(1/r)*(1-x)": lambda r, x: x * (1 / (1 / r)) * (1 - x),
    "r*x-(r*x**2)": lambda r, x: r * x - (r * x**2),
    "r*(x**-1)*x*x*(1-x)": lambda r, x: r * x**-1 * x * x * (1 - x),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_chaotic_map_of_200_steps_ends_at_the_same_bits(step):
    run, x = logistic(STEPS[step]), [0.37, 3.91]
    want = run(x)
    assert 0.0 < want < 1.0
    assert {form: value for form, value in in_python(run, x) if bits(value) != bits(want)} == {}


@needs_cc
@pytest.mark.parametrize("step", ["r*x*(1-x)", "r*(x-x*x)", "r*x-(r*x**2)"])
def test_a_chaotic_map_in_machine_code(step, monkeypatch):
    run, x = logistic(STEPS[step]), [0.37, 3.91]
    want = run(x)
    assert {form: value for form, value in in_c(run, x, monkeypatch) if bits(value) != bits(want)} == {}


def associations(operands):
    """The operands in all parentheses: a nested pair for each."""
    if len(operands) == 1:
        return [operands[0]]
    return [
        (a, b)
        for k in range(1, len(operands))
        for a in associations(operands[:k])
        for b in associations(operands[k:])
    ]


def combined(pair, op):
    return op(combined(pair[0], op), combined(pair[1], op)) if isinstance(pair, tuple) else pair


OPS = {
    "product": lambda a, b: a * b,
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "quotient": lambda a, b: a / b,
}


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("constant", range(6))
def test_every_association(name, constant):
    numbers = [0.1, 0.7, -1.3, 1e-3, 3.3]

    def all_of(x):
        operands = [*x]
        if constant < 5:
            operands[constant] = numbers[constant]
        return [combined(pair, OPS[name]) for pair in associations(operands)]

    want = all_of(numbers)
    assert len(want) == 14
    assert len({*want}) > 1
    for k, wanted in enumerate(want):
        for form, value in in_python(lambda x, k=k: all_of(x)[k], numbers):
            assert bits(value) == bits(wanted), (form, k)


def tree(choose, depth, leaves):
    """A random expression of sums, differences, products, quotients and signs; floats may divide by 0."""
    if depth == 0 or choose.random() < 0.15:
        return choose.choice(leaves) if choose.random() < 0.8 else choose.uniform(-3.0, 3.0)
    op = choose.choice([*OPS.values(), OPS["product"], OPS["sum"], None])
    a = tree(choose, depth - 1, leaves)
    if op is None:
        return -a
    return op(a, tree(choose, depth - 1, leaves))


# The fixture is for machine code, of which there is none here.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), x=st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3))
def test_expressions(seed, x):
    choose = random.Random(seed)
    depth = choose.randint(2, 7)
    start = choose.getstate()

    def f(x):
        choose.setstate(start)
        return tree(choose, depth, x) * 1.0

    try:
        want = f(x)
        found = [*in_python(f, x)]
    except (ZeroDivisionError, FloatingPointError):  # also of a derivative alone
        return
    if math.isfinite(want):
        assert {form: value for form, value in found if bits(value) != bits(want)} == {}


@needs_cc
@pytest.mark.parametrize("irregular", [native.IRREGULAR, -1])
def test_expressions_in_machine_code(irregular, monkeypatch):
    """Many in one program: fused products, another order or parentheses show in some of them."""
    choose = random.Random(7)
    x = [0.3, -1.7, 2.9, 1e-2]

    def one(seed, x):
        return tree(random.Random(seed), 2 + seed % 4, x) * 1.0

    seeds = []
    while len(seeds) < 150:
        seed = choose.randrange(10**9)
        with contextlib.suppress(ZeroDivisionError):
            one(seed, x)
            seeds.append(seed)

    def f(x):
        return [one(seed, x) for seed in seeds]

    want = np.array(f(x))
    monkeypatch.setattr(native, "IRREGULAR", irregular)
    program = compile(f, x).native()
    for m in (1, 9, 17):
        got = np.array(program.batch(np.array([x] * m), reduce=None))[:, m - 1]
        assert (got == want).all()


@pytest.mark.parametrize("terms", [LOOP - 1, LOOP])
def test_a_loop_begins_at_so_many_terms(terms):
    w = [Value(math.sin(k + 1.0)) for k in range(terms)]

    def chain(x):
        total = 0.0
        for wi, xi in zip(w, x, strict=True):
            total = total + wi * xi
        return total

    program = compile(chain, [0.0] * terms)
    (nest,) = [nest for nest in program._loops("leaf", "array").nests if nest.written and nest.products]
    counts = [run.terms for run in nest.products if run.factors]  # the 0.0 that the sum begins with has none
    assert counts == ([terms] if terms == LOOP else [1] * terms)
    (loop,) = compile(lambda x: dot(w, x), [0.0] * terms)._loops("leaf", "array").nests[:1]
    assert [run.terms for run in loop.products] == [terms]  # which rounds once and has no order


def test_the_longer_chain_leads():
    """A sum of n terms is one nest, whichever side its chain stands on, and so is a product."""
    w = [Value(1.0 + 0.1 * math.sin(k)) for k in range(120)]
    total, product = w[0] + w[1], w[0] * w[1]
    for a, b in zip(w[2::2], w[3::2], strict=True):
        total = (a - b) + total
        product = (a * b) * product
    for loss in (total, product):
        program = compile(loss)
        assert len(program._loops("leaf", "array").nests) < 5 * 60 + 10
        loss.backward()
        value, _ = program._kernel("leaf")([], [leaf.data for leaf in program.leaves])
        assert value == pytest.approx(loss.data, rel=1e-15)
    assert len(compile(total)._loops("leaf", "array").nests) < 6


# A function of a zero z and of -1, and atan2 of the result and -1, which is π for 0.0 and -π for -0.0.
SIGNED = {
    "z + 0.0": (lambda z, x: z + 0.0, -0.0, math.pi),
    "0.0 + z": (lambda z, x: 0.0 + z, -0.0, math.pi),
    "z - -0.0": (lambda z, x: z - -0.0, -0.0, math.pi),
    "0.0 - z": (lambda z, x: 0.0 - z, 0.0, math.pi),
    "0.0 + z + z": (lambda z, x: 0.0 + z + z, -0.0, math.pi),
    "0.0 + z * x": (lambda z, x: 0.0 + z * x, 0.0, math.pi),
    "z - 0.0": (lambda z, x: z - 0.0, -0.0, -math.pi),
    "z + -0.0": (lambda z, x: z + -0.0, -0.0, -math.pi),
    "-0.0 + z": (lambda z, x: -0.0 + z, -0.0, -math.pi),
    "-0.0 - z": (lambda z, x: -0.0 - z, 0.0, -math.pi),
    "-z": (lambda z, x: -z, 0.0, -math.pi),
    "z + z": (lambda z, x: z + z, -0.0, -math.pi),
    "z * x": (lambda z, x: z * x, 0.0, -math.pi),
    "z - -z": (lambda z, x: z - -z, -0.0, -math.pi),
}
ALWAYS = {name for name, (_, _, want) in SIGNED.items() if want > 0.0}  # 0.0 for zeros of both signs


def signed(name):
    f, z, want = SIGNED[name]
    assert ag.atan2(f(z, -1.0), -1.0) == want
    assert ag.atan2(f(-z, -1.0), -1.0) == (math.pi if name in ALWAYS else -want)
    return (lambda x: ag.atan2(f(x[0], x[1]), x[1])), [z, -1.0], want


@pytest.mark.parametrize("name", SIGNED)
def test_a_zero_keeps_the_sign_that_arithmetic_gives_it(name):
    f, x, want = signed(name)
    assert {form: value for form, value in in_python(f, x) if value != want} == {}


@needs_cc
@pytest.mark.parametrize("irregular", [native.IRREGULAR, -1])
def test_a_zero_keeps_its_sign_in_machine_code(irregular, monkeypatch):
    monkeypatch.setattr(native, "IRREGULAR", irregular)
    cases = [signed(name) for name in SIGNED]
    numbers = [xi for _, x, _ in cases for xi in x]
    wanted = [want for _, _, want in cases]

    def all_of(x):
        return [f(x[2 * k : 2 * k + 2]) for k, (f, _, _) in enumerate(cases)]

    each = compile(all_of, numbers).native()
    for m in (1, 9, 17):
        assert [column[m - 1] for column in each.batch(np.array([numbers] * m), reduce=None)] == wanted
    weights = [1.0 + 0.1 * k for k in range(len(cases))]
    total = compile(dot(weights, all_of([Value(x) for x in numbers]))).native()
    assert total()[0] == pytest.approx(math.fsum(map(operator.mul, weights, wanted)), rel=1e-14)


# Alike operations whose constants, or coefficients, are zeros of both signs.
ZEROS = [0.0, -0.0, 0.0, 0.0, -0.0, -0.0, 0.0, 0.0, 0.0]
OF_ZEROS = {
    "constants": lambda zero, x: ag.atan2(zero, x[0]),
    "coefficients": lambda zero, x: ag.atan2(zero * x[1], x[0]),
    "products": lambda zero, x: ag.atan2(x[1] * x[2] * zero, x[0]),
    "terms": lambda zero, x: ag.atan2(ag.tanh(x[1]) * zero, x[0]),
}


@needs_cc
@pytest.mark.parametrize("name", OF_ZEROS)
def test_zeros_of_both_signs_are_two_constants(name, monkeypatch):
    def f(x, zeros=ZEROS):
        return ag.sum([OF_ZEROS[name](zero, x) * (k + 1.0) for k, zero in enumerate(zeros)])

    x = [-1.0, 0.7, 1.9]
    want = f(x)
    assert abs(f(x, [0.0] * 9)) > 2.0 * abs(want)
    assert abs(f(x, [-0.0] * 9)) > 2.0 * abs(want)
    for form, value in (*in_python(f, x), *in_c(f, x, monkeypatch)):
        assert value == pytest.approx(want, rel=1e-14), form


@needs_cc
def test_zeros_of_both_signs_in_choices():
    """A graph with choices is differentiated first, so its constants are operands of alike nodes."""

    def f(x, zeros=ZEROS):
        parts = [ag.atan2(where(xk < 0.0, zero, xk), -1.0) for xk, zero in zip(x, zeros, strict=True)]
        return dot([k + 1.0 for k in range(len(x))], parts)

    x = [-0.1 * k - 1.0 for k in range(9)]
    want = f(x)
    assert abs(f(x, [0.0] * 9)) > 2.0 * abs(want)
    program, columns = compile(f, x), [np.array([xk]) for xk in x]
    assert program._kernel("argument")(columns, [])[0] == pytest.approx(want, rel=1e-14)
    values, _ = program.native().batch(np.array([x] * 9), reduce=None)
    assert values == pytest.approx([want] * 9, rel=1e-14)


def test_squares_and_reciprocals_round_once():
    choose = random.Random(3)
    for _ in range(2000):
        x = choose.uniform(0.1, 10.0)
        assert ag.pow(x, 2.0) == x * x
        assert ag.pow(x, -1.0) == 1.0 / x
        assert (Value(x) ** 2).data == x * x
    with pytest.raises(OverflowError):
        ag.pow(1e200, 2.0)
    with pytest.raises((ZeroDivisionError, ValueError)):
        ag.pow(0.0, -1.0)


@needs_numpy
@pytest.mark.parametrize(("large", "small"), [(1e-300, 1e200), (1e300, 1e-200), (1e300, 1e-160)])
def test_constants_whose_product_is_no_float_stay_apart(large, small):
    x = Value(large)
    loss = tanh(x * small * small)
    want = pytest.approx(loss.data, rel=1e-14, abs=0.0)
    assert compile(loss).kernel("leaf")([], [large])[0] == want
    program = compile(lambda t: tanh(x * small * t * small), 1.0)
    assert program.batch(np.ones(2))[0] == want
    if has_cc:
        assert compile(loss).native()()[0] == want


def test_a_sum_keeps_its_order_and_differs_in_the_last_bits_alone():
    w = [Value(random.Random(k).uniform(-1.0, 1.0)) for k in range(50)]
    program = compile(lambda x: dot(w, x), [0.0] * 50)
    X = np.random.default_rng(0).normal(size=(9, 50))
    value, _ = program.batch(X, reduce="sum")
    bound = 2.0**-53 * 60 * float(np.abs(X * [wi.data for wi in w]).sum())
    want = float(ag.sum([dot([wi.data for wi in w], x) for x in X.tolist()]))
    assert abs(value - want) <= bound
