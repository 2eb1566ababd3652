"""``python -m autograd_lite``: the command, as `cli.py` has it."""

from autograd_lite.cli.classify import main

if __name__ == "__main__":
    raise SystemExit(main())
