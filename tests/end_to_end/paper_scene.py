"""A daemon with a terminal whose account trades on paper, and what its programs do there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from product import Json, Product, Refused, WsClient, daemon

from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.endpoint.conversation import DevicePin
from gateway.accounts.book import AccountChanges, NewAccount, RegisteredAccount

FIRST, LAST = 2**51, 2**52 - 1
"""Tickets on paper."""


def register(one: Product, machine: EmulatedTerminal, *, paper: bool = True) -> RegisteredAccount:
    """Register the account that a terminal is logged in to."""
    account = machine.handler.account()
    new = NewAccount(
        name="Own",
        broker="Emulated",
        login=account.login,
        server=account.server,
        max_lot_size=10.0,
        risk_pct=1.0,
        paper_trade_enabled=paper,
    )
    return one.gateway.accounts.create("", new, "secret")


def switch(one: Product, account: RegisteredAccount, *, paper: bool) -> None:
    """Switch paper trading on or off, as the accounts API does."""
    one.gateway.accounts.change("", account.id, AccountChanges(paper_trade_enabled=paper))


def stand_at(one: Product, at: Callable[[str], None]) -> None:
    """Have something happen at the points of an order's way; see :class:`OrderLog`."""
    one.gateway.trading.reconcile.log.on_point = at


def books(machine: EmulatedTerminal) -> tuple[Any, ...]:
    """All that the terminal's own broker has in its books."""
    broker = machine.handler.broker
    return (
        [(p.ticket, p.volume, p.sl, p.tp) for p in broker.positions()],
        [(o.ticket, o.price_open, o.volume_current) for o in broker.orders()],
        [o.ticket for o in broker.history_orders()],
        [d.ticket for d in broker.history_deals()],
        broker.balance,
    )


@asynccontextmanager
async def on_paper(
    folder: Path, machine: EmulatedTerminal, *, paper: bool = True
) -> AsyncIterator[tuple[Product, WsClient, RegisteredAccount]]:
    """Run a daemon with a terminal whose account is registered; a client of it listens."""
    machine.pin = DevicePin()
    async with daemon(folder, trading={"allow_no_stop_loss": True}) as one:
        known = one.gateway.accounts.everybody()
        account = known[0] if known else register(one, machine, paper=paper)
        token = folder / "token"
        if not token.exists():
            token.write_text(one.home.issuer.create("main")[0])
        await one.link("main", machine, token=token.read_text())
        client = await one.ws()
        channels = ["orders", "positions", "deals", "account", "pnl", "terminal"]
        await client.call("subscribe", channels=channels)
        yield one, client, account


async def moved(client: WsClient, ticket: int, **change: float) -> None:
    """Change an order; the market may be past the price just now, and comes back."""
    while True:
        try:
            await client.call("modify_order", ticket=ticket, **change)
        except Refused as refused:
            assert refused.name in ("invalid_price", "invalid_stops")
        else:
            return


async def buy(client: WsClient, **more: Any) -> Json:
    """Buy at the market; return the receipt."""
    order = {"symbol": "EURUSD", "side": "buy", "volume": 0.5} | more
    receipt: Json = await client.call("place_order", **order)
    return receipt


async def found_out(client: WsClient, client_order_id: str) -> Json:
    """Wait until it is known what became of a request; return its record."""
    while True:
        known: Json = await client.call("get_order", client_order_id=client_order_id)
        if known["outcome"] != "unknown":
            return known


async def tickets(client: WsClient, method: str) -> list[int]:
    """Return the tickets of what is open."""
    return [one["ticket"] for one in await client.call(method)]


def is_ours(*tickets: int) -> bool:
    """Whether tickets are those of paper trading."""
    return all(FIRST <= one <= LAST for one in tickets)
