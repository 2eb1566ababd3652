"""Which form of the engine runs: all of its libraries, or none."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import autograd_lite.core
from autograd_lite.core import native

CORE = Path(autograd_lite.core.__file__).parent


@pytest.fixture
def box(tmp_path, monkeypatch) -> Path:
    """A package `box` with Python files as its libraries, which need no compiler."""
    folder = tmp_path / "box"
    (folder / native.FOLDER).mkdir(parents=True)
    (folder / "__init__.py").touch()
    (tmp_path / "aside.py").touch()
    for name in ("first", "second", "third"):
        (folder / f"{name}.py").write_text("from box import first\nform = 'Python'\n")
    for name in ("first", "second"):
        (folder / f"{name}.pxd").touch()
        (folder / native.FOLDER / f"{name}.py").write_text("from box import first\nform = 'library'\n")
    monkeypatch.setattr(native, "SUFFIX", ".py")
    monkeypatch.delenv("AUTOGRAD_LITE_PURE", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    write_stamp(folder)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] in ("aside", "box")]:
        del sys.modules[name]


def write_stamp(folder: Path) -> None:
    libraries = folder / native.FOLDER
    (libraries / native.STAMP).write_text(native.stamp(native.sources(folder), libraries))


def forms() -> list[str]:
    """Load the package; return the form of each of its modules, and of the one they all import."""
    import_module("box")
    native.prefer_libraries("box")
    modules = [import_module(f"box.{name}") for name in ("first", "second", "third")]
    assert all(module.first is modules[0] for module in modules)
    return [module.form for module in modules]


def test_libraries_are_loaded_in_place_of_the_modules_that_were_compiled(box):
    import_module("box")
    assert native.prefer_libraries("box") is True
    assert forms() == ["library", "library", "Python"]


@pytest.mark.parametrize(
    ("setting", "form"), [("1", "Python"), ("yes", "Python"), ("0", "library"), ("", "library")]
)
def test_the_environment_can_ask_for_python(box, setting, form, monkeypatch):
    monkeypatch.setenv("AUTOGRAD_LITE_PURE", setting)
    assert forms() == [form, form, "Python"]


def test_without_a_stamp_there_are_no_libraries(box):
    """A build removes the stamp first and writes it last."""
    (box / native.FOLDER / native.STAMP).unlink()
    import_module("box")
    assert native.prefer_libraries("box") is False
    assert forms() == ["Python"] * 3


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("second.py", "from box import first\nform = 'Python'\n# more\n", "not compiled from this source"),
        ("second.pxd", "# more\n", "not compiled from this source"),
        ("third.pxd", "", "third.py"),
        ("second.pxd", None, "not compiled from this source"),
        ("_native/second.py", "form = 'lib", "not compiled from this source"),
        ("_native/second.py", None, "second.py"),
        (f"_native/{native.STAMP}", "first 0123456789abcdef", "not compiled from this source"),
        (f"_native/{native.STAMP}", "", "not compiled from this source"),
    ],
)
def test_libraries_that_do_not_fit_the_source_are_left_alone(box, file, content, why):
    if content is None:
        (box / file).unlink()
    else:
        (box / file).write_text(content)
    with pytest.warns(RuntimeWarning, match=rf"the engine runs as Python.*{why}.*pip install -e \."):
        assert forms() == ["Python"] * 3


@pytest.mark.parametrize("failing", ["first", "second"])
def test_one_library_that_cannot_be_loaded_leaves_none(box, failing):
    library = box / native.FOLDER / f"{failing}.py"
    library.write_text("import aside\nraise ImportError('of another Python')\n")
    write_stamp(box)
    with pytest.warns(RuntimeWarning, match="of another Python"):
        assert forms() == ["Python"] * 3
    assert sys.modules["box"].__path__ == [str(box)]
    assert "aside" in sys.modules


def test_what_was_loaded_before_stays(box):
    early = import_module("box.third")
    (box / native.FOLDER / "second.py").write_text("raise ImportError\n")
    write_stamp(box)
    with pytest.warns(RuntimeWarning):
        native.prefer_libraries("box")
    assert import_module("box.third") is early


@pytest.mark.parametrize("pure", ["", "1"])
def test_compiled_says_which_form_of_the_engine_runs(pure):
    code = f"""
import sys, autograd_lite.core as core
files = {{name: sys.modules["autograd_lite.core." + name].__file__ for name in {[*native.sources(CORE)]}}}
print(core.compiled, *(name for name, file in files.items() if file.endswith({native.SUFFIX!r})))
"""
    environment = os.environ | {"AUTOGRAD_LITE_PURE": pure or os.environ.get("AUTOGRAD_LITE_PURE", "")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    expected = autograd_lite.core.compiled and not pure
    assert done.stdout.split() == [str(expected), *(native.sources(CORE) if expected else [])]
