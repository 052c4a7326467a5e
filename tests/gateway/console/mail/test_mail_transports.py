"""Who carries mails: only encrypted, only to whom we mean, and whatever the server does."""

from __future__ import annotations

import asyncio
import stat
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any

import pytest
from mail_servers import PASSWORD, USERNAME, Mailbox, certificate, mail_server, scripted

from gateway.config import ConfigError, Smtp
from gateway.console.mail import FolderTransport, SmtpTransport, TryLater, Undeliverable
from gateway.console.mail import transports as carriers
from gateway.console.settings import ConsoleSettings, sender

ANN = "ann@example.com"


def _message(body: str = "Hello") -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = "mt-gateway <console@localhost>"
    message["To"] = ANN
    message["Subject"] = "A subject"
    message["Message-ID"] = "<20270115T080000Z-new-device-0123@localhost>"
    message.set_content(body)
    return message


def _smtp(port: int, **more: Any) -> Smtp:
    return Smtp(**{"mode": "smtp", "host": "127.0.0.1", "port": port, **more})


def _with_login(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return {"username": USERNAME, "password_file": "password"}


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_mail_goes_encrypted_and_with_our_name(tmp_path: Path, tls: str):
    """By STARTTLS or from the first byte; name and password are sent then alone."""
    made, box = certificate(tmp_path), Mailbox()
    async with mail_server(box, made, implicit=tls == "tls") as port:
        settings = _smtp(port, tls=tls, **_with_login(tmp_path))
        await SmtpTransport(settings, tmp_path, made.trust).carry(_message(), ANN)
    assert (box.recipients, box.tls) == ([[ANN]], [True])
    assert box.logins == [(USERNAME, PASSWORD)]
    assert box.mails[0]["Subject"] == "A subject"


async def test_in_clear_to_this_machine_alone(tmp_path: Path):
    """``tls = "none"`` names a loopback host, or the console does not start."""
    box = Mailbox()
    async with mail_server(box) as port:
        await SmtpTransport(_smtp(port, tls="none"), tmp_path).carry(_message(), ANN)
    assert box.recipients == [[ANN]]
    for host in ("mail.example.com", "10.0.0.1", "127.0.0.1.example.com", ""):
        with pytest.raises(ConfigError):
            ConsoleSettings(smtp=_smtp(25, tls="none", host=host))


async def test_a_server_without_starttls_gets_nothing(tmp_path: Path):
    """No login, no mail: somebody in between may have taken STARTTLS out."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            heard.append(line.split()[0].upper())
            if line.upper().startswith(b"EHLO"):
                writer.write(b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n")
            else:
                writer.write(b"221 bye\r\n" if heard[-1] == b"QUIT" else b"502 no\r\n")

    async with scripted(talk) as port:
        settings = _smtp(port, **_with_login(tmp_path))
        with pytest.raises(TryLater, match="STARTTLS"):
            await SmtpTransport(settings, tmp_path).carry(_message(), ANN)
    assert set(heard) <= {b"EHLO", b"STARTTLS", b"QUIT"}


async def test_words_injected_after_starttls_are_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What came in clear with the answer to STARTTLS is no answer of the encrypted server."""
    monkeypatch.setattr(carriers, "TRY_S", 1)
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            heard.append(line[:8].split()[0].upper())
            if heard[-1] == b"EHLO":
                writer.write(b"250-mail\r\n250 STARTTLS\r\n")
            elif heard[-1] == b"STARTTLS":
                writer.write(
                    b"220 go\r\n250-mail\r\n250 AUTH PLAIN\r\n235 in\r\n250 a\r\n250 b\r\n"
                )

    async with scripted(talk) as port:
        settings = _smtp(port, **_with_login(tmp_path))
        with pytest.raises(TryLater):
            await SmtpTransport(settings, tmp_path).carry(_message(), ANN)
    assert b"AUTH" not in heard
    assert b"MAIL" not in heard


@pytest.mark.parametrize("fault", ["unknown", "other name", "run out"])
@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_bad_certificate_ends_the_talk(tmp_path: Path, fault: str, tls: str):
    """From nobody we trust, for another host, or out of date."""
    match fault:
        case "unknown":
            made, trusted = certificate(tmp_path), certificate(tmp_path, days=2)
        case "other name":
            made = trusted = certificate(tmp_path, name="mail.example.com")
        case _:
            made = trusted = certificate(tmp_path, days=-1)
    box = Mailbox()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # aiosmtpd's own, about the failed handshake
    async with mail_server(box, made, implicit=tls == "tls") as port:
        settings = _smtp(port, tls=tls, **_with_login(tmp_path))
        with pytest.raises(TryLater, match="certificate"):
            await SmtpTransport(settings, tmp_path, trusted.trust).carry(_message(), ANN)
    assert (box.logins, box.mails) == ([], [])


@pytest.mark.parametrize("code", [421, 450, 451, 452, 550, 551, 552, 554])
@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_what_the_server_refuses(tmp_path: Path, code: int, step: str):
    """4xx: later; 5xx: never. Its words are not passed on, they could be anything."""
    made, box = certificate(tmp_path), Mailbox()
    answer = f"{code} <script>alert(1)</script>"
    if step == "rcpt":
        box.rcpt = answer
    else:
        box.data = [answer]
    async with mail_server(box, made) as port:
        expected = Undeliverable if code >= 500 else TryLater
        with pytest.raises(expected) as caught:
            await SmtpTransport(_smtp(port), tmp_path, made.trust).carry(_message(), ANN)
    assert "script" not in str(caught.value)
    assert box.mails == []


async def test_a_wrong_password_may_be_set_right(tmp_path: Path):
    """The mail waits meanwhile; the password stands in no message."""
    made, box = certificate(tmp_path), Mailbox()
    (tmp_path / "password").write_text("another")
    async with mail_server(box, made) as port:
        settings = _smtp(port, username=USERNAME, password_file="password")
        with pytest.raises(TryLater) as caught:
            await SmtpTransport(settings, tmp_path, made.trust).carry(_message(), ANN)
    assert "another" not in str(caught.value)
    assert box.mails == []


@pytest.mark.parametrize("says", [b"", b"220 mail\r\n", b"220-"])
async def test_a_server_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: bytes):
    """It has so many seconds for one mail, whatever it has said."""
    monkeypatch.setattr(carriers, "TRY_S", 0.3)
    end = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await end.wait()

    async with scripted(talk) as port:
        with pytest.raises(TryLater, match="in time"):
            await SmtpTransport(_smtp(port), tmp_path).carry(_message(), ANN)
        end.set()


async def test_a_server_that_is_slow_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each answer in time is not enough: the whole try is bounded."""
    monkeypatch.setattr(carriers, "TRY_S", 0.6)
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            heard.append(line[:4])
            await asyncio.sleep(0.25)
            writer.write(b"354 go\r\n" if line.startswith(b"DATA") else b"250 OK\r\n")

    async with scripted(talk) as port:
        with pytest.raises(TryLater, match="in time"):
            await SmtpTransport(_smtp(port, tls="none"), tmp_path).carry(_message(), ANN)
    assert heard[0] == b"EHLO"
    assert b"DATA" not in heard


async def test_a_server_that_drops_the_mail_half_way(tmp_path: Path):
    """Nobody knows whether it took it: later again, with the same Message-ID."""
    made, box = certificate(tmp_path), Mailbox(drops=True)
    async with mail_server(box, made) as port:
        carrier = SmtpTransport(_smtp(port), tmp_path, made.trust)
        with pytest.raises(TryLater):
            await carrier.carry(_message(), ANN)
        box.drops = False
        await carrier.carry(_message(), ANN)
    assert len(box.mails) == 1


async def test_nobody_listens(tmp_path: Path):
    """Later."""
    async with mail_server(Mailbox()) as port:
        pass
    with pytest.raises(TryLater):
        await SmtpTransport(_smtp(port), tmp_path).carry(_message(), ANN)


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com\r\nRCPT TO:<eve@example.com>",
        "ann@example.com\n",
        "ann@example.com>",
        "ann@example.com eve@example.com",
        "ann@example.com,eve@example.com",
        "änn@example.com",
        "ann@exämple.com",
        "ann",
        "@example.com",
        "ann@",
        "",
    ],
)
async def test_odd_addresses_reach_no_server(tmp_path: Path, address: str):
    """Nor any folder: they are refused before anything is opened."""
    box = Mailbox()
    async with mail_server(box) as port:
        for carrier in (
            SmtpTransport(_smtp(port, tls="none"), tmp_path),
            FolderTransport(tmp_path),
        ):
            with pytest.raises(Undeliverable):
                await carrier.carry(_message(), address)
    assert box.recipients == []
    assert not FolderTransport(tmp_path).folder.exists()


# --- the outbox --------------------------------------------------------------------------------


async def test_the_outbox(tmp_path: Path):
    """One file a mail, for its owner alone; a mail that is carried twice is one file."""
    outbox = FolderTransport(tmp_path)
    await outbox.carry(_message(), ANN)
    await outbox.carry(_message(), ANN)
    [path] = outbox.folder.iterdir()
    assert path.name == "20270115T080000Z-new-device-0123.eml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(outbox.folder.stat().st_mode) == 0o700
    read = message_from_bytes(path.read_bytes(), policy=SMTP_POLICY)
    assert (read["To"], read.get_content().strip()) == (ANN, "Hello")


async def test_an_outbox_that_cannot_be_written(tmp_path: Path):
    """Later; nothing half written stays."""
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(TryLater):
        await FolderTransport(tmp_path).carry(_message(), ANN)


# --- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("mt-gateway console <console@localhost>", "mt-gateway console", "console@localhost"),
        ("gateway@example.com", "", "gateway@example.com"),
    ],
)
def test_whom_mails_come_from(text: str, name: str, address: str):
    """A name and an address, or an address."""
    assert sender(Smtp(sender=text)) == (name, address)


@pytest.mark.parametrize(
    "text", ["", "nobody", "a@b@c", "A <a@b>\r\nBcc: eve@example.com", 'x" <a@b.c>', "@b", "a@"]
)
def test_odd_senders(text: str):
    """The console does not start with them."""
    with pytest.raises(ConfigError, match="sender"):
        ConsoleSettings(smtp=Smtp(sender=text))
