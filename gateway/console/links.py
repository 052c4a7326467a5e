"""Links that work once: for the first administrator, an invitation, a forgotten password.

A reset link is mailed at most once in :data:`PAUSE_S` for each account. Whoever asks for one is
answered before anything is looked up, so that neither the answer nor its time tells whether there
is such an account.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.background import background

from .activity import ActivityLog
from .database import Database
from .database.model import OneTimeLink as Row
from .database.model import User
from .errors import Gone
from .ids import new_secret, secret_hash
from .mail import MailQueue, templates
from .user_info import email_key

logger = logging.getLogger(__name__)

PAUSE_S = 1200
MAX_WAITING = 100
"""Requests that are not looked at yet; more are dropped."""
PAGE = "/reset/"


class Resets:
    """Sender of reset links.

    Args:
        db: with the users.
        links: makes the links.
        mail: carries them.
        activity: the log.
        url: where people find the console.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        links: Links,
        mail: MailQueue,
        activity: ActivityLog,
        url: Callable[[], str],
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._links = links
        self._mail = mail
        self._activity = activity
        self._url = url
        self._now_s = now_s
        self._asked: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)

    def ask(self, email: str) -> None:
        """Have a link sent, if there is such an account; returns at once in any case."""
        with suppress(asyncio.QueueFull):
            # dropped when full: whoever floods the form delays others, but fills no memory
            self._asked.put_nowait(email[:320])

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Look at what was asked until the block ends."""
        async with background(self._work()):
            yield

    async def settled(self) -> None:
        """Wait until everything that was asked is done."""
        await self._asked.join()

    async def _work(self) -> None:
        while True:
            email = await self._asked.get()
            try:
                await self._send(email)
            except Exception:  # one that fails must not keep the others from their link
                logger.exception("a reset link could not be sent")
            finally:
                self._asked.task_done()

    async def _send(self, email: str) -> None:
        secret = new_secret()
        async with self._db.begin() as session:
            wanted = select(User).where(User.email_key == email_key(email))
            user = (await session.scalars(wanted)).one_or_none()
            if user is None or user.status != "active":
                return
            letter = templates.password_reset(
                f"{self._url()}{PAGE}{secret}", minutes=RESET_S // 60
            )
            is_first = await self._mail.put(
                session,
                letter,
                address=user.email,
                # the pause is in the name: two processes send one mail, without a lock
                dedupe=f"reset:{user.id}:{self._now_s() // PAUSE_S}",
                # a mail that waits longer than its link works would only confuse
                exp=self._now_s() + RESET_S,
                user_id=user.id,
            )
            if is_first:  # else the link of the first mail stays good
                await self._links.keep(session, secret, RESET, user.id, RESET_S)
                self._activity.note(session, "password.reset_asked", user_id=user.id)


SETUP = "setup"
RESET = "reset"
INVITATION = "invitation"
SETUP_S = 86_400
RESET_S = 1800


@dataclass(frozen=True)
class LinkInfo:
    """Purpose and owner of a link."""

    purpose: str
    user_id: str | None
    exp: int


class Links:
    """Store of one-time links: made, looked at, taken.

    Args:
        db: keeps hashes of them.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s

    async def make(
        self, purpose: str, user_id: str | None, ttl_s: int, *, alone: bool = True
    ) -> str:
        """Return the secret of a new link; see :meth:`keep`."""
        secret = new_secret()
        async with self._db.begin() as session:
            await self.keep(session, secret, purpose, user_id, ttl_s, alone=alone)
        return secret

    async def keep(
        self,
        session: AsyncSession,
        secret: str,
        purpose: str,
        user_id: str | None,
        ttl_s: int,
        *,
        alone: bool = True,
    ) -> None:
        """Note a fresh secret within a transaction.

        Args:
            session: of the transaction.
            secret: that opens it.
            purpose: what for.
            user_id: whose.
            ttl_s: how long it is good.
            alone: older ones for the same open nothing any more.

        """
        now_s = self._now_s()
        # one open link a purpose: whoever finds an older mail finds nothing that opens
        if alone:
            await self.drop(session, purpose, user_id)
        session.add(
            Row(
                secret_hash=secret_hash(secret),
                purpose=purpose,
                user_id=user_id,
                created_at=now_s,
                exp=now_s + ttl_s,
            )
        )

    async def peek(self, secret: str, purpose: str) -> LinkInfo:
        """Look at a link without using it: opening a page changes nothing.

        Raises:
            Gone: it was used, is over, or never was.

        """
        async with self._db.session() as session:
            row = (await session.scalars(select(Row).where(*self._open(secret, purpose)))).first()
            return _info(row)

    async def take(self, secret: str, purpose: str) -> LinkInfo:
        """Use a link; of two at once one gets it.

        Raises:
            Gone: it was used, is over, or never was.

        """
        async with self._db.begin() as session:
            return await self.take_in(session, secret, purpose)

    async def take_in(self, session: AsyncSession, secret: str, purpose: str) -> LinkInfo:
        """Use a link within a transaction: it is unused again if that fails.

        Raises:
            Gone: it was used, is over, or never was.

        """
        # one statement decides: of two that come at once with one link, one gets it
        taken = update(Row).where(*self._open(secret, purpose)).values(taken_at=self._now_s())
        return _info((await session.scalars(taken.returning(Row))).first())

    async def drop(self, session: AsyncSession, purpose: str, user_id: str | None) -> None:
        """Make the open links of a user for a purpose worthless."""
        same = (Row.user_id == user_id) if user_id is not None else Row.user_id.is_(None)
        await session.execute(delete(Row).where(Row.purpose == purpose, same))

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget those that are over."""
        # a day longer than they work, so that a clock set back does not bring one to life unseen
        await session.execute(delete(Row).where(Row.exp < self._now_s() - 86_400))

    def _open(self, secret: str, purpose: str) -> tuple[ColumnElement[bool], ...]:
        now_s = self._now_s()
        return (
            Row.secret_hash == secret_hash(secret),
            Row.purpose == purpose,
            Row.taken_at.is_(None),
            Row.exp > now_s,
            Row.created_at <= now_s + 60,  # a clock that was set back must not make it longer
        )


def _info(row: Row | None) -> LinkInfo:
    if row is None:
        raise Gone("This link was used already, or its time is over. Ask for a new one.")
    return LinkInfo(row.purpose, row.user_id, row.exp)
