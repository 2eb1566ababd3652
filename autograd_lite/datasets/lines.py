"""Texts of lines: `read_lines` reads one, `Writer` is a GPT with an alphabet, which writes new ones.

Next door: `names.py` has a list of lines, `table.py` reads tables. `cli/gpt.py` trains a writer.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograd_lite.datasets.table import DataError, file_errors, read_text
from autograd_lite.nn.files import Document, held, read_json, write_json
from autograd_lite.nn.gpt import GPT

FORMAT, VERSION = "autograd-lite lines", 1
MOST = 500  # different characters of a text: beyond it, each is too rare to be learnt by a small model


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text in UTF-8, without blank ones and without space around them.

    Control characters become U+FFFD. Raises `DataError` for a file that cannot be read, or is empty.
    """
    return [line for part in read_text(path).splitlines() if (line := part.strip())]


def alphabet_of(lines: Sequence[str], source: str) -> str:
    """Return the characters of the lines, sorted. Raises `DataError` if they are too many."""
    counts = Counter(character for line in lines for character in line)
    if len(counts) > MOST:
        rarest = ", ".join(map(repr, sorted(counts, key=counts.__getitem__)[:3]))
        raise DataError(
            f"{source} has {len(counts):,} different characters, {MOST} are the most: is it a text? "
            f"The rarest are {rarest}"
        )
    return "".join(sorted(counts))


def guessing(lines: Sequence[str]) -> float:
    """Return the loss of guessing each character, and the end of a line, by how often it occurs."""
    counts = Counter(character for line in lines for character in line)
    counts["\n"] = len(lines)
    n = counts.total()
    return -math.fsum(count / n * math.log(count / n) for count in counts.values())


@dataclass
class Writer:
    """A `GPT` whose tokens are the characters of ``alphabet``; the last token marks both ends of a line."""

    alphabet: str
    model: GPT

    def document(self, line: str) -> list[int]:
        """Return a line as tokens, between marks."""
        mark = len(self.alphabet)
        return [mark, *map(self.alphabet.index, line), mark]

    def write(self, temperature: float, rng: random.Random) -> str:
        """Return a new line."""
        tokens = self.model.sample(len(self.alphabet), temperature, rng)
        return "".join(self.alphabet[token] for token in tokens)

    def as_document(self) -> Document:
        """Return the content of the writer's file."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "model": repr(self.model),
            "alphabet": self.alphabet,
            "architecture": self.model.architecture,
            "parameters": self.model.state_dict(),
        }

    def save(self, path: Path) -> None:
        """Write the model to a file. Raises `DataError` if it cannot be written."""
        with file_errors("write", path):
            write_json(path, self.as_document())

    @classmethod
    def load(cls, path: Path) -> Writer:
        """Return what `save` wrote. Raises `DataError` if the file is damaged or of another kind."""
        try:
            with file_errors("read", path):
                found = read_json(path)
        except DataError:
            raise
        except ValueError as error:
            raise DataError(error) from None
        if found.get("format") != FORMAT:
            raise DataError(
                f"{path} is not a model that 'autograd-lite gpt --save' wrote (it holds {held(found)})"
            )
        if found.get("version") != VERSION:
            raise DataError(
                f"{path} has version {found.get('version')!r:.40} of the file format, and this program reads "
                f"version {VERSION}: update autograd-lite, or train again"
            )
        alphabet, architecture, state = (found.get(k) for k in ("alphabet", "architecture", "parameters"))
        try:
            if not isinstance(alphabet, str) or not isinstance(architecture, dict):
                raise ValueError("it must have an alphabet and an architecture")
            # A wrong digit in a damaged file must not build a model of millions of parameters.
            if not isinstance(state, dict) or size_of(**architecture) != len(state):
                raise ValueError(f"its parameters are not those of {architecture}")
            if not len(alphabet) == len(set(alphabet)) == architecture["tokens"] - 1:
                raise ValueError(f"the alphabet {alphabet!r:.40} is not one of {architecture['tokens'] - 1}")
            model = GPT(**architecture)
            model.load_state_dict(state)
        except (TypeError, ValueError) as error:
            raise DataError(f"{path} is damaged: {error}") from None
        return cls(alphabet, model)


def size_of(tokens: int, width: int, heads: int, layers: int, length: int) -> int:
    """Return the number of parameters of a GPT of this shape."""
    return width * (2 * tokens + length + 12 * width * layers)
