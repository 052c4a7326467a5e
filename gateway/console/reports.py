"""Reports of daemons: their terminals at work, and the uses of their tokens.

All of it is for people to look at, never to decide by.

A daemon names the sessions of its terminals, and tells each twice: at once by the state of its
terminals, and for good by its history, which it tells again until that has arrived. A session of
an earlier start of the daemon is over, whether anybody saw its end or not. The two ways overtake
each other: that a terminal waits changes nothing of a session that was told.

A machine that its owner has not approved, or not any more, may tell how what it began has ended,
and that a terminal waits: whoever has it could else fill the history until all of before is
forgotten.

A daemon counts what one program does with a token in an hour in one line, and tells that again as
it grows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Select, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.daemon_api import (
    LoginReport,
    RunReport,
    TerminalDescription,
    TerminalReport,
)

from .activity import printable
from .database import Database
from .database.model import Device, Login, Run, Token, TokenDevice, UserDevice
from .ids import ordered_id

KEEP_REFUSED_S = 30 * 86_400
"""For uses that were refused: who does not have the token can make them."""

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
    """What the program said of itself, behind its address where another machine called."""
    first_at: int
    last_at: int
    count: int


class LoginHistory:
    """History of the uses of tokens, as daemons report them.

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
                # a line without a name could not be told again without being counted twice
                if report.tid in owners and report.line:
                    await self._note(session, did, owners[report.tid], report)

    async def last_used(self, user_id: str) -> Mapping[str, int]:
        """Return when each of a user's tokens last let somebody in, as far as that is kept."""
        wanted = (
            select(Login.tid, func.max(Login.last_at))
            .where(Login.user_id == user_id, Login.reason == "")
            .group_by(Login.tid)
        )
        async with self._db.session() as session:
            return {tid: at for tid, at in await session.execute(wanted)}

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
            # one column tells both: a refusal has its reason, who was let in has none
            wanted = wanted.where(Login.reason == "" if outcome == "ok" else Login.reason != "")
        async with self._db.session() as session:
            rows = await session.execute(wanted.limit(max(1, min(limit, MAX_PAGE))))
            return [_login_info(*row) for row in rows]

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget what is old, and what is too much."""
        now_s = self._now_s()
        is_old = (Login.reason != "") & (Login.last_at < now_s - KEEP_REFUSED_S)
        await session.execute(delete(Login).where((Login.last_at < now_s - KEEP_S) | is_old))
        for user_id in await session.scalars(select(Login.user_id).distinct()):
            # each sort by itself: refusals, which anybody can make, push out nobody who was let in
            for sort in (Login.reason == "", Login.reason != ""):
                newest = select(Login.id).where(Login.user_id == user_id, sort)
                last = newest.order_by(Login.id.desc()).offset(MAX_KEPT).limit(1)
                # the newest id to forget: one statement deletes all that are older
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
            # whoever has a revoked machine could fill the log until it forgets the rest
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
            # a daemon's clock may run ahead: nothing in the history lies in the future
            row.first_at = row.last_at = min(report.first, now_s)
            row.count = 0
            session.add(row)
        # a name that comes back with another token is not the line that it was
        if row.tid == report.tid:
            row.last_at = max(row.last_at, min(report.last, now_s))
            # never smaller: reports overtake each other, and tell totals, not steps
            row.count = max(row.count, report.count)


def _login_info(row: Login, label: str, hostname: str) -> LoginInfo:
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


SILENT_S = 90
"""A daemon that has said nothing for so long is not known to be there."""
KEEP_S = 90 * 86_400
MAX_KEPT = 10_000
"""Ended runs of one user, uses let in and uses refused alike; older ones are forgotten."""
MAX_PAGE = 200
DAEMON_GONE = "daemon_gone"
"""The daemon has started anew, and never said how this one ended."""
REPLACED = "replaced"


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
    reason: str
    """Why it ended, in the daemon's words; :data:`DAEMON_GONE`, and :data:`REPLACED`."""
    platform: str
    login: int
    server: str
    company: str
    version: str
    """Of the EA and its terminal."""


class TerminalReports:
    """History of terminals at work, as daemons report it.

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
            owners, trusting = await self._owners(session, did)
            # in one order, so that two reports never lock the same tokens crosswise
            for report in sorted(terminals, key=lambda report: report.tid):
                owner = owners.get(report.tid)
                if owner and (owner in trusting or report.state != "online"):
                    await self._note(session, did, owner, report)

    async def history(self, did: str, boot: str, runs: Sequence[RunReport]) -> None:
        """Note what a device says has been since its daemon started; told again it is the same.

        Args:
            did: of the device.
            boot: of the start of its daemon: what another start has left open is over.
            runs: that began or ended.

        """
        async with self._db.begin() as session:
            # before the new ones: a terminal is at work once on a machine
            begun: dict[str, int] = {}
            for run in runs:
                begun[run.tid] = min(run.began, begun.get(run.tid, run.began))
            await self._end_earlier(session, did, boot, begun)
            owners, trusting = await self._owners(session, did)
            for run in runs:
                owner = owners.get(run.tid)
                if owner in trusting or (owner and await self._is_open(session, did, run)):
                    await self._take(session, did, owner, run)

    async def active(self, user_id: str) -> Sequence[RunInfo]:
        """Return a user's terminals at work, by the name of their token."""
        wanted = _rows(user_id).where(Run.ended_at.is_(None))
        ordered = wanted.order_by(Token.label, Run.started_at.desc())
        async with self._db.session() as session:
            # a bound for a page, far above what one person can have
            rows = (await session.execute(ordered.limit(1000))).all()
        return [self._info(*row) for row in rows]

    async def list(
        self, user_id: str, *, limit: int = 50, before: str | None = None, tid: str | None = None
    ) -> Sequence[RunInfo]:
        """Return a user's newest runs, those that go on and those that have ended.

        Args:
            user_id: whose.
            limit: at most :data:`MAX_PAGE`.
            before: the ``id`` of the last of the page before.
            tid: of one token alone.

        """
        wanted = _rows(user_id).order_by(Run.started_at.desc(), Run.id.desc())
        if tid is not None:
            wanted = wanted.where(Run.tid == tid)
        async with self._db.session() as session:
            if before is not None:
                last = await session.get(Run, before)
                # somebody else's line opens no page: its place would tell its time
                if last is None or last.user_id != user_id:
                    return []
                wanted = wanted.where(_sooner(last))
            rows = (await session.execute(wanted.limit(max(1, min(limit, MAX_PAGE))))).all()
        return [self._info(*row) for row in rows]

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget what ended long ago, and what is too much."""
        await session.execute(delete(Run).where(Run.ended_at < self._now_s() - KEEP_S))
        for user_id in await session.scalars(select(Run.user_id).distinct()):
            # those that go on are never forgotten, whatever the number
            ended = select(Run).where(Run.user_id == user_id, Run.ended_at.is_not(None))
            newest = ended.order_by(Run.started_at.desc(), Run.id.desc())
            last = (await session.scalars(newest.offset(MAX_KEPT - 1).limit(1))).first()
            if last is not None:
                mine = (Run.user_id == user_id) & Run.ended_at.is_not(None)
                await session.execute(
                    delete(Run)
                    .where(mine, _sooner(last))
                    .execution_options(synchronize_session=False)
                )

    # --- within a transaction ----------------------------------------------------------------

    async def _owners(self, session: AsyncSession, did: str) -> tuple[dict[str, str], set[str]]:
        """Return whose the tokens are that a machine may speak of, and who of them trusts it."""
        wanted = select(Token.tid, Token.user_id).join(TokenDevice).where(TokenDevice.did == did)
        trusting = select(UserDevice.user_id).where(
            UserDevice.did == did, UserDevice.status == "approved"
        )
        owners = {tid: user_id for tid, user_id in (await session.execute(wanted))}
        return owners, set(await session.scalars(trusting))

    async def _is_open(self, session: AsyncSession, did: str, report: RunReport) -> bool:
        """Whether a machine tells the end of what it has told the beginning of."""
        named = select(Run.id).where(
            Run.did == did, Run.tid == report.tid, Run.run == report.run, Run.ended_at.is_(None)
        )
        return report.ended is not None and await session.scalar(named.limit(1)) is not None

    async def _end_earlier(
        self, session: AsyncSession, did: str, boot: str, begun: Mapping[str, int]
    ) -> None:
        # sessions carry the start of their daemon in front: of another start means over
        mine = Run.run.startswith(f"{boot}.", autoescape=True)
        open_ones = (Run.did == did) & Run.ended_at.is_(None) & (Run.run != "") & ~mine
        for run in await session.scalars(select(Run).where(open_ones).with_for_update()):
            # ended when it was last heard of: what came after that nobody has seen. Its last words
            # may have been read late, when the terminal was linked anew already.
            ended_at = min(run.reported_at, begun.get(run.tid, run.reported_at))
            _end(run, max(run.started_at, ended_at), DAEMON_GONE)

    async def _note(
        self, session: AsyncSession, did: str, user_id: str, report: TerminalReport
    ) -> None:
        run, now_s, facts = (
            await self._open(session, did, report.tid),
            self._now_s(),
            report.terminal,
        )
        since = min(report.since, now_s)
        if report.state == "pending" and run is not None and run.run:
            return  # written before its session began, or of another terminal with its token
        # older daemons name no sessions: theirs are told apart by the terminal alone
        is_named = bool(report.run and run is not None and run.run)
        if report.state == "offline":
            # a terminal that only waited was no session: history shows none
            if run is not None and _only_waited(run):
                await session.delete(run)
            elif run is not None and (not is_named or run.run == report.run):
                _end(run, since if report.run else now_s, report.reason, now_s)
            return
        if report.run and await self._has_ended(session, did, report.run):
            return  # its history was faster
        # another session, or another terminal with the same token: the one before has ended
        is_other = is_named and run is not None and run.run != report.run
        is_other |= facts is not None and run is not None and run.terminal_fp != facts.fp
        if run is not None and is_other:
            if _only_waited(run):
                await session.delete(run)
            else:
                _end(run, since if report.run else now_s, REPLACED, now_s)
            run = None
        if run is None:
            run = _new(session, did, user_id, report.tid, since if report.run else now_s)
        if facts is not None:
            _describe(run, facts)
        # it waited so far, and begins now: the time of waiting is none of work
        if report.run and run.run != report.run:
            run.run, run.started_at, run.since = report.run, since, since
        # only a change sets the time since when: the same state told again is no news
        if run.state != report.state:
            run.state, run.since = report.state, since
        run.reported_at = now_s
        if report.state == "online":
            await _linked(session, report.tid, run.started_at)

    async def _take(
        self, session: AsyncSession, did: str, user_id: str, report: RunReport
    ) -> None:
        now_s = self._now_s()
        began = min(report.began, now_s)
        named = select(Run).where(Run.did == did, Run.tid == report.tid, Run.run == report.run)
        run = (await session.scalars(named.limit(1).with_for_update())).first()
        if run is None:
            run = await self._open(session, did, report.tid)
            # an older session may be told late: it has ended, and ends no other
            if run is not None and not _only_waited(run):
                if report.ended is None:
                    _end(run, began, REPLACED, now_s)
                run = None
            run = run or _new(session, did, user_id, report.tid, began)
            run.run, run.state, run.started_at, run.since = report.run, "online", began, began
        if run.ended_at is not None:
            return
        _describe(run, report.terminal)
        run.reported_at = now_s
        if report.ended is not None:
            _end(run, max(run.started_at, min(report.ended, now_s)), report.reason, now_s)
        await _linked(session, report.tid, run.started_at)

    async def _open(self, session: AsyncSession, did: str, tid: str) -> Run | None:
        open_run = select(Run).where(Run.tid == tid, Run.did == did, Run.ended_at.is_(None))
        newest = open_run.order_by(Run.started_at.desc()).limit(1).with_for_update()
        return (await session.scalars(newest)).first()

    async def _has_ended(self, session: AsyncSession, did: str, run: str) -> bool:
        named = select(Run.id).where(Run.did == did, Run.run == run, Run.ended_at.is_not(None))
        return await session.scalar(named.limit(1)) is not None

    def _info(self, run: Run, label: str, device: Device) -> RunInfo:
        # told as unknown, not as ended: the terminal may trade on while its daemon has no link
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
            reason=run.reason,
            platform=run.platform,
            login=run.login,
            server=run.server,
            company=run.company,
            version=run.version,
        )


def _rows(user_id: str) -> Select[Run, str, Device]:
    return (
        select(Run, Token.label, Device)
        .join(Token, Token.tid == Run.tid)
        .join(Device, Device.did == Run.did)
        .where(Run.user_id == user_id)
    )


def _sooner(last: Run) -> ColumnElement[bool]:
    return tuple_(Run.started_at, Run.id) < tuple_(last.started_at, last.id)


def _only_waited(run: Run) -> bool:
    """Whether it never was a session: one that was told by its name is not forgotten."""
    return run.state == "pending" and not run.run


def _new(session: AsyncSession, did: str, user_id: str, tid: str, at_s: int) -> Run:
    run = Run(id=ordered_id(), user_id=user_id, tid=tid, did=did, started_at=at_s, run="")
    run.state, run.platform, run.login, run.server = "", "", 0, ""
    run.company, run.terminal_fp, run.since, run.reported_at = "", "", at_s, at_s
    run.version, run.reason = "", ""
    session.add(run)
    return run


def _describe(run: Run, facts: TerminalDescription) -> None:
    run.platform, run.login = facts.platform, facts.login
    run.server, run.company = printable(facts.server), printable(facts.company)
    run.version, run.terminal_fp = printable(facts.version)[:64], facts.fp


def _end(run: Run, at_s: int, reason: str, heard_s: int | None = None) -> None:
    run.state, run.since, run.ended_at = "offline", at_s, at_s
    run.reason, run.reported_at = printable(reason)[:64], heard_s or run.reported_at


async def _linked(session: AsyncSession, tid: str, at_s: int) -> None:
    """Note the first time that a terminal was linked with a token."""
    first = (Token.tid == tid) & Token.linked_at.is_(None)
    await session.execute(
        update(Token)
        .where(first)
        .values(linked_at=at_s)
        .execution_options(synchronize_session=False)
    )
