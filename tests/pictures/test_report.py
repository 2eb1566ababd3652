"""``train --report DIR``: one page that needs nothing else."""

import base64
import html
import importlib.util
import re
import sys

import pytest

from autograd_lite import MLP, History, Value
from autograd_lite.cli import main
from autograd_lite.datasets import penguins
from autograd_lite.pictures.report import report
from tests.optional import needs_matplotlib

TRAIN = ["train", "--epochs", "3", "--hidden", "4", "--no-progress"]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("training") / "new" / "report"
    assert main([*TRAIN, "--report", str(folder)]) == 0
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    return (folder / "report.html").read_text(encoding="utf-8")


def images(page: str) -> dict[str, str]:
    """The pictures by their description."""
    found = re.findall(
        r'<img (?:class="plot" )?alt="([^"]*)" src="data:image/svg\+xml;base64,([^"]*)">', page
    )
    return {about: base64.b64decode(data).decode() for about, data in found}


@needs_matplotlib
def test_page_has_all_its_parts(page):
    found = images(page)
    assert found.keys() == {
        "loss of each epoch",
        "gradient of every parameter by layer",
        "the graph of the loss of one example",
    }
    assert "epoch" in found["loss of each epoch"]
    assert "held out" in found["loss of each epoch"]
    assert "|gradient| of every parameter" in found["gradient of every parameter by layer"]
    assert "loss" in found["the graph of the loss of one example"]
    assert "bill_length_mm" in found["the graph of the loss of one example"]
    (frame,) = re.findall(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts"', page)
    assert "∂loss/∂" in html.unescape(frame)


@needs_matplotlib
def test_confusion_matrix_counts_every_row_that_was_held_out(page):
    table = re.search(r"<table>.*?</table>", page)[0]
    counts = [int(count) for count in re.findall(r"<td[^>]*>(\d+)</td>", table)]
    assert len(counts) == 9
    (rows,) = re.findall(r"(\d+) held out", page)
    assert sum(counts) == int(rows)
    for name in penguins().classes("species"):
        assert name is None or table.count(f"<th>{name}</th>") == 2


@needs_matplotlib
def test_a_regression_shows_predicted_against_true_numbers(tmp_path):
    assert main([*TRAIN, "--target", "body_mass_g", "--report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    plot = images(page)["predicted against true numbers"]
    assert "predicted" in plot
    assert "Confusion" not in page
    (rows,) = re.findall(r"(\d+) held out", page)
    assert plot.count("<use ") >= int(rows)  # a mark for each
    assert re.search(r"loss \S+, RMSE \d+\.\d \(baseline 820\.9\), R² 0\.\d+", page)


@needs_matplotlib
def test_page_loads_nothing(page):
    sources = re.findall(r"""(?:src|href)=["']?([^"'> ]*)""", page)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "<link" not in page
    assert "@import" not in page


@needs_matplotlib
def test_same_training_gives_the_same_page(page, tmp_path):
    assert main([*TRAIN, "--report", str(tmp_path)]) == 0
    again = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert again == page


@needs_matplotlib
def test_names_in_the_data_are_text(tmp_path):
    rows = "".join(f"{k * k % 17},{'<b>' if k % 2 else '&amp;'}\n" for k in range(40))
    (tmp_path / "data.csv").write_text(f"x<i>,class\n{rows}", encoding="utf-8")
    assert main([*TRAIN, str(tmp_path / "data.csv"), "--report", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "<i>" not in page
    assert "<th>&lt;b&gt;</th>" in page
    assert "<th>&amp;amp;</th>" in page


@needs_matplotlib
def test_folder_that_cannot_be_made_is_one_line_before_any_training(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*TRAIN, "--report", str(tmp_path / "file" / "report")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "cannot make the folder" in captured.err


def test_without_matplotlib_one_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    assert main([*TRAIN, "--report", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "autograd-lite[viz]" in captured.err
    assert not (tmp_path / "out").exists()


@needs_matplotlib
def test_without_graphviz_the_graph_is_a_tree(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert main([*TRAIN, "--report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(images(page)) == 2
    assert "<pre>" in page
    assert "autograd-lite[viz]" in page


def test_a_page_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"^plots need Matplotlib: install autograd-lite\[viz\]$"):
        report("title", [], History(loss=[1.0]), ["a", "b"], [], MLP(1, [1]), lambda: Value(1.0))


@needs_matplotlib
def test_the_page_fits_a_phone_and_a_dark_theme(page):
    source = re.search(
        r'<source media="\(max-width:960px\)" srcset="data:image/svg\+xml;base64,([^"]*)">', page
    )
    phone = base64.b64decode(source[1]).decode()
    wide = images(page)["the graph of the loss of one example"]
    sizes = [float(re.search(r'<svg width="(\d+)pt"', svg)[1]) for svg in (phone, wide)]
    assert sizes[0] <= 330 * 1.25
    assert sizes[0] <= sizes[1] <= 960
    for svg in (phone, wide):
        assert "prefers-color-scheme: dark" in svg
    assert "@media (prefers-color-scheme:dark)" in page
    assert "max-width:none" not in page


@needs_matplotlib
def test_the_example_is_the_row_with_the_largest_loss(page):
    told = re.search(
        r"<dt>example</dt><dd>the held out row with the largest loss: its species is (\w+)", page
    )
    assert told
    wide = images(page)["the graph of the loss of one example"]
    mean_loss = float(re.search(r"<dt>held out</dt><dd>loss ([\d.e−-]+),", page)[1])
    shown = float(re.search(r"loss</text>.*?<text [^>]*>([\d.]+)</text>", wide, re.DOTALL)[1])
    assert shown > mean_loss
