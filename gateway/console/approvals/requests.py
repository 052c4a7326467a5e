"""Approval requests: their codes, and what pages and mails tell of them.

Secrets of one request are made, kept and compared so:

============ ============================================ =========== ==============
user code    8 of 20 letters (34.6 bits), on the terminal  typed on    Argon2id
                                                           the page
ecode        8 digits (26.6 bits), in the mail             typed at    Argon2id
                                                           the device
link         256 bits, in the mail                         followed    SHA-256
============ ============================================ =========== ==============

Each counts for one request: its id is hashed along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.console.activity import ActivityLog, printable
from gateway.console.database import Database
from gateway.console.database.model import (
    ApprovalRequest,
    Contact,
    Device,
    Token,
    TokenDevice,
    User,
    UserDevice,
)
from gateway.console.devices import Devices
from gateway.console.errors import ConsoleError, Gone
from gateway.console.ids import new_secret, secret_hash
from gateway.console.mail import MailQueue
from gateway.console.mail.templates import DeviceFacts, Letter
from gateway.console.tokens import Tokens
from gateway.credentials.daemon_api import DeniedCode, TerminalDescription
from gateway.credentials.device import device_words
from gateway.credentials.passwords import Passwords
from gateway.credentials.secrets import SecretBox

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words appear (RFC 8628, 6.1), and nothing that looks like a digit."""
CODE_LENGTH = 8
TRIES = 5
LIFE_S = 600


@dataclass(frozen=True)
class NewCodes:
    """As people see them; of these only hashes are kept."""

    user_code: str = field(repr=False)
    """``BCDF-GHJK``."""
    ecode: str = field(repr=False)
    link: str = field(repr=False)


@dataclass(frozen=True)
class Hashes:
    """Hashes of the codes; nothing else of them is kept."""

    user_code: str
    ecode: str
    link: str


def new_codes() -> NewCodes:
    """Return fresh codes from the system's randomness."""
    # each letter by itself: 20 to the 8th are 34 bits, enough for five tries in ten minutes
    letters = "".join(host.choice(LETTERS) for _ in range(CODE_LENGTH))
    return NewCodes(
        user_code=f"{letters[:4]}-{letters[4:]}",
        ecode=f"{host.randbelow(10**CODE_LENGTH):0{CODE_LENGTH}d}",
        link=new_secret(),
    )


class Codes:
    """Hasher of codes, in the threads that hash passwords.

    Args:
        hasher: with :data:`gateway.credentials.passwords.CODE_COST`.

    """

    def __init__(self, hasher: Passwords) -> None:
        self._hasher = hasher

    async def hashes(self, rid: str, codes: NewCodes) -> Hashes:
        """Return what may be stored.

        Raises:
            TooBusy: too much is being hashed.

        """
        return Hashes(
            user_code=await self._hasher.hash(_typed(rid, codes.user_code)),
            ecode=await self._hasher.hash(_typed(rid, codes.ecode)),
            link=link_hash(codes.link),
        )

    async def fits(self, stored: str, rid: str, code: str) -> bool:
        """Tell whether somebody typed the code; case, spaces and hyphens do not matter.

        Raises:
            TooBusy: too much is being hashed.

        """
        # hashed with the request's id: a code of one request fits no other, if it were the same
        return (await self._hasher.verify(stored, _typed(rid, code))).ok


def link_hash(link: str) -> str:
    """Return what is kept of a link's secret."""
    return secret_hash(link)


def _typed(rid: str, code: str) -> str:
    # as people type it: small letters, with or without the hyphen
    kept = "".join(letter for letter in code.upper() if letter not in " -")
    # cut before it is hashed: a form may carry 64 KiB
    return f"{rid}|{kept[:64]}"


@dataclass(frozen=True)
class ApprovalServices:
    """Services of the console that approvals need."""

    db: Database
    box: SecretBox = field(repr=False)
    now_s: Callable[[], int]
    codes: Codes
    tokens: Tokens
    devices: Devices
    activity: ActivityLog
    mail: MailQueue
    url: Callable[[], str]
    """Where people find the console: scheme, host and port."""

    async def send(
        self,
        session: AsyncSession,
        letter: Letter,
        user: User,
        tid: str,
        *,
        about: str,
        exp: int | None = None,
    ) -> None:
        """Queue a letter about a token to its user, within the caller's transaction.

        Args:
            session: of the transaction.
            letter: what to say.
            user: to whom.
            tid: of the token.
            about: the request or contact; a second letter of the same kind about it is not sent.
            exp: when it is of no use any more; a day from now by default.

        """
        await self.mail.put(
            session,
            letter,
            address=user.email,
            dedupe=f"{letter.kind}:{about}",
            exp=exp,
            user_id=user.id,
            tid=tid,
        )


def token_refusal(user: User, token: Token, now_s: int) -> DeniedCode | None:
    """Return what is wrong with a token; told only to who has proved to hold it."""
    # one word for both: who holds the token need not know which of the two it is
    if user.status != "active" or token.status == "disabled":
        return "account_disabled"
    if token.status == "revoked":
        return "revoked"
    if token.exp is not None and now_s >= token.exp:
        return "expired"
    return None


PAGE_REVIEW = "/approve/{secret}"
PAGE_NOT_ME = "/not-me/{secret}"
PAGE_REQUEST = "/requests/{rid}"
PAGE_DEVICES = "/devices"

Status = Literal["pending", "approved", "refused", "expired", "dead"]
"""``dead``: five wrong codes, or a newer request took its place."""


class WrongCode(ConsoleError):
    """Refusal of a code that is not the request's; the request stays undecided.

    Args:
        tries_left: with 0 the request is dead.

    """

    status = 403
    word = "wrong_code"

    def __init__(self, tries_left: int) -> None:
        left = {0: "No try is left: start over at the terminal.", 1: "One try is left."}
        super().__init__(
            f"That is not the code. {left.get(tries_left, f'{tries_left} tries are left.')}"
        )
        self.tries_left = tries_left


class RequestGone(Gone):
    """Refusal of a request that ran out, was decided, or is another user's."""

    def __init__(self) -> None:
        super().__init__("This request is over. Start a new one at the terminal.")


@dataclass(frozen=True)
class RequestView:
    """All that a person should look at before saying yes. Texts are a program's: escape them.

    Times are seconds since 1970.
    """

    rid: str
    user_id: str
    status: Status
    created_at: int
    expires_at: int
    tries_left: int
    tid: str
    token_name: str
    """Name of the terminal that the token is for."""
    token_hint: str
    """First and last four characters of the token's public id."""
    did: str
    device_name: str
    device_os: str
    device_version: str
    """Of the daemon."""
    device_words: str
    """To be compared with those that the daemon shows."""
    is_new_device: bool
    """``False``: the machine is known; it is this token or terminal that is new on it."""
    place: str
    """Such as ``this computer`` or ``address 203.0.113.7``."""
    platform: str
    login: int
    server: str
    company: str
    other_devices: tuple[str, ...] = ()
    """Names of machines on which the token lives already: a reason to be careful."""
    terminal_changed: bool = False
    """The token is known on this machine, but from another terminal."""


_DECIDED: dict[str, Status] = {"approved": "approved", "refused": "refused", "dead": "dead"}


def requests() -> Select[ApprovalRequest, Device, Token]:
    """Return the query of requests with machine and token; narrow it down."""
    return (
        select(ApprovalRequest, Device, Token)
        .join(Device, Device.did == ApprovalRequest.did)
        .join(Token, Token.tid == ApprovalRequest.tid)
    )


def has_link(secret: str) -> ColumnElement[bool]:
    """Tell whose link a secret is: that of the question's mail, or of the approval's."""
    # two links lead to one request: that of the question, and that of the mail of its approval
    hashed = link_hash(secret)
    return (ApprovalRequest.link_hash == hashed) | (ApprovalRequest.revoke_hash == hashed)


def is_open(now_s: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of requests that can still be decided."""
    return (
        ApprovalRequest.status == "open",
        ApprovalRequest.exp > now_s,
        ApprovalRequest.tries_left > 0,
    )


async def views(
    session: AsyncSession, wanted: Select[ApprovalRequest, Device, Token], now_s: int
) -> list[RequestView]:
    """Return requests as people see them."""
    rows = (await session.execute(wanted)).all()
    return [await _view(session, *row, now_s) for row in rows]


def status_of(row: ApprovalRequest, now_s: int) -> Status:
    """Return what has become of a request."""
    # before the time: a request that was approved does not expire afterwards
    if row.status in _DECIDED:
        return _DECIDED[row.status]
    if now_s >= row.exp:
        return "expired"
    return "pending" if row.tries_left > 0 else "dead"


def hint(tid: str) -> str:
    """Return the first and last four characters of a token's public id."""
    # the id opens nothing, but mails are read by many: enough to tell two tokens apart
    return f"{tid[:4]}…{tid[-4:]}"


def letter_facts(view: RequestView) -> DeviceFacts:
    """Return what a letter tells."""
    return DeviceFacts(
        name=view.device_name,
        os=view.device_os,
        words=view.device_words,
        place=view.place,
        token_name=view.token_name,
        token_hint=view.token_hint,
        platform=view.platform,
        login=view.login,
        server=view.server,
        company=view.company,
    )


def contact_facts(contact: Contact, token: Token, place: str) -> DeviceFacts:
    """Return what a letter tells of a contact that needs no request."""
    terminal = TerminalDescription.model_validate_json(contact.terminal)
    return DeviceFacts(
        name=contact.hostname,
        os=contact.os,
        words=device_words(contact.did),
        place=place,
        token_name=token.label,
        token_hint=hint(token.tid),
        platform=terminal.platform,
        login=terminal.login,
        server=terminal.server,
        company=terminal.company,
    )


async def _view(
    session: AsyncSession, row: ApprovalRequest, device: Device, token: Token, now_s: int
) -> RequestView:
    terminal = TerminalDescription.model_validate_json(row.terminal)
    bound = await session.get(TokenDevice, (row.tid, row.did))
    known = await session.get(UserDevice, (row.user_id, row.did))
    return RequestView(
        rid=row.rid,
        user_id=row.user_id,
        status=status_of(row, now_s),
        created_at=row.created_at,
        expires_at=row.exp,
        tries_left=row.tries_left,
        tid=row.tid,
        token_name=token.label,
        token_hint=hint(row.tid),
        did=row.did,
        device_name=device.hostname,
        device_os=device.os,
        device_version=device.version,
        device_words=device_words(row.did),
        is_new_device=known is None or known.status != "approved",
        place=row.place,
        platform=terminal.platform,
        login=terminal.login,
        server=printable(terminal.server),
        company=printable(terminal.company),
        other_devices=tuple(await other_devices(session, row.tid, row.did)),
        terminal_changed=bound is not None
        and bound.status == "approved"
        and bound.terminal_fp != terminal.fp,
    )


async def other_devices(session: AsyncSession, tid: str, did: str) -> Sequence[str]:
    """Return the names of the other machines on which a token may be used."""
    wanted = (
        select(Device.hostname)
        .join(TokenDevice, TokenDevice.did == Device.did)
        .where(TokenDevice.tid == tid, TokenDevice.did != did, TokenDevice.status == "approved")
        .order_by(Device.hostname)
    )
    return (await session.scalars(wanted)).all()
