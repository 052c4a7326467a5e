"""Orders from their placing to their place in the history, on a hedging account of MetaTrader 5.

Everything that is told on the way must agree in the end, to the cent: receipts, positions, orders,
deals, closed positions, events, and the balance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from product import Client, Json, Product, WsClient, answered, product, sawtooth

from ea_bridge.emulator.factory import COMMISSION_PER_LOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-trading")]

COMMISSION = Decimal(str(COMMISSION_PER_LOT))
LOW, HIGH = 1.1, 1.103
"""Between these bids EURUSD rises and falls, once a second of ours."""
BOTH_DOORS = pytest.mark.parametrize("door", ["/rpc", "/ws"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A market in which whatever waits between LOW and HIGH is met soon."""
    folder = tmp_path_factory.mktemp("trading")
    async with product(folder, speed=60.0, tick_files=sawtooth(folder, LOW, HIGH)) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clients_closed(running: Product) -> AsyncIterator[None]:
    """Each test has clients of its own."""
    yield
    await running.close_clients()


@pytest_asyncio.fixture(loop_scope="module")
async def client(running: Product, door: str) -> Client:
    """One of the doors."""
    return await running.client(door)


def cents(*amounts: float) -> Decimal:
    """Add sums of money exactly."""
    return sum((Decimal(str(one)) for one in amounts), Decimal())


def earned(deals: list[Json]) -> Decimal:
    """What deals did to the balance."""
    parts = ("profit", "commission", "swap", "fee")
    return cents(*(deal[part] for deal in deals for part in parts))


async def balance(client: Client) -> Decimal:
    """The account's balance."""
    return cents((await client.call("get_account_balance"))["balance"])


async def past(client: Client, kind: str, position: int) -> Any:
    """The history of one position, of one kind."""
    return await client.call("get_history_orders", kind=kind, position=position)


@BOTH_DOORS
async def test_a_position_from_its_order_to_the_history(client: Client, door: str) -> None:
    """A market order with stops, changed, closed in two parts: what is told agrees to the cent."""
    before = await balance(client)
    receipt = await client.call(
        "place_order",
        symbol="EURUSD",
        side="buy",
        volume="0.20",
        sl=1.05,
        tp=1.15,
        magic=77,
        comment="first one",  # behind two gateways there is room for nine characters
        client_order_id=f"life-{door[1:]}",
    )
    order = receipt["order"]
    assert receipt["sent"]
    assert receipt["changed"]
    assert (order["state"], order["retcode"]) == ("filled", 10009)
    assert (order["client_order_id"], order["magic"]) == (f"life-{door[1:]}", 77)
    ticket = order["position"]

    [position] = await client.call("get_positions", ticket=ticket)
    assert position["price_open"] == order["avg_price"]
    assert (position["volume"], position["sl"], position["tp"]) == (0.2, 1.05, 1.15)
    assert (position["magic"], position["type"]) == (77, "buy")
    assert position["comment"].endswith("first one")
    assert await balance(client) == before - Decimal("0.2") * COMMISSION

    changed = await client.call("modify_order", ticket=ticket, sl=1.06, tp=None)
    assert changed["changed"]
    [position] = await client.call("get_positions", ticket=ticket)
    assert (position["sl"], position["tp"]) == (1.06, None)
    again = await client.call("modify_order", ticket=ticket, sl=1.06)
    assert (again["changed"], again["order"]["retcode"]) == (False, 10025)

    part = await client.call("close_position", ticket=ticket, volume=0.05)
    assert part["order"]["filled_volume"] == 0.05
    [position] = await client.call("get_positions", ticket=ticket)
    assert position["volume"] == 0.15
    rest = await client.call("close_position", ticket=ticket)
    assert rest["order"]["filled_volume"] == 0.15
    assert await client.call("get_positions", ticket=ticket) == []

    both = await past(client, "orders_deals", ticket)
    assert [one["state"] for one in both["orders"]] == ["filled"] * 3
    deals = both["deals"]
    assert [one["ticket"] for one in deals] == [
        one["order"]["deal"] for one in (receipt, part, rest)
    ]
    assert [one["order"] for one in deals] == [one["ticket"] for one in both["orders"]]
    assert [(one["entry"], one["volume"]) for one in deals] == [
        ("in", 0.2),
        ("out", 0.05),
        ("out", 0.15),
    ]
    for deal in deals:
        charged = -cents(deal["volume"]) * COMMISSION
        assert abs(cents(deal["commission"]) - charged) < Decimal("0.01")
        if deal["entry"] == "out":
            gained = (deal["price"] - deals[0]["price"]) * deal["volume"] * 100_000
            assert deal["profit"] == pytest.approx(gained, abs=0.005001)
    assert await balance(client) == before + earned(deals)

    [whole] = (await past(client, "positions", ticket))["positions"]
    assert whole["volume"] == 0.2
    assert whole["deals"] == [one["ticket"] for one in deals]
    money = cents(whole["profit"], whole["commission"], whole["swap"], whole["fee"])
    assert money == earned(deals)
    assert (await past(client, "deals", ticket))["deals"] == deals
    assert (await past(client, "orders", ticket))["orders"] == both["orders"]


@BOTH_DOORS
async def test_two_positions_close_each_other(client: Client) -> None:
    """``close_by`` takes the smaller volume from both; the rest of the larger one stays open."""
    before = await balance(client)
    market = {"symbol": "EURUSD"}
    long = await client.call("place_order", side="buy", volume=0.1, **market)
    short = await client.call("place_order", side="sell", volume=0.04, **market)
    tickets = [one["order"]["position"] for one in (long, short)]
    by = await client.call("close_by", position=tickets[0], position_by=tickets[1])
    assert (by["order"]["type"], by["order"]["state"]) == ("close_by", "filled")
    left = await client.call("get_positions")
    assert [one["volume"] for one in left if one["ticket"] in tickets] == [0.06]
    await client.call("close_position", ticket=tickets[0])
    deals = [deal for one in tickets for deal in (await past(client, "deals", one))["deals"]]
    assert sorted(one["entry"] for one in deals) == ["in", "in", "out", "out_by", "out_by"]
    assert await balance(client) == before + earned(deals)


PENDING = {
    "buy_limit": {"price": 1.05},
    "sell_limit": {"price": 1.15},
    "buy_stop": {"price": 1.15},
    "sell_stop": {"price": 1.05},
    "buy_stop_limit": {"price": 1.15, "stoplimit": 1.14},
    "sell_stop_limit": {"price": 1.05, "stoplimit": 1.06},
}


@BOTH_DOORS
@pytest.mark.parametrize("kind", PENDING)
async def test_a_pending_order_waits_changes_and_goes(client: Client, kind: str) -> None:
    """Every kind of pending order is placed, listed, changed, cancelled, and kept as cancelled."""
    before = await balance(client)
    side, _, short = kind.partition("_")
    receipt = await client.call(
        "place_order", symbol="EURUSD", side=side, type=short, volume=0.1, **PENDING[kind]
    )
    assert (receipt["order"]["state"], receipt["order"]["retcode"]) == ("placed", 10009)
    assert receipt["order"]["deal"] is None
    ticket = receipt["order"]["order"]
    [listed] = await client.call("get_orders", ticket=ticket)
    assert (listed["type"], listed["state"]) == (kind, "placed")
    assert listed["price_open"] == PENDING[kind]["price"]
    assert listed["price_stoplimit"] == PENDING[kind].get("stoplimit")
    moved = round(PENDING[kind]["price"] * 1.002, 5)
    later = "2099-01-01T00:00:00Z"
    await client.call("modify_order", ticket=ticket, price=moved, expiration=later)
    [listed] = await client.call("get_orders", ticket=ticket)
    assert (listed["price_open"], listed["type_time"]) == (moved, "specified")
    assert listed["time_expiration"] == 4_070_908_800_000
    assert listed["price_stoplimit"] == PENDING[kind].get("stoplimit")
    gone = await client.call("cancel_order", ticket=ticket)
    assert gone["order"]["state"] == "canceled"
    assert await client.call("get_orders", ticket=ticket) == []
    kept = await client.call("get_order_info", ticket=ticket)
    assert (kept["state"], kept["volume_current"]) == ("canceled", 0.1)
    history = await client.call("get_history_orders", ticket=ticket)
    assert history["orders"] == [kept]
    assert await balance(client) == before


@pytest.mark.parametrize(
    ("kind", "prices"),
    [
        ("buy_limit", {"price": LOW + 0.0002}),
        ("sell_limit", {"price": HIGH - 0.0002}),
        ("buy_stop", {"price": HIGH - 0.0002}),
        ("sell_stop", {"price": LOW + 0.0002}),
        ("buy_stop_limit", {"price": HIGH - 0.0002, "stoplimit": LOW + 0.0005}),
    ],
)
async def test_a_pending_order_is_met_by_the_market(
    running: Product, kind: str, prices: dict[str, float]
) -> None:
    """When the market comes to a pending order it is filled, and all channels tell of it."""
    client = await running.ws()
    await client.call("subscribe", channels=["orders", "positions", "deals"])
    ticket = await _place_in_time(client, kind, prices)
    filled = await client.change("orders", "remove", ticket=ticket)
    assert filled["state"] == "filled"
    position = filled["position_id"]
    opened = await client.change("positions", "add", ticket=position)
    assert (opened["symbol"], opened["volume"]) == ("EURUSD", 0.1)
    assert (await client.change("deals", "add", order=ticket))["entry"] == "in"
    await client.call("close_position", ticket=position)
    await client.change("positions", "remove", ticket=position)
    order = await client.call("get_order_info", ticket=ticket)
    became = "buy_limit" if kind == "buy_stop_limit" else kind
    assert (order["state"], order["type"]) == ("filled", became)


async def _place_in_time(client: WsClient, kind: str, prices: dict[str, float]) -> int:
    """Place an order; the market may be past its price, and comes back."""
    tick = {"bid": 0.0, "ask": 9.0}
    await client.call("subscribe", channels=["tick:EURUSD"])
    while not (LOW + 0.001 < tick["bid"] < HIGH - 0.001):
        tick = (await client.event("tick:EURUSD"))["data"]
    await client.call("unsubscribe", channels=["tick:EURUSD"])
    rounded = {name: round(price, 5) for name, price in prices.items()}
    receipt = await client.call("place_order", symbol="EURUSD", type=kind, volume=0.1, **rounded)
    ticket: int = receipt["order"]["order"]
    return ticket


@pytest.mark.parametrize(("stop", "reason"), [("sl", "sl"), ("tp", "tp")])
async def test_the_market_meets_a_stop(running: Product, stop: str, reason: str) -> None:
    """A position that the market closes at its stop is told of, and says so in the history."""
    client = await running.ws()
    await client.call("subscribe", channels=["positions"])
    price = LOW + 0.0003 if stop == "sl" else HIGH - 0.0003
    ticket = 0
    while not ticket:
        tick = await client.call("get_symbol_info", symbol="EURUSD")
        if LOW + 0.001 < tick["bid"] < HIGH - 0.001:
            params = {"symbol": "EURUSD", "side": "buy", "volume": 0.1, stop: round(price, 5)}
            ticket = (await client.call("place_order", **params))["order"]["position"]
    await client.change("positions", "remove", ticket=ticket)
    [whole] = (await past(client, "positions", ticket))["positions"]
    assert whole["reason"] == reason
    orders = (await past(client, "orders", ticket))["orders"]
    assert orders[-1]["reason"] == reason


async def test_a_pending_order_expires(running: Product) -> None:
    """An order whose time is over leaves the book by itself, and the history says why."""
    client = await running.ws()
    await client.call("subscribe", channels=["orders"])
    now = (await client.call("get_server_time"))["time"]
    receipt = await client.call(
        "place_order",
        symbol="EURUSD",
        type="buy_limit",
        price=1.05,
        volume=0.1,
        expiration=now + 90_000,
    )
    ticket = receipt["order"]["order"]
    gone = await client.change("orders", "remove", ticket=ticket)
    assert gone["state"] == "expired"
    assert (await client.call("get_order_info", ticket=ticket))["state"] == "expired"


@pytest.mark.parametrize("symbol", ["EURUSD.r", "#US 30:cash"])
@BOTH_DOORS
async def test_symbols_may_have_any_name(client: Client, running: Product, symbol: str) -> None:
    """A symbol with a dot, a sign, a space or a colon can be asked for, traded and heard."""
    assert symbol in await client.call("get_symbols")
    assert (await client.call("get_symbol_info", symbol=symbol))["name"] == symbol
    assert (await client.call("get_ohlc", symbol=symbol, count=2))["symbol"] == symbol
    assert len((await client.call("get_history_ticks", symbol=symbol, limit=2))["ticks"]) == 2
    listener = await running.ws()
    told = await listener.call("subscribe", channels=[f"tick:{symbol}", f"bar.M1:{symbol}"])
    assert [one["channel"] for one in told["subscribed"]] == [
        f"tick:{symbol}",
        f"bar.M1:{symbol}",
    ]
    tick = await listener.event(f"tick:{symbol}", lambda one: one["type"] == "update")
    assert tick["data"]["symbol"] == symbol
    receipt = await client.call("place_order", symbol=symbol, side="buy", volume=0.1)
    ticket = receipt["order"]["position"]
    [position] = await client.call("get_positions", symbol=symbol, ticket=ticket)
    assert position["symbol"] == symbol
    await client.call("close_position", ticket=ticket)
    history = await client.call("get_history_orders", kind="deals", position=ticket, limit=5)
    assert {deal["symbol"] for deal in history["deals"]} == {symbol}
    await listener.call("unsubscribe", all=True)


async def test_a_batch_that_trades_is_in_order(running: Product) -> None:
    """A batch with an order in it is carried out from first to last: what is asked after the
    order sees it, what is asked before does not."""
    client = await running.http()
    market = {"symbol": "EURUSD", "side": "buy", "volume": 0.01}
    calls = [("get_positions", {}), ("place_order", market)] * 3 + [("get_positions", {})]
    answers = await client.send(
        [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
    )
    assert [one["id"] for one in answers] == list(range(7))
    results = [answered(method, one) for (method, _), one in zip(calls, answers, strict=True)]
    counts = [len(one) for one in results[::2]]
    assert counts == list(range(counts[0], counts[0] + 4))
    for one in results[1::2]:
        await client.call("close_position", ticket=one["order"]["position"])


async def test_an_order_as_a_notification_is_dropped(running: Product) -> None:
    """A request without an id that would trade is not carried out: nobody could learn how it
    ended. Nor is it in a batch."""
    client = await running.http()
    before = await client.call("get_positions")
    market = {"symbol": "EURUSD", "side": "buy", "volume": 0.01}
    silent = {"jsonrpc": "2.0", "method": "place_order", "params": market}
    assert await client.send(silent) is None
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert [one["id"] for one in await client.send([silent, ping])] == [1]
    assert await client.call("get_positions") == before


async def test_the_whole_history_explains_the_balance(running: Product) -> None:
    """All deals of the account's life, read page by page, add up to its balance, to the cent."""
    client = await running.http()
    for one in await client.call("get_positions"):
        await client.call("close_position", ticket=one["ticket"])
    deals: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.call("get_history_orders", kind="deals", from_=0, limit=7, **cursor)
        deals += page["deals"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len({one["ticket"] for one in deals}) == len(deals)
    assert [one["time"] for one in deals] == sorted(one["time"] for one in deals)
    assert earned(deals) == await balance(client)
    positions = await client.call("get_history_orders", kind="positions", from_=0, limit=5000)
    traded = [deal for deal in deals if deal["position_id"]]
    assert {one["position_id"] for one in positions["positions"]} == {
        one["position_id"] for one in traded
    }
    parts = ("profit", "commission", "swap", "fee")
    sums = [one[part] for one in positions["positions"] for part in parts]
    assert cents(*sums) == earned(traded)
