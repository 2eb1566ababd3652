"""What the pages are made of: README's sections, the reference made of docstrings, the notebooks.

A hook of mkdocs. Notebooks become Markdown with their outputs as they were saved. Formulas become MathML,
which browsers draw without a script.
"""

import ast
import html
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from docstrings import markdown, where  # noqa: E402

import autograd_lite  # noqa: E402
from autograd_lite import Primitive  # noqa: E402
from tests.reference import cell, math, names, written  # noqa: E402

OUTPUTS: dict[str, str] = {}  # of notebooks, by the id that holds their place


def slug(title: str) -> str:
    """Return the name of the page with a title."""
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def to_pages(text: str) -> str:
    """Links to notebooks become links to their pages."""
    return text.replace(".ipynb)", ".md)")


# --- README ----------------------------------------------------------------------------------------


def readme() -> Iterator[tuple[str, str]]:
    """Yield README as pages: the front page, with the set-up, and one for each section after it."""
    text = re.sub(r"<!--.*?-->\n", "", (ROOT / "README.md").read_text("utf-8"))
    text = re.sub(r"(\]\(|src=\")notebooks/", r"\1", to_pages(text))
    text = text.replace("<details>", '<details markdown="1">')
    front, *sections = re.split(r"^## (?!Set up)", text, flags=re.M)
    yield "index.md", front
    for section in sections:
        yield f"{slug(section.partition(chr(10))[0])}.md", f"---\nhide: [toc]\n---\n# {section}"


# --- Reference -------------------------------------------------------------------------------------


def groups() -> dict[str, list[str]]:
    """The public names, grouped as in `__init__.py`."""
    source = (ROOT / "autograd_lite/__init__.py").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for line in source.partition("\n__all__ = [\n")[2].splitlines()[:-1]:
        if line.startswith("    # "):
            found[line.removeprefix("    # ")] = several = []
        else:
            several.append(line.strip(' ",'))
    found["Functions"] = sorted([*found["Functions"], "abs", "pow", "sum"])
    found["Programs"].append("compile")
    return found


def primitive(name: str) -> str:
    """A function of the table: its formula, its partials and where they hold, before its docstring."""
    row: Primitive = getattr(autograd_lite, name)
    value, partials = written(row)
    first, *rest = (row.__doc__ or "").split("\n\n")
    rest = [
        text for text in rest if not text.startswith(("Domain: ", "Edge cases of "))
    ]  # they are in the table
    facts = {
        "value": math(value),
        **{f"partial by {math(x)}": math(p) for x, p in zip(names(row), partials, strict=True)},
        "domain": cell(row.domain),
        "edge cases": cell(row.edges),
    }
    table = "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {fact} |" for name, fact in facts.items() if fact)]
    )
    heading = f"## `{name}` {{ #autograd_lite.{name} }}"
    return "\n\n".join([heading, markdown(first, set()), table, markdown("\n\n".join(rest)), ""])


def entry(name: str) -> str:
    """Return what the reference says of a public name."""
    thing = getattr(autograd_lite, name)
    if isinstance(thing, Primitive):
        return primitive(name)
    if thing.__name__ != name:
        same = f"[`{thing.__name__}`][{where(thing.__name__)}]"
        return f"## {name} {{ #{where(name)} }}\n\nAnother name of {same}.\n"
    return f"::: {where(name)}\n"


def reference() -> Iterator[tuple[str, str]]:
    """Yield a page for each group of public names."""
    for group, members in groups().items():
        index = " · ".join(f"[`{name}`][{where(name)}]" for name in members)
        yield f"api/{slug(group)}.md", "\n".join([f"# {group}\n", index, "", *map(entry, members)])


def rooms() -> Iterator[tuple[str, str]]:
    """Yield a page for each room of the package: what its modules do, and their source."""
    for room in sorted(path.parent for path in (ROOT / "autograd_lite").glob("*/__init__.py")):
        about = docstring(room / "__init__.py")
        text = [f"# {room.name}", markdown(about)]
        modules = [path for path in sorted(room.rglob("*.py")) if not path.name.startswith("_")]
        # Those that the room's docstring names stand first, in its order.
        for path in sorted(modules, key=lambda path: about.find(f"`{path.name}`") % 1_000_000):
            title = path.relative_to(room).as_posix()
            source = path.read_text("utf-8").rstrip()
            text += [
                f"## {title} {{ #{slug(title)} }}",
                markdown(docstring(path)),
                f"```python\n{source}\n```",
            ]
        yield f"inside/{room.name}.md", "\n\n".join(text)


def docstring(path: Path) -> str:
    """Return the docstring of a module."""
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


# --- Notebooks -------------------------------------------------------------------------------------


def notebooks() -> Iterator[tuple[str, str]]:
    """Yield the notebooks as pages."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = "\n\n".join(cells(path))
        link = f'<p class="download"><a href="{path.name}" download>Download this notebook</a></p>'
        title, _, rest = text.partition("\n")
        yield f"{path.stem}.md", f"{title}\n\n{link}\n\n{to_pages(rest)}"


def cells(path: Path) -> Iterator[str]:
    """Yield the cells of a notebook, each followed by its outputs, as Markdown."""
    for read in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(read["source"])
        if read["cell_type"] == "markdown":
            yield source
        elif source:
            yield f"```python\n{source}\n```"
            yield from map(output, read["outputs"])


def output(saved: dict[str, Any]) -> str:
    """An output in the richest form that it was saved in."""
    if saved["output_type"] == "stream":
        return held(f'<pre class="output">{html.escape("".join(saved["text"]))}</pre>')
    forms = {kind: "".join(text) for kind, text in saved["data"].items()}
    if "text/markdown" in forms:
        return forms["text/markdown"]
    if "text/html" in forms:
        return held(f'<div class="output">{forms["text/html"]}</div>')
    if "text/latex" in forms:
        return forms["text/latex"]
    if "image/png" in forms:
        picture = f'<img alt="plot" src="data:image/png;base64,{"".join(forms["image/png"].split())}">'
        return held(f'<div class="output">{picture}</div>')
    return held(f'<pre class="output">{html.escape(forms["text/plain"])}</pre>')


def held(text: str) -> str:
    """Hold the place of HTML, which Markdown would read."""
    place = f"output-{len(OUTPUTS)}-"
    OUTPUTS[place] = text
    return f'<div id="{place}"></div>'


# --- What mkdocs calls -----------------------------------------------------------------------------


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file holds."""
    for path, text in [*readme(), *reference(), *rooms(), *notebooks()]:
        files.append(File.generated(config, path, content=text))
    style = Path(__file__).with_name("site.css").read_text("utf-8")
    files.append(File.generated(config, "site.css", content=style))
    return files


def on_page_content(content: str, page: Page, **kwargs: Any) -> str:
    """Write formulas as MathML, and put outputs in their places."""
    content = re.sub(
        r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>',
        lambda found: convert(html.unescape(found[2]), display="block" if found[1] == "div" else "inline"),
        content,
        flags=re.S,
    )
    return re.sub(r'<div id="(output-\d+-)"></div>', lambda found: OUTPUTS[found[1]], content)
