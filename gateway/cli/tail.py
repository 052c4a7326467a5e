"""``tail``: events as they come, in live tables or as lines."""

from __future__ import annotations

import asyncio
import json  # not orjson: it writes numbers in another form, 1e-05 as 0.00001
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.event_rows import line
from gateway.cli.output import CliError
from gateway.cli.target import AuthToken, Home, Target, Url, find_target, run_async

if TYPE_CHECKING:
    from rich.live import Live

    from gateway.cli.board import Board
    from gateway.client import Event
    from gateway.errors import GatewayError
    from gateway.schemas import NotSubscribed

FRAMES_PER_S = 10


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
    """Show events as they come: live tables, or lines where the output is no screen."""
    target = find_target(url, auth_token, home)
    live = not as_json and sys.stdout.isatty()
    from gateway.errors import GatewayError

    try:
        run_async(
            _show_tables(target, channels, count)
            if live
            else _lines(target, channels, count, as_json)
        )
    except KeyboardInterrupt:
        raise typer.Exit from None
    except BrokenPipeError:  # the reader of our output has gone
        # else the interpreter complains at its end that it cannot flush stdout
        sys.stderr.close()
        raise typer.Exit from None
    except GatewayError as error:
        raise CliError(_explained(error)) from error


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
        told = json.dumps(asdict(event), ensure_ascii=False) if as_json else line(event)
        # flushed: the reader of a pipe sees each event when it happens
        sys.stdout.write(told + "\n")
        sys.stdout.flush()


async def _show_tables(target: Target, channels: list[str], count: int | None) -> None:
    from rich.live import Live

    from gateway.cli.board import Board

    board = Board()
    with Live(board, auto_refresh=False) as live:
        drawing = asyncio.create_task(_draw(live, board))
        try:
            async for event in _events(target, channels, count):
                board.add(event)
        finally:
            drawing.cancel()


async def _draw(live: Live, board: Board) -> None:
    """Draw what is new; rich's own thread would look at rows that change meanwhile."""
    drawn = None
    while True:
        if board.events != drawn:
            drawn = board.events
            live.refresh()
        await asyncio.sleep(1 / FRAMES_PER_S)


def _explained(error: GatewayError) -> str:
    """Return each channel that failed, and why; or what the error says itself."""
    return "; ".join(map(_failure, error.data.get("failed") or [])) or error.message


def _failure(failed: NotSubscribed) -> str:
    meant = " or ".join(failed["did_you_mean"])
    hint = f" (did you mean {meant}?)" if meant else ""
    return f"{failed['channel']}: {failed['message'].rstrip('.')}{hint}"
