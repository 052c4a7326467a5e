"""Accounts for people who are invited: a link by mail lets them choose a password."""

from __future__ import annotations

from collections.abc import Callable

from ea_bridge import host

from .database import Database
from .links import INVITATION, Links
from .mail import MailQueue, letters
from .people import UserInfo
from .users import Users

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
        letter = letters.invitation(
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
