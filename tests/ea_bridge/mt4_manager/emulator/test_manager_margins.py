"""Margin levels of the emulated server: the documented formulas, and all accounts at once."""

from __future__ import annotations

import random
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manager_bench import ManagerBench
from msgspec.structs import replace

from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.model import LevelType, MarginCalculation, TradeCommand
from ea_bridge.simulation.broker import valuation as formulas
from ea_bridge.simulation.broker.prices import exact, rounded

TICKS = {"tick_value": 5.0, "tick_size": 0.5}
BUY, SELL = TradeCommand.BUY, TradeCommand.SELL


def level(bench: ManagerBench, login: int) -> mt4.MarginLevel:
    return bench.ask(c.MARGIN_LEVEL_REQUEST, mt4.UserParams(login=login))


def all_levels(bench: ManagerBench, **asked: Any) -> list[mt4.MarginLevel]:
    """Ask for all, and join the parts as a session does."""
    rows: list[mt4.MarginLevel] = []
    for res in bench.give(c.MARGINS_GET, mt4.MarginsFilter(**asked)):
        rows += c.MARGINS_GET.decoder.decode(res.d).rows
    return rows


def terms(bench: ManagerBench, name: str, **changes: Any) -> None:
    """Change a symbol's terms, before anybody trades in it."""
    symbols = bench.books.symbols
    assert isinstance(symbols, dict)
    symbols[name] = replace(symbols[name], **changes)


def test_an_account_without_positions(bench: ManagerBench):
    """Balance is balance and credit; there is no level and nothing to call for."""
    login = bench.user(deposit=100.0)
    bench.operate(login, 50.0, TradeCommand.CREDIT)
    told = level(bench, login)

    assert (told.balance, told.equity, told.margin_free) == (150.0, 150.0, 150.0)
    assert (told.margin, told.margin_level, told.level_type) == (0.0, 0.0, LevelType.OK)


def test_a_position_by_hand(bench: ManagerBench):
    """0.50 lots of EURUSD at 1:100, bought at 1.2, bid 1.21: worked out on paper."""
    login = bench.user(deposit=1000.0)
    bench.quotes.set("EURUSD", 1.2, 1.2)
    bench.open(login, volume=50)
    bench.quotes.set("EURUSD", 1.21, 1.2102)
    told = level(bench, login)

    assert told.margin == 600.0  # 50,000 EUR / 100 * 1.2
    assert told.equity == 1500.0  # 1000 + 0.01 * 50,000
    assert (told.margin_free, told.margin_level, told.volume) == (900.0, 250.0, 50)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["EURUSD", "USDJPY", "XAUUSD", "EURGBP", "BTCUSD", "USTEC"]),
    volume=st.integers(1, 2000),
    long=st.booleans(),
    leverage=st.integers(1, 1000),
    move=st.floats(-0.05, 0.05),
    group=st.sampled_from(["real-usd", "real-eur"]),
)
def test_one_position_is_worth_what_the_brokers_formulas_say(
    name: str, volume: int, long: bool, leverage: int, move: float, group: str
):
    """Floats against exact decimals, to the cent: an implementation that shares no line."""
    bench = ManagerBench()
    login = bench.user(group, leverage=leverage, deposit=1e6)
    number = bench.open(login, name, BUY if long else SELL, volume)
    trade, spec = bench.books.open[number], bench.quotes.specs[name]
    bid, ask = bench.manager.take_snapshot().quote(name)
    bench.quotes.set(name, *(round(one * (1 + move), spec.digits) for one in (bid, ask)))
    bid, ask = bench.manager.take_snapshot().quote(name)
    currency = bench.books.groups[group].currency
    rate = bench.manager.take_snapshot().profit_rate(name, currency, long=long)
    lots, opened = Decimal(volume) / 100, exact(trade.open_price)
    profit = formulas.profit(spec, lots, opened, exact(bid if long else ask), long=long)
    margin = formulas.margin(spec, lots, opened, leverage)
    told = level(bench, login)

    cent = Decimal("0.01")
    assert abs(exact(told.margin) - rounded(margin * exact(trade.margin_rate), 2)) <= cent
    assert abs(exact(told.equity) - rounded(exact(1e6) + profit * exact(rate), 2)) <= cent


@pytest.mark.parametrize(
    ("mode", "changes", "margin"),
    [
        (MarginCalculation.FOREX, {}, 1000.0),
        (MarginCalculation.FOREX, {"margin_initial": 50_000.0}, 500.0),
        (MarginCalculation.FOREX, {"margin_divider": 2.0}, 500.0),
        (MarginCalculation.CFD, {"contract_size": 10.0}, 20.0),
        (MarginCalculation.CFD_LEVERAGE, {"contract_size": 1000.0}, 20.0),
        (
            MarginCalculation.CFD_INDEX,
            {"contract_size": 10.0, **TICKS},
            200.0,
        ),
        (MarginCalculation.FUTURES, {"margin_initial": 700.0}, 700.0),
        (MarginCalculation.FUTURES, {}, 0.0),
    ],
)
def test_each_mode_has_its_formula(
    bench: ManagerBench, mode: MarginCalculation, changes: dict[str, float], margin: float
):
    """One lot at a price of 2, 1:100, margin in the account's currency."""
    terms(bench, "EURUSD", margin_mode=int(mode), **changes)
    login = bench.user(deposit=10_000.0)
    bench.open(login, volume=100, open_price=2.0, margin_rate=1.0)

    assert level(bench, login).margin == margin


def test_opposite_positions_need_less(bench: ManagerBench):
    """The uncovered volume in full, the covered one as ``margin_hedged`` says."""
    login = bench.user(deposit=10_000.0)
    bench.open(login, volume=300, margin_rate=1.0)
    bench.open(login, cmd=SELL, volume=100, margin_rate=1.0)
    assert level(bench, login).margin == 2000.0

    other = ManagerBench()
    terms(other, "EURUSD", margin_hedged=50_000.0)
    login = other.user(deposit=10_000.0)
    other.open(login, volume=300, margin_rate=1.0)
    other.open(login, cmd=SELL, volume=100, margin_rate=1.0)
    assert level(other, login).margin == 2500.0


def test_a_group_has_its_own_divider(bench: ManagerBench):
    """Gold needs twice the margin in ``vip-usd``."""
    plain, vip = bench.user(deposit=9000.0), bench.user("vip-usd", deposit=9000.0)
    for login in (plain, vip):
        bench.open(login, "XAUUSD", volume=100, margin_rate=2000.0)

    assert level(bench, plain).margin == 2000.0
    assert level(bench, vip).margin == 4000.0


def test_pending_orders_need_no_margin(bench: ManagerBench):
    """Nor do they float."""
    login = bench.user(deposit=100.0)
    bench.open(login, cmd=TradeCommand.BUY_LIMIT, volume=1000, open_price=1.0)
    told = level(bench, login)

    assert (told.margin, told.volume, told.equity) == (0.0, 0, 100.0)


@pytest.mark.parametrize(
    ("group", "equity", "expected"),
    [
        ("real-usd", 1001, LevelType.OK),  # percent of a margin of 1000: 100 and 50
        ("real-usd", 1000, LevelType.MARGINCALL),
        ("real-usd", 501, LevelType.MARGINCALL),
        ("real-usd", 500, LevelType.STOPOUT),
        ("fixed-usd", 1501, LevelType.OK),  # free margin in money: 500 and 100
        ("fixed-usd", 1500, LevelType.MARGINCALL),
        ("fixed-usd", 1100, LevelType.STOPOUT),
    ],
)
def test_the_groups_levels(bench: ManagerBench, group: str, equity: int, expected: LevelType):
    """In percent, or in money."""
    login = bench.user(group, deposit=float(equity))
    bid, _ = bench.manager.take_snapshot().quote("EURUSD")
    bench.open(login, volume=100, margin_rate=1.0, open_price=bid)

    assert level(bench, login).level_type == expected
    assert [one.login for one in all_levels(bench, level_type=int(expected))] == [login]


@pytest.mark.parametrize(
    ("mode", "free"),
    [(0, 9000.0), (1, 9100.0), (2, 9300.0), (3, 8800.0)],
)
def test_how_much_of_what_floats_is_free(bench: ManagerBench, mode: int, free: float):
    """Nothing, all, profits, losses: 300 and -200 over 10,000 with 1000 of margin."""
    groups = bench.books.groups
    assert isinstance(groups, dict)
    groups["real-usd"] = replace(groups["real-usd"], margin_mode=mode)
    login = bench.user(deposit=10_000.0)
    bid, _ = bench.manager.take_snapshot().quote("EURUSD")
    bench.open(login, volume=50, margin_rate=1.0, open_price=round(bid - 0.006, 5))
    bench.open(login, volume=50, margin_rate=1.0, open_price=round(bid + 0.004, 5))

    assert level(bench, login).margin_free == free


def test_what_is_kept_is_never_stale():
    """Margins and encoded levels are kept; every kind of change forgets them."""
    bench, draw = ManagerBench(users=30), random.Random(4)  # noqa: S311 - draws steps, guards nothing
    logins = [one.user.login for one in bench.books.by_login()]

    def fresh() -> list[mt4.MarginLevel]:
        for account in bench.books.by_login():
            account.touch()
        return all_levels(bench)

    for _ in range(60):
        login = draw.choice(logins)
        account = bench.books.accounts[login]
        match draw.randrange(7):
            case 0:
                bench.operate(login, 10.0)
            case 1:
                bench.open(login, draw.choice(["EURUSD", "XAUUSD"]), draw.choice([BUY, SELL]), 10)
            case 2 if account.open:
                bench.close(login, account.open[0])
            case 3:
                change = mt4.UserChange(leverage=draw.randrange(1, 500))
                bench.ask(c.USER_RECORD_UPDATE, mt4.UserUpdate(login=login, change=change))
            case 4 if account.open:
                change = mt4.TradeChange(volume=draw.randrange(1, 500))
                modify = mt4.AdminModifyParams(
                    order=account.open[0], change=change, fix_balance=draw.randrange(2)
                )
                bench.ask(c.ADM_TRADE_RECORD_MODIFY, modify)
            case 5 if account.open:
                bench.ask(c.ADM_TRADES_DELETE, mt4.AdminDeleteParams(orders=account.open[:1]))
            case 6:
                bid = 1 + draw.random() / 2
                bench.quotes.set("EURUSD", bid, bid + 0.0001)
        kept = all_levels(bench)
        assert kept == fresh()
        assert kept == [level(bench, one) for one in logins]


def test_a_page_of_levels(bench: ManagerBench):
    """By login, with the total; groups by mask."""
    bench = ManagerBench(users=25)
    everybody = all_levels(bench)
    [res] = bench.give(c.MARGINS_GET, mt4.MarginsFilter(offset=10, limit=5))
    page = c.MARGINS_GET.decoder.decode(res.d)

    assert [one.login for one in everybody] == sorted(bench.books.accounts)
    assert (page.total, page.rows) == (25, everybody[10:15])
    assert {one.group for one in all_levels(bench, group="real-*")} == {"real-usd", "real-eur"}


@pytest.mark.long
def test_a_hundred_thousand_accounts():
    """The server's share of a question about all of them; figures of a machine at rest are in
    the changelog, the bound here is ten times that.
    """
    bench = ManagerBench(users=100_000, positions=1.0)
    assert len(all_levels(bench)) == 100_000
    bench.quotes.set("EURUSD", 1.1, 1.1001)
    began = time.process_time()
    parts = bench.give(c.MARGINS_GET, mt4.MarginsFilter())

    assert time.process_time() - began < 4
    assert len(parts) > 50
