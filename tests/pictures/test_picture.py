"""Pictures in files and notebooks, and on machines without Graphviz or with a broken one."""

import base64
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import graphviz
import pytest

from autograd_lite import exp
from autograd_lite.cli import main
from autograd_lite.pictures import Picture, draw, tree
from autograd_lite.pictures.picture import NO_GRAPHVIZ
from tests.pictures.graphs import GRAPHS, RENDERERS, network, one


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.pictures = []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.pictures.append(dict(attributes)["src"])


def test_what_jupyter_gets(renderer):
    picture = draw(network())
    bundle = picture._repr_mimebundle_()
    assert bundle.keys() == {"text/html", "image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == tree(network()).text
    assert bundle["image/svg+xml"] == picture.pipe("svg", encoding="utf-8")
    page = _Tags()
    page.feed(bundle["text/html"])
    (source,) = page.pictures
    kind, _, data = source.partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert base64.b64decode(data).decode() == bundle["image/svg+xml"]
    assert picture._repr_mimebundle_(include=["text/plain"]).keys() == {"text/plain"}
    assert picture._repr_mimebundle_(exclude=["text/html"]).keys() == {"image/svg+xml", "text/plain"}


@pytest.mark.parametrize("has_graphviz", [True, False])
def test_ipython_shows_it(has_graphviz, monkeypatch, capfd):
    formatters = pytest.importorskip("IPython.core.formatters")
    if has_graphviz and not any(RENDERERS.values()):
        pytest.skip("neither dot nor pygraphviz is here")
    if not has_graphviz:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
    data, _ = formatters.DisplayFormatter().format(draw(network()))
    assert data.keys() == {"text/plain", *["text/html", "image/svg+xml"] * has_graphviz}
    assert ("drawing needs Graphviz" in data["text/plain"]) is not has_graphviz
    assert capfd.readouterr() == ("", "")


def test_it_is_a_digraph(renderer, tmp_path):
    picture = draw(network(), theme="auto")
    assert isinstance(picture, graphviz.Digraph)
    assert picture.pipe("png").startswith(b"\x89PNG")
    assert picture.pipe("pdf").startswith(b"%PDF")
    with pytest.raises(ValueError, match="unknown format 'doodle'"):
        picture.pipe("doodle")

    path = picture.render(outfile=tmp_path / "net.svg")
    assert path == str(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text(encoding="utf-8") == picture.pipe("svg", encoding="utf-8")
    assert (tmp_path / "net.gv").read_text(encoding="utf-8") == picture.source

    path = picture.render("other", tmp_path / "sub", format="png", cleanup=True)
    assert path == str(tmp_path / "sub" / "other.png")
    assert [file.name for file in (tmp_path / "sub").iterdir()] == ["other.png"]

    with pytest.raises(FileExistsError, match=re.escape("net.svg exists already")):
        picture.render(outfile=tmp_path / "net.svg", raise_if_result_exists=True)
    with pytest.raises(ValueError, match="would overwrite its source"):
        picture.render("same.gv", tmp_path, outfile="same.gv", format="svg")

    copied = picture.copy()
    assert copied.pipe("svg") == picture.pipe("svg")
    assert copied.cards is picture.cards


def test_view_opens_what_was_rendered(renderer, tmp_path, monkeypatch):
    picture = draw(network())
    opened = []
    monkeypatch.setattr(picture, "_view", lambda path, **options: opened.append((path, options)))
    picture.format = "svg"
    picture.view(tmp_path / "seen.gv")
    assert opened == [(str(tmp_path / "seen.gv.svg"), {"format": "svg", "quiet": False})]
    assert (tmp_path / "seen.gv.svg").exists()


def test_nothing_is_written_to_stderr(renderer, capfd):
    for make in GRAPHS.values():
        draw(make(), theme="auto").pipe("svg")
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not RENDERERS["pygraphviz"], reason="pygraphviz is not here")
def test_the_wheel_draws_without_a_program(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert b"graphviz version" in draw(network()).pipe("svg")
    assert "drawing needs" not in str(draw(network()))


WITHOUT = """
import sys
sys.modules["pygraphviz"] = None
from autograd_lite import Value
from autograd_lite.pictures import draw, tree
x = Value(2.0, "x")
y = x * x
y.backward()
picture = draw(y)
print(repr(picture) == str(picture) == tree(y).text + "\\n" + {line!r})
print(sorted(picture._repr_mimebundle_()))
for request in (
    lambda: picture.pipe("svg"),
    lambda: picture.pipe("png"),
    lambda: picture.render(outfile="x.svg"),
    lambda: picture.render("x", format="pdf", cleanup=True),
    lambda: picture.view(),
):
    try:
        request()
    except RuntimeError as error:
        print(error)
print("digraph" in picture.source)
"""


def test_without_graphviz_there_is_text(tmp_path):
    line = (
        "drawing needs Graphviz: install autograd-lite[viz], which brings one, "
        "or any package that puts the program dot on the PATH"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT.format(line=line)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1"},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True", "['text/plain']", *[line] * 5, "True"]
    assert list(tmp_path.iterdir()) == []


def test_pictures_can_be_made_by_hand():
    picture = Picture("other")
    picture.node("a")
    assert str(picture) in ("", NO_GRAPHVIZ)
    assert exp(0.0) == 1.0


DOTS = {
    "fails": "#!/bin/sh\n/bin/cat > /dev/null\necho 'Error: in line 1' >&2\nexit 1\n",
    "writes junk": "#!/bin/sh\n/bin/cat > /dev/null\necho '<svg junk'\n",
    "writes a page": "#!/bin/sh\n/bin/cat > /dev/null\necho '<html><svg/></html>'\n",
    "writes no text": "#!/bin/sh\n/bin/cat > /dev/null\nprintf '\\377\\376'\n",
    "writes nothing": "#!/bin/sh\n/bin/cat > /dev/null\n",
    "reads nothing": "#!/bin/sh\nexit 3\n",
    "dies": "#!/bin/sh\nkill -9 $$\n",
    "is no program": "\x7fELF junk",
}


@pytest.fixture(params=DOTS)
def broken_dot(request, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "dot").write_text(DOTS[request.param])
    (folder / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.skipif(not RENDERERS["pygraphviz"], reason="pygraphviz is not here")
def test_where_dot_fails_pygraphviz_draws(broken_dot, monkeypatch):
    found = draw(network())
    drawn = {kind: found.pipe(kind) for kind in ("svg", "png", "pdf")}
    assert drawn["png"].startswith(b"\x89PNG")
    assert drawn["pdf"].startswith(b"%PDF")
    monkeypatch.setenv("PATH", "")
    assert drawn["svg"] == draw(network()).pipe("svg")


def test_where_nothing_draws_one_line_says_so_and_the_tree_remains(broken_dot, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    picture = draw(network())
    with pytest.raises(RuntimeError, match=r"^dot failed \(.+\); drawing needs Graphviz: install") as raised:
        picture.pipe("svg")
    assert "\n" not in str(raised.value)
    bundle = picture._repr_mimebundle_()
    assert bundle == {"text/plain": f"{picture}\n{raised.value}"}
    target = tmp_path / "out.svg"
    target.write_text("old")
    assert main(["draw", "x*x", "x=3", "-o", str(target)]) == 2
    out, err = capsys.readouterr()
    assert "9.00" in out
    assert (err.count("\n"), err.startswith("autograd-lite: dot failed (")) == (1, True)
    assert target.read_text() == "old"


def test_a_picture_without_a_format_is_in_that_of_the_picture(renderer):
    picture = draw(one())
    assert picture.pipe() == picture.pipe("pdf") or picture.pipe().startswith(b"%PDF")
    picture.format = "svg"
    assert picture.pipe() == picture.pipe("svg")
    picture.format = "png"
    assert picture.pipe().startswith(b"\x89PNG")
