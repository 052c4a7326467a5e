"""Paper trading: orders that are filled at the terminal's prices, and that no market sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from paper_scene import books, buy, found_out, is_ours, moved, on_paper, stand_at, switch, tickets
from product import Product, Refused, WsClient, sawtooth

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from gateway.accounts.book import RegisteredAccount

pytestmark = pytest.mark.xdist_group("e2e-trading")

LOW, HIGH = 1.1, 1.103
"""Between these bids EURUSD rises and falls, once a second of ours."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> EmulatedTerminal:
    """A terminal with a market in which whatever waits is met soon; it outlives the daemons."""
    ticks = sawtooth(tmp_path_factory.mktemp("paper"), LOW, HIGH)
    return build_terminal(speed=60.0, tick_files=ticks, watch=["EURUSD"])


async def test_a_position_from_its_order_to_the_history(
    tmp_path: Path, machine: EmulatedTerminal
) -> None:
    """Bought, changed and closed at live prices, marked in every answer and event; the terminal's
    own books stay as they are."""
    before = books(machine)
    async with on_paper(tmp_path, machine) as (_, client, _):
        account = await client.call("get_account_info")
        assert (account["paper"], account["balance"]) == (True, float(before[-1]))
        foreseen = await buy(client, validate_only=True)
        assert (foreseen["paper"], foreseen["check"]["passes"]) == (True, True)
        assert await client.call("get_positions") == []
        bought = await buy(client)
        order = bought["order"]
        ticket = order["position"]
        assert (bought["paper"], order["state"]) == (True, "filled")
        assert LOW < order["avg_price"] < HIGH + 0.0001
        assert is_ours(order["order"], order["deal"], ticket)
        [position] = await client.call("get_positions")
        assert (position["ticket"], position["paper"]) == (ticket, True)
        told = await client.change("positions", "add", ticket=ticket)
        assert told["paper"] is True
        assert (await client.change("deals", "add", order=order["order"]))["paper"] is True
        floats = await client.event("pnl", lambda e: e["data"]["positions"] != [])
        assert floats["data"]["paper"] is True
        assert (await client.event("account"))["data"]["paper"] is True
        assert (await client.call("modify_order", ticket=ticket, sl=1.05))["paper"] is True
        with pytest.raises(Refused) as refused:
            await client.call("set_trailing_stop", ticket=ticket, distance=40)
        assert refused.value.name == "method_not_supported"
        closed = await client.call("close_position", ticket=ticket)
        assert (closed["paper"], closed["order"]["state"]) == (True, "filled")
        assert await client.call("get_positions") == []
        past = await client.call("get_history_orders", kind="positions", position=ticket)
        [whole] = past["positions"]
        balance = await client.call("get_account_balance")
        assert whole["paper"] is balance["paper"] is True
        assert balance["balance"] == pytest.approx(account["balance"] + whole["profit"])
        known = await client.call("get_order", client_order_id=order["client_order_id"])
        assert (known["paper"], known["state"]) == (True, "done")
        assert [one["paper"] for one in known["now"]["past_orders"]] == [True]
        assert (await client.call("get_ea_status"))["paper"] is True
    assert books(machine) == before


async def test_what_waits_is_filled_by_live_ticks(
    tmp_path: Path, machine: EmulatedTerminal
) -> None:
    """A limit order is met by the market, and so is the take profit of its position; the market
    goes on to tell of it where nobody has subscribed to ticks."""
    before = books(machine)
    async with on_paper(tmp_path, machine) as (_, client, _):
        price = round(LOW - 0.01, 5)
        placed = await client.call(
            "place_order", symbol="EURUSD", type="buy_limit", volume=0.1, price=price
        )
        ticket = placed["order"]["order"]
        assert (placed["paper"], placed["order"]["state"]) == (True, "placed")
        assert [one["paper"] for one in await client.call("get_orders")] == [True]
        await moved(client, ticket, price=round(LOW + 0.0003, 5), tp=round(HIGH - 0.0003, 5))
        filled = await client.change("orders", "remove", ticket=ticket)
        assert (filled["state"], filled["paper"]) == ("filled", True)
        opened = await client.change("positions", "add")
        assert opened["price_open"] <= round(LOW + 0.0003, 5)
        gone = await client.change("positions", "remove", ticket=opened["ticket"])
        assert gone["paper"] is True
        past = await client.call("get_history_orders", kind="positions", position=gone["ticket"])
        assert [one["reason"] for one in past["positions"]] == ["tp"]
    assert books(machine) == before


async def test_one_cancels_the_other(tmp_path: Path, machine: EmulatedTerminal) -> None:
    """Links work on paper: what the market meets takes the other one with it."""
    async with on_paper(tmp_path, machine) as (_, client, _):
        placed = [
            await client.call("place_order", symbol="EURUSD", type=kind, volume=0.1, price=price)
            for kind, price in (("buy_limit", 1.05), ("sell_limit", 1.15))
        ]
        first, second = (one["order"]["order"] for one in placed)
        assert (await client.call("link_oco", tickets=[first, second]))["paper"] is True
        await moved(client, first, price=round(LOW + 0.0003, 5))
        assert (await client.change("orders", "remove", ticket=first))["state"] == "filled"
        assert (await client.change("orders", "remove", ticket=second))["state"] == "canceled"


async def test_the_books_outlive_the_daemon(tmp_path: Path, machine: EmulatedTerminal) -> None:
    """What is open, what is past, the balance and what each id stands for; and the market is
    followed again for what waits."""
    async with on_paper(tmp_path, machine) as (_, client, _):
        done = await buy(client)
        await client.call("close_position", ticket=done["order"]["position"])
        kept = await buy(client, client_order_id="kept", sl=1.05)
        limit = await client.call(
            "place_order", symbol="EURUSD", type="buy_limit", volume=0.1, price=1.05
        )
        before = await client.call("get_history_orders", kind="orders_deals")
        balance = (await client.call("get_account_balance"))["balance"]
    async with on_paper(tmp_path, machine) as (_, client, _):
        assert (await client.call("get_account_balance"))["balance"] == balance
        assert await client.call("get_history_orders", kind="orders_deals") == before
        [position] = await client.call("get_positions")
        assert (position["ticket"], position["sl"]) == (kept["order"]["position"], 1.05)
        assert await tickets(client, "get_orders") == [limit["order"]["order"]]
        again = await buy(client, client_order_id="kept", sl=1.05)
        assert (again["duplicate"], again["paper"]) == (True, True)
        assert again["order"]["order"] == kept["order"]["order"]
        await moved(client, limit["order"]["order"], price=round(LOW + 0.0003, 5))
        filled = await client.change("orders", "remove", ticket=limit["order"]["order"])
        assert filled["state"] == "filled"
        assert len(await client.call("get_positions")) == 2


async def test_switching_there_and_back(tmp_path: Path, machine: EmulatedTerminal) -> None:
    """Each side has its own; none is shown as the other's, changed by it, or lost. An id stands
    for what it was used for, on whichever side."""
    own = books(machine)[0]
    async with on_paper(tmp_path, machine, paper=False) as (one, client, account):
        real = (await buy(client, client_order_id="real"))["order"]["position"]
        at_market = books(machine)
        switch(one, account, paper=True)
        assert await client.call("get_positions") == []
        with pytest.raises(Refused) as refused:
            await client.call("close_position", ticket=real)
        assert refused.value.name == "position_not_found"
        again = await buy(client, client_order_id="real")
        assert (again["duplicate"], again["paper"]) == (True, False)
        known = await client.call("get_order", client_order_id="real")
        assert (known["paper"], known["state"], known["now"]) == (False, "done", None)
        switched = await client.event("terminal", lambda e: e["data"]["event"] == "paper")
        assert switched["data"]["paper"] is True
        gap = await client.event("positions", lambda e: e["type"] == "gap")
        assert gap["data"]["reason"] == "paper_switched"
        fresh = await client.event("positions", lambda e: e["epoch"] == gap["epoch"])
        assert fresh["data"]["positions"] == []
        mine = (await buy(client, client_order_id="paper"))["order"]["position"]
        swept = await client.call("close_all_positions")
        assert (swept["closed"], swept["paper"]) == ([mine], True)
        mine = (await buy(client, client_order_id="paper-2"))["order"]["position"]
        assert books(machine) == at_market
        switch(one, account, paper=False)
        assert mine not in await tickets(client, "get_positions")
        assert real in await tickets(client, "get_positions")
        assert not any(map(is_ours, await tickets(client, "get_positions")))
        assert (await client.call("get_account_info"))["paper"] is False
        assert (await client.call("close_position", ticket=real))["paper"] is False
        assert books(machine)[0] == own
        switch(one, account, paper=True)
        assert await tickets(client, "get_positions") == [mine]


async def test_halted_is_halted_on_paper_too(tmp_path: Path, machine: EmulatedTerminal) -> None:
    """The kill switch stops orders on paper as it does at the market."""
    async with on_paper(tmp_path, machine) as (_, client, _):
        await client.call("set_trading_enabled", enabled=False)
        with pytest.raises(Refused) as refused:
            await buy(client)
        assert refused.value.name == "kill_switch_active"
        await client.call("set_trading_enabled", enabled=True)
        assert (await buy(client))["paper"] is True


@pytest.mark.parametrize("first", [True, False], ids=["off", "on"])
async def test_what_was_prepared_for_one_never_goes_to_the_other(
    tmp_path: Path, machine: EmulatedTerminal, first: bool
) -> None:
    """Switched when an order is in the journal, right before its bytes are written: it is not
    sent, and its id is free."""
    async with on_paper(tmp_path, machine, paper=first) as (one, client, account):
        before = books(machine)
        await buy_nothing(one, client, account, paper=not first)
        assert books(machine) == before
        assert (await client.call("get_account_info"))["paper"] is not first
        switch(one, account, paper=True)
        assert await client.call("get_positions") == []
        assert (await buy(client, client_order_id="a-1"))["paper"] is True
        assert books(machine) == before


async def buy_nothing(
    one: Product, client: WsClient, account: RegisteredAccount, *, paper: bool
) -> None:
    """Have somebody switch while an order is on its way; it is refused."""

    def at(point: str) -> None:
        if point == "journaled":
            switch(one, account, paper=paper)

    stand_at(one, at)
    with pytest.raises(Refused) as refused:
        await buy(client, client_order_id="a-1")
    stand_at(one, lambda _: None)
    assert refused.value.data["outcome"] == "not_sent"


async def test_sent_before_the_switch_stays_real(
    tmp_path: Path, machine: EmulatedTerminal
) -> None:
    """Switched while the terminal carries an order out, and while nobody knows what became of
    one: both are the market's, are answered and settled as such, and never are on paper."""
    async with on_paper(tmp_path, machine, paper=False) as (one, client, account):

        def at(point: str) -> None:
            if point == "acked":
                switch(one, account, paper=True)

        stand_at(one, at)
        answered = await buy(client, client_order_id="a-1")
        assert (answered["paper"], answered["order"]["state"]) == (False, "filled")
        assert await client.call("get_positions") == []
        switch(one, account, paper=False)
        stand_at(one, lambda _: None)
        machine.faults.cut_after_ack = 1
        with pytest.raises(Refused) as refused:
            await buy(client, client_order_id="a-2", volume=0.3)
        assert refused.value.data["outcome"] == "unknown"
        switch(one, account, paper=True)
        known = await found_out(client, "a-2")
        assert (known["outcome"], known["paper"], known["reconciled"]) == ("done", False, True)
        settled = await client.event("orders", lambda e: e["data"].get("op") == "settled")
        assert settled["data"]["paper"] is False
        assert settled["data"]["result"]["paper"] is False
        assert await client.call("get_positions") == []
        assert [p.volume for p in machine.handler.broker.positions()][-2:] == [0.5, 0.3]


@pytest.mark.parametrize("point", ["written", "result"])
async def test_a_crash_loses_and_doubles_nothing(
    tmp_path: Path, machine: EmulatedTerminal, point: str
) -> None:
    """The daemon ends while an order is being filled, before it and after: the next one finds out
    from the paper broker's books, and sends nothing again."""
    before = books(machine)
    async with on_paper(tmp_path, machine) as (one, client, _):

        def at(passed: str) -> None:
            if passed == point:
                raise RuntimeError("the daemon ends here")

        stand_at(one, at)
        with pytest.raises(Refused):
            await buy(client, client_order_id="a-1")
    async with on_paper(tmp_path, machine) as (_, client, _):
        known = await found_out(client, "a-1")
        was_filled = point == "result"
        assert known["outcome"] == ("done" if was_filled else "not_sent")
        assert known["paper"] is True
        assert len(await client.call("get_positions")) == was_filled
        again = await buy(client, client_order_id="a-1")
        assert again["duplicate"] is was_filled
        assert len(await client.call("get_positions")) == 1
    assert books(machine) == before


async def test_metatrader_4(tmp_path: Path) -> None:
    """No deals, and stop-limit orders that the gateway keeps: those on paper rest while it is
    switched off, and the market never sees them."""
    ticks = sawtooth(tmp_path, LOW, HIGH)
    machine = build_terminal(platform="mt4", speed=60.0, tick_files=ticks, watch=["EURUSD"])
    before = books(machine)
    async with on_paper(tmp_path, machine) as (one, client, account):
        bought = await buy(client)
        assert (bought["paper"], bought["unavailable"]) == (True, ["deal", "filling"])
        await client.call("close_position", ticket=bought["order"]["position"], volume=0.2)
        [rest] = await client.call("get_positions")
        await client.call("close_position", ticket=rest["ticket"])
        past = await client.call("get_history_orders", kind="positions")
        ours = [one for one in past["positions"] if is_ours(one["position_id"])]
        assert sorted(one["volume"] for one in ours) == [0.2, 0.3]
        assert all(one["paper"] for one in past["positions"])
        order = {"symbol": "EURUSD", "type": "buy_stop_limit", "volume": 0.1}
        held = await client.call("place_order", **order, price=1.25, stoplimit=LOW + 0.0005)
        ticket = held["order"]["order"]
        assert (held["paper"], held["order"]["emulated"]) == (True, True)
        await moved(client, ticket, price=round(HIGH - 0.0003, 5))
        switch(one, account, paper=False)
        assert ticket not in await tickets(client, "get_orders")
        switch(one, account, paper=True)
        gone = await client.change("orders", "remove", ticket=ticket)
        assert is_ours(gone["became"])
        assert (await client.change("orders", "remove", ticket=gone["became"]))["paper"] is True
    assert books(machine) == before
