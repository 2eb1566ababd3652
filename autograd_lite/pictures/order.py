"""The order of cards side by side: inputs, neurons and classes stand from first to last.

Graphviz orders the cards of a rank so that few edges cross. Where all inputs feed all neurons, every order is
as good as its reverse. `in_order` returns the DOT statements that decide; `dot.py` adds them to the picture.
"""

from __future__ import annotations

from collections import defaultdict

from autograd_lite.pictures.cards import Cards


def in_order(drawn: Cards, direction: str) -> dict[str | None, list[str]]:
    """Return the DOT statements that put cards in order, by the box that they belong into.

    Nothing of them is visible.
    """
    statements: dict[str | None, list[str]] = defaultdict(list)

    def side_by_side(box_id: str | None, nodes: list[str]) -> None:
        # In a box Graphviz does not turn the order together with the picture.
        is_turned = box_id is not None and direction in ("LR", "RL")
        row = " -> ".join(nodes[::-1] if is_turned else nodes)
        statements[box_id].append(f"{{rank=same; {row} [style=invis]}}")

    for box_id, row in _rows(drawn):
        side_by_side(box_id, row)
    around = {box.id: box.parent for box in drawn.boxes}
    number = 0
    for box_id, lanes in _lanes(drawn):
        guides = []
        within = statements[around[box_id]]
        for lane in lanes:
            # Edges within a group are crossed last of all. Each lane is a group with an invisible guide
            # above it, and the guides stand in a row.
            number += 1
            guides.append(f"guide{number}")
            within.append(f"{guides[-1]} [group=g{number} shape=point width=0 height=0 margin=0 style=invis]")
            statements[box_id] += [f"{card} [group=g{number}]" for card in lane]
            within.append(f"{guides[-1]} -> {lane[0]} [style=invis weight=0]")
        side_by_side(around[box_id], guides)
    return statements


def depths(drawn: Cards) -> dict[str, int]:
    """Return the length of the longest way from a leaf to each card."""
    place = {card.id: k for k, card in enumerate(drawn.cards)}
    found = dict.fromkeys(place, 0)
    for edge in sorted(drawn.edges, key=lambda edge: place[edge.head]):
        if place[edge.tail] < place[edge.head]:
            found[edge.head] = max(found[edge.head], found[edge.tail] + 1)
    return found


def _rows(drawn: Cards) -> list[tuple[str | None, list[str]]]:
    """Return rows of cards in one box each: leaves that the same card uses first, and equally deep cards that
    feed the same cards.
    """
    depth = depths(drawn)
    place = {card.id: k for k, card in enumerate(drawn.cards)}
    heads: dict[str, set[str]] = defaultdict(set)
    for edge in drawn.edges:
        heads[edge.tail].add(edge.head)
    rows: dict[tuple[str | None, object], list[str]] = defaultdict(list)
    for card in drawn.cards:
        if heads[card.id] and (card.box is None or card.kind in ("input", "parameter")):
            first = min(heads[card.id], key=lambda head: (depth[head], place[head]))
            key: object = first if depth[card.id] == 0 else (depth[card.id], frozenset(heads[card.id]))
            rows[card.box, key].append(card.id)
    return [(box_id, row) for (box_id, _), row in rows.items() if len(row) > 1]


def _lanes(drawn: Cards) -> list[tuple[str, list[list[str]]]]:
    """Return each box with several lanes, parts that no edge joins, and the cards in each of them."""
    within: dict[str | None, str | None] = {box.id: box.parent for box in drawn.boxes}
    found = []
    for box in drawn.boxes:
        # The part of this box that a card belongs to: itself, or the box around it.
        part: dict[str, str] = {}
        for card in drawn.cards:
            inner, around = card.id, card.box
            while around is not None and around != box.id:
                inner, around = around, within[around]
            if around is not None:
                part[card.id] = inner
        joined = {each: each for each in part.values()}

        def leader(each: str, joined: dict[str, str] = joined) -> str:
            while joined[each] != each:
                each = joined[each]
            return each

        for edge in drawn.edges:
            if edge.tail in part and edge.head in part:
                joined[leader(part[edge.head])] = leader(part[edge.tail])
        lanes: dict[str, list[str]] = defaultdict(list)
        for card_id, each in part.items():
            lanes[leader(each)].append(card_id)
        if len(lanes) > 1:
            found.append((box.id, [*lanes.values()]))
    return found
