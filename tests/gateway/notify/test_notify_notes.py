"""Rows of the trail, events of the streams and states of links, as notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import TerminalFacts
from ea_bridge.session import SessionState
from gateway.notify.notes import MAX_ORDERS, MAX_TEXT, MarginWatch, Note, TrailNotes, fill
from gateway.notify.service import LinkWatch

EVIL = "x\r\nSubject: y\x1b[2J\u202e" + "z" * 500


def order(state: str, **more: Any) -> dict[str, Any]:
    row = {"event": "order", "ts": 7, "terminal": "A", "object": "bot-1", "state": state}
    return row | more


def of_rows(*rows: Mapping[str, Any]) -> list[Note]:
    trail = TrailNotes("home")
    notes = [trail.of_row(n, row) for n, row in enumerate(rows, 1)]
    return [note for note in notes if note is not None]


def test_a_rejected_order_is_told_with_what_it_was() -> None:
    """By the row that the broker's answer made; what was asked for stands in an earlier one."""
    asked = order("journaled", symbol="EURUSD", volume=0.5)
    [note] = of_rows(asked, order("rejected", sends=[{"retcode": 10019}]))
    assert (note.id, note.event, note.time) == ("home-2", "order_rejected", 7)
    assert note.text == "Order of 0.5 EURUSD (bot-1) at A: the broker refused it (retcode 10019)."
    assert note.data["retcode"] == 10019


def test_an_unknown_order_is_told_again_when_it_is_known() -> None:
    """Found out by the gateway, or settled by a person; a plain success is no news."""
    asked = order("journaled", symbol="EURUSD", volume=0.5, paper=True)
    unknown, known = of_rows(asked, order("unknown"), order("done", reconciled=True))
    assert unknown.event == known.event == "order_unknown"
    assert "nobody can tell yet" in unknown.text
    assert known.text == "Paper order of 0.5 EURUSD (bot-1) at A: it is done."
    assert of_rows(asked, order("done", sends=[{}])) == []


def test_the_same_row_has_the_same_id() -> None:
    """A receiver drops the second one after a restart; another gateway's is another."""
    first, again = of_rows(order("unknown"))[0], of_rows(order("unknown"))[0]
    assert first.id == again.id
    other = TrailNotes("other").of_row(1, order("unknown"))
    assert other is not None
    assert other.id != first.id


def test_limits_and_halts_are_told() -> None:
    """With figures that a program reads."""
    limit = {"event": "call_refused", "reason": "risk_limit", "ts": 1, "terminal": "A"}
    halt = {"event": "kill_switch", "reason": "halt", "ts": 1, "terminal": "all", "actor": "cli"}
    hit, halted, swept = of_rows(
        limit | {"rule": "max_lot", "limit": 1.0, "value": 2.0},
        halt | {"said": "news at two"},
        halt | {"reason": "timer", "terminal": "A", "actor": "daemon", "closed": [1, 2]},
    )
    assert hit.text == "An order at A was not sent. max_lot: limit 1.0, value 2.0"
    assert (halted.title, halted.text) == ("Trading halted", "all, by cli: news at two")
    assert swept.text.endswith("0 orders cancelled, 2 positions closed, 0 failed")
    assert swept.data["closed"] == 2


def test_rows_of_other_kinds_are_no_notes() -> None:
    """Nor damaged ones."""
    refused = {"event": "call_refused", "reason": "forbidden", "ts": 1}
    assert of_rows({}, {"event": "daemon_started", "ts": 1}, refused, order("sent")) == []


@pytest.mark.parametrize("name", ["object", "terminal", "symbol"])
def test_texts_of_others_stay_in_one_line(name: str) -> None:
    """They end no header, move no cursor, and fill no message."""
    rows = [order("journaled", symbol="EURUSD", volume=1) | {name: EVIL}]
    rows.append(order("rejected") | {name: EVIL})
    for note in of_rows(*rows):
        assert note.text.isprintable()
        assert len(note.text) < MAX_TEXT + 200
        assert note.title.isprintable()


def test_orders_under_way_are_bounded() -> None:
    """A bot whose orders never end fills no memory."""
    trail = TrailNotes("home")
    for n in range(MAX_ORDERS + 5):
        trail.of_row(n, order("journaled", object=f"bot-{n}", symbol="EURUSD", volume=1))
    assert len(trail._orders) == MAX_ORDERS
    note = trail.of_row(0, order("rejected", object="bot-0"))
    assert note is not None
    assert note.text.startswith("Order (bot-0)")


DEAL = {
    "ticket": 5,
    "order": 4,
    "position_id": 3,
    "type": "buy",
    "entry": "in",
    "volume": 0.1,
    "price": 1.2,
    "profit": 0.0,
    "symbol": "EURUSD",
    "paper": False,
}


def test_fills_of_both_platforms() -> None:
    """Deals, and where there are none the positions that come and go; a deposit is no fill."""
    opened = fill("i", "A", {"op": "add", "deal": DEAL}, 1)
    closed = fill("i", "A", {"op": "add", "deal": DEAL | {"entry": "out", "profit": -2.5}}, 1)
    assert opened is not None
    assert closed is not None
    assert opened.text == "A: opened: buy 0.1 EURUSD at 1.2"
    assert closed.text == "A: closed: buy 0.1 EURUSD at 1.2, profit -2.50"
    assert fill("i", "A", {"op": "add", "deal": DEAL | {"symbol": None}}, 1) is None
    position = {"ticket": 5, "identifier": 5, "type": "sell", "volume": 1.0, "symbol": "EURUSD"}
    position |= {"price_open": 1.2, "price_current": 1.1, "profit": 9.0, "paper": True}
    removed = fill("i", "A", {"op": "remove", "position": position}, 1)
    assert removed is not None
    # the last that was seen of it is not how it was closed
    assert removed.text == "A: closed on paper: sell 1 EURUSD"
    assert (removed.data["price"], removed.data["profit"]) == (None, None)
    assert fill("i", "A", {"op": "change", "position": position}, 1) is None


def account(level: float | None, mode: str = "percent", free: float = 0.0) -> dict[str, Any]:
    return {
        "margin_so_mode": mode,
        "margin_level": level,
        "margin_free": free,
        "margin_so_call": 100.0,
        "margin_so_so": 50.0,
    }


def test_a_margin_call_is_told_once() -> None:
    """And again after the level was well above it; a level that trembles is one call."""
    watch = MarginWatch()
    levels = [None, 300.0, 100.0, 101.0, 99.0, 104.9, 90.0, 106.0, 80.0]
    told = [watch.look("i", "A", account(level), 1) is not None for level in levels]
    assert [level for level, is_told in zip(levels, told, strict=True) if is_told] == [100.0, 80.0]


def test_a_margin_call_in_money_looks_at_free_margin() -> None:
    """Where the broker's levels are sums."""
    watch = MarginWatch()
    assert watch.look("i", "A", account(90.0, "money", 500.0), 1) is None
    note = watch.look("i", "A", account(90.0, "money", 99.0), 1)
    assert note is not None
    assert "99.00 of free margin" in note.text


def facts(state: SessionState, *, broker: bool | None = True) -> list[TerminalFacts]:
    hello = Hello(
        proto="1-1", tid="A1b2C3d4E5f6", cnonce="n", boot="b", platform="mt5", login=1, server="s"
    )
    one = TerminalFacts(
        terminal="A", state=state, since_ms=0, hello=hello, last_q=0, broker=broker
    )
    return [one]


def test_a_link_is_lost_after_a_while() -> None:
    """Told once, and once when it is back; a short gap is none, and a stale link is a link."""
    watch = LinkWatch(60.0)
    ready, gone = facts(SessionState.READY), facts(SessionState.DISCONNECTED)

    def look(now: list[TerminalFacts], at_s: float) -> list[str]:
        return [note.title for note in watch.look(now, at_s, 1)]

    assert look(gone, 0) == look(gone, 59) == look(ready, 60) == []
    assert look(facts(SessionState.STALE), 61) == look(gone, 100) == look(gone, 159) == []
    assert look(gone, 160) == ["Link lost"]
    assert look(gone, 900) == []
    assert look(ready, 901) == ["Link is back"]
    assert look(ready, 902) == []


def test_a_lost_broker_is_another_link() -> None:
    """The terminal is here, and its broker is not; of a lost terminal that is not told as well."""
    watch = LinkWatch(60.0)
    alone = facts(SessionState.READY, broker=False)
    assert watch.look(alone, 0, 1) == []
    [note] = watch.look(alone, 60, 1)
    assert note.data == {"link": "broker", "lost": True}
    assert "its broker" in note.text
