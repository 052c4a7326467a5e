"""Transports of notes: signed webhook, ntfy, Telegram, mail, Apprise.

Addresses come from the configuration alone; nothing of a note is ever part of one, and nobody is
followed to another address. An error's text is ours: a server's could hold a secret of ours.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.message import EmailMessage
from importlib import import_module
from typing import Protocol

import aiohttp
import msgspec
import orjson

from ea_bridge import host
from gateway.notify.notes import Note

TRY_S = 15.0
"""For one try from the first byte to the last."""
MAX_ANSWER = 8192
"""Bytes of an answer that are read."""
MAX_WAIT_S = 900.0
"""The longest time that a server may ask us to wait."""
MAX_MESSAGE = 3500
"""Characters of a message of several notes: Telegram and ntfy take 4096."""
MAX_MAIL = 100_000
LATER = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Statuses below 500 after which another try may succeed: a person can mend what is wrong."""
URGENT = frozenset({"margin_call", "order_unknown", "halt", "link_lost"})


class NotTaken(Exception):
    """Failure to hand notes over, that may pass; its text is ours.

    Args:
        text: what was wrong.
        after_s: the wait that the server asks for.

    """

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = min(after_s, MAX_WAIT_S)


class DeliveryRefused(NotTaken):
    """Refusal for good: these notes are not sent again."""


class Transport(Protocol):
    """Transport to one recipient."""

    most: int
    """Notes that go together."""
    pause_s: float
    """Between two messages: a person is not to get one for each of a hundred orders."""

    async def send(self, notes: Sequence[Note]) -> None:
        """Hand notes over; all of them are taken when it returns.

        Raises:
            NotTaken: they may be sent again.
            DeliveryRefused: they may not.

        """


class Webhook:
    """POST of a note as JSON, with its time and signature in ``Mt-Gateway-Signature``.

    ``t=SECONDS,v1=HEX``: HMAC-SHA256 with the secret, of the time as it stands there, a dot, and
    the body. A receiver compares it, refuses old times, and drops an ``id`` that it has had.
    """

    most, pause_s = 1, 0.0

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret.encode()

    async def send(self, notes: Sequence[Note]) -> None:
        """Post each."""
        for note in notes:
            body = msgspec.json.encode(note)
            headers = {"Mt-Gateway-Signature": signature(self._secret, host.wall_ms(), body)}
            _judge(*await _post(self._url, body, headers))


def signature(secret: bytes, now_ms: int, body: bytes) -> str:
    """Return the header that signs a webhook's body."""
    seconds = now_ms // 1000
    signed = hmac.digest(secret, f"{seconds}.".encode() + body, "sha256").hex()
    return f"t={seconds},v1={signed}"


class Ntfy:
    """Message to a topic of an ntfy server, in JSON: nothing of a note stands in a header."""

    most, pause_s = 20, 3.0

    def __init__(self, url: str, topic: str, token: str | None) -> None:
        self._url = url
        self._topic = topic
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def send(self, notes: Sequence[Note]) -> None:
        """Publish them as one message."""
        title, text = message_of(notes)
        urgent = any(note.event in URGENT for note in notes)
        body = {
            "topic": self._topic,
            "title": title,
            "message": text,
            "priority": 4 if urgent else 3,
        }
        _judge(*await _post(self._url, orjson.dumps(body), self._headers))


class Telegram:
    """Message of a bot to a chat, as plain text: no note is markup."""

    most, pause_s = 20, 3.0

    def __init__(self, url: str, token: str, chat: str) -> None:
        # the token is part of the address: it is never logged, nor told in an error
        self._url = f"{url}/bot{token}/sendMessage"
        self._chat = chat

    async def send(self, notes: Sequence[Note]) -> None:
        """Send them as one message."""
        title, text = message_of(notes)
        body = {
            "chat_id": self._chat,
            "text": f"{title}\n{text}",
            "link_preview_options": {"is_disabled": True},
        }
        status, headers, answer = await _post(self._url, orjson.dumps(body), {})
        _judge(status, headers, answer)


class OwnerMail:
    """Mail to the owner, by the mail server of ``[smtp]``.

    Args:
        carry: hands a mail over to one address; raises as :meth:`Transport.send`.
        sender: whom mails come from.
        addresses: who gets them.

    """

    most, pause_s = 200, 30.0

    def __init__(
        self,
        carry: Callable[[EmailMessage, str], Awaitable[None]],
        sender: str,
        addresses: Sequence[str],
    ) -> None:
        self._carry = carry
        self._sender = sender
        self._addresses = addresses
        self._settled: tuple[str, set[str]] = "", set()
        """Notes that were sent last, and the addresses that have taken or refused them."""

    async def send(self, notes: Sequence[Note]) -> None:
        """Send them as one mail to each address; one that fails keeps no other from its mail."""
        name = f"{notes[0].id}.{len(notes)}"
        if self._settled[0] != name:
            self._settled = name, set()
        settled, failures = self._settled[1], list[NotTaken]()
        for number, address in enumerate(self._addresses):
            if address in settled:
                continue
            try:
                await self._carry(self._mail(notes, f"{name}.{number}", address), address)
            except NotTaken as failure:
                failures.append(failure)
                if not isinstance(failure, DeliveryRefused):
                    continue
            settled.add(address)
        if failures:
            # what may be sent again first: it is tried again for those that are not settled
            raise min(failures, key=lambda failure: isinstance(failure, DeliveryRefused))

    def _mail(self, notes: Sequence[Note], name: str, address: str) -> EmailMessage:
        title, text = message_of(notes, MAX_MAIL)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, address, title
        # the same for the same notes: a mail that was sent twice is seen to be one
        mail["Message-ID"] = f"<{name}@mt-gateway>"
        mail.set_content(f"{text}\n")
        return mail


class Apprise:
    """Any service that Apprise knows; needs ``mt-gateway[notify]``.

    Args:
        urls: Apprise's, one a line; they hold secrets.

    Raises:
        ImportError: Apprise is not installed.
        ValueError: Apprise does not know one of them.

    """

    most, pause_s = 20, 3.0

    def __init__(self, urls: str) -> None:
        apprise = import_module("apprise")
        # its own log may show an address, and those hold secrets
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._apprise = apprise.Apprise()
        for number, url in enumerate(filter(None, map(str.strip, urls.splitlines())), 1):
            if not self._apprise.add(url):
                raise ValueError(f"Apprise does not know URL {number}")

    async def send(self, notes: Sequence[Note]) -> None:
        """Hand them to all its services as one message."""
        title, text = message_of(notes)
        try:
            async with asyncio.timeout(TRY_S):
                taken = await self._apprise.async_notify(
                    title=title, body=text, body_format="text", interpret_escapes=False
                )
        except TimeoutError:
            raise NotTaken("no answer in time") from None
        if not taken:
            raise NotTaken("one of its services did not take it")


def message_of(notes: Sequence[Note], most: int = MAX_MESSAGE) -> tuple[str, str]:
    """Return title and text of notes that go together; the text has about ``most`` characters."""
    if len(notes) == 1:
        return f"mt-gateway: {notes[0].title}", notes[0].text
    titles = ", ".join(dict.fromkeys(note.title for note in notes))
    lines: list[str] = []
    for number, note in enumerate(notes):
        lines.append(f"{note.title}. {note.text}")
        if sum(map(len, lines)) > most:
            lines[-1] = f"... and {len(notes) - number} more"
            break
    return f"mt-gateway: {titles}", "\n".join(lines)


async def _post(
    url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, Mapping[str, str], bytes]:
    timeout = aiohttp.ClientTimeout(total=TRY_S)
    sent = {"Content-Type": "application/json", "User-Agent": "mt-gateway", **headers}
    try:
        # trust_env: a proxy of the environment would see what is sent
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(url, data=body, headers=sent, allow_redirects=False) as response,
        ):
            answer = await response.content.read(MAX_ANSWER)
            return response.status, response.headers, answer
    except TimeoutError:
        raise NotTaken("no answer in time") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # not its text: it may repeat the address
        raise NotTaken(f"cannot be reached ({type(error).__name__})") from None


def _judge(status: int, headers: Mapping[str, str], answer: bytes) -> None:
    if 200 <= status < 300:
        return
    if status >= 500 or status < 400 or status in LATER:
        raise NotTaken(f"answered {status}", _after_s(headers, answer))
    raise DeliveryRefused(f"answered {status}")


def _after_s(headers: Mapping[str, str], answer: bytes) -> float:
    """Return how long a server asks us to wait: ``Retry-After``, or Telegram's own."""
    try:
        return max(0.0, float(headers.get("Retry-After") or _telegram_wait(answer)))
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _telegram_wait(answer: bytes) -> float:
    try:
        told = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return 0.0
    parameters = told.get("parameters") if isinstance(told, dict) else None
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return float(wait) if isinstance(wait, int | float) else 0.0
