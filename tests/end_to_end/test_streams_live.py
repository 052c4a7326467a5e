"""Events on /ws, from a market that moves: what is promised of order, completeness, beginnings
and ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
import websockets
from product import Json, Product, Refused, WsClient, open_ws, product, sawtooth, until

from ea_bridge.emulator.factory import build_terminal

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-streams")]

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
LOSSLESS = "tick.all:EURUSD"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A market with 120 ticks of EURUSD a second, and a minute each second."""
    folder = tmp_path_factory.mktemp("streams")
    async with product(folder, speed=60.0, tick_files=sawtooth(folder)) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def listener(running: Product) -> AsyncIterator[WsClient]:
    """A connection that logged in by its header."""
    yield await running.ws()
    await running.close_clients()


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def nothing_left(running: Product) -> AsyncIterator[None]:
    """What a test has subscribed to over /rpc ends with it."""
    yield
    await (await running.http()).call("unsubscribe", all=True)
    await running.close_clients()


def is_update(event: Json) -> bool:
    """Whether it is news."""
    return bool(event["type"] == "update")


def is_snapshot(event: Json) -> bool:
    """Whether it is a beginning."""
    return bool(event["type"] == "snapshot")


async def updates(client: WsClient, channel: str, count: int) -> list[Json]:
    """Take the next updates of a channel."""
    return [await client.event(channel, is_update) for _ in range(count)]


# --- forms and beginnings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "channels"),
    [
        ({"type": "tick", "symbol": "EURUSD"}, ["tick:EURUSD"]),
        ({"type": "tick", "symbol": ["EURUSD", "BTCUSD"]}, ["tick:EURUSD", "tick:BTCUSD"]),
        ({"type": "mbook", "symbol": "EURUSD"}, ["book:EURUSD"]),
        ({"type": "ohlc", "symbol": "EURUSD", "timeframe": "M1"}, ["bar.M1:EURUSD"]),
        ({"type": "ohlc", "symbol": "EURUSD", "timeframe": "PERIOD_H1"}, ["bar.H1:EURUSD"]),
        ({"type": "ohlc", "symbol": "EURUSD", "timeframe": 16385}, ["bar.H1:EURUSD"]),
        ({"channels": "tick.100ms:EURUSD"}, ["tick.100ms:EURUSD"]),
        ({"channels": ["book.3:EURUSD"]}, ["book.3:EURUSD"]),
        ({"channels": [{"channel": "bar.M5:EURUSD", "terminal": "main"}]}, ["bar.M5:EURUSD"]),
        ({"channels": [{"type": "tick", "symbol": "EURUSD"}]}, ["tick:EURUSD"]),
    ],
)
async def test_every_form_of_subscription(
    listener: WsClient, form: Json, channels: list[str]
) -> None:
    """The vendor's forms and ours name the same channels: a snapshot comes first, then updates
    that count on from it, and what was subscribed in a form can be ended in it."""
    result = await listener.call("subscribe", **form)
    assert [one["channel"] for one in result["subscribed"]] == channels
    assert result["failed"] == []
    for one in result["subscribed"]:
        first = await listener.event(one["channel"])
        assert (first["type"], first["epoch"]) == ("snapshot", one["epoch"])
        assert first["seq"] == one["seq"]
        second = await listener.event(one["channel"])
        assert (second["type"], second["epoch"]) == ("update", one["epoch"])
        assert second["seq"] > first["seq"]
    ended = await listener.call("unsubscribe", **form)
    assert ended["unsubscribed"] == channels


@pytest.mark.parametrize("form", [{"type": "order"}, {"channels": ["orders"]}])
async def test_the_orders_begin_with_those_that_wait(
    running: Product, listener: WsClient, form: Json
) -> None:
    """``order`` is the channel ``orders``; its snapshot is what ``get_orders`` tells."""
    await listener.call("subscribe", **form)
    snapshot = await listener.event("orders", is_snapshot)
    listed = await (await running.http()).call("get_orders")
    assert {one["ticket"] for one in snapshot["data"]["orders"]} == {
        one["ticket"] for one in listed
    }


@pytest.mark.parametrize(
    ("channel", "code", "hint"),
    [
        ("tick:EURUS", 3001, "EURUSD"),
        ("tcik:EURUSD", -32602, "tick"),
        ("bar.M7:EURUSD", -32602, None),
        ("bar:EURUSD", -32602, "bar.M1:EURUSD"),
        ("book:GBPUSD", 3004, None),
        ("tick", -32602, None),
        ("orders:EURUSD", -32602, "orders"),
    ],
)
async def test_a_channel_that_is_not(
    listener: WsClient, channel: str, code: int, hint: str | None
) -> None:
    """What cannot be subscribed is named with its code and a hint, and spoils nothing else;
    only when all fail the call does."""
    result = await listener.call("subscribe", channels=[channel, "tick:EURUSD"])
    [failed] = result["failed"]
    assert (failed["channel"], failed["code"]) == (channel, code)
    assert hint is None or hint in failed["did_you_mean"]
    assert [one["channel"] for one in result["subscribed"]] == ["tick:EURUSD"]
    with pytest.raises(Refused) as refused:
        await listener.call("subscribe", channels=[channel])
    assert refused.value.code == 4001
    assert refused.value.data["failed"] == [failed]


# --- content -------------------------------------------------------------------------------------


async def test_ticks_are_those_of_the_history(running: Product, listener: WsClient) -> None:
    """``tick.all`` brings every tick, in order, without a hole, as the history has them."""
    await listener.call("subscribe", channels=[LOSSLESS])
    told = await updates(listener, LOSSLESS, 200)
    assert [one["seq"] for one in told] == list(range(told[0]["seq"], told[0]["seq"] + len(told)))
    await same_as_history(running, told)


async def same_as_history(running: Product, told: list[Json]) -> None:
    """Ticks that were told are exactly those that the terminal has between first and last."""
    client = await running.http()
    first, last = told[0]["data"]["time"], told[-1]["data"]["time"]
    history = await client.call(
        "get_history_ticks", symbol="EURUSD", from_=first, to=last, limit=20_000
    )
    members = ("time", "broker_time", "bid", "ask", "last", "volume", "flags")
    assert [[one["data"][name] for name in members] for one in told] == [
        [one[name] for name in members] for one in history["ticks"]
    ]


async def test_bars_close_as_the_history_has_them(running: Product, listener: WsClient) -> None:
    """Every bar is told when it closes, once and in order, and equals that of the history."""
    channel = "bar.M1:EURUSD"
    await listener.call("subscribe", channels=[channel])
    closed = [
        await listener.event(channel, lambda one: is_update(one) and one["data"]["closed"])
        for _ in range(3)
    ]
    times = [one["data"]["time"] for one in closed]
    assert [after - before for before, after in pairwise(times)] == [60_000, 60_000]
    client = await running.http()
    bars = await client.call(
        "get_history_prices", symbol="EURUSD", from_=times[0], to=times[-1], timeframe="M1"
    )
    names = ("open", "high", "low", "close", "tick_volume")
    assert [[one["data"][name] for name in names] for one in closed] == [
        [one[name] for name in names] for one in bars["bars"]
    ]
    forming = await listener.event(channel, lambda one: not one["data"]["closed"])
    assert forming["data"]["time"] % 60_000 == 0


async def test_books_are_whole(listener: WsClient) -> None:
    """A book is told whole each time, the highest price first; a depth cuts both sides."""
    await listener.call("subscribe", channels=["book:EURUSD", "book.2:EURUSD"])
    for channel, levels in (("book:EURUSD", 10), ("book.2:EURUSD", 2)):
        for event in [await listener.event(channel) for _ in range(3)]:
            rows = event["data"]["levels"]
            assert [row["type"] for row in rows] == ["sell"] * levels + ["buy"] * levels
            prices = [row["price"] for row in rows]
            assert prices == sorted(prices, reverse=True)


async def test_a_trade_as_all_channels_tell_it(running: Product, listener: WsClient) -> None:
    """What happens in a trade is told on every channel of the account, as the receipts say."""
    channels = ["orders", "positions", "deals", "account", "pnl", "terminal"]
    await listener.call("subscribe", channels=channels)
    for channel in ("orders", "positions", "account", "pnl", "terminal"):
        assert is_snapshot(await listener.event(channel))
    client = await running.http()
    receipt = (await client.call("place_order", **BUY))["order"]
    position = await listener.change("positions", "add", ticket=receipt["position"])
    assert (position["volume"], position["price_open"]) == (0.1, receipt["avg_price"])
    deal = await listener.change("deals", "add", ticket=receipt["deal"])
    assert (deal["entry"], deal["price"]) == ("in", receipt["avg_price"])
    order = await listener.change("orders", "remove", ticket=receipt["order"])
    assert (order["state"], order["position_id"]) == ("filled", receipt["position"])
    pnl = await listener.event("pnl", lambda one: is_update(one) and one["data"]["positions"])
    assert [one["ticket"] for one in pnl["data"]["positions"]] == [receipt["position"]]
    account = await listener.event("account", lambda one: one["data"]["margin"] > 0)
    assert account["data"]["equity"] == pytest.approx(
        account["data"]["balance"] + account["data"]["profit"], abs=0.005
    )
    await client.call("modify_order", ticket=receipt["position"], sl=1.0)
    assert (await listener.change("positions", "change", sl=1.0))["ticket"] == position["ticket"]
    closing = (await client.call("close_position", ticket=receipt["position"]))["order"]
    await listener.change("positions", "remove", ticket=receipt["position"])
    out = await listener.change("deals", "add", ticket=closing["deal"])
    assert out["entry"] == "out"
    await listener.event("account", lambda one: one["data"]["margin"] == 0)
    balance = (await client.call("get_account_balance"))["balance"]
    deals = await client.call("get_history_orders", kind="deals", position=receipt["position"])
    assert deals["deals"] == [deal, out]
    assert balance == (await client.call("get_account_info"))["balance"]


async def test_lossless_channels_have_no_holes(running: Product, listener: WsClient) -> None:
    """The numbers of orders, positions and deals go up by one, whatever happens how fast."""
    channels = ["orders", "positions", "deals"]
    await listener.call("subscribe", channels=channels)
    client = await running.http()
    for _ in range(10):
        receipt = await client.call("place_order", **BUY)
        await client.call("close_position", ticket=receipt["order"]["position"])
    last = await listener.change("deals", "add", position_id=receipt["order"]["position"])
    assert last["entry"] == "in"
    await listener.change("deals", "add", position_id=receipt["order"]["position"])
    for channel in channels:
        numbers = [one["seq"] for one in listener.events if one["channel"] == channel]
        assert len(numbers) >= 10
        assert all(after - before in (0, 1) for before, after in pairwise(numbers))


# --- whose events --------------------------------------------------------------------------------


async def test_a_subscription_of_a_connection_is_its_own(
    running: Product, listener: WsClient
) -> None:
    """What one connection subscribes to another does not hear."""
    other = await running.ws()
    await listener.call("subscribe", channels=["tick:EURUSD"])
    await updates(listener, "tick:EURUSD", 20)
    await other.call("ping")
    assert not other.events
    assert (await other.call("get_subscriptions"))["subscriptions"] == []


async def test_a_subscription_over_rpc_is_the_tokens(running: Product, listener: WsClient) -> None:
    """What is subscribed to over /rpc comes to every connection that logged in by its header,
    open already or opened later, and to no other."""
    client, by_hello = await running.http(), await running.ws(by_header=False)
    await client.call("subscribe", type="tick", symbol="EURUSD")
    [one] = (await client.call("get_subscriptions"))["subscriptions"]
    assert (one["channel"], one["owner"]) == ("tick:EURUSD", "token")
    later = await running.ws()
    for hears in (listener, later):
        assert is_snapshot(await hears.event("tick:EURUSD"))
        await updates(hears, "tick:EURUSD", 10)
    await by_hello.call("ping")
    assert not by_hello.events
    await client.call("unsubscribe", type="tick", symbol="EURUSD")
    witness = await running.ws()
    for hears in (listener, later):
        await hears.call("ping")  # what was under way has come when this is answered
        hears.events.clear()
    await witness.call("subscribe", channels=["tick:EURUSD"])
    await updates(witness, "tick:EURUSD", 20)
    for hears in (listener, later):
        await hears.call("ping")
        assert not hears.events


async def test_unsubscribing_ends_it(listener: WsClient) -> None:
    """After the answer to ``unsubscribe`` no event of the channel comes any more."""
    await listener.call("subscribe", channels=["tick:EURUSD", "bar.M1:EURUSD"])
    await updates(listener, "tick:EURUSD", 5)
    await listener.call("unsubscribe", channels=["tick:EURUSD"])
    listener.events.clear()
    await listener.event("bar.M1:EURUSD", lambda one: is_update(one) and one["data"]["closed"])
    assert {one["channel"] for one in listener.events} <= {"bar.M1:EURUSD"}
    again = await listener.call("unsubscribe", channels=["tick:EURUSD"])
    assert again["not_subscribed"] == ["tick:EURUSD"]


async def test_two_terminals_on_one_port(running: Product, listener: WsClient) -> None:
    """Two terminals with a token each share the ports, and neither sees anything of the other."""
    second = await running.link("second", build_terminal(seed=7))
    other, client = await running.ws(second.token), await running.http(second.token)
    channels = ["positions", "deals", "account", "terminal"]
    await listener.call("subscribe", channels=channels)
    told = await other.call("subscribe", channels=channels)
    assert {one["terminal"] for one in told["subscribed"]} == {"second"}
    account = await client.call("get_account_info")
    assert account["login"] != (await listener.call("get_account_info"))["login"]
    receipt = await client.call("place_order", **BUY)
    ticket = receipt["order"]["position"]
    await other.change("positions", "add", ticket=ticket)
    with pytest.raises(Refused) as refused:
        await listener.call("close_position", ticket=ticket)
    assert refused.value.code == 2010
    with pytest.raises(Refused) as refused:
        await listener.call("get_account_info", terminal="second")
    assert (refused.value.code, refused.value.data["terminals"]) == (1001, ["main"])
    assert {one["terminal"] for one in other.events} == {"second"}
    assert all(one["type"] == "snapshot" for one in listener.events if one["channel"] == "deals")
    assert {one["terminal"] for one in listener.events} == {"main"}
    second.link.stop()


# --- interruptions -------------------------------------------------------------------------------


async def test_no_tick_is_lost_or_told_twice(running: Product, listener: WsClient) -> None:
    """The link breaks again and again: every tick comes exactly once, in order, as the history
    has them; the connection to the client does not notice."""
    await listener.call("subscribe", channels=[LOSSLESS, "terminal"])
    told: list[Json] = []
    for _ in range(3):
        told += await updates(listener, LOSSLESS, 40)
        before = running.gateway.registry.get("main")
        running.main.link.cut()
        await running.live("main", but_not=before)
    told += await updates(listener, LOSSLESS, 150)
    numbers = [one["seq"] for one in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(told)))
    assert len({one["epoch"] for one in told}) == 1
    await same_as_history(running, told)
    states = [one["data"]["state"] for one in listener.events if one["channel"] == "terminal"]
    assert states.count("disconnected") == 3


async def test_a_terminal_that_restarts(running: Product, listener: WsClient) -> None:
    """MetaTrader is restarted: subscriptions live on; copies begin anew with a snapshot, in a new
    epoch, and lossless channels say where they broke off."""
    first = running.main
    channels = ["positions", "tick:EURUSD", "account"]
    told = (await listener.call("subscribe", channels=channels))["subscribed"]
    epochs = {one["channel"]: one["epoch"] for one in told}
    for channel in channels:
        await listener.event(channel, is_snapshot)
    listener.events.clear()
    first.link.stop()
    await until(lambda: running.gateway.registry.get("main") is None)
    client = await running.http()
    fresh = build_terminal(speed=60.0)
    second = await running.link("main", fresh, token=first.token)
    snapshot = await listener.event("positions", is_snapshot)
    assert snapshot["epoch"] != epochs["positions"]
    assert snapshot["data"]["positions"] == []
    await listener.event("account", is_snapshot)
    await listener.event("tick:EURUSD", is_update)
    receipt = await client.call("place_order", **BUY)
    await listener.change("positions", "add", ticket=receipt["order"]["position"])
    await client.call("close_position", ticket=receipt["order"]["position"])
    second.link.stop()
    await until(lambda: running.gateway.registry.get("main") is None)
    await running.link("main", first.machine, token=first.token)


@pytest.mark.parametrize(
    "times", [60, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
async def test_who_comes_back_again_and_again_misses_nothing(
    running: Product, listener: WsClient, times: int
) -> None:
    """Each tick once and in order, by frames of their own and by arrays, as long as somebody hears
    the channel."""
    await listener.call("subscribe", channels=[LOSSLESS])
    listener.on_event = lambda _: None
    since: Json = {}
    heard: list[int] = []
    for time in range(times):
        client = await open_ws(running.ready.ws or "", running.main.token)
        if time % 2:
            told = await client.call("hello", features=["coalesce"])
            assert told["features"] == ["coalesce"]
        wanted = {"channel": LOSSLESS} | ({"since": since} if since else {})
        [entry] = (await client.call("subscribe", channels=[wanted]))["subscribed"]
        assert not since or entry["recovered"]
        events = [await client.event(LOSSLESS), *client.events]
        await client.close()
        heard += [event["seq"] for event in events if is_update(event)]
        since = {"epoch": events[-1]["epoch"], "seq": events[-1]["seq"]}
    assert heard == list(range(heard[0], heard[0] + len(heard)))


async def test_arrays_come_only_to_who_wants_them_still(running: Product) -> None:
    """From ``hello`` with the feature on, until a ``hello`` without it; other calls leave it."""
    url = running.ready.ws or ""
    headers = {"Authorization": f"Bearer {running.main.token}"}
    options: Json = {"compression": None, "proxy": None}
    async with websockets.connect(url, additional_headers=headers, **options) as socket:

        async def say(number: int, method: str, params: Json) -> None:
            """Call, and return when the answer has come; what came before is passed over."""
            call = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            await socket.send(json.dumps(call))
            while True:
                told = json.loads(await socket.recv())
                if isinstance(told, dict) and told.get("id") == number:
                    assert "error" not in told
                    return

        async def are_joined() -> bool:
            """Whether one of the next frames is an array; each turn of the pump has many ticks."""
            frames = [json.loads(await socket.recv()) for _ in range(50)]
            return any(isinstance(frame, list) for frame in frames)

        await say(1, "subscribe", {"channels": [LOSSLESS]})
        assert not await are_joined()
        await say(2, "hello", {"features": ["coalesce"]})
        assert await are_joined()
        await say(3, "hello", {"heartbeat_ms": 5000})
        assert await are_joined()
        await say(4, "hello", {"features": []})
        assert not await are_joined()


async def test_ticks_of_an_outage_are_marked(running: Product, listener: WsClient) -> None:
    """Whoever trades can tell them from news; whoever records has all of them."""
    await listener.call("subscribe", channels=[LOSSLESS])
    told = [await listener.event(LOSSLESS)]
    session = running.gateway.registry.get("main")
    running.main.link.cut()
    await running.live("main", but_not=session)
    while not any("backfilled" in event["data"] for event in told[:-1]):
        told.append(await listener.event(LOSSLESS))
    while "backfilled" in told[-1]["data"]:
        told.append(await listener.event(LOSSLESS))
    marks = [event["data"].get("backfilled", False) for event in told]
    first, many = marks.index(True), marks.count(True)
    assert marks == [False] * first + [True] * many + [False] * (len(marks) - first - many)
    assert {event["epoch"] for event in told} == {told[0]["epoch"]}
    assert all(after["seq"] == before["seq"] + 1 for before, after in pairwise(told))
