"""The drop-in where something fails: its answer, ``last_error()``, and what is sent."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from scripted_gateway import TOKEN, Failure, Hangup, ScriptedGateway, scripted_gateway

from gateway import errors
from gateway.client import mt5
from gateway.client.mt5 import state, trades

API = json.loads((Path(__file__).parents[2] / "data" / "mt5_api.json").read_text("utf-8"))
SUCCESS = (1, "Success")
UNCONNECTED = (-10004, "No IPC connection")
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "login": (50012345,),
    "symbol_info": ("EURUSD",),
    "symbol_info_tick": ("EURUSD",),
    "symbol_select": ("EURUSD",),
    "market_book_add": ("EURUSD",),
    "market_book_get": ("EURUSD",),
    "market_book_release": ("EURUSD",),
    "copy_rates_from": ("EURUSD", 1, 0, 1),
    "copy_rates_from_pos": ("EURUSD", 1, 0, 1),
    "copy_rates_range": ("EURUSD", 1, 0, 1),
    "copy_ticks_from": ("EURUSD", 0, 1, -1),
    "copy_ticks_range": ("EURUSD", 0, 1, -1),
    "order_calc_margin": (0, "EURUSD", 1.0, 1.0),
    "order_calc_profit": (0, "EURUSD", 1.0, 1.0, 1.0),
    "order_check": ({"action": 1},),
    "order_send": ({"action": 1},),
    "history_orders_total": (0, 1),
    "history_orders_get": (0, 1),
    "history_deals_total": (0, 1),
    "history_deals_get": (0, 1),
}
"""Of the functions that take some."""
ACCOUNT = {"login": 50012345, "server": "Emulator-Demo", "margin_mode": 2}
SYMBOL = {"name": "EURUSD", "digits": 5, "ticks_bookdepth": 0}
REQUEST = {
    "action": mt5.TRADE_ACTION_DEAL,
    "symbol": "EURUSD",
    "volume": 0.1,
    "type": mt5.ORDER_TYPE_BUY,
    "price": 1.1,
}
OUTCOME = {
    "order": 7,
    "deal": 8,
    "volume": 0.1,
    "filled_volume": 0.1,
    "avg_price": 1.1,
    "bid": None,
    "ask": 1.1,
    "retcode": mt5.TRADE_RETCODE_DONE,
    "retcode_external": 0,
    "request_id": 3,
}


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No terminal is open before or after, and no setting of this machine counts."""
    for name in ("MT_GATEWAY_URL", "MT_GATEWAY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MT_GATEWAY_MT5", str(tmp_path / "mt5.toml"))
    mt5.shutdown()
    yield
    mt5.shutdown()


def native(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of ``get_native`` with one record."""
    return {"kind": kind, "fields": list(record), "rows": [list(record.values())], "next": None}


def answers(gateway: ScriptedGateway, account: dict[str, Any] = ACCOUNT) -> None:
    """Let a server have one account and one symbol."""

    async def reply(params: dict[str, Any]) -> dict[str, Any]:
        if params["kind"] == "symbol":
            return native("symbol", SYMBOL)
        return native("account", account)

    gateway.replies["get_native"] = reply


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedGateway]:
    """A gateway with an account, to which the drop-in is connected."""
    async with scripted_gateway() as running:
        answers(running)
        monkeypatch.setenv("MT_GATEWAY_URL", running.url)
        monkeypatch.setenv("MT_GATEWAY_TOKEN", TOKEN)
        assert await asyncio.to_thread(mt5.initialize), mt5.last_error()
        yield running


# --- without a terminal ----------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(API["functions"].keys() - {"initialize", "last_error"}))
def test_nothing_works_without_initialize(name: str) -> None:
    """Every function fails as the original does: most with ``None``, some with ``False``."""
    answer = getattr(mt5, name)(*ARGUMENTS.get(name, ()))
    if name == "shutdown":
        assert (answer, mt5.last_error()) == (True, SUCCESS)
        return
    fails = {"login": False, "symbol_select": False, "version": (0, 0, "")}
    assert (answer, mt5.last_error()) == (fails.get(name), UNCONNECTED)


def test_no_token() -> None:
    """The error tells what to set."""
    assert mt5.initialize() is False
    code, told = mt5.last_error()
    assert code == -10003
    assert told.startswith("IPC initialize failed, no token: set MT_GATEWAY_TOKEN")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the address; and a URL that is none is told as well."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("MT_GATEWAY_URL", url)
    monkeypatch.setenv("MT_GATEWAY_TOKEN", TOKEN)
    assert mt5.initialize() is False
    told = f"IPC initialize failed, Nobody answers at {url}: is the gateway running?"
    assert mt5.last_error() == (-10003, told)
    monkeypatch.setenv("MT_GATEWAY_URL", "localhost")
    assert mt5.initialize() is False
    assert mt5.last_error()[0] == -10003


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        ((1,), {}, "Invalid 1st unnamed argument"),
        (("a", "b"), {}, "Invalid number of arguments"),
        ((), {"path": 7}, 'Invalid "path" argument'),
        ((), {"login": "7"}, 'Invalid "login" argument'),
        ((), {"password": 7}, 'Invalid "password" argument'),
        ((), {"server": 7}, 'Invalid "server" argument'),
        ((), {"timeout": "7"}, 'Invalid "timeout" argument'),
    ],
)
def test_wrong_initialize(
    arguments: tuple[Any, ...], options: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is named."""
    monkeypatch.setenv("MT_GATEWAY_TOKEN", TOKEN)
    assert mt5.initialize(*arguments, **options) is False
    assert mt5.last_error() == (-2, told)


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "options", "answer", "told"),
    [
        ("login", (), {}, False, 'Invalid "login" argument'),
        ("login", (0,), {}, False, 'Invalid "login" argument'),
        ("login", ("7",), {}, False, "Invalid 1st unnamed argument"),
        ("login", (7, 8), {}, False, "Invalid 2nd unnamed argument"),
        ("login", (7, "8", 9), {}, False, "Invalid 3rd unnamed argument"),
        ("login", (7, "8", "9", 1), {}, False, "Invalid number of arguments"),
        ("symbols_get", ("a", "b"), {}, False, "Invalid number of arguments"),
        ("symbols_get", (7,), {}, False, "Invalid 1st unnamed argument"),
        ("symbols_get", (), {"group": 7}, False, 'Invalid "group" argument'),
        ("symbol_info", (), {}, None, "Invalid arguments"),
        ("symbol_info", (7,), {}, None, "Invalid arguments"),
        ("symbol_select", (7,), {}, False, "Invalid arguments"),
        ("market_book_add", (7,), {}, None, "Invalid arguments"),
        ("copy_rates_from", ("EURUSD", 1, date(2020, 1, 1), 1), {}, None, "Invalid arguments"),
        ("copy_rates_from", ("EURUSD", 1, "2020", 1), {}, None, "Invalid arguments"),
        ("copy_rates_from", ("EURUSD", 1, float("nan"), 1), {}, None, "Invalid arguments"),
        ("copy_ticks_from", ("EURUSD", 0, 1.5, -1), {}, None, "Invalid arguments"),
        ("positions_get", ("EURUSD",), {}, None, "Unnamed arguments not allowed"),
        ("positions_get", (), {"ticket": "7"}, None, 'Invalid "ticket" argument'),
        ("orders_get", (), {"symbol": 7}, None, 'Invalid "symbol" argument'),
        ("orders_get", (), {"group": 7}, None, 'Invalid "group" argument'),
        ("history_deals_get", (1,), {}, None, "Invalid arguments"),
        ("history_deals_get", (1, 2), {"ticket": 3}, None, "Unnamed arguments not allowed"),
        ("history_orders_get", (), {"position": 1.5}, None, 'Invalid "position" argument'),
        ("order_calc_margin", (0, "EURUSD", "1", 1.0), {}, None, "Invalid arguments"),
        ("order_send", (), {}, None, "Invalid number of arguments"),
        ("order_send", (REQUEST, REQUEST), {}, None, "Invalid number of arguments"),
        ("order_send", (REQUEST,), {"volume": 1.0}, None, "Unnamed arguments not allowed"),
        ("order_send", ([REQUEST],), {}, None, "Invalid arguments"),
        ("order_send", (REQUEST | {"action": 1.0},), {}, None, 'Invalid "action" argument'),
        ("order_send", (REQUEST | {"volume": "1"},), {}, None, 'Invalid "volume" argument'),
        ("order_send", (REQUEST | {"magic": -1},), {}, None, 'Invalid "magic" argument'),
        (
            "order_check",
            (REQUEST | {"comment": "x" * 30},),
            {},
            None,
            'Invalid "comment" argument',
        ),
        ("order_check", (REQUEST | {"symbol": None},), {}, None, 'Invalid "symbol" argument'),
    ],
)
def test_wrong_arguments(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], answer: object, told: str
) -> None:
    """They are told before the terminal is asked, even before there is one."""
    assert getattr(mt5, name)(*arguments, **options) is answer
    assert mt5.last_error() == (-2, told)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (datetime(2026, 1, 5, 12, tzinfo=UTC), 1_767_614_400),
        (1_767_614_400.9, 1_767_614_400),
        (-5, 0),
        (1e12, 4_102_444_800),
    ],
)
async def test_dates_are_seconds_of_the_brokers_clock(
    server: ScriptedGateway, given: Any, asked: int
) -> None:
    """A datetime counts by its timestamp, nothing is moved by a time zone, parts are cut off."""
    server.reply("get_native", {"kind": "history_deals", "fields": [], "rows": [], "next": None})
    assert await asyncio.to_thread(mt5.history_deals_get, given, 5e9) == ()
    assert server.asked[-1][1]["from_s"] == asked


# --- answers of the gateway -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.SymbolNotFound(symbol="EURUSD"), (-4, "Terminal: Not found")),
        (errors.InvalidParams(errors=[]), (-2, "Terminal: Invalid params")),
        (errors.MethodNotSupported(), (-7, "Terminal: Unsupported function")),
        (errors.Unauthorized(reason="expired"), (-6, "Terminal: Authorization failed")),
        (errors.TerminalDisconnected(), UNCONNECTED),
        (errors.Timeout(), (-10005, "IPC timeout")),
        (errors.InternalError(), (-1, "Terminal: Call failed")),
    ],
)
async def test_errors_of_the_gateway(
    server: ScriptedGateway, error: errors.GatewayError, told: tuple[int, str]
) -> None:
    """Each has the code of the original that is nearest; the next call clears it."""
    # a terminal that was late is asked once more
    late = [error] if isinstance(error, errors.Timeout) else []
    server.reply("get_native", *late, error, native("account", ACCOUNT))
    assert await asyncio.to_thread(mt5.account_info) is None
    assert mt5.last_error() == told
    assert API["errors"][str(told[0])].startswith(told[1])
    assert await asyncio.to_thread(mt5.account_info) is not None
    assert mt5.last_error() == SUCCESS


async def test_a_read_is_asked_again_once(server: ScriptedGateway) -> None:
    """Where the connection broke; where it breaks again it failed."""
    server.reply("get_native", Hangup(), native("account", ACCOUNT), Hangup(), Hangup())
    assert (await asyncio.to_thread(mt5.account_info)).login == ACCOUNT["login"]
    assert await asyncio.to_thread(mt5.account_info) is None
    assert mt5.last_error() == (-10002, "IPC recv failed")


async def test_a_gateway_without_room_is_asked_again(
    server: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As late as it says, and never at once, whatever it says."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    busy = [errors.LimitExceeded(retry_after_ms=wait) for wait in (0, 70)]
    server.reply("get_native", *busy, errors.Overloaded(), native("account", ACCOUNT))
    assert await asyncio.to_thread(mt5.account_info) is not None
    assert slept == [state.LEAST_PAUSE_S, 0.07, state.LEAST_PAUSE_S]


# --- trades -----------------------------------------------------------------------------------


async def send(**changes: Any) -> Any:
    """Send a request in a thread, as programs do."""
    return await asyncio.to_thread(mt5.order_send, REQUEST | changes)


def id_of(server: ScriptedGateway) -> str:
    """Return the client order id of the one order that was sent."""
    assert server.count("place_order") == 1, "an order is sent once"
    ((_, params),) = [one for one in server.asked if one[0] == "place_order"]
    looked = {params["client_order_id"] for name, params in server.asked if name == "get_order"}
    assert looked <= {params["client_order_id"]}, "the journal is asked for that order alone"
    given: str = params["client_order_id"]
    return given


async def test_an_answer_that_is_lost_is_looked_up(server: ScriptedGateway) -> None:
    """The order is not sent again: the journal tells that it was executed."""
    server.reply("place_order", Hangup())
    pending = {"outcome": "pending"}
    done: dict[str, Any] = {
        "outcome": "done",
        "result": {"order": OUTCOME},
        "error": None,
        "sends": [],
    }
    not_found = errors.OrderNotFound()
    server.reply("get_order", not_found, Hangup(), pending, {"outcome": "unknown"}, done)
    result = await send()
    assert (result.retcode, result.order, result.price) == (mt5.TRADE_RETCODE_DONE, 7, 1.1)
    assert id_of(server)


async def test_one_found_by_the_reconciler_is_done(server: ScriptedGateway) -> None:
    """Even where the terminal's own answer never came."""
    server.reply("place_order", errors.OrderUnresolved(outcome="unknown"))
    found = {"retcode": None, "order": 7, "deal": 8, "volume": 0.1}
    record = {"outcome": "done", "result": None, "error": None, "sends": [found]}
    server.reply("get_order", record)
    result = await send()
    assert (result.retcode, result.order, result.deal) == (mt5.TRADE_RETCODE_DONE, 7, 8)
    assert id_of(server)


@pytest.mark.parametrize(
    ("record", "retcode"),
    [
        (
            {"outcome": "rejected", "error": {"message": "", "data": {"retcode": 10019}}},
            mt5.TRADE_RETCODE_NO_MONEY,
        ),
        ({"outcome": "not_sent", "error": None}, mt5.TRADE_RETCODE_REJECT),
    ],
)
async def test_one_that_was_not_executed_is_no_success(
    server: ScriptedGateway, record: dict[str, Any], retcode: int
) -> None:
    """The journal says so, and with which answer of the broker."""
    server.reply("place_order", Hangup())
    server.reply("get_order", {"result": None, "sends": [], **record})
    assert (await send()).retcode == retcode
    assert id_of(server)


async def test_an_unknown_outcome_stays_unknown(
    server: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told by the retcode of a time-out, with the id under which to look."""
    monkeypatch.setattr(trades, "SETTLE_S", 0.0)
    server.reply("place_order", Hangup())
    server.reply("get_order", {"outcome": "unknown"})
    result = await send()
    assert (result.retcode, result.order, result.deal) == (mt5.TRADE_RETCODE_TIMEOUT, 0, 0)
    assert result.comment == f"Outcome unknown: get_order {id_of(server)}"


@pytest.mark.parametrize(
    ("error", "retcode"),
    [
        (errors.KillSwitchActive(), mt5.TRADE_RETCODE_CLIENT_DISABLES_AT),
        (errors.AutotradingDisabled(where="server"), mt5.TRADE_RETCODE_SERVER_DISABLES_AT),
        (errors.RiskLimit(rule="max_lot"), mt5.TRADE_RETCODE_REJECT),
        (errors.MarketClosed(), mt5.TRADE_RETCODE_MARKET_CLOSED),
        (errors.OrderLimit(what="positions"), mt5.TRADE_RETCODE_LIMIT_POSITIONS),
        (errors.UnsupportedFilling(what="expiration"), mt5.TRADE_RETCODE_INVALID_EXPIRATION),
        (errors.DeadlineExceeded(), mt5.TRADE_RETCODE_REJECT),
        (errors.BrokerDisconnected(), mt5.TRADE_RETCODE_CONNECTION),
        (errors.OrderRejected(retcode=10045), mt5.TRADE_RETCODE_FIFO_CLOSE),
    ],
)
async def test_refusals_of_the_gateway_have_a_retcode(
    server: ScriptedGateway, error: errors.GatewayError, retcode: int
) -> None:
    """Programs know no other way to be refused."""
    error.data.setdefault("outcome", "not_sent")
    server.reply("place_order", error)
    result = await send()
    assert (result.retcode, mt5.last_error()) == (retcode, SUCCESS)
    assert result.comment


async def test_a_terminal_that_is_away_is_no_answer(server: ScriptedGateway) -> None:
    """Nothing was sent, and ``None`` is what the original answers."""
    server.reply("place_order", errors.TerminalDisconnected(outcome="not_sent"))
    assert await send() is None
    assert mt5.last_error() == UNCONNECTED


async def test_a_fault_of_the_gateway_is_looked_up(
    server: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells no outcome, and may have come after the order was sent."""
    monkeypatch.setattr(trades, "SETTLE_S", 0.0)
    server.reply("place_order", errors.InternalError())
    server.reply("get_order", {"outcome": "unknown"})
    assert (await send()).retcode == mt5.TRADE_RETCODE_TIMEOUT
    assert id_of(server)


async def test_a_proxys_page_is_no_refusal(
    server: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``None`` would mean that nothing was sent."""
    monkeypatch.setattr(trades, "SETTLE_S", 0.0)
    reply = server.replies["get_native"]

    async def last(params: dict[str, Any]) -> Any:
        # from the next request on
        server.refuse = lambda: web.Response(status=502, text="<html>Bad gateway</html>")
        return await reply(params)

    server.replies["get_native"] = last
    result = await send()
    assert server.refused.get_nowait() == "/rpc"
    assert result.retcode == mt5.TRADE_RETCODE_TIMEOUT


async def test_an_error_of_a_newer_gateway_is_a_refusal_or_unknown(
    server: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the outcome that it tells."""
    monkeypatch.setattr(trades, "SETTLE_S", 0.0)
    new = {"code": 7777, "message": "New", "data": {"name": "new", "outcome": "unknown"}}
    server.reply("place_order", Failure(new))
    server.reply("get_order", {"outcome": "unknown"})
    assert (await send()).retcode == mt5.TRADE_RETCODE_TIMEOUT


# --- several terminals ------------------------------------------------------------------------


async def test_path_and_login_choose_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of those that the file lists; one that is not listed is refused, not another taken."""
    async with scripted_gateway() as first, scripted_gateway() as second:
        other = ACCOUNT | {"login": 7, "server": "Other-Live"}
        answers(first)
        answers(second, other)
        listed = tmp_path / "mt5.toml"
        listed.write_text(
            f'[[terminal]]\nurl = "{first.url}"\ntoken = "{TOKEN}"\nlogin = 50012345\n'
            "path = 'C:\\Broker A\\terminal64.exe'\n"
            f'[[terminal]]\nurl = "{second.url}"\ntoken = "{TOKEN}"\nlogin = 7\n'
            "path = 'C:\\Broker B\\terminal64.exe'\n"
        )
        listed.chmod(0o600)

        async def opened(*args: Any, **options: Any) -> int | None:
            if not await asyncio.to_thread(mt5.initialize, *args, **options):
                return None
            return (await asyncio.to_thread(mt5.account_info)).login  # type: ignore[no-any-return]  # a record's

        assert await opened() == 50012345
        assert await opened("c:/broker b/terminal64.exe") == 7
        assert await opened(login=7, server="Other-Live") == 7
        assert await asyncio.to_thread(mt5.login, 50012345)
        assert (await asyncio.to_thread(mt5.account_info)).login == 50012345
        assert not await asyncio.to_thread(mt5.login, 8)
        assert mt5.last_error() == (-6, "Terminal: Authorization failed")
        assert await asyncio.to_thread(mt5.login, 7), "after a login that failed another may come"
        assert await opened(r"C:\Broker C\terminal64.exe") is None
        assert mt5.last_error() == (-10003, f"IPC initialize failed, {listed} lists no such path")
        assert await opened(r"C:\Broker A\terminal64.exe", login=7) is None
        monkeypatch.setenv("MT_GATEWAY_TOKEN", TOKEN)
        assert await opened(r"C:\Broker C\terminal64.exe") is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize(
    ("mode", "content", "told"),
    [
        (0o644, "", "can be read by others: chmod 600 it, it holds tokens"),
        (0o600, "[", "cannot be read: TOMLDecodeError"),
        (0o600, "[[terminal]]\nlogin = 7", "each [[terminal]] needs a token"),
        (0o600, "terminal = 7", "each [[terminal]] needs a token"),
    ],
)
def test_a_file_of_terminals_with_faults(
    tmp_path: Path, mode: int, content: str, told: str
) -> None:
    """What is wrong is told, and nothing that stands in it."""
    listed = tmp_path / "mt5.toml"
    listed.write_text(content)
    listed.chmod(mode)
    assert mt5.initialize() is False
    code, text = mt5.last_error()
    assert (code, told in text, os.fspath(listed) in text) == (-10003, True, True)


async def test_a_terminal_that_is_not_there_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within the time that the program allows."""
    async with scripted_gateway() as server:
        monkeypatch.setenv("MT_GATEWAY_URL", server.url)
        away = errors.TerminalDisconnected()
        server.reply("get_native", away, away, native("account", ACCOUNT), away)
        monkeypatch.setattr("gateway.client.mt5.terminals.PAUSE_S", 0.001)
        assert await asyncio.to_thread(mt5.initialize, password=TOKEN)
        assert not await asyncio.to_thread(mt5.initialize, password=TOKEN, timeout=0)
        assert mt5.last_error() == (-10005, "IPC timeout")
        wrong = TOKEN[:-1] + "X"
        assert not await asyncio.to_thread(mt5.initialize, password=wrong)
        monkeypatch.setenv("MT_GATEWAY_TOKEN", wrong)
        assert not await asyncio.to_thread(mt5.initialize)
        assert mt5.last_error() == (-6, "Terminal: Authorization failed")
    assert TOKEN not in repr(vars(state.STATE))
