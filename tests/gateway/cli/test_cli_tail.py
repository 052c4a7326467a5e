"""The tables and the lines of ``tail``."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from gateway.cli.board import KEPT, MARGIN, Board
from gateway.cli.event_rows import KINDS, MAX_VALUE, line
from gateway.client import Event

ORDER = {
    "ticket": 7001,
    "type": "buy_limit",
    "state": "placed",
    "volume_initial": 0.1,
    "volume_current": 0.1,
    "price_open": 1.0912,
    "sl": None,
    "tp": 1.1,
    "price_current": 1.0921,
    "symbol": "EURUSD",
    "comment": "bot",
    "time_setup": 1_764_000_000_000,
}


def event(channel: str, seq: int, data: Any, *, merged: int = 0, kind: Any = "update") -> Event:
    """An event, at one moment for all."""
    return Event(channel, "demo", "boot.1", seq, kind, 1_764_000_000_123, data, merged)


def tick(symbol: str, bid: float, **more: Any) -> Event:
    return event(f"tick:{symbol}", 1, {"symbol": symbol, "bid": bid, "ask": bid + 0.0002, **more})


def drawn(board: Board, width: int = 160, height: int = 60, *, colours: bool = False) -> str:
    """The screen."""
    screen = io.StringIO()
    system: Any = "standard" if colours else None
    console = Console(
        file=screen, width=width, height=height, force_terminal=colours, color_system=system
    )
    console.print(board)
    return screen.getvalue().rstrip()


def test_an_order_is_told_by_what_counts() -> None:
    """Symbol, side, volume, price and state, under heads of their own; what is null is empty."""
    board = Board()
    board.add(event("orders", 1, {"op": "add", "order": ORDER}))
    title, heads, _, row = drawn(board).splitlines()
    assert title.strip() == "orders  1 event"
    assert heads.split() == [
        *("time", "op", "ticket", "symbol", "side", "volume", "price", "state", "sl", "tp"),
        "comment",
    ]
    assert row.split()[1:] == [
        *("add", "7001", "EURUSD", "buy_limit", "0.1", "1.0912", "placed", "1.1", "bot")
    ]


def test_each_kind_has_a_table_with_its_history() -> None:
    """Row below row, as they came; events that were merged are counted."""
    board = Board()
    board.add(tick("EURUSD", 1.0921))
    board.add(event("orders", 1, {"orders": [ORDER, ORDER | {"ticket": 7002}]}, kind="snapshot"))
    board.add(tick("GBPUSD", 1.2921))
    board.add(event("tick.100ms:EURUSD", 2, {"symbol": "EURUSD", "bid": 1.1}, merged=3))
    text = drawn(board)
    assert text.index("ticks  3 events, 3 merged") < text.index("orders  1 event")
    ticks, orders = ([row.split() for row in one.splitlines()[3:]] for one in text.split("\n\n"))
    assert [row[1:4] for row in ticks] == [
        ["EURUSD", "1.0921", "1.0923"],
        ["GBPUSD", "1.2921", "1.2923"],
        ["EURUSD", "1.1"],
    ]
    assert [row[1:3] for row in orders] == [["there", "7001"], ["there", "7002"]]


def test_the_newest_rows_are_drawn_and_no_more_than_a_screen() -> None:
    """A table that needs less leaves its room to the others."""
    board = Board()
    for number in range(KEPT + 50):
        board.add(tick("EURUSD", 1 + number / 1000))
    board.add(event("orders", 1, {"op": "add", "order": ORDER}))
    lines = drawn(board, height=30).splitlines()
    assert 25 <= len(lines) < 30
    assert "1.249" in lines[lines.index("") - 1]
    assert any("7001" in one for one in lines)


def test_a_low_screen_shows_what_moved_last() -> None:
    """And says what it has no room for."""
    board = Board()
    board.add(event("deals", 1, {"op": "add", "deal": {"ticket": 1}}))
    board.add(tick("EURUSD", 1.1))
    board.add(event("orders", 1, {"op": "add", "order": ORDER}))
    text = drawn(board, height=12)
    assert "no room for: deals" in text
    assert len(text.splitlines()) < 12


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_narrow_screen_leaves_out_what_counts_least(width: int) -> None:
    """No cell is cut, and a margin stays free: what the screen echoes of Ctrl+C there would begin
    a line, and a second head stand above the tables."""
    board = Board()
    board.add(event("orders", 1, {"op": "add", "order": ORDER | {"comment": "x" * 31}}))
    lines = drawn(board, width).splitlines()
    assert max(map(len, lines)) <= width - MARGIN
    assert "…" not in lines[-1]
    assert "7001" in lines[-1]
    assert ("placed" in lines[-1]) == (width >= 80)


def test_colours_tell_up_and_down_and_sides() -> None:
    """Green and red, on a screen that has them."""
    board = Board()
    for bid in (1.1, 1.2, 1.15):
        board.add(tick("EURUSD", bid))
    board.add(event("positions", 1, {"op": "add", "position": {"type": "sell", "profit": -3.0}}))
    text = drawn(board, colours=True)
    assert re.search(r"\x1b\[32m *1\.2\x1b", text)
    assert re.search(r"\x1b\[31m *1\.15\x1b", text)
    assert "\x1b[31msell" in text
    assert re.search(r"\x1b\[31m *-3\.00\x1b", text)


def test_what_has_no_table_is_a_note() -> None:
    """A gap, a channel of a newer gateway: nothing is left out."""
    board = Board()
    board.add(event("orders", 3, {"from": 1, "to": 2}, kind="gap"))
    board.add(event("weather:EURUSD", 1, {"rain": True}))
    text = drawn(board)
    assert "notes  2 events" in text
    assert "orders           gap      from=1 to=2" in text
    assert "rain=True" in text


def test_an_outcome_that_was_found_out_is_a_row() -> None:
    """By the name that the bot gave the order."""
    found = {"op": "settled", "client_order_id": "my-1", "outcome": "done", "result": None}
    board = Board()
    board.add(event("orders", 1, found))
    assert drawn(board).splitlines()[-1].split()[1:] == ["settled", "done", "my-1"]


def test_symbols_are_no_markup() -> None:
    """A broker may call a symbol what it likes."""
    board = Board()
    board.add(tick("[red]X[/red]", 1.1))
    assert "[red]X[/red]" in drawn(board)


@pytest.mark.parametrize("channel", KINDS)
def test_what_others_wrote_moves_no_cursor(channel: str) -> None:
    """Control characters of a comment, a symbol or a reason are spelled out."""
    evil = "\x1b[2J\r\x9b31m\u202e Zoë"
    noun = channel.removesuffix("s")
    data = {"op": evil, noun: {"symbol": evil, "comment": evil}, "symbol": evil, "levels": []}
    data |= {"positions": [], "server": evil} if channel == "pnl" else {"server": evil}
    one = event(f"{channel}:{evil}", 7, data)
    board = Board()
    board.add(one)
    assert line(one).isprintable()
    assert all(row.isprintable() for row in drawn(board).splitlines())
    if channel in ("orders", "tick"):
        assert r"\x1b[2J\r\x9b31m\u202e Zoë" in line(one)


def test_a_line_tells_the_same() -> None:
    """With names, for who reads it in a file; what is null says nothing."""
    told = line(event("orders", 7, {"op": "add", "order": ORDER}))
    head, _, rest = told.partition(" update ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.123 [+-]\d{4} orders 7", head)
    assert rest == (
        "op=add ticket=7001 symbol=EURUSD side=buy_limit volume=0.1 price=1.0912 state=placed "
        "tp=1.1 comment=bot"
    )
    assert line(event("orders", 0, {"orders": []}, kind="snapshot")).endswith(" snapshot none")
    note = line(event("weather", 1, {"text": "x" * 200}))
    assert len(note.partition("told=")[2]) == MAX_VALUE


def test_a_small_number_has_no_exponent() -> None:
    """A spread of half a point is no 5e-05."""
    spread = {"symbol": "EURUSD", "bid": 1.1, "ask": 1.10005}
    assert "spread=0.00005" in line(event("tick:EURUSD", 1, spread))
