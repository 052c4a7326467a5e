"""The emulated terminal and the EA in the simulated one are asked the same, about the same account
in the same standing market: where they differ in an answer, one of them is wrong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from ea_product import link_ea
from linked_ea import Compile
from product import Client, Json, Product, daemon

from ea_bridge.commands import HISTORY_DEALS_GET, HISTORY_ORDERS_GET, Command, HistoryParams
from ea_bridge.emulator.factory import build_terminal
from gateway.trading.history import second_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-answers")]

STANDING = 1e-9
"""The speed of a market that stands still."""
MOMENT = ("time_setup", "time_done", "time", "time_update")
"""When something happened in the course of the test itself."""
PLATFORMS = ["mt5", "mt4"]
NO_MT4 = {"reason", "type_filling"}
"""What no function of MQL4 tells, and the emulated terminal does."""
CENT = 0.011
LATE_S = 4_000_000_000
"""Behind all that has happened."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PLATFORMS)
async def running(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    compile_ea: Compile,
) -> AsyncIterator[Product]:
    """A daemon with both terminals: ``emulated`` and ``ea``."""
    folder = tmp_path_factory.mktemp("answers")
    platform = request.param
    async with daemon(folder / "home") as one, AsyncExitStack() as stack:
        machine = build_terminal(platform=platform, speed=STANDING)
        await one.link("emulated", machine)
        program = compile_ea(platform)
        account = msgspec.to_builtins(machine.handler.broker.account())
        other = {"account": {**account, "login": account["login"] + 1}}  # they share nothing
        await link_ea(stack, one, "ea", machine, program, folder / "terminal", config=other)
        yield one
        one.terminals.clear()


@pytest_asyncio.fixture(loop_scope="module")
async def clients(running: Product) -> AsyncIterator[tuple[Client, Client]]:
    """One for each terminal."""
    names = ("emulated", "ea")
    yield tuple([await running.http(running.terminals[name].token) for name in names])  # type: ignore[misc]
    await running.close_clients()


def without(answer: Any, names: set[str]) -> Any:
    """Leave members out, however deep they are."""
    if isinstance(answer, dict):
        return {k: without(v, names) for k, v in answer.items() if k not in names}
    if isinstance(answer, list):
        return [without(one, names) for one in answer]
    return answer


def in_seconds(answer: Any) -> Any:
    """Round times down: MetaTrader 4 has no milliseconds, and the emulated one tells them."""
    if isinstance(answer, dict):
        return {
            k: v // 1000 if "time" in k and isinstance(v, int) else in_seconds(v)
            for k, v in answer.items()
        }
    if isinstance(answer, list):
        return [in_seconds(one) for one in answer]
    return answer


def differences(path: str, emulated: Any, ea: Any, within: float) -> list[str]:
    """Name every member that differs, with both values."""
    if isinstance(emulated, dict) and isinstance(ea, dict) and set(emulated) == set(ea):
        return [
            d
            for name in ea
            for d in differences(f"{path}.{name}", emulated[name], ea[name], within)
        ]
    if isinstance(emulated, list) and isinstance(ea, list) and len(emulated) == len(ea):
        pairs = enumerate(zip(emulated, ea, strict=True))
        return [
            d for number, pair in pairs for d in differences(f"{path}[{number}]", *pair, within)
        ]
    numbers = isinstance(emulated, float | int) and isinstance(ea, float | int)
    if emulated == ea or (numbers and ea == pytest.approx(emulated, abs=within)):
        return []
    return [f"{path}: emulated {emulated!r}, EA {ea!r}"]


def check(method: str, answers: Sequence[Any], within: float = 1e-9) -> None:
    """Fail if the emulated terminal's answer and the EA's differ."""
    emulated, ea = answers
    assert differences(method, emulated, ea, within) == []


async def same(
    clients: tuple[Client, Client], method: str, *but: str, **params: Any
) -> tuple[Any, Any]:
    """Ask both; fail unless they answer alike, but for the members named."""
    answers = [await client.ask(method, params) for client in clients]
    refusals = [
        without(answer.get("error"), {"terminal", "client_order_id"}) for answer in answers
    ]
    results = [answer.get("result") for answer in answers]
    check(method, refusals)
    compared = [without(result, {*but}) for result in results]
    if (await clients[0].call("get_terminal_info"))["platform"] == "mt4":
        compared = [in_seconds(without(result, NO_MT4)) for result in compared]
        # the margin of a lot is given in cents, and the value of a tick as of when it was told
        check(method, compared, within=0.2 if method == "order_calc_profit" else CENT)
    else:
        check(method, compared)
    return results[0], results[1]


SYMBOLS = ["EURUSD", "USDJPY", "XAUUSD", "BTCUSD", "EURUSD.r", "#US 30:cash", "NOSUCH"]


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_a_symbol(clients: tuple[Client, Client], symbol: str) -> None:
    """Its specification, its sessions, its price."""
    # the emulated day begins with the market, the other with what the terminal is told
    today = {"bidhigh", "bidlow", "askhigh", "asklow", "price_change", "session_open"}
    await same(clients, "get_symbol_info", *today, "session_close", symbol=symbol)
    if symbol != "NOSUCH":
        answers = [await client.call("get_sessions", symbol=symbol) for client in clients]
        weeks = [sorted(answer["sessions"], key=str) for answer in answers]
        check("get_sessions", weeks)
    await same(clients, "get_history_prices", symbol=symbol)


async def test_the_list_of_symbols(clients: tuple[Client, Client]) -> None:
    """All, those of Market Watch, and a group of them."""
    for params in ({}, {"selected": True}, {"group": "*USD*,!EURUSD"}, {"detail": True}):
        answers = [await client.ask("get_symbols", params) for client in clients]
        if "result" in answers[0]:
            emulated, ea = (answer["result"] for answer in answers)
            key = str if not emulated or isinstance(emulated[0], str) else lambda one: one["name"]
            check("get_symbols", [sorted(emulated, key=key), sorted(ea, key=key)])
        else:
            check("get_symbols", [answer["error"] for answer in answers])


async def test_the_account(clients: tuple[Client, Client]) -> None:
    """What it is and what it holds."""
    await same(clients, "get_account_info", "login")
    await same(clients, "get_account_balance", "login", "time")
    unknown = "tradeapi_disabled"  # to MQL5: no property says so
    await same(clients, "get_terminal_info", "data_path", "path", "commondata_path", unknown)
    await same(clients, "get_positions")
    await same(clients, "get_orders")


@pytest.mark.parametrize("kind", ["orders", "positions", "deals", "orders_deals"])
async def test_the_history(clients: tuple[Client, Client], kind: str) -> None:
    """All of it, and that of a few days."""
    found, _ = await same(clients, "get_history_orders", kind=kind, limit=5000)
    if found is None:
        return  # MetaTrader 4 has no deals: both say so
    rows = found.get("orders") or found.get("deals") or found.get("positions") or []
    if rows:
        middle = rows[len(rows) // 2]
        moment = middle.get("time_done") or middle.get("time_close") or middle.get("time")
        span = {"from": moment - 86_400_000, "to": moment + 86_400_000}
        await same(clients, "get_history_orders", kind=kind, limit=5000, **span)
        await same(clients, "get_history_orders", kind=kind, symbol=middle["symbol"], limit=50)


@pytest.mark.parametrize("count", [1, 5, 10**6])
async def test_the_oldest_of_the_past(running: Product, count: int) -> None:
    """So many of a span as are asked for, with all of the last one's second."""
    commands: list[Command[HistoryParams, Any]] = [HISTORY_ORDERS_GET]
    if running.terminals["ea"].machine.platform == "mt5":
        commands.append(HISTORY_DEALS_GET)
    for command in commands:
        told = []
        for name in ("emulated", "ea"):
            session = running.gateway.registry.get(name)
            assert session is not None
            every = await session.request(command, HistoryParams(from_s=0, to_s=LATE_S))
            some = await session.request(
                command, HistoryParams(from_s=0, to_s=LATE_S, count=count)
            )
            last_s = sorted(map(second_of, every))[min(count, len(every)) - 1]
            oldest = {one.ticket for one in every if second_of(one) <= last_s}
            assert {one.ticket for one in some} == oldest
            assert len(oldest) < len(every) or count > 5
            told.append(oldest)
        assert told[0] == told[1]


@pytest.mark.parametrize("method", ["get_orders", "get_positions"])
async def test_pages_of_what_is_open(clients: tuple[Client, Client], method: str) -> None:
    """By their tickets, from the first page to the last."""
    every = sorted(one["ticket"] for one in await clients[1].call(method))
    told: list[int] = []
    while len(told) < len(every) or not told:
        _, page = await same(clients, method, limit=1, after=told[-1] if told else 0)
        told += [one["ticket"] for one in page]
        if not page:
            break
    assert told == every


async def test_bars(clients: tuple[Client, Client]) -> None:
    """From the newest back, and of a span."""
    for timeframe in ("M1", "M5", "M15", "H1", "D1"):
        found, _ = await same(clients, "get_ohlc", symbol="EURUSD", timeframe=timeframe, count=40)
        first, last = found["bars"][5]["time"], found["bars"][20]["time"]
        await same(
            clients,
            "get_ohlc",
            symbol="EURUSD",
            timeframe=timeframe,
            **{"from": first, "to": last},
        )
    await same(clients, "get_ohlc", symbol="EURUSD", timeframe="M2", count=3)
    await same(clients, "get_ohlc", symbol="NOSUCH", timeframe="M1", count=3)


async def test_ticks_of_the_past(clients: tuple[Client, Client]) -> None:
    """The last ones, and those of a span; MetaTrader 4 has none."""
    answer = await clients[0].ask("get_history_ticks", {"symbol": "EURUSD", "count": 50})
    await same(clients, "get_history_ticks", symbol="EURUSD", count=50)
    if "result" in answer:
        ticks = answer["result"]["ticks"]
        span = {"from": ticks[10]["time"], "to": ticks[30]["time"]}
        await same(clients, "get_history_ticks", symbol="EURUSD", **span)


async def test_what_an_order_would_cost(clients: tuple[Client, Client]) -> None:
    """Margin and profit beforehand, also of symbols in other currencies; refusals alike."""
    for symbol in ("EURUSD", "USDJPY", "XAUUSD", "EURGBP", "GBPJPY", "#US 30:cash", "NOSUCH"):
        info = (await clients[0].ask("get_symbol_info", {"symbol": symbol})).get("result")
        bid = info["bid"] if info else 1.1
        prices = {"price_open": bid, "price_close": round(bid * 1.0005, 5)}
        for side in ("buy", "sell"):
            order = {"symbol": symbol, "side": side, "volume": 0.3}
            await same(clients, "order_calc_margin", **order)
            await same(clients, "order_calc_profit", **order, **prices)
    for changes in ({}, {"volume": 90}, {"volume": 0.001}, {"sl": 9.0}, {"type": "limit"}):
        order = {"symbol": "EURUSD", "side": "buy", "volume": 0.1, "type": "market", **changes}
        await same(clients, "order_check", "client_order_id", **order)


async def test_what_an_order_waits_for(clients: tuple[Client, Client]) -> None:
    """A price on the wrong side, a life that is too short: refused alike, on both platforms."""
    mine = {"client_order_id", "bid", "ask", "limit", "retcode", "retcode_name"}
    buy = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
    for changes in ({"type": "limit", "price": 9.0}, {"type": "stop", "price": 0.5}):
        answers = [await client.ask("place_order", {**buy, **changes}) for client in clients]
        errors = [without(answer["error"], mine | {"terminal", "message"}) for answer in answers]
        assert errors[0]["code"] == 2003
        check("place_order", errors)
    now_ms = (await clients[0].call("get_server_time"))["time"]
    waits = {**buy, "type": "limit", "price": 0.5, "expiration": now_ms + 300_000}
    answers = [await client.ask("place_order", waits) for client in clients]
    if (await clients[0].call("get_terminal_info"))["platform"] == "mt4":
        assert [answer["error"]["data"]["retcode"] for answer in answers] == [10013, 10013]
    else:
        for client, answer in zip(clients, answers, strict=True):
            await client.call("cancel_order", ticket=answer["result"]["order"]["order"])


def receipt(result: Json) -> Json:
    """What of a receipt does not depend on when it was given."""
    order = without(result["order"], {"client_order_id", "comment", "time", "request_id"})
    return {"order": order, "changed": result["changed"]}


async def test_trades_and_what_they_leave(clients: tuple[Client, Client]) -> None:
    """The same trades, one after the other: the same receipts, then the same account."""
    tickets: list[list[int]] = [[], []]

    async def do(method: str, **params: Any) -> tuple[Json, Json]:
        results = [await client.call(method, **params) for client in clients]
        check(method, [receipt(one) for one in results])
        return results[0], results[1]

    buy = {"symbol": "EURUSD", "side": "buy", "type": "market", "volume": 0.3}
    for opened in await do("place_order", **buy):
        tickets[0].append(opened["order"]["position"])
    for opened in await do("place_order", **{**buy, "side": "sell", "symbol": "USDJPY"}):
        tickets[1].append(opened["order"]["position"])
    assert tickets[0][0] == tickets[0][1]
    price = (await clients[0].call("get_symbol_info", symbol="EURUSD"))["bid"]
    stops = {"sl": round(price - 0.01, 5), "tp": round(price + 0.01, 5)}
    await do("modify_order", ticket=tickets[0][0], **stops)
    limit = {"symbol": "EURUSD", "side": "buy", "type": "limit", "volume": 0.2}
    placed, _ = await do("place_order", **limit, price=round(price - 0.02, 5), **{})
    await do("modify_order", ticket=placed["order"]["order"], price=round(price - 0.03, 5))
    await do("close_position", ticket=tickets[0][0], volume=0.1)
    await same(clients, "get_positions", *MOMENT, "broker_time", *broker(), "comment")
    await same(clients, "get_orders", *MOMENT, *broker(), "comment")
    await same(clients, "get_account_info", "login")
    await do("cancel_order", ticket=placed["order"]["order"])
    for one in await clients[0].call("get_positions"):
        await do("close_position", ticket=one["ticket"])
    await same(clients, "get_account_info", "login")
    on_mt4 = (await clients[0].call("get_terminal_info"))["platform"] == "mt4"
    for kind in ("orders", "positions") if on_mt4 else ("orders", "positions", "deals"):
        found = [
            await client.call("get_history_orders", kind=kind, limit=5000) for client in clients
        ]
        left_out = {*MOMENT, *broker(), *NO_MT4, "comment", "time_close"}
        rows = [without(one[kind], left_out) for one in found]
        check(kind, [sorted(one, key=str) for one in rows], within=CENT)


def broker() -> list[str]:
    return [f"broker_{name}" for name in (*MOMENT, "time_close")]
