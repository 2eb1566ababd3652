"""Batches on a Dask cluster of two processes, one of which is killed while it computes a part."""

import importlib.util
import os
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from autograd_lite import nn, softmax_cross_entropy
from autograd_lite.compiler import compile
from autograd_lite.compiler.runtime import executor as batch
from autograd_lite.datasets import penguins

if not importlib.util.find_spec("distributed"):
    pytest.skip("Dask is not installed", allow_module_level=True)

import dask
from distributed import Client, LocalCluster


@pytest.fixture(scope="module")
def client():
    with (
        # How often Dask runs a task again whose worker died; it is 3, but every death costs a second.
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def processes(client):
    """The processes of both workers, once the cluster is whole: a dead worker stays listed for a while."""
    found, end = [set(), {0}], time.monotonic() + 60.0
    while found[-1] != found[-2] or len(found[-1]) != 2 or len(client.ncores()) != 2:
        assert time.monotonic() < end, f"the workers of the cluster were {found}"
        time.sleep(0.1)
        found.append(set(client.run(os.getpid, on_error="ignore").values()))
    return found[-1]


def _killed_or(packed, folder, many):
    """The program, once as many workers as that have died here."""
    for k in range(many):
        try:
            Path(folder, str(k)).touch(exist_ok=False)
        except FileExistsError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)
    return pickle.loads(packed)


class Deadly:
    """A program that kills the first `many` workers that unpack it, which they do in a task of the batch."""

    def __init__(self, program, folder, many):
        self.given = program.packed, str(folder), many

    def __reduce__(self):
        return _killed_or, self.given


class Problem:
    """The documents' network on the penguins, trained by steps over the whole batch."""

    def __init__(self):
        rows = [row for row in penguins().rows if None not in row]
        species = sorted({row[0] for row in rows})
        X = np.array([[float(x) for x in row[2:6]] for row in rows])
        self.X = (X - X.mean(axis=0)) / X.std(axis=0)
        self.y = np.array([float(species.index(row[0])) for row in rows])
        model = nn.MLP(4, [8, len(species)], rng=4)
        self.program = compile(lambda x, t: softmax_cross_entropy(model(x), t), [0.0] * 4, 0.0)

    def epochs(self, count, executor=None):
        for _ in range(count):
            for p in self.program.leaves:
                p.grad = None
            self.program.batch(self.X, self.y, backward=True, executor=executor, deterministic=True)
            for p in self.program.leaves:
                p.data = p.data - 0.5 * p.grad

    def weights(self):
        return [p.data for p in self.program.leaves]

    def becomes_deadly(self, folder, many):
        self.program.__dict__["packed"] = pickle.dumps(Deadly(self.program, folder, many))


@pytest.fixture(scope="module", autouse=True)
def small_chunks():
    """So that both workers have a part of 333 penguins where the sum must be the same to the bit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "CHUNK", 64)
        yield


@pytest.fixture(scope="module")
def alone():
    problem = Problem()
    problem.epochs(10)
    return problem.weights()


def test_two_processes_train_to_the_same_weights(client, alone):
    problem = Problem()
    problem.epochs(10, client.get_executor())
    assert problem.weights() == alone
    assert all(client.run(lambda: len(batch._built)).values()), "a worker had no part of the batch"


def test_without_deterministic_the_last_bits_may_differ(client):
    here, there = Problem(), Problem()
    value, gradients = here.program.batch(here.X, here.y)
    want = pytest.approx(gradients, rel=1e-12, abs=1e-15)
    assert there.program.batch(there.X, there.y, executor=client.get_executor()) == (
        pytest.approx(value, rel=1e-14),
        want,
    )


def test_a_worker_killed_within_an_epoch_leaves_the_same_weights(client, alone, tmp_path):
    problem = Problem()
    before = processes(client)
    problem.epochs(4, client.get_executor())
    problem.becomes_deadly(tmp_path, 1)
    problem.epochs(6, client.get_executor())
    assert len(list(tmp_path.iterdir())) == 1
    assert len(before - processes(client)) == 1
    assert problem.weights() == alone


def test_a_part_that_kills_every_worker_is_one_clear_error(client, alone, tmp_path):
    problem = Problem()
    problem.epochs(4, client.get_executor())
    weights, gradients = problem.weights(), [p.grad for p in problem.program.leaves]
    healthy = problem.program.packed
    problem.becomes_deadly(tmp_path, 1_000)
    said = r"a worker died while it computed a part of the batch \(KilledWorker"
    with pytest.raises(RuntimeError, match=said):
        problem.program.batch(problem.X, problem.y, backward=True, executor=client.get_executor())
    assert len(list(tmp_path.iterdir())) >= 2  # it was tried again
    assert [p.grad for p in problem.program.leaves] == gradients
    assert problem.weights() == weights
    problem.program.__dict__["packed"] = healthy
    processes(client)
    problem.epochs(6, client.get_executor())  # the batch can be run again, on the same cluster
    assert problem.weights() == alone


def test_a_batch_is_split_into_as_many_parts_as_the_cluster_has_threads(client, monkeypatch):
    processes(client)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    problem, executor, submitted = Problem(), client.get_executor(), []
    submit = executor.submit
    monkeypatch.setattr(executor, "submit", lambda *given: submitted.append(given) or submit(*given))
    problem.program.batch(problem.X, problem.y, executor=executor)
    assert len(submitted) == 2
