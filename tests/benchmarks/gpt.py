"""Steps of training a GPT on names of mixed lengths, and its peers: float64, one thread, Adam.

The model is `nn.GPT`: 16 wide, one layer, 4 heads. In C it is written as people do who leave Python for it.
A row returns a dict of figures, ``seconds`` of a step first. Run by `__main__.py`, in a process of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from autograd_lite.datasets import names
from autograd_lite.nn import GPT
from tests.benchmarks.measuring import Skipped, Table, timed

LR, BETAS, EPS = 1e-6, (0.85, 0.99), 1e-8  # so small that the work stays the same, however many steps
MANY = 1_000


def _documents(count: int = MANY) -> list[list[int]]:
    """Names as tokens, with the mark 26 at both ends."""
    chosen = random.Random(0).sample(names(), count)
    return [[26, *[ord(letter) - ord("a") for letter in name], 26] for name in chosen]


def _matrices() -> list[Any]:
    """The first weights as arrays, in the order of the model's parameters."""
    import numpy as np

    model = GPT(27, rng=0)
    (block,) = model.blocks
    matrices = (model.letters.w, model.places.w)
    matrices += (block.query, block.key, block.value, block.out, block.up, block.down, model.scores)
    return [np.array([[p.data for p in row] for row in matrix]) for matrix in matrices]


def _each(run: Callable[[], Any]) -> dict[str, float]:
    """Seconds of one of the steps that `run` takes."""
    return {"seconds": timed(run)["seconds"] / MANY}


def autograd_lite(machine: bool = True) -> dict[str, float]:
    """1,000 steps in a call, on programs built for each length of a document."""
    from autograd_lite import Adam, jit
    from autograd_lite.compiler import jitted
    from autograd_lite.compiler.runtime import toolchain

    if machine:
        try:
            toolchain.compilers()
        except toolchain.NoCompilerError as error:
            raise Skipped(str(error)) from error
    else:
        jitted.NATIVE = 10**9
    documents, order = _documents(), [[k] for k in range(MANY)]

    def built() -> Any:
        model = GPT(27, rng=0)
        return jit(model.loss).descent(documents, optimizer=Adam(model.parameters(), LR, BETAS))

    times = []
    for _ in range(2):  # from nothing, and with the machine code of before
        start = time.perf_counter()
        with built() as step:
            times.append(time.perf_counter() - start)
            step.over(order)
    with step:
        return {
            **_each(lambda: step.over(order)),
            "lengths": float(len({*map(len, documents)})),
            "built in s": times[0],
            "again in s": times[1],
        }


# --- By hand, in C ---------------------------------------------------------------------------------

BY_HAND = r"""
#include <math.h>
#include <string.h>
enum {D = 16, H = 4, S = D / H, F = 4 * D, V = 27, T = 16};
typedef struct {
    double letters[V][D], places[T][D], q[D][D], k[D][D], v[D][D], o[D][D], up[F][D], down[D][F], head[V][D];
} Model;
enum {N = sizeof(Model) / sizeof(double)};

static inline void times(int n, int m, const double *w, const double *x, double *y) {
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < m; j++) sum += w[i * m + j] * x[j];
        y[i] = sum;
    }
}

static inline void back(int n, int m, const double *w, const double *x, const double *dy, double *gw,
                        double *dx) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++) {
            gw[i * m + j] += dy[i] * x[j];
            dx[j] += w[i * m + j] * dy[i];
        }
}

static inline double norm(const double *x, double *y) {
    double sum = 0;
    for (int i = 0; i < D; i++) sum += x[i] * x[i];
    double scale = 1 / sqrt(sum / D + 1e-5);
    for (int i = 0; i < D; i++) y[i] = x[i] * scale;
    return scale;
}

static inline void norm_back(const double *x, double scale, const double *dy, double *dx) {
    double sum = 0;
    for (int i = 0; i < D; i++) sum += dy[i] * x[i];
    for (int i = 0; i < D; i++) dx[i] += scale * dy[i] - scale * scale * scale / D * sum * x[i];
}

static double gradient(int n, const long *token, const Model *w, Model *g) {
    static double e[T][D], x0[T][D], a[T][D], q[T][D], k[T][D], v[T][D], p[T][H][T], att[T][D], x1[T][D],
        b[T][D], h[T][F], r[T][F], x2[T][D], f[T][V], s0[T], s1[T], s2[T], dk[T][D], dv[T][D];
    double loss = 0, root = sqrt(S);
    for (int t = 0; t < n; t++) {
        for (int i = 0; i < D; i++) e[t][i] = w->letters[token[t]][i] + w->places[t][i];
        s0[t] = norm(e[t], x0[t]);
        s1[t] = norm(x0[t], a[t]);
        times(D, D, *w->q, a[t], q[t]);
        times(D, D, *w->k, a[t], k[t]);
        times(D, D, *w->v, a[t], v[t]);
        for (int c = 0; c < H; c++) {
            double sum = 0, *pc = p[t][c];
            for (int s = 0; s <= t; s++) {
                double score = 0;
                for (int i = c * S; i < (c + 1) * S; i++) score += q[t][i] * k[s][i];
                sum += pc[s] = exp(score / root);
            }
            for (int s = 0; s <= t; s++) pc[s] /= sum;
            for (int i = c * S; i < (c + 1) * S; i++) {
                double out = 0;
                for (int s = 0; s <= t; s++) out += pc[s] * v[s][i];
                att[t][i] = out;
            }
        }
        times(D, D, *w->o, att[t], x1[t]);
        for (int i = 0; i < D; i++) x1[t][i] += x0[t][i];
        s2[t] = norm(x1[t], b[t]);
        times(F, D, *w->up, b[t], h[t]);
        for (int i = 0; i < F; i++) r[t][i] = h[t][i] > 0 ? h[t][i] : 0;
        times(D, F, *w->down, r[t], x2[t]);
        for (int i = 0; i < D; i++) x2[t][i] += x1[t][i];
        times(V, D, *w->head, x2[t], f[t]);
        double top = f[t][0], sum = 0, label = f[t][token[t + 1]];
        for (int i = 1; i < V; i++) top = f[t][i] > top ? f[t][i] : top;
        for (int i = 0; i < V; i++) sum += f[t][i] = exp(f[t][i] - top);
        loss += (log(sum) + top - label) / n;
        for (int i = 0; i < V; i++) f[t][i] = f[t][i] / sum / n;
        f[t][token[t + 1]] -= 1.0 / n;
    }
    memset(dk, 0, sizeof dk);
    memset(dv, 0, sizeof dv);
    for (int t = n - 1; t >= 0; t--) {
        double dx[D] = {0}, dr[F] = {0}, db[D] = {0}, datt[D] = {0}, dq[D] = {0}, da[D] = {0}, de[D] = {0};
        back(V, D, *w->head, x2[t], f[t], *g->head, dx);
        back(D, F, *w->down, r[t], dx, *g->down, dr);
        for (int i = 0; i < F; i++) if (h[t][i] <= 0) dr[i] = 0;
        back(F, D, *w->up, b[t], dr, *g->up, db);
        norm_back(x1[t], s2[t], db, dx);
        back(D, D, *w->o, att[t], dx, *g->o, datt);
        for (int c = 0; c < H; c++) {
            double dp[T], *pc = p[t][c], mean = 0;
            for (int s = 0; s <= t; s++) {
                double sum = 0;
                for (int i = c * S; i < (c + 1) * S; i++) {
                    sum += datt[i] * v[s][i];
                    dv[s][i] += pc[s] * datt[i];
                }
                dp[s] = sum;
                mean += pc[s] * sum;
            }
            for (int s = 0; s <= t; s++) {
                double d = pc[s] * (dp[s] - mean) / root;
                for (int i = c * S; i < (c + 1) * S; i++) {
                    dq[i] += d * k[s][i];
                    dk[s][i] += d * q[t][i];
                }
            }
        }
        back(D, D, *w->q, a[t], dq, *g->q, da);
        back(D, D, *w->k, a[t], dk[t], *g->k, da);
        back(D, D, *w->v, a[t], dv[t], *g->v, da);
        norm_back(x0[t], s1[t], da, dx);
        norm_back(e[t], s0[t], dx, de);
        for (int i = 0; i < D; i++) {
            g->letters[token[t]][i] += de[i];
            g->places[t][i] += de[i];
        }
    }
    return loss;
}

long program(long count, const long *starts, const long *tokens, double *w, double *m, double *v,
             double *losses, long step, double lr, double beta1, double beta2, double eps) {
    static Model model;
    double *g = (double *)&model;
    for (long d = 0; d < count; d++) {
        memset(g, 0, sizeof model);
        losses[d] = gradient(starts[d + 1] - starts[d] - 1, tokens + starts[d], (Model *)w, &model);
        step++;
        double one = 1 - pow(beta1, step), two = 1 - pow(beta2, step);
        for (int i = 0; i < N; i++) {
            m[i] = beta1 * m[i] + (1 - beta1) * g[i];
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
            w[i] -= lr * (m[i] / one) / (sqrt(v[i] / two) + eps);
        }
    }
    return step;
}
"""


class ByHand:
    """The same steps by the C above; ``w`` holds the parameters."""

    def __init__(self, documents: list[list[int]], lr: float = LR) -> None:
        import ctypes

        import numpy as np

        from autograd_lite.compiler.runtime import library, toolchain

        try:
            built = library.build(BY_HAND, ("-O3",))
        except toolchain.NoCompilerError as error:
            raise Skipped(str(error)) from error
        self.w = np.concatenate([matrix.ravel() for matrix in _matrices()])
        tokens = np.array([token for document in documents for token in document], np.int64)
        starts = np.cumsum([0, *map(len, documents)]).astype(np.int64)
        self.losses = np.empty(len(documents))
        self._kept = [starts, tokens, self.w, np.zeros_like(self.w), np.zeros_like(self.w), self.losses]
        self._run, self._lr, self._taken = built.program, lr, 0
        self._run.restype = ctypes.c_long
        pointers = [ctypes.c_void_p] * len(self._kept)
        self._run.argtypes = [ctypes.c_long, *pointers, ctypes.c_long, *[ctypes.c_double] * 4]

    def __call__(self) -> None:
        """Take a step on each document."""
        pointers = [a.ctypes.data for a in self._kept]
        self._taken = self._run(len(self.losses), *pointers, self._taken, self._lr, *BETAS, EPS)


def by_hand() -> dict[str, float]:
    return _each(ByHand(_documents()))


# --- Peers -----------------------------------------------------------------------------------------


def with_jax() -> dict[str, float]:
    """Compiled for each length of a document."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def norm(x: Any) -> Any:
        return x * (jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5) ** -0.5

    def loss(parameters: Any, tokens: Any) -> Any:
        letters, places, q, k, v, o, up, down, head = parameters
        n = len(tokens) - 1
        x = norm(letters[tokens[:-1]] + places[:n])
        a = norm(x)
        q, k, v = ((a @ w.T).reshape(n, 4, 4) for w in (q, k, v))
        scores = jnp.einsum("thi,shi->hts", q, k) / 2.0
        weights = jax.nn.softmax(jnp.where(jnp.tril(jnp.ones((n, n), bool)), scores, -jnp.inf), axis=-1)
        x = x + jnp.einsum("hts,shi->thi", weights, v).reshape(n, 16) @ o.T
        x = x + jax.nn.relu(norm(x) @ up.T) @ down.T
        return -jnp.mean(jax.nn.log_softmax(x @ head.T)[jnp.arange(n), tokens[1:]])

    @jax.jit
    def update(parameters: Any, m: Any, v: Any, t: Any, tokens: Any) -> Any:
        found, g = jax.value_and_grad(loss)(parameters, tokens)
        m = jax.tree.map(lambda m, g: BETAS[0] * m + (1 - BETAS[0]) * g, m, g)
        v = jax.tree.map(lambda v, g: BETAS[1] * v + (1 - BETAS[1]) * g * g, v, g)
        one, two = 1 - BETAS[0] ** t, 1 - BETAS[1] ** t
        moved = jax.tree.map(lambda p, m, v: p - LR * (m / one) / (jnp.sqrt(v / two) + EPS), parameters, m, v)
        return found, moved, m, v

    parameters = [jnp.array(matrix) for matrix in _matrices()]
    state = parameters, *([jnp.zeros_like(p) for p in parameters] for _ in range(2))
    documents, t = [jnp.array(document) for document in _documents()], 0.0

    def steps() -> None:
        nonlocal state, t
        for tokens in documents:
            t += 1.0
            found, *state = update(*state, t, tokens)
        jax.block_until_ready((found, state))

    return _each(steps)


def with_torch() -> dict[str, float]:
    import torch
    from torch.nn import functional

    def norm(x: Any) -> Any:
        return x * (x.square().mean(-1, keepdim=True) + 1e-5) ** -0.5

    parameters = [torch.tensor(matrix, requires_grad=True) for matrix in _matrices()]
    letters, places, *three, o, up, down, head = parameters
    masks = [torch.ones(n, n).tril() == 0 for n in range(17)]

    def loss(tokens: Any) -> Any:
        n = len(tokens) - 1
        x = norm(letters[tokens[:-1]] + places[:n])
        a = norm(x)
        q, k, v = ((a @ w.T).view(n, 4, 4).transpose(0, 1) for w in three)
        weights = (q @ k.transpose(1, 2) / 2.0).masked_fill(masks[n], -torch.inf).softmax(-1)
        x = x + (weights @ v).transpose(0, 1).reshape(n, 16) @ o.T
        x = x + torch.relu(norm(x) @ up.T) @ down.T
        return functional.cross_entropy(x @ head.T, tokens[1:])

    optimizer = torch.optim.Adam(parameters, LR, BETAS, EPS)
    documents = [torch.tensor(document) for document in _documents()]

    def steps() -> None:
        for tokens in documents:
            optimizer.zero_grad()
            loss(tokens).backward()
            optimizer.step()

    return _each(steps)


TABLES = [
    Table(
        "A training step of a GPT of scalars, names of mixed lengths: 16 wide, one layer, 4 heads, Adam",
        {
            "autograd_lite: C": autograd_lite,
            "autograd_lite: NumPy": lambda: autograd_lite(machine=False),
            "by hand: C": by_hand,
            "JAX: jit": with_jax,
            "PyTorch": with_torch,
        },
    )
]
