"""Gradient descent in C: a function that takes many steps on one batch in one call.

It calls the function printed by `c_function.py`, and stands below it in the same text.
"""

from __future__ import annotations

from autograd_lite.compiler.codegen.c_function import Layout


def descent(layout: Layout, name: str, real: str, leaves: int, lanes: int) -> str:
    """Return the text of ``name_descend``, which takes steps of gradient descent by ``name``."""
    return _DESCENT.format(
        name=name,
        real=real,
        scale=layout.scale,
        leaves=leaves,
        lanes=lanes,
        whole=(leaves + 1) // lanes * lanes,
    )


_DESCENT = """
/* Takes `steps` steps of gradient descent on the mean over the samples, step k of size lr[k], on `w`;
   the mean before step k goes to values[k]. Returns the number of steps taken: fewer than `steps` if the
   value or a derivative was not finite. */
long {name}_descend(long steps, const {real} *lr, long m, const {real} *const *samples, {real} *w,
        {real} *values, {real} *out, {real} *work)
{{
    for (long k = 0; k < steps; k++) {{
        const {real} size = lr[k] / {scale};
        {name}(m, samples, w, out, work);
        values[k] = out[0] / {scale};
        {real} check = values[k] * 0;
        V checks = {{0}};
        for (int i = 0; i < {whole}; i += {lanes})
            checks += *(const V *)&out[i] * 0;
        for (int i = 0; i < {lanes}; i++)
            check += (({real} *)&checks)[i];
        for (int i = {whole}; i < {leaves} + 1; i++)
            check += out[i] * 0;
        if (!(check == 0))
            return k;
        for (int i = 0; i < {leaves}; i++)
            w[i] -= size * out[i + 1];
    }}
    return steps;
}}
"""
