"""The lock of traversals: the marks and adjoints of nodes serve one traversal at a time."""

import os
import threading
from contextlib import suppress

traversal = threading.RLock()
with suppress(AttributeError):  # Windows has no fork; elsewhere no child may inherit a lock that is held
    os.register_at_fork(
        before=traversal.acquire, after_in_parent=traversal.release, after_in_child=traversal.release
    )
