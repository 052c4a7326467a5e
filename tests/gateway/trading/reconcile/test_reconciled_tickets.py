"""What a receipt tells of positions where the end of a request was found later."""

from __future__ import annotations

from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import DEAL, NOW_MS, OFFSET_MS, ORDER, POSITION

from ea_bridge.errors import NotSent
from ea_bridge.model import Deal, DealEntry, Order, Position
from gateway import errors
from gateway.trading import receipts
from gateway.trading.reconcile import patience
from gateway.trading.requests import tag

HERE_MS = NOW_MS + OFFSET_MS
LOTS = 0.1


@pytest.fixture(name="mt4")
def on_metatrader_4(kept: Kept) -> Kept:
    """A terminal without deals and without a table of results."""
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    return kept


def position(ticket: int, lots: float, **more: object) -> Position:
    """A position to buy."""
    one = replace(POSITION, ticket=ticket, identifier=ticket, type=0, volume=lots)
    return replace(one, time=HERE_MS // 1000, time_msc=HERE_MS, magic=0, **more)


def past(ticket: int, lots: float, comment: str) -> Order:
    """A trade that was closed a moment ago, as the history has it."""
    at_s = HERE_MS // 1000
    return replace(
        ORDER,
        ticket=ticket,
        type=0,
        type_filling=0,
        state=4,
        magic=0,
        volume_initial=lots,
        volume_current=0.0,
        position_id=ticket,
        time_setup=at_s,
        time_setup_msc=HERE_MS,
        time_done=at_s,
        time_done_msc=HERE_MS,
        comment=comment,
    )


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
async def test_what_is_left_of_a_trade_on_metatrader_4(mt4: Kept, closed: bool) -> None:
    """It has another ticket, which the comment of the closed part tells, or its own."""
    mt4.scene.script.answers["positions_get"] = [position(900, 2 * LOTS)]
    with pytest.raises(errors.OrderUnresolved):
        await mt4.scene.ask("close_position", ticket=900, volume=LOTS, client_order_id="a")
    mt4.link()
    rest = position(901, LOTS, comment="from #900")
    mt4.scene.script.answers |= {
        "positions_get": [] if closed else [rest],
        "history_orders_get": [past(900, LOTS, "to #901" if closed else "")],
    }
    await mt4.look()
    again = await mt4.scene.ask("close_position", ticket=900, volume=LOTS, client_order_id="a")
    assert again["duplicate"]
    assert (again["order"]["order"], again["order"]["position"]) == (900, 901)


@pytest.mark.parametrize(("left", "rest"), [(900, 902), (901, 902), (0, 900)])
async def test_what_is_left_of_two_trades_on_metatrader_4(mt4: Kept, left: int, rest: int) -> None:
    """The rest of the larger one; nothing where they were alike, and then the first is named."""
    volumes = {900: LOTS, 901: LOTS} | ({left: 2 * LOTS} if left else {})
    long, short = position(900, volumes[900]), replace(position(901, volumes[901]), type=1)
    mt4.scene.script.answers["positions_get"] = lambda params: [
        one for one in (long, short) if params.ticket in (None, one.ticket)
    ]
    both: dict[str, Any] = {"position": 900, "position_by": 901, "client_order_id": "a"}
    with pytest.raises(errors.OrderUnresolved):
        await mt4.scene.ask("close_by", **both)
    mt4.link()
    mt4.scene.script.answers |= {
        "positions_get": [position(902, LOTS, comment=f"from #{left}")] if left else [],
        "history_orders_get": [past(900, LOTS, "")],
    }
    await mt4.look()
    again = await mt4.scene.ask("close_by", **both)
    assert again["order"]["position"] == rest


@pytest.mark.parametrize("hedged", [False, True], ids=["by the market", "by the other"])
async def test_how_a_trade_on_metatrader_4_was_closed(
    mt4: Kept, hedged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two closes without an answer that one has done it which asked for it in that way."""
    long, short = position(900, LOTS), replace(position(901, LOTS), type=1)
    mt4.scene.script.answers["positions_get"] = lambda params: [
        one for one in (long, short) if params.ticket in (None, one.ticket)
    ]
    by_other: dict[str, Any] = {"position": 900, "position_by": 901, "client_order_id": "a"}
    by_market: dict[str, Any] = {"ticket": 900, "client_order_id": "b"}
    with pytest.raises(errors.OrderUnresolved):
        await mt4.scene.ask("close_by", **by_other)
    with pytest.raises(errors.OrderUnresolved):
        await mt4.scene.ask("close_position", **by_market)
    mt4.link()
    closed = {900: past(900, LOTS, "")}
    if hedged:
        closed[901] = past(901, 0.0, "close hedge by #900")
    mt4.scene.script.answers |= {
        "positions_get": [] if hedged else [short],
        "history_orders_get": lambda params: [
            one for one in closed.values() if params.ticket in (None, one.ticket)
        ],
    }
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    await mt4.look()
    await mt4.look()
    records = {key: await mt4.scene.ask("get_order", client_order_id=key) for key in ("a", "b")}
    ends = {key: record["outcome"] for key, record in records.items()}
    assert ends == {"a": "done" if hedged else "rejected", "b": "rejected" if hedged else "done"}


@pytest.mark.parametrize("end_ms", [500, 9000])
async def test_which_close_of_a_trade_on_metatrader_4_was_the_last_before_its_end(
    mt4: Kept, end_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two closes without an answer the trade's end is nearer to one, and not before it."""
    mt4.scene.script.answers["positions_get"] = [position(900, LOTS)]
    for one in ("a", "b"):
        with pytest.raises(errors.OrderUnresolved):
            await mt4.scene.ask("close_position", ticket=900, client_order_id=one)
        mt4.scene.now_ms += 8000
    mt4.link()
    ended_ms = HERE_MS + end_ms
    closed = replace(past(900, LOTS, ""), time_done=ended_ms // 1000, time_done_msc=ended_ms)
    mt4.scene.script.answers |= {"positions_get": [], "history_orders_get": [closed]}
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    await mt4.look()
    await mt4.look()
    records = [await mt4.scene.ask("get_order", client_order_id=key) for key in ("a", "b")]
    ends = [record["outcome"] for record in records]
    assert ends == (["done", "rejected"] if end_ms < 8000 else ["rejected", "done"])


async def test_a_position_that_has_turned_on_a_netting_account(kept: Kept) -> None:
    """Its ticket is the order's that turned it; deals name its identifier, which stays."""
    kept.equip("ticks,book,deals,check")
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, mode="netting")
    await kept.lose("a")
    comment = tag(12345678, "Broker-Demo", "a")
    order = replace(past(901, LOTS, comment), position_id=800)
    deal: Deal = replace(DEAL, ticket=55, order=901, position_id=800, volume=LOTS, price=1.5)
    turned = replace(position(901, LOTS), identifier=800)
    kept.scene.script.answers |= {
        "history_orders_get": [order],
        "history_deals_get": [replace(deal, entry=int(DealEntry.INOUT))],
        "positions_get": [turned],
    }
    await kept.look()
    order_told = (await kept.buy("a"))["order"]
    assert (order_told["order"], order_told["position"]) == (901, 901)
    assert order_told["deal"] == 55


@pytest.mark.parametrize("lag", [0, 2])
async def test_two_positions_that_were_closed_by_each_other(kept: Kept, lag: int) -> None:
    """The broker books two deals, one for each: what was closed is told once, at the price at
    which the named one was. The history may show them a moment later than their order.
    """
    kept.equip("ticks,book,deals,check")
    both = [position(800, LOTS), replace(position(801, LOTS), type=1)]
    kept.scene.script.answers |= {
        **NOTHING,
        "order_send": LOST,
        "positions_get": lambda params: [one for one in both if params.ticket == one.ticket],
    }
    asked: dict[str, Any] = {"position": 801, "position_by": 800, "client_order_id": "a"}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("close_by", **asked)
    kept.link()

    def asked_deals() -> list[object]:
        return kept.scene.script.asked_for("history_deals_get")

    order = replace(past(901, LOTS, tag(12345678, "Broker-Demo", "a")), type=8, position_id=801)
    deals = [
        replace(DEAL, ticket=55, order=901, position_id=800, volume=LOTS, price=1.25, entry=3),
        replace(DEAL, ticket=56, order=901, position_id=801, volume=LOTS, price=1.5, entry=3),
    ]
    kept.scene.script.answers |= {
        "positions_get": [],
        "history_orders_get": [order],
        "history_deals_get": lambda _: [] if len(asked_deals()) <= lag else deals,
    }
    await kept.look()
    order_told = (await kept.scene.ask("close_by", **asked))["order"]
    assert (order_told["filled_volume"], order_told["avg_price"]) == (LOTS, 1.5)
    assert (order_told["position"], order_told["deal"]) == (801, 56)


@pytest.mark.parametrize(
    ("comment", "price", "expected"),
    [
        ("gABCDEFGH2", 1.1, "done"),
        ("gABCDEFGH2[sl]", 1.09, "rejected"),
        ("gABCDEFGH2 [sl]", 1.1, "done"),
        ("[tp]", 1.12, "rejected"),
        ("[tp]", 1.1, "done"),
        ("so: 49.87%/498.70/1000.00", 1.1, "rejected"),
        ("gABCDEFGH2 also: [so: 1]", 1.1, "done"),
    ],
)
async def test_what_the_server_has_closed_on_metatrader_4(
    mt4: Kept, comment: str, price: float, expected: str
) -> None:
    """A stop has closed the trade, all of it: the request that was to do so has not. A program may
    write into a comment what it likes; then the price tells."""
    mt4.scene.script.answers["positions_get"] = [position(900, LOTS)]
    with pytest.raises(errors.OrderUnresolved):
        await mt4.scene.ask("close_position", ticket=900, client_order_id="a")
    mt4.link()
    closed = replace(past(900, LOTS, comment), price_current=price, sl=1.09, tp=1.12)
    mt4.scene.script.answers |= {"positions_get": [], "history_orders_get": [closed]}
    await mt4.look()
    record = await mt4.scene.ask("get_order", client_order_id="a")
    assert record["outcome"] == expected


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
async def test_trades_on_metatrader_4_are_told_apart_by_their_stops(
    mt4: Kept, closed: bool
) -> None:
    """Two that are equal but for the stop loss, with their tags rewritten: each is its own."""
    stops = {"a": 1.07, "b": 1.06}
    for id_, stop in stops.items():
        with pytest.raises(errors.OrderUnresolved):
            await mt4.scene.ask(
                "place_order",
                symbol="EURUSD",
                side="buy",
                volume=LOTS,
                sl=stop,
                client_order_id=id_,
            )
    mt4.link()
    # the second came to the broker first
    tickets = {901: stops["b"], 902: stops["a"]}
    trades = [
        replace(position(one, LOTS, comment="eaten"), sl=sl, tp=0.0) for one, sl in tickets.items()
    ]
    ended = [replace(past(one, LOTS, "eaten"), sl=sl, tp=0.0) for one, sl in tickets.items()]
    mt4.scene.script.answers |= {
        "positions_get": [] if closed else trades,
        "history_orders_get": ended if closed else [],
    }
    await mt4.look()
    for id_, ticket in (("a", 902), ("b", 901)):
        known = await mt4.scene.ask("get_order", client_order_id=id_)
        assert (known["outcome"], known["result"]["order"]["order"]) == ("done", ticket)


async def test_a_terminal_that_goes_while_a_receipt_is_made(kept: Kept) -> None:
    """The end waits for its return, rather than to lack the deal and the price for good."""
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    order = past(901, LOTS, tag(12345678, "Broker-Demo", "a"))
    deals = [replace(DEAL, ticket=55, order=901, position_id=901, volume=LOTS, price=1.25)]

    def lag(_: object) -> list[Deal]:
        if len(kept.scene.script.asked_for("history_deals_get")) > 1:
            raise NotSent("the link broke")
        return []

    kept.scene.script.answers |= {
        "history_orders_get": [order],
        "history_deals_get": lag,
        "positions_get": [],
    }
    await kept.look()
    with pytest.raises(errors.OrderUnresolved):
        await kept.buy("a")
    kept.scene.script.answers["history_deals_get"] = deals
    kept.link()
    await kept.look()
    order_told = (await kept.buy("a"))["order"]
    assert (order_told["deal"], order_told["avg_price"]) == (55, 1.25)


async def test_deals_that_show_late(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found out waits longer for them than a caller would: its receipt stays."""
    monkeypatch.setattr(receipts, "DEAL_DELAYS_S", (0.0,))
    monkeypatch.setattr(receipts, "LATER_DELAYS_S", (0.0, 0.0))
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    deals = [replace(DEAL, ticket=55, order=901, position_id=901, volume=LOTS, price=1.25)]
    asked = kept.scene.script.asked_for
    kept.scene.script.answers |= {
        "history_orders_get": [past(901, LOTS, tag(12345678, "Broker-Demo", "a"))],
        "history_deals_get": lambda _: deals if len(asked("history_deals_get")) > 2 else [],
        "positions_get": [],
    }
    await kept.look()
    order_told = (await kept.buy("a"))["order"]
    assert (order_told["deal"], order_told["avg_price"]) == (55, 1.25)
