"""What is tried of each engine, a row of README's table of features at a time.

A class is a row. Its docstring says what is tried, and it has a function for each engine, named for the
package, which tries it as users of that engine would write it. The function returns whether that worked, or
how far in a word or two. It raises only if the attempt itself is wrong. `__main__.py` runs the attempts.
"""

from __future__ import annotations

import io
import math
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENGINES = {
    "autograd_lite": "autograd_lite",
    "micrograd": "micrograd",
    "torch": "PyTorch",
    "jax": "JAX",
    "autograd": "HIPS autograd",
    "xad": "XAD",
    "casadi": "CasADi",
}
# What they draw or serialize with.
HELPERS = {"torch": ["pydot"], "casadi": ["pydot"], "jax": ["flatbuffers"]}


class Feature:
    """A row."""

    alone = False  # whether trying it may kill the process: it then gets one of its own


def refuses(error: Any, action: Callable[[], Any]) -> bool:
    """Whether the action raises that error."""
    try:
        action()
    except error:
        return True
    return False


def close(got: Any, *wanted: float) -> bool:
    return all(math.isclose(float(g), w, rel_tol=1e-12) for g, w in zip(got, wanted, strict=True))


def xad_gradient(function: Callable[[Any], Any], at: float) -> float:
    from xad.adj_1st import Real, Tape

    with Tape() as tape:
        x = Real(at)
        tape.registerInput(x)
        tape.newRecording()
        y = function(x)
        tape.registerOutput(y)
        y.derivative = 1.0
        tape.computeAdjoints()
        return x.derivative  # type: ignore[no-any-return]


class Drawn(Feature):
    """draws the graph, with values and gradients"""

    def autograd_lite():
        from autograd_lite import Value, draw

        w = Value(0.5, "w")
        loss = (w * 3.0).tanh()
        loss.backward()
        text = draw(loss).source
        return "0.9051" in text and "0.5421" in text

    def micrograd():
        import micrograd.engine

        return any("draw" in name for name in [*dir(micrograd.engine), *dir(micrograd.engine.Value)])

    def torch():
        import torch
        from torch.fx.passes.graph_drawer import FxGraphDrawer

        graph = torch.fx.symbolic_trace(lambda w: torch.tanh(w * 3.0))
        text = FxGraphDrawer(graph, "loss").get_dot_graph().to_string()
        return "graph only" if "tanh" in text else False

    def jax():
        import jax

        lowered = jax.jit(lambda w: jax.numpy.tanh(w * 3.0)).lower(0.5)
        text = lowered.compiler_ir(dialect="hlo").as_hlo_dot_graph()
        return "graph only" if "tanh" in text else False

    def autograd():
        import autograd

        return any("draw" in name or "dot" in name for name in dir(autograd))

    def xad():
        import xad.adj_1st

        return any("draw" in name or "dot" in name for name in [*dir(xad), *dir(xad.adj_1st.Tape)])

    def casadi():
        import casadi
        from casadi.tools.graph import dotgraph

        text = dotgraph(casadi.tanh(casadi.SX.sym("w") * 3)).to_string()
        return "graph only" if "tanh" in text else False


class Explained(Feature):
    """writes out the chain rule: symbols, formulas, numbers"""

    def autograd_lite():
        from autograd_lite import Value, explain

        w, x = Value(0.5, "w"), Value(3.0, "x")
        loss = (w * x).tanh()
        loss.label = "loss"
        text = explain(loss, w).latex
        return all(part in text for part in (r"\frac{\partial", r"\mathrm{loss}^{2}", "0.54212"))

    def micrograd():
        from micrograd.engine import Value

        w = Value(0.5)
        (w * 3.0).backward()
        return "w" in repr(w)  # "Value(data=0.5, grad=3.0)"

    def torch():
        import torch
        from torch.fx.experimental.proxy_tensor import make_fx

        gradient = make_fx(torch.func.grad(lambda w: torch.tanh(w * 3.0)))(torch.tensor(0.5))
        return "as a listing" if "aten.tanh" in gradient.code else False

    def jax():
        import jax

        text = str(jax.make_jaxpr(jax.grad(lambda w: jax.numpy.tanh(w * 3.0)))(0.5))
        return "as a listing" if "tanh" in text else False

    def autograd():
        import autograd

        return any(word in name for name in dir(autograd) for word in ("explain", "latex", "print"))

    def xad():
        from xad.adj_1st import Tape

        return any(word in name for name in dir(Tape) for word in ("explain", "latex", "expression"))

    def casadi():
        import casadi

        w = casadi.SX.sym("w")
        return "formula" if "tanh" in str(casadi.gradient(casadi.tanh(w * 3), w)) else False


class Source(Feature):
    """writes the gradient as source code that runs without the library"""

    def autograd_lite():
        from autograd_lite import compile

        program = compile(lambda w: (w * 3.0).tanh(), 0.5)
        names: dict[str, Any] = {}
        exec(program.source, names)
        python = names["program"](0.5) == program(0.5) and "autograd_lite" not in program.source
        return "Python, C" if python and "#include <math.h>" in program.c_source else False

    def micrograd():
        from micrograd.engine import Value

        return any(word in name for name in dir(Value) for word in ("source", "code", "compile"))

    def torch():
        import torch
        from torch.fx.experimental.proxy_tensor import make_fx

        gradient = make_fx(torch.func.grad(lambda w: torch.tanh(w * 3.0)))(torch.tensor(0.5))
        return "torch" not in gradient.code

    def jax():
        import jax

        text = jax.jit(jax.grad(lambda w: jax.numpy.tanh(w * 3.0))).lower(0.5).as_text()
        return "stablehlo" not in text  # MLIR, which XLA runs

    def autograd():
        import autograd

        return any(word in name for name in dir(autograd) for word in ("source", "code", "compile"))

    def xad():
        from xad.adj_1st import Tape

        return any(word in name for name in dir(Tape) for word in ("source", "code", "compile"))

    def casadi():
        import casadi

        w = casadi.SX.sym("w")
        f = casadi.Function("f", [w], [casadi.gradient(casadi.tanh(w * 3), w)])
        f.generate("f.c")
        text = Path("f.c").read_text()
        return "C" if "tanh" in text and "casadi.h" not in text else False


def network(w: Any, n: int) -> Any:
    """Two layers of n neurons with squares for activations: every engine has + and ×."""
    h, weights = [0.1 * k for k in range(1, n + 1)], iter(w)
    for _ in range(2):
        z = [sum(next(weights) * hj for hj in h) for _ in range(n)]
        h = [zi * zi for zi in z]
    return sum(h)


def weights(n: int) -> list[float]:
    return [0.01 * (k % 7) + 0.05 for k in range(2 * n * n)]


def found(size: Callable[[int], int]) -> bool:
    """Whether what an engine makes of the network hardly grows where that has four times the operations."""
    return size(12) < 2 * size(6)


class Rolled(Feature):
    """recovers a network's loops from scalar code"""

    def autograd_lite():
        from autograd_lite import Value, compile

        return found(lambda n: len(compile(network(list(map(Value, weights(n))), n)).loops.splitlines()))

    def micrograd():
        from micrograd.engine import Value

        def size(n):
            seen, stack = set(), [network(list(map(Value, weights(n))), n)]
            while stack:
                v = stack.pop()
                if v not in seen:
                    seen.add(v)
                    stack += v._prev
            return len(seen)

        return found(size)

    def torch():
        import torch
        from torch.fx.experimental.proxy_tensor import make_fx

        def size(n):
            gradient = torch.func.grad(lambda w: network(w, n))
            return len(make_fx(gradient)(torch.tensor(weights(n))).code.splitlines())

        return found(size)

    def jax():
        import jax

        def size(n):
            gradient = jax.jit(jax.grad(lambda w: network(w, n)))
            return len(gradient.lower(weights(n)).as_text().splitlines())

        return found(size)

    def autograd():
        from autograd.tracer import Node, trace

        class Counting(Node):
            def __init__(self, value, function, args, kwargs, numbers, parents):
                Counting.count += 1

            def initialize_root(self):
                Counting.count = 0

        def size(n):
            trace(Counting.new_root(), lambda w: network(w, n), weights(n))
            return Counting.count

        return found(size)

    def xad():
        from xad.adj_1st import Real, Tape

        def size(n):
            with Tape() as tape:
                w = list(map(Real, weights(n)))
                tape.registerInputs(w)
                tape.newRecording()
                network(w, n)
                return tape.getPosition()

        return found(size)

    def casadi():
        import casadi

        def size(n):
            w = casadi.SX.sym("w", 2 * n * n)
            loss = network(casadi.vertsplit(w), n)
            return casadi.Function("f", [w], [casadi.gradient(loss, w)]).n_instructions()

        return found(size)


def exact(derivative: Callable[[float], Any]) -> bool:
    """Whether it is σ′(z) = e^−|z| / (1 + e^−|z|)², whose denominator at ±700 is 1."""
    return close([derivative(700.0), derivative(-700.0)], math.exp(-700.0), math.exp(-700.0))


class Saturated(Feature):
    """exact where σ saturates: σ′(±700) = 9.86·10⁻³⁰⁵"""

    def autograd_lite():
        from autograd_lite import grad, sigmoid

        return exact(grad(sigmoid))

    def micrograd():
        from micrograd.engine import Value

        return hasattr(Value, "sigmoid") or hasattr(Value, "exp")

    def torch():
        import torch

        return exact(lambda z: torch.func.grad(torch.sigmoid)(torch.tensor(z, dtype=torch.float64)))

    def jax():
        import jax

        return exact(jax.grad(jax.nn.sigmoid))

    def autograd():
        from autograd import grad
        from autograd.scipy.special import expit

        return exact(grad(expit))

    def xad():
        from xad.math import exp

        return exact(lambda z: xad_gradient(lambda x: 1.0 / (1.0 + exp(-x)), z))

    def casadi():
        import casadi

        x = casadi.SX.sym("x")
        return exact(casadi.Function("f", [x], [casadi.gradient(1 / (1 + casadi.exp(-x)), x)]))


class Domain(Feature):
    """raises outside an operation's domain, and names the operands"""

    def autograd_lite():
        from autograd_lite import Value, log

        try:
            log(Value(-1.0, "balance"))
        except ValueError as error:
            return "log" in str(error) and "balance" in str(error)
        return False

    def micrograd():
        from micrograd.engine import Value

        return "raises" if refuses(ZeroDivisionError, lambda: 1.0 / Value(0.0)) else False

    def torch():
        import torch

        x = torch.tensor(-1.0, requires_grad=True)
        if refuses(RuntimeError, lambda: torch.sqrt(x)):
            return True
        with torch.autograd.set_detect_anomaly(True):
            return "on request" if refuses(RuntimeError, lambda: torch.sqrt(x).backward()) else False

    def jax():
        import jax

        if refuses(FloatingPointError, lambda: jax.numpy.log(-1.0)):
            return True
        with jax.debug_nans(True):
            return "on request" if refuses(FloatingPointError, lambda: jax.numpy.log(-1.0)) else False

    def autograd():
        import autograd.numpy as np
        from autograd import grad

        if refuses(FloatingPointError, lambda: grad(np.log)(-1.0)):
            return True
        with np.errstate(all="raise"):
            return "on request" if refuses(FloatingPointError, lambda: grad(np.log)(-1.0)) else False

    def xad():
        from xad.math import log

        return refuses(ValueError, lambda: xad_gradient(log, -1.0))

    def casadi():
        import casadi

        x = casadi.SX.sym("x")
        return refuses(RuntimeError, lambda: casadi.Function("f", [x], [casadi.log(x)])(-1.0))


class Changed(Feature):
    """no silently wrong gradient if numbers change after recording"""

    def autograd_lite():
        from autograd_lite import Value

        x = Value(2.0)
        y = x * x
        x.data = 10.0
        y.backward()
        return x.grad == 4.0

    def micrograd():
        from micrograd.engine import Value

        x = Value(2.0)
        y = x * x
        x.data = 10.0
        y.backward()
        return x.grad == 4.0

    def torch():
        import torch

        def change(how):
            x = torch.tensor(2.0, requires_grad=True)
            y = x * x
            how(x)
            y.backward()
            return x.grad == 4.0

        def in_place(x):
            with torch.no_grad():
                x.add_(8.0)

        def as_data(x):
            x.data = torch.tensor(10.0)

        noticed = refuses(RuntimeError, lambda: change(in_place)) and refuses(
            RuntimeError, lambda: change(lambda x: x.data.add_(8.0)) or change(as_data)
        )
        return noticed or (refuses(RuntimeError, lambda: change(in_place)) and "not by `.data`")

    def jax():
        import jax.numpy as jnp

        def assign():
            jnp.ones(1)[0] = 10.0

        return refuses(TypeError, assign)

    def autograd():
        import autograd.numpy as np
        from autograd import make_vjp

        x = np.array([2.0])
        backward, _ = make_vjp(lambda x: x * x)(x)
        x[0] = 10.0
        return backward(np.ones(1))[0] == 4.0

    def xad():
        from xad.adj_1st import Real

        x = Real(2.0)

        def assign():
            x.value = 10.0

        return refuses(AttributeError, assign)

    def casadi():
        import casadi

        x, at = casadi.SX.sym("x"), casadi.DM(2.0)
        _, gradient = casadi.Function("f", [x], [x * x, casadi.gradient(x * x, x)])(at)
        at[0] = 10.0
        return gradient == 4.0


def refused(v: Any, error: Any = TypeError) -> bool:
    return refuses(error, lambda: float(v)) and refuses(error, lambda: math.exp(v))


class Dropped(Feature):
    """`float(v)`, `math.exp(v)` refuse to drop the gradient"""

    def autograd_lite():
        from autograd_lite import Value

        return refused(Value(1.0))

    def micrograd():
        from micrograd.engine import Value

        return refused(Value(1.0))

    def torch():
        import torch

        return refused(torch.tensor(1.0, requires_grad=True))

    def jax():
        import jax

        error = jax.errors.ConcretizationTypeError
        seen = []
        jax.grad(lambda x: seen.append(refused(x, error)) or x)(1.0)
        return all(seen)

    def autograd():
        from autograd import grad

        seen = []
        grad(lambda x: seen.append(refused(x)) or x)(1.0)
        return all(seen)

    def xad():
        from xad.adj_1st import Real

        return refused(Real(1.0))

    def casadi():
        import casadi

        return refused(casadi.SX.sym("x"), (TypeError, RuntimeError))


class Twice(Feature):
    """gradients accumulate over repeated and overlapping `backward` calls"""

    # s = a², u = 3s, v = 5s at a = 2: du/da = 12, dv/da = 20; both, and the second once more: 52.

    def autograd_lite():
        from autograd_lite import Value

        a = Value(2.0)
        s = a * a
        u, v = 3.0 * s, 5.0 * s
        for result in (u, v, v):
            result.backward()
        return a.grad == 52.0

    def micrograd():
        from micrograd.engine import Value

        a = Value(2.0)
        s = a * a
        u, v = 3.0 * s, 5.0 * s
        for result in (u, v, v):
            result.backward()
        return a.grad == 52.0

    def torch():
        import torch

        a = torch.tensor(2.0, requires_grad=True)
        s = a * a
        u, v = 3.0 * s, 5.0 * s
        for result in (u, v, v):
            result.backward(retain_graph=True)
        return a.grad == 52.0

    def jax():
        import jax

        _, backward = jax.vjp(lambda a: (3.0 * (a * a), 5.0 * (a * a)), 2.0)
        return sum(backward(seed)[0] for seed in ((1.0, 0.0), (0.0, 1.0), (0.0, 1.0))) == 52.0

    def autograd():
        import autograd.numpy as np
        from autograd import make_vjp

        def f(a):
            s = a * a
            return np.array([3.0 * s, 5.0 * s])

        backward, _ = make_vjp(f)(2.0)
        return sum(backward(np.array(seed)) for seed in ([1.0, 0.0], [0.0, 1.0], [0.0, 1.0])) == 52.0

    def xad():
        from xad.adj_1st import Real, Tape

        with Tape() as tape:
            a = Real(2.0)
            tape.registerInput(a)
            tape.newRecording()
            s = a * a
            u, v = 3.0 * s, 5.0 * s
            total = 0.0
            for result in (u, v, v):
                tape.clearDerivatives()
                tape.registerOutput(result)
                result.derivative = 1.0
                tape.computeAdjoints()
                total += a.derivative
        return total == 52.0

    def casadi():
        import casadi

        a = casadi.SX.sym("a")
        s = a * a
        backward = casadi.Function("b", [a], [casadi.gradient(3 * s, a), casadi.gradient(5 * s, a)])
        u, v = backward(2.0)
        return u + v + v == 52.0


class Deep(Feature):
    """a graph 1,000,000 operations deep"""

    alone = True
    depth = 1_000_000

    def autograd_lite():
        from autograd_lite import Value

        x = h = Value(1.0)
        for _ in range(Deep.depth):
            h = h * 1.0
        h.backward()
        return x.grad == 1.0

    def micrograd():
        from micrograd.engine import Value

        h = Value(1.0)
        for _ in range(Deep.depth):
            h = h * 1.0
        if not refuses(RecursionError, h.backward):
            return True
        sys.setrecursionlimit(10**9)
        return "raised limit" if not refuses(RecursionError, h.backward) else False

    def torch():
        import torch

        x = h = torch.tensor(1.0, requires_grad=True)
        for _ in range(Deep.depth):
            h = h * 1.0
        h.backward()
        return x.grad == 1.0

    def jax():
        import jax

        def f(x):  # a loop in Python would be traced and compiled for many minutes
            return jax.lax.scan(lambda h, _: (h * 1.0, None), x, length=Deep.depth)[0]

        return jax.grad(f)(1.0) == 1.0

    def autograd():
        from autograd import grad

        def f(x):
            for _ in range(Deep.depth):
                x = x * 1.0
            return x

        return grad(f)(1.0) == 1.0

    def xad():
        def f(x):
            for _ in range(Deep.depth):
                x = x * 1.0
            return x

        return xad_gradient(f, 1.0) == 1.0

    def casadi():
        import casadi

        x = h = casadi.SX.sym("x")
        for _ in range(Deep.depth):
            h = casadi.sin(h)
        f = casadi.Function("f", [x], [casadi.gradient(h, x)])
        return 0.0 < float(f(1.0)) < 1e-6


class Pickled(Feature):
    """recorded graphs can be pickled"""

    wanted = math.sin(2.0) + 2.0 * math.cos(2.0)  # of x sin x, at 2

    def autograd_lite():
        from autograd_lite import Value, sin

        x = Value(2.0, "x")
        loss = pickle.loads(pickle.dumps(x * sin(x)))
        loss.backward()
        return close([loss.operands[0].grad], Pickled.wanted)

    def micrograd():
        from micrograd.engine import Value

        return not refuses(AttributeError, lambda: pickle.dumps(Value(2.0) * 2.0))

    def torch():
        import torch

        class XSinX(torch.nn.Module):
            def forward(self, x):
                return x * torch.sin(x)

        x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        file = io.BytesIO()
        torch.export.save(torch.export.export(XSinX(), (x,)), file)
        file.seek(0)
        torch.export.load(file).module()(x).backward()
        return close([x.grad], Pickled.wanted)

    def jax():
        import jax
        from jax import export

        f = export.export(jax.jit(lambda x: x * jax.numpy.sin(x)))(jax.ShapeDtypeStruct((), float))
        there = export.deserialize(bytearray(f.serialize(vjp_order=1)))
        return close([jax.grad(there.call)(2.0)], Pickled.wanted)

    def autograd():
        import autograd.numpy as np
        from autograd import make_vjp

        backward, _ = make_vjp(lambda x: x * np.sin(x))(2.0)
        return not refuses(AttributeError, lambda: pickle.dumps(backward))

    def xad():
        from xad.adj_1st import Tape

        return not refuses(TypeError, lambda: pickle.dumps(Tape()))

    def casadi():
        import casadi

        x = casadi.SX.sym("x")
        f = pickle.loads(pickle.dumps(casadi.Function("f", [x], [x * casadi.sin(x)])))
        return close([f.jacobian()(2.0, 0.0)], Pickled.wanted)


class Order(Feature):
    """derivatives of any order"""

    def autograd_lite():
        from autograd_lite import grad

        return grad(grad(grad(lambda x: x**4)))(2.0) == 48.0

    def micrograd():
        from micrograd.engine import Value

        x = Value(2.0)
        (x**4).backward()
        return hasattr(x.grad, "backward")  # a float: nothing to differentiate again

    def torch():
        from torch import tensor
        from torch.func import grad

        return grad(grad(grad(lambda x: x**4)))(tensor(2.0)) == 48.0

    def jax():
        import jax

        return jax.grad(jax.grad(jax.grad(lambda x: x**4)))(2.0) == 48.0

    def autograd():
        from autograd import grad

        return grad(grad(grad(lambda x: x**4)))(2.0) == 48.0

    def xad():
        from xad.adj_1st import Real

        return not refuses(TypeError, lambda: Real(Real(2.0)))  # as one nests types in XAD's C++

    def casadi():
        import casadi

        x = casadi.SX.sym("x")
        f = x**4
        for _ in range(3):
            f = casadi.gradient(f, x)
        return casadi.Function("f", [x], [f])(2.0) == 48.0


class Own(Feature):
    """your own primitive from one rule, differentiable to any order"""

    first = (math.cos(2.0) - math.sin(2.0) / 2.0) / 2.0  # at 2
    second = (-math.sin(2.0) - 2.0 * first) / 2.0

    def autograd_lite():
        from autograd_lite import cos, grad, primitive

        sinc = primitive("sinc", lambda x: math.sin(x) / x, lambda out, x: ((cos(x) - out) / x,))
        return close([grad(sinc)(2.0), grad(grad(sinc))(2.0)], Own.first, Own.second)

    def micrograd():
        from micrograd.engine import Value

        def sinc(x):
            out = Value(math.sin(x.data) / x.data, (x,), "sinc")

            def _backward():
                x.grad += (math.cos(x.data) - out.data) / x.data * out.grad

            out._backward = _backward
            return out

        x = Value(2.0)
        sinc(x).backward()
        return "first order" if close([x.grad], Own.first) else False

    def torch():
        import torch

        class Sinc(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                out = torch.sin(x) / x
                ctx.save_for_backward(x, out)
                return out

            @staticmethod
            def backward(ctx, upstream):
                x, out = ctx.saved_tensors
                return upstream * (torch.cos(x) - out) / x

        x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        (first,) = torch.autograd.grad(Sinc.apply(x), x, create_graph=True)
        (second,) = torch.autograd.grad(first, x)
        return close([first.detach(), second], Own.first, Own.second)

    def jax():
        import jax
        import jax.numpy as jnp

        @jax.custom_jvp
        def sinc(x):
            return jnp.sin(x) / x

        sinc.defjvps(lambda t, out, x: t * (jnp.cos(x) - out) / x)
        return close([jax.grad(sinc)(2.0), jax.grad(jax.grad(sinc))(2.0)], Own.first, Own.second)

    def autograd():
        import autograd.numpy as np
        from autograd import grad
        from autograd.extend import defvjp, primitive

        @primitive
        def sinc(x):
            return math.sin(x) / x

        defvjp(sinc, lambda out, x: lambda upstream: upstream * (np.cos(x) - out) / x)
        return close([grad(sinc)(2.0), grad(grad(sinc))(2.0)], Own.first, Own.second)

    def xad():
        import xad.adj_1st

        return hasattr(xad.adj_1st, "CheckpointCallback")  # C++ has it, for rules of one's own

    def casadi():
        import casadi

        class Sinc(casadi.Callback):
            def __init__(self):
                casadi.Callback.__init__(self)
                self.construct("sinc", {})

            def eval(self, given):
                x = float(given[0])
                return [math.sin(x) / x]

            def has_jacobian(self):
                return True

            def get_jacobian(self, name, inputs, outputs, options):
                x, out = casadi.MX.sym("x"), casadi.MX.sym("out")
                return casadi.Function(name, [x, out], [(casadi.cos(x) - sinc(x)) / x], inputs, outputs)

        sinc, x = Sinc(), casadi.MX.sym("x")
        first = casadi.gradient(sinc(x), x)
        f = casadi.Function("f", [x], [first, casadi.gradient(first, x)])
        return close(f(2.0), Own.first, Own.second)


class Arrays(Feature):
    """arrays as values, matrix products"""

    # The gradient of Σ (A x) by A's first row is x.

    A, x = [[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0]

    def autograd_lite():
        import numpy as np

        from autograd_lite import Value, compile, dot

        if not refuses(TypeError, lambda: Value(np.array(Arrays.A))):
            return True
        w = [Value(wi) for wi in Arrays.A[0]]
        _, gradients = compile(lambda x: dot(w, x), Arrays.x).batch(np.array([Arrays.x, Arrays.x]))
        return "batches" if close(gradients, *Arrays.x) else False

    def micrograd():
        import numpy as np
        from micrograd.engine import Value

        return not refuses(TypeError, lambda: Value(np.array(Arrays.A)) @ Value(np.array(Arrays.x)))

    def torch():
        import torch

        A = torch.tensor(Arrays.A, requires_grad=True)
        (A @ torch.tensor(Arrays.x)).sum().backward()
        return close(A.grad[0], *Arrays.x)

    def jax():
        import jax
        import jax.numpy as jnp

        return close(jax.grad(lambda A: (A @ jnp.array(Arrays.x)).sum())(jnp.array(Arrays.A))[0], *Arrays.x)

    def autograd():
        import autograd.numpy as np
        from autograd import grad

        return close(grad(lambda A: np.sum(np.dot(A, np.array(Arrays.x))))(np.array(Arrays.A))[0], *Arrays.x)

    def xad():
        import numpy as np
        from xad.adj_1st import Real

        return not refuses(TypeError, lambda: Real(np.array(Arrays.A)))

    def casadi():
        import casadi

        A = casadi.MX.sym("A", 2, 2)
        gradient = casadi.gradient(casadi.sum1(A @ casadi.DM(Arrays.x)), A)
        f = casadi.Function("f", [A], [gradient])
        return close(casadi.horzsplit(f(casadi.DM(Arrays.A))[0, :]), *Arrays.x)
