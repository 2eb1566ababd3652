"""Try the installed package, its engine compiled or pure: python -W error .ci/smoke_test.py compiled|pure."""

import math
import pickle
import subprocess
import sys

from autograd_lite import Value, core, grad

form = "compiled" if core.compiled else "pure"
if form != sys.argv[1]:
    sys.exit(f"{core.__file__}: the engine is {form}, not {sys.argv[1]}")

x = Value(0.5, "x")
y = pickle.loads(pickle.dumps((x * 3.0 - 1.0).tanh()))
y.backward()
[x] = [node for node in core.topological_order(y) if node.label == "x"]
slope = 3.0 / math.cosh(0.5) ** 2
curvature = -6.0 * math.tanh(0.5) * slope
assert math.isclose(x.grad, slope, rel_tol=1e-14), x
assert math.isclose(grad(grad(lambda x: (x * 3.0 - 1.0).tanh()))(0.5), curvature, rel_tol=1e-14)

# -P: the package in the current folder is not the one that is installed.
command = [sys.executable, "-P", "-m", "autograd_lite", "explain", "tanh(w*x)", "w=0.5", "x=2", "--wrt", "w"]
shown = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
assert "tanh" in shown, shown
print(f"{core.__file__}: {form}, and it works")
