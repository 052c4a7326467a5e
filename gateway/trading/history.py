"""History of an account, fetched in as many answers as it takes.

An account that has traded for long has more of a past than one answer may hold. A span that is
too large is asked for in halves, and so on down to one second; the newest part comes last, so that
what ends meanwhile is in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

from ea_bridge.commands import Command, HistoryParams
from gateway.errors import RangeTooLarge

from .terminal import GuardedTerminal

R = TypeVar("R")


async def fetch_history(
    terminal: GuardedTerminal,
    command: Command[HistoryParams, list[R]],
    from_s: int,
    to_s: int,
) -> AsyncIterator[list[R]]:
    """Yield what a terminal shows of a span of time, piece by piece, oldest piece first.

    Args:
        command: for past orders, or deals.
        from_s: seconds of the broker's clock, included.
        to_s: the same.

    Raises:
        RangeTooLarge: there is too much in one second.
        GatewayError: the terminal did not say.

    """
    spans = [(from_s, to_s)]
    while spans:
        first, last = spans.pop()
        try:
            found = await terminal.request(command, HistoryParams(from_s=first, to_s=last))
        except RangeTooLarge:
            if first >= last:
                raise
            middle = (first + last) // 2
            spans += [(middle + 1, last), (first, middle)]
        else:
            yield found
