"""Notices: mails about a user's terminals, by what the console knows by itself.

A gateway tells its owner more, and sooner (``[notify]`` of its ``config.toml``), but not that its
machine is off. The console sees that, and halts, and alerts that became no order. Mails go to the
address of the account alone: nobody can have the console call an address of his own, and no
machine can have anything sent to anybody else.

What was told stands in the queue of mails, each under a name made of what happened: whoever looks
again, after a restart or in another process, tells it once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Literal, get_args

from sqlalchemy import select

from .activity import ActivityLog
from .daemon_calls import FRESH_S, DaemonCalls
from .database import Database
from .database.model import NoticeChoice, QueuedMail, User
from .errors import Invalid, TooMany
from .hooks import AlertInfo, Hooks
from .mail import MailQueue, templates
from .mail.templates import Letter
from .terminals import AWAY, TerminalOverview, TerminalStatus
from .user_info import UserInfo, locked_user

NoticeEvent = Literal["away", "halt", "alert"]
EVENTS: Final[tuple[NoticeEvent, ...]] = get_args(NoticeEvent)
LOOK_S: Final = 20.0
"""Between two looks at all terminals of those who want to be told."""
MIN_AWAY_S, MAX_AWAY_S, USUAL_AWAY_S = 120, 86_400, 300
"""The least is above the minute after which a silent daemon is seen to be so."""
MAX_A_DAY: Final = 20
"""Mails of one kind to one user: a terminal whose link comes and goes fills no mailbox."""
LAST: Final = "There are no more mails of this kind for a day: look at the console."
DAY_S: Final = 86_400
OLD_S: Final = 7 * DAY_S
"""Who has been away for longer was told, or is not missed."""
REMEMBERED_S: Final = 30 * DAY_S
"""Whoever is away for longer comes back without a mail."""
MAX_MESSAGE: Final = 200
"""Characters of an error in words."""
NO_ORDER: Final[Mapping[str, str]] = {
    "refused": "was refused",
    "rejected": "was rejected by the broker",
    "not_sent": "was not sent",
    "late": "came too late for the machine",
    "unknown": "was sent, and nobody can tell yet whether the broker has executed it",
}
"""Ends of alerts that are told."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """Events of which a user is told, and after how long a terminal is away."""

    events: frozenset[NoticeEvent] = frozenset()
    away_s: int = USUAL_AWAY_S
    since: int = 0
    """When it was chosen."""


class Notices:
    """Notices of all users: what they choose, and what is told.

    Args:
        db: keeps the choices.
        mail: carries the mails.
        terminals: what they are doing.
        calls: know halts.
        hooks: know alerts.
        activity: the log.
        url: where people find the console.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        mail: MailQueue,
        terminals: TerminalOverview,
        calls: DaemonCalls,
        hooks: Hooks,
        activity: ActivityLog,
        url: Callable[[], str],
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._mail = mail
        self._terminals = terminals
        self._calls = calls
        self._hooks = hooks
        self._activity = activity
        self._url = url
        self._now_s = now_s
        self._began_at = now_s()

    # --- choices -----------------------------------------------------------------------------

    async def choice(self, user_id: str) -> Choice:
        """Return what a user has chosen."""
        async with self._db.session() as session:
            row = await session.get(NoticeChoice, user_id)
        return Choice() if row is None else _choice(row)

    async def choose(self, user: UserInfo, events: Collection[str], away_s: int) -> None:
        """Set what a user is told from now on.

        Raises:
            Invalid: there is no such event, or the time is out of range.

        """
        wanted = [event for event in EVENTS if event in events]
        if len(wanted) != len(set(events)):
            raise Invalid("There is no such event.")
        if not MIN_AWAY_S <= away_s <= MAX_AWAY_S:
            raise Invalid(
                f"Give {MIN_AWAY_S // 60} to {MAX_AWAY_S // 60} minutes, in whole numbers."
            )
        async with self._db.begin() as session:
            await locked_user(session, user.id)
            row = await session.get(NoticeChoice, user.id)
            if row is None:
                row = NoticeChoice(user_id=user.id)
                session.add(row)
            row.events, row.away_s, row.since = json.dumps(wanted), away_s, self._now_s()
            self._activity.note(
                session, "notices.changed", user_id=user.id, detail=", ".join(wanted)
            )

    async def test(self, user: UserInfo) -> None:
        """Queue a mail that tells of nothing.

        Raises:
            TooMany: one is on its way already.

        """
        letter = templates.notice(
            "test",
            "A test of your notices",
            "Mails about your terminals reach you at this address.",
            (("When", templates.when(self._now_s())),),
            url=self._url() + "/account",
        )
        name = f"test:{user.id}:{self._now_s() // 60}"
        async with self._db.begin() as session:
            is_first = await self._mail.put(
                session, letter, address=user.email, dedupe=name, user_id=user.id
            )
        if not is_first:
            raise TooMany("A test is on its way already: wait a minute.", 60)

    # --- what is told ------------------------------------------------------------------------

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception:  # the next look is another try
                logger.exception("a look for notices failed")

    async def look(self) -> None:
        """Look once at all that users want to be told of."""
        wanted = (
            select(NoticeChoice, User)
            .join(User, User.id == NoticeChoice.user_id)
            .where(User.status == "active", NoticeChoice.events != "[]")
        )
        async with self._db.session() as session:
            found = [
                (_choice(row), user.id, user.email) for row, user in await session.execute(wanted)
            ]
        for choice, user_id, email in found:
            try:
                await self._look_at(choice, user_id, email)
            except Exception:  # whatever it was: the others are told
                logger.exception("a user's terminals could not be looked at for notices")

    async def _look_at(self, choice: Choice, user_id: str, email: str) -> None:
        now_s = self._now_s()
        lately = select(QueuedMail.dedupe, QueuedMail.kind, QueuedMail.created_at).where(
            QueuedMail.user_id == user_id,
            QueuedMail.kind.startswith(templates.NOTICE),
            QueuedMail.created_at > now_s - REMEMBERED_S,
        )
        async with self._db.session() as session:
            mails = (await session.execute(lately)).all()
        told = frozenset(name for name, _, _ in mails)
        today = Counter(kind for _, kind, at in mails if at > now_s - DAY_S)
        for name, letter in await self._found(choice, user_id, told):
            # those beyond the bound are found at each look: they cost no transaction
            if name in told or today[letter.kind] >= MAX_A_DAY:
                continue
            today[letter.kind] += 1
            if today[letter.kind] == MAX_A_DAY:
                letter = replace(letter, lines=(*letter.lines, LAST))
            async with self._db.begin() as session:
                await self._mail.put(session, letter, address=email, dedupe=name, user_id=user_id)

    async def _found(
        self, choice: Choice, user_id: str, told: Collection[str]
    ) -> Sequence[_Notice]:
        """Return all that there is to tell now, told already or not."""
        found = list[_Notice]()
        if choice.events & {"away", "halt"}:
            for terminal in await self._terminals.list(user_id):
                if "away" in choice.events:
                    found += self._away(terminal, choice, told)
                if "halt" in choice.events:
                    found += self._halt(terminal, told)
        if "alert" in choice.events:
            for alert in await self._hooks.alerts(user_id):
                found += self._alert(alert, choice)
        return found

    def _away(
        self, terminal: TerminalStatus, choice: Choice, told: Collection[str]
    ) -> Sequence[_Notice]:
        name = templates.said(terminal.name)
        if terminal.state == "online":
            title, line = f"{name} is back", "The terminal is linked again."
            over = _over(told, f"away:{terminal.key}:")
            return [self._about(terminal, "away-over", one, title, line) for one in over]
        # while the console was off it heard nobody
        since = max(terminal.since or 0, self._began_at)
        if terminal.state not in AWAY or self._now_s() - since < choice.away_s:
            return ()
        # one that nobody misses would be looked up in the queue at each look, for ever
        if self._now_s() - (terminal.since or 0) > OLD_S:
            return ()
        line = (
            "Nothing has been heard of its machine, or of the gateway there."
            if terminal.state == "silent"
            else "The gateway there says that the terminal is not linked."
        )
        key = f"away:{terminal.key}:{terminal.since or 0}"
        return [self._about(terminal, "away", key, f"{name} is away", line)]

    def _halt(self, terminal: TerminalStatus, told: Collection[str]) -> Sequence[_Notice]:
        figures = self._calls.figures(terminal.did or "", terminal.tid)
        # what is old is not told as what is
        if figures is None or self._now_s() - figures.heard_at > FRESH_S:
            return ()
        name, halt = templates.said(terminal.name), figures.told
        if not halt.halted_by:
            title, line = f"{name} may trade again", "The halt is lifted."
            over = _over(told, f"halt:{terminal.key}:")
            return [self._about(terminal, "halt-over", one, title, line) for one in over]
        by, reason = templates.said(halt.halted_by), templates.said(halt.halt_reason)
        line = f"No new order is sent. Halted by: {by}." + (f" Reason: {reason}" if reason else "")
        key = f"halt:{terminal.key}:{halt.halted_at or 0}"
        return [self._about(terminal, "halt", key, f"Trading of {name} is halted", line)]

    def _alert(self, alert: AlertInfo, choice: Choice) -> Sequence[_Notice]:
        what = NO_ORDER.get(alert.status)
        if what is None or alert.at < max(choice.since, self._now_s() - DAY_S):
            return ()
        words = sha256(f"{alert.words}|{alert.error}".encode()).hexdigest()[:16]
        letter = templates.notice(
            "alert",
            f"An alert of {templates.said(alert.hook)} {what}",
            # a symbol that somebody has posted may stand in it
            templates.said(alert.message, MAX_MESSAGE) if alert.message else "",
            (("Order", templates.said(alert.words)), ("Came", templates.when(alert.at))),
            url=self._url() + "/hooks",
        )
        return [(f"alert:{alert.hook_id}:{alert.at}:{words}", letter)]

    def _about(
        self, terminal: TerminalStatus, kind: str, name: str, title: str, line: str
    ) -> _Notice:
        facts = [("Terminal", templates.said(terminal.name))]
        facts += [("Machine", templates.said(terminal.device))]
        if terminal.login:
            account = f"{terminal.login} at {templates.said(terminal.server)}"
            facts += [("Account", account)]
        facts += [("When", templates.when(self._now_s()))]
        return name, templates.notice(kind, title, line, facts, url=self._url())


_Notice = tuple[str, Letter]
"""A letter, and the name under which it is told once."""


def _over(told: Collection[str], begins: str) -> Sequence[str]:
    """Return the names of ends whose beginnings were told, and they not."""
    ends = (f"{name}:over" for name in told if name.startswith(begins) and name[-5:] != ":over")
    return [end for end in ends if end not in told]


def _choice(row: NoticeChoice) -> Choice:
    return Choice(frozenset(json.loads(row.events)), row.away_s, row.since)
