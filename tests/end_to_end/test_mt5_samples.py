"""Each function of the MetaTrader5 package as its documentation shows it, over the gateway.

The samples are written anew: what each of them does, and what it expects to see.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from demo_process import Demo

from gateway.client import mt5


@pytest.fixture(autouse=True)
def terminal(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """An open terminal, as each sample begins."""
    monkeypatch.setenv("MT_GATEWAY_URL", demo.url)
    monkeypatch.setenv("MT_GATEWAY_TOKEN", demo.auth_token)
    assert mt5.initialize(), mt5.last_error()
    yield demo
    assert mt5.shutdown() is True


def buying(**changes: Any) -> dict[str, Any]:
    """Return the request of the sample of ``order_send``."""
    request = {
        "action": mt5.TRADE_ACTION_DEAL,
        "symbol": "EURUSD",
        "volume": 0.1,
        "type": mt5.ORDER_TYPE_BUY,
        "price": mt5.symbol_info_tick("EURUSD").ask,
        "deviation": 20,
        "magic": 234000,
        "comment": "python script open",
        "type_time": mt5.ORDER_TIME_GTC,
        "type_filling": mt5.ORDER_FILLING_IOC,
    }
    return request | changes


def waiting(price: float, **changes: Any) -> dict[str, Any]:
    """Return a request for a pending order."""
    limit = {"action": mt5.TRADE_ACTION_PENDING, "type": mt5.ORDER_TYPE_BUY_LIMIT, "price": price}
    return buying(type_filling=mt5.ORDER_FILLING_RETURN, **limit) | changes


def test_initialize_login_shutdown(terminal: Demo) -> None:
    """Each may be called again; another account than the terminal's is refused."""
    account = terminal.account
    assert mt5.initialize() is True
    assert mt5.initialize(r"C:\Program Files\MetaTrader 5\terminal64.exe", portable=True)
    assert mt5.initialize(None, login=account["login"], server=account["server"], password="x")
    assert mt5.login(account["login"], "x", account["server"]) is True
    assert mt5.login(25115284, password="x") is False
    assert mt5.last_error() == (-6, "Terminal: Authorization failed")
    assert mt5.account_info() is None, "nothing may go to the account before"
    assert mt5.last_error() == (-10004, "No IPC connection")
    assert mt5.login(login=account["login"]) is True
    assert mt5.shutdown() is True
    assert mt5.login(account["login"]) is False
    assert mt5.last_error() == (-10004, "No IPC connection")
    assert mt5.initialize(login=25115284, timeout=1000) is False
    assert mt5.last_error() == (-6, "Terminal: Authorization failed")
    assert mt5.initialize(password=terminal.auth_token)


def test_version_and_terminal_info() -> None:
    """The build is the terminal's; the sample makes a table of ``_asdict()``."""
    build = mt5.terminal_info().build
    assert mt5.version() == (500, build, "")
    info = mt5.terminal_info()._asdict()
    table = pd.DataFrame(list(info.items()), columns=["property", "value"])
    assert len(table) == 22
    assert info["connected"] is True
    assert info["maxbars"] == 100_000


def test_account_info(terminal: Demo) -> None:
    """All sums are numbers, and the tuple turns into a dictionary."""
    account = mt5.account_info()
    assert (account.login, account.server) == (
        terminal.account["login"],
        terminal.account["server"],
    )
    assert account.margin_mode == mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    assert [value for value in account if value is None] == []
    assert len(pd.DataFrame(list(account._asdict().items()))) == 28


def test_symbols() -> None:
    """Groups are masks, one excludes; a symbol is known by its exact name alone."""
    everything = mt5.symbols_get()
    assert everything is not None, mt5.last_error()
    assert mt5.symbols_total() == len(everything) > 10
    with_eur = mt5.symbols_get("*EUR*")
    assert all("EUR" in symbol.name for symbol in with_eur)
    others = mt5.symbols_get(group="*,!*USD*,!*EUR*,!*JPY*,!*GBP*")
    assert others
    assert not [one.name for one in others if "USD" in one.name or "EUR" in one.name]
    assert mt5.symbols_get("nothing*") == ()
    assert mt5.last_error() == (1, "Success")
    names = [symbol.name for symbol in everything]
    assert {"EURUSD", "EURUSD.r"} <= set(names)
    assert mt5.symbol_info("eurusd") is None
    assert mt5.last_error() == (-4, "Terminal: Not found")


def test_symbol_info_and_select() -> None:
    """Asking puts nothing into Market Watch; selecting does, and takes out again."""
    info = mt5.symbol_info("EURJPY")
    assert len(info._asdict()) == 96
    assert mt5.symbol_select("EURJPY", True) is True
    info = mt5.symbol_info("EURJPY")
    assert (info.select, info.digits, info.name) == (True, 3, "EURJPY")
    assert mt5.symbol_select("EURJPY", False) is True
    assert mt5.symbol_info("EURJPY").select is False
    assert mt5.symbols_get("EURJPY")[0].select is False, "a list selects nothing"
    assert mt5.symbol_select("NOPE", True) is False
    assert mt5.last_error() == (-4, "Terminal: Not found")


def test_symbol_info_tick() -> None:
    """Seconds and milliseconds tell the same moment of the broker's clock."""
    tick = mt5.symbol_info_tick("EURUSD")
    assert tick.ask > tick.bid > 0
    assert tick.time == tick.time_msc // 1000
    assert mt5.symbol_info_tick("NOPE") is None
    assert mt5.last_error() == (-4, "Terminal: Not found")


def test_market_book() -> None:
    """It has to be added first, and is gone after its release."""
    assert mt5.market_book_get("EURUSD") is None
    assert mt5.last_error() == (-1, "Terminal: Call failed")
    assert mt5.market_book_add("EURUSD") is True
    levels = mt5.market_book_get("EURUSD")
    assert {level.type for level in levels} == {mt5.BOOK_TYPE_SELL, mt5.BOOK_TYPE_BUY}
    assert all(
        level._asdict().keys() == {"type", "price", "volume", "volume_dbl"} for level in levels
    )
    assert mt5.market_book_release("EURUSD") is True
    assert mt5.market_book_get("EURUSD") is None
    assert mt5.market_book_add("NOPE") is False
    assert mt5.last_error() == (1, "Success")


def test_copy_rates() -> None:
    """From a date back, from a position back, and between two dates; a table is made of each."""
    bars = mt5.copy_rates_from("EURUSD", mt5.TIMEFRAME_H4, datetime.now(UTC), 10)
    assert (bars.dtype.itemsize, len(bars)) == (60, 10)
    newest = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_D1, 0, 10)
    assert list(newest["time"]) == sorted(newest["time"])
    table = pd.DataFrame(newest)
    table["time"] = pd.to_datetime(table["time"], unit="s")
    assert tuple(table.columns) == bars.dtype.names
    first, last = int(bars["time"][2]), int(bars["time"][5])
    between = mt5.copy_rates_range("EURUSD", mt5.TIMEFRAME_H4, first, last)
    assert np.array_equal(between, bars[2:6])
    moment = datetime.fromtimestamp(last, UTC)
    assert np.array_equal(mt5.copy_rates_from("EURUSD", mt5.TIMEFRAME_H4, moment, 4), between)
    before = mt5.copy_rates_range("EURUSD", mt5.TIMEFRAME_H1, 0, 60)
    assert (len(before), mt5.last_error()) == (0, (1, "Success"))
    bars["close"] = 0.0  # it is the caller's own
    year = mt5.copy_rates_range(
        "USDJPY", mt5.TIMEFRAME_D1, datetime(2020, 1, 1), datetime(2020, 3, 1)
    )
    assert len(year) > 30


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("NOPE", mt5.TIMEFRAME_M1, 0, 1), (-1, "Terminal: Call failed")),
        (("EURUSD", 17, 0, 1), (-2, "Terminal: Invalid params")),
        (("EURUSD", mt5.TIMEFRAME_M1, 0, 0), (-2, "Terminal: Invalid params")),
        (("EURUSD", mt5.TIMEFRAME_M1, 0, 100_000), (-2, "Terminal: Invalid params")),
        (("EURUSD", mt5.TIMEFRAME_MN1, 50_000, 1), (-1, "Terminal: Call failed")),
        (("EURUSD", mt5.TIMEFRAME_M1, 0), (-2, "Invalid arguments")),
        ((1, mt5.TIMEFRAME_M1, 0, 1), (-2, "Invalid arguments")),
    ],
)
def test_bars_that_cannot_be_had(arguments: tuple[Any, ...], error: tuple[int, str]) -> None:
    """The answer is ``None`` and not an empty array, and the error says why."""
    assert mt5.copy_rates_from_pos(*arguments) is None
    assert mt5.last_error() == error


def test_copy_ticks() -> None:
    """From a date on, and between two dates; pages join without a gap or a tick told twice."""
    now = mt5.symbol_info_tick("EURUSD").time
    ticks = mt5.copy_ticks_from("EURUSD", now - 5 * 86_400, 3000, mt5.COPY_TICKS_ALL)
    assert (ticks.dtype.itemsize, len(ticks)) == (60, 3000)
    assert np.array_equal(ticks["time"], ticks["time_msc"] // 1000)
    first, last = int(ticks["time"][0]), int(ticks["time"][-1]) - 1
    between = mt5.copy_ticks_range("EURUSD", first, last, mt5.COPY_TICKS_ALL)
    assert np.array_equal(
        between, ticks[(ticks["time_msc"] >= first * 1000) & (ticks["time_msc"] <= last * 1000)]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.client.mt5.queries.TICKS_AT_ONCE", 7)
        in_pages = mt5.copy_ticks_from("EURUSD", now - 5 * 86_400, 100, mt5.COPY_TICKS_ALL)
    assert np.array_equal(in_pages, ticks[:100])
    assert len(mt5.copy_ticks_range("EURUSD", 0, 10, mt5.COPY_TICKS_ALL)) == 0
    assert mt5.last_error() == (1, "Success")
    assert mt5.copy_ticks_from("NOPE", now, 1, mt5.COPY_TICKS_ALL) is None
    assert mt5.last_error() == (-4, "Terminal: Not found")


def test_bars_come_in_pieces_where_they_are_too_many() -> None:
    """The pieces join without a gap."""
    whole = mt5.copy_rates_from_pos("GBPUSD", mt5.TIMEFRAME_H1, 10, 100)
    last = int(whole["time"][-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.client.mt5.queries.BARS_AT_ONCE", 7)
        in_pieces = mt5.copy_rates_from("GBPUSD", mt5.TIMEFRAME_H1, last, 100)
    assert np.array_equal(whole, in_pieces)


def test_order_check_and_order_send() -> None:
    """Check, open, look, protect, close in two parts: as the sample of ``order_send``."""
    request = buying(sl=0.9, tp=1.5)
    checked = mt5.order_check(request)
    assert (checked.retcode, checked.comment, checked.request.symbol) == (0, "Done", "EURUSD")
    assert checked.margin > 0
    result = mt5.order_send(request)
    assert (result.retcode, result.volume) == (mt5.TRADE_RETCODE_DONE, 0.1)
    assert result.request == mt5.TradeRequest(
        **(
            dict.fromkeys(("order", "expiration", "position", "position_by"), 0)
            | {"stoplimit": 0.0}
            | request
        )
    )
    (position,) = mt5.positions_get(ticket=result.order)
    assert (position.symbol, position.type, position.magic) == (
        "EURUSD",
        mt5.POSITION_TYPE_BUY,
        234000,
    )
    assert (position.sl, position.tp, position.comment) == (0.9, 1.5, "python script open")
    stops = {"action": mt5.TRADE_ACTION_SLTP, "position": position.ticket, "sl": 0.95, "tp": 0.0}
    assert mt5.order_check(stops).retcode == 0
    assert mt5.order_send(stops).retcode == mt5.TRADE_RETCODE_DONE
    assert mt5.order_send(stops).retcode == mt5.TRADE_RETCODE_NO_CHANGES
    (position,) = mt5.positions_get(ticket=result.order)
    assert (position.sl, position.tp) == (0.95, 0.0)
    closing = buying(type=mt5.ORDER_TYPE_SELL, position=position.ticket, volume=0.04)
    assert (
        mt5.order_send(closing | {"type": mt5.ORDER_TYPE_BUY}).retcode == mt5.TRADE_RETCODE_INVALID
    )
    assert mt5.order_send(closing | {"symbol": "GBPUSD"}).retcode == mt5.TRADE_RETCODE_INVALID
    assert (
        mt5.order_send(closing | {"volume": 0.2}).retcode == mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME
    )
    assert mt5.order_check(closing).retcode == 0
    assert mt5.order_send(**closing).retcode == mt5.TRADE_RETCODE_DONE
    assert mt5.order_send(closing | {"volume": 0.06}).retcode == mt5.TRADE_RETCODE_DONE
    assert mt5.positions_get(ticket=position.ticket) == ()
    assert mt5.order_send(closing).retcode == mt5.TRADE_RETCODE_POSITION_CLOSED
    deals = mt5.history_deals_get(position=position.ticket)
    assert [(deal.entry, deal.volume) for deal in deals] == [(0, 0.1), (1, 0.04), (1, 0.06)]
    assert mt5.history_deals_get(ticket=result.order) == deals[:1]
    assert mt5.history_orders_get(ticket=result.order)[0].state == mt5.ORDER_STATE_FILLED
    assert len(mt5.history_orders_get(position=position.ticket)) == 3


def test_pending_orders() -> None:
    """Place, look, change and remove one that expires."""
    tick = mt5.symbol_info_tick("EURUSD")
    until = (tick.time // 60 + 60 * 24 * 3) * 60
    lasting = {"type_time": mt5.ORDER_TIME_SPECIFIED, "expiration": until}
    # a price off the grid, as programs calculate them
    result = mt5.order_send(waiting(tick.bid * 0.98, sl=tick.bid * 0.97, **lasting))
    assert result.retcode == mt5.TRADE_RETCODE_DONE
    (order,) = mt5.orders_get(ticket=result.order)
    assert (order.price_open, order.time_expiration) == (round(tick.bid * 0.98, 5), until)
    assert (order.type, order.type_time) == (mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TIME_SPECIFIED)
    assert mt5.orders_total() >= 1
    # by their tickets: its present price changes all the time
    of_symbol, of_dollar, of_pound = (
        {one.ticket for one in mt5.orders_get(**chosen)}
        for chosen in ({"symbol": "EURUSD"}, {"group": "*USD*,!*GBP*"}, {"group": "*GBP*"})
    )
    assert order.ticket in of_symbol & of_dollar - of_pound
    change = {
        "action": mt5.TRADE_ACTION_MODIFY,
        "order": order.ticket,
        "price": round(tick.bid * 0.96, 5),
    }
    assert mt5.order_send(change).retcode == mt5.TRADE_RETCODE_DONE
    (order,) = mt5.orders_get(ticket=result.order)
    assert (order.price_open, order.sl, order.time_expiration) == (change["price"], 0.0, 0)
    removal = {"action": mt5.TRADE_ACTION_REMOVE, "order": order.ticket}
    assert mt5.order_send(removal).retcode == mt5.TRADE_RETCODE_DONE
    assert mt5.order_send(removal).retcode == mt5.TRADE_RETCODE_INVALID
    assert mt5.orders_get(ticket=order.ticket) == ()
    (past,) = mt5.history_orders_get(ticket=order.ticket)
    assert past.state == mt5.ORDER_STATE_CANCELED


@pytest.mark.parametrize(
    ("changes", "retcode"),
    [
        ({"symbol": "NOPE"}, mt5.TRADE_RETCODE_INVALID),
        ({"symbol": "eurusd"}, mt5.TRADE_RETCODE_INVALID),
        ({"volume": 0.001}, mt5.TRADE_RETCODE_INVALID_VOLUME),
        ({"volume": 0.015}, mt5.TRADE_RETCODE_INVALID_VOLUME),
        ({"volume": 5000.0}, mt5.TRADE_RETCODE_INVALID_VOLUME),
        ({"volume": 99.0, "symbol": "XAUUSD"}, mt5.TRADE_RETCODE_NO_MONEY),
        ({"sl": 1.9}, mt5.TRADE_RETCODE_INVALID_STOPS),
        ({"type_filling": mt5.ORDER_FILLING_RETURN}, mt5.TRADE_RETCODE_INVALID_FILL),
        ({"action": 99}, mt5.TRADE_RETCODE_INVALID),
        ({"type": mt5.ORDER_TYPE_BUY_LIMIT}, mt5.TRADE_RETCODE_INVALID),
        ({"position": 1}, mt5.TRADE_RETCODE_POSITION_CLOSED),
    ],
)
def test_what_the_trade_server_refuses(changes: dict[str, Any], retcode: int) -> None:
    """A refusal is an answer with a retcode, of ``order_check`` as well; nothing is opened."""
    before = mt5.positions_total()
    result = mt5.order_send(buying(**changes))
    assert (result.retcode, mt5.last_error()) == (retcode, (1, "Success"))
    assert mt5.order_check(buying(**changes)).retcode == retcode
    assert mt5.positions_total() == before


def test_buy_sell_close() -> None:
    """One word opens, another closes all of a symbol or one ticket."""
    first = mt5.Buy("GBPUSD", 0.01)
    second = mt5.Sell("GBPUSD", 0.02, comment="short")
    assert first is not None
    assert second is not None
    assert (first.retcode, second.retcode) == (mt5.TRADE_RETCODE_DONE,) * 2
    assert mt5.positions_total() >= 2
    assert {one.ticket for one in mt5.positions_get(symbol="GBPUSD")} == {
        first.order,
        second.order,
    }
    assert mt5.Close("GBPUSD", ticket=first.order) is True
    assert mt5.Close("GBPUSD") is True
    assert mt5.positions_get(symbol="GBPUSD") == ()


def test_close_by() -> None:
    """Two opposite positions close each other."""
    first, second = mt5.Buy("USDCHF", 0.02), mt5.Sell("USDCHF", 0.02)
    assert first is not None
    assert second is not None
    pair = {"position": first.order, "position_by": second.order}
    result = mt5.order_send({"action": mt5.TRADE_ACTION_CLOSE_BY, **pair})
    assert result.retcode == mt5.TRADE_RETCODE_DONE
    assert mt5.positions_get(ticket=first.order) == mt5.positions_get(ticket=second.order) == ()


def test_order_calc() -> None:
    """Margin and profit of one lot; an unknown symbol is no calculation."""
    ask = mt5.symbol_info_tick("EURUSD").ask
    margin = mt5.order_calc_margin(mt5.ORDER_TYPE_BUY, "EURUSD", 1.0, ask)
    assert margin == pytest.approx(100_000 * ask / mt5.account_info().leverage, abs=0.01)
    assert mt5.order_calc_profit(mt5.ORDER_TYPE_BUY, "EURUSD", 1, 1.1, 1.101) == pytest.approx(100)
    assert mt5.order_calc_profit(mt5.ORDER_TYPE_SELL, "EURUSD", 1, 1.1, 1.101) == pytest.approx(
        -100
    )
    assert mt5.order_calc_margin(mt5.ORDER_TYPE_BUY, "NOPE", 1.0, 1.0) is None
    assert mt5.last_error() == (-4, "Terminal: Not found")


def test_history() -> None:
    """Between two dates, of a group or all; the totals are those of the lists."""
    opened = mt5.Buy("AUDUSD", 0.01)
    assert opened is not None
    assert opened.retcode == mt5.TRADE_RETCODE_DONE
    assert mt5.Close("AUDUSD") is True
    end = datetime.now(UTC) + timedelta(days=3)
    start = datetime(2020, 1, 1)
    deals = mt5.history_deals_get(start, end)
    assert mt5.history_deals_total(start, end) == len(deals) >= 2
    ours = mt5.history_deals_get(start, end, group="AUD*")
    assert ours == tuple(deal for deal in deals if deal.symbol.startswith("AUD"))
    table = pd.DataFrame(list(ours), columns=ours[0]._asdict().keys())
    assert list(table["symbol"].unique()) == ["AUDUSD"]
    orders = mt5.history_orders_get(start, end)
    assert mt5.history_orders_total(start, end) == len(orders) >= 2
    assert mt5.history_orders_get(0, 10) == ()
    assert mt5.history_deals_get(ticket=1) == ()
    assert mt5.last_error() == (1, "Success")
    assert mt5.history_deals_get() is None
    assert mt5.last_error() == (-2, "Invalid arguments")


def test_many_threads() -> None:
    """Calls of threads run one after another, each with its own answer."""
    names = [symbol.name for symbol in mt5.symbols_get()] * 6
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(mt5.symbol_info, names))
    assert [info.name for info in found] == names


def test_a_forked_child_has_a_connection_of_its_own(terminal: Demo) -> None:
    """Parent and child ask at the same time, and neither reads the other's answers."""
    program = """
        import os
        from gateway.client import mt5
        assert mt5.initialize(), mt5.last_error()
        child = os.fork()
        for name in ["EURUSD", "GBPUSD"] * 40:
            assert mt5.symbol_info(name).name == name
        if child:
            assert os.waitpid(child, 0)[1] == 0
            print("both")
        os._exit(0) if not child else mt5.shutdown()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=terminal.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("both\n", "")
