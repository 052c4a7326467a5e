"""Second factors of an account: an authenticator app (TOTP), passkeys, and recovery codes.

The password comes first; then a sign-in waits for a code or a passkey, for :data:`PENDING_S`. No
session is made without: :meth:`.sessions.Sessions.create` looks by itself. A code opens once: the
time step of the last one is kept, and none of that step or an earlier one counts again. So does a
passkey's answer: it belongs to one sign-in. The recovery codes stand in for app and passkeys
alike; they come with the first of these and go with the last.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyotp
from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.credentials.secrets import Place, SecretBox

from .activity import ActivityLog
from .database import Database
from .database.model import Passkey, RecoveryCode, SecondFactor, User
from .errors import (
    CodeRefused,
    Gone,
    Invalid,
    NotFound,
    PasskeyRefused,
    SignInRefused,
    Taken,
    TooMany,
)
from .ids import new_id
from .links import Links
from .mail.templates import Remover
from .passkeys import (
    MAX_NAME,
    MAX_PASSKEYS,
    PasskeyAnswer,
    RelyingParty,
    check_new,
    check_use,
    creation_options,
    is_installed,
    load,
    request_options,
)
from .sessions import end_sessions
from .sign_ins import SignIns, SignInThrottle
from .user_info import UserInfo, has_second_factor, locked_user, tries_name, user_info

ISSUER: Final = "mt-gateway console"
PASSKEY: Final = "passkey "
"""What the purpose of a session's question begins with; the session's name follows."""
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
class PasskeyInfo:
    """A passkey in lists."""

    id: str
    name: str
    rp_id: str
    """Host name of the console under which it works."""
    created_at: int
    used_at: int | None


@dataclass(frozen=True)
class PasskeyQuestion:
    """Question to a browser, which its page carries."""

    pending: str = field(repr=False)
    options: str
    """JSON for the browser; empty where there is no passkey to use."""


@dataclass(frozen=True)
class SecondFactorInfo:
    """Second factors of a user that are on."""

    app_since: int | None
    """Since when codes of an app are taken; ``None``: they are not."""
    passkeys: Sequence[PasskeyInfo]
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
        wanted_too = select(Passkey.user_id).distinct()
        async with self._db.session() as session:
            apps = await session.scalars(wanted)
            return frozenset(apps) | frozenset(await session.scalars(wanted_too))

    # --- one's own ---------------------------------------------------------------------------

    async def info(self, user_id: str) -> SecondFactorInfo | None:
        """Return a user's second factors; ``None`` where there is none."""
        left = (
            select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
        )
        async with self._db.session() as session:
            if not await has_second_factor(session, user_id):
                return None
            row = await session.get(SecondFactor, user_id)
            passkeys = [
                PasskeyInfo(one.id, one.name, one.rp_id, one.created_at, one.used_at)
                for one in await session.scalars(_passkeys_of(user_id))
            ]
            since = None if row is None else row.confirmed_at
            return SecondFactorInfo(since, passkeys, await session.scalar(left) or 0)

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
                raise Taken("Your authenticator app is on already. Switch it off first.")
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
        """Switch the app off, with a code of it or a recovery code.

        Raises:
            CodeRefused: the code does not fit, or was used.

        """
        await self._count(user)
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            row = await session.get(SecondFactor, user.id)
            if row is None or row.confirmed_at is None:
                raise CodeRefused
            await self._take(session, user.id, code)
            await self._succeeded(session, user)
            await session.delete(row)
            is_off = await self._after_removal(session, user.id)
            event = "second_factor.off" if is_off else "second_factor.app_off"
            await self._tell(session, user.id, event)

    async def take_off(self, user_id: str, *, by: Remover, actor: str = "") -> bool:
        """Take all from somebody who has lost phone, passkeys and recovery codes; all sessions
        of that person end.

        Args:
            user_id: whose.
            by: who does it, for the log and the mail.
            actor: id of the administrator who does it, for whose log it is as well.

        Returns:
            Whether there was one.

        Raises:
            NotFound: there is no such user.

        """
        async with self._db.begin() as session:
            row = await locked_user(session, user_id)
            if not await has_second_factor(session, user_id):
                return False
            for table in (SecondFactor, Passkey):
                await session.execute(delete(table).where(table.user_id == user_id))
            await self._after_removal(session, user_id)
            await self._tell(session, user_id, "second_factor.off", by)
            await end_sessions(session, user_id)
            if actor:
                self._activity.note(session, "second_factor.off", user_id=actor, detail=row.email)
            return True

    # --- one's own passkeys ------------------------------------------------------------------

    async def begin_passkey(
        self, user: UserInfo, sid: str, party: RelyingParty
    ) -> PasskeyQuestion:
        """Return what a browser is asked for to make a passkey.

        Args:
            user: whose it will be.
            sid: the session in which it is made; none else can answer.
            party: the console as this browser knows it.

        Raises:
            TooMany: the user has :data:`MAX_PASSKEYS`.

        """
        async with self._db.session() as session:
            rows = (await session.scalars(_passkeys_of(user.id))).all()
        _demand_room(len(rows))
        pending = await self._links.make(PASSKEY + sid, user.id, PENDING_S)
        await load()
        known = [row.credential_id for row in rows if row.rp_id == party.id]
        return PasskeyQuestion(pending, creation_options(party, pending, user, known))

    async def add_passkey(
        self, user: UserInfo, sid: str, name: str, pending: str, answer: PasskeyAnswer
    ) -> Sequence[str]:
        """Keep a passkey that a browser has made.

        Returns:
            The recovery codes, where it is the user's first second factor: all other sessions
            have ended then.

        Raises:
            Gone: the question was answered already, is too old, or is another session's.
            Invalid: the name is too long, or there is none.
            PasskeyRefused: this is no answer to that question.
            TooMany: the user has :data:`MAX_PASSKEYS`.
            Taken: it is somebody's already.

        """
        name = name.strip()
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise Invalid(f"Give the passkey a name of 1 to {MAX_NAME} characters.")
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            await self._take_question(session, user, sid, pending)
            made = check_new(answer, pending)
            rows = (await session.scalars(_passkeys_of(user.id))).all()
            _demand_room(len(rows))
            same = select(Passkey.id).where(Passkey.credential_id == made.credential_id)
            if await session.scalar(same) is not None:
                raise Taken("That passkey is in use already. Take another device.")
            is_first = not await has_second_factor(session, user.id)
            session.add(
                Passkey(
                    id=new_id(),
                    user_id=user.id,
                    credential_id=made.credential_id,
                    rp_id=answer.party.id if answer.party else "",
                    name=name,
                    public_key=made.public_key,
                    sign_count=made.sign_count,
                    created_at=self._now_s(),
                    used_at=None,
                )
            )
            await self._tell(session, user.id, "passkey.added", name=name)
            if not is_first:
                return ()
            await end_sessions(session, user.id, keep=sid)
            await self._links.drop(session, PENDING, user.id)
            return await self._new_codes(session, user.id)

    async def passkey(self, user_id: str, passkey_id: str) -> PasskeyInfo:
        """Return one of a user's passkeys.

        Raises:
            NotFound: the user has no such passkey.

        """
        found = await self.info(user_id)
        for one in found.passkeys if found else ():
            if one.id == passkey_id:
                return one
        raise NotFound("There is no such passkey.")

    async def ask_in_session(
        self, user: UserInfo, sid: str, party: RelyingParty | None
    ) -> PasskeyQuestion:
        """Return a question by which somebody in a session can show one of the passkeys."""
        pending = await self._links.make(PASSKEY + sid, user.id, PENDING_S)
        return await self.question(user.id, pending, party)

    async def remove_passkey(
        self,
        user: UserInfo,
        passkey_id: str,
        given: str | PasskeyAnswer,
        *,
        sid: str = "",
        pending: str = "",
    ) -> None:
        """Forget a passkey, with a code, a recovery code, or a passkey's answer.

        Raises:
            Gone: the question was answered already, is too old, or is another session's.
            NotFound: the user has no such passkey.
            CodeRefused: the code or the passkey does not fit.

        """
        await self._count(user)
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            mine = (Passkey.user_id == user.id) & (Passkey.id == passkey_id)
            row = (await session.scalars(select(Passkey).where(mine))).one_or_none()
            if row is None:
                raise NotFound("There is no such passkey.")
            if isinstance(given, PasskeyAnswer):
                await self._take_question(session, user, sid, pending)
            await self._take(session, user.id, given, pending)
            await self._succeeded(session, user)
            await session.delete(row)
            is_off = await self._after_removal(session, user.id)
            await self._tell(session, user.id, "passkey.removed", name=row.name)
            if is_off:
                await self._tell(session, user.id, "second_factor.off")

    # --- sign-ins ----------------------------------------------------------------------------

    async def ask(self, user: UserInfo) -> str:
        """Return the secret of a sign-in whose password was right, and that waits for a code."""
        return await self._links.make(PENDING, user.id, PENDING_S, alone=False)

    async def waiting(self, pending: str) -> UserInfo:
        """Return whose sign-in waits.

        Raises:
            Gone: it has waited for too long, or the password was changed meanwhile.

        """
        link = await self._links.peek(pending, PENDING)
        async with self._db.session() as session:
            row = await session.get(User, link.user_id)
        if row is None:
            raise Gone("Sign in again.")
        return user_info(row)

    async def question(
        self, user_id: str, pending: str, party: RelyingParty | None
    ) -> PasskeyQuestion:
        """Return the question to the browser of somebody whose link waits."""
        if party is None or not is_installed():
            return PasskeyQuestion(pending, "")
        usable = _passkeys_of(user_id).where(Passkey.rp_id == party.id)
        async with self._db.session() as session:
            known = [row.credential_id for row in await session.scalars(usable)]
        if not known:
            return PasskeyQuestion(pending, "")
        await load()
        return PasskeyQuestion(pending, request_options(party, pending, known))

    async def finish(
        self, pending: str, given: str | PasskeyAnswer, ip: str, agent: str
    ) -> UserInfo:
        """Take the code or passkey of a sign-in that waits; a wrong one leaves it waiting.

        Raises:
            Gone: it has waited for too long, or the password was changed meanwhile.
            CodeRefused: it does not fit, was used, or there were too many tries.

        """
        user = await self.waiting(pending)
        return await self.check(user, given, ip, agent, pending=pending)

    async def check(
        self,
        user: UserInfo,
        given: str | PasskeyAnswer,
        ip: str,
        agent: str,
        *,
        pending: str = "",
    ) -> UserInfo:
        """Take the code of somebody whose password was right; the sign-in is complete then.

        Raises:
            CodeRefused: it does not fit, was used, or there were too many tries.

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
                await self._take(session, user.id, given, pending)
                await self._succeeded(session, user)
                await self._sign_ins.note(session, row, ip, agent)
                return user_info(row)
        except CodeRefused as refused:
            async with self._db.begin() as session:
                self._activity.note(
                    session, CODE, user_id=user.id, outcome="refused", ip=ip, agent=agent
                )
                if isinstance(refused, PasskeyRefused) and refused.is_copied:
                    await self._tell(session, user.id, "passkey.copied")
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

    async def _take(
        self,
        session: AsyncSession,
        user_id: str,
        given: str | PasskeyAnswer,
        pending: str = "",
    ) -> None:
        """Use a code or an answer up, within a transaction that has locked the user, and that has
        used up the link of an answer's question.

        Raises:
            CodeRefused: it does not fit, or was used.

        """
        if isinstance(given, PasskeyAnswer):
            await self._take_passkey(session, user_id, given, pending)
        elif len(_plain(given)) == DIGITS:
            row = await session.get(SecondFactor, user_id, with_for_update=True)
            if row is None or row.confirmed_at is None:
                raise CodeRefused
            self._take_step(row, given)
        else:
            await self._take_recovery_code(session, user_id, given)

    async def _take_question(
        self, session: AsyncSession, user: UserInfo, sid: str, pending: str
    ) -> None:
        """Use up the link of a session's question."""
        link = await self._links.take_in(session, pending, PASSKEY + sid)
        if link.user_id != user.id:
            raise Gone("Load the page again.")

    async def _take_passkey(
        self, session: AsyncSession, user_id: str, answer: PasskeyAnswer, pending: str
    ) -> None:
        # the user is part of the condition: another person's passkey signs in to nothing here
        mine = (Passkey.user_id == user_id) & (Passkey.credential_id == answer.credential_id)
        row = (await session.scalars(select(Passkey).where(mine).with_for_update())).one_or_none()
        if row is None or answer.party is None or row.rp_id != answer.party.id:
            raise PasskeyRefused
        row.sign_count = check_use(answer, pending, row.public_key, row.sign_count)
        row.used_at = self._now_s()

    async def _take_recovery_code(self, session: AsyncSession, user_id: str, code: str) -> None:
        if not await has_second_factor(session, user_id):
            raise CodeRefused
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

    async def _after_removal(self, session: AsyncSession, user_id: str) -> bool:
        """End the sign-ins that wait, and with the last second factor the recovery codes.

        Returns:
            Whether it was the last.

        """
        await session.flush()
        await self._links.drop(session, PENDING, user_id)
        if await has_second_factor(session, user_id):
            return False
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        return True

    async def _tell(
        self,
        session: AsyncSession,
        user_id: str,
        event: str,
        by: Remover | None = None,
        *,
        name: str = "",
    ) -> None:
        self._activity.note(session, event, user_id=user_id, detail=by or name)
        await self._sign_ins.notify_of_second_factor(
            session, await session.get_one(User, user_id), event, by, name
        )

    def _open(self, row: SecondFactor) -> bytes:
        return self._box.open(row.secret, _place(row.user_id))


def _passkeys_of(user_id: str) -> Select[Passkey]:
    return select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.created_at)


def _demand_room(count: int) -> None:
    if count >= MAX_PASSKEYS:
        raise TooMany(f"You have {MAX_PASSKEYS} passkeys already. Remove one first.")


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
