"""A step rule on NumPy's arrays: the form that runs where there is no machine code.

Next door: `frontend/step_rule.py` traces the rule, `codegen/c_descent.py` prints it as C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from autograd_lite.compiler.codegen import arrays
from autograd_lite.compiler.frontend.step_rule import MEMORY, SIZE, StepRule
from autograd_lite.compiler.runtime.interpreter import replay

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]


def array_step(rule: StepRule) -> Callable[[float, Floats, Floats, Sequence[Floats]], list[Floats]]:
    """Return a function of the step size, the numbers, their gradients and memory, to the new numbers.

    What numbers share is computed with Python's floats, once for each state of the clocks: the powers of
    NumPy differ from those of the C library in the last bit.
    """
    np = arrays.numpy()
    n = MEMORY + len(rule.memory) + len(rule.shares)
    run = arrays.array_function(rule.each, rule.outputs, np, name="step", n=n, leaves=0)
    inputs = [(i, rule.shared.numbers[i]) for i, op in enumerate(rule.shared.ops) if op == "argument"]

    def shared(size: float, clocks: Sequence[float]) -> list[float]:
        at: dict[int, Any] = {SIZE: size, **dict(zip(rule.clocks, clocks, strict=True))}
        return [float(x) for x in replay(rule.shared, rule.shares, {i: at[place] for i, place in inputs})]

    def step(size: float, x: Floats, g: Floats, memory: Sequence[Floats]) -> list[Floats]:
        given: list[Any] = [size, x, g, *memory]
        states = np.stack([given[k] for k in rule.clocks] or [np.zeros(len(x))], axis=1)
        states, inverse = np.unique(states, axis=0, return_inverse=True)
        rows = np.array([shared(size, state[: len(rule.clocks)]) for state in states.tolist()]).T
        given += [row[inverse] if len(states) > 1 else row[0] for row in rows]
        with np.errstate(all="ignore"):  # the caller looks for numbers that are not finite
            found = run(given, [])
            return [np.array(np.broadcast_to(each, x.shape), x.dtype) for each in found]

    return step
