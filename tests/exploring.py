"""Whether random tests try what they always try, or something new.

A normal run is fixed: the same examples, programs and expressions every time, and a failure is that of the
change at hand. With a whole number in the environment variable ``EXPLORE`` hypothesis draws other examples
and the fuzzers begin at that seed. CI does so once a week (`.github/workflows/explore.yml`).
"""

import os

EXPLORE = os.environ.get("EXPLORE", "")
FIRST = int(EXPLORE or 0)  # the first seed of random programs and expressions
