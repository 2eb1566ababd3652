"""Fixtures of the tests of the commands."""

import shutil
from pathlib import Path

import pytest

from autograd_lite.cli import main


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run the command in an empty folder; return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return command


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "model.json"
    assert main(["train", "--epochs", "3", "--save", str(path), "--no-progress"]) == 0
    return path


@pytest.fixture
def model(run, trained) -> Path:
    """A model of the penguins, trained for a moment, in a file that may be spoiled."""
    return Path(shutil.copy(trained, "model.json"))
