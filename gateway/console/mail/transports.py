"""Transports of mails: a folder, or a mail server that is spoken to encrypted alone.

Few kinds of addresses are written to. Mail libraries differ in what they make of odd addresses;
some drop what follows a line end, some send it as a command. So nothing odd reaches them.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import aiosmtplib

from ea_bridge import host
from gateway.config import Smtp
from gateway.console.settings import sender

MAX_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3 without the angle brackets."""
MAX_LOCAL = 64

_LOCAL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII
)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)


class BadAddress(ValueError):
    """Refusal of a text that is no mail address we would write to."""


def check_address(text: str) -> str:
    """Return the address as it is to be kept: the part after the ``@`` in lower case.

    Raises:
        BadAddress: it is not ASCII, has not one ``@``, is too long, quoted or otherwise odd.

    """
    local, at, domain = text.rpartition("@")
    fits = len(text) <= MAX_ADDRESS and len(local) <= MAX_LOCAL
    # `fullmatch`, as `$` would let a line end pass: that is how mails get further headers
    if not (at and fits and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        raise BadAddress("give one mail address in plain letters, such as name@example.com")
    return f"{local}@{domain.lower()}"


TRY_S = 10
"""For one try from the first byte to the last."""
OUTBOX = "outbox"


class MailError(Exception):
    """Failure to hand over a mail. The text is a short word of ours, never the server's."""


class TryLater(MailError):
    """Failure that may pass: the mail is tried again."""


class Undeliverable(MailError):
    """Failure for good: the mail is not tried again."""


class MailTransport(Protocol):
    """Transport of mails."""

    async def carry(self, message: EmailMessage, address: str) -> None:
        """Hand a mail over.

        Raises:
            TryLater: or
            Undeliverable: it was not taken.

        """


class FolderTransport:
    """Transport into a folder, for people without a mail server."""

    def __init__(self, home: Path) -> None:
        self.folder = home / OUTBOX

    async def carry(self, message: EmailMessage, address: str) -> None:
        """Write ``<date>-<sort>-<id>.eml``, whole or not at all, for the owner's eyes."""
        _checked(address)
        try:
            await asyncio.to_thread(self._write, message)
        except OSError:
            raise TryLater("the outbox cannot be written") from None

    def _write(self, message: EmailMessage) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{message['Message-ID'].strip('<>').partition('@')[0]}.eml"
        path = self.folder / name
        # under another name until it is whole: people and programs read this folder
        draft = path.with_name(f".{name}.{host.token_hex(4)}")
        # made with its rights: a file that is closed to others later was open for a moment
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(message.as_bytes())
                file.flush()
                # on disk before the queue notes it as sent
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


class SmtpTransport:
    """Transport to a mail server.

    Args:
        settings: as :class:`~gateway.console.settings.ConsoleSettings` let them pass.
        home: where a relative ``password_file`` starts.
        trust: whose certificates count; by default those that the system trusts.

    """

    def __init__(
        self,
        settings: Smtp,
        home: Path,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._settings = settings
        self._home = home
        self._trust = trust

    async def carry(self, message: EmailMessage, address: str) -> None:
        """Hand over, in a connection of its own."""
        _checked(address)
        try:
            async with asyncio.timeout(TRY_S):
                await self._send(message, address)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            # without the cause: a server's text may repeat the address or the password
            raise _judged(error) from None

    async def _send(self, message: EmailMessage, address: str) -> None:
        settings = self._settings
        await aiosmtplib.send(
            message,
            sender=sender(settings)[1],
            recipients=[address],
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            # read for each mail: a password that was changed needs no restart
            password=await asyncio.to_thread(self._password),
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=await self._context(),
            timeout=TRY_S,
        )

    def _password(self) -> str | None:
        if not (self._settings.username and self._settings.password_file):
            return None
        path = self._home / self._settings.password_file
        return path.read_text(encoding="utf-8").strip("\r\n")

    async def _context(self) -> ssl.SSLContext | None:
        return None if self._settings.tls == "none" else await asyncio.to_thread(self._trust)


def transport_for(settings: Smtp, home: Path) -> MailTransport:
    """Return the carrier of the settings."""
    return FolderTransport(home) if settings.mode == "outbox" else SmtpTransport(settings, home)


def _checked(address: str) -> None:
    try:
        check_address(address)
    except BadAddress:
        raise Undeliverable("the address is none") from None


def _judged(error: Exception) -> MailError:
    """Say in our words what went wrong; the server's own could hold anything."""
    match error:
        # each recipient has a code of its own, and no answer stands for all
        case aiosmtplib.SMTPRecipientsRefused():
            codes = [recipient.code for recipient in error.recipients]
            return _by_code(max(codes, default=450))
        case aiosmtplib.SMTPAuthenticationError():
            # a person can mend it while the mail waits
            return TryLater("the mail server refuses our name or password")
        case aiosmtplib.SMTPResponseException():
            return _by_code(error.code)
        case ssl.SSLError():
            return TryLater("the mail server's certificate does not count")
        case TimeoutError():
            return TryLater("the mail server did not answer in time")
        # the library has no class for it
        case aiosmtplib.SMTPException() if "STARTTLS" in str(error).upper():
            return TryLater("the mail server offers no STARTTLS")
        case aiosmtplib.SMTPException() if isinstance(error.__cause__, ssl.SSLError):
            return TryLater("the mail server's certificate does not count")
        case _:
            return TryLater("the mail server cannot be reached")


def _by_code(code: int) -> MailError:
    if 500 <= code < 600:
        return Undeliverable(f"the mail server refused the mail ({code})")
    return TryLater(f"the mail server said later ({code})")
