"""What the build puts into wheels and checkouts: libraries, or none and one line that says why.

`.ci/run` builds and installs the package itself; here the build's hook compiles one small module.
"""

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from autograd_lite.core.native import FOLDER, STAMP, SUFFIX

pytest.importorskip("hatchling", reason="hatchling is not installed")
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent
_spec = importlib.util.spec_from_file_location("compile_core", ROOT / ".build/compile_core.py")
hook = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hook)

try:
    hook.compiler()
    lacking = ""
except hook.NotCompiledError as reason:
    lacking = str(reason)
needs_compiler = pytest.mark.skipif(bool(lacking), reason=lacking)
LIBRARY, PURE = f"autograd_lite/core/{FOLDER}/tiny{SUFFIX}", "autograd_lite-0.1-py3-none-any.whl"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A checkout with the real build and the real choice of form, and one small module to compile."""
    for name in ("AUTOGRAD_LITE_PURE", "AUTOGRAD_LITE_COMPILED"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "project"
    core = root / "autograd_lite/core"
    core.mkdir(parents=True)
    shutil.copytree(ROOT / ".build", root / ".build", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".gitignore", "README.md", "LICENSE", "autograd_lite/core/native.py"):
        shutil.copy(ROOT / name, root / name)
    (root / "autograd_lite/__init__.py").touch()
    (root / "autograd_lite/version.py").write_text('__version__ = "0.1"\n')
    (core / "__init__.py").write_text(
        "from autograd_lite.core import native\ncompiled = native.prefer_libraries(__name__)\n"
    )
    (core / "tiny.py").write_text("def double(x):\n    return 2 * x\n")
    (core / "tiny.pxd").touch()
    return root


def wheel(project: Path) -> tuple[str, set[str]]:
    """Build a wheel; return its file's name and the names of the files in it."""
    [path] = WheelBuilder(str(project)).build(directory=str(project / "dist"), versions=["standard"])
    return Path(path).name, set(zipfile.ZipFile(path).namelist())


def install_editable(project: Path) -> None:
    built = hook.CompileCore(str(project), {}, None, None, "", "wheel")
    built.initialize("editable", {})
    built.finalize("editable", {}, "")


def imported(folder: Path, *options: str) -> list[str]:
    """Import the project from `folder` in a new process; return whether it runs compiled, and 2 * 21."""
    code = "from autograd_lite.core import compiled, tiny; print(compiled, tiny.double(21))"
    command = [sys.executable, "-S", *options, "-c", code]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return [*done.stdout.split(), *done.stderr.splitlines()]


@needs_compiler
def test_a_wheel_holds_the_libraries_and_says_for_whom_they_are(project, tmp_path):
    name, held = wheel(project)
    tags = name.removesuffix(".whl").split("-")[2:]
    assert tags[0] == f"cp{sys.version_info[0]}{sys.version_info[1]}"
    assert tags[2] != "any"
    assert {LIBRARY, f"autograd_lite/core/{FOLDER}/{STAMP}"} <= held
    assert {Path(file).suffix for file in held if file.startswith("autograd_lite/")} == {
        *(".py", ".pxd", ".txt"),
        Path(LIBRARY).suffix,
    }
    zipfile.ZipFile(project / "dist" / name).extractall(tmp_path / "installed")
    assert imported(tmp_path / "installed", "-W", "error") == ["True", "42"]
    assert not (project / "autograd_lite/core" / FOLDER).exists()


@needs_compiler
def test_an_editable_installation_runs_compiled_until_the_source_changes(project):
    install_editable(project)
    assert imported(project, "-W", "error") == ["True", "42"]
    (project / "autograd_lite/core/tiny.py").write_text("def double(x):\n    return x + x\n")
    compiled, result, warning, _ = imported(project)
    assert (compiled, result) == ("False", "42")
    assert "pip install -e ." in warning


def pretend_to_compile(root: Path, names: list[str], work: Path) -> Path:
    for name in names:
        (work / f"{name}{SUFFIX}").write_text("new")
    return work


def fail_to_compile(root: Path, names: list[str], work: Path) -> Path:
    raise hook.NotCompiledError("out of order")


@pytest.mark.parametrize("compiles", [True, False])
def test_an_editable_installation_leaves_no_old_library_of_this_interpreter(project, compiles, monkeypatch):
    monkeypatch.setattr(hook, "compiled", pretend_to_compile if compiles else fail_to_compile)
    folder = project / "autograd_lite/core" / FOLDER
    folder.mkdir()
    for name in (f"tiny{SUFFIX}", f"gone{SUFFIX}", STAMP, "tiny.of-another-interpreter.so"):
        (folder / name).write_text("old")
    install_editable(project)
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found.pop("tiny.of-another-interpreter.so") == "old"
    assert found.keys() == ({f"tiny{SUFFIX}", STAMP} if compiles else set())
    assert "old" not in found.values()


def test_libraries_of_a_checkout_are_not_packed(project, monkeypatch):
    monkeypatch.setenv("AUTOGRAD_LITE_PURE", "1")
    (project / LIBRARY).parent.mkdir()
    (project / LIBRARY).touch()
    name, held = wheel(project)
    assert name == PURE
    assert LIBRARY not in held
    [sdist] = SdistBuilder(str(project)).build(directory=str(project / "dist"), versions=["standard"])
    shutil.unpack_archive(sdist, project / "unpacked")
    packed = {path.name for path in (project / "unpacked").rglob("*")}
    assert {"compile_core.py", "tiny.py", "tiny.pxd", "LICENSE"} <= packed
    assert FOLDER not in packed


@needs_compiler
@pytest.mark.skipif(hook.WINDOWS, reason="Microsoft's compiler is not chosen by CC")
def test_where_the_compiler_fails_the_build_says_so_in_one_line(project, monkeypatch, capfd):
    monkeypatch.setenv("CC", f"{sys.executable} -c 'raise SystemExit(3)'")
    assert wheel(project)[0] == PURE
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("autograd_lite: the engine is not compiled and runs as Python: ")
    assert line.endswith("failed with exit code 3")


def test_a_build_that_must_compile_fails_where_it_cannot(project, monkeypatch):
    monkeypatch.setattr(hook, "compiled", fail_to_compile)
    monkeypatch.setenv("AUTOGRAD_LITE_COMPILED", "1")
    with pytest.raises(hook.NotCompiledError, match="out of order"):
        install_editable(project)


def test_asked_for_python_the_build_says_nothing(project, monkeypatch, capfd):
    monkeypatch.setenv("AUTOGRAD_LITE_PURE", "1")
    assert wheel(project)[0] == PURE
    assert capfd.readouterr().err == ""


def found(**versions: str):
    """`importlib.metadata.version` where only these distributions are installed."""

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    return version


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine that can compile, with Python's own compiler."""
    (tmp_path / "Python.h").touch()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(hook, "WINDOWS", False)
    monkeypatch.setattr(platform, "python_implementation", lambda: "CPython")
    monkeypatch.setattr(sysconfig, "get_config_var", {"CC": "own -pthread"}.get)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(importlib.metadata, "version", found(setuptools="80", cython="3.1.0"))
    assert hook.compiler() == {}


@pytest.mark.parametrize(
    ("module", "name", "value", "said"),
    [
        (platform, "python_implementation", lambda: "PyPy", "PyPy"),
        (sysconfig, "get_config_var", lambda name: name == "Py_GIL_DISABLED", "global interpreter lock"),
        (sysconfig, "get_path", lambda name: "nowhere", "headers are missing"),
        (shutil, "which", lambda name: None, "no C compiler"),
        (importlib.metadata, "version", found(cython="3.1.0"), "setuptools is missing"),
        (importlib.metadata, "version", found(setuptools="80"), "cython is missing"),
        (importlib.metadata, "version", found(setuptools="80", cython="3.0.12"), "Cython 3.0.12 is too old"),
    ],
)
def test_what_is_missing_is_named(module, name, value, said, machine, project, monkeypatch, capfd):
    monkeypatch.setattr(module, name, value)
    install_editable(project)
    [line] = capfd.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("cython", ["3.1.0a1", "3.3", "10.0.1"])
def test_newer_versions_of_cython_will_do(cython, machine, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", found(setuptools="80", cython=cython))
    assert hook.compiler() == {}


@pytest.mark.parametrize(
    ("given", "there", "setting"),
    [
        ("mine -m64", {"cc"}, {}),
        ("", {"own", "cc"}, {}),
        ("", {"gcc", "clang"}, {"CC": "gcc"}),
        ("", {"clang"}, {"CC": "clang"}),
    ],
)
def test_the_compiler_is_the_one_asked_for_or_one_that_is_there(given, there, setting, machine, monkeypatch):
    monkeypatch.setenv("CC", given)
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    assert hook.compiler() == setting
