"""Queue of mails: a table in which each waits until it is taken, or no longer true.

Whoever writes a mail does so within the transaction of what the mail tells; nothing waits for a
mail server. One worker of each console process carries, one mail at a time.

A mail that was taken just before a crash goes out again, with the same ``Message-ID``.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.console.database import Database, after_commit, insert_missing
from gateway.console.database.model import QueuedMail
from gateway.credentials.secrets import Place, SecretBox

from .templates import Letter
from .transports import FolderTransport, MailError, MailTransport, Undeliverable

RETRY_S = (60, 300, 900)
"""After the first, second and third try; there is no fifth."""
CLAIM_S = 60
"""Whoever carries a mail has it for so long; then another process may think it crashed."""
LIFE_S = 86_400
"""Of a mail whose word does not run out earlier."""
POLL_S = 30
"""At the latest the table is looked at again."""
STOP_S = 1.0
"""Who stops waits so long for a mail that is under way."""
MAX_DUE = 50
"""Read at a time."""

log = logging.getLogger(__name__)


class MailQueue:
    """Queue of the console's mails, and the worker that carries them."""

    def __init__(
        self,
        db: Database,
        box: SecretBox,
        carrier: MailTransport,
        now_s: Callable[[], int],
        *,
        sender: tuple[str, str],
    ) -> None:
        """Take the parts; ``sender`` is name and address of whom mails come from."""
        self._db = db
        self._box = box
        self._carrier = carrier
        self._now_s = now_s
        self._sender = sender
        self.is_outbox = isinstance(carrier, FolderTransport)
        self._news = asyncio.Event()

    async def put(
        self,
        session: AsyncSession,
        letter: Letter,
        *,
        address: str,
        dedupe: str,
        exp: int | None = None,
        user_id: str | None = None,
        tid: str | None = None,
    ) -> bool:
        """Queue a letter within the caller's transaction.

        Args:
            session: of :meth:`Database.begin`.
            letter: what to say.
            address: to whom.
            dedupe: what it is about; a second letter about the same is not sent.
            exp: when it is of no use any more; a day from now by default.
            user_id: whose mail it is.
            tid: the token it is about.

        Returns:
            Whether it was queued: ``False`` for a second letter.

        """
        now, mail_id = self._now_s(), host.token_hex(12)
        body = json.dumps({"text": letter.text(), "html": letter.html()})
        await insert_missing(
            session,
            QueuedMail,
            id=mail_id,
            dedupe=dedupe,
            user_id=user_id,
            tid=tid,
            kind=letter.kind,
            address=address,
            subject=letter.subject,
            # codes and links lie in it: a copy of the database must not approve a machine
            body=self._box.seal(body.encode(), _place(mail_id)),
            status="queued",
            tries=0,
            created_at=now,
            next_try_at=now,
            exp=now + LIFE_S if exp is None else exp,
            error="",
        )
        after_commit(session, self._news.set)
        # our own id: where another mail about the same stands, the insert has done nothing
        return await session.get(QueuedMail, mail_id) is not None

    async def run(self) -> None:
        """Carry mails until cancelled."""
        while True:
            # before the table is read: a mail that is queued meanwhile sets it again
            self._news.clear()
            try:
                wait_s = await _to_its_end(self.carry_due())
            except Exception:  # whatever one mail or the database does, the others are to go out
                log.exception("mails could not be carried")
                wait_s = POLL_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def carry_due(self) -> float:
        """Carry what is due, each once, and return after how many seconds to look again."""
        now = self._now_s()
        async with self._db.session() as session:
            waiting = select(QueuedMail.id, QueuedMail.next_try_at).where(
                QueuedMail.status == "queued"
            )
            rows = (
                await session.execute(waiting.order_by(QueuedMail.next_try_at).limit(MAX_DUE))
            ).all()
        for mail_id, at in rows:
            if at <= now:
                # one after the other: a mail server sees no flood, and one mail is tried at a time
                await self._carry(mail_id)
        later = [at - now for _, at in rows if at > now]
        # a full page may have more behind it; and other processes queue mails without a word to us
        return min(POLL_S, *later) if later else POLL_S if len(rows) < MAX_DUE else 0

    async def _carry(self, mail_id: str) -> None:
        mail = await self._claim(mail_id)
        if mail is None:
            return
        # looked at after the claim: it may have waited for hours while no console ran
        if self._now_s() >= mail.exp:
            await self._close(mail, "expired", mail.error)
            return
        try:
            await self._carrier.carry(self._message(mail), mail.address)
        except Undeliverable as error:
            await self._close(mail, "failed", str(error))
        except MailError as error:
            await self._postpone(mail, str(error))
        else:
            await self._close(mail, "sent", "")

    async def _claim(self, mail_id: str) -> QueuedMail | None:
        now = self._now_s()
        mine = (
            update(QueuedMail)
            .where(
                QueuedMail.id == mail_id,
                QueuedMail.status == "queued",
                QueuedMail.next_try_at <= now,
            )
            # claimed for a time, not for good: who crashes with it leaves it to others
            .values(tries=QueuedMail.tries + 1, next_try_at=now + CLAIM_S)
            .returning(QueuedMail)
        )
        async with self._db.begin() as session:
            return (await session.scalars(mine)).one_or_none()

    async def _postpone(self, mail: QueuedMail, reason: str) -> None:
        log.warning("mail %s (%s), try %d: %s", mail.id, mail.kind, mail.tries, reason)
        if mail.tries > len(RETRY_S):
            await self._close(mail, "failed", reason)
            return
        at = self._now_s() + RETRY_S[mail.tries - 1]
        if at >= mail.exp:
            await self._close(mail, "expired", reason)
            return
        async with self._db.begin() as session:
            this = update(QueuedMail).where(QueuedMail.id == mail.id)
            await session.execute(this.values(next_try_at=at, error=reason))

    async def _close(self, mail: QueuedMail, status: str, reason: str) -> None:
        async with self._db.begin() as session:
            this = update(QueuedMail).where(
                # another process may have thought that we crashed, and been faster
                QueuedMail.id == mail.id,
                QueuedMail.status == "queued",
            )
            sent_at = self._now_s() if status == "sent" else None
            await session.execute(
                # emptied: nobody reads it again, and its codes need not lie about
                this.values(status=status, body="", error=reason, sent_at=sent_at)
            )

    def _message(self, mail: QueuedMail) -> EmailMessage:
        body = json.loads(self._box.open(mail.body, _place(mail.id)))
        message = EmailMessage(policy=SMTP)
        message["From"] = formataddr(self._sender)
        message["To"] = mail.address
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(mail.created_at, UTC))
        message["Message-ID"] = self._message_id(mail)
        # RFC 3834: no out-of-office answers back
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body["text"])
        message.add_alternative(body["html"], subtype="html")
        return message

    def _message_id(self, mail: QueuedMail) -> str:
        date = datetime.fromtimestamp(mail.created_at, UTC)
        # the same for each try: mail servers and readers drop a second one by it
        digest = sha256(mail.dedupe.encode()).hexdigest()[:16]
        domain = self._sender[1].rpartition("@")[2]
        return f"<{date:%Y%m%dT%H%M%SZ}-{mail.kind}-{digest}@{domain}>"


async def _to_its_end(work: Coroutine[None, None, float]) -> float:
    """Await work; cancelled meanwhile, let it come to its end if that is near.

    A transaction that is cut off leaves its database connection to a thread.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # a mail that was handed over should be noted as sent, or it goes out again
        await asyncio.wait({task}, timeout=STOP_S)
        task.cancel()
        raise


def _place(mail_id: str) -> Place:
    return Place("mails", mail_id, "body")
