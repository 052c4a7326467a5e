"""What the tests of approvals share: an EA and its daemon as the console meets them, and mails."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field

from console_fixtures import FINGERPRINT, IP, Machine
from sqlalchemy import select

from ea_bridge import host
from ea_bridge.protocol.handshake import NONCE_BYTES, auth_message, client_proof, server_proof
from ea_bridge.token import derive_keys, parse_token
from gateway.console.database.model import QueuedMail
from gateway.console.service import Console
from gateway.credentials.daemon_api import ApprovalVerdict, Contact, TerminalDescription
from gateway.credentials.keyset import public_text
from gateway.credentials.secrets import Place


@dataclass(frozen=True)
class Terminal:
    """An EA with a token, which dials in at the daemon of a machine."""

    token: str = field(repr=False)
    machine: Machine = field(default_factory=Machine)
    fp: str = FINGERPRINT
    login: int = 5001234

    def hello(self) -> Contact:
        """Return what the daemon relays."""
        return Contact(
            pub=public_text(self.machine.key.public_key()),
            os="Windows 11",
            hostname=self.machine.name,
            version="0.1.0",
            tid=parse_token(self.token),
            terminal=TerminalDescription(
                platform="mt5",
                login=self.login,
                server="Demo-Server",
                company="A Broker",
                fp=self.fp,
            ),
            cnonce=host.token_hex(NONCE_BYTES),
            snonce=host.token_hex(NONCE_BYTES),
        )

    def message(self, hello: Contact) -> bytes:
        """Return what both proofs are about."""
        nonces = bytes.fromhex(hello.cnonce), bytes.fromhex(hello.snonce)
        return auth_message(hello.tid, *nonces, self.machine.did)

    def is_console(self, hello: Contact, proof: str) -> bool:
        """Whether the console has shown that it knows the token."""
        expected = server_proof(derive_keys(self.token).server_key, self.message(hello))
        return secrets.compare_digest(expected.hex(), proof)

    def proof(self, hello: Contact) -> str:
        """Return the EA's proof."""
        return client_proof(self.token, self.message(hello)).hex()

    async def dial(self, console: Console, ip: str = IP) -> ApprovalVerdict:
        """Make a first contact, and return what becomes of it."""
        hello = self.hello()
        answer = await console.approvals.contact(self.machine.did, hello, ip)
        assert self.is_console(hello, answer.proof)
        return await console.approvals.prove(self.machine.did, answer.eid, self.proof(hello))


async def approve_shown(console: Console, user_id: str, verdict: ApprovalVerdict) -> None:
    """Approve on the page what a terminal asks for, with the code that it shows."""
    assert verdict.rid is not None
    assert verdict.user_code is not None
    await console.approvals.approve(user_id, verdict.rid, verdict.user_code)


@dataclass(frozen=True)
class Post:
    """A mail that waits or was sent."""

    kind: str
    address: str
    subject: str
    text: str
    html: str
    status: str

    @property
    def code(self) -> str:
        """The code to be typed at the device."""
        found = re.search(r"mt-gateway verify ([0-9]{8})$", self.text, re.MULTILINE)
        assert found
        return found[1]

    def secret(self, page: str) -> str:
        """Return the secret of a link such as ``/approve/...``."""
        found = re.search(rf"http://127\.0\.0\.1:[0-9]+/{page}/([A-Za-z0-9_-]{{43}})\n", self.text)
        assert found
        return found[1]


async def posts(console: Console, kind: str = "") -> list[Post]:
    """Return the mails of a sort, the oldest first."""
    async with console.db.session() as session:
        rows = (await session.scalars(select(QueuedMail).order_by(QueuedMail.created_at))).all()
    return [_post(console, row) for row in rows if kind in ("", row.kind)]


async def last_post(console: Console, kind: str = "new-device") -> Post:
    """Return the newest waiting mail of a sort."""
    return [letter for letter in await posts(console, kind) if letter.text][-1]


def _post(console: Console, row: QueuedMail) -> Post:
    body = {"text": "", "html": ""}
    if row.body:
        body = json.loads(console.box.open(row.body, Place("mails", row.id, "body")))
    return Post(row.kind, row.address, row.subject, body["text"], body["html"], row.status)
