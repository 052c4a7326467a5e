"""A console that is ended while it works on SQLite leaves no thread behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import aiosqlite.core
import pytest
from copied_database import new_sqlite

from gateway.console.database import DatabaseError, open_database
from gateway.console.database import engine as engine_module

WORKER = "_connection_worker_thread"
TURNS = 200
"""Of the event loop: an end that waits for no thread is through by then."""

Job = tuple["asyncio.Future[Any] | None", Callable[[], Any]]


class Interruption:
    """Cancels a task as it waits for one job of a connection's thread, which is held meanwhile."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._jobs = 0
        self.task: asyncio.Task[None] | None = None
        self.reached = asyncio.Event()
        self.released = threading.Event()

    def queue(self) -> SimpleQueue[Job]:
        """Return the queue of a new connection."""
        interruption = self

        class Queue(SimpleQueue[Job]):
            def put_nowait(self, job: Job) -> None:
                super().put_nowait(interruption.seen(job))

        return Queue()

    @property
    def took_place(self) -> bool:
        """Whether there were so many jobs."""
        return self._jobs >= self._number

    def seen(self, job: Job) -> Job:
        """Return a job, held until it is released if it is the one to be interrupted."""
        self._jobs += 1
        if self._jobs != self._number:
            return job
        assert self.task is not None
        self.task.cancel()
        self.reached.set()
        future, work = job

        def held() -> Any:
            assert self.released.wait(60)
            return work()

        return future, held


def workers() -> list[str]:
    """Return the threads of connections that have not ended."""
    return [thread.name for thread in threading.enumerate() if WORKER in thread.name]


async def turn() -> None:
    """Let the event loop do what it can without the thread that is held."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def is_interrupted(url: str, number: int, *, again: bool) -> bool:
    """Open and close a database, cancelled at a job; return whether there were so many.

    Args:
        url: of the database.
        number: of the job.
        again: whether it is cancelled once more while it ends.

    """
    interruption = Interruption(number)

    async def use() -> None:
        async with open_database(url):
            pass

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(aiosqlite.core, "SimpleQueue", interruption.queue)
        task = interruption.task = asyncio.create_task(use())
        task.add_done_callback(lambda _: interruption.reached.set())
        await interruption.reached.wait()
        await turn()
        if again:
            task.cancel()
            await turn()
        is_held = not task.done()
        interruption.released.set()
        await asyncio.wait({task})
    assert workers() == []
    assert is_held == interruption.took_place, f"it ended before its thread did job {number}"
    return is_held


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
async def test_a_cancelled_opening_waits_for_its_thread(
    tmp_path: Path, sqlite_template: Path, again: bool
):
    """At whatever it is cancelled; the thread would speak to an event loop that is closed."""
    assert workers() == []
    for number in range(1, 1000):
        url = new_sqlite(sqlite_template, tmp_path / f"home{number}")
        if not await is_interrupted(url, number, again=again):
            break
    assert number > 10


async def test_a_failed_opening_waits_for_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nothing can be opened in what is no folder."""
    monkeypatch.setattr(engine_module, "_prepare", lambda url: None)
    (tmp_path / "file").touch()
    for _ in range(50):
        with pytest.raises(DatabaseError):
            async with open_database(f"sqlite:///{tmp_path / 'file' / 'console.db'}"):
                pass
        assert workers() == []
