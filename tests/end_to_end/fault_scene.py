"""A daemon whose console is on the other side of something, and the time of both."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from console_site import Linked, Person, Site, linked, site
from fault_proxy import FaultProxy, Middleman
from product import TIMEOUT_S, Client, HttpClient, Refused, Running, until

from ea_bridge.emulator.pin import DevicePin
from ea_bridge.emulator.terminal import EmulatedTerminal
from gateway.auth.console_clock import Clocks, boot_time_s

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


@dataclass
class World:
    """The time of all, and whose clock is wrong; seconds."""

    ahead_s: float = 0.0
    """So much later than it is."""
    console_off_s: float = 0.0
    """Of the console's clock."""
    wall_off_s: float = 0.0
    """Of the wall clock of the daemon's machine, which anybody can set."""

    def console_s(self) -> int:
        """The console's clock."""
        return int(time.time() + self.ahead_s + self.console_off_s)

    @property
    def clocks(self) -> Clocks:
        """Those of the daemon's machine."""
        return Clocks(
            wall_s=lambda: time.time() + self.ahead_s + self.wall_off_s,
            boot_s=lambda: boot_time_s() + self.ahead_s,
        )


@dataclass
class Scene:
    """A daemon whose console is on the other side of something."""

    site: Site
    daemon: Linked
    ann: Person
    main: Running
    world: World = field(default_factory=World)

    async def settled(self) -> None:
        """Wait until the stream is open and nothing is missing."""
        await until(lambda: self.daemon.uplink.status().connected)
        client = await self.daemon.http(self.main.token)
        async with asyncio.timeout(TIMEOUT_S):
            while self.daemon.uplink.status().tokens[-1].tier != "full":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await client.call("get_account_info")

    async def quiet(self) -> None:
        """Wait until the daemon has nothing to ask any more."""
        await self.settled()
        async with asyncio.timeout(TIMEOUT_S):
            synced = None
            while synced != (synced := self.daemon.uplink.status().last_sync_ms):  # noqa: ASYNC110
                await asyncio.sleep(0.5)

    async def change(self) -> None:
        """Have the console make an event that takes nothing away."""
        tid = self.daemon.uplink.status().tokens[-1].tid
        await self.ann.ask("PUT", f"/tokens/{tid}/limits", {"limits": {}})


@asynccontextmanager
async def scene(
    folder: Path, between: FaultProxy | Middleman, machine: EmulatedTerminal, **more: Any
) -> AsyncIterator[Scene]:
    """Put console, what is between, daemon and terminal together.

    No fault may end in a traceback, on either side.
    """
    world, machine.pin = World(), DevicePin()  # it has never met this daemon
    async with site(folder / "console", now_s=world.console_s, public_url=between.url) as one:
        between.target = one.server.port if isinstance(between, FaultProxy) else one.url  # type: ignore[assignment]  # each its own
        async with linked(folder / "home", between.url, clocks=world.clocks, **more) as daemon:
            ann = await one.person()
            made = Scene(one, daemon, ann, await daemon.terminal(ann, "main", machine), world)
            await made.settled()
            with no_traces():
                yield made
                await daemon.close_clients()


@contextmanager
def no_traces() -> Iterator[None]:
    """See that nobody logs an exception."""
    traces: list[str] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                traces.append(self.format(record))

    watch = Watch()
    logging.getLogger().addHandler(watch)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(watch)
    assert traces == []


async def reason(client: HttpClient) -> str:
    """Why a token does not reach its terminal; empty if it does."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "get_account_info", "params": {}}
    said = await client.send(request)
    data = said["error"]["data"] if "error" in said else {}
    return str(data.get("reason", data.get("name", "")))


async def refused(client: Client, method: str, **params: Any) -> Refused:
    """Make a call that must be refused."""
    with pytest.raises(Refused) as caught:
        await client.call(method, **params)
    return caught.value
