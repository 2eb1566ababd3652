"""`Picture`: DOT source that draws itself with the Graphviz it finds.

That is the program ``dot`` if it is on the PATH, else the pygraphviz wheel within this process. Without
either, a picture is a tree of text. `dot.py` writes the source.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, Self

import graphviz

from autograd_lite.files import write_whole
from autograd_lite.pictures.cards import Cards
from autograd_lite.pictures.markup import shortened, with_fixed_widths, without_links
from autograd_lite.pictures.tree import Tree

NO_GRAPHVIZ = (
    "drawing needs Graphviz: install autograd-lite[viz], which brings one, "
    "or any package that puts the program dot on the PATH"
)

_one_at_a_time = threading.Lock()  # the Graphviz library has global state, and the process one stderr


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing reach stderr, not even what C code writes to file descriptor 2."""
    with redirect_stderr(io.StringIO()), open(os.devnull, "wb") as nowhere:
        try:
            kept = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _pygraphviz() -> Any:
    """Return the module, or None if it is not installed."""
    try:
        import pygraphviz
    except ImportError:
        return None
    return pygraphviz


def _draw_here(source: str, file_format: str, engine: str) -> bytes:
    """Return the picture, drawn by the pygraphviz wheel in this process."""
    with _one_at_a_time, _silence():
        pygraphviz = _pygraphviz()
        if pygraphviz is None:
            raise RuntimeError(NO_GRAPHVIZ)
        try:
            return bytes(pygraphviz.AGraph(string=source).draw(format=file_format, prog=engine))
        except (OSError, ValueError) as error:
            raise RuntimeError(f"pygraphviz cannot draw this as {file_format}: {error}") from None


def _is_picture(drawn: bytes, file_format: str) -> bool:
    """Return whether the output of `dot` is a picture in this format, judged by its first bytes."""
    if file_format == "svg":
        try:
            return ET.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"
        except ET.ParseError:
            return False
    return (
        drawn.startswith({"png": b"\x89PNG\r\n", "pdf": b"%PDF", "plain": b"graph "}.get(file_format, b""))
        and drawn != b""
    )


def _stderr(error: Exception) -> str:
    """Return what a program that failed wrote to stderr."""
    text = getattr(error, "stderr", None) or b""
    return text if isinstance(text, str) else text.decode(errors="replace")


class Picture(graphviz.Digraph):  # type: ignore[misc]
    """A drawn graph: a `graphviz.Digraph` that draws itself with the Graphviz it finds.

    ``source`` is its DOT, ``save(file)`` writes that, ``pipe("svg")`` and ``render(outfile="x.svg")`` draw
    it. In Jupyter it displays as a picture, elsewhere as a tree of text. Without Graphviz, drawing raises
    `RuntimeError`, which says what to install, and writes no file; everything else works.
    """

    cards: Cards | None = None
    tree: Tree | None = None
    dark: dict[str, str]

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.dark = {}  # for the theme "auto": the dark colour for each light one

    def copy(self) -> Self:
        """Return an independent copy."""
        copied: Self = super().copy()
        copied.cards, copied.tree, copied.dark = self.cards, self.tree, dict(self.dark)
        return copied

    def pipe(
        self,
        format: str | None = None,  # noqa: A002 - the name that graphviz gave it
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = True,
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        """Return the picture as bytes, or as text if an `encoding` is given; see `graphviz.Digraph.pipe`.

        If ``dot`` fails, pygraphviz draws. Raises `RuntimeError` if neither can, or neither is installed.
        """
        engine, format = engine or self.engine, format or self.format
        if format not in graphviz.FORMATS:
            raise ValueError(f"unknown format {format!r}: Graphviz draws svg, png, pdf and others")
        failed = None
        if shutil.which(engine):
            try:
                drawn = graphviz.pipe(
                    engine,
                    format,
                    self.source.encode(),
                    renderer=renderer,
                    formatter=formatter,
                    neato_no_op=neato_no_op,
                    quiet=quiet,
                )
                failed = None if _is_picture(drawn, format) else f"it did not return a {format}"
            except (OSError, subprocess.SubprocessError) as error:
                failed = shortened(" ".join((_stderr(error) or str(error)).split()), 200)
        if failed or not shutil.which(engine):
            try:
                drawn = _draw_here(self.source, format, engine)
            except RuntimeError as error:
                raise RuntimeError(f"{engine} failed ({failed}); {error}" if failed else str(error)) from None
        if format == "svg":
            drawn = self._with_both_themes(without_links(with_fixed_widths(drawn.decode()))).encode()
        return drawn if encoding is None else drawn.decode(encoding)

    def save(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        *,
        skip_existing: bool = False,
    ) -> str:
        """Write the DOT source, all of it or nothing; return its path. See `graphviz.Digraph.save`."""
        if filename is not None:
            self.filename = os.fspath(filename)
        if directory is not None:
            self.directory = os.fspath(directory)
        target = Path(self.filepath)
        if not (skip_existing and target.exists()):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, self.source.encode(self.encoding))
        return os.fspath(self.filepath)

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,  # noqa: A002 - the name that graphviz gave it
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = True,
        quiet_view: bool = False,
        *,
        outfile: str | os.PathLike[str] | None = None,
        engine: str | None = None,
        raise_if_result_exists: bool = False,
        overwrite_source: bool = False,
    ) -> str:
        """Write the DOT source and the picture; return the picture's path. See `graphviz.Digraph.render`.

        Raises `RuntimeError`, and writes nothing, if there is no Graphviz.
        """
        format = format or (Path(outfile).suffix[1:].lower() if outfile else "") or self.format
        drawn = self.pipe(format, renderer, formatter, neato_no_op, quiet, engine=engine)
        if directory is not None:
            self.directory = os.fspath(directory)
        if outfile is not None and filename is None:
            filename = Path(outfile).with_suffix(".gv")
        source = Path(self.directory, filename or self.filename)
        target = Path(self.directory, outfile or f"{source.name}.{format}")
        if outfile is None:
            target = source.with_name(target.name)
        if raise_if_result_exists and target.exists():
            raise FileExistsError(f"{target} exists already")
        if not overwrite_source and target.absolute() == source.absolute():
            raise ValueError(f"the picture would overwrite its source, {source}: give it another name")
        self.save(filename)
        write_whole(target, drawn)
        if cleanup:
            source.unlink()
        if view or quiet_view:
            self._view(os.fspath(target), format=format, quiet=quiet_view)
        return os.fspath(target)

    def __str__(self) -> str:
        lines = [] if self.tree is None else [str(self.tree)]
        if not shutil.which(self.engine) and _pygraphviz() is None:
            lines.append(NO_GRAPHVIZ)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None, **_: object
    ) -> dict[str, str]:
        bundle: dict[str, str] = {"text/plain": str(self)}
        try:
            svg = self.pipe("svg", encoding="utf-8")
        except RuntimeError as error:
            if NO_GRAPHVIZ not in bundle["text/plain"]:
                bundle["text/plain"] += f"\n{error}"
        else:
            # An <img>, because a notebook that is not trusted shows no other form of SVG.
            data = base64.b64encode(svg.encode()).decode()
            picture = f'<img style="max-width: 100%" alt="graph" src="data:image/svg+xml;base64,{data}">'
            bundle |= {"text/html": picture, "image/svg+xml": svg}
        wanted = set(bundle if include is None else include) - set(exclude or ())
        return {kind: form for kind, form in bundle.items() if kind in wanted}

    def dark_rules(self, svg: str, within: str = "") -> str:
        """Return the CSS that gives the colours in `svg` their dark counterparts, in parts of `within`."""
        return "".join(
            [
                f'{within}[{paint}="{ours.lower()}"]{{{paint}:{theirs}}}'
                for ours, theirs in self.dark.items()
                if ours != theirs
                for paint in ("fill", "stroke")
                if f'{paint}="{ours.lower()}"' in svg
            ]
        )

    def _with_both_themes(self, svg: str) -> str:
        if not self.dark:
            return svg
        style = f"<style>@media (prefers-color-scheme: dark) {{{self.dark_rules(svg)}}}</style>"
        start = svg.index(">", svg.index("<svg")) + 1
        return f"{svg[:start]}\n{style}{svg[start:]}"
