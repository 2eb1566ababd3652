"""README's command lines, run in order as they stand there; its snippets are doctests."""

import re
import shlex
import subprocess
import sys

from tests.pictures.graphs import needs_graphviz
from tests.test_project import PACKAGE, ROOT


@needs_graphviz
def test_command_lines_run_in_order(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?:^|`)(autograd-lite [^`\n]+)", text, re.MULTILINE)
    assert {line.split()[1] for line in lines} == {"train", "predict", "gpt", "draw", "explain", "table"}
    (tmp_path / PACKAGE.name).symlink_to(PACKAGE)  # which holds the data
    for line in lines:
        if line == "autograd-lite gpt --save names.json":
            line += " --steps 20"  # the 1,000 that the reader takes would compile a program for each length
        command = [sys.executable, "-m", "autograd_lite", *shlex.split(line)[1:]]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        PACKAGE.name,
        "page.html",
        "loss.svg",
        "model.json",
        "names.json",
    }
