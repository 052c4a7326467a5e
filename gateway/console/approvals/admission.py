"""Verdict on a terminal that has proved its token: let in, asked about, or turned away.

A machine is approved once per user. A token that comes up on a machine which its user has
approved is let in at once, and the user is told; unless it lives on another machine already, or
comes from another terminal than before: then the user is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console.activity import place_of
from gateway.console.database.model import (
    ApprovalRequest,
    Contact,
    QueuedMail,
    Token,
    TokenDevice,
    User,
)
from gateway.console.ids import new_id
from gateway.console.mail import templates
from gateway.console.user_info import locked_user
from gateway.credentials.daemon_api import DeniedCode, TerminalFacts, Verdict

from .codes import LIFE_S, TRIES, Hashes, NewCodes, new_codes
from .requests import (
    PAGE_DEVICES,
    PAGE_NOT_ME,
    PAGE_REQUEST,
    PAGE_REVIEW,
    contact_facts,
    is_open,
    letter_facts,
    other_devices,
    requests,
    token_refusal,
    views,
)
from .services import ApprovalServices

MAX_MAILS_PER_TOKEN = 3
TOKEN_WINDOW_S = 3600
MAX_MAILS_PER_USER = 10
USER_WINDOW_S = 86_400
MAX_OPEN = 3
"""Requests of one user that wait at a time."""


@dataclass(frozen=True)
class _Ask:
    """A request is to be made."""


class ContactAdmission:
    """Decides about contacts whose terminal holds the token."""

    def __init__(self, services: ApprovalServices) -> None:
        self._services = services

    async def admit(self, contact: Contact, user_id: str) -> Verdict:
        """Return the verdict; a pending one carries the code for the terminal to show.

        Nothing is kept of a device that gets nothing: who makes new keys makes no new rows.

        Raises:
            TooBusy: too much is being hashed.

        """
        async with self._services.db.begin() as session:
            # judged once before anything is hashed, as hashing is dear, and again after it, as it
            # is slow
            verdict = await self._judge(session, contact, user_id)
        if isinstance(verdict, Verdict) and verdict.status == "denied":
            return verdict
        # a device that is denied leaves no row: whoever makes new keys would fill the table
        await self._services.devices.seen(
            contact.did,
            pub=contact.pub,
            os=contact.os,
            hostname=contact.hostname,
            version=contact.version,
            ip=contact.ip,
        )
        if not isinstance(verdict, _Ask):
            return verdict
        rid, codes = new_id() + new_id()[:8], new_codes()
        hashes = await self._services.codes.hashes(rid, codes)
        async with self._services.db.begin() as session:
            again = await self._judge(session, contact, user_id)
            if not isinstance(again, _Ask):
                return again
            return await self._ask(session, contact, user_id, rid, codes, hashes)

    async def _judge(
        self, session: AsyncSession, contact: Contact, user_id: str
    ) -> Verdict | _Ask:
        user = await locked_user(session, user_id)
        token = await session.get_one(Token, contact.tid, with_for_update=True)
        status = await self._services.devices.status(session, user_id, contact.did)
        refusal = token_refusal(user, token, self._services.now_s())
        if refusal is not None or status == "revoked":
            return _denied(refusal or "device_revoked")
        if status == "approved" and not await self._has_to_ask(session, contact, token):
            await self._let_in(session, contact, user, token)
            return Verdict(status="approved")
        is_free = await self._is_free(session, contact, user_id)
        return _Ask() if is_free else _denied("busy")

    async def _has_to_ask(self, session: AsyncSession, contact: Contact, token: Token) -> bool:
        bound = await session.get(TokenDevice, (contact.tid, contact.did))
        if bound is not None and bound.status == "approved":
            terminal = TerminalFacts.model_validate_json(contact.terminal)
            # the device is known for this token: only another terminal on it makes a question
            return token.strict_terminal and bound.terminal_fp != terminal.fp
        return bool(await other_devices(session, contact.tid, contact.did))

    async def _let_in(
        self, session: AsyncSession, contact: Contact, user: User, token: Token
    ) -> None:
        bound = await session.get(TokenDevice, (contact.tid, contact.did))
        if bound is not None and bound.status == "approved":
            return
        services, now_s = self._services, self._services.now_s()
        terminal = TerminalFacts.model_validate_json(contact.terminal)
        await services.devices.approve(
            session, token, contact.did, terminal_fp=terminal.fp, by="known"
        )
        facts = contact_facts(contact, token, place_of(contact.ip))
        letter = templates.terminal_moved(facts, at_s=now_s, devices=services.url() + PAGE_DEVICES)
        await services.mail.put(
            session,
            letter,
            address=user.email,
            dedupe=f"{letter.kind}:{contact.eid}",
            user_id=user.id,
            tid=token.tid,
        )

    async def _is_free(self, session: AsyncSession, contact: Contact, user_id: str) -> bool:
        """Whether one more mail is not too much.

        What a token has brought about that is ended by now does not count: whoever had it must
        not keep its owner from approving machines for the next one.
        """
        now_s = self._services.now_s()
        goes_on = Token.status.in_(("active", "superseded"))
        mails = (
            select(func.count())
            .select_from(QueuedMail)
            .join(Token, Token.tid == QueuedMail.tid)
            .where(QueuedMail.kind == "new-device", goes_on)
        )
        of_token = mails.where(
            QueuedMail.tid == contact.tid, QueuedMail.created_at > now_s - TOKEN_WINDOW_S
        )
        of_user = mails.where(
            QueuedMail.user_id == user_id, QueuedMail.created_at > now_s - USER_WINDOW_S
        )
        others = (
            select(func.count())
            .select_from(ApprovalRequest)
            .join(Token, Token.tid == ApprovalRequest.tid)
            .where(ApprovalRequest.user_id == user_id, *is_open(now_s), goes_on)
            # that of the same token and device makes room
            .where((ApprovalRequest.tid != contact.tid) | (ApprovalRequest.did != contact.did))
        )
        return (
            (await session.scalar(of_token) or 0) < MAX_MAILS_PER_TOKEN
            and (await session.scalar(of_user) or 0) < MAX_MAILS_PER_USER
            and (await session.scalar(others) or 0) < MAX_OPEN
        )

    async def _ask(
        self,
        session: AsyncSession,
        contact: Contact,
        user_id: str,
        rid: str,
        codes: NewCodes,
        hashes: Hashes,
    ) -> Verdict:
        services, now_s = self._services, self._services.now_s()
        await self._end_older(session, contact)
        session.add(_row(contact, user_id, rid, hashes, now_s))
        await session.flush()
        [view] = await views(session, requests().where(ApprovalRequest.rid == rid), now_s)
        url = services.url()
        letter = templates.new_device(
            letter_facts(view),
            at_s=now_s,
            minutes=LIFE_S // 60,
            review=url + PAGE_REVIEW.format(secret=codes.link),
            not_me=url + PAGE_NOT_ME.format(secret=codes.link),
            code=codes.ecode,
        )
        user = await session.get_one(User, user_id)
        await services.mail.put(
            session,
            letter,
            address=user.email,
            dedupe=f"{letter.kind}:{rid}",
            exp=now_s + LIFE_S,
            user_id=user_id,
            tid=contact.tid,
        )
        services.activity.note(
            session,
            "device.asked",
            user_id=user_id,
            tid=contact.tid,
            did=contact.did,
            ip=contact.ip,
            detail=f"{view.token_name} on {view.device_name}",
        )
        return pending(rid, codes.user_code, url, LIFE_S)

    async def _end_older(self, session: AsyncSession, contact: Contact) -> None:
        same = (ApprovalRequest.tid == contact.tid) & (ApprovalRequest.did == contact.did)
        await session.execute(
            update(ApprovalRequest)
            .where(same, ApprovalRequest.status == "open")
            .values(status="dead", decided_at=self._services.now_s(), decided_by="newer")
        )


def pending(rid: str, user_code: str | None, url: str, expires_s: int) -> Verdict:
    """Return the verdict of a request that waits."""
    return Verdict(
        status="pending",
        rid=rid,
        user_code=user_code,
        url=url + PAGE_REQUEST.format(rid=rid),
        expires_s=expires_s,
    )


def _row(contact: Contact, user_id: str, rid: str, hashes: Hashes, now_s: int) -> ApprovalRequest:
    return ApprovalRequest(
        rid=rid,
        eid=contact.eid,
        user_id=user_id,
        tid=contact.tid,
        did=contact.did,
        status="open",
        user_code_hash=hashes.user_code,
        ecode_hash=hashes.ecode,
        link_hash=hashes.link,
        tries_left=TRIES,
        terminal=contact.terminal,
        ip=contact.ip,
        place=place_of(contact.ip),
        created_at=now_s,
        exp=now_s + LIFE_S,
    )


def _denied(code: DeniedCode) -> Verdict:
    return Verdict(status="denied", code=code)
