"""Every method answers over both doors, on every kind of terminal, as it is documented."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from demo_process import Demo
from external_programs import needed
from product import (
    Client,
    Json,
    Product,
    Refused,
    open_ws,
    product,
)
from published_shapes import CATALOGUE, VENDOR_METHODS, check_result

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("demo")]

READS: dict[str, Json] = {
    "get_account_info": {},
    "get_account_balance": {},
    "get_terminal_info": {},
    "get_server_time": {},
    "get_ea_status": {},
    "get_symbols": {"group": "*USD*,!EURUSD"},
    "get_symbol_info": {"symbol": "EURUSD"},
    "get_sessions": {"symbol": "EURUSD"},
    "symbol_select": {"symbol": "GBPUSD", "enable": True},
    "get_ohlc": {"symbol": "EURUSD", "timeframe": "H1", "count": 3},
    "get_history_prices": {"symbol": "EURUSD", "timeframe": "M15", "from": 0, "limit": 3},
    "get_history_ticks": {"symbol": "EURUSD", "limit": 3},
    "get_market_book": {"symbol": "EURUSD"},
    "get_positions": {},
    "get_orders": {},
    "get_trailing_stops": {},
    "get_oco_links": {},
    "order_check": {"symbol": "EURUSD", "side": "buy", "volume": 0.1},
    "order_calc_margin": {"symbol": "EURUSD", "side": "sell", "volume": "0.10"},
    "order_calc_profit": {
        "symbol": "EURUSD",
        "side": "buy",
        "volume": 0.1,
        "price_open": 1.1,
        "price_close": 1.2,
    },
    "get_history_orders": {"kind": "positions", "limit": 3},
    "get_native": {"kind": "account"},
    "copy_rates": {"symbol": "EURUSD", "timeframe": "M1", "start": 0, "count": 3},
    "copy_ticks": {"symbol": "EURUSD", "count": 3},
    "subscribe": {"type": "tick", "symbol": "EURUSD"},
    "get_subscriptions": {},
    "unsubscribe": {"all": True},
    "ping": {"t": "there?"},
    "get_server_info": {},
    "get_trading_enabled": {},
    "set_trading_enabled": {"enabled": True},
    "cancel_all_after": {"timeout_ms": 0},
}
TRADES = (
    "place_order",
    "modify_order",
    "close_by",
    "close_position",
    "cancel_order",
    "get_order",
    "set_trailing_stop",
    "remove_trailing_stop",
    "link_oco",
    "unlink_oco",
)
OTHERS = ("hello", "get_order_info", "get_ws_ticket")
"""Tested below, in tests of their own."""
SAFETY = (
    "cancel_all_orders",
    "close_all_positions",
    "set_cancel_on_disconnect",
    "get_cancel_on_disconnect",
    "logout",
)
"""Tested in ``test_safety.py``."""
BY_HAND = ("settle_order",)
"""Tested in ``test_settling_by_hand.py``."""
MT4_CANNOT = {
    "get_history_ticks": "ticks",
    "copy_ticks": "ticks",
    "get_market_book": "book",
    "order_check": "check",
}


class CurlClient(Client):
    """``POST /rpc`` by the program curl, as a person would."""

    door = "curl"

    def __init__(self, demo: Demo) -> None:
        self._demo = demo

    async def ask(self, method: str, params: Json, **members: Any) -> Json:
        body = json.dumps(self._request(1, method, params) | members)
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sS", self._demo.rpc, "-w", "\n%{http_code} %{content_type}"),
            *("-H", f"Authorization: Bearer {self._demo.auth_token}"),
            *("-H", "Content-Type: application/json", "-d", body),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        text, _, told = out.decode().rpartition("\n")
        assert told == "200 application/json"
        answer: Json = json.loads(text)
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["curl", "/ws"])
async def client(request: pytest.FixtureRequest, demo: Demo) -> AsyncIterator[Client]:
    """One of the doors of a demo that runs in its own process: MetaTrader 5, hedging."""
    if request.param == "curl":
        needed("curl")
        yield CurlClient(demo)
        return
    socket = await open_ws(demo.ws, demo.auth_token)
    yield socket
    await socket.close()


async def test_every_method_is_tested_here() -> None:
    """The vendor's methods are all there, and no method is missing from this file's tables."""
    assert len(VENDOR_METHODS) == 21
    assert set(CATALOGUE) >= VENDOR_METHODS
    assert set(CATALOGUE) == {*READS, *TRADES, *OTHERS, *SAFETY, *BY_HAND}


@pytest.mark.parametrize("method", READS)
async def test_a_read_answers(client: Client, method: str) -> None:
    """Over curl and over /ws each method answers with the shape that it documents."""
    result = await client.call(method, **READS[method])
    assert result == [] or result, f"{method} says nothing"
    assert not (isinstance(result, dict) and result.get("unavailable")), "MetaTrader 5 knows all"


async def test_what_trades_answers(client: Client) -> None:
    """Over both doors an order can be placed, looked up, changed, closed and cancelled."""
    market = {"symbol": "EURUSD", "volume": 0.02}
    first = await client.call("place_order", side="buy", **market)
    second = await client.call("place_order", type="ORDER_TYPE_SELL", **market)
    order = await client.call("get_order_info", ticket=first["order"]["order"])
    assert order["state"] == "filled"
    assert order["position_id"] == first["order"]["position"]
    low = round(first["order"]["avg_price"] * 0.9, 5)
    pending = await client.call("place_order", type="buy_limit", price=low, **market)
    ticket = pending["order"]["order"]
    changed = await client.call("modify_order", ticket=ticket, sl=round(low * 0.9, 5))
    assert changed["changed"]
    assert [one["ticket"] for one in await client.call("get_orders", ticket=ticket)] == [ticket]
    other = await client.call("place_order", type="buy_limit", price=low, **market)
    tickets = [ticket, other["order"]["order"]]
    linked = await client.call("link_oco", tickets=tickets)
    assert [one["id"] for one in await client.call("get_oco_links")] == [linked["id"]]
    assert (await client.call("unlink_oco", id=linked["id"]))["state"] == "unlinked"
    await client.call("cancel_order", ticket=tickets[1])
    cancelled = await client.call("cancel_order", ticket=ticket)
    assert cancelled["order"]["state"] == "canceled"
    both = (first["order"]["position"], second["order"]["position"])
    terms = {"distance": 1000, "activation": 100_000}
    trail = await client.call("set_trailing_stop", ticket=both[0], **terms)
    assert await client.call("get_trailing_stops", ticket=both[0]) == [trail]
    removed = await client.call("remove_trailing_stop", ticket=both[0])
    assert removed["trailing_stop"]["ticket"] == both[0]
    known = await client.call("get_order", client_order_id=first["order"]["client_order_id"])
    assert (known["outcome"], known["state"]) == ("done", "done")
    await client.call("close_by", position=both[0], position_by=both[1])
    third = await client.call("place_order", side="sell", **market)
    closed = await client.call("close_position", ticket=third["order"]["position"])
    assert closed["order"]["state"] == "filled"
    left = {one["ticket"] for one in await client.call("get_positions")}
    assert left.isdisjoint({*both, third["order"]["position"]})


async def test_hello_is_for_ws_alone(client: Client) -> None:
    """``hello`` tells on /ws what the connection can do; /rpc says that it has none."""
    if client.door == "/ws":
        told = await client.call("hello", client={"name": "a test"})
        assert told["scopes"] == ["admin", "read", "trade"]
        assert [one["state"] for one in told["terminals"]] == ["ready"]
        return
    with pytest.raises(Refused) as refused:
        await client.call("hello")
    assert refused.value.code == -32004
    assert refused.value.data["transport"] == "http"


async def test_a_ticket_is_for_rpc_alone(client: Client) -> None:
    """``get_ws_ticket`` answers on /rpc; on an open /ws there is nothing to open."""
    if client.door == "curl":
        told = await client.call("get_ws_ticket")
        assert told["subprotocol"] == f"mtg.ticket.{told['ticket']}"
        return
    with pytest.raises(Refused) as refused:
        await client.call("get_ws_ticket")
    assert refused.value.code == -32004
    assert refused.value.data["transport"] == "ws"


async def test_the_document_names_every_method(client: Client) -> None:
    """``rpc.discover`` gives the OpenRPC document: all methods, each result with its schema."""
    document = await client.call("rpc.discover")
    methods = {one["name"]: one for one in document["methods"]}
    assert set(methods) >= set(CATALOGUE)
    assert all(methods[name]["result"]["schema"] for name in CATALOGUE)


# --- other kinds of terminals ------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def netting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """MetaTrader 5 on a netting account."""
    async with product(tmp_path_factory.mktemp("netting"), netting=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mt4(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """MetaTrader 4."""
    async with product(tmp_path_factory.mktemp("mt4"), platform="mt4") as running:
        yield running


@pytest.mark.parametrize("door", ["/rpc", "/ws"])
async def test_a_netting_account_answers(netting: Product, door: str) -> None:
    """On a netting account every method answers; only its margin mode differs."""
    client = await netting.client(door)
    results = {name: await client.call(name, **params) for name, params in READS.items()}
    assert results["get_account_info"]["margin_mode"] == "netting"
    assert results["get_account_info"]["unavailable"] == []


@pytest.mark.parametrize("door", ["/rpc", "/ws"])
async def test_mt4_says_what_it_cannot_do(mt4: Product, door: str) -> None:
    """Of MetaTrader 4 a method answers, or says -32004 and the capability that is missing."""
    client = await mt4.client(door)
    for name, params in READS.items():
        if name not in MT4_CANNOT:
            await client.call(name, **params)
            continue
        with pytest.raises(Refused) as refused:
            await client.call(name, **params)
        assert refused.value.code == -32004, name
        assert refused.value.data["capability"] == MT4_CANNOT[name]
        assert refused.value.data["platform"] == "mt4"
        assert refused.value.data["terminal"] == "main"


@pytest.mark.parametrize(
    ("method", "params", "capability"),
    [
        ("get_history_orders", {"kind": "deals"}, "deals"),
        ("get_history_orders", {"kind": "orders_deals"}, "deals"),
        ("get_ohlc", {"symbol": "EURUSD", "timeframe": "M2"}, "timeframe M2"),
        ("get_history_prices", {"symbol": "EURUSD", "timeframe": "H12", "from": 0}, "H12"),
    ],
)
async def test_mt4_lacks_it(mt4: Product, method: str, params: Json, capability: str) -> None:
    """What MetaTrader 4 lacks is said before anything is sent, by the name of what is lacking."""
    client = await mt4.http()
    with pytest.raises(Refused) as refused:
        await client.call(method, **params)
    assert refused.value.code == -32004
    assert capability in refused.value.data["capability"]


@pytest.mark.parametrize(
    ("method", "params", "missing"),
    [
        ("get_account_info", {}, {"margin_mode", "fifo_close", "assets", "liabilities"}),
        ("get_terminal_info", {}, {"ping_last", "retransmission"}),
        ("get_symbol_info", {"symbol": "EURUSD"}, {"filling_mode", "order_mode"}),
        ("get_server_time", {}, set()),
        ("get_history_orders", {"kind": "positions"}, {"reason", "deals"}),
    ],
)
async def test_mt4_does_not_guess(
    mt4: Product, method: str, params: Json, missing: set[str]
) -> None:
    """What MetaTrader 4 does not know is null, and named in ``unavailable``."""
    result = await (await mt4.ws()).call(method, **params)
    assert set(result["unavailable"]) >= missing
    rows: list[Json] = result.get("positions") or [result]
    for row in rows:
        known = {name: row[name] for name in result["unavailable"] if name in row}
        assert not any(known.values()), f"said to be unavailable: {known}"


async def test_the_checker_checks() -> None:
    """An answer with a member too many, too few, or of another type would fail these tests."""
    good: dict[str, Any] = {"margin": 1.5, "currency": "USD"}
    check_result("order_calc_margin", good)
    for bad in ({**good, "more": 1}, {"margin": 1.5}, {**good, "margin": "1.5"}):
        with pytest.raises(ValueError, match=r"1 validation error"):
            check_result("order_calc_margin", bad)
