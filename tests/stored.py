"""The files in notebooks/pictures, made by the code: `python -m tests.stored` writes them again.

README shows them. `network.svg` is a drawing, `network.html` the live page of the same network.
"""

from pathlib import Path

from autograd_lite import MLP, Value, draw, live

PICTURES = Path(__file__).parent.parent / "notebooks" / "pictures"


def network() -> Value:
    """Return the squared error of a network of two layers, after its backward pass."""
    x, y = [Value(1.0, "x1"), Value(-2.0, "x2")], Value(1.0, "y")
    y_hat = MLP(2, [2, 1], "sigmoid", "sigmoid", rng=4)(x)
    y_hat.label = "y_hat"
    loss = (y_hat - y) ** 2
    loss.label = "loss"
    loss.backward()
    return loss


def drawn() -> dict[str, str]:
    """Return the content of each file."""
    loss = network()
    return {
        "network.svg": draw(loss, theme="auto", width=560).pipe("svg", encoding="utf-8"),
        "network.html": live(loss).html,
    }


if __name__ == "__main__":
    for name, content in drawn().items():
        (PICTURES / name).write_text(content, encoding="utf-8")
