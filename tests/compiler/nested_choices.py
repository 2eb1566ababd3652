"""Random programs that nest `where`, lazily and not, under conditions of `&`, `|`, `~`, in every form.

``python -m tests.compiler.nested_choices [COUNT [FIRST]]`` compares every form of so many programs with
240-bit arithmetic. A program is a list of nodes, so that branches share what they use; singular operations
stand in lazy branches, where a condition that may depend on the branch's own numbers keeps them from being
run.

Derivatives are central differences of the 240-bit value, with the choices of the point itself; every third
group of programs is a derivative, whose gradient holds second ones. Points outside the domain of what is run,
or too close to a kink, are left out. Several programs are added up to one that has all their arguments,
because the C compiler takes longer than everything else, and only some of these sums run as machine code.
"""

import collections
import contextlib
import itertools
import math
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import autograd_lite as ag
from autograd_lite import Value, where
from autograd_lite.compiler import Program, compile
from autograd_lite.compiler.runtime import machine as native
from autograd_lite.compiler.runtime import toolchain
from autograd_lite.core.primitive import TABLE

INPUTS, POINTS = 3, 3
DIRECTION = (1.0, -0.5, 0.25)
NUMBERS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0)
SAFE = ("add", "sub", "mul", "neg", "sin", "cos", "tanh", "sigmoid", "softplus", "atan", "square", "erf")
SAFE += ("gelu",)
KINKS = ("abs", "relu", "leaky_relu", "maximum", "minimum", "clip")
# On what the pool holds these may be outside their domain, or have an infinite slope.
SINGULAR = ("sqrt", "log", "reciprocal", "div", "cbrt", "rsqrt", "log1p", "asin", "acosh", "atanh", "hypot")
SINGULAR += ("pow",)
ARITY = {"add": 2, "sub": 2, "mul": 2, "maximum": 2, "minimum": 2, "div": 2, "hypot": 2, "pow": 2}
LEAST = 1e-9  # the relative distance from a kink, or from a tie that is not exact

Node = tuple[Any, ...]


class OutsideError(ArithmeticError):
    """A program has no value here, or is too close to a kink."""


# --- Programs --------------------------------------------------------------------------------------


def program(seed: int) -> list[Node]:
    """The nodes of a random program, the last being its result; operands are the numbers of nodes before."""
    choose = random.Random(seed)
    nodes: list[Node] = [("x", k) for k in range(INPUTS)]
    nodes += [("number", choose.choice(NUMBERS)) for _ in range(2)]
    conditions: list[int] = []  # nodes that are conditions
    tame = [*range(len(nodes))]  # nodes that may be run whatever the numbers
    wild: list[int] = []  # nodes for lazy branches

    def number(from_wild: float = 0.0) -> int:
        return choose.choice(wild if wild and choose.random() < from_wild else tame)

    def added(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    def condition(depth: int = 0, from_wild: float = 0.0) -> int:
        if conditions and choose.random() < 0.3:
            return choose.choice(conditions)
        way = choose.random()
        if depth > 2 or way < 0.55:
            made = added((choose.choice(("lt", "le", "gt", "ge", "eq", "ne")), number(from_wild), number()))
        elif way < 0.7:
            made = added(("not", condition(depth + 1)))
        else:
            made = added((choose.choice(("and", "or")), condition(depth + 1), condition(depth + 1)))
        if not from_wild:
            conditions.append(made)
        return made

    for _ in range(choose.randint(4, 12)):
        way = choose.random()
        if way < 0.25:
            name = choose.choice(SAFE)
            tame.append(added((name, *[number() for _ in range(ARITY.get(name, 1))])))
        elif way < 0.35:
            name = choose.choice(KINKS)
            tame.append(added((name, *[number() for _ in range(ARITY.get(name, 1))])))
        elif way < 0.6:
            name = choose.choice(SINGULAR if choose.random() < 0.6 else SAFE + KINKS)
            wild.append(added((name, *[number(0.6) for _ in range(ARITY.get(name, 1))])))
        elif way < 0.7 and wild:  # a choice within what is run lazily alone
            wild.append(added(("where", condition(0, 0.5), number(0.6), number(0.6), True)))
        else:
            lazy = choose.random() < 0.6
            c = condition()
            branches = [number(0.7 if lazy else 0.0) for _ in range(2)]
            tame.append(added(("where", c, *branches, lazy)))
    last = [k for k in tame if nodes[k][0] == "where"] or tame
    a, b = added(("tanh", last[-1])), added(("tanh", tame[-1]))
    added(("add", a, b))
    return nodes


def point(choose: random.Random) -> list[float]:
    """A point, often on the bounds that conditions have."""
    return [
        choose.choice(NUMBERS) if choose.random() < 0.4 else choose.uniform(-2.0, 2.0) for _ in range(INPUTS)
    ]


def run(nodes: list[Node], x: list[Any]) -> Any:
    """The program on numbers, on Values or on traced ones."""
    known: dict[int, Any] = {}

    def value(k: int) -> Any:
        if k not in known:
            name, *operands = nodes[k]
            known[k] = made(name, operands)
        return known[k]

    def made(name: str, operands: list[Any]) -> Any:
        if name == "x":
            return x[operands[0]]
        if name == "number":
            return operands[0]
        if name == "where":
            c, a, b, lazy = operands
            if lazy:
                return where(value(c), lambda: value(a), lambda: value(b))
            return where(value(c), value(a), value(b))
        given = [value(k) for k in operands]
        if name in CONDITIONS:
            return CONDITIONS[name](*given)
        if name == "leaky_relu":
            return ag.leaky_relu(given[0], 0.125)
        if name == "clip":
            return ag.clip(given[0], -0.75, 0.625)
        return TABLE[name](*given)

    return value(len(nodes) - 1)


CONDITIONS: dict[str, Callable[..., Any]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "not": lambda a: (not a) if isinstance(a, bool) else ~a,  # ~True is -2
}


# --- 240 bits --------------------------------------------------------------------------------------


class Exact:
    """A program in 240-bit arithmetic, whose choices are those of one point."""

    def __init__(self, nodes: list[Node]) -> None:
        import mpmath

        self.nodes, self.mp = nodes, mpmath.mp.clone()
        self.mp.prec = 240
        self.choices: dict[int, Any] = {}
        mp = self.mp
        self.functions: dict[str, Callable[..., Any]] = {
            "add": lambda a, b: a + b,
            "sub": lambda a, b: a - b,
            "mul": lambda a, b: a * b,
            "neg": lambda a: -a,
            "div": lambda a, b: a / b,
            "reciprocal": lambda a: 1 / a,
            "square": lambda a: a * a,
            "sin": mp.sin,
            "cos": mp.cos,
            "tanh": mp.tanh,
            "atan": mp.atan,
            "erf": mp.erf,
            "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
            "softplus": lambda a: mp.log1p(mp.exp(a)),
            "gelu": lambda a: a * mp.erfc(-a / mp.sqrt(2)) / 2,
            "hypot": lambda a, b: mp.sqrt(a * a + b * b),
            "cbrt": lambda a: mp.cbrt(a) if a > 0 else -mp.cbrt(-a),
            "sqrt": self.within(mp.sqrt, lambda a: a > 0),
            "rsqrt": self.within(lambda a: 1 / mp.sqrt(a), lambda a: a > 0),
            "log": self.within(mp.log, lambda a: a > 0),
            "log1p": self.within(mp.log1p, lambda a: a > -1),
            "asin": self.within(mp.asin, lambda a: -1 < a < 1),
            "acosh": self.within(mp.acosh, lambda a: a > 1),
            "atanh": self.within(mp.atanh, lambda a: -1 < a < 1),
            "pow": self.within(mp.power, lambda a, b: a > 0),
        }

    @staticmethod
    def within(function: Callable[..., Any], domain: Callable[..., bool]) -> Callable[..., Any]:
        def inside(*x: Any) -> Any:
            if not domain(*x):
                raise OutsideError
            return function(*x)

        return inside

    def far(self, a: Any, b: Any, tie: bool) -> None:
        """Refuse what is so close to a tie that floats may take the other side."""
        if abs(a - b) < LEAST * max(1, abs(a), abs(b)) and not (tie and a == b):
            raise OutsideError

    def chosen(self, k: int, decide: Callable[[], Any]) -> Any:
        if k not in self.choices:
            self.choices[k] = decide()
        return self.choices[k]

    def __call__(self, x: list[Any]) -> Any:
        known: dict[int, Any] = {}

        def value(k: int) -> Any:
            if k not in known:
                known[k] = made(k, *self.nodes[k])
            return known[k]

        def compared(name: str, a: Any, b: Any) -> bool:
            a, b = value(a), value(b)
            self.far(a, b, tie=True)
            return bool(CONDITIONS[name](a, b))

        def greater(a: Any, b: Any) -> bool:
            self.far(a, b, tie=False)
            return bool(a > b)

        def made(k: int, name: str, *operands: Any) -> Any:
            if name == "x":
                return x[operands[0]]
            if name == "number":
                return self.mp.mpf(operands[0])
            if name == "where":
                c, a, b, lazy = operands
                taken = value(a if value(c) else b)
                if not lazy:
                    value(b if value(c) else a)
                return taken
            if name in ("and", "or", "not"):
                given = [value(i) for i in operands]
                return not given[0] if name == "not" else all(given) if name == "and" else any(given)
            if name in CONDITIONS:
                return self.chosen(k, lambda: compared(name, *operands))
            given = [value(i) for i in operands]
            a, b = given[0], given[-1]
            if name in ("maximum", "minimum"):
                return a if self.chosen(k, lambda: greater(a, b)) == (name == "maximum") else b
            if name == "abs":
                return a if self.chosen(k, lambda: greater(a, 0)) else -a
            if name == "relu":
                return a if self.chosen(k, lambda: greater(a, 0)) else self.mp.mpf(0)
            if name == "leaky_relu":
                return a if self.chosen(k, lambda: greater(a, 0)) else a / 8
            if name == "clip":
                side = self.chosen(k, lambda: greater(a, -0.75) + greater(a, 0.625))
                return (self.mp.mpf(-0.75), a, self.mp.mpf(0.625))[side]
            if name in ("cbrt", "hypot", "div", "reciprocal"):
                self.chosen(k, lambda: self.far(b if name != "hypot" else abs(a) + abs(b), 0, tie=False))
            return self.functions[name](*given)

        return value(len(self.nodes) - 1)

    def value_and_gradient(self, x: list[float], second: bool) -> list[float]:
        """The value and the gradient, or those of the derivative along `DIRECTION`; else `OutsideError`."""
        mp = self.mp
        self.choices = {}
        h = mp.mpf(2) ** -60
        numbers = [mp.mpf(xi) for xi in x]

        def slope(f: Callable[[list[Any]], Any], x: list[Any], direction: Sequence[float]) -> Any:
            ahead, back = [[a + s * b for a, b in zip(x, direction, strict=True)] for s in (h, -h)]
            return (f(ahead) - f(back)) / (2 * h)

        def f(x: list[Any]) -> Any:
            return slope(self, x, DIRECTION) if second else self(x)

        try:
            self(numbers)  # which makes the choices
            axes = [[float(i == k) for i in range(len(x))] for k in range(len(x))]
            found = [f(numbers), *[slope(f, numbers, axis) for axis in axes]]
        except (ValueError, ArithmeticError) as error:
            raise OutsideError from error
        if any(abs(number) > 1e5 for number in found):
            raise OutsideError
        return [float(number) for number in found]


# --- Forms -----------------------------------------------------------------------------------------


def cases(seed: int, nodes: list[Node], second: bool) -> Iterator[tuple[list[float], list[float]]]:
    """Points where a program has a value that is not too badly conditioned, and what it is there."""
    exact, choose = Exact(nodes), random.Random(-1 - seed)
    for _ in range(POINTS):
        x = point(choose)
        with contextlib.suppress(OutsideError):
            yield x, exact.value_and_gradient(x, second)


def along(nodes: list[Node]) -> Callable[[list[Any]], Any]:
    """The derivative of a program along (1, -0.5, 0.25), whose gradient holds second derivatives."""
    slopes = ag.grad(lambda x: run(nodes, x) + 0.0 * x[0])
    return lambda x: ag.dot(slopes(x), list(DIRECTION))


class Group:
    """Some programs at their points, added up: the first has the first of the arguments, and so on."""

    def __init__(self, seeds: range, second: bool) -> None:
        self.seeds: list[int] = []
        self.points: list[list[list[float]]] = []  # of each program POINTS points
        self.want: list[list[list[float]]] = []  # value and gradient at each of them
        self.settled = 0  # points where the source fails
        functions = []
        for seed in seeds:
            nodes = program(seed)
            found = [*cases(seed, nodes, second)]
            if found:
                found = (found * POINTS)[:POINTS]
                self.seeds.append(seed)
                self.points.append([x for x, _ in found])
                self.want.append([want for _, want in found])
                functions.append(along(nodes) if second else partial(run, nodes))
        self.functions = functions

    def total(self, x: list[list[Any]]) -> Any:
        return ag.sum([f(xi) for f, xi in zip(self.functions, x, strict=True)])

    def check(self, form: str, value: float, gradient: Any, at: int | None) -> Iterator[str]:
        """What is wrong with the sum of the values and the gradient at a point; of None: added up."""
        points = range(POINTS) if at is None else [at]
        want = math.fsum([w[p][0] for w in self.want for p in points])
        if not abs(value - want) <= 1e-9 * max(1.0, abs(want)):
            yield f"{self.seeds}, {form}: value {value!r}, not {want!r}"
        for k, seed in enumerate(self.seeds):
            wanted = [math.fsum([self.want[k][p][1 + i] for p in points]) for i in range(INPUTS)]
            scale = max([1.0, *[abs(number) for p in points for number in self.want[k][p]]])
            got = [float(g) for g in gradient[k]]
            if not all(abs(a - b) <= 1e-9 * scale for a, b in zip(got, wanted, strict=True)):
                yield f"{seed}, {form}: at {self.points[k]} the gradient is {got}, not {wanted}"

    def eager(self) -> Iterator[str]:
        for at in range(POINTS):
            x = [[Value(number) for number in points[at]] for points in self.points]
            out = self.total(x)
            if isinstance(out, Value):
                out.backward()
            gradient = [[v.grad for v in xi] for xi in x]
            yield from self.check("eager", float(getattr(out, "data", out)), gradient, at)

    def forms(self, machine_code: bool) -> Iterator[str]:
        """What is wrong in the compiled forms."""
        import numpy as np

        batch = np.array(self.points).transpose(1, 0, 2)
        compiled = compile(self.total, self.points_at(0), name="total")
        for at in range(POINTS):
            try:
                value, gradient = compiled.function()(self.points_at(at))
            except (ArithmeticError, ValueError):  # then a call is settled by the eager engine
                self.settled += 1
                value, gradient = compiled(self.points_at(at))
            yield from self.check("source", value, gradient, at)

        def each(form: str, program: Program) -> Iterator[str]:
            values, gradients = program.batch(batch, reduce=None)
            for at in range(POINTS):
                yield from self.check(form, values[at], gradients[at], at)

        def sums(form: str, kernel: Any) -> Iterator[str]:
            columns = [*batch.reshape(POINTS, -1).T]
            value, gradient = kernel(columns, [])
            yield from self.check(form, value, np.reshape(gradient, (-1, INPUTS)), None)

        yield from each("NumPy", compiled)
        yield from sums("NumPy, sums", compiled.kernel("argument"))
        yield from sums("Python, sums", compiled.loop("argument"))
        if machine_code:
            yield from each("C", compiled.native())
            limit, native.IRREGULAR = native.IRREGULAR, -1
            try:
                yield from each("C, interpreted", compile(self.total, self.points_at(0)).native())
            finally:
                native.IRREGULAR = limit

    def points_at(self, at: int) -> list[list[float]]:
        return [points[at] for points in self.points]


def main(count: int = 20_000, first: int = 0, size: int = 10, every: int = 4) -> None:
    """Compare `count` programs, `size` added up at a time, with machine code for one group of `every`."""
    import numpy as np

    warnings.simplefilter("error")
    toolchain.FLAGS = (*toolchain.FLAGS, "-O0")  # the C compiler takes most of the time
    wrong: collections.Counter[str] = collections.Counter()
    settled = programs = second = machine = 0
    start = time.time()
    for number, seed in enumerate(range(first, first + count, size)):
        group = Group(range(seed, min(seed + size, first + count)), second=number % 3 == 2)
        programs += len(group.seeds)
        second += len(group.seeds) if number % 3 == 2 else 0
        machine_code = number % every == 0
        machine += len(group.seeds) if machine_code else 0
        with np.errstate(all="raise"):
            try:
                for line in itertools.chain(group.eager(), group.forms(machine_code)):
                    wrong[line.partition(", ")[2].partition(":")[0]] += 1
                    print(line, flush=True)
            except Exception as error:
                wrong[repr(error)[:60]] += 1
                print(f"{group.seeds}: {error!r}", flush=True)
        settled += group.settled
        if number % 100 == 99:
            seconds = time.time() - start
            print(f"# {seed + size} programs, {wrong.total()} wrong, {seconds:.0f} s", flush=True)
    print(
        f"{programs} of {count} programs have a value and a gradient, {second} of them second derivatives; "
        f"{machine} ran as machine code; {settled} calls of sums settled by the eager engine; "
        f"wrong: {dict(wrong) or 'none'}; {time.time() - start:.0f} s"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
