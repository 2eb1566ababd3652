"""The report of a training: one page with its loss curves, confusion matrix, gradients and graph.

`cli/` trains and measures; `plots.py`, `dot.py` and `player.py` make the pictures.
"""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from autograd_lite.core.value import Value
from autograd_lite.nn.modules import Module
from autograd_lite.pictures.dot import draw
from autograd_lite.pictures.page import filled
from autograd_lite.pictures.player import play
from autograd_lite.pictures.plots import NO_MATPLOTLIB, plot_gradient_flow, plot_loss, plot_predictions
from autograd_lite.train.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_PANEL, _PHONE = 960, 330  # px that the graph has in a wide window, and on a phone


def report(
    title: str,
    facts: Iterable[tuple[str, str]],
    history: History,
    classes: Sequence[str],
    pairs: Sequence[tuple[float, float]],
    model: Module,
    example: Callable[[], Value],
) -> str:
    """Return the page, which needs no other file and loads nothing.

    `facts` are terms with their descriptions, `pairs` the true and the predicted class numbers, or numbers if
    there are no `classes`. The gradients
    of `model` are plotted before `example()` is called; it returns a loss after its backward pass, which is
    drawn and played.

    Raises `ImportError` if there is no Matplotlib. Without Graphviz the graph is a tree of text.
    """
    listed = "".join([f"<dt>{html.escape(head)}</dt><dd>{html.escape(text)}</dd>" for head, text in facts])
    curve = _plotted(lambda ax: plot_loss(history, ax), "loss of each epoch")
    flow = _plotted(lambda ax: plot_gradient_flow(model, ax), "gradient of every parameter by layer")
    if classes:
        heading, result = "Confusion matrix", _matrix(classes, Counter(pairs))
    else:
        heading = "Predicted against true"
        result = _plotted(lambda ax: plot_predictions(pairs, ax), "predicted against true numbers")
    body = [
        f"<section><dl>{listed}</dl></section>",
        f'<div class="pair"><section>{curve}</section><section>{flow}</section></div>',
        f"<section><h2>{heading}</h2>{result}</section>",
        *_graph(example()),
    ]
    return filled("report.html", {"title": html.escape(title), "body": "\n".join(body)})


def _data(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _plotted(plot: Callable[[Axes], object], about: str) -> str:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(NO_MATPLOTLIB, name="matplotlib") from None
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    plot(figure.subplots())
    file = io.BytesIO()
    # Text stays text, and the same training gives the same page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return f'<img class="plot" alt="{about}" src="{_data(file.getvalue())}">'


def _matrix(classes: Sequence[str], counts: Counter[tuple[float, float]]) -> str:
    """Return the counts as a table with a row for each true class and a column for each predicted one."""
    largest = max(counts.values(), default=1)

    def cell(i: int, j: int) -> str:
        colour = "31,111,181" if i == j else "184,74,8"
        share = 0.5 * counts[i, j] / largest
        return f'<td style="background:rgba({colour},{share:.2f})">{counts[i, j]}</td>'

    names = [html.escape(name) for name in classes]
    head = "".join([f"<th>{name}</th>" for name in names])
    rows = [
        f"<tr><th>{name}</th>{''.join([cell(i, j) for j in range(len(names))])}</tr>"
        for i, name in enumerate(names)
    ]
    return f"<table><tr><th>true \\ predicted</th>{head}</tr>{''.join(rows)}</table>"


def _graph(loss: Value) -> list[str]:
    picture = draw(loss, theme="auto", width=_PANEL)
    assert picture.tree is not None
    try:
        phone = draw(loss, theme="auto", width=_PHONE)
        drawn = (
            f'<picture><source media="(max-width:{_PANEL}px)" srcset="{_data(phone.pipe("svg"))}">'
            f'<img alt="the graph of the loss of one example" src="{_data(picture.pipe("svg"))}"></picture>'
        )
        frame = play(loss).frame
    except RuntimeError as error:
        drawn, frame = f"<pre>{html.escape(picture.tree.text)}</pre>", f"<p>{html.escape(str(error))}</p>"
    return [
        f'<section class="graph"><h2>The loss of one example</h2>{drawn}</section>',
        f"<section><h2>Where its gradient comes from</h2>{frame}</section>",
    ]
