"""One change of a position or an order after the other."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from gateway.errors import DeadlineExceeded
from gateway.trading.requests import Deadline, ExecutionOptions
from gateway.trading.state import LockTable, TicketLocks


def options(ttl_ms: int = 60_000) -> ExecutionOptions:
    """Of a trade that is worth sending for so long."""
    clock = asyncio.get_running_loop()
    deadline = Deadline.of(lambda: round(clock.time() * 1000), ttl_ms, None)
    return ExecutionOptions(client_order_id="turn-1", deadline=deadline)


async def test_the_second_waits_for_the_first() -> None:
    """Whoever wants the same ticket comes in when the first has left; others need not wait."""
    locks, log, may_leave = TicketLocks(), list[str](), asyncio.Event()

    async def change(name: str, *tickets: int) -> None:
        async with locks.of(options(), *tickets):
            log.append(f"{name} in")
            if name == "first":
                await may_leave.wait()
            log.append(f"{name} out")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(change("first", 7))
        other = tasks.create_task(change("other", 8))
        tasks.create_task(change("second", 8, 7))
        await other
        assert log == ["first in", "other in", "other out"]
        may_leave.set()
    assert log[3:] == ["first out", "second in", "second out"]
    assert len(locks) == 0


async def test_terminals_of_one_account_wait_for_each_other() -> None:
    """And for nobody who is logged in elsewhere: there the same number is another order."""
    queues: LockTable = {}
    accounts = {"a": 1, "b": 1, "c": 2}
    a, b, c = (TicketLocks(queues, partial(accounts.__getitem__, name)) for name in accounts)
    async with a.of(options(), 7):
        async with c.of(options(), 7):
            assert len(queues) == 2
        with pytest.raises(DeadlineExceeded):
            async with b.of(options(ttl_ms=1), 7):
                pytest.fail("it is somebody else's turn")
        accounts["a"] = 2  # what was begun is ended where it was begun
        accounts["b"] = 2
        async with b.of(options(), 7):
            pass
    assert queues == {}


async def test_two_tickets_in_any_order() -> None:
    """Closing a by b while another closes b by a blocks nobody, nor does a ticket given twice."""
    locks = TicketLocks()

    async def change(*tickets: int) -> None:
        for _ in range(20):
            async with locks.of(options(), *tickets):
                await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(change(1, 2), change(2, 1), change(1, 1))
    assert len(locks) == 0


async def test_a_turn_that_comes_too_late() -> None:
    """Then nothing was sent, and the place in the queue is given up."""
    locks = TicketLocks()
    async with locks.of(options(), 7):
        with pytest.raises(DeadlineExceeded) as caught:
            async with locks.of(options(ttl_ms=1), 7):
                pytest.fail("it is somebody else's turn")
        assert caught.value.data["outcome"] == "not_sent"
        assert caught.value.data["client_order_id"] == "turn-1"
        assert len(locks) == 1
    assert len(locks) == 0


async def test_who_fails_or_leaves_keeps_nobody_waiting() -> None:
    """An error or a cancelled caller ends a turn as success does."""
    locks = TicketLocks()
    with pytest.raises(RuntimeError):
        async with locks.of(options(), 7):
            raise RuntimeError
    async with locks.of(options(), 7):
        waiting = asyncio.create_task(_pass_through(locks))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    await _pass_through(locks)
    assert len(locks) == 0


async def _pass_through(locks: TicketLocks) -> None:
    async with locks.of(options(), 7):
        pass
