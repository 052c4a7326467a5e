"""Second factor of an account: codes of an authenticator app (TOTP), and recovery codes.

The password comes first; then a sign-in waits for a code, for :data:`PENDING_S`. No session is
made without it: :meth:`.sessions.Sessions.create` looks by itself. A code opens once: the time
step of the last one is kept, and none of that step or an earlier one counts again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyotp
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.credentials.secrets import Place, SecretBox

from .activity import ActivityLog
from .database import Database
from .database.model import RecoveryCode, SecondFactor, User
from .errors import CodeRefused, Gone, SignInRefused, Taken
from .links import Links
from .sessions import end_sessions
from .sign_ins import SignIns, SignInThrottle
from .user_info import UserInfo, has_second_factor, locked_user, tries_name, user_info

ISSUER: Final = "mt-gateway console"
PENDING: Final = "second_factor"
PENDING_S: Final = 300
CODE: Final = "login.code"
STEP_S: Final = 30
DIGITS: Final = 6
SKEW_STEPS: Final = 1
"""Clocks of phones may differ by so many steps."""
SECRET_BYTES: Final = 20
RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 10
"""80 random bits: no slow hash is needed, since nobody guesses them."""


@dataclass(frozen=True)
class Setup:
    """A second factor that waits for its first code."""

    secret: str = field(repr=False)
    """As a person types it into the app."""
    uri: str = field(repr=False)
    """As the app reads it from a picture."""


@dataclass(frozen=True)
class SecondFactorInfo:
    """A second factor that is on."""

    since: int
    codes_left: int
    """Recovery codes that were not used."""


class SecondFactors:
    """Second factors of users: set up, asked for, taken off.

    Args:
        db: keeps them.
        box: seals their secrets.
        throttle: counts tries.
        links: of sign-ins that wait for a code.
        sign_ins: tell people of those from elsewhere, and of a second factor that changes.
        activity: the log.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        box: SecretBox,
        throttle: SignInThrottle,
        links: Links,
        sign_ins: SignIns,
        activity: ActivityLog,
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._box = box
        self._throttle = throttle
        self._links = links
        self._sign_ins = sign_ins
        self._activity = activity
        self._now_s = now_s

    async def users(self) -> frozenset[str]:
        """Return the ids of the users who have one that is on; for administrators."""
        wanted = select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))
        async with self._db.session() as session:
            return frozenset(await session.scalars(wanted))

    # --- one's own ---------------------------------------------------------------------------

    async def info(self, user_id: str) -> SecondFactorInfo | None:
        """Return a user's second factor; ``None`` where it is off."""
        left = (
            select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
        )
        async with self._db.session() as session:
            row = await session.get(SecondFactor, user_id)
            if row is None or row.confirmed_at is None:
                return None
            return SecondFactorInfo(row.confirmed_at, await session.scalar(left) or 0)

    async def begin(self, user: UserInfo) -> Setup:
        """Make a secret; nothing is asked for until :meth:`confirm` has seen a code of it.

        Raises:
            Taken: it is on already.

        """
        raw = host.random_bytes(SECRET_BYTES)
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            row = await session.get(SecondFactor, user.id)
            if row is not None and row.confirmed_at is not None:
                raise Taken("Your second factor is on already. Switch it off first.")
            if row is not None:
                await session.delete(row)
                await session.flush()
            session.add(
                SecondFactor(
                    user_id=user.id,
                    secret=self._box.seal(raw, _place(user.id)),
                    confirmed_at=None,
                    last_step=0,
                )
            )
        return _setup(raw, user.email)

    async def begun(self, user: UserInfo) -> Setup:
        """Return what :meth:`begin` has made.

        Raises:
            Gone: there is nothing that waits for its first code.

        """
        async with self._db.session() as session:
            row = await session.get(SecondFactor, user.id)
        if row is None or row.confirmed_at is not None:
            raise Gone("Begin again: nothing waits for a code.")
        return _setup(self._open(row), user.email)

    async def confirm(self, user: UserInfo, code: str, *, keep_sid: str = "") -> Sequence[str]:
        """Switch it on with the first code; all sessions end but one.

        Returns:
            The recovery codes, which nobody can find out again.

        Raises:
            Gone: there is nothing that waits for its first code.
            CodeRefused: the code does not fit.

        """
        await self._count(user)
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            row = await session.get(SecondFactor, user.id, with_for_update=True)
            if row is None or row.confirmed_at is not None:
                raise Gone("Begin again: nothing waits for a code.")
            # no recovery codes yet: those of an earlier one must not switch this one on
            self._take_step(row, code)
            row.confirmed_at = self._now_s()
            await self._succeeded(session, user)
            await end_sessions(session, user.id, keep=keep_sid)
            await self._links.drop(session, PENDING, user.id)
            await self._tell(session, user.id, "second_factor.on")
            return await self._new_codes(session, user.id)

    async def new_codes(self, user: UserInfo) -> Sequence[str]:
        """Return new recovery codes; the old ones open nothing any more.

        Raises:
            Gone: the second factor is off.

        """
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            if not await has_second_factor(session, user.id):
                raise Gone("Your second factor is off.")
            self._activity.note(session, "second_factor.codes", user_id=user.id)
            return await self._new_codes(session, user.id)

    async def remove(self, user: UserInfo, code: str) -> None:
        """Switch it off, with a code or a recovery code.

        Raises:
            CodeRefused: the code does not fit, or was used.

        """
        await self._count(user)
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            await self._take(session, user.id, code)
            await self._succeeded(session, user)
            await self._remove(session, user.id)

    async def take_off(self, user_id: str) -> None:
        """Switch somebody's off who has lost the phone and the recovery codes; an administrator's
        act. All sessions of that person end.

        Raises:
            NotFound: there is no such user.

        """
        async with self._db.begin() as session:
            await locked_user(session, user_id)
            if await has_second_factor(session, user_id):
                await self._remove(session, user_id)
                await end_sessions(session, user_id)

    # --- sign-ins ----------------------------------------------------------------------------

    async def ask(self, user: UserInfo) -> str:
        """Return the secret of a sign-in whose password was right, and that waits for a code."""
        return await self._links.make(PENDING, user.id, PENDING_S, alone=False)

    async def finish(self, pending: str, code: str, ip: str, agent: str) -> UserInfo:
        """Take the code of a sign-in that waits; a wrong one leaves it waiting.

        Raises:
            Gone: it has waited for too long, or the password was changed meanwhile.
            CodeRefused: the code does not fit, was used, or there were too many tries.

        """
        link = await self._links.peek(pending, PENDING)
        async with self._db.session() as session:
            row = await session.get(User, link.user_id)
        if row is None:
            raise Gone("Sign in again.")
        return await self.check(user_info(row), code, ip, agent, pending=pending)

    async def check(
        self, user: UserInfo, code: str, ip: str, agent: str, *, pending: str = ""
    ) -> UserInfo:
        """Take the code of somebody whose password was right; the sign-in is complete then.

        Raises:
            CodeRefused: the code does not fit, was used, or there were too many tries.

        """
        await self._count(user)
        try:
            async with self._db.begin() as session:
                row = await locked_user(session, user.id)
                # the password may have been changed since it was given
                if (row.status, row.password_changed_at) != ("active", user.password_changed_at):
                    raise CodeRefused
                if pending:
                    await self._links.take_in(session, pending, PENDING)
                await self._take(session, user.id, code)
                await self._succeeded(session, user)
                await self._sign_ins.note(session, row, ip, agent)
                return user_info(row)
        except CodeRefused:
            async with self._db.begin() as session:
                self._activity.note(
                    session, CODE, user_id=user.id, outcome="refused", ip=ip, agent=agent
                )
            raise

    # --- within ------------------------------------------------------------------------------

    async def _count(self, user: UserInfo) -> None:
        """Count a try before the code is looked at: a thousand at once are a thousand tries."""
        try:
            await self._throttle.count(tries_name(user.email, CODE), None)
        except SignInRefused as refused:
            raise CodeRefused(refused.wait_s) from None

    async def _succeeded(self, session: AsyncSession, user: UserInfo) -> None:
        await self._throttle.discard(session, tries_name(user.email, CODE))

    async def _take(self, session: AsyncSession, user_id: str, code: str) -> None:
        """Use a code up, within a transaction that has locked the user.

        Raises:
            CodeRefused: it does not fit, or was used.

        """
        row = await session.get(SecondFactor, user_id, with_for_update=True)
        if row is None or row.confirmed_at is None:
            raise CodeRefused
        if len(_plain(code)) == DIGITS:
            self._take_step(row, code)
            return
        # one statement decides: of two that come at once with one code, one finds it
        used = delete(RecoveryCode).where(
            RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _hash(code)
        )
        if (await session.scalars(used.returning(RecoveryCode.code_hash))).first() is None:
            raise CodeRefused
        await self._tell(session, user_id, "second_factor.recovery")

    def _take_step(self, row: SecondFactor, code: str) -> None:
        now = self._now_s() // STEP_S
        totp = pyotp.TOTP(base64.b32encode(self._open(row)).decode())
        given = _plain(code).encode()
        for step in range(now - SKEW_STEPS, now + SKEW_STEPS + 1):
            fits = hmac.compare_digest(totp.generate_otp(step).encode(), given)
            # who has looked over a shoulder has a code that was used
            if fits and step > row.last_step:
                row.last_step = step
                return
        raise CodeRefused

    async def _new_codes(self, session: AsyncSession, user_id: str) -> Sequence[str]:
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(code)) for code in codes)
        return codes

    async def _remove(self, session: AsyncSession, user_id: str) -> None:
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        await session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
        await self._links.drop(session, PENDING, user_id)
        await self._tell(session, user_id, "second_factor.off")

    async def _tell(self, session: AsyncSession, user_id: str, event: str) -> None:
        self._activity.note(session, event, user_id=user_id)
        await self._sign_ins.notify_of_second_factor(
            session, await session.get_one(User, user_id), event
        )

    def _open(self, row: SecondFactor) -> bytes:
        return self._box.open(row.secret, _place(row.user_id))


def _setup(raw: bytes, email: str) -> Setup:
    secret = base64.b32encode(raw).decode()
    return Setup(secret, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER))


def _place(user_id: str) -> Place:
    return Place("second_factors", user_id, "secret")


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _hash(code: str) -> str:
    return hashlib.sha256(_plain(code).encode("utf-8", "replace")).hexdigest()


def _recovery_code() -> str:
    text = base64.b32encode(host.random_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
