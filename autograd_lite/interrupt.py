"""Ctrl-C while the command starts: the process ends without a traceback.

Importing the package takes 0.4 seconds, during which `cli.main` cannot catch anything yet. A program
that imports the library keeps its own handling of Ctrl-C.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path


def _is_command() -> bool:
    """Return whether this process runs the command and leaves Ctrl-C to Python's own handler."""
    program = sys.argv[0] if sys.argv else ""
    # Under ``python -m autograd_lite`` the program is "-m" until Python has found the module to run.
    return (
        (program == "-m" or Path(program).stem == "autograd-lite")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


_held = _is_command()
if _held:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def release() -> None:
    """Let Ctrl-C raise `KeyboardInterrupt` again, for the command to catch."""
    global _held
    if _held:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _held = False
