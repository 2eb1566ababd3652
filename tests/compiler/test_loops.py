"""Loops and machine code: every graph gives the same numbers as the eager engine, and regular ones roll."""

import multiprocessing
import random
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, dot, nn, relu, tanh
from autograd_lite.compiler import compile, kernels
from autograd_lite.compiler.codegen import c_function as c
from autograd_lite.compiler.codegen.c_workspace import Workspace
from autograd_lite.compiler.loops import lowering
from autograd_lite.compiler.loops.grouping import LOOP
from autograd_lite.compiler.loops.strides import affine_access
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.compiler.runtime import toolchain
from autograd_lite.compiler.runtime.numpy_kernel import NumpyKernel
from autograd_lite.core.primitive import TABLE, primitive
from tests.compiler.graphs import KINDS, eager, graph

has_cc = any(map(shutil.which, ("cc", "gcc", "clang")))
needs_cc = pytest.mark.skipif(not has_cc, reason="there is no C compiler")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def agree(got, want, tolerance=1e-13):
    scale = max(1.0, *map(abs, want))
    assert all(abs(a - b) <= tolerance * scale for a, b in zip(got, want, strict=True)), (got, want)


def whole(program, leaves):
    """The value and the gradients of a recorded loss, by the NumPy form of its loops, one sample's or all."""
    kernel = program.kernel("leaf")
    numbers = np.array([leaf.data for leaf in program.leaves])
    found = [kernel.sums(kernel.samples([]), numbers)]
    if kernel.recorded is not None:
        found.append(NumpyKernel(program._loops("leaf", "array"), np).sums(np.zeros((0, 1)), numbers))
        agree(found[0], found[1])
    value, *gradients = found[0].tolist()
    found = dict(zip(program.leaves, gradients, strict=True))
    return [value, *[found.get(leaf, 0.0) for leaf in leaves]]


@pytest.mark.parametrize("first", range(len(KINDS)))
def test_graphs_of_every_kind_agree(first):
    for seed in range(first, 400, len(KINDS)):
        kind, loss, X, t = graph(seed)
        program = compile(loss, X[0], t[0])
        total, want = eager(loss, X, t, program.leaves)
        value, gradients = program.batch(np.array(X), np.array(t), reduce="sum")
        agree([value, *(gradients if program.leaves else ())], want)
        if kind not in ("choices", "anything") and isinstance(total, Value):
            agree(whole(compile(total), program.leaves), want)


@needs_cc
@pytest.mark.parametrize("seed", range(len(KINDS) * 2))
def test_machine_code_agrees(seed):
    kind, loss, X, t = graph(seed)
    program = compile(loss, X[0], t[0])
    total, want = eager(loss, X, t, program.leaves)
    value, gradients = program.native().batch(np.array(X), np.array(t), reduce="sum")
    agree([value, *(gradients if program.leaves else ())], want)
    if kind not in ("choices", "anything"):
        recorded = compile(total).native()
        value, gradients = recorded()
        found = dict(zip(recorded.leaves, gradients, strict=True))
        agree([value, *[found.get(leaf, 0.0) for leaf in program.leaves]], want)


# A gradient by n·m weights is Σ over samples of ∂L/∂yᵢ · xⱼ. Weights that follow each other in the order of
# leaves are the columns, which fill vectors; where these would be less than half full, the longer side is;
# and where that is too short as well, a vector holds samples, as anywhere else.
MATRICES = [
    # n, m, weights by rows, lanes; rows and columns
    (12, 6, True, 8, [(12, 6)]),
    (12, 6, False, 8, [(6, 12)]),
    (6, 12, True, 8, [(6, 12)]),
    (6, 12, False, 8, [(12, 6)]),
    (12, 4, True, 8, [(12, 4)]),
    (12, 3, True, 8, [(3, 12)]),
    (12, 3, True, 4, [(12, 3)]),
    (4, 12, False, 8, [(12, 4)]),
    (3, 12, False, 8, [(3, 12)]),
    (3, 12, False, 4, [(12, 3)]),
    (5, 5, True, 8, [(5, 5)]),
    (5, 5, False, 8, [(5, 5)]),
    (1, 4, True, 8, [(1, 4)]),
    (4, 1, True, 8, [(1, 4)]),
    (1, 3, True, 8, []),
    (3, 1, True, 8, []),
    (1, 3, True, 4, [(1, 3)]),
    (3, 3, True, 8, []),
    (3, 3, True, 4, [(3, 3)]),
    (2, 3, True, 4, [(2, 3)]),
    (2, 3, False, 4, [(3, 2)]),
]


def layer(n, m, by_rows):
    """A loss with n·m weights, which are met row by row or column by column."""
    w = {(i, j): Value(0.3 * i - 0.2 * j + 0.1) for i in range(n) for j in range(m)}
    places = sorted(w) if by_rows else sorted(w, key=lambda place: place[::-1])

    def loss(x):
        y = [0.0] * n
        for i, j in places:
            y[i] = y[i] + w[i, j] * x[j]
        return ag.sum([ag.sin(z) for z in y])

    return compile(loss, [0.1] * m), [w[place] for place in places]


@pytest.mark.parametrize(("n", "m", "by_rows", "lanes", "products"), MATRICES)
def test_sums_over_samples_are_products_of_matrices(n, m, by_rows, lanes, products):
    program, weights = layer(n, m, by_rows)
    assert all(a is b for a, b in zip(program.leaves, weights, strict=True))
    found = {}
    for vectors in (2, 1):
        space = Workspace(program._loops("leaf", "c"), np, lanes, vectors)
        found[vectors] = [(product.rows, product.columns) for product in space.products.values()]
        for k, product in space.products.items():
            order = [space.sum_place(k, number) for number in range(n * m)]
            assert len({*order}) == n * m
            width = -(-product.columns // lanes) * lanes
            assert max(place - space.sums[k] for place in order) < product.rows * width
    assert found == {2: products, 1: []}  # of one sample at a time there is no sum


@needs_cc
@pytest.mark.parametrize(("n", "m", "by_rows", "lanes", "products"), [row for row in MATRICES if row[3] == 8])
def test_products_of_matrices_are_the_gradient(n, m, by_rows, lanes, products):
    program, _ = layer(n, m, by_rows)
    X = np.random.default_rng(n + 100 * m).normal(size=(37, m))
    value, gradients = program.native().batch(X)
    total, want = program.batch(X)
    agree([value, *gradients], [total, *want])
    slopes = np.cos(X @ np.array([[0.3 * i - 0.2 * j + 0.1 for j in range(m)] for i in range(n)]).T)
    by_hand = slopes.T @ X / len(X)
    agree(gradients, (by_hand if by_rows else by_hand.T).ravel().tolist())


def demo():
    random.seed(2)
    model = nn.MLP(2, [16, 16, 1])
    rng = np.random.default_rng(2)
    X = rng.normal(size=(100, 2))
    return model, X, np.where(X[:, 0] > X[:, 1], 1.0, -1.0)


def by_hand(model, choose):
    """The network written as loops over sums, neurons, inputs and terms in an order of their own."""
    orders = [(choose.sample(layer.neurons, len(layer.neurons)), None) for layer in model.layers]
    terms = [[*range(len(layer.neurons[0].w))] for layer in model.layers]
    for order in terms:
        if len(order) >= LOOP:  # fewer terms are added up in the order in which they are written
            choose.shuffle(order)

    def network(x):
        for k, (layer, (shuffled, _), order) in enumerate(zip(model.layers, orders, terms, strict=True)):
            found = {}
            for neuron in shuffled:
                z = neuron.b
                for i in order:
                    z = z + neuron.w[i] * x[i]
                found[neuron] = relu(z) if k < 2 else z
            x = [found[neuron] for neuron in layer.neurons]
        return x[0]

    return network


def test_a_layer_is_one_loop():
    model, _, _ = demo()
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    shown = program.loops
    assert "for i0 in range(16):\n    dot" in shown
    assert "sum(w[" in shown
    assert shown.count("for i0") < 20
    assert "= heaviside(" in shown  # slopes by their names, not as they are computed
    assert "where" not in shown


def test_a_constant_is_shown_as_its_number():
    shown = compile(lambda x, t: ag.square(x - t) * 0.5, 2.0, 1.0).loops
    assert "[0] * 0.5" in shown
    assert "c[" not in shown
    slopes = compile(lambda x: ag.sum([ag.pow(xi, 2.5 + k) for k, xi in enumerate(x)]), [1.0] * 100).loops
    assert "c[" in slopes  # a hundred numbers


@pytest.mark.parametrize("seed", range(3))
def test_another_order_rolls_as_well(seed):
    model, X, y = demo()
    choose = random.Random(seed)
    network = by_hand(model, choose)
    straight = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    other = compile(lambda x, y: relu(1.0 - y * network(x)), [0.0, 0.0], 0.0)
    found = [p._loops("leaf", "array") for p in (straight, other)]
    assert len(found[0].nests) == len(found[1].nests)
    a, b = straight.batch(X, y), other.batch(X, y)
    found = dict(zip(other.leaves, b[1], strict=True))
    assert [found[leaf] for leaf in straight.leaves] == pytest.approx(a[1], rel=1e-12, abs=1e-15)


def any_order(model, choose):
    """The network by hand, its neurons and the terms of each in another order for every sample."""

    def network(x):
        for k, layer in enumerate(model.layers):
            found = {}
            for neuron in choose.sample(layer.neurons, len(layer.neurons)):
                terms = [neuron.b, *[w * xi for w, xi in zip(neuron.w, x, strict=True)]]
                if len(terms) > LOOP:
                    choose.shuffle(terms)
                z = terms[0]
                for term in terms[1:]:
                    z = z + term if choose.random() < 0.5 else term + z
                found[neuron] = relu(z) if k < 2 else z
            x = [found[neuron] for neuron in layer.neurons]
        return x[0]

    return network


@pytest.mark.parametrize("seed", range(3))
def test_any_order_gives_the_same_loops(seed):
    """No address has to be looked up: the order that nodes were written in leaves no trace."""
    model, X, y = demo()
    choose = random.Random(seed)
    network = any_order(model, choose)
    straight = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    other = compile(lambda x, y: relu(1.0 - y * network(x)), [0.0, 0.0], 0.0)
    assert other.loops.count("for i0") == straight.loops.count("for i0")
    assert "index[" not in other.loops
    samples = list(zip(X.tolist(), y.tolist(), strict=True))
    choose.shuffle(samples)
    loss = 0.0
    for x, t in samples[:20]:
        loss = loss + relu(1.0 - t * network(x))
    recorded = compile(loss)
    assert "index[" not in recorded.loops
    assert len(recorded._loops("leaf", "array").nests) < 40
    loss.backward()
    agree(whole(recorded, recorded.leaves), [loss.data, *[leaf.grad for leaf in recorded.leaves]])
    inputs_too = ag.sum([relu(1.0 - t * model(x)) for x, t in samples[:20]])  # which `nn` makes leaves of
    assert "index[" not in compile(inputs_too).loops


def test_a_whole_recorded_batch_rolls():
    model, X, y = demo()
    network = by_hand(model, random.Random(0))
    samples = list(zip(X.tolist(), y.tolist(), strict=True))
    random.Random(1).shuffle(samples)
    loss = 0.0
    for x, t in samples[:20]:
        loss = loss + relu(1.0 - t * network(x))
    program = compile(loss)
    found = program._loops("leaf", "array")
    assert program._operations > 10_000
    assert len(found.nests) < 40
    loss.backward()
    want = [loss.data, *[leaf.grad for leaf in program.leaves]]
    agree(whole(program, program.leaves), want)


@needs_cc
def test_tails_and_blocks_of_every_length():
    model, X, y = demo()
    # Layers that fill no vector, that leave some neurons over, and that are one neuron wide.
    others = [nn.MLP(2, sizes, rng=3) for sizes in ([40, 40, 1], [3, 21, 1, 9, 1], [4, 13, 25, 1])]
    for network in (model, *others):
        program = compile(lambda x, y, network=network: tanh(1.0 - y * network(x)), [0.0, 0.0], 0.0)
        numpy_form = [program.batch(X[:m], y[:m]) for m in (1, 7, 8, 9, 31, 33, 100)]
        program.native()
        for m, want in zip((1, 7, 8, 9, 31, 33, 100), numpy_form, strict=True):
            got = program.batch(X[:m], y[:m])
            agree([got[0], *got[1]], [want[0], *want[1]], 1e-14)


@needs_cc
def test_float32_and_fastmath_stay_within_their_bounds():
    model, X, y = demo()

    def make():
        return compile(lambda x, y: tanh(1.0 - y * model(x)), [0.0, 0.0], 0.0)

    want = make().batch(X, y)
    single = make().native("float32").batch(X, y)
    agree([single[0], *single[1]], [want[0], *want[1]], 100 * 2.0**-24)
    fast = make().native(fastmath=True).batch(X, y)
    tiny = float("5e-324")  # the library must not teach the process to flush subnormal numbers to 0
    assert tiny * 1.0 > 0.0
    agree([fast[0], *fast[1]], [want[0], *want[1]], 1e-13)


@needs_cc
@pytest.mark.parametrize("sanitize", [False, True])
def test_c_source_is_c99_that_runs_alone(tmp_path, sanitize):
    model, X, y = demo()
    w = model.parameters()[0]
    program = compile(
        lambda x, y: tanh(1.0 - y * model(x)) + ag.exp(w) * ag.gelu(w), [0.0, 0.0], 0.0, name="net"
    )
    work = int(re.search(r"room for (\d+) numbers", program.c_source)[1])
    leaves = [leaf.data for leaf in program.leaves]

    def array(name, numbers):
        return f"static const double {name}[] = {{{', '.join(map(repr, map(float, np.ravel(numbers))))}}};\n"

    main = f"""{program.c_source}
#include <stdio.h>
{array("X", X)}{array("y", y)}{array("leaves", leaves)}
int main(void)
{{
    static double out[{len(leaves) + 1}], work[{work}];
    const double *const samples[] = {{X, y}};
    net({len(X)}, samples, leaves, out, work);
    for (int k = 0; k < {len(leaves) + 1}; k++)
        printf("%.17g\\n", out[k]);
    return 0;
}}
"""
    (tmp_path / "net.c").write_text(main)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if sanitize else []
    command = [*toolchain.compilers()[0], *flags, "-o", str(tmp_path / "net"), str(tmp_path / "net.c"), "-lm"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if sanitize and "cannot find" in built.stderr:
        pytest.skip("the sanitizers are not installed")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(tmp_path / "net")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value, gradients = program.batch(X, y, reduce="sum")
    assert list(map(float, done.stdout.split())) == pytest.approx([value, *gradients], rel=1e-12, abs=1e-14)


def _build(directory, barrier, results):
    import os

    os.environ["XDG_CACHE_HOME"] = directory
    w = Value(2.0)
    program = compile(lambda x: tanh(w * x), 0.0)
    barrier.wait()
    results.put(program.native().batch(np.array([0.5, 1.0]), reduce="sum"))


@needs_cc
def test_two_processes_may_build_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_build, args=(str(tmp_path / "both"), barrier, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    first, second = results.get(timeout=60), results.get(timeout=60)
    for process in processes:
        process.join()
    assert first == second
    assert len(list((tmp_path / "both" / "autograd_lite").iterdir())) == 1


def test_without_a_compiler_the_numpy_form_runs(monkeypatch):
    def none():
        raise toolchain.NoCompilerError("no C compiler (cc, gcc, clang)")

    monkeypatch.setattr(toolchain, "compilers", none)
    w = Value(2.0)
    program = compile(lambda x: w * x, 0.0)
    with pytest.warns(RuntimeWarning, match="no C compiler.*NumPy form"):
        program.native()
    assert program.batch(np.array([1.0, 2.0]), reduce="sum") == (6.0, [3.0])


@needs_cc
def test_machine_code_that_cannot_be_made_changes_nothing(monkeypatch):
    w = Value(2.0)
    program = compile(lambda x: tanh(w * x), 1.0)
    before = program.batch(np.ones(2), reduce=None)[0].tolist()
    for command in ("false", "true"):
        monkeypatch.setattr(toolchain, "compilers", lambda command=command: [(command,)])
        with pytest.raises(RuntimeError, match=f"{command} failed"):
            program.native()
        assert program.batch(np.ones(2), reduce=None)[0].tolist() == before
        with pytest.raises(RuntimeError, match=f"{command} failed"):
            compile(lambda x: x * x, 1.0).native()
    monkeypatch.undo()
    row = primitive(
        "rough", lambda x: x if x > 0.0 else 0.0, lambda out, x: (1.0,), template={"c": "none({0})"}
    )
    try:
        program = compile(lambda x: row(x) * w, 1.0)
        with pytest.raises(RuntimeError, match=r"cannot be loaded: .*none"):
            program.native()
    finally:
        del TABLE["rough"]
    assert program.batch(np.ones(2), reduce=None)[0].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("given", ["", " ", "no-such-compiler -O1"])
def test_a_compiler_that_is_not_there_is_passed_over(monkeypatch, given):
    monkeypatch.delenv("CC", raising=False)
    want = toolchain.compilers()
    monkeypatch.setenv("CC", given)
    assert toolchain.compilers() == want
    monkeypatch.setenv("CC", 'cc "')
    with pytest.raises(toolchain.NoCompilerError, match="CC=cc"):
        toolchain.compilers()


@needs_cc
def test_machine_code_can_be_made_anew_with_other_numbers():
    w = Value(0.1)
    for program in (compile(lambda x: w * x, 1.0), compile(lambda x: ag.sin(x), 1.0)):
        X = np.array([0.3, 0.7])
        double = program.native().batch(X, reduce=None)[0]
        single = program.native("float32").batch(X, reduce=None)[0]
        assert (single != double).all()
        assert single == pytest.approx(double, rel=1e-6)


@needs_cc
@pytest.mark.parametrize(("number", "large"), [("float64", 1e200), ("float32", 1e30)])
def test_large_numbers_whose_squares_overflow_are_numbers(number, large):
    w = Value(large)
    value, gradients = compile(lambda x: w * x, 1.0).native(number).batch(np.ones(3))
    assert (value, gradients) == (pytest.approx(large, rel=1e-7), [1.0])


@needs_cc
@pytest.mark.parametrize("seed", range(len(KINDS) * 2))
def test_instructions_agree(seed, monkeypatch):
    monkeypatch.setattr(native, "IRREGULAR", -1)
    test_machine_code_agrees(seed)


@needs_cc
def test_a_graph_that_does_not_roll_is_interpreted(monkeypatch):
    choose = random.Random(0)
    pool = [Value(choose.uniform(-1.0, 1.0)) for _ in range(5)]
    leaves = [*pool]
    for _ in range(3000):
        x, y = choose.choice(pool), choose.choice(pool)
        pool.append(
            choose.choice([lambda x, y: tanh(x + y), lambda x, y: x * y, lambda x, y: ag.sin(x)])(x, y)
        )
    loss = ag.sum(pool[-500:])
    loss.backward()
    program = compile(loss).native()
    assert program._machine.tables
    monkeypatch.setattr(lowering, "MOST_GROUPS", 50)  # where the loops are not even looked for
    assert compile(loss).native()() == program()
    value, gradients = program()
    found = dict(zip(program.leaves, gradients, strict=True))
    agree([value, *[found[leaf] for leaf in leaves]], [loss.data, *[leaf.grad for leaf in leaves]], 1e-12)


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return all(same(x, y) for x, y in zip(a, b, strict=True))
    return np.asarray(a) == pytest.approx(np.asarray(b), rel=1e-13, abs=1e-14)


@needs_cc
@pytest.mark.parametrize("irregular", [False, True])
def test_results_of_each_sample_in_machine_code(irregular, monkeypatch):
    if irregular:
        monkeypatch.setattr(native, "IRREGULAR", -1)
    model, X, y = demo()
    k = Value(0.7, "k")
    functions = [
        (lambda x, y: tanh(1.0 - y * model(x)), ([0.0, 0.0], 0.0), (X, y)),
        (
            lambda x: k * x["a"] + ag.where(x["b"] > 0.0, k, x["a"]),
            ({"a": 0.0, "b": 0.0},),
            ({"a": y, "b": X[:, 0]},),
        ),
        (lambda x, y: ag.exp(x[0]) * y + x[1] ** 2, ([0.0, 0.0], 0.0), (X, y)),
        (lambda x: {"s": ag.sin(x[0]), "t": [x[1], 2.0, x[0] * x[1]]}, ([0.0, 0.0],), (X,)),
    ]
    for function, example, batch in functions:
        program, machine = [compile(function, *example) for _ in range(2)]
        machine.native()
        for m in (1, 8, 21):
            rows = [{key: x[:m] for key, x in b.items()} if isinstance(b, dict) else b[:m] for b in batch]
            for wrt in ("leaves", "arguments") if program.leaves else (None,):
                assert same(
                    machine.batch(*rows, reduce=None, wrt=wrt), program.batch(*rows, reduce=None, wrt=wrt)
                )
            if program.scalar:
                assert same(machine.batch(*rows, wrt="arguments"), program.batch(*rows, wrt="arguments"))
    with pytest.raises(ValueError, match="sample 2: log"):
        compile(lambda x: ag.log(x), 1.0).native().batch([1.0, 2.0, -1.0], reduce=None)


@needs_cc
def test_threads_share_the_samples():
    model, X, y = demo()
    many, labels = np.tile(X, (5, 1)), np.tile(y, 5)
    programs = [compile(lambda x, y: tanh(1.0 - y * model(x)), [0.0, 0.0], 0.0) for _ in range(2)]
    programs[1].native(threads=3)
    a, b = [program.batch(many, labels) for program in programs]
    assert same(a, b)
    assert programs[1].batch(many, labels) == b
    start = [p.data for p in programs[0].leaves]
    values = [programs[1].descend(many, labels, steps=3)]
    for p, number in zip(programs[0].leaves, start, strict=True):
        p.data = number
    values.append(programs[0].descend(many, labels, steps=3))
    assert same(*values)
    assert same(*[program.batch(many, labels, reduce=None) for program in programs])


@needs_cc
def test_threads_leave_a_recorded_loss_whole():
    model, _, _ = demo()
    X = np.random.default_rng(5).normal(size=(300, 2)).tolist()
    losses = [tanh(1.0 - model(x)) for x in X]
    loss = ag.mean(losses) + 1e-3 * ag.sum([p * p for p in model.parameters()])
    loss.backward()
    program = compile(loss).native(threads=3)
    value, gradients = program()
    assert len(program._machine.recorded.data) == 300
    agree([value, *gradients], [loss.data, *[leaf.grad for leaf in program.leaves]])


@needs_cc
def test_what_nothing_reads_is_added_to_nothing():
    _, loss, X, t = graph(55)  # a result that is not used was added to another's sum
    program = compile(loss, X[0], t[0])
    want = program.batch(np.array(X), np.array(t))
    assert same(program.native().batch(np.array(X), np.array(t)), want)


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


def test_a_product_of_very_many_factors():
    x = [Value(random.Random(k).uniform(0.99, 1.01)) for k in range(4000)]
    loss = ag.prod(x) + ag.sum([ag.sin(v) ** (k % 150 + 3) for k, v in enumerate(x[:300])])
    loss.backward()
    agree(whole(compile(loss), x), [loss.data, *[v.grad for v in x]])


def test_affine_addresses():
    index = np.arange(24).reshape(2, 3, 4)
    assert affine_access(index.reshape(1, -1), np) == ([24], [[1]])
    assert affine_access(index.transpose(2, 0, 1).reshape(1, -1), np) == ([4, 6], [[1, 4]])
    assert affine_access(np.array([[0, 1, 2, 10, 11, 12]]), np) == ([2, 3], [[10, 1]])
    assert affine_access(np.array([[0, 1, 3]]), np) is None
    assert affine_access(np.array([[7, 7, 7], [0, 2, 4]]), np) == ([3], [[0], [2]])
    assert affine_access(np.array([[5]]), np) == ([], [[]])


def test_a_sum_keeps_its_order_and_differs_in_the_last_bits_alone():
    w = [Value(random.Random(k).uniform(-1.0, 1.0)) for k in range(50)]
    program = compile(lambda x: dot(w, x), [0.0] * 50)
    X = np.random.default_rng(0).normal(size=(9, 50))
    value, _ = program.batch(X, reduce="sum")
    bound = 2.0**-53 * 60 * float(np.abs(X * [wi.data for wi in w]).sum())
    want = float(ag.sum([dot([wi.data for wi in w], x) for x in X.tolist()]))
    assert abs(value - want) <= bound


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_descend_is_gradient_descent(machine):
    model, X, y = demo()
    parameters = model.parameters()
    program = compile(
        lambda x, y: relu(1.0 - y * model(x)) + 1e-4 * ag.sum([p * p for p in parameters]), [0.0, 0.0], 0.0
    )
    start = [p.data for p in program.leaves]
    want = []
    for k in range(20):
        for p in program.leaves:
            p.grad = None
        want.append(program.batch(X, y, backward=True))
        for p in program.leaves:
            p.data = p.data - (0.5 - 0.02 * k) * p.grad
    moved = [p.data for p in program.leaves]
    for p, number in zip(program.leaves, start, strict=True):
        p.data = number
    if machine:
        program.native()
    values = program.descend(X, y, lr=lambda k: 0.5 - 0.02 * k, steps=20)
    assert values == pytest.approx(want, rel=1e-10)
    assert [p.data for p in program.leaves] == pytest.approx(moved, rel=1e-9, abs=1e-12)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_descend_stops_where_numbers_end(machine):
    w = Value(1.0)
    program = compile(lambda x: ag.log(w) * x, 1.0)
    if machine:
        program.native()
    with pytest.raises(ValueError, match="sample 0: log"):
        program.descend(np.ones(3), lr=2.0, steps=5)
    assert w.data == pytest.approx(-1.0, rel=1e-15)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
@pytest.mark.parametrize(("lr", "error"), [(None, TypeError), ("1", TypeError), (np.nan, ValueError)])
def test_a_step_size_that_is_none_moves_nothing(machine, lr, error):
    w = Value(1.0)
    program = compile(lambda x: w * w * x, 1.0)
    if machine:
        program.native()
    for given in (lr, lambda k: lr):
        for steps in (1, 3):
            with pytest.raises(error, match="lr must be"):
                program.descend(np.ones(3), lr=given, steps=steps)
    with pytest.raises(TypeError):
        program.descend(np.ones(3), steps=1.5)
    with pytest.raises(error, match="lr must be"):
        program.descent(np.ones(3), lr=lr)  # before a block is opened
    step = program.descent(np.ones(3))
    with pytest.raises(RuntimeError, match=r"with program\.descent"):
        step()
    assert w.data == 1.0


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_descent_keeps_the_parameters_to_itself_until_its_end(machine):
    model, X, y = demo()
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0)
    start = [p.data for p in program.leaves]
    want = program.descend(X, y, lr=lambda k: 0.1 / (k + 1), steps=5)
    moved = [p.data for p in program.leaves]
    for p, number in zip(program.leaves, start, strict=True):
        p.data = number
    if machine:
        program.native()
    with program.descent(X, y.tolist(), lr=lambda k: 0.1 / (k + 1)) as step:
        values = [step(), *step.run(3), step()]
        assert [p.data for p in program.leaves] == start
    assert values == pytest.approx(want, rel=1e-12)
    assert [p.data for p in program.leaves] == pytest.approx(moved, rel=1e-12, abs=1e-14)


@needs_cc
@pytest.mark.parametrize("machine", [False, True])
def test_a_recorded_loss_descends(machine):
    a, b = Value(3.0), Value(-2.0)
    loss = (a - 1.0) ** 2 + 2.0 * (b - 4.0) ** 2
    program = compile(loss)
    if machine:
        program.native()
    values = program.descend(lr=0.1, steps=200)
    assert values[:2] == pytest.approx([76.0, 0.64 * 4.0 + 72.0 * 0.36], rel=1e-12)
    assert (a.data, b.data) == pytest.approx((1.0, 4.0), rel=1e-12)
    with pytest.raises(TypeError, match="no leaves"):
        compile(lambda x: x * x, 1.0).descend([1.0])
    logarithm = compile(ag.log(a))
    if machine:
        logarithm.native()
    a.data = -1.0
    with pytest.raises(ValueError, match="log"):
        logarithm.descend(lr=0.1)


@needs_cc
def test_arrays_are_read_where_they_are():
    model, X, y = demo()
    program = compile(lambda x, y: relu(1.0 - y * model(x)), [0.0, 0.0], 0.0).native()
    want = program.batch(X.tolist(), y.tolist())
    assert program.batch(X, y) == program.batch(np.asfortranarray(X), y.astype(object)) == want
    rows, labels = program._machine.rows([X, y]).arrays
    assert rows.base is X
    assert labels.base is y
    with pytest.raises(ValueError, match="differ in the number of samples"):
        program.batch(X, y[:-1])
    with pytest.raises(ValueError, match="no samples"):
        program.batch(X[:0], y[:0])


def batches():
    """Losses of whole batches, and whether their samples can be told apart."""
    model, X, y = demo()
    samples = [(x, t, by_hand(model, random.Random(0))(x)) for x, t in zip(X[:20].tolist(), y, strict=False)]
    w = [Value(0.1 * k) for k in range(20)]
    parameters = model.parameters()

    def total(part):
        return sum((part(*sample) for sample in samples), 0.0)

    loss = total(lambda x, t, z: relu(1.0 - t * z))
    penalty = sum((p * p for p in parameters), 0.0)
    yield "a mean", loss * 0.05, True
    yield "a penalty", loss * 0.05 + 1e-4 * penalty, True
    yield "a penalty of its own kind", loss + ag.sqrt(penalty), True
    yield "two terms for each sample", total(lambda x, t, z: ag.square(z - t) + ag.exp(z - 2.0) * x[0]), True
    heads = [by_hand(nn.MLP(2, [5, 1], rng=k), random.Random(k)) for k in range(3)]
    outputs = [([head(x) for head in heads], [t, x[0], x[1]]) for x, t, _ in samples]
    squares = [ag.square(z - t) for zs, ts in outputs for z, t in zip(zs, ts, strict=True)]
    yield "a network of several outputs", ag.sum(squares), True
    several = nn.MLP(2, [5, 3], rng=1)
    errors = [ag.square(z - t) for x, t, _ in samples for z in several(x)]
    yield "inputs that are leaves", ag.sum(errors), True
    shuffled = [relu(1.0 - t * by_hand(model, random.Random(i))(x)) for i, (x, t, _) in enumerate(samples)]
    yield "each in an order of its own", ag.sum(shuffled), True
    yield "softmax", ag.mean([ag.softmax_cross_entropy(zs, int(ts[0] > 0)) for zs, ts in outputs]), False
    yield "the data alone", total(lambda x, t, z: z * t), True
    yield "a function of the sum", ag.log(1.0 + total(lambda x, t, z: tanh(z) ** 2)), False
    yield (
        "a parameter for each sample",
        sum((relu(wi - z) for wi, (_, _, z) in zip(w, samples, strict=True)), 0.0),
        False,
    )
    yield "one sample unlike the others", loss + ag.sin(samples[3][2]), False
    yield "a product over them", ag.prod([ag.sigmoid(z) for _, _, z in samples]), False


@needs_cc
@pytest.mark.parametrize("which", range(13))
def test_the_samples_of_a_recorded_batch_are_told_apart(which):
    title, loss, apart = list(batches())[which]
    program = compile(loss)
    loss.backward()
    want = [loss.data, *[leaf.grad for leaf in program.leaves]]
    agree(whole(program, program.leaves), want)
    assert (program.kernel("leaf").recorded is not None) is apart, title
    program.native()
    value, gradients = program()
    agree([value, *gradients], want)
    assert program.form == "machine code"
    assert not apart or program._machine.data.arrays[0].shape[0] == 20


@needs_cc
def test_leaves_of_samples_are_read_also_where_all_have_one_derivative():
    """Then no result is one sample's own, and the sums are as many as the leaves."""
    w, x = Value(0.3), [Value(random.Random(k).uniform(-1.0, 1.0)) for k in range(12)]
    loss = ag.square(tanh(w)) * 0.0 + ag.mean([tanh(w) * xi + 0.1 * w for xi in x])
    loss.backward()
    program = compile(loss).native()
    assert program._machine.recorded is not None
    value, gradients = program()
    agree([value, *gradients], [loss.data, *[leaf.grad for leaf in program.leaves]])
    start = [leaf.data for leaf in program.leaves]
    values = program.descend(lr=0.1, steps=2)
    moved = [leaf.data for leaf in program.leaves]
    for leaf, number in zip(program.leaves, start, strict=True):
        leaf.data = number
    other = compile(loss)
    agree([*values, *moved], [*other.descend(lr=0.1, steps=2), *[leaf.data for leaf in program.leaves]])


def test_equal_samples_are_computed_once_and_not_told_apart():
    w = [Value(0.3), Value(-0.2)]
    X = [[1.0, 2.0], [0.5, -1.0], [1.0, 2.0], *[[0.1 * k, 0.3] for k in range(9)]]
    loss = ag.sum([tanh(dot(w, x)) for x in X])
    program = compile(loss)
    loss.backward()
    agree(whole(program, w), [loss.data, *[wi.grad for wi in w]])


def test_a_large_recorded_loss_runs_by_its_loops(monkeypatch):
    monkeypatch.setattr(kernels, "STRAIGHT_LINE", 100)
    _, loss, _ = next(batches())
    program = compile(loss)
    assert program.form == "loops"
    loss.backward()
    value, gradients = program()
    agree([value, *gradients], [loss.data, *[leaf.grad for leaf in program.leaves]])


@needs_cc
def test_derivatives_of_each_sample_are_copied_in_few_loops():
    """A loop for each derivative took the compiler minutes."""
    model = nn.MLP(3, [5, 4, 1], rng=2)
    program = compile(lambda x, y: tanh(y * model(x)), [0.0] * 3, 0.0)
    X = np.random.default_rng(3).normal(size=(21, 3))
    y = np.linspace(-1.0, 1.0, 21)
    value, gradients = program.batch(X, y, reduce=None, wrt="leaves")
    program.native()
    found = program.batch(X, y, reduce=None, wrt="leaves")
    np.testing.assert_allclose(found[0], value, rtol=1e-13)
    np.testing.assert_allclose(found[1], gradients, rtol=1e-12, atol=1e-15)
    found = program._loops("leaf", "c")
    found = replace(found, outputs=[], each=found.outputs)
    text = c.c_layout(found, np, name="p", arguments=program._sizes(), lanes=8).text
    assert text.count("each[s") <= 2 * 8  # nests, not derivatives


def test_operations_all_unlike_are_left_to_the_tape():
    """The source of logsumexp of 1, 2, 3, ... values grows with their square, and so do its loops."""
    w = [Value(0.01 * k) for k in range(150)]
    loss = ag.sum([ag.logsumexp(w[: k + 1]) for k in range(150)])
    program = compile(loss)
    assert program.form == "tape"
    loss.backward()
    assert program() == (loss.data, pytest.approx([leaf.grad for leaf in program.leaves], rel=1e-13))
    few = compile(ag.sum([ag.logsumexp(w[: k + 1]) for k in range(4)]))
    assert few.form == "source"
