"""What the package's page on an index shows: README with absolute links."""

import importlib.util
import re

import pytest

import autograd_lite
from tests.test_project import ROOT

pytest.importorskip("hatchling", reason="hatchling is not installed")
_spec = importlib.util.spec_from_file_location("describe", ROOT / ".build/describe.py")
hook = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hook)

REPOSITORY = "https://example.org/someone/autograd_lite"
LINK = re.compile(r'\]\((?!#)([^)\s]+)\)|<img src="([^"]+)"')


def described() -> dict:
    metadata = {"version": "9.8.7"}
    hook.Describe(str(ROOT), {}).update(metadata)
    return metadata


def links(text: str) -> list[str]:
    return [link or picture for link, picture in LINK.findall(text)]


def test_without_a_repository_the_page_is_the_readme(monkeypatch):
    monkeypatch.delenv("AUTOGRAD_LITE_REPOSITORY", raising=False)
    metadata = described()
    assert metadata["readme"]["text"] == (ROOT / "README.md").read_text("utf-8")
    assert metadata["urls"] == {}


def test_with_a_repository_every_link_is_absolute(monkeypatch):
    monkeypatch.setenv("AUTOGRAD_LITE_REPOSITORY", REPOSITORY + "/")
    metadata = described()
    text = metadata["readme"]["text"]
    found = links(text)
    assert len(found) == len(links((ROOT / "README.md").read_text("utf-8"))) > 10
    for link in found:
        kind, _, path = link.removeprefix(f"{REPOSITORY}/").partition("/v9.8.7/")
        assert kind == ("raw" if link.endswith(".svg") else "blob"), link
        assert (ROOT / path).exists(), link
    assert f"git clone {REPOSITORY} autograd_lite" in text
    assert metadata["urls"]["Changelog"] == f"{REPOSITORY}/blob/HEAD/notebooks/CHANGELOG.md"


def test_the_changelog_has_a_section_for_this_version():
    lines = (ROOT / "notebooks/CHANGELOG.md").read_text("utf-8").splitlines()
    assert next(line for line in lines if line.startswith("## ")) == f"## {autograd_lite.__version__}"
