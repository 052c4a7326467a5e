"""Check of what people have said of orders against what the terminal says later.

A person can settle what nobody knew (see :mod:`.manual_settlement`). The truth may come later all
the same: the terminal is back with its table of results, an answer arrives, or the order shows
with its tag. So for a day what was settled by hand is looked at as if it were unknown; what
the terminal says counts, and whoever listens is told that it was otherwise.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from msgspec import structs

from ..journal.intents import ENDS, Account, CommandRecord, Intent, Stage
from ..journal.log import OrderLog
from ..terminal import GuardedTerminal
from . import effects
from .matching import is_tagged_as, makes_order
from .outcome import conclude
from .reported_results import ReportedResults, open_sends
from .retry_schedule import RetrySchedule
from .snapshot import AccountSnapshot, take_snapshot

logger = logging.getLogger(__name__)


class SettlementCheck:
    """Of the orders at one terminal that were settled by hand.

    Args:
        log: of all orders.
        reported: what the terminal says by itself.

    """

    def __init__(self, log: OrderLog, reported: ReportedResults) -> None:
        self._log = log
        self._reported = reported
        self._schedule = RetrySchedule(log.now_ms)

    def has_work(self, account: Account) -> bool:
        """Whether there are any of an account."""
        return any(not intent.is_paper for intent in self._log.watched(account))

    def forget_ended(self, account: Account) -> None:
        """Forget the commands of those that are watched no more."""
        watched = self._log.watched(account)
        self._schedule.keep({send.command_id for intent in watched for send in intent.sends})

    async def look(self, terminal: GuardedTerminal, account: Account) -> None:
        """Look once, at those whose time has come.

        Raises:
            GatewayError: the terminal did not say.
            StoreError: what was found is not written; try again.

        """
        settled = [intent for intent in self._log.watched(account) if not intent.is_paper]
        doubles = {intent.key: _reopened(intent) for intent in settled}
        found = list(doubles.values())
        self._reported.take_late(found)
        session = terminal.session
        scene = () if session is None else (session.id, session.broker)
        due = self._schedule.due(list(open_sends(found)), scene)
        if due:
            await self._reported.ask_table(terminal, found)
            await self._search(
                terminal, account, [send for send in due if _is_maker(terminal, send)]
            )
            self._schedule.looked(due)
        for intent in settled:
            double = doubles[intent.key]
            if not any(open_sends([double])):
                await self._compare(terminal, intent, double)
                for send in double.sends:
                    self._schedule.forget(send)

    async def _search(
        self, terminal: GuardedTerminal, account: Account, sends: list[CommandRecord]
    ) -> None:
        """Look for orders that carry the commands' tags: only they say for sure whose they are."""
        sends = [send for send in sends if send.stage not in ENDS]
        if not sends:
            return
        view = await take_snapshot(terminal, sends, [], is_far=False)
        if terminal.account != account:
            raise terminal.offline()  # it was logged in elsewhere while it told
        for send in sends:
            self._find(view, send)

    def _find(self, view: AccountSnapshot, send: CommandRecord) -> None:
        own = [order for order in view.sightings() if is_tagged_as(send, order)]
        if len(own) == 1:
            self._reported.take_result(send, effects.result_of_order(send, own[0], view))

    async def _compare(self, terminal: GuardedTerminal, intent: Intent, double: Intent) -> None:
        """Let what the terminal has said count."""
        assert intent.settlement is not None
        stage, answer = await conclude(terminal, double, can_wait=True)
        said = intent.settlement
        if stage is Stage.NOT_SENT and said.outcome == "done":
            return  # a terminal that lost its table lacks what it has executed, too
        tickets = [{send.ticket for send in other.sends} - {None} for other in (intent, double)]
        is_same = (stage is Stage.DONE) == (said.outcome == "done") and (
            stage is not Stage.DONE or said.ticket is None or tickets[0] == tickets[1]
        )
        if is_same:
            await self._log.confirm(intent, structs.replace(said, confirmed=True))
            return
        logger.warning(
            "order %s was settled by hand (%s) as %s, and is %s: what the terminal says counts",
            intent.asked.client_order_id,
            said.by,
            said.outcome,
            stage.value,
        )
        contradicted = structs.replace(said, contradicted_ms=self._log.now_ms())
        await self._log.settle(intent, stage, answer, sends=double.sends, settlement=contradicted)


def _reopened(intent: Intent) -> Intent:
    """Return an intent as it was before a person settled it."""
    sends = [
        replace(send, stage=Stage.UNKNOWN, result=None, err=0, retcode=0, presumed=None)
        if send.stage is Stage.DONE or (send.stage is Stage.REJECTED and not send.is_answered)
        else send
        for send in intent.sends
    ]
    return replace(intent, stage=Stage.UNKNOWN, sends=sends)


def _is_maker(terminal: GuardedTerminal, send: CommandRecord) -> bool:
    return makes_order(send, is_mt4=terminal.is_mt4)
