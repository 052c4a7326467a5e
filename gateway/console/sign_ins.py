"""Tell a person of a sign-in from where nobody signed in before, and of a new password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from .database.model import Activity, User
from .mail import MailQueue, letters
from .place import place_of

KNOWN_S = 90 * 86_400
"""An address from which somebody signed in so lately is known."""
PAGE_SESSIONS = "/account"
PAGE_FORGOT = "/forgot"


class SignIns:
    """Looks at sign-ins and at new passwords.

    Args:
        mail: tells.
        url: where people find the console.
        now_s: seconds since 1970.

    """

    def __init__(self, mail: MailQueue, url: Callable[[], str], now_s: Callable[[], int]) -> None:
        self._mail = mail
        self._url = url
        self._now_s = now_s

    async def look(self, session: AsyncSession, user: User, ip: str, agent: str) -> None:
        """Queue a mail if a sign-in that succeeds now comes from a new address.

        The first sign-in of an account is nobody's surprise. One mail a day for an address.

        Args:
            session: of the sign-in's transaction, before the sign-in is noted.
            user: who signs in.
            ip: from where.
            agent: what the browser says of itself.

        """
        now_s = self._now_s()
        is_first = await session.scalar(_sign_ins(user.id).limit(1)) is None
        if is_first or await self.is_known(session, user.id, ip):
            return
        sessions = self._url() + PAGE_SESSIONS
        letter = letters.new_sign_in(place_of(ip), agent, at_s=now_s, sessions=sessions)
        day = datetime.fromtimestamp(now_s, UTC).date()
        await self._mail.put(
            session,
            letter,
            address=user.email,
            dedupe=f"{letter.kind}:{user.id}:{day}:{ip[:40]}",
            user_id=user.id,
        )

    async def is_known(self, session: AsyncSession, user_id: str, ip: str) -> bool:
        """Whether somebody has signed in to the account from an address lately."""
        here = _sign_ins(user_id).where(
            Activity.ip == ip[:64], Activity.at > self._now_s() - KNOWN_S
        )
        return await session.scalar(here.limit(1)) is not None

    async def tell_of_password(self, session: AsyncSession, user: User) -> None:
        """Queue a mail that tells of a new password.

        Args:
            session: of the transaction that sets it.
            user: whose it is, with the time of the change.

        """
        at_s = user.password_changed_at
        letter = letters.password_changed(at_s=at_s, forgot=self._url() + PAGE_FORGOT)
        dedupe = f"{letter.kind}:{user.id}:{at_s}"
        await self._mail.put(session, letter, address=user.email, dedupe=dedupe, user_id=user.id)


def _sign_ins(user_id: str) -> Select[int]:
    return select(Activity.id).where(
        Activity.user_id == user_id, Activity.event == "login", Activity.outcome == "ok"
    )
