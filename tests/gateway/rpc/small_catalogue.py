"""A small catalogue for the tests of the doors, and what its handlers saw."""

from __future__ import annotations

import asyncio
import types
from dataclasses import replace
from functools import partial, update_wrapper
from typing import Any

import orjson

from gateway.auth.caller import Scope
from gateway.errors import LimitExceeded, MarketClosed, Overloaded
from gateway.rpc.catalogue import Call, Catalogue, method
from gateway.rpc.methods.service import get_ws_ticket
from gateway.storage.store import StoreError
from gateway.streams import StreamEvent
from gateway.streams.outbox import text_frame


def event(key: str, number: int, *, latest: bool = False, size: int = 0) -> StreamEvent:
    """Return an event that carries its number, and some ballast."""
    body = {"jsonrpc": "2.0", "method": "event", "params": {"channel": key, "seq": number}}
    if size:
        body["ballast"] = "x" * size
    return StreamEvent(key, latest, text_frame(orjson.dumps(body)))


class Doings:
    """What the handlers of one test saw, and what they wait for."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.open = asyncio.Event()
        """What ``wait`` and slow trades wait for."""
        self.entered = asyncio.Event()
        """Set when something has begun to wait."""
        self.left = asyncio.Event()
        """Set when nothing waits any more."""
        self.waiting = 0
        self.most_waiting = 0

    async def wait(self) -> None:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        self.entered.set()
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.entered.clear()
                self.left.set()


@method(scope=None, of_terminal=False)
async def subtract(doings: Doings, call: Call, *, minuend: float, subtrahend: float) -> float:
    """Subtract."""
    return minuend - subtrahend


@method(scope=None, of_terminal=False)
async def sum(doings: Doings, call: Call, *, a: int, b: int = 0, c: int = 0) -> int:
    """Add."""
    return a + b + c


@method(scope=None, of_terminal=False)
async def get_data(doings: Doings, call: Call) -> list[Any]:
    """Return what the specification returns."""
    return ["hello", 5]


@method(scope=None, of_terminal=False)
async def update(
    doings: Doings, call: Call, *, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0
) -> None:
    """Note that it was called."""
    doings.calls.append("update")


@method(scope=None, of_terminal=False)
async def wait(doings: Doings, call: Call, *, name: str = "") -> str:
    """Wait until the test opens the door."""
    doings.calls.append(name)
    await doings.wait()
    return name


@method(scope=Scope.READ)
async def balance(doings: Doings, call: Call) -> float:
    """Return what the account holds."""
    return 1.0


@method(scope=Scope.TRADE, mutates=True)
async def trade(
    doings: Doings,
    call: Call,
    *,
    name: str,
    slow: bool = False,
    fail: bool = False,
    odd: bool = False,
) -> Any:
    """Trade, so to say."""
    doings.calls.append(name)
    if slow:
        await doings.wait()
    await asyncio.sleep(0)
    doings.calls.append(f"{name} done")
    if fail:
        raise RuntimeError("secret=hunter2")
    return object() if odd else name


@method(scope=None, of_terminal=False)
async def explode(doings: Doings, call: Call) -> None:
    """Raise what must not reach the wire."""
    raise RuntimeError("secret=hunter2")


@method(scope=None, of_terminal=False)
async def read_disk(doings: Doings, call: Call) -> None:
    """Raise what a ledger does that cannot be read."""
    raise StoreError("/home/hunter2: the disk reports errors")


@method(scope=None, of_terminal=False)
async def no_json(doings: Doings, call: Call) -> Any:
    """Return what cannot be serialised."""
    return {"open": object()}


@method(scope=None, of_terminal=False)
async def not_a_number(doings: Doings, call: Call) -> Any:
    """Return a NaN."""
    return {"value": float("nan")}


@method(scope=None, of_terminal=False)
async def lose(doings: Doings, call: Call) -> None:
    """Wait for something that somebody else cancels."""
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel)
    await future


@method(scope=None, of_terminal=False)
async def big(doings: Doings, call: Call, *, size: int) -> str:
    """Return a long text."""
    return "x" * size


@method(scope=None, of_terminal=False)
async def many(doings: Doings, call: Call, *, count: int) -> list[str]:
    """Return a long list."""
    return ["x" * 100] * count


@method(scope=None, of_terminal=False)
async def refuse(doings: Doings, call: Call, *, how: str, size: int = 0) -> None:
    """Fail as asked, and at length."""
    if how == "limit":
        raise LimitExceeded(retry_after_ms=1500)
    if how == "overloaded":
        raise Overloaded()
    raise MarketClosed(outcome="rejected", **({"ballast": "x" * size} if size else {}))


@method(scope=None, of_terminal=False, transports=("ws",))
async def ws_only(doings: Doings, call: Call) -> str:
    """Work on /ws only."""
    return call.transport


@method(scope=None, of_terminal=False, transports=("ws",))
async def follow(doings: Doings, call: Call, *, count: int) -> str:
    """Subscribe: events follow the answer, at once."""
    assert call.listener is not None
    listener = call.listener
    events = [event("orders", n) for n in range(count)]
    joined = b"".join(e.frame for e in events)
    call.after_answer.append(lambda: listener.deliver(events, joined))
    return "following"


@method(scope=None, of_terminal=False)
async def hello(doings: Doings, call: Call, *, client: str = "") -> dict[str, Any]:
    """Greet."""
    return {"api": 1, "tid": call.caller.tid, "client": client}


HANDLERS = (
    subtract, sum, get_data, update, wait, balance, trade, explode, read_disk, no_json,
    not_a_number, lose, big, many, refuse, ws_only, follow, hello,
)  # fmt: skip
"""The examples of the specification, and mischief; each is told first whose doings they are."""


def small_catalogue(doings: Doings) -> Catalogue:
    """Return the small catalogue of one test. The models of the params are those of all tests."""
    module = types.ModuleType("small")
    for made in HANDLERS:
        handler = update_wrapper(partial(made.handler, doings), made.handler)
        setattr(module, made.name, replace(made, handler=handler))
    vars(module)[get_ws_ticket.name] = get_ws_ticket
    return Catalogue(module)
