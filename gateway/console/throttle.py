"""Throttle on tries of a password: for each account, and for each address.

Strangers must not keep an account's owner out by failing in his name. So an account has lanes
beside that of strangers: one for each browser and each address in which its owner has signed in.

A try is counted before the password is looked at and taken back when it was right, so that a
hundred tries at once are a hundred tries. Accounts that do not exist are counted like others.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.passwords import MAX_DELAY_S, MAX_FAILURES, delay_s

from .database import Database, insert_missing
from .database.model import Throttle as Row
from .errors import SignInRefused

PER_MINUTE = 20
"""Tries from one address."""
_KEEP_S = 86_400


class SignInThrottle:
    """Counts tries.

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
            self._count_account(row)

    async def succeeded(self, account: str) -> None:
        """Forget the failures of an account: its password was given."""
        async with self._db.begin() as session:
            await self.forget(session, account)

    async def forget(self, session: AsyncSession, account: str, lane: str = "") -> None:
        """Forget them within the transaction of a sign-in; those of the other lanes stay."""
        await session.execute(delete(Row).where(Row.key == _account_key(account, lane)))

    async def forget_all(self, session: AsyncSession, account: str) -> None:
        """Forget them within the transaction of a password reset, in all lanes."""
        key = _account_key(account)
        lanes = Row.key.startswith(f"{key}:", autoescape=True)
        await session.execute(delete(Row).where((Row.key == key) | lanes))

    async def take_back(self, account: str, lane: str = "") -> None:
        """Uncount a try that could not be made."""
        async with self._db.begin() as session:
            row = await self._row(session, _account_key(account, lane))
            row.count = max(0, row.count - 1)

    async def failures(self, account: str) -> int:
        """Return the failures in a row."""
        async with self._db.session() as session:
            row = await session.get(Row, _account_key(account))
            return 0 if row is None else row.count

    async def tidy(self, session: AsyncSession) -> None:
        """Forget what is a day old, except accounts that are shut."""
        old = Row.at < self._now_s() - _KEEP_S
        await session.execute(delete(Row).where(old, Row.count < MAX_FAILURES))

    async def _row(self, session: AsyncSession, key: str) -> Row:
        # a row of its own for each key, made first: two first tries at once lock the same one
        await insert_missing(session, Row, key=key, count=0, at=self._now_s())
        return await session.get_one(Row, key, with_for_update=True)

    def _count_address(self, row: Row) -> None:
        now_s = self._now_s()
        if not 0 <= now_s - row.at < 60:  # also when the clock was set back
            row.at, row.count = now_s, 0
        if row.count >= PER_MINUTE:
            raise SignInRefused(row.at + 60 - now_s)
        row.count += 1

    def _count_account(self, row: Row) -> None:
        now_s = self._now_s()
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
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


def _address_key(ip: str) -> str:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "ip:unknown"
    if address.version == 6:  # one customer has a whole /64
        return f"ip:{ipaddress.ip_network((address, 64), strict=False)}"
    return f"ip:{address}"
