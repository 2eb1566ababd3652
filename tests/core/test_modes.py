"""no_grad and scopes, in threads, tasks and generators."""

import asyncio
import contextlib
import copy
import gc
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context

import pytest

from autograd_lite.core import modes
from autograd_lite.core import rules as table
from autograd_lite.core.modes import Line, no_grad, scope
from autograd_lite.core.value import Value


def recorded(x: Value) -> set[bool]:
    """Whether operations of each arity record."""
    nodes = (-x, x * 2.0, x + x, table.sum([x, x, 1.0]), table.sum([x, x, x]), table.where(True, x, 1.0))
    return {node.primitive is not None for node in nodes}


def test_no_grad_records_nothing():
    x = Value(2.0)
    assert recorded(x) == {True}
    with no_grad():
        assert recorded(x) == {False}
        y = x * 3.0
        with no_grad():
            assert recorded(x) == {False}
        assert recorded(x) == {False}
    assert recorded(x) == {True}
    assert not modes.pauses  # recording is back at its full speed
    assert (y.data, y.operands, y.reached) == (6.0, (), False)
    with no_grad(), pytest.raises(ValueError, match=r"^log\(p=-1\.0\): "):
        Value(-1.0, "p").log()
    with pytest.raises(ValueError, match=r"^log\(p=-1\.0\): ") as raised, no_grad(), no_grad():
        Value(-1.0, "p").log()
    assert raised.tb
    assert not modes.pauses  # which an error that is kept does not prevent


def test_no_grad_decorates_functions():
    @no_grad()
    def predict(x: Value, deeper: int = 2) -> set[bool]:
        """Predict."""
        return recorded(x) | (predict(x, deeper - 1) if deeper else set())

    x = Value(2.0)
    assert predict(x) == predict(x) == {False}
    assert recorded(x) == {True}
    assert (predict.__name__, predict.__doc__) == ("predict", "Predict.")


def test_no_grad_holds_for_its_thread_alone():
    inside, done = threading.Event(), threading.Event()

    def pause() -> set[bool]:
        with no_grad():
            inside.set()
            assert done.wait(10.0)
            return recorded(Value(1.0))

    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(pause)
        assert inside.wait(10.0)
        here = recorded(Value(1.0))
        done.set()
        assert paused.result(10.0) == {False}
    assert here == {True}
    assert recorded(Value(1.0)) == {True}


def test_no_grad_holds_for_its_task_alone():
    async def main() -> list[set[bool]]:
        inside, done = asyncio.Event(), asyncio.Event()

        async def pause() -> set[bool]:
            with no_grad():
                inside.set()
                await done.wait()
                return recorded(Value(1.0))

        async def go_on() -> set[bool]:
            await inside.wait()
            found = recorded(Value(1.0))
            done.set()
            return found

        return await asyncio.gather(pause(), go_on())

    assert asyncio.run(main()) == [{False}, {True}]


@contextlib.contextmanager
def pause_elsewhere() -> Iterator[None]:
    """Another thread is within `no_grad`, which is nobody else's business."""
    inside, done = threading.Event(), threading.Event()

    def pause() -> None:
        with no_grad():
            inside.set()
            assert done.wait(10.0)

    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(pause)
        assert inside.wait(10.0)
        yield
        done.set()
        paused.result(10.0)


@pytest.mark.parametrize("elsewhere", [contextlib.nullcontext, pause_elsewhere])
def test_a_task_started_within_no_grad_keeps_it(elsewhere):
    """To its own end, whatever the block and the other threads do meanwhile."""

    async def main() -> list[set[bool]]:
        async def evaluate() -> set[bool]:
            return recorded(Value(1.0))

        with no_grad():
            task = asyncio.create_task(evaluate())
        with elsewhere():
            return [await task, recorded(Value(1.0)), await asyncio.create_task(evaluate())]

    assert asyncio.run(main()) == [{False}, {True}, {True}]
    with no_grad():
        context = copy_context()
    with elsewhere():
        assert context.run(recorded, Value(1.0)) == {False}
        assert recorded(Value(1.0)) == {True}
    assert modes.pauses  # as long as the copy is there
    del context
    gc.collect()
    assert not modes.pauses


@pytest.mark.parametrize("elsewhere", [contextlib.nullcontext, pause_elsewhere])
@pytest.mark.parametrize("first", [0, 1])
def test_no_grad_in_generators_that_end_in_any_order(elsewhere, first):
    def pause() -> Iterator[None]:
        with no_grad():
            yield

    blocks = [pause(), pause()]
    for block in blocks:
        next(block)
    with elsewhere():
        assert recorded(Value(1.0)) == {False}
        blocks.pop(first).close()
        assert recorded(Value(1.0)) == {False}
        blocks.pop().close()
        assert recorded(Value(1.0)) == {True}
    assert not modes.pauses


@pytest.mark.parametrize("elsewhere", [contextlib.nullcontext, pause_elsewhere])
def test_no_grad_in_a_generator_that_ends_in_another_context(elsewhere):
    """As Python's collector may end it; its own context goes on recording."""

    def pause() -> Iterator[None]:
        with no_grad():
            yield

    for other in (Context, copy_context):
        block = pause()
        next(block)
        context = other()
        context.run(block.close)
        with elsewhere():
            assert recorded(Value(1.0)) == context.run(recorded, Value(1.0)) == {True}
    with no_grad():
        block = pause()
        next(block)
        Context().run(block.close)
        assert recorded(Value(1.0)) == {False}
    assert recorded(Value(1.0)) == {True}
    del context
    gc.collect()
    assert not modes.pauses


def test_scopes_in_generators_that_end_in_any_order():
    def within(name: str) -> Iterator[scope]:
        with scope(name) as part:
            yield part

    def name() -> str | None:
        part = (Value(1.0) + 1.0).scope
        return part and part.name

    with scope("model"):
        for order, expected in (
            ("abc", ["c", "c", "model"]),
            ("bac", ["c", "c", "model"]),
            ("acb", ["c", "b", "model"]),
            ("cba", ["b", "a", "model"]),
            ("cab", ["b", "b", "model"]),
        ):
            open_ones = {each: within(each) for each in "abc"}
            for each in open_ones.values():
                next(each)
            found = []
            for each in order:
                open_ones[each].close()
                found.append(name())
            assert found == expected, order
        twice = scope("twice")
        with contextlib.ExitStack() as inner:
            with twice:
                inner.enter_context(scope("inner"))
            assert name() == "inner"  # made within `twice`, so that has not ended
            with pytest.raises(RuntimeError, match="'twice' is already open"), twice:
                pass
        with twice:
            assert name() == "twice"
    assert name() is None


def test_a_task_keeps_the_scope_that_it_was_started_in():
    def work() -> list[str]:
        before = Value(1.0).scope
        with scope("layer"):
            within = Value(1.0).scope
        return [before.name, within.name, Value(1.0).scope.name]

    with contextlib.ExitStack() as inner, scope("model"):
        context = copy_context()
        inner.enter_context(scope("inner"))
    assert context.run(work) == ["model", "layer", "model"]
    assert Value(1.0).scope is None


def test_scope_marks_what_is_made_in_it():
    x = Value(2.0)
    with scope("model") as outer:
        a = x * 2.0
        with scope("layer") as inner:
            b, c, d, leaf = a.exp(), a + 1.0, table.sum([a, a, x]), Value(1.0)
        e = -d
    assert (x.scope, (x * 2.0).scope) == (None, None)
    assert (a.scope, e.scope) == (outer, outer)
    assert {b.scope, c.scope, d.scope, leaf.scope} == {inner}
    assert (inner.name, inner.parent, outer.name, outer.parent) == ("layer", outer, "model", None)


def test_scope_ends_with_an_exception():
    def fail() -> None:
        with scope("outer"), scope("inner"):
            Value(-1.0).log()

    with pytest.raises(ValueError, match="log"):
        fail()
    assert Value(1.0).scope is None


def test_scope_holds_for_its_thread_alone():
    with scope("here") as here, ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (Value(1.0) + 1.0).scope).result(10.0) is None
        assert Value(1.0).scope is here


def test_scope_is_copied_with_the_graph():
    with scope("model"), scope("layer"):
        y = Value(2.0) * 3.0
    restored = pickle.loads(pickle.dumps([y, y.operands[0]]))
    assert (restored[0].scope.name, restored[0].scope.parent.name) == ("layer", "model")
    assert restored[0].scope is restored[1].scope
    assert copy.deepcopy(y).scope.name == "layer"


def test_line_is_kept_with_the_scope(monkeypatch):
    """As `record_lines` has it, whose own tests are those of `explain`."""
    x = Value(2.0)
    with scope("model") as model:
        monkeypatch.setattr(modes, "provenance", lambda: Line(model, "net.py", 7))
        y = x * 3.0
        monkeypatch.undo()
    assert (x.line, (x * 3.0).line) == (None, None)
    assert (y.scope, y.line) == (model, (model, "net.py", 7))
    assert copy.deepcopy(y).line is y.line
    restored = pickle.loads(pickle.dumps(y))
    assert (restored.scope.name, restored.line[1:]) == ("model", ("net.py", 7))


def test_a_scope_has_a_name_and_is_open_once():
    with pytest.raises(TypeError, match="a scope's name must be text, got int 5"):
        scope(5)
    inner = scope("twice")
    with inner, pytest.raises(RuntimeError, match="'twice' is already open"), inner:
        pass  # pragma: no cover - it is not entered
    with inner:  # closed again, it may be opened
        assert (Value(1.0) * 2.0).scope is inner


def test_a_scope_shows_its_name():
    assert repr(scope("loss")) == "scope('loss')"
