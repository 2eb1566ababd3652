"""The notebooks: each runs in a fresh kernel, and gives the numbers and texts that its file keeps."""

import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.md")), *NOTEBOOKS]

# Drawn a little differently by each Graphviz and with each set of fonts: images, and the page of a player.
IMAGE = re.compile(r"data:image/[^\"']*|(?<=srcdoc=\")[^\"]*")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def told(cell: Any) -> list[Any]:
    """What a cell says: of a picture only that there is one, neighbouring pieces of a stream as one."""
    said: list[Any] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            if said and said[-1][0] == output.name:
                said[-1] = (output.name, said[-1][1] + output.text)
            else:
                said.append((output.name, output.text))
        else:  # a cell that fails raises, so this one shows something
            shown = {
                kind: "" if kind.startswith("image/") else IMAGE.sub("", text)
                for kind, text in output.data.items()
            }
            said.append((output.output_type, shown))
    return said


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    """The Markdown of a page or a notebook, without blocks of code."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return "\n\n".join([cell.source for cell in cells if cell.cell_type == "markdown"])
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(path: Path) -> set[str]:
    """What a link into the page may point to: a notebook keeps a heading's letters, GitHub lowers them."""
    headings = re.findall(r"^#+ +(.*?) *$", prose(path), flags=re.M)
    if path.suffix == ".ipynb":
        return {heading.replace("`", "").replace(" ", "-") for heading in headings}
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_notebooks_are_numbered_and_lead_from_one_to_the_next():
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{k:02}-" for k in range(1, len(NOTEBOOKS) + 1)]
    for path, following in pairwise(NOTEBOOKS):
        assert f"]({following.name})" in nbformat.read(path, as_version=4).cells[-1].source, path.name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^()\s]+)\)", prose(path)):
        if not re.match(r"[a-z]+:", link):
            file, _, anchor = unquote(link).partition("#")
            target = path.parent / file if file else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", [page for page in PAGES if page.suffix == ".md"], ids=lambda path: path.name)
def test_formulas_are_safe_from_markdown(path):
    # Read as Markdown before formulas are looked for, two backslashes become one, and }_x starts emphasis.
    for formula in re.findall(r"\$\$?([^$]+)\$", prose(path)):
        assert not re.search(r"\\[^\w\s]|[)}]_\w", formula), formula


def test_each_erratum_is_told_in_a_notebook():
    errata = re.findall(r"^### (\d+\.\d+) ", prose(ROOT / "notebooks" / "errata.md"), flags=re.M)
    told_there = set(re.findall(r"\d{3}\.\d+", " ".join(map(prose, NOTEBOOKS))))
    assert len(errata) == 16
    assert not set(errata) - told_there


@each_notebook
def test_a_notebook_is_read_in_under_20_minutes(path):
    # At 200 words of prose and 20 lines of code a minute.
    cells = code_cells(nbformat.read(path, as_version=4))
    lines = sum(len(cell.source.splitlines()) for cell in cells)
    assert len(prose(path).split()) / 200 + lines / 20 < 20


@each_notebook
def test_notebook_is_as_it_should_be_kept(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.id for cell in notebook.cells] == [f"cell-{i:02d}" for i, _ in enumerate(notebook.cells, 1)]
    assert all(cell.metadata == {} for cell in notebook.cells)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))  # run once, in order
    assert notebook.cells[0].source.startswith("# ")
    assert "After this notebook you can" in notebook.cells[0].source


@each_notebook
def test_notebook_gives_what_its_file_keeps(path, tmp_path, monkeypatch):
    # The kernel is this interpreter, whatever else is installed under the name, with nobody's settings.
    write_kernel_spec(tmp_path / "kernels" / "python3")
    for variable in ("JUPYTER_PATH", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the other tests' choice would show no plots

    kept = nbformat.read(path, as_version=4)
    if shutil.which("dot") is None and any("draw(" in cell.source for cell in code_cells(kept)):
        pytest.skip("its pictures need Graphviz's dot")
    fresh = nbformat.read(path, as_version=4)
    for cell in code_cells(fresh):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(
        fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for before, after in zip(code_cells(kept), code_cells(fresh), strict=True):
        assert "stderr" not in [kind for kind, _ in told(after)]
        assert told(after) == told(before), f"{path.name}, {before.id}"
