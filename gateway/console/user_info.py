"""Facts about a user for the rest of the console: everything but the password's hash."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .database.model import Passkey, SecondFactor, User
from .errors import Invalid, NotFound
from .mail.transports import BadAddress, check_address

MAX_NAME = 100
NEVER = 0
"""When the password was changed of an account whose owner has not chosen one yet."""


@dataclass(frozen=True)
class UserInfo:
    """A user."""

    id: str
    email: str
    name: str
    is_admin: bool
    status: str
    """``active`` or ``disabled``."""
    must_change_password: bool
    created_at: int
    password_changed_at: int
    last_login_at: int | None

    @property
    def is_invited(self) -> bool:
        """Whether the person has not chosen a password yet."""
        return self.password_changed_at == NEVER


def user_info(row: User) -> UserInfo:
    """Return what may be told of a row."""
    return UserInfo(
        id=row.id,
        email=row.email,
        name=row.name,
        is_admin=row.is_admin,
        status=row.status,
        must_change_password=row.must_change_password,
        created_at=row.created_at,
        password_changed_at=row.password_changed_at,
        last_login_at=row.last_login_at,
    )


def email_key(email: str) -> str:
    """Return by what an address is found: one account for it, however it is written."""
    return email.strip().lower()


def checked_email(email: str) -> str:
    """Return an address to which mail can be sent.

    Raises:
        Invalid: it is none. Stricter than RFC 5322: no quotes, no comments, ASCII alone.

    """
    # people paste addresses with a space at the end
    email = email.strip()
    try:
        check_address(email)
    except BadAddress:
        raise Invalid("Give an email address such as name@example.com.") from None
    return email


def checked_name(name: str) -> str:
    """Return a person's name.

    Raises:
        Invalid: it is too long, or has characters that cannot be shown.

    """
    name = name.strip()
    # names stand in mails and logs: a line end or a turning character would tell what is not so
    if len(name) > MAX_NAME or not name.isprintable():
        raise Invalid(f"A name has at most {MAX_NAME} characters, on one line.")
    return name


async def locked_user(session: AsyncSession, user_id: str) -> User:
    """Return a user's row, locked: what is changed for one user is changed in turn.

    Every change of tokens and devices begins with it, so that two never wait for each other.

    Raises:
        NotFound: there is no such user.

    """
    # the first lock of every change to what belongs to a user: so two changes never cross
    wanted = select(User).where(User.id == user_id).with_for_update()
    row = (await session.scalars(wanted)).one_or_none()
    if row is None:
        raise NotFound("There is no such user.")
    return row


async def user_by_email(session: AsyncSession, email: str) -> User | None:
    """Return the account of an address, however it is written; ``None`` if there is none."""
    # cut: a form may carry a text of any length, and the index compares it
    wanted = select(User).where(User.email_key == email_key(email)[:300])
    return (await session.scalars(wanted)).one_or_none()


async def has_second_factor(session: AsyncSession, user_id: str) -> bool:
    """Whether a user's sign-ins need a code or a passkey beside the password."""
    row = await session.get(SecondFactor, user_id)
    if row is not None and row.confirmed_at is not None:
        return True
    passkey = select(Passkey.id).where(Passkey.user_id == user_id).limit(1)
    return (await session.scalar(passkey)) is not None


async def other_admin(session: AsyncSession, user_id: str) -> bool:
    """Whether there is an administrator beside a user."""
    others = select(User.id).where(User.is_admin, User.status == "active", User.id != user_id)
    return (await session.scalar(others.limit(1))) is not None


def tries_name(email: str, event: str) -> str:
    """Return under what tries are counted; nothing that is typed as an address is another's."""
    return f"{event} {email_key(email)}"
