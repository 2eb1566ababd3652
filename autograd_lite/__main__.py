"""``python -m autograd_lite``: the command, as `cli` defines it."""

from autograd_lite.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
