"""Mail servers of all sorts, on real sockets: good ones, broken ones, hostile ones."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USERNAME, PASSWORD = "console", "s3cret-of-the-mail-server"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate, and who may trust it."""

    pem: Path

    def server(self) -> ssl.SSLContext:
        """Return the server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        return context

    def trust(self) -> ssl.SSLContext:
        """Return the side of somebody who trusts it."""
        return ssl.create_default_context(cafile=self.pem)


def certificate(folder: Path, *, name: str = "127.0.0.1", days: int = 1) -> Certificate:
    """Make a certificate; with negative days it has run out."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    alternative: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        alternative = x509.IPAddress(ipaddress.ip_address(name))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}{days}.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return Certificate(pem)


@dataclass
class Mailbox:
    """What a server took, and how it answers."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)
    """Whether each mail came encrypted."""
    rcpt: str = "250 OK"
    data: list[str] = field(default_factory=list)
    """Answers to the next mails; then 250."""
    drops: bool = False

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Any, address: str, _: Any
    ) -> str:
        """Take a recipient, or not."""
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        """Take a mail, or not."""
        if self.drops:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "250 OK"
        answer = self.data.pop(0) if self.data else "250 OK"
        if answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=SMTP_POLICY))  # type: ignore[arg-type]
            self.recipients.append(list(envelope.rcpt_tos))
            assert server.transport is not None
            self.tls.append(server.transport.get_extra_info("sslcontext") is not None)
        return answer

    def authenticate(
        self, server: SMTP, session: Any, envelope: Any, kind: str, data: Any
    ) -> AuthResult:
        """Check name and password."""
        given = data.login.decode(), data.password.decode()
        self.logins.append(given)
        return AuthResult(success=given == (USERNAME, PASSWORD), handled=False)


@asynccontextmanager
async def mail_server(
    box: Mailbox, certificate: Certificate | None = None, *, implicit: bool = False
) -> AsyncIterator[int]:
    """Run a server; gives its port."""
    loop = asyncio.get_running_loop()
    context = certificate.server() if certificate else None

    def protocol() -> SMTP:
        return SMTP(
            box,
            hostname="127.0.0.1",
            tls_context=None if implicit else context,
            require_starttls=context is not None and not implicit,
            authenticator=box.authenticate,
            auth_require_tls=not implicit,
            enable_SMTPUTF8=False,
        )

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if implicit else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(talk: Talk) -> AsyncIterator[int]:
    """Run a server that says what a test wants; gives its port."""
    talks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(ConnectionError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
