"""The terminal: streams that are closed or full, and names that are long or hold control characters."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from autograd_lite.cli.terminal import Outlet, bounded, counted, short, some
from autograd_lite.notation.columns import width
from tests.cli.common import COMMAND, PENGUINS, QUICK


def test_predict_is_quiet_when_its_reader_leaves(run, model):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "predict", model, PENGUINS], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.returncode == 141
    assert len(done.stderr.splitlines()) == 2  # the missing fields and the accuracy


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written(run, model):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "predict", model, PENGUINS], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "autograd-lite: cannot write the output: No space left on device"


STREAMS = {
    "stdout closed": (">&-", 2, "cannot write the output: Bad file descriptor"),
    "stdout full": (">/dev/full", 2, "cannot write the output: No space left on device"),
    "stdout gone": ("| true", 141, ""),
    "reader of one line": ("| head -1", 141, ""),
    "stderr closed": ("2>&-", 0, ""),
    "stderr full": ("2>/dev/full", 0, ""),
    "stderr gone": ("2> >(true)", 0, ""),
    "all closed": ("<&- >&- 2>&-", 2, ""),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("name", STREAMS)
def test_a_model_is_saved_whatever_becomes_of_the_streams(run, name):
    lost, code, said = STREAMS[name]
    command = " ".join([*COMMAND, "train", "--epochs", "2", "--save", "model.json"])
    script = f"{command} {lost}\nexit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert run("predict", "model.json", PENGUINS)[0] == 0


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["explain", "x", "x=1", "--wrt", "x"], ["x"]]
)
def test_closed_streams_end_no_command_in_a_traceback(run, arguments):
    for lost in (">&-", ">/dev/full", "2>&-", ">&- 2>&-"):
        script = f"{' '.join([*COMMAND, *arguments])} {lost}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        assert done.returncode == (0 if lost == "2>&-" and arguments != ["x"] else 2), (lost, done.stderr)
        assert done.stderr.count("\n") <= 1
        assert "Traceback" not in done.stderr


def test_names_cannot_break_the_layout_or_steer_the_terminal(run):
    Path("f.csv").write_text('x,"y\nz"\n1,"a\x1b[31m\nb"\n2,c\n' + '1,"a\x1b[31m\nb"\n2,c\n')
    code, out, _ = run("train", "f.csv", *QUICK)
    assert code == 0
    assert "\x1b" not in out
    assert "predicts  y z: a\N{REPLACEMENT CHARACTER}[31m b, c\n" in out


def test_no_output_holds_a_control_character_of_the_data(run):
    controls = "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32), *range(127, 160)]))
    text = f"x,{controls}y\n1,a{controls}\n2,c\n" * 1 + f"1,a{controls}\n2,c\n"
    Path("d.csv").write_text(text, encoding="utf-8")
    saved = f"m{chr(27)}.json"
    for arguments in (["train", "d.csv", "--save", saved, *QUICK], ["predict", saved, "d.csv"]):
        code, out, err = run(*arguments)
        assert code == 0
        assert "\N{REPLACEMENT CHARACTER}" in out
        assert not set(controls) & set(out + err)


def test_error_lines_are_bounded(run):
    long = "n" * 100_000
    for arguments in (
        ["train", "--target", long],
        ["train", long],
        ["draw", f"{long[:1900]}(x)", "x=1"],
        [long],
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert max(map(len, err.splitlines())) < 600
    Path("d.csv").write_text(f"{long},y\n1,a{long}\n2,b\n" * 1 + f"1,a{long}\n2,b\n")
    code, out, _ = run("train", "d.csv", *QUICK)
    assert code == 0
    assert max(map(len, out.splitlines())) < 80
    assert len(out.splitlines()) < 25


def test_a_name_is_cut_off_by_the_columns_it_takes():
    assert short("x" * 30) == "x" * 30
    assert short("x" * 31) == "x" * 29 + "…"
    assert short("名" * 15) == "名" * 15
    assert width(short("名" * 16)) <= 30
    assert short("a\n b\x1b") == "a b\N{REPLACEMENT CHARACTER}"


def test_a_message_keeps_its_ends():
    assert bounded("a" * 500) == "a" * 500
    assert bounded("a" * 300 + "b" * 100 + "c" * 190) == f"{'a' * 300} … {'c' * 190}"


def test_of_many_names_twelve_are_shown():
    assert some(list("abc")) == "a, b, c"
    assert some(list("abcdefghijkl")).endswith("k, l")
    assert some(list("abcdefghijklmn")).endswith("k, l and 2 more")
    assert counted({"sex": 11, "is\nland": 2}) == "sex 11, is land 2"


def test_an_outlet_whose_reader_has_left_takes_what_follows():
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        outlet = Outlet(stream)
        assert outlet.write("first") == 5
        outlet.flush()
        assert isinstance(outlet.failure, BrokenPipeError)
        outlet.write("second")
        outlet.flush()


def test_an_outlet_of_a_stream_closed_before_the_start_takes_what_follows():
    outlet = Outlet(None)
    assert outlet.failure.errno == errno.EBADF
    outlet.write("nowhere")
    outlet.flush()
    outlet.close()
