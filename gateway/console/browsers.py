"""Browsers and addresses in which somebody has signed in before, and mails about new ones.

Whoever types an address into the form can fail with it, so an account's wait would be a way to
keep its owner out. A browser in which he has signed in keeps a cookie that says so: its tries are
counted apart from those of strangers. The cookie opens nothing. It is a random name and a code
that only the console can make, and is good for the one account.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host

from .database.model import Activity, User
from .ip_location import place_of
from .mail import MailQueue, templates

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
        letter = templates.new_sign_in(place_of(ip), agent, at_s=now_s, sessions=sessions)
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
        letter = templates.password_changed(at_s=at_s, forgot=self._url() + PAGE_FORGOT)
        dedupe = f"{letter.kind}:{user.id}:{at_s}"
        await self._mail.put(session, letter, address=user.email, dedupe=dedupe, user_id=user.id)


def _sign_ins(user_id: str) -> Select[int]:
    return select(Activity.id).where(
        Activity.user_id == user_id, Activity.event == "login", Activity.outcome == "ok"
    )


OF_BROWSER: Final = "browser "
"""What a browser's lane begins with."""
NOBODY: Final = "-"
"""No user's id."""
_NAME_BYTES: Final = 24
_NAME: Final = 32
"""Characters of it, in base64."""


class Browsers:
    """Makes and checks what such browsers keep.

    Args:
        key: 32 secret bytes.
        sign_ins: know the addresses.

    """

    def __init__(self, key: bytes, sign_ins: SignIns) -> None:
        self._key = key
        self._sign_ins = sign_ins

    def mark(self, user_id: str, kept: str = "") -> str:
        """Return what the browser is to keep; what it keeps already, where that is good."""
        if self.name(user_id, kept):
            return kept
        name = host.token_urlsafe(_NAME_BYTES)
        return name + self._code(user_id, name)

    def name(self, user_id: str, kept: str) -> str:
        """Return the browser's name; empty where this user has not signed in with it."""
        name, code = kept[:_NAME], kept[_NAME:]
        if not hmac.compare_digest(code.encode(), self._code(user_id, name).encode()):
            return ""
        return name

    async def lane(self, session: AsyncSession, user_id: str | None, ip: str, kept: str) -> str:
        """Return in which lane a try to sign in is counted; empty for that of strangers.

        Args:
            session: reads.
            user_id: whose account it is; ``None`` where there is none.
            ip: from where; empty where nobody knows.
            kept: what the browser keeps.

        """
        whose = user_id or NOBODY  # who has no account takes as long
        if name := self.name(whose, kept):
            return f"{OF_BROWSER}{name}"
        return f"ip {ip}" if ip and await self._sign_ins.is_known(session, whose, ip) else ""

    def _code(self, user_id: str, name: str) -> str:
        said = f"browser|{user_id}|{name}".encode()
        digest = hmac.digest(self._key, said, "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
