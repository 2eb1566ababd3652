"""files: every file that the library writes is whole, or what stood there before stays."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_lite.files import check_writable, read_whole, write_whole
from tests.optional import needs_matplotlib
from tests.pictures.graphs import needs_graphviz

# Each writes more than the 4,096 bytes that the process may write, to "out" or as PLACES says.
WRITERS = {
    "nn.save": "MLP(3, [40, 40]).save('out')",
    "Picture.save": "draw(loss).save('out')",
    "Picture.render": "draw(loss).render('source', outfile='out', format='svg')",
    "Player.save": "play(loss).save('out')",
    "train --save": "main(['train', '--epochs', '1', '--hidden', '60', '--no-progress', '--save', 'out'])",
    "train --report": "main(['train', '--epochs', '1', '--no-progress', '--report', 'folder'])",
    "draw -o svg": "main(['draw', 'sin(x)*exp(x)*x', 'x=1', '-o', 'out.svg'])",
    "draw -o html": "main(['draw', 'sin(x)*exp(x)*x', 'x=1', '-o', 'out.html'])",
}
PLACES = {"train --report": "folder/report.html", "draw -o svg": "out.svg", "draw -o html": "out.html"}
NEEDS = {"train --report": needs_matplotlib} | dict.fromkeys(
    ("Picture.render", "Player.save", "draw -o svg", "draw -o html"), needs_graphviz
)
CHILD = """
import resource, sys
from autograd_lite import MLP, Value, draw, play
from autograd_lite.cli import main
x = Value(1.0, "x")
loss = ((x * 2.0).sin() + x.exp()) * x
loss.backward()
if {limit}:
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    sys.exit({action})
except OSError as error:
    print(f"OSError: {{error.strerror}}", file=sys.stderr)
    sys.exit(2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit is one of POSIX")
@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS.get(name, ())) for name in WRITERS])
def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_other(tmp_path, name):
    target = tmp_path / PLACES.get(name, "out")
    target.parent.mkdir(exist_ok=True)
    target.write_text("old")
    before = {path for path in tmp_path.rglob("*") if path.suffix != ".gv"}
    command = [sys.executable, "-c", CHILD.format(limit=4096, action=WRITERS[name])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert target.read_text() == "old"
    assert {path for path in tmp_path.rglob("*") if path.name not in ("source", "out.gv")} == before
    # The same without the limit replaces it.
    command[-1] = CHILD.format(limit=0, action=WRITERS[name])
    subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert target.stat().st_size > 4096


def test_a_file_is_replaced_through_a_link_and_keeps_its_mode(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, b"new")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", 0o640)
    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link"}


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    write_whole(tmp_path / ("n" * 255), b"x")
    with pytest.raises(OSError, match="too long"):
        write_whole(tmp_path / ("n" * 256), b"x")


def test_a_device_is_written_to_as_it_is():
    write_whole("/dev/null", b"x")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left on device"):
        write_whole("/dev/full", b"x")


@pytest.mark.parametrize(
    ("place", "reason"),
    [("", "it is a folder"), ("no/file", "No such file or directory"), ("link", "No such file or directory")],
)
def test_what_cannot_be_written_is_known_before(tmp_path, place, reason):
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "file")  # its own folder is there
    for attempt in (lambda path: check_writable(path, 10), lambda path: write_whole(path, b"x" * 10)):
        with pytest.raises(OSError, match=re.escape(reason)) as raised:
            attempt(tmp_path / place)
        assert raised.value.filename == str(tmp_path / place)


def test_a_check_changes_nothing(tmp_path):
    file = tmp_path / "file"
    check_writable(file, 10)
    assert list(tmp_path.iterdir()) == []
    file.write_bytes(b"old")
    check_writable(file, 10)
    assert file.read_bytes() == b"old"
    with pytest.raises(OSError, match="it is not a regular file"):
        check_writable("/dev/null", 10)


def test_a_limit_is_what_may_be_read(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_whole(file, 5) == b"12345"
    with pytest.raises(ValueError, match="longer than 4 bytes"):
        read_whole(file, 4)
    with pytest.raises(ValueError, match="longer than 1,000 bytes"):
        read_whole(Path("/dev/zero"), 1000)
