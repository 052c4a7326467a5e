"""Trading where it differs: netting accounts, and MetaTrader 4."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio
from product import Client, Json, Product, Refused, WsClient, product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-kinds")]

BUY = {"symbol": "EURUSD", "side": "buy"}
SELL = {"symbol": "EURUSD", "side": "sell"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def netting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """MetaTrader 5 on a netting account."""
    async with product(tmp_path_factory.mktemp("netting"), netting=True) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mt4(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """MetaTrader 4."""
    async with product(tmp_path_factory.mktemp("mt4"), platform="mt4") as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", params=["/rpc", "/ws"])
async def on_netting(netting: Product, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """One of the doors, with no position open."""
    client = await netting.client(request.param)
    yield client
    for one in await client.call("get_positions"):
        await client.call("close_position", ticket=one["ticket"])
    await netting.close_clients()


@pytest_asyncio.fixture(loop_scope="module", params=["/rpc", "/ws"])
async def on_mt4(mt4: Product, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """The same before MetaTrader 4."""
    client = await mt4.client(request.param)
    yield client
    for one in await client.call("get_positions"):
        await client.call("close_position", ticket=one["ticket"])
    await mt4.close_clients()


def money(row: Json) -> Decimal:
    """What a deal or a closed position brought."""
    return sum(
        (Decimal(str(row[part] or 0)) for part in ("profit", "commission", "swap", "fee")),
        Decimal(),
    )


async def balance(client: Client) -> Decimal:
    """The account's balance."""
    return Decimal(str((await client.call("get_account_balance"))["balance"]))


# --- netting -----------------------------------------------------------------------------------


async def test_netting_adds_up(on_netting: Client) -> None:
    """On a netting account orders of one side become one position at the average price."""
    first = await on_netting.call("place_order", **BUY, volume=0.1)
    second = await on_netting.call("place_order", **BUY, volume=0.3)
    assert first["order"]["position"] == second["order"]["position"]
    [one] = await on_netting.call("get_positions", symbol="EURUSD")
    assert (one["ticket"], one["volume"]) == (first["order"]["position"], 0.4)
    average = (first["order"]["avg_price"] + 3 * second["order"]["avg_price"]) / 4
    assert one["price_open"] == pytest.approx(average, abs=1e-5)


async def test_netting_reverses_through_zero(on_netting: Client) -> None:
    """A larger order of the other side closes the position and opens the opposite one.

    The history has both rounds, and their money is that of the deals, to the cent.
    """
    before = await balance(on_netting)
    opened = await on_netting.call("place_order", **BUY, volume=0.1)
    ticket = opened["order"]["position"]
    await on_netting.call("place_order", **SELL, volume=0.25)
    [one] = await on_netting.call("get_positions", symbol="EURUSD")
    assert (one["type"], one["volume"]) == ("sell", 0.15)
    assert one["identifier"] == ticket
    await on_netting.call("close_position", ticket=one["ticket"])
    history = await on_netting.call("get_history_orders", kind="deals", position=ticket)
    entries = [(deal["type"], deal["entry"], deal["volume"]) for deal in history["deals"]]
    assert entries == [("buy", "in", 0.1), ("sell", "inout", 0.25), ("buy", "out", 0.15)]
    rounds = await on_netting.call("get_history_orders", kind="positions", position=ticket)
    assert [(one["type"], one["volume"]) for one in rounds["positions"]] == [
        ("buy", 0.1),
        ("sell", 0.15),
    ]
    earned = sum(map(money, history["deals"]), Decimal())
    assert sum(map(money, rounds["positions"]), Decimal()) == earned
    assert await balance(on_netting) == before + earned


async def test_netting_has_nothing_to_close_by(on_netting: Client) -> None:
    """``close_by`` needs opposite positions: a netting account says that it has none."""
    with pytest.raises(Refused) as refused:
        await on_netting.call("close_by", position=1, position_by=2)
    assert (refused.value.code, refused.value.data["capability"]) == (-32004, "hedging")


@pytest.mark.parametrize("method", ["close_position", "place_order"])
async def test_netting_is_closed_once(netting: Product, on_netting: Client, method: str) -> None:
    """Ten callers close the same position at once: it is closed once, and none of them opens the
    opposite one. Nor does a close that follows an opposite order."""
    opened = await on_netting.call("place_order", **BUY, volume=0.1)
    ticket = opened["order"]["position"]
    if method == "place_order":
        await on_netting.call("place_order", **SELL, volume=0.1)
    clients = [await netting.client(door) for door in ("/rpc", "/ws")] * 5
    closing = (client.call("close_position", ticket=ticket) for client in clients)
    answers = await asyncio.gather(*closing, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Refused)]
    assert len(answers) - len(refused) == (1 if method == "close_position" else 0)
    assert {one.code for one in refused} == {2010}
    assert {one.data["outcome"] for one in refused} <= {"not_sent", "rejected"}
    assert await on_netting.call("get_positions", symbol="EURUSD") == []


async def test_netting_closes_a_part(on_netting: Client) -> None:
    """A part of a netting position is closed under its own ticket."""
    opened = await on_netting.call("place_order", **BUY, volume=0.3)
    ticket = opened["order"]["position"]
    part = await on_netting.call("close_position", ticket=ticket, volume=0.1)
    assert part["order"]["position"] == ticket
    [one] = await on_netting.call("get_positions", ticket=ticket)
    assert one["volume"] == 0.2


# --- MetaTrader 4 ------------------------------------------------------------------------------


async def test_mt4_gives_the_rest_a_new_ticket(on_mt4: Client) -> None:
    """What is left of a MetaTrader 4 trade after a partial close has a new ticket, and the answer
    names it; the old one is in the history."""
    before = await balance(on_mt4)
    opened = await on_mt4.call("place_order", **BUY, volume=0.3, magic=5)
    old = opened["order"]["position"]
    assert opened["order"]["order"] == old
    part = await on_mt4.call("close_position", ticket=old, volume=0.1)
    new = part["order"]["position"]
    assert new != old
    assert await on_mt4.call("get_positions", ticket=old) == []
    [rest] = await on_mt4.call("get_positions", ticket=new)
    assert (rest["volume"], rest["magic"]) == (0.2, 5)
    assert rest["comment"] == f"from #{old}"
    await on_mt4.call("close_position", ticket=new)
    closed = [
        one
        for ticket in (old, new)
        for one in (await on_mt4.call("get_history_orders", kind="positions", ticket=ticket))[
            "positions"
        ]
    ]
    assert [(one["position_id"], one["volume"]) for one in closed] == [(old, 0.1), (new, 0.2)]
    for one in closed:
        assert one["deals"] == []
        assert one["reason"] is None
    assert await balance(on_mt4) == before + sum(map(money, closed), Decimal())


async def test_mt4_says_what_a_receipt_lacks(on_mt4: Client) -> None:
    """A receipt of MetaTrader 4 has no deal and no filling mode, and lists both."""
    receipt = await on_mt4.call("place_order", **BUY, volume=0.1)
    assert set(receipt["unavailable"]) >= {"deal", "filling"}
    assert receipt["order"]["deal"] is None
    assert receipt["filling"] is None
    assert receipt["order"]["avg_price"] is not None


async def test_mt4_pending_orders(on_mt4: Client) -> None:
    """Pending orders of MetaTrader 4 keep one ticket for life, from placing to cancelling."""
    receipt = await on_mt4.call(
        "place_order", symbol="EURUSD", type="sell_limit", volume=0.1, price=1.9
    )
    ticket = receipt["order"]["order"]
    await on_mt4.call("modify_order", ticket=ticket, price=1.8, sl=2.0)
    [order] = await on_mt4.call("get_orders", ticket=ticket)
    assert (order["price_open"], order["sl"]) == (1.8, 2.0)
    await on_mt4.call("cancel_order", ticket=ticket)
    assert (await on_mt4.call("get_order_info", ticket=ticket))["state"] == "canceled"


async def test_mt4_closes_one_by_another(on_mt4: Client) -> None:
    """Two opposite trades of MetaTrader 4 close each other; the rest gets a new ticket."""
    long = await on_mt4.call("place_order", **BUY, volume=0.1)
    short = await on_mt4.call("place_order", **SELL, volume=0.04)
    both = [one["order"]["position"] for one in (long, short)]
    await on_mt4.call("close_by", position=both[0], position_by=both[1])
    left = await on_mt4.call("get_positions")
    assert [one["volume"] for one in left] == [0.06]
    assert left[0]["ticket"] not in both


async def test_mt4_tells_of_trades(mt4: Product) -> None:
    """Orders and positions of MetaTrader 4 are told as they change; deals are refused."""
    listener: WsClient = await mt4.ws()
    told = await listener.call("subscribe", channels=["positions", "deals", "book:EURUSD"])
    assert [one["channel"] for one in told["subscribed"]] == ["positions"]
    assert {one["channel"]: one["code"] for one in told["failed"]} == {
        "deals": -32004,
        "book:EURUSD": -32004,
    }
    client = await mt4.http()
    receipt = await client.call("place_order", **BUY, volume=0.2)
    old = receipt["order"]["position"]
    await listener.change("positions", "add", ticket=old)
    part = await client.call("close_position", ticket=old, volume=0.1)
    await listener.change("positions", "remove", ticket=old)
    rest = await listener.change("positions", "add", ticket=part["order"]["position"])
    assert rest["volume"] == 0.1
    await client.call("close_position", ticket=rest["ticket"])
    await mt4.close_clients()
