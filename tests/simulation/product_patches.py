"""Patches of the product, for what it has no parameter yet: all of them here."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from aiohttp import web_response

from ea_bridge import host
from ea_bridge.emulator import link as conversation
from ea_bridge.emulator import link as emulated_link
from ea_bridge.endpoint import link
from gateway.mt4_manager import changes
from gateway.storage import reserve
from gateway.storage.ledger import Ledger
from gateway.streams.outbox import Outbox
from gateway.trading.reconcile import patience

GONE_S = 30.0
"""Instead of minutes, which no life here lasts; but longer than any command is on its way: the
network is parted for 20 s at the most, and a terminal may begin with what has come for 10 s."""
CHANGE_S = 0.5
"""The same of an answer to a booking, which would be waited for as long as a run lasts."""
SETTLE_S = 1.5
"""The same of a booking. The emulated server shows one within half a second."""


def shorten_waits() -> None:
    """Let terminals come back at once, and say little."""
    patience.GONE_S = GONE_S
    changes.CHANGE_S, changes.SETTLE_S = CHANGE_S, SETTLE_S
    link.FIRST_RETRY_S, link.LAST_RETRY_S = 0.02, 0.1
    conversation.PULSE_S = emulated_link.PULSE_S = 0.25  # prices and leases are in no hurry
    reserve.LOOK_S = 0.3  # a disk here is full for a second at most


def date_answers() -> None:
    """Let the ``Date`` of every HTTP answer be that of the simulated clock."""
    formatted = lru_cache(maxsize=4)(formatdate)
    web_response.rfc822_formatted_time = lambda: formatted(int(host.wall_s()), usegmt=True)


def around_commits(
    before: Callable[[list[Any]], None], after: Callable[[list[Any]], None]
) -> None:
    """Call ``before`` and ``after`` around each commit of a group of writes, in its context;
    ``after`` with those of them that are on the disk."""
    commit = Ledger._commit

    def between(self: Ledger, group: list[Any]) -> None:
        before(group)
        commit(self, group)
        after([write for write in group if write.error is None])

    Ledger._commit = between  # type: ignore[method-assign]  # the points


def after_puts(told: Callable[[Outbox, float], None]) -> None:
    """Tell of each outbox that has just taken something and said that it may wait on, and when."""

    def telling(put: Callable[..., bool]) -> Callable[..., bool]:
        def putting(self: Outbox, *what: Any) -> bool:
            may_wait = put(self, *what)
            if may_wait:
                told(self, what[-1])
            return may_wait

        return putting

    Outbox.put_answer = telling(Outbox.put_answer)  # type: ignore[method-assign]  # its word
    Outbox.put_events = telling(Outbox.put_events)  # type: ignore[method-assign]  # its word
