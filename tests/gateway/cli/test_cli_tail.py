"""The table and the lines of ``tail``."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from gateway.cli.tail import MAX_VALUE, Board, _line
from gateway.client import Event


def event(channel: str, seq: int, data: Any, *, merged: int = 0) -> Event:
    """An update, at one moment for all."""
    return Event(channel, "demo", "boot.1", seq, "update", 1_764_000_000_123, data, merged)


def drawn(board: Board) -> list[str]:
    """The rows of the table on a wide screen."""
    console = Console(file=io.StringIO(), width=160)
    console.print(board.table())
    assert isinstance(console.file, io.StringIO)
    return [line for line in console.file.getvalue().splitlines() if line.startswith("│")]


def test_a_row_a_channel() -> None:
    """The last event, how many there were, and how many were merged."""
    board = Board()
    board.add(event("tick:EURUSD", 1, {"bid": 1.1}))
    board.add(event("orders", 1, {"op": "add"}))
    board.add(event("tick:EURUSD", 5, {"bid": 1.2}, merged=3))
    tick, orders = ([cell.strip() for cell in row.strip("│").split("│")] for row in drawn(board))
    assert [tick[0], *tick[2:]] == ["tick:EURUSD", "update", "5", "2", "3", "bid=1.2"]
    assert [orders[0], *orders[2:]] == ["orders", "update", "1", "1", "0", "op=add"]


def test_symbols_are_no_markup() -> None:
    """A broker may call a symbol what it likes."""
    board = Board()
    board.add(event("tick:[red]X[/red]", 1, {"symbol": "[bold]"}))
    (row,) = drawn(board)
    assert "tick:[red]X[/red]" in row
    assert "symbol=[bold]" in row


def test_what_others_wrote_moves_no_cursor() -> None:
    """Control characters of a comment or a reason are spelled out; other scripts stay."""
    line = _line(event("orders", 7, {"comment": "\x1b[2J\r\x9b31m\u202e Zoë"}))
    assert line.isprintable()
    assert line.endswith(r"comment=\x1b[2J\r\x9b31m\u202e Zoë")


def test_a_line_tells_prices_first() -> None:
    """What is null says nothing, and what is long is cut."""
    data = {"symbol": "EURUSD", "last": None, "bid": 1.1, "ask": 1.2, "comment": "x" * 200}
    line = _line(event("tick:EURUSD", 7, data))
    head, _, told = line.partition(" update ")
    assert head.endswith(".123 tick:EURUSD 7")
    assert told.startswith("bid=1.1 ask=1.2 symbol=EURUSD comment=xxx")
    assert "last" not in told
    assert len(told) == MAX_VALUE
