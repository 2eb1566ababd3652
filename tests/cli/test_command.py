"""The command as a whole: its help, its exit codes, Ctrl-C, and limits that every command keeps."""

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_lite
from autograd_lite.cli import command, main, train
from tests.cli.common import COMMAND, QUICK


def commands() -> dict[str, argparse.ArgumentParser]:
    return dict(command.parsers()[1].choices)


def test_the_help_tells_the_defaults():
    told = {}
    for each in commands().values():
        for action in each._actions:
            if match := re.search(r"\(default: (\S+)\)$", action.help or ""):
                default = action.default[0] if isinstance(action.default, list) else action.default
                assert str(default) == match[1], action.option_strings
                told[action.dest] = default
    assert told.keys() == {
        *("hidden", "activation", "epochs", "lr", "batch_size", "seed"),
        *("steps", "width", "heads", "layers", "sample", "temperature"),
    }


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "train     learn to predict a class or a number"),
        (["train", "--help"], "--hidden UNITS"),
        (["predict", "--help"], "MODEL.json"),
        (["gpt", "--help"], "--temperature T"),
        (["--version"], f"autograd-lite {autograd_lite.__version__}\n"),
    ],
)
def test_help_and_version(capsys, monkeypatch, arguments, shown):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 0
    out = capsys.readouterr().out
    assert shown in out
    assert max(map(len, out.splitlines())) < 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tain"], "argument COMMAND: invalid choice: 'tain'"),
        (["train", "absent.csv"], "cannot read 'absent.csv': No such file or directory"),
        (["train", "."], "cannot read '.': Is a directory"),
        (["predict", "model.json"], "the following arguments are required: DATA.csv"),
    ],
)
def test_mistakes_in_the_command_line(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"autograd-lite: {message}")


def test_a_network_or_a_file_beyond_the_limits_is_one_line(run):
    expected = "a network of 14,000,000,003 parameters is too large, 2,000,000 are the most"
    code, out, err = run("train", "--hidden", 10**9, *QUICK)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err
    for arguments in (["train", "/dev/zero"], ["predict", "/dev/zero", "x"]):
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "/dev/zero" in err
        assert "is longer than 1" in err


def test_too_little_memory_is_one_line(run, monkeypatch):
    def all_of_it(path):
        raise MemoryError

    monkeypatch.setattr(train, "read_csv", all_of_it)
    expected = "autograd-lite: there is not enough memory for this: give it less data, or a smaller network\n"
    assert run("train", "d.csv") == (2, "", expected)


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_ctrl_c_while_the_package_is_imported_shows_no_traceback(run):
    # tqdm is imported long before the command runs, and here it stands for a slow import.
    Path("tqdm.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = subprocess.run(
            [*COMMAND, "train"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."}
        )
        library = subprocess.run(
            [sys.executable, "-c", "import autograd_lite"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": "."},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
    assert "KeyboardInterrupt" in library.stderr  # who imports the library keeps his own way


def test_the_bare_command_lists_the_commands(run, capsys):
    code, out, err = run()
    assert (code, err) == (0, "")
    for name in ("train", "predict", "draw", "explain", "table"):
        assert f"\n    {name} " in out
    with pytest.raises(SystemExit):
        main(["--help"])
    assert capsys.readouterr().out == out
