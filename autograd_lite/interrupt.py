"""Ctrl-C while the command starts: the process ends without a traceback.

Importing the package takes a third of a second, in which `cli.main` cannot catch anything yet. A program that
imports the library keeps its own handling.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path


def _is_command() -> bool:
    """Whether this process runs the command, and nobody has chosen what Ctrl-C does."""
    program = sys.argv[0] if sys.argv else ""
    # "-m" is what stands there while Python looks for the module to run, which then is in this package.
    return (
        (program == "-m" or Path(program).stem == "autograd-lite")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


_held = _is_command()
if _held:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def release() -> None:
    """Let Ctrl-C raise `KeyboardInterrupt` again."""
    global _held
    if _held:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _held = False
