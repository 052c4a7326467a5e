"""First contact: a terminal dials in on a machine that does not know its token.

Theory of operation
===================

The daemon relays. It passes on what the EA said and its own nonce; we answer with the proof that
we know the token, good for that device alone. The EA checks it and proves in turn that it holds
the token; the daemon passes that on too. Token and keys never reach a daemon that is not
approved. Only who has proved to hold the token makes us do more: a row of the device, a request,
a mail.

Who asks for a token that is nobody's gets a proof as well, made with a key that depends on the
token's id and on nothing else: the same answer by the same work, asked as often as one likes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge.protocol.handshake import auth_message, is_client_proof, server_proof
from ea_bridge.token import mac
from gateway.console.activity import printable
from gateway.console.database.model import Contact, Token, User
from gateway.console.ids import new_id
from gateway.credentials.daemon_api import Contact as ContactBody
from gateway.credentials.daemon_api import ContactAnswer, Verdict
from gateway.credentials.secrets import Place

from .admission import ContactAdmission
from .services import ApprovalServices

CONTACT_S = 60
"""Between the two halves; the EA itself waits 15 s."""
_NOBODY = Place("tokens", "nobody", "server_key")


@dataclass(frozen=True)
class _TokenOwner:
    token: Token
    user: User


class FirstContacts:
    """Answers terminals that a daemon relays."""

    def __init__(self, services: ApprovalServices, admission: ContactAdmission) -> None:
        self._services = services
        self._admission = admission
        self._tidied_at = 0
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
            eid = new_id() + new_id()[:8]
            session.add(self._row(eid, did, body, ip))
            await self._tidy(session)
        message = _message(body.tid, body.cnonce, body.snonce, did)
        return ContactAnswer(
            eid=eid, proof=server_proof(self._key(known, body.tid), message).hex()
        )

    async def key(self, eid: str) -> str | None:
        """Return the public key of the device that made a contact, as it said it."""
        async with self._services.db.session() as session:
            return await session.scalar(select(Contact.pub).where(Contact.eid == eid))

    async def prove(self, did: str, eid: str, client_proof: str) -> Verdict:
        """Take the second half and say what becomes of it. Each contact is proved once.

        Raises:
            TooBusy: too much is being hashed.

        """
        async with self._services.db.begin() as session:
            contact = await self._take(session, did, eid)
            tid = contact.tid if contact else ""
            known = await self._find(session, tid)
        nobodys = self._dummy(tid)  # also for known tokens: the work is the same
        stored = bytes.fromhex(known.token.stored_key) if known else nobodys
        cnonce, snonce = (contact.cnonce, contact.snonce) if contact else ("00" * 32, "00" * 32)
        message = _message(tid, cnonce, snonce, did)
        is_proved = is_client_proof(stored, message, bytes.fromhex(client_proof))
        if contact is None or known is None or not is_proved:
            return Verdict(status="denied", code="unknown")
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
            .where(Contact.proved_at.is_(None), Contact.exp > now_s)
            .values(proved_at=now_s)
        )
        return (await session.scalars(mine.returning(Contact))).one_or_none()

    async def _tidy(self, session: AsyncSession) -> None:
        """Forget contacts that are over, now and then."""
        now_s = self._services.now_s()
        if not 0 <= now_s - self._tidied_at < CONTACT_S:
            self._tidied_at = now_s
            await session.execute(delete(Contact).where(Contact.exp <= now_s))

    def _row(self, eid: str, did: str, body: ContactBody, ip: str) -> Contact:
        now_s = self._services.now_s()
        return Contact(
            eid=eid,
            did=did,
            pub=body.pub,
            tid=body.tid,
            os=printable(body.os)[:100],
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
            self._services.box.open(self._nobody, _NOBODY)
            return dummy
        return self._services.tokens.server_key(known.token)

    def _dummy(self, tid: str) -> bytes:
        return mac(self._services.box.kek, b"mgt-nobody|" + tid.encode())


def _message(tid: str, cnonce: str, snonce: str, did: str) -> bytes:
    return auth_message(tid, bytes.fromhex(cnonce), bytes.fromhex(snonce), did)
