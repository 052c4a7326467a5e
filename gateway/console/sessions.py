"""Browsers that are logged in. Of a session only the hash of its secret is kept.

Browsers send the cookie of a session over plain http to every other server on the same host too,
whatever its port. So a session that began without https can do by itself nothing that needs the
password: to sign in does not count for that, and to give the password again is good for one act.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .activity import printable
from .database import Database
from .database.model import Session as Row
from .database.model import User
from .errors import CodeNeeded, NotFound, SignInRefused, StepUpNeeded
from .ids import new_id, new_secret, secret_hash
from .user_info import UserInfo, has_second_factor, locked_user, user_info

IDLE_S = 1800
ABSOLUTE_S = 43_200
STEP_UP_S = 900
"""For so long after the password was given the acts that need it are allowed; or one of them."""
TOUCH_S = 30
"""A session that is in use is noted so often; idleness is counted from the last note."""
SKEW_S = 60
MAX_SESSIONS = 50
"""Of one user; the longest unused makes room."""


@dataclass(frozen=True)
class SessionInfo:
    """A session that is valid now."""

    sid: str
    """Its name in lists; opens nothing."""
    user: UserInfo
    created_at: int
    seen_at: int
    step_up_until: int
    https: bool
    """It began over https. Else the password is good for one act."""
    ip: str
    agent: str


class Sessions:
    """Sessions of browsers: made, found and ended.

    Args:
        db: keeps them.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s

    async def create(
        self,
        user: UserInfo,
        ip: str,
        agent: str,
        *,
        https: bool = False,
        with_code: bool = False,
    ) -> str:
        """Return the secret of a new session.

        Args:
            user: as it was when the password was found to be right.
            ip: of the visitor.
            agent: what the browser says of itself.
            https: no other server gets the cookie.
            with_code: the second factor's code was right, too.

        Raises:
            CodeNeeded: the user has a second factor, and its code was not given.
            SignInRefused: since then the password was changed, or the account disabled: what ended
                all sessions then has ended this one too.

        """
        secret, now_s = new_secret(), self._now_s()
        async with self._db.begin() as session:
            row = await locked_user(session, user.id)
            # hashing takes a while: a change of the password in it ends this session before it
            # begins
            if (row.status, row.password_changed_at) != ("active", user.password_changed_at):
                raise SignInRefused
            # here and not in who signs in: no way into the console can forget it
            if not with_code and await has_second_factor(session, user.id):
                raise CodeNeeded
            # in the transaction that has locked the user: two sign-ins at once make room for both
            await self._make_room(session, user.id)
            session.add(
                Row(
                    secret_hash=secret_hash(secret),
                    sid=new_id(),
                    user_id=user.id,
                    created_at=now_s,
                    seen_at=now_s,
                    # without https any server on this host sees the cookie
                    step_up_at=now_s if https else 0,
                    https=https,
                    ip=ip[:64],
                    agent=printable(agent)[:256],
                )
            )
        return secret

    async def get(self, secret: str, *, touch: bool = True) -> SessionInfo | None:
        """Return the session of a secret; ``None`` if there is none any more.

        Args:
            secret: as the cookie holds it.
            touch: note that it is used; not for what a page asks by itself.

        """
        async with self._db.session() as session:
            found = await self._find(session, secret)
        if found is None:
            return None
        row, user = found
        # not at each request: a page with its files would write a row twenty times
        if touch and not 0 <= self._now_s() - row.seen_at < TOUCH_S:
            # a transaction of its own: reading a session needs no lock, and SQLite has one writer
            await self._touch(row.secret_hash)
        return self._info(row, user)

    async def rotate(self, secret: str) -> str:
        """Return a new secret for a session; the old one opens nothing any more.

        Raises:
            NotFound: there is no such session any more.

        """
        async with self._db.begin() as session:
            return await self._rotated(session, secret)

    async def step_up(self, secret: str) -> str:
        """Note that the password was given again, and return a new secret.

        Raises:
            NotFound: there is no such session any more.

        """
        async with self._db.begin() as session:
            # with the rights the secret changes: whoever has seen the old one gets nothing of them
            fresh = await self._rotated(session, secret)
            row = await session.get_one(Row, secret_hash(fresh))
            row.step_up_at = self._now_s()
            return fresh

    def demand_step_up(self, info: SessionInfo) -> None:
        """Refuse an act for which the password was given too long ago, or used for another.

        Raises:
            StepUpNeeded: it was.

        """
        # an end that lies further ahead than it could was noted by a clock that was wrong
        if not 0 < info.step_up_until - self._now_s() <= STEP_UP_S:
            raise StepUpNeeded

    async def use_step_up(self, secret: str, info: SessionInfo) -> None:
        """Go on to such an act; in a session without https the password counts no more then.

        Raises:
            StepUpNeeded: it was given too long ago, or used for another act.

        """
        self.demand_step_up(info)
        if info.https:
            return
        unused = (Row.secret_hash == secret_hash(secret)) & (Row.step_up_at > 0)
        async with self._db.begin() as session:
            # one statement decides: of two acts at once with one password only one goes on
            used = await session.scalars(
                update(Row).where(unused).values(step_up_at=0).returning(Row.sid)
            )
            if used.first() is None:
                raise StepUpNeeded

    async def end(self, secret: str) -> None:
        """End a session; no error if it has ended."""
        async with self._db.begin() as session:
            await session.execute(delete(Row).where(Row.secret_hash == secret_hash(secret)))

    async def end_one(self, user_id: str, sid: str) -> None:
        """End a session of a user by its name.

        Raises:
            NotFound: the user has no such session.

        """
        # the user is part of the condition: a name guessed of another's session ends nothing
        mine = (Row.user_id == user_id) & (Row.sid == sid)
        async with self._db.begin() as session:
            ended = await session.scalars(delete(Row).where(mine).returning(Row.sid))
            if ended.first() is None:
                raise NotFound("There is no such session.")

    async def end_all(self, user_id: str, *, keep: str = "") -> None:
        """End all sessions of a user, except one by its name."""
        async with self._db.begin() as session:
            await end_sessions(session, user_id, keep=keep)

    async def list(self, user_id: str) -> Sequence[SessionInfo]:
        """Return the sessions of a user that are valid now, the last used first."""
        wanted = select(Row, User).join(User).where(Row.user_id == user_id)
        async with self._db.session() as session:
            rows = await session.execute(wanted.order_by(Row.seen_at.desc()))
            return [self._info(row, user) for row, user in rows if self._is_valid(row)]

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget those that have ended by themselves."""
        now_s = self._now_s()
        ended = (Row.seen_at <= now_s - IDLE_S) | (Row.created_at <= now_s - ABSOLUTE_S)
        await session.execute(delete(Row).where(ended))

    def _is_valid(self, row: Row) -> bool:
        now_s = self._now_s()
        # a clock that was set back would make sessions longer
        return (
            now_s >= row.seen_at - SKEW_S
            and now_s - row.seen_at < IDLE_S
            and now_s - row.created_at < ABSOLUTE_S
        )

    def _info(self, row: Row, user: User) -> SessionInfo:
        return SessionInfo(
            sid=row.sid,
            user=user_info(user),
            created_at=row.created_at,
            seen_at=row.seen_at,
            step_up_until=row.step_up_at + STEP_UP_S if row.step_up_at else 0,
            https=row.https,
            ip=row.ip,
            agent=row.agent,
        )

    async def _find(self, session: AsyncSession, secret: str) -> tuple[Row, User] | None:
        wanted = select(Row, User).join(User).where(Row.secret_hash == secret_hash(secret))
        found = (await session.execute(wanted)).first()
        # disabling ends all sessions, and still a row that was being made then must open nothing
        if found is None or not self._is_valid(found[0]) or found[1].status != "active":
            return None
        row, user = found
        return row, user

    async def _touch(self, key: str) -> None:
        async with self._db.begin() as session:
            row = await session.get(Row, key, with_for_update=True)
            # it may have been ended since it was read
            if row is not None:
                row.seen_at = self._now_s()

    async def _rotated(self, session: AsyncSession, secret: str) -> str:
        found = await self._find(session, secret)
        if found is None:
            raise NotFound("The session has ended. Log in again.")
        # a cookie that was read before the password was given must not get its rights
        fresh = new_secret()
        found[0].secret_hash = secret_hash(fresh)
        found[0].seen_at = self._now_s()
        await session.flush()
        return fresh

    async def _make_room(self, session: AsyncSession, user_id: str) -> None:
        wanted = select(Row.secret_hash).where(Row.user_id == user_id)
        rows = await session.scalars(wanted.order_by(Row.seen_at.desc()).offset(MAX_SESSIONS - 1))
        await session.execute(delete(Row).where(Row.secret_hash.in_(rows.all())))


async def end_sessions(session: AsyncSession, user_id: str, *, keep: str = "") -> None:
    """End all sessions of a user within a transaction, except one by its name."""
    await session.execute(delete(Row).where(Row.user_id == user_id, Row.sid != keep))


def csrf_token(secret: str) -> str:
    """Return what forms of a session carry: made from its secret, which a page never sees."""
    # a hash, not the secret itself: pages may be saved or cached, and that must not be a login
    return hmac.digest(secret.encode("utf-8", "replace"), b"mgt-console-csrf", "sha256").hex()
