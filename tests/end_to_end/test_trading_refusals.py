"""What the broker refuses, as a caller sees it: the code, what is known, and what to do instead.

Every one of these says ``data.outcome``: a program must never have to guess whether it may send
an order again.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from product import Client, Json, Product, Refused, product

from ea_bridge.model import TradeRetcode
from ea_bridge.simulation.broker import Broker

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-refusals")]

UNKNOWN_TICKET = 999
NUMBERS = itertools.count()
BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A hedging account of MetaTrader 5."""
    async with product(tmp_path_factory.mktemp("refusals")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", params=["/rpc", "/ws"])
async def client(running: Product, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """One of the doors."""
    yield await running.client(request.param)
    await running.close_clients()


@pytest.fixture
def broker(running: Product) -> Iterator[Broker]:
    """The broker's own switches; on again at the end."""
    broker = running.main.machine.handler.broker
    yield broker
    switches = broker.switches
    switches.connected = switches.autotrading = True
    switches.server_autotrading = switches.trade_allowed = True
    broker.script.refusals.clear()


async def refused(client: Client, method: str, **params: Any) -> Refused:
    """Make a call that must be refused."""
    with pytest.raises(Refused) as caught:
        await client.call(method, **params)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "code", "outcome", "facts"),
    [
        ({"volume": 0.001}, 2002, "not_sent", {"min": 0.01, "step": 0.01}),
        ({"volume": 0.015}, 2002, "not_sent", {"step": 0.01}),
        ({"volume": 100_000}, 2002, "not_sent", {}),
        ({"volume": 70}, 2005, "rejected", {"retcode": 10019}),
        ({"sl": 1.123456}, 2003, "not_sent", {"digits": 5, "field": "sl"}),
        ({"sl": 9}, 2004, "not_sent", {"rule": "stops", "stops_level_points": 0}),
        ({"type": "limit", "price": 9}, 2003, "rejected", {"fitting_type": "buy_stop"}),
        (
            {"type": "stop", "price": 0.5},
            2003,
            "rejected",
            {"retcode": 10015, "rule": "above_ask"},
        ),
        ({"type_filling": "return"}, 2014, "rejected", {"retcode": 10030, "what": "filling"}),
        ({"symbol": "EURUDS"}, 3001, "not_sent", {"symbol": "EURUDS"}),
        ({"ttl_ms": 1, "deadline_ms": 1_600_000_000_000}, 2103, "not_sent", {}),
    ],
)
async def test_a_new_order_is_refused(
    client: Client, changes: Json, code: int, outcome: str, facts: Json
) -> None:
    """An order that cannot be is refused with its code, the numbers that help, and an outcome."""
    before = await client.call("get_positions")
    mine = f"mine-{next(NUMBERS)}"
    error = await refused(client, "place_order", client_order_id=mine, **{**BUY, **changes})
    assert (error.code, error.data["outcome"]) == (code, outcome)
    assert error.data["client_order_id"] == mine
    assert {name: error.data[name] for name in facts} == facts
    assert len(await client.call("get_positions")) == len(before)


async def test_refused_margin_comes_with_the_sums(client: Client) -> None:
    """Not enough money: what would be needed and what is there, as the account says it."""
    error = await refused(client, "place_order", **{**BUY, "volume": 70})
    account = await client.call("get_account_info")
    assert error.data["free"] == pytest.approx(account["margin_free"], abs=50)
    assert error.data["required"] > error.data["free"]


async def test_a_refused_filling_names_those_that_work(client: Client) -> None:
    """10030 lists the filling modes of the symbol; without one given the gateway chooses."""
    error = await refused(client, "place_order", **BUY, type_filling="ORDER_FILLING_RETURN")
    for filling in error.data["allowed"]:
        receipt = await client.call("place_order", **BUY, type_filling=filling)
        assert receipt["filling"] == {"chosen": filling, "tried": [filling]}
        await client.call("close_position", ticket=receipt["order"]["position"])
    receipt = await client.call("place_order", **BUY)
    assert receipt["filling"]["chosen"] in error.data["allowed"]
    await client.call("close_position", ticket=receipt["order"]["position"])


async def test_an_unknown_symbol_suggests_the_nearest(client: Client) -> None:
    """A mistyped symbol is answered with the nearest names, wherever it was asked for."""
    for method, params in (
        ("get_symbol_info", {}),
        ("get_ohlc", {}),
        ("get_history_ticks", {}),
        ("get_market_book", {}),
        ("symbol_select", {}),
        ("order_calc_margin", {"side": "buy", "volume": 1}),
        ("place_order", {"side": "buy", "volume": 1}),
    ):
        error = await refused(client, method, symbol="EURUS", **params)
        assert (error.code, error.data["did_you_mean"][0]) == (3001, "EURUSD"), method


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("close_position", {"ticket": UNKNOWN_TICKET}, 2010),
        ("close_by", {"position": UNKNOWN_TICKET, "position_by": 998}, 2010),
        ("modify_order", {"ticket": UNKNOWN_TICKET, "sl": 1}, 2009),
        ("cancel_order", {"ticket": UNKNOWN_TICKET}, 2009),
        ("get_order_info", {"ticket": UNKNOWN_TICKET}, 2009),
    ],
)
async def test_an_unknown_ticket(client: Client, method: str, params: Json, code: int) -> None:
    """A ticket that is nobody's is refused before anything is sent."""
    error = await refused(client, method, **params)
    assert error.code == code
    assert error.data["ticket"] == UNKNOWN_TICKET
    assert error.data.get("outcome") == (None if method.startswith("get") else "not_sent")


@pytest.mark.parametrize(
    ("switch", "code", "facts"),
    [
        ("autotrading", 1005, {"where": "terminal", "outcome": "not_sent", "retcode": 10027}),
        ("connected", 1003, {"outcome": "not_sent"}),
        ("server_autotrading", 1005, {"where": "server", "outcome": "rejected"}),
        ("trade_allowed", 1005, {"where": "account", "outcome": "not_sent"}),
    ],
)
async def test_a_switch_is_off(
    running: Product, client: Client, broker: Broker, switch: str, code: int, facts: Json
) -> None:
    """Trading that is switched off is refused with the switch's name; subscribers are told."""
    listener = await running.ws()
    await listener.call("subscribe", channels=["terminal"])
    await listener.event("terminal", lambda one: one["type"] == "snapshot")
    name = {"connected": "broker_connected"}.get(switch, switch)

    async def told(*, is_on: bool) -> None:
        if switch != "server_autotrading":  # which no terminal is told of
            await listener.event(
                "terminal", lambda one: one["type"] == "update" and one["data"][name] is is_on
            )

    setattr(broker.switches, switch, False)
    await told(is_on=False)
    error = await refused(client, "place_order", **BUY)
    assert error.code == code
    assert {name: error.data[name] for name in facts} == facts
    setattr(broker.switches, switch, True)
    await told(is_on=True)
    receipt = await client.call("place_order", **BUY)
    await client.call("close_position", ticket=receipt["order"]["position"])


@pytest.mark.parametrize(
    ("retcode", "code", "retryable"),
    [
        (TradeRetcode.REQUOTE, 2008, True),
        (TradeRetcode.REJECT, 2001, False),
        (TradeRetcode.INVALID_VOLUME, 2002, False),
        (TradeRetcode.INVALID_PRICE, 2003, False),
        (TradeRetcode.INVALID_STOPS, 2004, False),
        (TradeRetcode.TRADE_DISABLED, 2007, False),
        (TradeRetcode.MARKET_CLOSED, 2006, True),
        (TradeRetcode.NO_MONEY, 2005, False),
        (TradeRetcode.PRICE_CHANGED, 2008, True),
        (TradeRetcode.PRICE_OFF, 2008, True),
        (TradeRetcode.INVALID_EXPIRATION, 2014, False),
        (TradeRetcode.TOO_MANY_REQUESTS, 1004, True),
        (TradeRetcode.FROZEN, 2012, True),
        (TradeRetcode.LIMIT_ORDERS, 2013, False),
        (TradeRetcode.LIMIT_VOLUME, 2013, False),
        (TradeRetcode.LIMIT_POSITIONS, 2013, False),
        (TradeRetcode.LONG_ONLY, 2007, False),
        (TradeRetcode.CLOSE_ONLY, 2007, False),
        (TradeRetcode.FIFO_CLOSE, 2001, False),
    ],
    ids=lambda one: one.name if isinstance(one, TradeRetcode) else None,
)
async def test_a_retcode_becomes_its_error(
    client: Client, broker: Broker, retcode: TradeRetcode, code: int, retryable: bool
) -> None:
    """What the server answers becomes the documented code, with its number and name."""
    broker.script.refusals.append(retcode)
    error = await refused(client, "place_order", **BUY)
    assert (error.code, error.data["retryable"]) == (code, retryable)
    assert error.data["outcome"] == "rejected"
    assert error.data["retcode"] == retcode
    assert error.data["retcode_name"] == f"TRADE_RETCODE_{retcode.name}"
    assert not broker.script.refusals, "it was sent once"
    if code == 2008:
        assert error.data["ask"] > error.data["bid"] > 0


@pytest.mark.parametrize(
    ("retcode", "symbols"),
    [
        (TradeRetcode.TIMEOUT, ("GBPUSD", "XAUUSD")),
        (TradeRetcode.CONNECTION, ("USDJPY", "AUDUSD")),
        (TradeRetcode.ERROR, ("USDCAD", "USDCHF")),
    ],
)
async def test_an_answer_that_settles_nothing_is_unknown(
    client: Client, broker: Broker, retcode: TradeRetcode, symbols: tuple[str, str]
) -> None:
    """10012: the server gave up waiting; 10031: the connection broke; 10011: an error without a
    name. None says that nothing happened: 2102, unknown."""
    broker.script.refusals.append(retcode)
    late = f"late-{next(NUMBERS)}"
    # each blocks its symbol, until it is found out
    other = {**BUY, "symbol": symbols[client.door == "/ws"]}
    error = await refused(client, "place_order", **other, client_order_id=late)
    assert (error.code, error.data["outcome"]) == (2102, "unknown")
    assert error.data["client_order_id"] == late
    # the EA calls what broke on the way a time-out
    assert error.data["retcode"] in (retcode, TradeRetcode.TIMEOUT)
    assert error.data["retryable"] is False


async def test_the_second_filling_is_tried_once(client: Client, broker: Broker) -> None:
    """10030 for a mode that the gateway chose: the next one is tried, and the answer says so."""
    broker.script.refusals.append(TradeRetcode.INVALID_FILL)
    receipt = await client.call("place_order", **BUY)
    assert len(receipt["filling"]["tried"]) == 2
    assert receipt["filling"]["chosen"] == receipt["filling"]["tried"][1]
    await client.call("close_position", ticket=receipt["order"]["position"])


async def test_form_is_checked_before_anything(client: Client) -> None:
    """Params that make no sense are -32602, each named, and nothing was sent."""
    for changes, field in (
        ({"vollume": 1}, "vollume"),
        ({"volume": "much"}, "volume"),
        ({"volume": True}, "volume"),
        ({"side": "hold"}, "side"),
        ({"magic": -1}, "magic"),
        ({"client_order_id": "no spaces"}, "client_order_id"),
        ({"type": "limit"}, "price"),
        ({"type": "sell"}, "side"),
        ({"expiration": 1_700_000_000}, "expiration"),
        ({"comment": "a\nb"}, "comment"),
        ({"symbol": ""}, "symbol"),
    ):
        error = await refused(client, "place_order", **{**BUY, **changes})
        assert error.code == -32602, changes
        assert field in [one["field"] for one in error.data["errors"]]
        assert error.data["outcome"] == "not_sent", changes


async def test_a_closed_market_says_so(tmp_path: Path) -> None:
    """On a Saturday forex is closed: 2006, nothing happened; crypto trades on."""
    saturday = round(datetime(2026, 3, 14, 12, tzinfo=UTC).timestamp() * 1000)
    async with product(tmp_path, sessions="real", start_ms=saturday) as weekend:
        client = await weekend.http()
        error = await refused(client, "place_order", **BUY)
        assert (error.code, error.data["rule"]) == (2006, "market_open")
        assert (error.data["outcome"], error.data["retryable"]) == ("not_sent", True)
        monday = round(datetime(2026, 3, 15, 21, tzinfo=UTC).timestamp() * 1000)
        assert error.data["opens_at"] == monday, "midnight in New York plus seven hours"
        table = await client.call("get_sessions", symbol="EURUSD")
        assert (table["open"], table["opens_at"]) == (False, monday)
        assert table["sessions"][4] == {"day": "friday", "from_s": 0, "to_s": 86_220}
        receipt = await client.call("place_order", symbol="BTCUSD", side="buy", volume=0.01)
        assert receipt["order"]["state"] == "filled"
        clock = await client.call("get_server_time")
        assert abs(clock["time"] - saturday) < 60_000
