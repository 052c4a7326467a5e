"""First contact: a terminal dials in on a machine that does not know its token; the verdict on it.

Theory of operation
===================

The daemon relays. It passes on what the EA said and its own nonce; we answer with the proof that
we know the token, good for that device alone. The EA checks it and proves in turn that it holds
the token; the daemon passes that on too. Token and keys never reach a daemon that is not
approved. Only who has proved to hold the token makes us do more: a row of the device, a request,
a mail.

Who asks for a token that is nobody's gets a proof as well, made with a key that depends on the
token's id and on nothing else: the same answer by the same work, asked as often as one likes.

The verdict: a machine is approved once per user. A token that comes up on a machine which its user
has approved is let in at once, and the user is told; unless it lives on another machine already,
or comes from another terminal than before: then the user is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge.protocol.handshake import auth_message, is_client_proof, server_proof
from ea_bridge.token import mac
from gateway.console.activity import place_of, printable
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
from gateway.credentials.daemon_api import (
    ApprovalVerdict,
    ContactAnswer,
    DeniedCode,
    TerminalDescription,
)
from gateway.credentials.daemon_api import Contact as ContactBody
from gateway.credentials.secrets import Place

from .requests import (
    LIFE_S,
    PAGE_DEVICES,
    PAGE_NOT_ME,
    PAGE_REQUEST,
    PAGE_REVIEW,
    TRIES,
    ApprovalServices,
    Hashes,
    NewCodes,
    contact_facts,
    is_open,
    letter_facts,
    new_codes,
    other_devices,
    requests,
    token_refusal,
    views,
)

CONTACT_S = 60
"""Between the two halves; the EA itself waits 15 s."""
_NOBODY = Place("tokens", "nobody", "server_key")


@dataclass(frozen=True)
class _TokenOwner:
    token: Token
    user: User


class FirstContacts:
    """First contacts of terminals that a daemon relays."""

    def __init__(self, services: ApprovalServices, admission: ContactAdmission) -> None:
        self._services = services
        self._admission = admission
        self._cleaned_at = 0
        # opened for unknown tokens, so that they cost what known ones cost
        self._nobody = services.box.seal(bytes(32), _NOBODY)

    async def contact(self, did: str, body: ContactBody, ip: str) -> ContactAnswer:
        """Answer the first half.

        Args:
            did: of the device that signed the request; ``body.pub`` is its key.
            body: what it relays.
            ip: from where.

        """
        async with self._services.db.begin() as session:
            known = await self._find(session, body.tid)
            # longer than a row's name: 144 bits, as the daemon alone may go on with this contact
            eid = new_id() + new_id()[:8]
            # for unknown tokens, too: else the time of the answer would tell them
            session.add(self._row(eid, did, body, ip))
            await self._cleanup(session)
        message = _message(body.tid, body.cnonce, body.snonce, did)
        return ContactAnswer(
            eid=eid, proof=server_proof(self._key(known, body.tid), message).hex()
        )

    async def key(self, eid: str) -> str | None:
        """Return the public key of the device that made a contact, as it said it."""
        async with self._services.db.session() as session:
            return await session.scalar(select(Contact.pub).where(Contact.eid == eid))

    async def prove(self, did: str, eid: str, client_proof: str) -> ApprovalVerdict:
        """Take the second half and say what becomes of it. Each contact is proved once.

        Raises:
            TooBusy: too much is being hashed.

        """
        async with self._services.db.begin() as session:
            # taken before the proof is looked at: a second try needs a new contact with new nonces
            contact = await self._take(session, did, eid)
            tid = contact.tid if contact else ""
            known = await self._find(session, tid)
        nobodys = self._dummy(tid)  # also for known tokens: the work is the same
        stored = bytes.fromhex(known.token.stored_key) if known else nobodys
        cnonce, snonce = (contact.cnonce, contact.snonce) if contact else ("00" * 32, "00" * 32)
        message = _message(tid, cnonce, snonce, did)
        is_proved = is_client_proof(stored, message, bytes.fromhex(client_proof))
        # one answer for all three: nobody learns whether there is such a token
        if contact is None or known is None or not is_proved:
            return ApprovalVerdict(status="denied", code="unknown")
        return await self._admission.admit(contact, known.user.id)

    async def _find(self, session: AsyncSession, tid: str) -> _TokenOwner | None:
        wanted = select(Token, User).join(User, User.id == Token.user_id).where(Token.tid == tid)
        row = (await session.execute(wanted)).first()
        return None if row is None else _TokenOwner(*row)

    async def _take(self, session: AsyncSession, did: str, eid: str) -> Contact | None:
        now_s = self._services.now_s()
        mine = (
            update(Contact)
            .where(Contact.eid == eid, Contact.did == did)
            # one statement decides: of two proofs for one contact one is looked at
            .where(Contact.proved_at.is_(None), Contact.exp > now_s)
            .values(proved_at=now_s)
        )
        return (await session.scalars(mine.returning(Contact))).one_or_none()

    async def _cleanup(self, session: AsyncSession) -> None:
        """Forget contacts that are over, now and then."""
        now_s = self._services.now_s()
        if not 0 <= now_s - self._cleaned_at < CONTACT_S:
            self._cleaned_at = now_s
            await session.execute(delete(Contact).where(Contact.exp <= now_s))

    def _row(self, eid: str, did: str, body: ContactBody, ip: str) -> Contact:
        now_s = self._services.now_s()
        return Contact(
            eid=eid,
            did=did,
            pub=body.pub,
            tid=body.tid,
            os=printable(body.os)[:100],
            # shown to people: what a daemon says of itself is cleaned and cut
            hostname=printable(body.hostname),
            version=printable(body.version)[:64],
            terminal=body.terminal.model_dump_json(),
            cnonce=body.cnonce,
            snonce=body.snonce,
            ip=ip[:64],
            created_at=now_s,
            exp=now_s + CONTACT_S,
        )

    def _key(self, known: _TokenOwner | None, tid: str) -> bytes:
        """Return the server key, or what stands for it; the work is the same."""
        dummy = self._dummy(tid)
        if known is None:
            # the same decryption as for a token that is there, so that the time tells nothing
            self._services.box.open(self._nobody, _NOBODY)
            return dummy
        return self._services.tokens.server_key(known.token)

    def _dummy(self, tid: str) -> bytes:
        return mac(self._services.box.kek, b"mgt-nobody|" + tid.encode())


def _message(tid: str, cnonce: str, snonce: str, did: str) -> bytes:
    return auth_message(tid, bytes.fromhex(cnonce), bytes.fromhex(snonce), did)


MAX_MAILS_PER_TOKEN = 3
TOKEN_WINDOW_S = 3600
MAX_MAILS_PER_USER = 10
USER_WINDOW_S = 86_400
MAX_OPEN = 3
"""Requests of one user that wait at a time."""


@dataclass(frozen=True)
class _Ask:
    """Verdict that a request is to be made."""


class ContactAdmission:
    """Decides about contacts whose terminal holds the token."""

    def __init__(self, services: ApprovalServices) -> None:
        self._services = services

    async def admit(self, contact: Contact, user_id: str) -> ApprovalVerdict:
        """Return the verdict; a pending one carries the code for the terminal to show.

        Nothing is kept of a device that gets nothing: who makes new keys makes no new rows.

        Raises:
            TooBusy: too much is being hashed.

        """
        async with self._services.db.begin() as session:
            # judged once before anything is hashed, as hashing is dear, and again after it, as it
            # is slow
            verdict = await self._judge(session, contact, user_id)
        if isinstance(verdict, ApprovalVerdict) and verdict.status == "denied":
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
            # hashing took a while: the token may be revoked, or the owner asked by another by now
            again = await self._judge(session, contact, user_id)
            if not isinstance(again, _Ask):
                return again
            return await self._ask(session, contact, user_id, rid, codes, hashes)

    async def _judge(
        self, session: AsyncSession, contact: Contact, user_id: str
    ) -> ApprovalVerdict | _Ask:
        user = await locked_user(session, user_id)
        token = await session.get_one(Token, contact.tid, with_for_update=True)
        status = await self._services.devices.status(session, user_id, contact.did)
        refusal = token_refusal(user, token, self._services.now_s())
        if refusal is not None or status == "revoked":
            return _denied(refusal or "device_revoked")
        if status == "approved" and not await self._has_to_ask(session, contact, token):
            await self._let_in(session, contact, user, token)
            return ApprovalVerdict(status="approved")
        # bounded: who has a token could else fill its owner's mailbox
        is_free = await self._is_free(session, contact, user_id)
        return _Ask() if is_free else _denied("busy")

    async def _has_to_ask(self, session: AsyncSession, contact: Contact, token: Token) -> bool:
        bound = await session.get(TokenDevice, (contact.tid, contact.did))
        if bound is not None and bound.status == "approved":
            terminal = TerminalDescription.model_validate_json(contact.terminal)
            # the device is known for this token: only another terminal on it makes a question
            return token.strict_terminal and bound.terminal_fp != terminal.fp
        # on another machine too: a stolen token would come up on a known one just like this
        return bool(await other_devices(session, contact.tid, contact.did))

    async def _let_in(
        self, session: AsyncSession, contact: Contact, user: User, token: Token
    ) -> None:
        bound = await session.get(TokenDevice, (contact.tid, contact.did))
        if bound is not None and bound.status == "approved":
            return
        services, now_s = self._services, self._services.now_s()
        terminal = TerminalDescription.model_validate_json(contact.terminal)
        await services.devices.approve(
            session, token, contact.did, terminal_fp=terminal.fp, by="known"
        )
        facts = contact_facts(contact, token, place_of(contact.ip))
        letter = templates.terminal_moved(facts, at_s=now_s, devices=services.url() + PAGE_DEVICES)
        await services.send(session, letter, user, token.tid, about=contact.eid)

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
    ) -> ApprovalVerdict:
        services, now_s = self._services, self._services.now_s()
        # the terminal shows only the newest code: an older request could no longer be approved
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
        await services.send(session, letter, user, contact.tid, about=rid, exp=now_s + LIFE_S)
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


def pending(rid: str, user_code: str | None, url: str, expires_s: int) -> ApprovalVerdict:
    """Return the verdict of a request that waits."""
    return ApprovalVerdict(
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


def _denied(code: DeniedCode) -> ApprovalVerdict:
    return ApprovalVerdict(status="denied", code=code)
