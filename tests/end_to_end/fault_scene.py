"""A daemon whose console is on the other side of something, and the time of both."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from console_site import Linked, Person, Site, linked, site
from fault_proxy import FaultProxy, Middleman
from product import TIMEOUT_S, Client, HttpClient, Refused, Running, until

from ea_bridge import host
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.token import parse_token
from gateway.auth.console_clock import Clocks
from gateway.console_link.status import TokenLease

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
            boot_s=lambda: host.boot_s() + self.ahead_s,
        )


@dataclass
class Scene:
    """A daemon whose console is on the other side of something; see :func:`scene`."""

    site: Site
    daemon: Linked
    ann: Person
    between: FaultProxy | Middleman
    machine: EmulatedTerminal
    world: World
    acts: int = 0

    @property
    def main(self) -> Running:
        """The terminal of the present act."""
        return self.daemon.main

    @property
    def lease(self) -> TokenLease:
        """How the token of the present act stands."""
        tid = parse_token(self.main.token)
        [lease] = (one for one in self.daemon.uplink.status().tokens if one.tid == tid)
        return lease

    @asynccontextmanager
    async def act(self) -> AsyncIterator[Self]:
        """Plug in a terminal with a new token; at the end of the block all is whole again.

        No fault may end in a traceback, on either side.
        """
        self.acts += 1
        await self.ann.sign_in()  # the time of her session may be over
        await self.daemon.terminal(self.ann, f"main-{self.acts}", self.machine)
        await self.settled()
        with no_traces():
            try:
                yield self
            finally:
                self.between.restore()
                await self.daemon.close_clients()
                await self.daemon.unplug()

    async def again(self) -> Running:
        """Plug in one more terminal."""
        return await self.daemon.terminal(self.ann, f"again-{self.acts}", self.machine)

    async def settled(self) -> None:
        """Wait until the stream is open and nothing is missing."""
        await until(lambda: self.daemon.uplink.status().connected)
        client = await self.daemon.http(self.main.token)
        await until(lambda: self.lease.tier == "full")
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
        await self.ann.ask("PUT", f"/tokens/{self.lease.tid}/limits", {"limits": {}})


@asynccontextmanager
async def scene(
    folder: Path, between: FaultProxy | Middleman, machine: EmulatedTerminal, **more: Any
) -> AsyncIterator[Scene]:
    """Put console, what is between, and daemon together, for any number of acts."""
    world, machine.pin = World(), DevicePin()  # it has never met this daemon
    async with site(folder / "console", now_s=world.console_s, public_url=between.url) as one:
        between.target = one.server.port if isinstance(between, FaultProxy) else one.url  # type: ignore[assignment]  # each its own
        async with linked(folder / "home", between.url, clocks=world.clocks, **more) as daemon:
            yield Scene(one, daemon, await one.person(), between, machine, world)


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
