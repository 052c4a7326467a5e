"""Invitations and password resets: links that are sent by mail.

A reset link is mailed at most once in :data:`PAUSE_S` for each account. Whoever asks for one is
answered before anything is looked up, so that neither the answer nor its time tells whether there
is such an account.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from sqlalchemy import select

from ea_bridge import host

from .activity import ActivityLog
from .database import Database
from .database.model import User
from .ids import new_secret
from .links import INVITATION, RESET, RESET_S, Links
from .mail import MailQueue, templates
from .user_info import UserInfo, email_key
from .users import Users

logger = logging.getLogger(__name__)

PAUSE_S = 1200
MAX_WAITING = 100
"""Requests that are not looked at yet; more are dropped."""
PAGE = "/reset/"


class Resets:
    """Sends reset links.

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
            self._asked.put_nowait(email[:320])

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Look at what was asked until the block ends."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

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
                dedupe=f"reset:{user.id}:{self._now_s() // PAUSE_S}",
                exp=self._now_s() + RESET_S,
                user_id=user.id,
            )
            if is_first:  # else the link of the first mail stays good
                await self._links.keep(session, secret, RESET, user.id, RESET_S)
                self._activity.note(session, "password.reset_asked", user_id=user.id)


INVITATION_S = 3 * 86_400
PAGE_INVITATION = "/invitation/{secret}"
PAGE_FORGOT = "/forgot"


class Invitations:
    """Invites people.

    Args:
        db: mails are queued in its transactions.
        users: makes the accounts.
        links: that work once.
        mail: the queue.
        url: of the console.

    """

    def __init__(
        self, db: Database, users: Users, links: Links, mail: MailQueue, url: Callable[[], str]
    ) -> None:
        self._db = db
        self._users = users
        self._links = links
        self._mail = mail
        self._url = url

    async def invite(
        self, email: str, name: str, *, by: UserInfo, admin: bool = False
    ) -> UserInfo:
        """Make an account with a password that nobody knows, and send a link to choose one.

        Args:
            email: where the link goes.
            name: of the person.
            by: who invites; the mail names him.
            admin: whether the person is to administer the console.

        Raises:
            Invalid: address or name cannot be had.
            Taken: there is an account with the address.

        """
        unknown = host.token_urlsafe(32)
        user = await self._users.create(email, name, unknown, admin=admin, chosen=False)
        secret = await self._links.make(INVITATION, user.id, INVITATION_S)
        url = self._url()
        letter = templates.invitation(
            url + PAGE_INVITATION.format(secret=secret),
            by=(by.name, by.email),
            address=user.email,
            console=url,
            forgot=url + PAGE_FORGOT,
            at_s=user.created_at,
            minutes=INVITATION_S // 60,
        )
        async with self._db.begin() as session:
            await self._mail.put(
                session,
                letter,
                address=user.email,
                dedupe=f"invitation:{user.id}",
                exp=user.created_at + INVITATION_S,
                user_id=user.id,
            )
        return user
