"""Names of variables as labels, and what a notebook's kernel shows of values, modules and pictures."""

import re

import pytest

from autograd_lite import MLP, Value
from autograd_lite.notebook import autolabel, load_ipython_extension, unload_ipython_extension


def test_variables_name_their_values():
    x, w, target = Value(1.0), Value(2.0), Value(3.0, "y")
    autolabel({"x": x, "w1": w, "also_w": w, "target": target, "_hidden": Value(4.0), "n": 3, "f": print})
    assert (x.label, w.label, target.label) == ("x", "w1", "y")


def test_underscores_name_nothing():
    result = Value(1.0)
    autolabel({"_": result, "__": result, "_1": result, "_result": result})
    assert result.label is None
    autolabel({"_": result, "result": result})
    assert result.label == "result"


def test_foreign_objects_are_left_alone():
    """A lazy one would load what it stands for, or fail, when it is asked for its class (trap 35)."""

    class Lazy:
        @property
        def __class__(self):
            raise AssertionError("asked for its class")

    class Weight(Value):
        pass

    w = Weight(1.0)
    autolabel({"lazy": Lazy(), "w": w})
    assert w.label == "w"


def test_empty_label_given_by_hand_stays():
    x = Value(1.0, "")
    autolabel({"x": x})
    assert x.label == ""


class Events:
    def __init__(self) -> None:
        self.callbacks = []

    def register(self, event: str, callback) -> None:
        assert event == "post_run_cell"
        self.callbacks.append(callback)

    def unregister(self, event: str, callback) -> None:
        self.callbacks.remove(callback)


class Shell:
    def __init__(self) -> None:
        self.user_ns, self.events = {}, Events()


def test_extension_labels_after_each_cell_until_it_is_unloaded():
    shell = Shell()
    load_ipython_extension(shell)
    load_ipython_extension(shell)
    (after_cell,) = shell.events.callbacks
    shell.user_ns["L"] = Value(1.0)
    after_cell("the result of the cell")
    assert shell.user_ns["L"].label == "L"
    unload_ipython_extension(shell)
    unload_ipython_extension(shell)
    assert shell.events.callbacks == []


def test_two_shells_are_kept_apart():
    one, other = Shell(), Shell()
    load_ipython_extension(one)
    load_ipython_extension(other)
    unload_ipython_extension(one)
    other.user_ns["x"] = Value(1.0)
    other.events.callbacks[0]()
    assert other.user_ns["x"].label == "x"
    unload_ipython_extension(other)


# --- In a kernel ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outputs() -> dict[str, dict[str, str]]:
    """The mimebundle of the last output of each cell, as a real kernel gives it, by the cell's last line."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    cells = [
        "%load_ext autograd_lite",
        "from autograd_lite import MLP, Value, half_squared_error\n"
        "from autograd_lite.pictures.dot import draw\n"
        "from autograd_lite.pictures.live import live\n"
        "from autograd_lite.pictures.player import play\n"
        "from autograd_lite.pictures.tree import tree\n"
        "w, x = Value(0.5), Value(2.0, 'given')\nL = (w * x).tanh()\nL.backward()",
        "w",
        "[w, x, L]",
        "draw(L)",
        "play(L)",
        "live(L)",
        "tree(L)",
        "MLP(2, [3, 1])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    for cell in notebook.cells:
        assert not any(output.output_type in ("error", "stream") for output in cell.outputs), cell.outputs
    return {
        cell.source.split("\n")[-1]: dict(cell.outputs[-1].data) for cell in notebook.cells if cell.outputs
    }


def test_values_have_the_names_of_their_variables_and_show_as_themselves(outputs):
    assert outputs["w"].keys() == {"text/plain"}
    assert re.fullmatch(r"w = Value\(0\.5, grad=0\.8399\d*\)", outputs["w"]["text/plain"])
    assert re.findall(r"(\w+) = Value", outputs["[w, x, L]"]["text/plain"]) == ["w", "given", "L"]


def test_picture_offers_an_image_svg_and_the_tree(outputs):
    shown = outputs["draw(L)"]
    assert {"text/html", "text/plain"} <= shown.keys()
    assert re.search(r'<img [^>]*src="data:image/svg\+xml;base64,', shown["text/html"])
    assert shown["text/plain"] == outputs["tree(L)"]["text/plain"]


@pytest.mark.parametrize("cell", ["play(L)", "live(L)"])
def test_pages_offer_a_frame_a_still_picture_and_the_tree(cell, outputs):
    shown = outputs[cell]
    assert shown.keys() == {"text/html", "text/plain"}
    assert re.match(r'<style>.*?</style><iframe srcdoc="[^"]+" sandbox="allow-scripts"', shown["text/html"])
    assert re.search(r"</iframe><figure.*<img [^>]*data:image/svg", shown["text/html"])
    assert shown["text/plain"] == outputs["tree(L)"]["text/plain"]
    assert "given" in shown["text/plain"]


def test_module_shows_a_summary(outputs):
    shown = outputs["MLP(2, [3, 1])"]
    assert shown.keys() == {"text/html", "text/plain"}
    assert shown["text/html"].startswith("<table>")
    assert "layers.1" in shown["text/plain"]


def test_module_keeps_its_one_line_repr():
    assert "\n" not in repr(MLP(2, [3, 1]))
