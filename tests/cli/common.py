"""What the tests of the commands share: the penguins, a file of flowers, numbers read from the output."""

import random
import re
import sys
from pathlib import Path

from autograd_lite import datasets

PENGUINS = Path(datasets.__file__).parent / "penguins.csv"
BIRDS = PENGUINS.read_text(encoding="utf-8")
COMMAND = [sys.executable, "-m", "autograd_lite"]
QUICK = ("--epochs", "1", "--no-progress")


def flowers(rows: int = 60, separator: str = ",") -> str:
    """Three kinds that a line or two tell apart, with every sort of column."""
    rng = random.Random(0)
    lines = [["nr", "kind", "length", "colour", "planet", "label"]]
    for i in range(rows):
        kind = i % 3
        colour = rng.choice(["red", "blue"]) if kind else "white"
        lines.append(
            [str(i + 1), f"k{kind}", f"{rng.gauss(3 * kind, 0.5):.3f}", colour, "Earth", f"plant {i}"]
        )
    return "\n".join(separator.join(line) for line in lines) + "\n"


def measured(out: str, name: str, column: int) -> float:
    """A number of the final table: column 0 rows, 1 loss, 2 accuracy."""
    return float(re.search(rf"^  {name} +(.*)$", out, re.MULTILINE)[1].split()[column])


def difference(out: str) -> float:
    return float(re.search(r"differ by at\s+most\s+(\S+)", out)[1])
