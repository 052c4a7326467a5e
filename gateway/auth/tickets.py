"""One-time tickets, by which a web page opens ``/ws``: a browser sets no header there.

A ticket stands for the caller to whom it was given, and opens one connection within a few
seconds, from the page's own origin. It travels as a subprotocol, never in a URL, where logs and
histories would keep it. The gateway remembers only its SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import NamedTuple

from ea_bridge import host
from gateway.auth.caller import Caller
from gateway.errors import LimitExceeded, Overloaded, Unauthorized

LIFETIME_S = 5.0
TICKET_BYTES = 16
SUBPROTOCOL = "mtg.ticket."
"""Goes before the ticket in ``Sec-WebSocket-Protocol``."""
MAX_OF_A_TOKEN = 16
"""Tickets of one token that wait to be used."""
MAX_IN_ALL = 256
"""Tickets that are remembered, those that came to nothing included."""

_FORM = re.compile(r"[A-Za-z0-9_-]{22}")


class PendingTicket(NamedTuple):
    """A ticket that was given out and not used."""

    caller: Caller
    origin: str | None
    """Of the page that asked; ``None`` for a program."""
    until_s: float


class Tickets:
    """Gives tickets out, and takes each once.

    Args:
        recheck: the gate's look at whether a caller still has its rights.
        monotonic_s: seconds that only grow.

    """

    def __init__(
        self,
        recheck: Callable[[Caller], None],
        monotonic_s: Callable[[], float] = host.monotonic_s,
    ) -> None:
        self._recheck = recheck
        self._monotonic_s = monotonic_s
        self._pending: dict[bytes, PendingTicket] = {}
        """By digest, the oldest first."""

    def __len__(self) -> int:
        return len(self._pending)

    def issue(self, caller: Caller, origin: str | None) -> str:
        """Return a new ticket.

        Raises:
            LimitExceeded: too many tickets of the token have not been used.
            Overloaded: too many of all tokens together.

        """
        now = self._monotonic_s()
        usable = [one for one in self._pending.values() if one.until_s > now]
        own = [one for one in usable if one.caller.tid == caller.tid]
        if len(own) >= MAX_OF_A_TOKEN:
            raise LimitExceeded(
                "Too many tickets wait to be used: ask for one right before you connect",
                limit=MAX_OF_A_TOKEN,
                retry_after_ms=_wait_ms(own[0], now),
            )
        if len(usable) >= MAX_IN_ALL:
            raise Overloaded(
                "Too many tickets of all tokens wait to be used",
                retry_after_ms=_wait_ms(usable[0], now),
            )
        if len(self._pending) >= MAX_IN_ALL:
            del self._pending[next(iter(self._pending))]  # the oldest, and not all are usable
        ticket = host.token_urlsafe(TICKET_BYTES)
        self._pending[_digest(ticket)] = PendingTicket(caller, origin, now + LIFETIME_S)
        return ticket

    def take(self, ticket: str, origin: str | None) -> Caller:
        """Return whom the ticket was given to; whatever comes of it, it is used up.

        Args:
            origin: of the page that connects.

        Raises:
            Unauthorized: ``data.reason`` is ``malformed``, ``unknown`` (also when it was used, or
                given to another origin), ``expired``, or what the gate says of its token now.

        """
        if not _FORM.fullmatch(ticket):
            raise Unauthorized("This is no ticket of get_ws_ticket", reason="malformed")
        pending = self._pending.pop(_digest(ticket), None)
        if pending is None or pending.origin != origin:
            raise Unauthorized(
                "No such ticket: each opens one connection, from the origin that asked for it",
                reason="unknown",
            )
        if self._monotonic_s() >= pending.until_s:
            raise Unauthorized(
                "The ticket has expired: call get_ws_ticket right before you connect",
                reason="expired",
            )
        self._recheck(pending.caller)
        return pending.caller

    def withdraw(self, caller: Caller) -> None:
        """Forget what was given to a caller: this very object, not another one of its token."""
        self._pending = {
            key: pending for key, pending in self._pending.items() if pending.caller is not caller
        }


def _digest(ticket: str) -> bytes:
    """Return what a ticket is found by: comparing digests tells nothing of another ticket."""
    return hashlib.sha256(ticket.encode()).digest()


def _wait_ms(oldest: PendingTicket, now: float) -> int:
    return max(1, round((oldest.until_s - now) * 1000))
