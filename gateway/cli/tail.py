"""``tail``: events as they come, in a live table or as lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.complaint import Complaint
from gateway.cli.target import AuthToken, Home, Target, Url, find_target, talk
from gateway.cli.visible import visible

if TYPE_CHECKING:
    from rich.table import Table

    from gateway.client import Event
    from gateway.errors import GatewayError
    from gateway.shapes import NotSubscribed

FRAMES_PER_S = 10
TELLING = frozenset({"bid", "ask", "open", "high", "low", "close", "balance", "equity", "profit"})
MAX_VALUE = 120
"""Characters of an event in the table and in a line."""


def tail(
    channels: Annotated[
        list[str], typer.Argument(help="tick:EURUSD, bar.M1:EURUSD, orders, account ...")
    ],
    *,
    url: Url = None,
    auth_token: AuthToken = None,
    home: Home = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON an event.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="Stop after so many events.")
    ] = None,
) -> None:
    """Show events as they come: a live table, or lines where the output is no screen."""
    target = find_target(url, auth_token, home)
    live = not as_json and sys.stdout.isatty()
    from gateway.errors import GatewayError

    try:
        talk(
            _show_table(target, channels, count)
            if live
            else _lines(target, channels, count, as_json)
        )
    except KeyboardInterrupt:
        raise typer.Exit from None
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        raise typer.Exit from None
    except GatewayError as error:
        raise Complaint(_explained(error)) from error


async def _events(target: Target, channels: list[str], count: int | None) -> AsyncIterator[Event]:
    from gateway.client import GatewayClient

    left = count
    async with (
        GatewayClient(target.url, target.token) as client,
        client.subscribe(*channels) as events,
    ):
        async for event in events:
            yield event
            if left is not None:
                left -= 1
                if not left:
                    return


async def _lines(target: Target, channels: list[str], count: int | None, as_json: bool) -> None:
    async for event in _events(target, channels, count):
        line = json.dumps(asdict(event), ensure_ascii=False) if as_json else _line(event)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


async def _show_table(target: Target, channels: list[str], count: int | None) -> None:
    from rich.live import Live

    board = Board()
    with Live(board.table(), refresh_per_second=FRAMES_PER_S, transient=False) as live:
        drawn = 0.0
        async for event in _events(target, channels, count):
            board.add(event)
            now = time.monotonic()
            if now - drawn >= 1 / FRAMES_PER_S:
                live.update(board.table())
                drawn = now
        live.update(board.table())


class Board:
    """The last event of each channel, and how many there were."""

    def __init__(self) -> None:
        self._last: dict[str, Event] = {}
        self._counts: dict[str, int] = {}
        self._merged: dict[str, int] = {}

    def add(self, event: Event) -> None:
        """Take an event."""
        name = event.channel
        self._last[name] = event
        self._counts[name] = self._counts.get(name, 0) + 1
        self._merged[name] = self._merged.get(name, 0) + event.merged

    def table(self) -> Table:
        """Return it as it stands."""
        from rich.table import Column, Table
        from rich.text import Text

        heads = ("channel", "time", "type", "seq", "events", "merged")
        table = Table(*(Column(head, no_wrap=True) for head in heads), expand=True)
        table.add_column("data", ratio=1, no_wrap=True, overflow="ellipsis")
        for name, event in self._last.items():
            table.add_row(
                Text(name),
                _clock(event.ts),
                event.type,
                str(event.seq),
                str(self._counts[name]),
                str(self._merged[name]),
                Text(_brief(event.data)),
            )
        return table


def _line(event: Event) -> str:
    return f"{_clock(event.ts)} {event.channel} {event.seq} {event.type} {_brief(event.data)}"


def _clock(ms: int) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(ms / 1000))}.{ms % 1000:03d}"


def _brief(data: Any) -> str:
    """Return what tells one event from the next: prices before names, nothing that is null."""
    if isinstance(data, dict):
        keys = sorted(data, key=lambda key: key not in TELLING)
        text = " ".join(f"{key}={_brief(data[key])}" for key in keys if data[key] is not None)
    elif isinstance(data, list):
        text = f"[{len(data)}]"
    else:
        text = visible(str(data))
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _explained(error: GatewayError) -> str:
    """Return each channel that failed, and why; or what the error says itself."""
    return "; ".join(map(_failure, error.data.get("failed") or [])) or error.message


def _failure(failed: NotSubscribed) -> str:
    meant = " or ".join(failed["did_you_mean"])
    hint = f" (did you mean {meant}?)" if meant else ""
    return f"{failed['channel']}: {failed['message'].rstrip('.')}{hint}"
