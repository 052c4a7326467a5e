"""Orders, positions, deals, floating result, money: snapshots and updates that agree."""

from __future__ import annotations

import asyncio

from stage import Ear, Stage, turns, until

from ea_bridge import model
from ea_bridge.protocol import messages as m


def position(ticket: int, **changes: object) -> model.Position:
    fields: dict[str, object] = {"volume": 0.1, "price_open": 1.1, "symbol": "EURUSD", **changes}
    return model.Position(ticket=ticket, type=0, **fields)  # type: ignore[arg-type]  # by name


async def test_events_that_arrive_while_the_snapshot_is_asked_for(live: Stage, ear: Ear) -> None:
    """The snapshot is true at its seq: updates before it are in it, those after it follow."""
    terminal = live.terminal
    terminal.hold = True
    call = asyncio.ensure_future(live.subscribe(ear, "orders"))
    await until(lambda: terminal.held)
    terminal.say(terminal.order("add", 1), terminal.order("add", 2))
    await turns()
    terminal.hold = False
    after = [terminal.order("add", 3)]
    stale = terminal.orders.pop(3)
    terminal.release(*after)
    terminal.orders[3] = stale
    await call
    terminal.say(terminal.order("remove", 1))
    await turns()
    snapshot, *updates = ear.of("orders")
    assert [order["ticket"] for order in snapshot["data"]["orders"]] == [1, 2, 3]
    assert snapshot["seq"] == 3
    assert [(e["seq"], e["data"]["op"]) for e in updates] == [(4, "remove")]


async def test_snapshot_and_updates_make_the_terminals_list(live: Stage, ear: Ear) -> None:
    """Applying updates to the first snapshot gives what a later subscriber's snapshot says."""
    terminal = live.terminal
    await live.subscribe(ear, "orders")
    for op, ticket, volume in [("add", 1, 1.0), ("add", 2, 2.0), ("change", 1, 0.5)]:
        terminal.say(terminal.order(op, ticket, volume_current=volume))
    terminal.say(terminal.order("remove", 2))
    late = live.ear(by_header=False)
    await live.subscribe(late, "orders")
    await turns()
    mine = {o["ticket"]: o for o in ear.of("orders", "snapshot")[0]["data"]["orders"]}
    for event in ear.of("orders", "update"):
        order = event["data"]["order"]
        if event["data"]["op"] == "remove":
            del mine[order["ticket"]]
        else:
            mine[order["ticket"]] = order
    snapshot = late.of("orders")[0]
    assert snapshot["data"]["orders"] == list(mine.values())
    assert snapshot["seq"] == ear.of("orders")[-1]["seq"]
    assert terminal.asked.count("orders_get") == 1


async def test_one_trade_is_told_on_every_channel_that_it_concerns(live: Stage, ear: Ear) -> None:
    """An event with order, position and deal makes one update on each of the three."""
    await live.subscribe(ear, "orders", "positions", "deals")
    order = model.Order(ticket=5, type=0, symbol="EURUSD", state=4)
    deal = model.Deal(ticket=9, type=0, symbol="EURUSD", order=5)
    event = m.Trade(op="add", q=0, order=order, position=position(5), deal=deal)
    live.terminal.say(live.terminal.count(event))
    await turns()
    told = {e["channel"]: e["data"] for e in ear.events if e["type"] == "update"}
    assert {name: data["op"] for name, data in told.items()} == dict.fromkeys(
        ("orders", "positions", "deals"), "add"
    )
    assert told["deals"]["deal"]["order"] == 5
    assert told["orders"]["order"]["state"] == "filled"


async def test_floating_results_are_in_snapshots_but_not_on_positions(
    live: Stage, ear: Ear
) -> None:
    """``pnl`` carries them; ``positions`` stays silent, and its next snapshot has the newest."""
    live.terminal.positions[5] = position(5)
    await live.subscribe(ear, "positions", "pnl")
    live.terminal.say(m.Pnl(d=[(5, 1.2, -0.5, 100.0)]))
    await turns()
    assert ear.of("positions", "update") == []
    floating = {"ticket": 5, "price_current": 1.2, "swap": -0.5, "profit": 100.0}
    assert ear.of("pnl", "update")[0]["data"] == {"positions": [floating], "paper": False}
    late = live.ear(by_header=False)
    await live.subscribe(late, "positions", "pnl")
    (one,) = late.of("positions", "snapshot")[0]["data"]["positions"]
    assert {name: one[name] for name in floating} == floating
    assert late.of("pnl", "snapshot")[0]["data"] == {"positions": [floating], "paper": False}


async def test_a_changed_position_is_newer_than_its_last_floating_result(
    live: Stage, ear: Ear
) -> None:
    """After a change the snapshot has the change's own profit."""
    live.terminal.positions[5] = position(5)
    await live.subscribe(ear, "positions")
    live.terminal.say(m.Pnl(d=[(5, 1.2, -0.5, 100.0)]))
    changed = m.Trade(op="change", q=0, position=position(5, profit=7.0))
    live.terminal.say(live.terminal.count(changed))
    late = live.ear(by_header=False)
    await live.subscribe(late, "positions")
    assert late.events[0]["data"]["positions"][0]["profit"] == 7.0


async def test_the_account_comes_whole(live: Stage, ear: Ear) -> None:
    """Snapshot and update have the shape of get_account_info."""
    await live.subscribe(ear, "account")
    live.terminal.say(m.AccountEvent(d=model.Account(login=1, balance=5.0, margin_mode=2)))
    await turns()
    snapshot, update = ear.of("account")
    assert (snapshot["data"]["balance"], update["data"]["balance"]) == (10_000.0, 5.0)
    assert update["data"]["margin_mode"] == "hedging"
    assert update["data"].keys() == snapshot["data"].keys()


async def test_the_terminal_channel_tells_links_and_switches(live: Stage, ear: Ear) -> None:
    """Each change comes with the whole state."""
    await live.subscribe(ear, "terminal")
    live.terminal.say(m.Hb(broker=True, autotrading=True))
    live.terminal.say(m.StateEvent(autotrading=False))
    live.terminal.say(m.StateEvent(broker=False))
    live.streams.clock_changed("mt5-a")
    live.terminal.disconnect()
    live.terminal.connect()
    await turns()
    told = [(e["data"]["event"], e["data"]["state"]) for e in ear.of("terminal")]
    assert told == [
        ("snapshot", "ready"), ("broker", "ready"), ("autotrading", "ready"), ("broker", "ready"),
        ("clock", "ready"), ("link", "disconnected"), ("link", "ready"),
    ]  # fmt: skip
    assert ear.of("terminal")[3]["data"]["broker_connected"] is False
    assert [e["seq"] for e in ear.of("terminal", "update")] == list(range(2, 8))
