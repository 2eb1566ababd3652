"""The player: a page that shows, step by step, how values are computed and how the gradient flows back.

`play` puts the picture that `draw` makes and the steps into ``player_page/``, a page that needs no other
file and loads nothing. `steps.py` writes the steps; `dot.py` draws the picture; `page.py` puts them together.
"""

from __future__ import annotations

import html
from dataclasses import asdict
from pathlib import Path

from autograd_lite.core.value import Value
from autograd_lite.notation.names import pretty
from autograd_lite.pictures.dot import Direction, draw
from autograd_lite.pictures.folding import Collapse
from autograd_lite.pictures.live import live
from autograd_lite.pictures.page import MOST_CARDS, Page, embedded, filled
from autograd_lite.pictures.picture import Picture
from autograd_lite.pictures.steps import Step, name_of, steps

_PAGE = Path(__file__).with_name("player_page")
_SCRIPTS = ("picture", "view", "steps")  # in this order


class Player(Page):
    """The page that `play` makes. It displays in Jupyter; elsewhere it prints as a tree of text."""

    about = "backward player"
    verb = "play it"

    def __init__(self, value: Value, picture: Picture) -> None:
        both_ways = picture.copy()
        both_ways.edge_attr["dir"] = "both"  # values flow forward, gradients back
        super().__init__(both_ways, picture)
        self.value = value
        self.steps = steps(value, self.cards)
        self.title = pretty(value.label or "") or "the graph"

    def _page(self) -> tuple[str, float]:
        fills, height = self._fills()
        fills |= {
            "title": html.escape(f"The gradient of {self.title}"),
            "facts": embedded(self._facts()),
            "live": embedded(self._live()),
            "css": (_PAGE / "style.css").read_text(encoding="utf-8"),
            "js": "\n".join([(_PAGE / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]),
        }
        return filled("player_page/page.html", fills), height

    def _facts(self) -> dict[str, object]:
        """Return what the page's scripts need to know of the steps, and of the rows for their titles."""
        rows = [row for card in self.cards.cards for row in card.rows]
        return {
            "steps": [_slim(step) for step in self.steps],
            "rows": {row.id: (name_of(row) or row.kind, repr(row.data), repr(row.gradient)) for row in rows},
            "note": "" if self.cards.gradients else "no gradients yet: call backward(), then play again",
        }

    def _live(self) -> str | None:
        """Return the live page of the same graph, or None if it cannot have one."""
        try:
            return live(self.value).html
        except (TypeError, ValueError):  # such as a choice that was taken, or partials without a formula
            return None


def _slim(step: Step) -> dict[str, object]:
    return {key: entry for key, entry in asdict(step).items() if entry}


def play(
    value: Value,
    *,
    direction: Direction | None = None,
    collapse: Collapse = None,
    batch: bool | None = None,
    max_cards: float = 40,
) -> Player:
    """Return a player that shows, step by step, how `value` is computed and how its gradient flows back.

    It displays in Jupyter. ``play(loss).save("loss.html")`` writes a page that needs no other file. The
    options are those of `draw`; a graph with more than `max_cards` cards is folded until it fits. A button
    turns to the page of `live`, unless the graph cannot have one.

    Raises `ValueError` if the picture has more than 150 cards, `TypeError` if `value` is not a Value.
    """
    picture = draw(
        value,
        theme="auto",
        direction=direction,
        collapse=collapse,
        batch=batch,
        max_cards=max_cards,
        width=None,
        legend=False,
    )
    assert picture.cards is not None
    if len(picture.cards.cards) > MOST_CARDS:
        raise ValueError(
            f"the player shows at most {MOST_CARDS} cards, and this picture has {len(picture.cards.cards)}: "
            f'fold it with collapse="neuron" or "layer", or with a max_cards of at most {MOST_CARDS}'
        )
    return Player(value, picture)
