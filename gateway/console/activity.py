"""Log of acts: logins, tokens, devices. It holds no secret, no code, no password.

An address is told in words. Nobody is asked: no lookup leaves this machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from .database import Database
from .database.model import Activity as Row


def place_of(address: str) -> str:
    """Return ``this computer``, ``a private network (192.168.1.7)`` or ``address 203.0.113.7``.

    What an address alone does not say is not guessed: a city from a table would be wrong for
    just those whom it should warn.
    """
    try:
        # a link-local address names its interface behind a %, which is no part of the address
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "an unknown place"
    # a socket for both families tells IPv4 visitors as ::ffff:192.0.2.1
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return "this computer"
    if _is_private(ip):
        return f"a private network ({ip})"
    return f"address {ip}"


_PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",  # carriers' and overlay networks
        "fc00::/7",
        "fe80::/10",
    )
)


def _is_private(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(ip in net for net in _PRIVATE)


BY_ADMINISTRATOR: Final = "administrator"
"""Detail of what an administrator did to somebody else's account."""
Outcome = Literal["ok", "refused", "failed"]
MAX_PAGE = 200
KEEP_S = 400 * 86_400
"""Older entries are forgotten."""
KEEP_STRANGERS_S = 30 * 86_400
"""So are these, that anybody can make: what was refused to nobody we know."""


@dataclass(frozen=True)
class ActivityEntry:
    """One line of the log."""

    id: int
    at: int
    event: str
    outcome: str
    tid: str | None
    did: str | None
    ip: str
    agent: str
    detail: str


class ActivityLog:
    """Log of acts, written within the transaction of each act.

    Args:
        db: keeps it.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s

    def note(
        self,
        session: AsyncSession,
        event: str,
        *,
        user_id: str | None,
        outcome: Outcome = "ok",
        tid: str | None = None,
        did: str | None = None,
        ip: str = "",
        agent: str = "",
        detail: str = "",
    ) -> None:
        """Write a line within the caller's transaction: it is there if the act is."""
        session.add(
            Row(
                at=self._now_s(),
                user_id=user_id,
                event=event,
                outcome=outcome,
                tid=tid,
                did=did,
                # cut, never refused: a long header must not keep the act itself from being noted
                ip=ip[:64],
                agent=printable(agent)[:256],
                detail=printable(detail)[:500],
            )
        )

    async def list(
        self, user_id: str, *, limit: int = 50, before: int | None = None, event: str | None = None
    ) -> Sequence[ActivityEntry]:
        """Return a user's newest lines.

        Args:
            user_id: whose.
            limit: at most :data:`MAX_PAGE`.
            before: the ``id`` of the last line of the page before.
            event: only this event, or those that begin with it and a dot.

        """
        wanted = select(Row).where(Row.user_id == user_id).order_by(Row.id.desc())
        if before is not None:
            # by id, not by offset: lines that come in meanwhile shift no page
            wanted = wanted.where(Row.id < before)
        if event is not None:
            wanted = wanted.where(
                # escaped, as the word comes from the address line and may hold % or _
                (Row.event == event) | Row.event.startswith(event + ".", autoescape=True)
            )
        async with self._db.session() as session:
            rows = await session.scalars(wanted.limit(max(1, min(limit, MAX_PAGE))))
            return [
                ActivityEntry(
                    r.id, r.at, r.event, r.outcome, r.tid, r.did, r.ip, r.agent, r.detail
                )
                for r in rows
            ]

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget what is older than :data:`KEEP_S` or :data:`KEEP_STRANGERS_S`."""
        now_s = self._now_s()
        # strangers make these as fast as they like: they must not fill the table for a year
        of_strangers = Row.user_id.is_(None) & (Row.outcome == "refused")
        is_over = of_strangers & (Row.at < now_s - KEEP_STRANGERS_S)
        await session.execute(delete(Row).where((Row.at < now_s - KEEP_S) | is_over))


def printable(text: str) -> str:
    """Take out what would break a line or a database: control characters, half surrogates."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
