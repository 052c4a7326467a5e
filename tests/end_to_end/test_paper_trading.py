"""Paper trading: orders that are filled at the terminal's prices, and that no market sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from product import Product, daemon, sawtooth

from ea_bridge.emulator.machine import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from gateway.accounts.account import Changes, NewAccount, RegisteredAccount

pytestmark = pytest.mark.xdist_group("e2e-trading")

LOW, HIGH = 1.1, 1.103
"""Between these bids EURUSD rises and falls, once a second of ours."""
FIRST, LAST = 2**51, 2**52 - 1
"""Tickets on paper."""


def register(one: Product, machine: EmulatedTerminal, *, paper: bool = True) -> RegisteredAccount:
    """Register the account that a terminal is logged in to."""
    account = machine.desk.account()
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
    one.gateway.accounts.change("", account.id, Changes(paper_trade_enabled=paper))


def books(machine: EmulatedTerminal) -> tuple[Any, ...]:
    """All that the terminal's own broker has in its books."""
    broker = machine.desk.broker
    return (
        [(p.ticket, p.volume, p.sl, p.tp) for p in broker.positions()],
        [(o.ticket, o.price_open, o.volume_current) for o in broker.orders()],
        [o.ticket for o in broker.history_orders()],
        [d.ticket for d in broker.history_deals()],
        broker.balance,
    )


def market(tmp_path: Path, **options: Any) -> EmulatedTerminal:
    """Return a terminal with a market in which whatever waits is met soon."""
    return build_terminal(speed=60.0, tick_files=sawtooth(tmp_path, LOW, HIGH), **options)


@asynccontextmanager
async def on_paper(folder: Path, machine: EmulatedTerminal) -> AsyncIterator[Product]:
    """Run a daemon with a terminal whose account trades on paper."""
    async with daemon(folder) as one:
        if not one.gateway.accounts.everybody():
            register(one, machine)
        await one.link("main", machine, token="")
        yield one


def is_ours(ticket: int) -> bool:
    """Whether a ticket is one of paper trading."""
    return FIRST <= ticket <= LAST


async def test_a_position_from_its_order_to_the_history(tmp_path: Path) -> None:
    """Bought, changed and closed at live prices, marked in every answer and event; the terminal's
    own books stay as they are."""
    machine = market(tmp_path)
    async with on_paper(tmp_path / "home", machine) as one:
        before = books(machine)
        client = await one.ws()
        account = await client.call("get_account_info")
        assert (account["paper"], account["balance"]) == (True, float(before[-1]))
        await client.call("subscribe", channels=["orders", "positions", "deals", "account", "pnl"])
        bought = await client.call("place_order", symbol="EURUSD", side="buy", volume=0.5)
        ticket = bought["order"]["position"]
        assert bought["paper"] is True
        assert bought["order"]["state"] == "filled"
        assert LOW < bought["order"]["avg_price"] < HIGH + 0.001
        assert all(is_ours(bought["order"][one]) for one in ("order", "deal", "position"))
        [position] = await client.call("get_positions")
        assert (position["ticket"], position["paper"]) == (ticket, True)
        told = await client.change("positions", "add", ticket=ticket)
        assert told["paper"] is True
        assert (await client.change("deals", "add", order=ticket))["paper"] is True
        moved = await client.event("pnl", lambda e: e["data"]["positions"] != [])
        assert moved["data"]["paper"] is True
        changed = await client.call("modify_order", ticket=ticket, sl=1.05)
        assert changed["paper"] is True
        closed = await client.call("close_position", ticket=ticket)
        assert (closed["paper"], closed["order"]["state"]) == (True, "filled")
        assert await client.call("get_positions") == []
        past = await client.call("get_history_orders", kind="positions", position=ticket)
        assert [one["paper"] for one in past["positions"]] == [True]
        known = await client.call("get_order", client_order_id=bought["order"]["client_order_id"])
        assert (known["paper"], known["state"]) == (True, "done")
        assert [one["paper"] for one in known["now"]["past_orders"]] == [True]
        assert books(machine) == before
