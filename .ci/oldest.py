"""Print the oldest versions that pyproject.toml allows, as constraints for pip: python .ci/oldest.py EXTRA...

Given to pip with ``-c``, they make it install these versions. A package without a lower bound is left out.
"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
for requirement in [
    *project["dependencies"],
    *[x for extra in sys.argv[1:] for x in project["optional-dependencies"][extra]],
]:
    if found := re.match(r"([\w-]+)(?:\[\w+\])?(?:>=|~=)([\d.]+)", requirement):
        print(f"{found[1]}=={found[2]}")
