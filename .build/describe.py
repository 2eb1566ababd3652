"""The build's hook for what the package index shows: the README, and links to the repository.

Links within the README lead nowhere on a page of the index. The variable AUTOGRAD_LITE_REPOSITORY makes them
absolute, and adds the project's links; the release workflow sets it to the address of the repository. Without
it, the README stays as it is.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

CHANGELOG = "notebooks/CHANGELOG.md"


class Describe(MetadataHookInterface):
    """Sets the fields `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the fields to the project's metadata."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        repository = os.environ.get("AUTOGRAD_LITE_REPOSITORY", "").rstrip("/")
        metadata["urls"] = urls(repository) if repository else {}
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute(text, repository, f"v{metadata['version']}") if repository else text,
        }


def urls(repository: str) -> dict[str, str]:
    """Return the project's links."""
    return {
        "Repository": repository,
        "Changelog": f"{repository}/blob/HEAD/{CHANGELOG}",
        "Issues": f"{repository}/issues",
    }


def absolute(text: str, repository: str, tag: str) -> str:
    """Return Markdown with absolute links to the files of the repository."""
    text = re.sub(r"(\]\()(?![a-z]+:|#)", rf"\g<1>{repository}/blob/{tag}/", text)
    text = re.sub(r'(<img src=")(?![a-z]+:)', rf"\g<1>{repository}/raw/{tag}/", text)
    return text.replace("git clone ADDRESS", f"git clone {repository}")
