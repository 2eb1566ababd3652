"""The command ``gpt``: train a small language model on the lines of a text, and print new lines.

Next door: `nn/gpt.py` is the model, `datasets/lines.py` reads the text and keeps the model.
"""

from __future__ import annotations

import importlib.util
import math
import random
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from autograd_lite.cli.arguments import Commands, count, integer, natural, rate
from autograd_lite.cli.terminal import item, one_line
from autograd_lite.compiler import jit
from autograd_lite.core.collector import collector_paused
from autograd_lite.core.rules import dot
from autograd_lite.datasets import DataError, names, read_lines
from autograd_lite.datasets.lines import Writer, alphabet_of, guessing, size_of
from autograd_lite.datasets.table import file_errors
from autograd_lite.files import check_writable
from autograd_lite.nn import GPT
from autograd_lite.nn.files import as_json
from autograd_lite.train import Adam

LONGEST = 32  # characters of a line, unless --length says more: each length is a program of its own
LARGEST = 5_000_000  # parameters times positions: minutes of compiling
AT_ONCE = 20  # steps between two looks at the progress bar
AVERAGED = 100  # steps whose mean loss is printed
TRAINING = {  # the options of training, which do not go with --load
    "text": None,
    "steps": 1000,
    "lr": 0.01,
    "width": 16,
    "heads": 4,
    "layers": 1,
    "length": None,
    "save": None,
}


def add_to(commands: Commands) -> None:
    """Add the command ``gpt`` and its arguments."""
    command = commands.add_parser(
        "gpt",
        help="train a small GPT on the lines of a text, and write new ones",
        description="Train a GPT of scalars, character by character, on the lines of a text, and print new "
        "lines. Every number of the model is a Value; where there is a C compiler, the training runs as "
        "machine code. Its optimizer is Adam, whose step size falls to 0 in a straight line.",
        epilog="examples:\n%(prog)s --save names.json\n%(prog)s --load names.json --sample 50",
    )
    command.set_defaults(run=run)
    add = command.add_argument
    add(
        "text",
        nargs="?",
        metavar="TEXT",
        type=Path,
        help="a text in UTF-8, each line an example (default: the 32,033 first names that come with the "
        "package)",
    )
    for option, kind, metavar, what in (
        ("steps", count, "N", "steps, each on one line"),
        ("lr", rate, "RATE", "step size at the beginning"),
        ("width", count, "N", "numbers in each vector"),
        ("heads", count, "N", "attention heads"),
        ("layers", count, "N", "blocks of attention and MLP"),
    ):
        default = TRAINING[option]
        add(f"--{option}", metavar=metavar, type=kind, default=default, help=f"{what} (default: {default})")
    add(
        "--length",
        metavar="N",
        type=count,
        help=f"the most characters of a line (default: as many as the longest has, up to {LONGEST})",
    )
    add("--sample", metavar="N", type=natural, default=20, help="new lines to print (default: 20)")
    add(
        "--temperature",
        metavar="T",
        type=rate,
        default=0.5,
        help="how daring the new lines are: near 0 likely, 1 as the model believes (default: 0.5)",
    )
    add(
        "--seed",
        metavar="N",
        type=integer,
        default=0,
        help="decides the first weights, the order of the lines and the new lines (default: 0)",
    )
    add("--save", metavar="MODEL.json", type=Path, help="write the trained model here")
    add("--load", metavar="MODEL.json", type=Path, help="print lines of a saved model, without training")
    add("--no-progress", dest="progress", action="store_false", help="show no progress bar on stderr")


def run(arguments: Namespace) -> None:
    """Train a model, or load one; print what it learnt, and new lines."""
    given = [option for option, default in TRAINING.items() if getattr(arguments, option) != default]
    if arguments.load is None:
        writer = _trained(arguments)
    elif given:
        what = "TEXT" if given[0] == "text" else f"--{given[0]}"
        raise DataError(f"--load prints lines of a saved model and trains nothing: leave out {what}")
    else:
        writer = Writer.load(arguments.load)
    choose = random.Random(arguments.seed)
    for _ in range(arguments.sample):
        try:
            print(writer.write(arguments.temperature, choose), flush=True)
        except (ArithmeticError, ValueError):
            raise DataError(
                f"the scores overflow: choose a --temperature above {arguments.temperature}"
            ) from None


def _trained(arguments: Namespace) -> Writer:
    """Return a writer that has learnt; print what from and how well, and save it."""
    source = "the names" if arguments.text is None else arguments.text.name
    lines = names() if arguments.text is None else read_lines(arguments.text)
    writer = _new(lines, source, arguments)
    _check_place(writer, arguments)
    shape = writer.model.architecture
    print(f"{one_line(source)}: {len(lines):,} lines, {len(writer.alphabet)} different characters")
    layers, s = shape["layers"], "s" * (shape["layers"] > 1)
    item(
        "model",
        f"{layers} layer{s}, {shape['width']} wide, {shape['heads']} heads, lines of up to "
        f"{shape['length'] - 1} characters: {len(writer.model.parameters()):,} parameters",
    )
    print(flush=True)
    started = time.perf_counter()
    losses = _losses(writer, lines, arguments)
    if arguments.save is not None:
        writer.save(arguments.save)
    last = losses[-AVERAGED:]
    item(
        "loss",
        f"{math.fsum(last) / len(last):.4f} a character, the mean of the last {len(last)} of "
        f"{len(losses):,} steps, each before its step; guessing by frequency has {guessing(lines):.4f}",
    )
    item("time", f"{time.perf_counter() - started:.2f} s, compiling included")
    if arguments.save is not None:
        item("saved", one_line(arguments.save))
    print(flush=True)
    return writer


def _new(lines: Sequence[str], source: str, arguments: Namespace) -> Writer:
    """Return a writer before training. Raises `DataError` if the lines or the options do not fit."""
    longest = max(map(len, lines))
    most = min(longest, LONGEST) if arguments.length is None else arguments.length
    if longest > most:
        k, line = next((k, line) for k, line in enumerate(lines, 1) if len(line) > most)
        raise DataError(
            f"line {k} of {source}, not counting blank ones, has {len(line):,} characters, {most} are the "
            f"most: break it ({line[:20]!r}…), or give --length {longest}"
        )
    alphabet = alphabet_of(lines, source)
    shape = {
        "tokens": len(alphabet) + 1,
        "width": arguments.width,
        "heads": arguments.heads,
        "layers": arguments.layers,
        "length": most + 1,
    }
    work = size_of(**shape) * shape["length"]
    if work > LARGEST:
        raise DataError(
            f"this model has {size_of(**shape):,} parameters and {most + 1} positions, whose product is "
            f"beyond {LARGEST:,}: choose fewer --layers, a smaller --width or shorter lines"
        )
    try:
        return Writer(alphabet, GPT(**shape, rng=arguments.seed))
    except ValueError as error:  # the heads do not divide the width
        raise DataError(error) from None


def _check_place(writer: Writer, arguments: Namespace) -> None:
    """Raise `DataError` before the work if the model could not be saved after it."""
    path, text = arguments.save, arguments.text
    if path is None:
        return
    if text is not None and path.exists() and path.samefile(text):
        raise DataError(f"--save would overwrite {str(text)!r}, the text: choose another place")
    with file_errors("write", path):
        check_writable(path, 2 * len(as_json(writer.as_document())))


def _losses(writer: Writer, lines: Sequence[str], arguments: Namespace) -> list[float]:
    """Take the steps; return the loss before each. Raises `DataError` if the training diverges."""
    steps, model = arguments.steps, writer.model
    order = random.Random(arguments.seed).sample(lines, min(steps, len(lines)))
    documents = [writer.document(line) for line in order]
    optimizer = Adam(model.parameters(), lambda k: arguments.lr * (1.0 - k / steps), (0.85, 0.99))
    numbers = [k % len(documents) for k in range(steps)]
    take = _in_arrays if importlib.util.find_spec("numpy") else _by_the_engine
    try:
        with collector_paused():
            return take(model, documents, numbers, optimizer, arguments.progress)
    except (ArithmeticError, ValueError):
        raise DataError(f"the training diverged: choose an --lr below {arguments.lr}") from None


def _in_arrays(
    model: GPT, documents: list[list[int]], numbers: list[int], optimizer: Adam, progress: bool
) -> list[float]:
    """Take a step on each of the documents with these numbers, in machine code or NumPy."""
    loss, losses = jit(model.loss), list[float]()
    lengths = {len(document): document for document in documents}
    for document in tqdm(lengths.values(), desc="compiling", disable=not progress, unit="length"):
        loss(document)
    with (
        loss.descent(documents, optimizer=optimizer) as step,
        tqdm(total=len(numbers), disable=not progress, unit="step") as bar,
    ):
        while len(losses) < len(numbers):
            losses += step.over([[k] for k in numbers[len(losses) : len(losses) + AT_ONCE]])
            bar.set_postfix_str(f"loss {losses[-1]:.2f}", refresh=False)
            bar.update(len(losses) - bar.n)
    return losses


def _by_the_engine(
    model: GPT, documents: list[list[int]], numbers: list[int], optimizer: Adam, progress: bool
) -> list[float]:
    """Take the same steps without NumPy: record each document anew."""
    losses, letters = [], model.letters.parameters()
    for k in tqdm(numbers, disable=not progress, unit="step"):
        loss = model.loss(documents[k])
        optimizer.zero_grad()
        # As in arrays, letters that the document lacks have the gradient 0, and move on by their momentum.
        (loss + dot([0.0] * len(letters), letters)).backward()
        optimizer.step()
        losses.append(loss.data)
    return losses
