"""What a request is about, read from the tables: for pages, and for letters."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console.activity import printable
from gateway.console.database.model import (
    ApprovalRequest,
    Contact,
    Device,
    Token,
    TokenDevice,
    UserDevice,
)
from gateway.console.mail.letters import DeviceFacts
from gateway.credentials.daemon_api import TerminalFacts
from gateway.credentials.device import device_words

from .codes import link_hash
from .views import RequestView, Status

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
    hashed = link_hash(secret)
    return (ApprovalRequest.link_hash == hashed) | (ApprovalRequest.revoke_hash == hashed)


def is_open(now_s: int) -> tuple[ColumnElement[bool], ...]:
    """What is true of requests that can still be decided."""
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
    if row.status in _DECIDED:
        return _DECIDED[row.status]
    if now_s >= row.exp:
        return "expired"
    return "pending" if row.tries_left > 0 else "dead"


def hint(tid: str) -> str:
    """Return the first and last four characters of a token's public id."""
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
    terminal = TerminalFacts.model_validate_json(contact.terminal)
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
    terminal = TerminalFacts.model_validate_json(row.terminal)
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
