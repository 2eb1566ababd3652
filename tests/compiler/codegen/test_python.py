"""Programs as Python source."""

import gc
import inspect
import json
import keyword
import linecache
import math
import shutil
import subprocess
import sys
import traceback
import unicodedata

import numpy as np
import pytest

import autograd_lite as ag
from autograd_lite import Value, exp, log, where
from autograd_lite.compiler import compile
from autograd_lite.compiler.codegen.printer import identifier
from autograd_lite.core.primitive import TABLE, primitive
from tests.compiler.fuzz import recipe
from tests.compiler.models import demo, hinge

ALIKE = [
    "ṽ",
    "ṿ",
    "˜",
    "̣",
    "v\u0303",
    "_\u0303",
    "˜ ",
    "ﬁ",
    "fi",
    "x₁",
    "x1",
    "ｘ1",
    "ª",
    "a",
    "µ",
    "μ",
    "ſ",
    "s",
    "ⅰf",
    "if",
]


def test_source_runs_where_the_package_is_not(tmp_path):
    model, X, y = demo(sizes=(3, 1))
    cases = [
        (compile(lambda w, x: ag.sigmoid(w[0] * x + w[1]) ** 3, [0.1, 0.2], 0.3), [[0.5, -0.5], 2.0], None),
        (compile(lambda x: where(x > 0.0, lambda: log(x), lambda: ag.gelu(x)), 1.0), [0.5], None),
        (
            compile(hinge(model), [0.0, 0.0], 0.0),
            [X[0].tolist(), float(y[0])],
            [p.data for p in model.parameters()],
        ),
        *[(compile(recipe(k, [name]), [0.1, 0.2]), [[0.3, -0.4]], None) for k, name in enumerate(TABLE)],
    ]
    # All of them in one empty interpreter.
    script = "import json, sys\nresults = []\n"
    for program, arguments, leaves in cases:
        given = [*arguments, leaves] if leaves else arguments
        packed = json.dumps(json.dumps(given))
        script += f"{program.source}\nresults.append({program.name}(*json.loads({packed})))\n"
    script += "assert 'autograd_lite' not in sys.modules\nprint(json.dumps(results))\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    for found, (program, arguments, _) in zip(json.loads(done.stdout), cases, strict=True):
        assert found == json.loads(json.dumps(program(*arguments)))


def test_source_reads_as_code_by_a_person():
    def neuron(w, x, b):
        z = w[0] * x[0] + w[1] * x[1] + b
        z.label = "z"
        return ag.tanh(z)

    source = compile(neuron, [0.1, 0.2], [1.0, 2.0], 0.5).source
    assert "def neuron(w, x, b):" in source
    assert "    z = w_0 * x_0 + w_1 * x_1 + b" in source
    assert (
        source.index("# forward") < source.index("z = ") < source.index("# backward") < source.index("d_z = ")
    )
    assert "# ∂/∂z" in source
    assert all(len(line) <= 110 for line in source.splitlines())


def test_tracebacks_show_the_generated_line():
    program = compile(lambda x: 1.0 / x, 1.0)
    try:
        program._by_arguments(0.0)
    except ZeroDivisionError:
        assert "1.0 / x" in traceback.format_exc()
    assert inspect.getsource(program._by_arguments).startswith("def program(x):")


def test_lines_of_programs_that_are_gone_are_forgotten():
    def run():
        w = Value(2.0)
        program = compile(lambda x: w * x, 1.0)
        assert program(3.0) == (6.0, 2.0)
        assert program.batch(np.ones(3)) == (2.0, [1.0])
        return len(linecache.cache)

    gc.collect()
    before = len(linecache.cache)
    assert run() > before
    gc.collect()
    assert len(linecache.cache) == before


def test_labels_that_are_no_names():
    v = Value(1.0, "∂ x-1")
    w = Value(2.0, "class")
    u = Value(3.0, "exp")
    program = compile(lambda x: exp(x) * v + w * u, 1.0)
    assert program(0.0) == (7.0, 1.0)


def test_names_that_normalise_alike():
    """Trap 34: Python reads ﬁ and fi, and v with ˜ after it and ṽ, as one name."""
    leaves = [Value(2.0 + k, label) for k, label in enumerate(ALIKE)]
    total = ag.sum([x * x for x in leaves])
    want = ([x.data for x in leaves], total.data)
    for program in (compile(total), compile(lambda x: ag.sum([w * w for w in leaves]) * x, 1.0)):
        place = [leaves.index(leaf) for leaf in program.leaves]
        given = [1.0] * len(program.arguments)
        scope = {}
        exec(program.source, scope)
        out = scope[program.name](*given, [leaf.data for leaf in program.leaves])
        value, gradients = program.leaf_function(*given, [leaf.data for leaf in program.leaves])
        assert (out[0], value) == (want[1], want[1])
        assert gradients == [2.0 * want[0][k] for k in place]
        if program.arguments:
            assert program.batch([1.0, 1.0]) == (want[1], gradients)
            assert program.loop("leaf")([[1.0]], [leaf.data for leaf in program.leaves]) == (value, gradients)


@pytest.mark.parametrize("label", ALIKE)
def test_an_identifier_is_as_python_reads_it(label):
    taken = set()
    first, second = identifier(label, taken), identifier(label, taken)
    assert first != second
    for name in (first, second):
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert unicodedata.normalize("NFKC", name) == name


def test_a_row_of_ones_own_is_named_as_python_reads_it():
    row = primitive("ﬁrst", lambda x: 2.0 * x, lambda out, x: (2.0,))
    assert row.name == "first"
    assert compile(lambda x: row(x) * x, 1.0)(3.0) == (18.0, 12.0)


@pytest.mark.parametrize("label", ["w₁", "x²", "ﬁ", "class", "None", "_", "total_0", "①", "", "x" * 300])
def test_labels_of_any_kind(label):
    """The other leaf has a name that Python takes for the same as one of these."""
    v, w = Value(0.5, label), Value(3.0, "fi")
    loss = ag.tanh(v * w) + v
    loss.label = label
    loss.backward()
    value, gradients = compile(loss)()
    found = dict(zip(compile(loss).leaves, gradients, strict=True))
    assert (value, found[v], found[w]) == (loss.data, v.grad, w.grad)
    program = compile(lambda x: v * x + w, 1.0)
    assert program.loop("leaf")([[1.0, 2.0]], [v.data for v in program.leaves]) == (7.5, [3.0, 2.0])


@pytest.mark.parametrize("name", ["exp", "class", "None", "double", "main", "sums_over", "V", "θ", "x²"])
def test_names_that_a_program_cannot_have(name, tmp_path):
    w = Value(0.5)
    program = compile(lambda x: exp(x) * w, 1.0, name=name)
    assert program(0.0) == (0.5, 0.5)
    assert program.function(np)(0.0, [0.5]) == (0.5, 0.5)
    if shutil.which("cc"):
        (tmp_path / "program.c").write_text(program.c_source)
        command = ["cc", "-std=c99", "-pedantic", "-Werror", "-c", "program.c"]
        subprocess.run(command, cwd=tmp_path, check=True)


def test_parameters_whose_names_the_text_has_for_something_else():
    w = Value(2.0, "w")

    def hidden(exp, leaves, _, x):
        return ag.exp(exp) * leaves * _ * x[1] * w

    program = compile(hidden, 1.0, 1.0, 1.0, [1.0, 1.0])
    names = {}
    exec(program.source, names)
    want = (60.0, (60.0, 20.0, 12.0, [0.0, 60.0]))
    assert names["hidden"](0.0, 3.0, 5.0, [7.0, 1.0], [4.0]) == want
    w.data = 4.0
    assert program(0.0, 3.0, 5.0, [7.0, 1.0]) == want
    assert compile(lambda x2, *rest: x2 * rest[0], 1.0, 1.0)(2.0, 3.0) == (6.0, (3.0, 2.0))


def test_keys_of_any_kind():
    example = {f"the  key, number {k}  ": 1.0 for k in range(9)} | {(1, "a"): 1.0, "it's": 1.0, '"': 1.0}
    program = compile(lambda d: ag.sum([x * x for x in d.values()]), example)
    assert program(example) == (12.0, dict.fromkeys(example, 2.0))
    with pytest.raises(TypeError, match="example d has the key inf, which"):
        compile(lambda d: d[math.inf], {math.inf: 1.0})
    with pytest.raises(TypeError, match="d must be a dict with the keys"):
        compile(lambda d: d["a"] * 2.0, {"a": 1.0})({"b": 1.0})
