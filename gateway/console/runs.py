"""Terminals at work, as their daemons report them: for people to look at, never to decide by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.daemon_api import TerminalReport

from .activity import printable
from .database import Database
from .database.model import Device, Run, Token, TokenDevice
from .ids import new_id

SILENT_S = 90
"""A daemon that has said nothing for so long is not known to be there."""
KEEP_S = 90 * 86_400


@dataclass(frozen=True)
class RunInfo:
    """A terminal's time at work with a token."""

    id: str
    tid: str
    name: str
    """Of the token."""
    did: str
    hostname: str
    state: str
    """``online``, ``offline``, ``pending``, or ``unknown``: its daemon is silent."""
    since: int
    started_at: int
    reported_at: int
    ended_at: int | None
    platform: str
    login: int
    server: str
    company: str


class Runs:
    """Keeps what daemons report.

    Args:
        db: with the tables.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s

    async def report(self, did: str, terminals: Sequence[TerminalReport]) -> None:
        """Note what a device says of its terminals; of tokens that it may know alone."""
        if not terminals:
            return
        async with self._db.begin() as session:
            owners = await self._owners(session, did)
            for one in sorted(terminals, key=lambda one: one.tid):
                if one.tid in owners:
                    await self._note(session, did, owners[one.tid], one)

    async def active(self, user_id: str) -> Sequence[RunInfo]:
        """Return a user's terminals at work, by the name of their token."""
        return await self._list(user_id, Run.ended_at.is_(None), 1000)

    async def list(self, user_id: str, *, limit: int = 50) -> Sequence[RunInfo]:
        """Return a user's newest runs, ended ones too."""
        return await self._list(user_id, Run.started_at >= 0, limit)

    async def tidy(self, session: AsyncSession) -> None:
        """Forget what ended long ago."""
        await session.execute(delete(Run).where(Run.ended_at < self._now_s() - KEEP_S))

    async def _owners(self, session: AsyncSession, did: str) -> dict[str, str]:
        wanted = select(Token.tid, Token.user_id).join(TokenDevice).where(TokenDevice.did == did)
        return {tid: user_id for tid, user_id in (await session.execute(wanted))}

    async def _note(
        self, session: AsyncSession, did: str, user_id: str, one: TerminalReport
    ) -> None:
        open_run = select(Run).where(Run.tid == one.tid, Run.did == did, Run.ended_at.is_(None))
        newest = open_run.order_by(Run.started_at.desc()).limit(1).with_for_update()
        run = (await session.scalars(newest)).first()
        now_s, facts = self._now_s(), one.terminal
        other = facts is not None and run is not None and run.terminal_fp != facts.fp
        if run is not None and (other or one.state == "offline"):
            run.state, run.since, run.ended_at, run.reported_at = "offline", now_s, now_s, now_s
            run = None
        if one.state == "offline":
            return
        if run is None:
            run = Run(id=new_id(), user_id=user_id, tid=one.tid, did=did, started_at=now_s)
            run.state, run.platform, run.login, run.server = "", "", 0, ""
            run.company, run.terminal_fp, run.since = "", "", now_s
            session.add(run)
        if facts is not None:
            run.platform, run.login = facts.platform, facts.login
            run.server, run.company = printable(facts.server), printable(facts.company)
            run.terminal_fp = facts.fp
        if run.state != one.state:
            run.state, run.since = one.state, min(one.since, now_s)
        run.reported_at = now_s

    async def _list(self, user_id: str, which: object, limit: int) -> Sequence[RunInfo]:
        wanted = (
            select(Run, Token.label, Device)
            .join(Token, Token.tid == Run.tid)
            .join(Device, Device.did == Run.did)
            .where(Run.user_id == user_id, which)  # type: ignore[arg-type]  # a clause
            .order_by(Run.ended_at.is_not(None), Token.label, Run.started_at.desc())
            .limit(limit)
        )
        async with self._db.session() as session:
            rows = (await session.execute(wanted)).all()
        return [self._info(run, label, device) for run, label, device in rows]

    def _info(self, run: Run, label: str, device: Device) -> RunInfo:
        silent = run.ended_at is None and self._now_s() - device.last_seen_at > SILENT_S
        return RunInfo(
            id=run.id,
            tid=run.tid,
            name=label,
            did=run.did,
            hostname=device.hostname,
            state="unknown" if silent else run.state,
            since=run.since,
            started_at=run.started_at,
            reported_at=run.reported_at,
            ended_at=run.ended_at,
            platform=run.platform,
            login=run.login,
            server=run.server,
            company=run.company,
        )
