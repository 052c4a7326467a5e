"""Sign-ins: tries that are counted, browsers and addresses that are known, mails about new ones.

Whoever types an address into the form can fail with it, so an account's wait would be a way to
keep its owner out. So an account has lanes beside that of strangers: one for each browser and each
address in which its owner has signed in. Such a browser keeps a cookie that says so. The cookie
opens nothing. It is a random name and a code that only the console can make, and is good for the
one account.

A try is counted before the password is looked at and taken back when it was right, so that a
hundred tries at once are a hundred tries. Accounts that do not exist are counted like others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.credentials.passwords import MAX_DELAY_S, MAX_FAILURES, delay_s

from .activity import ActivityLog, place_of
from .database import Database, insert_missing
from .database.model import Activity, User
from .database.model import Throttle as Row
from .errors import SignInRefused
from .mail import MailQueue, templates

PER_MINUTE = 20
"""Tries from one address."""
_KEEP_S = 86_400


class SignInThrottle:
    """Counter of tries, for each account's lanes and each address.

    Args:
        db: keeps the counts.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s

    async def count(self, account: str, ip: str | None, lane: str = "") -> None:
        """Count a try as failed, before it is made.

        Args:
            account: the email as given, whether there is such an account or not.
            ip: of who tries; ``None`` not to count by it.
            lane: in which the account's tries are counted; empty for that of strangers.

        Raises:
            SignInRefused: it is too early or too late for another try; the try was not counted.

        """
        async with self._db.begin() as session:
            # the address first: one that tries many accounts must not shut them
            if ip is not None:
                self._count_address(await self._row(session, _address_key(ip)))
            row = await self._row(session, _account_key(account, lane))
            # in the same transaction: a try that its address shut counts in no lane
            self._count_account(row)

    async def succeeded(self, account: str) -> None:
        """Forget the failures of an account: its password was given."""
        async with self._db.begin() as session:
            await self.discard(session, account)

    async def discard(self, session: AsyncSession, account: str, lane: str = "") -> None:
        """Forget them within the transaction of a sign-in; those of the other lanes stay."""
        await session.execute(delete(Row).where(Row.key == _account_key(account, lane)))

    async def discard_all(self, session: AsyncSession, account: str) -> None:
        """Forget them within the transaction of a password reset, in all lanes."""
        key = _account_key(account)
        # a new password ends what strangers have done to each lane, those of lost browsers too
        lanes = Row.key.startswith(f"{key}:", autoescape=True)
        await session.execute(delete(Row).where((Row.key == key) | lanes))

    async def take_back(self, account: str, lane: str = "") -> None:
        """Uncount a try that could not be made."""
        async with self._db.begin() as session:
            row = await self._row(session, _account_key(account, lane))
            # a sign-in beside this one may have cleared the count meanwhile
            row.count = max(0, row.count - 1)

    async def failures(self, account: str) -> int:
        """Return the failures in a row."""
        async with self._db.session() as session:
            row = await session.get(Row, _account_key(account))
            return 0 if row is None else row.count

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget what is a day old, except accounts that are shut."""
        old = Row.at < self._now_s() - _KEEP_S
        await session.execute(delete(Row).where(old, Row.count < MAX_FAILURES))

    async def _row(self, session: AsyncSession, key: str) -> Row:
        # a row of its own for each key, made first: two first tries at once lock the same one
        while True:
            await insert_missing(session, Row, key=key, count=0, at=self._now_s())
            row = await session.get(Row, key, with_for_update=True, populate_existing=True)
            # PostgreSQL: a sign-in beside this one may have taken it away in between
            if row is not None:
                return row

    def _count_address(self, row: Row) -> None:
        now_s = self._now_s()
        if not 0 <= now_s - row.at < 60:  # also when the clock was set back
            row.at, row.count = now_s, 0
        if row.count >= PER_MINUTE:
            raise SignInRefused(row.at + 60 - now_s)
        row.count += 1

    def _count_account(self, row: Row) -> None:
        now_s = self._now_s()
        # shut until a password reset: any wait would still let somebody try for years
        if row.count >= MAX_FAILURES:
            raise SignInRefused(MAX_DELAY_S)
        # a clock that was set back must not lengthen the wait
        since = max(0, now_s - row.at)
        wait_s = delay_s(row.count) - since
        if wait_s > 0:
            raise SignInRefused(wait_s)
        row.count, row.at = row.count + 1, now_s


def _account_key(account: str, lane: str = "") -> str:
    """Hashes: what strangers type into the login form is not kept."""
    key = f"account:{_hash(account.strip().lower())}"
    return f"{key}:{_hash(lane)[:28]}" if lane else key


def _hash(text: str) -> str:
    """Return 40 digits: a lane's too fit into the column with them."""
    # a form may send half surrogates, which UTF-8 has no bytes for
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


def _address_key(ip: str) -> str:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "ip:unknown"
    if address.version == 6:  # one customer has a whole /64
        return f"ip:{ipaddress.ip_network((address, 64), strict=False)}"
    return f"ip:{address}"


KNOWN_S = 90 * 86_400
"""An address from which somebody signed in so lately is known."""
PAGE_SESSIONS = "/account"
PAGE_FORGOT = "/forgot"


class SignIns:
    """Watcher of sign-ins and new passwords, which mails about them.

    Args:
        mail: tells.
        activity: the log.
        url: where people find the console.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        mail: MailQueue,
        activity: ActivityLog,
        url: Callable[[], str],
        now_s: Callable[[], int],
    ) -> None:
        self._mail = mail
        self._activity = activity
        self._url = url
        self._now_s = now_s

    async def note(self, session: AsyncSession, user: User, ip: str, agent: str) -> None:
        """Note a sign-in that is complete, in its transaction.

        Args:
            session: of the transaction, which has locked the user.
            user: who signs in.
            ip: from where.
            agent: what the browser says of itself.

        """
        user.last_login_at = self._now_s()
        await self.notify_if_new(session, user, ip, agent)
        self._activity.note(session, "login", user_id=user.id, ip=ip, agent=agent)

    async def notify_if_new(self, session: AsyncSession, user: User, ip: str, agent: str) -> None:
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
        # the day is part of the name: the queue drops a second mail of the day
        day = datetime.fromtimestamp(now_s, UTC).date()
        await self._mail.put(
            session,
            letter,
            address=user.email,
            # cut: an IPv6 address with its interface would not fit into the column
            dedupe=f"{letter.kind}:{user.id}:{day}:{ip[:40]}",
            user_id=user.id,
        )

    async def is_known(self, session: AsyncSession, user_id: str, ip: str) -> bool:
        """Whether somebody has signed in to the account from an address lately."""
        here = _sign_ins(user_id).where(
            # as the log cuts it, or a long address would never be known
            Activity.ip == ip[:64],
            Activity.at > self._now_s() - KNOWN_S,
        )
        return await session.scalar(here.limit(1)) is not None

    async def notify_of_password(self, session: AsyncSession, user: User) -> None:
        """Queue a mail that tells of a new password.

        Args:
            session: of the transaction that sets it.
            user: whose it is, with the time of the change.

        """
        at_s = user.password_changed_at
        letter = templates.password_changed(at_s=at_s, forgot=self._url() + PAGE_FORGOT)
        dedupe = f"{letter.kind}:{user.id}:{at_s}"
        await self._mail.put(session, letter, address=user.email, dedupe=dedupe, user_id=user.id)

    async def notify_of_second_factor(
        self,
        session: AsyncSession,
        user: User,
        event: str,
        by: templates.Remover | None,
        passkey: str = "",
    ) -> None:
        """Queue a mail that tells of a second factor: on, off, or a recovery code was used.

        Args:
            session: of the transaction that does it.
            user: whose it is.
            event: of the log.
            by: who has taken it off; ``None`` where the user did it.
            passkey: the name of the one that it is about.

        """
        at_s, account = self._now_s(), self._url() + PAGE_SESSIONS
        letter = templates.second_factor(event, by, passkey, at_s=at_s, account=account)
        # two that are removed within a second are two mails: the name's hash tells them apart
        about = f":{_hash(passkey)[:16]}" if passkey else ""
        dedupe = f"{letter.kind}:{user.id}:{event}:{at_s}{about}"[:100]
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
    """Marks of browsers in which somebody has signed in.

    Args:
        key: 32 secret bytes.
        sign_ins: know the addresses.

    """

    def __init__(self, key: bytes, sign_ins: SignIns) -> None:
        self._key = key
        self._sign_ins = sign_ins

    def mark(self, user_id: str, kept: str = "") -> str:
        """Return what the browser is to keep; what it keeps already, where that is good."""
        # the same browser keeps its name, or each sign-in would open a lane of fresh tries
        if self.name(user_id, kept):
            return kept
        name = host.token_urlsafe(_NAME_BYTES)
        return name + self._code(user_id, name)

    def name(self, user_id: str, kept: str) -> str:
        """Return the browser's name; empty where this user has not signed in with it."""
        name, code = kept[:_NAME], kept[_NAME:]
        # in constant time: who measures it must not find the code letter by letter
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
        # the browser before the address: an office shares one address, and one may fail for all
        if name := self.name(whose, kept):
            return f"{OF_BROWSER}{name}"
        return f"ip {ip}" if ip and await self._sign_ins.is_known(session, whose, ip) else ""

    def _code(self, user_id: str, name: str) -> str:
        # the word in front keeps this key's other codes, should there be any, from fitting here
        said = f"browser|{user_id}|{name}".encode()
        digest = hmac.digest(self._key, said, "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
