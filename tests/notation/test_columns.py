"""Columns of text as wide as what is seen, and tables in which markup is text."""

from xml.etree import ElementTree

import pytest

from autograd_lite.notation.columns import aligned, fitted, html_table, padded, width


def test_columns_are_as_wide_as_what_is_seen():
    assert [width(text) for text in ("ŷ", "x̄₂", "θ̂ = 1", "名前", "a\u200db", "ｗ")] == [1, 2, 5, 4, 2, 2]
    assert [padded("ab", 5, side) for side in ("left", "right", "centre")] == ["ab   ", "   ab", " ab  "]
    assert [padded("名", 5, side) for side in ("left", "right", "centre")] == ["名   ", "   名", " 名  "]
    assert aligned([("x̄", "1"), ("long", "22")], ("left", "right"), gap="|") == ["x̄   | 1", "long|22"]
    assert aligned([("名前", "1"), ("long", "22")], ("left", "right"), gap="|") == ["名前| 1", "long|22"]


@pytest.mark.parametrize("columns", range(1, 12))
@pytest.mark.parametrize("text", ["", "learning rate", "名前名前", "x̄x̄x̄x̄x̄", "a名b名"])
def test_text_is_fitted_to_exactly_so_many_columns(text, columns):
    shown = fitted(text, columns)
    assert width(shown) == columns
    assert shown.startswith(text) == (width(text) <= columns)
    assert ("…" in shown) == (width(text) > columns)


def test_an_accent_stays_with_its_letter_where_text_is_cut():
    assert fitted("ax̄x̄", 3) == "ax̄x̄"
    assert fitted("ax̄x̄x̄", 3) == "ax̄…"


def test_markup_in_a_table_is_text():
    markup = "<b>&\"'</b>"
    table = ElementTree.fromstring(html_table([markup, "n"], [[markup, "1"]], left=1, caption=markup))
    assert {element.tag for element in table.iter()} == {
        "table", "caption", "code", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")] == [
        [markup, "n"],
        [markup, "1"],
    ]
    assert "".join(table.find("caption").itertext()) == markup
    assert [cell.get("style") for cell in table.iter("td")] == ["text-align:left", None]


def test_a_table_without_a_caption_has_none():
    assert html_table(["a"], []) == "<table><thead><tr><th>a</th></tr></thead><tbody></tbody></table>"
