"""Labels are text whatever they hold, and have the room that they need."""

import json
import math
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_lite import Value, scope
from autograd_lite.pictures import draw
from autograd_lite.pictures.markup import text_width
from tests.pictures.graphs import GRAPHS, HOSTILE, RENDERERS, drawn, hostile, needs_graphviz, plain, read


def test_labels_are_text_whatever_they_hold(renderer):
    wanted, groups = drawn(hostile(), legend=False)
    texts = [plain(text.text) for card in wanted.cards for text in groups[card.id].texts]
    shown = ["x \ufffd\ufffdy" if "\x00" in label else label for label in HOSTILE]
    for label in shown:
        assert texts.count(label) >= 2 or not label.strip()
    assert '<TABLE BORDER="9">' in texts
    assert '</TABLE> & "s:cope" \\N' in [text.text for box in wanted.boxes for text in groups[box.id].texts]


@given(st.text(min_size=1, max_size=30))
@settings(max_examples=25)
def test_any_label_makes_a_well_formed_picture(label):
    with scope(label):
        y = Value(1.0, label) * Value(2.0, "w")
    picture = draw(y)
    for table in re.findall(r"label=<(<TABLE.*</TABLE>)>", picture.source):
        ET.fromstring(table)
    if any(RENDERERS.values()):
        read(picture.pipe("svg", encoding="utf-8"))


@needs_graphviz
def test_long_labels_are_cut_and_kept_in_the_tooltip():
    svg = draw(Value(1.0, "very " * 100)).pipe("svg", encoding="utf-8")
    assert "very very very very…" in svg.replace("\u00a0", " ")
    assert "very " * 100 in svg
    width = float(re.search(r'<svg width="(\d+)pt"', svg)[1])
    assert width < 300.0


ROOT = Path(__file__).parents[2]


# Texts that run out of the picture, over an edge of what is filled, or by more than a space into each other,
# where letters are 20 % larger than they were drawn: no common font is as much wider than Arial.
IN_A_WIDE_FONT = """
const picture = document.querySelector("svg")
const parts = kinds => [...picture.querySelectorAll(kinds)].filter(part => !part.closest(".edge"))
const texts = parts("text"), place = part => part.getBoundingClientRect()
for (const text of texts) text.setAttribute("font-size", 1.2 * text.getAttribute("font-size"))
const shapes = parts("path, polygon").map(place)
const middle = r => (r.top + r.bottom) / 2
const common = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left)
const outside = (a, b) => common(a, b) < a.width - 1
const within = (a, b) => b.top < middle(a) && middle(a) < b.bottom
const meet = (a, b) => common(a, b) > 4 && Math.abs(middle(a) - middle(b)) < 4
return texts.filter((text, k) => {
  const r = place(text)
  return outside(r, place(picture))
    || shapes.some(s => common(r, s) > 1 && outside(r, s) && within(r, s))
    || texts.some((other, j) => j < k && meet(r, place(other)))
}).map(text => text.textContent)
"""


def cut_in_a_wide_font(browser, tmp_path, svg):
    page = tmp_path / "picture.html"
    page.write_text(f'<meta charset="utf-8">{svg[svg.index("<svg") :]}', encoding="utf-8")
    browser.get(page.as_uri())
    assert browser.execute_script("return document.querySelectorAll('text').length") > 0
    return browser.execute_script(IN_A_WIDE_FONT)


@pytest.mark.parametrize("options", [{}, {"collapse": "layer"}, {"theme": "dark"}])
@pytest.mark.parametrize("name", ["network", "not_finite", "batch", "recurrent", "folded"])
def test_nothing_is_cut_off_in_a_wide_font(name, options, renderer, browser, tmp_path):
    svg = draw(GRAPHS[name](), **options).pipe("svg", encoding="utf-8")
    assert cut_in_a_wide_font(browser, tmp_path, svg) == []


def test_stored_pictures_are_not_cut_off_in_a_wide_font(browser, tmp_path):
    stored = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("notebooks/pictures/*.svg")}
    for path in ROOT.glob("notebooks/*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                svg = "".join(output.get("data", {}).get("image/svg+xml", ()))
                if svg:
                    stored[f"{path.name} {cell['id']}"] = svg
    assert len(stored) > 1
    cut = {name: cut_in_a_wide_font(browser, tmp_path, svg) for name, svg in stored.items()}
    assert not any(cut.values()), cut


@pytest.mark.parametrize(
    "label", ["]", "[]", "x" * 17_000, '&"' * 9_000, "\\" * 17_000, "\U0001f600" * 9_000]
)
def test_labels_that_dot_could_not_read(label, renderer, monkeypatch):
    if renderer == "dot":
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
    wanted, groups = drawn(Value(1.0, label) * 2.0)
    texts = [plain(text.text) for card in wanted.cards for text in groups[card.id].texts]
    shown = label if len(label) <= 20 else label[:19] + "…"
    assert shown in texts


def test_wide_characters_have_the_room_they_take():
    """Each is as wide as the font is high; other unknown characters are 0.6 of that."""
    assert text_width("名前", 10.0) == 20.0
    assert text_width("\u2e80", 10.0) == 10.0
    assert text_width("\u2e7f", 10.0) == 6.0
    assert text_width("名前", 10.0, "B") == pytest.approx(22.0)
    wide, narrow = (draw(Value(1.0, label), legend=False).source for label in ("名" * 10, "i" * 10))
    columns = [int(re.search(r'WIDTH="(\d+)"', source)[1]) for source in (wide, narrow)]
    assert columns == [math.ceil(1.1 * 130.0), 32]
