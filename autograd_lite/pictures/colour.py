"""The colours of pictures: two themes, the scale from blue (+) to orange (−), ink that is legible on it.

Colours are mixed in OKLab (Ottosson 2020), where equal steps look equal. Every colour is ``#RRGGBB``.
`dot.py` and `player.py` apply the colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

DECADES = 3.0  # range of the scale: magnitudes further below the largest |gradient| look alike


@dataclass(frozen=True)
class Theme:
    """The colours of one theme; ``cards`` holds fill and border for each kind of card."""

    background: str
    ink: str
    muted: str  # names beside symbols, titles of boxes, labels of edges
    plus: str
    minus: str
    zero: str
    weights: tuple[str, str]  # a weight below and above 0, mixed with the colour of parameters
    idle: str  # an edge through which no gradient flows, or none yet
    alarm: str  # a NaN or an infinity
    boxes: tuple[str, str]  # alternating with the depth
    box_border: str
    cards: dict[str, tuple[str, str]]

    def gradient(self, x: float | None, largest: float) -> str:
        """Return the colour of a gradient in a picture whose largest gradient has magnitude `largest`."""
        if x is None or not math.isfinite(x):
            return self.idle if x is None else self.alarm
        return mix(self.zero, self.plus if x > 0.0 else self.minus, strength(x, largest))

    def weight(self, x: float, largest: float) -> str:
        """Return the colour of a weight in a layer whose largest weight has magnitude `largest`."""
        if not math.isfinite(x):
            return self.alarm
        return mix(self.cards["parameter"][0], self.weights[x > 0.0], abs(x) / largest if largest else 0.0)

    def flow(self, x: float | None, largest: float) -> str:
        """Return the colour of an edge along which the gradient `x` flows, kept off the background."""
        if x is None or x == 0.0 or not math.isfinite(x):
            return self.idle if not x else self.alarm
        return mix(self.idle, self.plus if x > 0.0 else self.minus, 0.15 + 0.85 * strength(x, largest))

    def ink_on(self, fill: str) -> str:
        """Return black or white, whichever has the higher contrast on `fill`: at least 4.58 : 1."""
        return max("#000000", "#FFFFFF", key=lambda ink: contrast(ink, fill))


LIGHT = Theme(
    background="#FFFFFF",
    ink="#1F2933",
    muted="#56616F",
    plus="#1F6FB5",
    minus="#B84A08",
    zero="#EEF1F5",
    weights=("#7A4FA3", "#9A7400"),
    idle="#AAB4C0",
    alarm="#C4006E",
    boxes=("#F5F7FA", "#EBEFF4"),
    box_border="#D5DCE5",
    cards={
        "input": ("#E3F1E6", "#5E9C6B"),
        "parameter": ("#FFF5D9", "#C29A2B"),
        "constant": ("#F1F3F5", "#B6BFCA"),
        "output": ("#E9E2F7", "#7B5CC4"),
        "operation": ("#FFFFFF", "#9AA6B4"),
        "group": ("#FFFFFF", "#9AA6B4"),
    },
)

DARK = Theme(
    background="#11161D",
    ink="#E6EBF1",
    muted="#A3AEBB",
    plus="#6DB4F2",
    minus="#F8A261",
    zero="#2A3340",
    weights=("#B48BDB", "#EBC65A"),
    idle="#5B6675",
    alarm="#FF5CA8",
    boxes=("#171D26", "#1E2630"),
    box_border="#303D4E",
    cards={
        "input": ("#1C3326", "#6FB583"),
        "parameter": ("#3A3116", "#D8B24A"),
        "constant": ("#262E39", "#697585"),
        "output": ("#2E2548", "#A78BEA"),
        "operation": ("#1B222C", "#6E7B8B"),
        "group": ("#1B222C", "#6E7B8B"),
    },
)


def largest_of(gradients: Iterable[float | None]) -> float:
    """Return the largest finite magnitude among some gradients, 0 if there is none."""
    return max((abs(g) for g in gradients if g is not None and math.isfinite(g)), default=0.0)


def strength(x: float, largest: float) -> float:
    """Return the place of |x| between 0 and 1 on a symmetric log scale over three decades below `largest`.

    >>> [round(strength(x, 2.0), 2) for x in (0.0, -0.002, 0.2, -2.0)]
    [0.0, 0.1, 0.67, 1.0]
    """
    if x == 0.0:
        return 0.0
    if not abs(x) < largest:
        return 1.0
    # Divide first: x · 1000 / largest may overflow.
    return math.log1p(abs(x) / largest * 10.0**DECADES) / math.log1p(10.0**DECADES)


def _linear(colour: str) -> list[float]:
    channels = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def _times(matrix: tuple[tuple[float, float, float], ...], vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


_TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_FROM_LAB = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_FROM_LMS = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def mix(a: str, b: str, t: float) -> str:
    """Return the colour at `t` between `a` (0) and `b` (1) in OKLab.

    >>> mix("#EEF1F5", "#1F6FB5", 0.0), mix("#EEF1F5", "#1F6FB5", 0.5), mix("#EEF1F5", "#1F6FB5", 1.0)
    ('#EEF1F5', '#8BB0D7', '#1F6FB5')
    """
    first, second = (_times(_TO_LAB, [c ** (1 / 3) for c in _times(_TO_LMS, _linear(x))]) for x in (a, b))
    lab = [p + (q - p) * t for p, q in zip(first, second, strict=True)]
    rgb = _times(_FROM_LMS, [c**3 for c in _times(_FROM_LAB, lab)])
    srgb = [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in rgb]
    return "#" + "".join([f"{round(255 * min(max(c, 0.0), 1.0)):02X}" for c in srgb])


def contrast(a: str, b: str) -> float:
    """Return the contrast ratio of two colours as WCAG 2 defines it, between 1 and 21.

    >>> round(contrast("#FFFFFF", "#000000"), 1)
    21.0
    """
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (_linear(a), _linear(b))]
    return (max(light) + 0.05) / (min(light) + 0.05)
