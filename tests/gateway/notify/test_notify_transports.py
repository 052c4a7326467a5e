"""Each transport against a local server: what is sent, what is tried again, what stays secret."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from receiver import Receiver, receiver

from gateway.app.notify import transports_of
from gateway.config import Config, ConfigError, parse
from gateway.home.home import Home
from gateway.notify.notes import Note
from gateway.notify.secrets import NotifySecrets, SecretName
from gateway.notify.transports import (
    MAX_WAIT_S,
    Apprise,
    DeliveryRefused,
    NotTaken,
    Ntfy,
    OwnerMail,
    Telegram,
    Transport,
    Webhook,
)

SECRET = "s3cret-of-the-receiver"


def note(number: int = 1, text: str = "*bold* <b>http://evil.test</b>") -> Note:
    return Note(
        id=f"n{number}", event="halt", time=5, terminal="A", title=f"Title {number}", text=text
    )


@pytest.fixture
async def server() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


async def test_a_webhook_is_signed(server: Receiver) -> None:
    """Over its time and its body as they came: a receiver needs nothing else."""
    await Webhook(f"{server.url}/hook", SECRET).send([note()])
    got = await server.next()
    signed, v1 = (
        part.partition("=")[2] for part in got.headers["Mt-Gateway-Signature"].split(",")
    )
    expected = hmac.new(SECRET.encode(), f"{signed}.".encode() + got.body, "sha256").hexdigest()
    assert v1 == expected
    assert (got.path, got.json["id"], got.json["event"]) == ("/hook", "n1", "halt")
    assert SECRET not in str(got)


async def test_ntfy_gets_json(server: Receiver) -> None:
    """Topic and token are the configuration's; no text of a note stands in a header."""
    await Ntfy(server.url, "topic", SECRET).send([note(1), note(2)])
    got = await server.next()
    assert got.headers["Authorization"] == f"Bearer {SECRET}"
    assert got.json["topic"] == "topic"
    assert got.json["title"] == "mt-gateway: Title 1, Title 2"
    assert got.json["message"].count("\n") == 1


async def test_telegram_gets_plain_text(server: Receiver) -> None:
    """No markup, no preview of an address in it."""
    await Telegram(server.url, SECRET, "-100").send([note()])
    got = await server.next()
    assert got.path == f"/bot{SECRET}/sendMessage"
    assert got.json["chat_id"] == "-100"
    assert got.json["text"].endswith("*bold* <b>http://evil.test</b>")
    assert "parse_mode" not in got.json
    assert got.json["link_preview_options"] == {"is_disabled": True}


# it imports what Python 3.13 took out
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_sends_to_its_services(server: Receiver) -> None:
    """Here to one that takes JSON."""
    url = server.url.replace("http://", "json://")
    await Apprise(f"\n{url}/a\n").send([note()])
    assert "bold" in (await server.next()).json["message"]
    server.answers = [web.Response(status=500)]
    with pytest.raises(NotTaken):
        await Apprise(f"{url}/b").send([note()])
    with pytest.raises(ValueError, match=r"^Apprise does not know URL 2$"):
        Apprise(f"{url}\nnonsense-with-{SECRET}")


def each(server: Receiver) -> list[Transport]:
    return [
        Webhook(server.url, SECRET),
        Ntfy(server.url, "topic", SECRET),
        Telegram(server.url, SECRET, "1"),
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, NotTaken), (429, NotTaken), (404, NotTaken), (302, NotTaken), (400, DeliveryRefused)],
)
async def test_what_is_tried_again(
    server: Receiver, status: int, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is followed to another address, and no error repeats a secret or an answer."""
    headers = {"Location": f"{server.url}/elsewhere"}
    for transport in each(server):
        server.answers = [web.Response(status=status, text="leak", headers=headers)]
        with caplog.at_level(logging.DEBUG), pytest.raises(NotTaken) as caught:
            await transport.send([note()])
        assert type(caught.value) is kind
        assert str(caught.value) == f"answered {status}"
    assert server.received.qsize() == 3
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (web.Response(status=429, headers={"Retry-After": "7"}), 7.0),
        (web.json_response({"parameters": {"retry_after": 9}}, status=429), 9.0),
        (web.json_response({"parameters": {"retry_after": 1e9}}, status=429), MAX_WAIT_S),
        (web.json_response({"parameters": []}, status=429), 0.0),
        (web.Response(status=503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 0.0),
        (web.Response(status=503, headers={"Retry-After": "nan"}), 0.0),
        (web.Response(status=503, text="[" * 100_000), 0.0),
    ],
)
async def test_a_server_may_ask_to_wait(
    server: Receiver, answer: web.Response, wait_s: float
) -> None:
    """For a quarter of an hour at most."""
    server.answers = [answer]
    with pytest.raises(NotTaken) as caught:
        await Telegram(server.url, SECRET, "1").send([note()])
    assert caught.value.after_s == wait_s


async def test_nobody_listens() -> None:
    """The error names no address: Telegram's holds the bot's token."""
    async with receiver() as gone:
        pass
    for transport in each(gone):
        with pytest.raises(NotTaken) as caught:
            await transport.send([note()])
        assert str(caught.value).startswith("cannot be reached (")
        assert SECRET not in str(caught.value)


async def test_many_notes_fit_one_message(server: Receiver) -> None:
    """Telegram takes 4096 characters; how many are left out is said."""
    many = [note(n, "x" * 400) for n in range(20)]
    await Telegram(server.url, SECRET, "1").send(many)
    text = (await server.next()).json["text"]
    assert len(text) < 4096
    told = text.count("x" * 400)
    assert text.endswith(f"\n... and {20 - told} more")


@pytest.fixture
def home(tmp_path: Path) -> Any:
    with Home(tmp_path) as opened:
        yield opened


def made(home: Home, settings: dict[str, Any]) -> dict[str, Transport]:
    secrets = NotifySecrets(home.store, home.box)
    return transports_of(parse({"notify": settings}), home.folder, secrets)


async def test_a_mail_is_one_mail(home: Home, tmp_path: Path) -> None:
    """By the console's own mail transport; the same notes have the same Message-ID."""
    transport = made(home, {"events": ["halt"], "mail_to": ["owner@example.com"]})["mail"]
    for _ in range(2):
        await transport.send([note(1, "line"), note(2, "line")])
    [path] = (tmp_path / "outbox").glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert mail["To"] == "owner@example.com"
    assert mail["Subject"] == "mt-gateway: Title 1, Title 2"
    assert mail.get_content() == "Title 1. line\nTitle 2. line\n"


@pytest.mark.parametrize(
    ("settings", "secret", "told"),
    [
        ({"webhook_url": "https://example.com"}, None, "mt-gateway notify secret webhook"),
        ({"telegram_chat": "1"}, None, "mt-gateway notify secret telegram"),
        ({"apprise": True}, "nonsense", "Apprise does not know URL 1"),
        ({"events": ["halt"]}, None, "name also where"),
    ],
)
def test_what_is_half_configured_is_told_at_the_start(
    home: Home, settings: dict[str, Any], secret: str | None, told: str
) -> None:
    """Not when the first margin call comes."""
    if secret is not None:
        NotifySecrets(home.store, home.box).set("apprise", secret)
    with pytest.raises(ConfigError, match=told):
        made(home, settings)


def test_nothing_is_configured_by_default(home: Home) -> None:
    """A gateway that nobody told to speaks with nobody."""
    assert made(home, {}) == {}
    assert Config().notify.events == ()


def test_secrets_are_sealed(home: Home) -> None:
    """The database holds no word of one; an exchanged key is one of the list's."""
    secrets = NotifySecrets(home.store, home.box)
    names: tuple[SecretName, ...] = ("webhook", "ntfy", "telegram", "apprise")
    for name in names:
        secrets.set(name, f"{SECRET} of {name}")
        assert secrets.get(name) == f"{SECRET} of {name}"
    rows = home.store.all("SELECT * FROM notify_secrets")
    assert SECRET not in str([tuple(row) for row in rows])
    secrets.set("webhook", "")
    assert secrets.get("webhook") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://127.0.0.1.example.com",
        "https://user:secret@example.com",
        "ftp://example.com",
        "https://example.com/a b",
        "https://example.com\\@evil.test",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("key", ["webhook_url", "ntfy_url", "telegram_url"])
def test_addresses_are_https_or_of_this_machine(key: str, url: str) -> None:
    """And hold no password."""
    with pytest.raises(ConfigError, match=rf"\[notify\] {key}: give https://HOST"):
        parse({"notify": {key: url}})


async def test_an_address_that_fails_keeps_no_other_from_its_mail() -> None:
    """What is refused is not tried again, and who has taken a mail gets it once."""
    answers: dict[str, list[Exception]] = {
        "gone@test.invalid": [DeliveryRefused("550")],
        "later@test.invalid": [NotTaken("451")],
    }
    carried: list[tuple[str, str]] = []

    async def carry(mail: EmailMessage, address: str) -> None:
        carried.append((address, mail["Message-ID"]))
        if answers.get(address):
            raise answers[address].pop()

    addresses = ["gone@test.invalid", "later@test.invalid", "good@test.invalid"]
    transport = OwnerMail(carry, "from@test.invalid", addresses)
    with pytest.raises(NotTaken) as caught:
        await transport.send([note()])
    assert not isinstance(caught.value, DeliveryRefused)
    await transport.send([note()])
    assert [address for address, _ in carried] == [*addresses, "later@test.invalid"]
    assert len({name for _, name in carried}) == 3, "files of an outbox need names of their own"
