"""The files in notebooks/pictures are those that the code makes."""

import re
import xml.etree.ElementTree as ET

import pytest

from tests.pictures.graphs import needs_graphviz
from tests.stored import PICTURES, drawn

pytestmark = needs_graphviz
SVG = re.compile(r"<svg [^>]*viewBox=\"0.00 0.00.*?</svg>", re.DOTALL)


def said(svg: str) -> list[str]:
    """Everything that a picture says, in order; where it says it is up to the version of Graphviz."""
    root = ET.fromstring(re.sub(r"<!(?:DOCTYPE|--).*?>", "", svg, flags=re.DOTALL))
    kinds = ("text", "title", "a")
    found = [x for x in root.iter() if x.tag.partition("}")[2] in kinds]
    return sorted([x.text or x.get("{http://www.w3.org/1999/xlink}title", "") for x in found])


@pytest.fixture(scope="module")
def fresh() -> dict[str, str]:
    return drawn()


def test_each_file_is_made_by_the_code(fresh):
    assert {path.name for path in PICTURES.iterdir()} == fresh.keys()


@pytest.mark.parametrize("name", ["network.svg", "network.html"])
def test_it_is_up_to_date(name, fresh):
    """If not: python -m tests.stored writes it again."""
    stored = (PICTURES / name).read_text(encoding="utf-8")
    assert said(SVG.search(stored)[0]) == said(SVG.search(fresh[name])[0])
    if name.endswith(".html"):
        assert SVG.sub("", stored, count=1) == SVG.sub("", fresh[name], count=1)
