"""The shape of the project: its top level, its modules' imports, its public names, its texts."""

import ast
import builtins
import graphlib
import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import autograd_lite
from autograd_lite.compiler.program import Program

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "autograd_lite"
TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "autograd_lite", "tests", "notebooks"}
# What the extras bring, by import name: the only packages that may be imported inside a function.
OPTIONAL = {"IPython", "dask", "distributed", "matplotlib", "numpy", "pygraphviz", "sympy", "ziglang"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# The default numbers of what is public: whoever leaves one out relies on it.
DEFAULTS = {
    "Adam": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-08, "weight_decay": 0.0},
    "AdamW": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-08, "weight_decay": 0.01},
    "CosineDecay": {"end": 0.0},
    "Exercise": {"digits": 4},
    "GradientDescent": {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
    "History": {"steps": 0, "seconds": 0.0},
    "Layer": {"bias": True, "nonlin": True},
    "MLP": {"bias": True},
    "Momentum": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0},
    "Neuron": {"bias": True, "nonlin": True, "outputs": 1},
    "Optimizer": {"weight_decay": 0.0},
    "Picture.pipe": {"quiet": True},
    "Picture.render": {
        "view": False,
        "cleanup": False,
        "quiet": True,
        "quiet_view": False,
        "raise_if_result_exists": False,
        "overwrite_source": False,
    },
    "Picture.save": {"skip_existing": False},
    "Program.backward": {"seed": 1.0},
    "Program.batch": {"backward": False, "deterministic": False},
    "Program.descend": {"lr": 0.1, "steps": 1},
    "Program.descent": {"lr": 0.1},
    "Program.native": {"fastmath": False, "threads": 1},
    "SGD": {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
    "StepDecay": {"factor": 0.1},
    "Tree": {"max_lines": 100},
    "Value.backward": {"seed": 1.0},
    "draw": {"width": 800, "partials": True, "legend": True},
    "explain": {"paths": 5},
    "fit": {"shuffle": True, "progress": True},
    "grad": {"argnums": 0, "has_aux": False},
    "gradient_report": {"lr": 0.1},
    "gradients": {"seed": 1.0, "record": False},
    "jit": {"static_argnums": ()},
    "hessian": {"argnums": 0},
    "jacobian": {"argnums": 0},
    "minimize": {"lr": 0.01, "precision": 1e-05, "max_steps": 10000, "progress": False},
    "play": {"max_cards": 40},
    "plot_boundary": {"resolution": 80},
    "plot_function": {"low": -5.0, "high": 5.0, "derivative": True},
    "primitive": {"masks": False},
    "trace_table": {"rows": 60},
    "tree": {"max_lines": 100},
    "value_and_grad": {"argnums": 0, "has_aux": False},
}


def files() -> list[Path]:
    """Every file that is or could be committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]


def imported(module: str, node: ast.stmt) -> Iterator[str]:
    """Full names of what an import statement in `module` imports: a module of ours where there is one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = module.split(".") if MODULES[module].name == "__init__.py" else module.split(".")[:-1]
        parents = package[: len(package) + 1 - node.level] if node.level else []
        source = ".".join([*parents, *([node.module] if node.module else [])])
        for alias in node.names:
            submodule = f"{source}.{alias.name}"
            yield submodule if submodule in MODULES else source


def imports(module: str, *, inside_functions: bool = False) -> set[str]:
    """What a module imports, anywhere or only inside functions."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # what only a type checker reads may point anywhere
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    roots: list[ast.AST] = [tree]
    if inside_functions:
        roots = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    nodes = (
        node for root in roots for node in ast.walk(root) if isinstance(node, ast.Import | ast.ImportFrom)
    )
    return {name for node in nodes for name in imported(module, node)}


def test_top_level_holds_only_what_it_should():
    names = {path.relative_to(ROOT).parts[0] for path in files()}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_imports_have_no_cycle():
    graph = {module: imports(module) & MODULES.keys() for module in MODULES}
    assert any(graph.values()), "no import between the package's modules was found"
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, naming the modules


def test_imports_point_up_the_map_in_the_readme():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = itertools.takewhile(bool, lines[lines.index("| room | what it holds |") + 2 :])
    row_of = {
        name.removesuffix(".py").rstrip("/"): number
        for number, row in enumerate(rows)
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }

    def place(module: str) -> int:
        return row_of[module.split(".")[1]]  # the room

    upwards = [
        f"{module} imports {name}"
        for module in MODULES.keys() - {"autograd_lite"}
        for name in imports(module) & MODULES.keys() - {"autograd_lite"}
        if place(name) > place(module)
    ]
    assert upwards == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_inside_functions_are_of_optional_packages(module):
    assert {name.split(".")[0] for name in imports(module, inside_functions=True)} <= OPTIONAL


def test_importing_the_package_loads_no_optional_dependency():
    code = f"import sys, autograd_lite; print(*({OPTIONAL!r} & sys.modules.keys()))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert loaded.stdout.split() == []


@pytest.mark.parametrize("module", MODULES)
def test_module_opens_with_a_docstring(module):
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


PUBLIC = {
    name: thing
    for name, thing in vars(autograd_lite).items()
    if not name.startswith("_") and not isinstance(thing, ModuleType)
}


def test_all_is_what_is_public_but_for_the_names_of_builtins():
    assert len(autograd_lite.__all__) == len({*autograd_lite.__all__})
    assert {*autograd_lite.__all__} == PUBLIC.keys() - vars(builtins).keys()
    assert PUBLIC.keys() & vars(builtins).keys() == {"abs", "compile", "pow", "sum"}


def test_star_leaves_builtins_alone():
    names = {}
    exec("from autograd_lite import *", names)
    assert names.keys() - {"__builtins__"} == {*autograd_lite.__all__}
    assert not names.keys() & (vars(builtins).keys() - {"__builtins__"})


def test_public_names_are_grouped_alike_in_the_source_and_on_the_page_of_help():
    _, _, listed = (PACKAGE / "__init__.py").read_text("utf-8").partition("__all__ = [\n")
    groups: dict[str, list[str]] = {}
    for line in listed.removesuffix("]\n").splitlines():
        if line.startswith("    # "):
            groups[line.removeprefix("    # ")] = names = []
        else:
            names.append(line.strip(' ",'))
    assert [name for names in groups.values() for name in names] == autograd_lite.__all__
    assert all(names == sorted(names) for names in groups.values())
    page = re.findall(r"^(\w+) {2,}(.*(?:\n {13}.*)*)", autograd_lite.__doc__ or "", re.MULTILINE)
    shown = {title: re.findall(r"\w+", text.replace("your own:", "")) for title, text in page}
    assert [name for names in shown.values() for name in names if name not in PUBLIC] == []
    by_name = vars(builtins).keys()
    assert {t: sorted({*names} - by_name) for t, names in shown.items()} == groups
    assert {*itertools.chain(*shown.values())} == PUBLIC.keys()


def test_the_page_of_help_fits_a_screen():
    lines = (autograd_lite.__doc__ or "").splitlines()
    assert len(lines) <= 36
    assert max(map(len, lines)) <= 80


def is_function(thing: object) -> bool:
    return inspect.isfunction(thing) or type(thing).__name__ == "cython_function_or_method"


def test_default_numbers_of_what_is_public():
    public = PUBLIC | {"Program": Program}
    for name, thing in [*public.items()]:
        if inspect.isclass(thing):
            methods = inspect.getmembers(thing, is_function)
            public.update(
                {
                    f"{name}.{key}": method
                    for key, method in methods
                    if not key.startswith("_") and key in vars(thing)
                }
            )
            if issubclass(thing, Exception):
                del public[name]
    found = {}
    for name, thing in public.items():
        if is_function(thing) or inspect.isclass(thing):
            defaults = {
                key: parameter.default
                for key, parameter in inspect.signature(thing).parameters.items()
                if isinstance(parameter.default, int | float | tuple)
            }
            if defaults:
                found[name] = defaults
    assert found == DEFAULTS


def test_texts_name_no_registry_host_and_no_path_of_one_machine():
    forbidden = re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:com|org)|deb\.debian\.org)\b"
        r"|(?<![\w.)>])/(?:work|root|home/\w+|opt/wheels|tmp/ipykernel\w*)/"
    )
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in forbidden.finditer(text)]
    assert found == []


@pytest.mark.parametrize("seed", [None, "7"])
def test_random_tests_are_fixed_unless_the_environment_says_explore(seed, monkeypatch):
    """What hypothesis draws, and where the fuzzers begin, in two runs."""
    code = """
import tests.conftest
from hypothesis import given, strategies
from tests.exploring import FIRST
print(FIRST)
@given(strategies.floats())
def draw(x):
    print(x)
draw()
"""
    monkeypatch.delenv("EXPLORE", raising=False)
    if seed is not None:
        monkeypatch.setenv("EXPLORE", seed)
    command = [sys.executable, "-c", code]
    first, second = (
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout for _ in range(2)
    )
    assert (first == second) == (seed is None)
    assert first.split()[0] == second.split()[0] == (seed or "0")


def test_ci_explores_every_week_and_only_then():
    workflows = {path.stem: path.read_text("utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")}
    assert workflows.keys() == {"ci", "explore", "release"}
    assert "EXPLORE" not in workflows["ci"] + workflows["release"]
    assert "EXPLORE: ${{ inputs.seed || github.run_id }}" in workflows["explore"]
    assert re.search(r'schedule:\n +- cron: "\d+ \d+ \* \* \d"', workflows["explore"])


def test_ci_runs_the_commands_of_the_readme_without_a_compiler():
    readme, workflow = (
        (ROOT / name).read_text("utf-8") for name in ("README.md", ".github/workflows/ci.yml")
    )
    commands = re.findall(r"<!-- command: \w+ -->\n```bash\n(.+)\n```", readme)
    assert len(commands) == 2
    without = workflow[workflow.index("no-compiler:") : workflow.index("platforms:")]
    assert all(f"- run: {command}\n" in without for command in commands)


def test_ci_tries_other_engines_every_week_with_all_of_them_installed():
    weekly = (ROOT / ".github/workflows/explore.yml").read_text("utf-8")
    assert 'pip install -e ".[test,bench]"\n      - run: python -m tests.features\n' in weekly


def test_tolerances_are_those_that_are_written():
    """A relative one alone would let anything below 1e-12 pass for 0."""
    assert pytest.approx(1e-200, rel=1e-3) != 0.0
    assert pytest.approx(1e-200, rel=1e-3) == 1.0005e-200
    assert pytest.approx(1.0, rel=1e-15) != 1.0 + 1e-13
    assert pytest.approx(0.0, rel=1e-3, abs=1e-9) == 1e-10
    assert pytest.approx(1.0) == 1.0 + 1e-7
