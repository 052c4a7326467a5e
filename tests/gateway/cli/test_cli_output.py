"""Texts of other people on the screen of who asks."""

from __future__ import annotations

from collections.abc import Callable

from shell import Done

from gateway.cli.output import visible
from gateway.cli.status import _table


def test_control_characters_are_spelled_out() -> None:
    """Nothing moves the cursor, writes another title or turns the line around."""
    assert visible("Zoë's Broker") == "Zoë's Broker"
    assert visible("a\x1b]0;PWN\x07\r\n\x9b31m\u202e") == r"a\x1b]0;PWN\x07\r\n\x9b31m\u202e"


def test_the_status_of_a_terminal_does_not_steer_the_screen() -> None:
    """A terminal names its server itself."""
    shown = _table({"account": "1001 on \x1b]0;PWN\x07", "subscribed": 0})
    assert shown.splitlines() == [
        r"account      1001 on \x1b]0;PWN\x07",
        "subscribed   0",
    ]


def test_what_a_complaint_quotes_does_not_steer_the_screen(run: Callable[..., Done]) -> None:
    """It may quote a console, a broker or a file; its own lines stay lines."""
    done = run("audit", "verify", "--home", "/nowhere/\x1b]0;PWN\x07")
    assert r"\x1b]0;PWN\x07" in done.complaint
