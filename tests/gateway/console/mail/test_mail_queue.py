"""Mails wait, are tried again, and go out once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import pytest
from approval_fixtures import Terminal, last_post, posts
from console_fixtures import Clock, person
from mail_servers import Mailbox, certificate, mail_server
from sqlalchemy import text

from gateway.config import Smtp
from gateway.console.mail import (
    Button,
    Letter,
    MailError,
    MailQueue,
    MailTransport,
    SmtpTransport,
    TryLater,
    Undeliverable,
)
from gateway.console.service import Console

ANN = "ann@example.com"
LETTER = Letter(
    kind="new-device",
    subject="A new device",
    title="Is this you?",
    lines=("A line.",),
    buttons=(Button("Review", "http://127.0.0.1:7402/approve/SECRETSECRET"),),
)


class Scripted:
    """A carrier that fails as told, then takes all."""

    def __init__(self, *faults: MailError | Exception) -> None:
        self.faults = list(faults)
        self.taken: list[EmailMessage] = []
        self.tries = 0

    async def carry(self, message: EmailMessage, address: str) -> None:
        """Take a mail."""
        self.tries += 1
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(message)


def _queue(console: Console, carrier: MailTransport) -> MailQueue:
    sender = ("mt-gateway", "console@example.com")
    return MailQueue(console.db, console.box, carrier, console.now_s, sender=sender)


async def _put(queue: MailQueue, console: Console, dedupe: str = "r1", exp: int | None = None):
    async with console.db.begin() as session:
        return await queue.put(session, LETTER, address=ANN, dedupe=dedupe, exp=exp)


async def _statuses(console: Console) -> Sequence[str]:
    return [letter.status for letter in await posts(console)]


async def test_one_mail_for_one_thing(console: Console):
    """A second letter about the same is not sent, even from ten tasks at once."""
    carrier = Scripted()
    queue = _queue(console, carrier)
    queued = await asyncio.gather(*(_put(queue, console) for _ in range(10)))
    assert sorted(queued) == [False] * 9 + [True]
    await queue.carry_due()
    await queue.carry_due()
    assert len(carrier.taken) == 1
    assert await _statuses(console) == ["sent"]
    assert not await _put(queue, console)


async def test_nothing_goes_out_for_what_did_not_happen(console: Console):
    """A letter lives and dies with the transaction that wrote it."""
    carrier = Scripted()
    queue = _queue(console, carrier)

    async def fail() -> None:
        async with console.db.begin() as session:
            await queue.put(session, LETTER, address=ANN, dedupe="r1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await queue.carry_due()
    assert (carrier.tries, await posts(console)) == (0, [])


@pytest.mark.alike
async def test_what_a_mail_says(console: Console):
    """Two parts, our subject, an id made of what it is about, no word of the queue's own."""
    carrier = Scripted()
    queue = _queue(console, carrier)
    await _put(queue, console)
    await queue.carry_due()
    [mail] = carrier.taken
    assert mail["From"] == "mt-gateway <console@example.com>"
    assert (mail["To"], mail["Subject"]) == (ANN, "A new device")
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail["Auto-Submitted"] == "auto-generated"
    kinds = [part.get_content_type() for part in mail.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert "http://127.0.0.1:7402/approve/SECRETSECRET" in mail.as_string()


@pytest.mark.alike
async def test_tries_after_one_five_and_fifteen_minutes(console: Console, clock: Clock):
    """Four in all; each has the same Message-ID."""
    carrier = Scripted(*(TryLater("later") for _ in range(3)))
    queue = _queue(console, carrier)
    await _put(queue, console)
    for wait_s, tries in ((0, 1), (59, 1), (1, 2), (299, 2), (1, 3), (899, 3), (1, 4)):
        clock.forward(wait_s)
        await queue.carry_due()
        assert carrier.tries == tries
    assert await _statuses(console) == ["sent"]


@pytest.mark.alike
async def test_the_fourth_failure_is_the_last(console: Console, clock: Clock):
    """It is kept as failed, without what it said."""
    carrier = Scripted(*(TryLater("later") for _ in range(9)))
    queue = _queue(console, carrier)
    await _put(queue, console)
    for wait_s in (0, 60, 300, 900, 900):
        clock.forward(wait_s)
        await queue.carry_due()
    [post] = await posts(console)
    assert (carrier.tries, post.status, post.text) == (4, "failed", "")


async def test_no_mail_outlives_its_codes(console: Console, clock: Clock):
    """A try that would come after the end is not planned; one that is late is not made."""
    carrier = Scripted(TryLater("later"), TryLater("later"))
    queue = _queue(console, carrier)
    await _put(queue, console, exp=clock() + 120)
    await queue.carry_due()
    clock.forward(60)
    await queue.carry_due()
    assert await _statuses(console) == ["expired"]

    await _put(queue, console, "r2", exp=clock() + 10)
    clock.forward(10)
    await queue.carry_due()
    assert (carrier.tries, await _statuses(console)) == (2, ["expired", "expired"])


@pytest.mark.alike
async def test_what_is_never_taken_is_not_tried_again(console: Console, clock: Clock):
    """5xx ends it."""
    carrier = Scripted(Undeliverable("no"))
    queue = _queue(console, carrier)
    await _put(queue, console)
    for _ in range(3):
        await queue.carry_due()
        clock.forward(900)
    assert (carrier.tries, await _statuses(console)) == (1, ["failed"])


async def test_two_workers_send_one_mail(console: Console):
    """As two processes on one database would."""
    carrier = Scripted()
    queues = [_queue(console, carrier) for _ in range(4)]
    for number in range(5):
        await _put(queues[0], console, f"r{number}")
    await asyncio.gather(*(queue.carry_due() for queue in queues))
    assert len(carrier.taken) == 5


async def test_a_worker_that_died_is_followed(console: Console, clock: Clock):
    """Killed in the middle of a try: a minute later the mail is tried again."""

    class Dying(Scripted):
        async def carry(self, message: EmailMessage, address: str) -> None:
            raise asyncio.CancelledError

    queue = _queue(console, Dying())
    await _put(queue, console)
    with pytest.raises(asyncio.CancelledError):
        await queue.carry_due()
    carrier = Scripted()
    after = _queue(console, carrier)
    await after.carry_due()
    assert carrier.tries == 0
    clock.forward(60)
    await after.carry_due()
    assert await _statuses(console) == ["sent"]


async def test_the_worker_wakes_for_a_new_mail(console: Console):
    """Without waiting for its poll; what nobody expected does not end it."""
    taken = asyncio.Event()

    class Noting(Scripted):
        async def carry(self, message: EmailMessage, address: str) -> None:
            await super().carry(message, address)
            taken.set()

    carrier = Noting(ZeroDivisionError())
    queue = _queue(console, carrier)
    worker = asyncio.create_task(queue.run())
    await _put(queue, console, "r1")
    async with asyncio.timeout(60):
        while carrier.tries < 1:  # noqa: ASYNC110 - a failure sets no event
            await asyncio.sleep(0.01)
        await _put(queue, console, "r2")
        await taken.wait()
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker


async def test_mails_are_sealed_while_they_wait(console: Console):
    """Neither code nor link stands in the table."""
    ann = await person(console)
    token, _ = await console.tokens.create(ann.id, "A")
    await Terminal(token).dial(console)
    post = await last_post(console)
    async with console.db.session() as session:
        raw = str((await session.execute(text("SELECT * FROM mails"))).all())
    assert post.code not in raw
    assert post.secret("approve") not in raw


async def test_a_contact_does_not_wait_for_the_mail_server(
    console: Console, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """It hangs: the request is there at once; no log tells what is in the mail."""
    caplog.set_level(logging.DEBUG)
    hold = asyncio.Event()

    class Hanging(Scripted):
        async def carry(self, message: EmailMessage, address: str) -> None:
            await hold.wait()
            raise TryLater("the mail server did not answer in time")

    worker = asyncio.create_task(_queue(console, Hanging()).run())
    ann = await person(console)
    token, _ = await console.tokens.create(ann.id, "A")
    async with asyncio.timeout(60):
        verdict = await Terminal(token).dial(console)
    assert verdict.status == "pending"
    assert verdict.user_code is not None
    post = await last_post(console)
    hold.set()
    worker.cancel()
    for secret in (post.code, post.secret("approve"), verdict.user_code, token):
        assert secret not in caplog.text


@pytest.mark.alike
async def test_through_a_real_server_once(console: Console, tmp_path: Path, clock: Clock):
    """It says 451 first: one mail arrives, a minute later, readable."""
    made, box = certificate(tmp_path), Mailbox(data=["451 later"])
    async with mail_server(box, made) as port:
        settings = Smtp(mode="smtp", host="127.0.0.1", port=port)
        queue = _queue(console, SmtpTransport(settings, tmp_path, made.trust))
        await _put(queue, console)
        await queue.carry_due()
        assert box.mails == []
        clock.forward(60)
        await queue.carry_due()
    [mail] = box.mails
    assert mail["To"] == ANN
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert "Is this you?" in plain.get_content()
