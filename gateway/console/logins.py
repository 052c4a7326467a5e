"""Uses of tokens, as daemons report them: programs and terminals, let in or refused.

A daemon counts what one program does with a token in an hour in one line, and tells that again as
it grows. What it says is for people to look at, never to decide by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.daemon_api import LoginReport

from .activity import printable
from .database import Database
from .database.model import Device, Login, Token, UserDevice

KEEP_S = 90 * 86_400
KEEP_REFUSED_S = 30 * 86_400
"""Of those that were refused, which who does not have the token can make."""
MAX_KEPT = 10_000
"""Lines of one user, of those let in and of those refused alike; older ones are forgotten."""
MAX_PAGE = 200

Outcome = Literal["ok", "refused"]


@dataclass(frozen=True)
class LoginInfo:
    """Uses of a token by one program in one way, within an hour."""

    id: int
    tid: str
    name: str
    """Of the token."""
    did: str
    hostname: str
    way: str
    """``http``, ``ws`` or ``terminal``."""
    outcome: Outcome
    reason: str
    """Why it was refused; empty for who was let in."""
    agent: str
    """What the program said of itself."""
    first_at: int
    last_at: int
    count: int


class LoginHistory:
    """Keeps what daemons report.

    Args:
        db: with the tables.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s

    async def note(self, did: str, lines: Sequence[LoginReport]) -> None:
        """Note what a device says, of tokens whose owner has approved it.

        A line that is told again grows; it is never counted twice.
        """
        if not lines:
            return
        async with self._db.begin() as session:
            owners = await self._owners(session, did, {report.tid for report in lines})
            for report in lines:
                if report.tid in owners and report.line:
                    await self._note(session, did, owners[report.tid], report)

    async def list(
        self,
        user_id: str,
        *,
        limit: int = 50,
        before: int | None = None,
        tid: str | None = None,
        outcome: Outcome | None = None,
    ) -> Sequence[LoginInfo]:
        """Return a user's newest lines.

        Args:
            user_id: whose.
            limit: at most :data:`MAX_PAGE`.
            before: the ``id`` of the last of the page before.
            tid: of one token alone.
            outcome: only those let in, or only those refused.

        """
        wanted = (
            select(Login, Token.label, Device.hostname)
            .join(Token, Token.tid == Login.tid)
            .join(Device, Device.did == Login.did)
            .where(Login.user_id == user_id)
            .order_by(Login.id.desc())
        )
        if before is not None:
            wanted = wanted.where(Login.id < before)
        if tid is not None:
            wanted = wanted.where(Login.tid == tid)
        if outcome is not None:
            wanted = wanted.where(Login.reason == "" if outcome == "ok" else Login.reason != "")
        async with self._db.session() as session:
            rows = await session.execute(wanted.limit(max(1, min(limit, MAX_PAGE))))
            return [_info(*row) for row in rows]

    async def tidy(self, session: AsyncSession) -> None:
        """Forget what is old, and what is too much."""
        now_s = self._now_s()
        is_old = (Login.reason != "") & (Login.last_at < now_s - KEEP_REFUSED_S)
        await session.execute(delete(Login).where((Login.last_at < now_s - KEEP_S) | is_old))
        for user_id in await session.scalars(select(Login.user_id).distinct()):
            for sort in (Login.reason == "", Login.reason != ""):
                newest = select(Login.id).where(Login.user_id == user_id, sort)
                last = newest.order_by(Login.id.desc()).offset(MAX_KEPT).limit(1)
                too_old = await session.scalar(last)
                if too_old is not None:
                    mine = (Login.user_id == user_id) & sort
                    await session.execute(delete(Login).where(mine, Login.id <= too_old))

    async def _owners(self, session: AsyncSession, did: str, tids: set[str]) -> dict[str, str]:
        """Return whose the tokens are that a device may speak of.

        One that was revoked may not: whoever has it could fill the log until it forgets the rest.
        """
        trusted = (
            select(Token.tid, Token.user_id)
            .join(UserDevice, UserDevice.user_id == Token.user_id)
            .where(Token.tid.in_(tids), UserDevice.did == did, UserDevice.status == "approved")
        )
        return {tid: user_id for tid, user_id in await session.execute(trusted)}

    async def _note(
        self, session: AsyncSession, did: str, user_id: str, report: LoginReport
    ) -> None:
        now_s = self._now_s()
        named = select(Login).where(Login.did == did, Login.line == report.line)
        row = (await session.scalars(named.with_for_update())).one_or_none()
        if row is None:
            row = Login(user_id=user_id, tid=report.tid, did=did, line=report.line, way=report.way)
            row.reason, row.agent = report.reason, printable(report.agent)[:64]
            row.first_at = row.last_at = min(report.first, now_s)
            row.count = 0
            session.add(row)
        if row.tid == report.tid:
            row.last_at = max(row.last_at, min(report.last, now_s))
            row.count = max(row.count, report.count)


def _info(row: Login, label: str, hostname: str) -> LoginInfo:
    return LoginInfo(
        id=row.id,
        tid=row.tid,
        name=label,
        did=row.did,
        hostname=hostname,
        way=row.way,
        outcome="refused" if row.reason else "ok",
        reason=row.reason,
        agent=row.agent,
        first_at=row.first_at,
        last_at=row.last_at,
        count=row.count,
    )
