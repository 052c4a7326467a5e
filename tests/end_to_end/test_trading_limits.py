"""The limits of the configuration, from the file to the broker and back, over both doors."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from product import Client, Product, Refused, daemon

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import Position
from gateway.config import Trading

pytestmark = pytest.mark.xdist_group("e2e-limits")

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
RUSH = 100
FITTING = 7
FREE = {"orders_per_second": "none"}


def positions(running: Product) -> list[Position]:
    """What the broker has in its own books, without what it began with."""
    return [one for one in running.main.machine.handler.broker.positions() if one.magic == 77]


async def attempt(client: Client, **params: object) -> Refused | None:
    """Place an order; return the refusal."""
    try:
        await client.call("place_order", **{**BUY, **params}, magic=77)
    except Refused as refused:
        assert refused.data["outcome"] == "not_sent"
        return refused
    return None


def caps(machine: EmulatedTerminal) -> dict[str, float]:
    """Limits that leave room for seven more orders than there is already."""
    broker = machine.handler.broker
    held, waiting = broker.positions(), broker.orders()
    lots = sum(one.volume for one in held) + sum(one.volume_current for one in waiting)
    return {
        "max_open_lots": round(lots + 0.75, 2),
        "max_positions": len(held) + len(waiting) + FITTING,
    }


@pytest.mark.parametrize("rule", ["max_open_lots", "max_positions"])
async def test_a_hundred_orders_against_one_cap(tmp_path: Path, rule: str) -> None:
    """Over two connections at once: the broker never has more than the limit, and gets all that
    fits.
    """
    machine = build_terminal()
    async with daemon(tmp_path, trading={**FREE, rule: caps(machine)[rule]}) as running:
        await running.link("main", machine)
        clients = [await running.http(), await running.ws()]
        answers = await asyncio.gather(*(attempt(clients[n % 2]) for n in range(RUSH)))
        refused = [one for one in answers if one is not None]
        held = positions(running)
        assert len(held) + len(refused) == RUSH
        assert len(held) <= FITTING
        assert {one.data.get("rule", one.name) for one in refused} <= {rule, "terminal_busy"}
        while len(held) < FITTING:  # so many were busy that it was not filled
            assert await attempt(clients[0]) is None
            held = positions(running)
        # one that is closed leaves room for one
        await clients[0].call("close_position", ticket=held[0].ticket)
        assert await attempt(clients[1]) is None
        assert (await attempt(clients[0])) is not None


async def test_the_worth_of_all_together(tmp_path: Path) -> None:
    """By what the terminal says that a lot is worth, in the account's currency."""
    machine = build_terminal()
    bid = machine.handler.market.tick("EURUSD").bid  # type: ignore[union-attr]  # it trades always
    broker = machine.handler.broker
    worth = [
        broker.calc_profit(0, one.symbol, one.volume, one.price_current, 2 * one.price_current)
        for one in broker.positions()
    ] + [
        broker.calc_profit(
            0, one.symbol, one.volume_current, one.price_current, 2 * one.price_current
        )
        for one in broker.orders()
    ]
    most = sum(one or 0 for one in worth) + 3.5 * 10_000 * bid
    async with daemon(tmp_path, trading={**FREE, "max_notional": most}) as running:
        await running.link("main", machine)
        client = await running.ws()
        refused = [one for one in [await attempt(client) for _ in range(4)] if one is not None]
        assert len(positions(running)) == 3
        assert [one.data["rule"] for one in refused] == ["max_notional"]
        assert refused[0].data["limit"] == pytest.approx(most)
        assert refused[0].data["value"] == pytest.approx(most + 5_000 * bid, rel=0.02)


async def test_a_new_user_is_held_back_by_nothing_but_haste(tmp_path: Path) -> None:
    """Without a file: an order passes; a burst of more than 40 is told how long to wait."""
    # at 20 a second, as it is by default, a slow machine would not be held back
    async with daemon(tmp_path, trading={"orders_per_second": 0.001}) as running:
        await running.link("main", build_terminal())
        client = await running.ws()
        assert await attempt(client) is None
        refused = [
            one
            for one in await asyncio.gather(*(attempt(client) for _ in range(60)))
            if one is not None
        ]
        assert len(positions(running)) == Trading().order_burst == 40
        assert len(refused) == 61 - 40
        for error in refused:
            assert (error.code, error.data["bucket"]) == (-32005, "orders")
            assert error.data["retry_after_ms"] > 1000


async def test_a_days_orders_are_counted_across_a_restart(tmp_path: Path) -> None:
    """The journal remembers them."""
    trading = {**FREE, "max_orders_per_day": 3}
    machine = build_terminal()
    async with daemon(tmp_path, trading=trading) as running:
        token = (await running.link("main", machine)).token
        client = await running.http()
        for _ in range(2):
            assert await attempt(client) is None
        (held, _) = positions(running)
        await client.call("close_position", ticket=held.ticket)
    async with daemon(tmp_path, trading=trading) as running:
        await running.link("main", machine, token=token)
        client = await running.http()
        assert await attempt(client) is None
        refused = await attempt(client)
        assert refused is not None
        assert (refused.data["rule"], refused.data["value"]) == ("max_orders_per_day", 4)


async def test_the_terminals_own_numbers(tmp_path: Path) -> None:
    """Risk, margin, collar and loss by what the emulated terminal really says."""
    trading = {
        **FREE,
        "risk_pct": 0.01,
        "allow_no_stop_loss": True,
        "check_margin": True,
        "price_collar_bps": 100,
        "max_daily_loss": 1000.0,
        "max_drawdown_pct": 50.0,
        "allowed_symbols": ["EURUSD", "BTCUSD"],
        "max_lot": 70.0,
    }
    async with daemon(tmp_path, trading=trading) as running:
        await running.link("main", build_terminal())
        client = await running.http()
        bid = (await client.call("get_symbol_info", symbol="EURUSD"))["bid"]
        equity = (await client.call("get_account_info"))["equity"]
        assert await attempt(client, sl=round(bid - 0.001, 5)) is None, "about 11 dollars"
        for params, rule in (
            ({"sl": round(bid - 0.05, 5)}, "risk_pct"),
            ({"volume": 69}, "free_margin"),
            ({"volume": 71}, "max_lot"),
            ({"symbol": "XAUUSD"}, "allowed_symbols"),
            ({"type": "limit", "price": round(bid * 0.98, 5)}, "price_collar"),
        ):
            refused = await attempt(client, **params)
            assert refused is not None, rule
            assert refused.data["rule"] == rule
            if rule == "risk_pct":
                assert refused.data["limit"] == pytest.approx(equity * 0.01, rel=0.01)
                assert refused.data["value"] == pytest.approx(500, rel=0.05)
        checked = await client.call("place_order", **BUY, validate_only=True)
        assert (checked["sent"], checked["check"]["passes"]) == (False, True)
        assert len(positions(running)) == 1
