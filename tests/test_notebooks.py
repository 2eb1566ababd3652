"""The notebooks: each runs in a fresh kernel, and gives the numbers and texts that its file keeps."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))

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
            shown = {kind: "" if kind.startswith("image/") else text for kind, text in output.data.items()}
            said.append((output.output_type, shown))
    return said


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


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
    fresh = nbformat.read(path, as_version=4)
    for cell in code_cells(fresh):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(
        fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for before, after in zip(code_cells(kept), code_cells(fresh), strict=True):
        assert "stderr" not in [kind for kind, _ in told(after)]
        assert told(after) == told(before), f"{path.name}, {before.id}"
