"""Check what a wheel holds: python .ci/check_wheel.py compiled|pure WHEEL, from the root of the checkout."""

import sys
import zipfile
from pathlib import Path, PurePosixPath

form, wheel = sys.argv[1], Path(sys.argv[2])
package = Path("autograd_lite")
files = [PurePosixPath(name) for name in zipfile.ZipFile(wheel).namelist()]

needed = {
    path.as_posix()
    for pattern in ("py.typed", "**/*.py", "**/*.pyi", "datasets/*.csv", "datasets/*.txt")
    for path in package.glob(pattern)
}
absent = needed - {*map(str, files)}
foreign = [
    str(file)
    for file in files
    if not file.parts[0].startswith(("autograd_lite-", "autograd_lite")) or file.suffix in (".c", ".o")
]
libraries = sorted(file.name.partition(".")[0] for file in files if file.suffix in (".so", ".pyd"))
compiled = sorted(path.stem for path in package.glob("core/*.pxd")) if form == "compiled" else []

problems = [
    f"it lacks {sorted(absent)}" if absent else "",
    f"it holds more than the package: {foreign}" if foreign else "",
    f"it holds libraries of {libraries}, not of {compiled}" if libraries != compiled else "",
    "its tag is wrong" if wheel.stem.endswith("-none-any") == bool(compiled) else "",
]
if any(problems):
    sys.exit(f"{wheel.name}: {'; '.join(filter(None, problems))}")
print(f"{wheel.name}: {len(files)} files, {len(libraries)} of them libraries")
