"""The four walks: one market order, one tick, one token, one revocation, each repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from console_site import Linked, LinkTimings, Person, linked, site
from product import TIMEOUT_S, Product, daemon, until

from ea_bridge.emulator.factory import build_terminal
from gateway.errors import GatewayError

from .tracer import Tracer, Walk, common, outside

WARM = 3
"""Walks before those that are measured."""
MEASURED = 9
BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
ORDER, TICK, TOKEN, REVOCATION = WALKS = ("market order", "tick", "token", "revocation")


def measure(folder: Path) -> dict[str, Walk]:
    """Run all walks; databases lie in the folder."""
    tracer = Tracer(polled=folder / "console")
    return tracer.run(lambda: _walks_alone(tracer, folder / "alone")) | tracer.run(
        lambda: _walks_with_console(tracer, folder)
    )


async def _walks_alone(tracer: Tracer, folder: Path) -> dict[str, Walk]:
    async with _alone(folder) as running:
        orders = await _orders(tracer, running)
        return {ORDER: common(orders), TICK: common(await _ticks(tracer, running))}


async def _walks_with_console(tracer: Tracer, folder: Path) -> dict[str, Walk]:
    async with _of_console(folder) as (running, owner):
        tokens, revocations = await _tokens(tracer, running, owner)
        return {TOKEN: common(tokens), REVOCATION: common(revocations)}


def _port(url: str) -> int:
    port = urlsplit(url if "//" in url else f"//{url}").port
    assert port is not None
    return port


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[Product]:
    """Run a daemon with an emulated terminal, which is none of the product."""
    async with daemon(folder) as running:
        outside()
        await running.link("main", build_terminal())
        yield running


@asynccontextmanager
async def _of_console(folder: Path) -> AsyncIterator[tuple[Linked, Person]]:
    """Run a console and its daemon, at the pace of real ones, and sign somebody in.

    What the trail writes a while later is no part of a walk, also where the machine is slow.
    """
    with patch("gateway.storage.ledger.LINGER_S", 30.0):
        async with _site_with_daemon(folder) as linked_and_owner:
            yield linked_and_owner


@asynccontextmanager
async def _site_with_daemon(folder: Path) -> AsyncIterator[tuple[Linked, Person]]:
    async with (
        site(folder / "console", heartbeat_s=10) as place,
        linked(folder / "home", place.url, root=place.root, pace=LinkTimings()) as running,
    ):
        outside()
        yield running, await place.person()


async def _orders(tracer: Tracer, running: Product) -> list[Walk]:
    """Buy at market; from the request's bytes to those of the answer."""
    client = await running.http()
    walks = []
    for _ in range(WARM + MEASURED):
        port = _port(running.ready.rpc or "")
        tracer.start(port, port)
        receipt = await client.call("place_order", **BUY)
        walks.append(tracer.stop())
        await client.call("close_position", ticket=receipt["order"]["position"])
    await running.close_clients()
    return walks[WARM:]


async def _ticks(tracer: Tracer, running: Product) -> list[Walk]:
    """Hear of a price; from the EA's bytes to those of the event."""
    client = await running.ws()
    await client.call("subscribe", channels=["tick:EURUSD"])
    walks = []
    for _ in range(WARM + MEASURED):
        client.events.clear()
        tracer.start(_port(running.ready.bridge), _port(running.ready.ws or ""), restarts=True)
        await client.event("tick:EURUSD")
        while not tracer.has_ended:
            # it was read before the start, and handed on in a later turn of the loop
            client.events.clear()
            await client.event("tick:EURUSD")
        walks.append(tracer.stop())
    await running.close_clients()
    return walks[WARM:]


async def _tokens(tracer: Tracer, running: Linked, owner: Person) -> tuple[list[Walk], list[Walk]]:
    """Make a token until the gate admits it, and revoke it until its socket is closed.

    A daemon hears of a token when its terminal dials in and the machine is approved for it.
    """
    made, revoked = [], []
    for n in range(WARM + MEASURED):
        await owner.step_up()
        port = _port(owner.url)
        tracer.start(port)
        token = await owner.make_token(f"bot-{n}")
        terminal = await running.terminal(owner, f"bot-{n}", token=token)
        await _admitted(tracer, running, token)
        made.append(tracer.stop())
        socket = await running.ws(token)
        await _in_step(running)
        tracer.start(port, _port(running.ready.ws or ""))  # nothing but its close is sent there
        await owner.revoke(token)
        await socket.closed()
        revoked.append(tracer.stop())
        terminal.link.stop()
    await running.close_clients()
    return made[WARM:], revoked[WARM:]


async def _in_step(running: Linked) -> None:
    """Wait until the daemon has nothing to ask its console for, and nothing to tell it.

    What is pushed to it before it has asked makes it ask once more, and a new terminal makes it
    tell of all. That is no part of a revocation; on a busy machine it ran into every one.
    """
    link = running.uplink._link
    events = (link._wake, link._turned)
    # who waits for one of them has done all that it was set for, its pause included
    await until(lambda: all(one._waiters and not one.is_set() for one in events))


async def _admitted(tracer: Tracer, running: Product, token: str) -> None:
    """Wait until the gate admits a token."""

    def admits() -> bool:
        try:
            running.gateway.gate.admit(token)
        except GatewayError:
            return False
        return True

    async with asyncio.timeout(TIMEOUT_S):
        while not tracer.attempt(admits):  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.005)
