"""Results of commands that a terminal reports late: by answers that nobody waits for any more, and
by its table of results.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from ea_bridge import commands, errors
from ea_bridge.model import SUCCESSES, TradeResult
from ea_bridge.session import LateResult

from ..journal import CommandRecord, Intent, Stage
from ..journal.intents import ENDS, Presumed
from ..results import is_final, is_plausible
from ..terminal import GuardedTerminal, was_never_begun, was_refused
from .patience import Patience

MAX_LATE = 256
"""Late answers that are kept until their caller has been told."""


class ReportedResults:
    """Results that one terminal reports, taken for the ends of commands.

    Args:
        name: the terminal's.
        now_ms: UTC milliseconds.
        patience: told of all that it has answered.

    """

    def __init__(self, name: str, now_ms: Callable[[], int], patience: Patience) -> None:
        self._name = name
        self._now_ms = now_ms
        self._patience = patience
        self._late: OrderedDict[int, LateResult] = OrderedDict()

    def late(self, late: LateResult) -> None:
        """Keep the answer to a trade whose caller was told that nobody knows."""
        self._late[late.command_id] = late
        # the oldest goes: its command is found in the table or in the account, only later
        if len(self._late) > MAX_LATE:
            self._late.popitem(last=False)

    def take_late(self, intents: list[Intent]) -> None:
        """Take the late answers to commands of these."""
        for send in open_sends(intents):
            late = self._late.pop(send.command_id, None)
            if late is None:
                continue
            if isinstance(late.result, TradeResult):
                self._take_answer(send, late.result)
            elif isinstance(late.error, errors.CommandFailed):
                self._take_refusal(send, late.error.err, late.error.retcode)

    async def ask_table(self, terminal: GuardedTerminal, intents: list[Intent]) -> None:
        """Ask for the results of commands that were sent to this very terminal."""
        # another terminal of the account has a table of its own, and knows nothing of these
        own = [intent for intent in intents if intent.terminal == self._name]
        by_id = {send.command_id: send for send in open_sends(own)}
        if not by_id or not terminal.can("results"):
            return
        for some in _chunks(sorted(by_id), commands.MAX_RESULTS):
            params = commands.ResultsParams(ids=",".join(map(str, some)))
            known = await terminal.request(commands.RESULTS_GET, params)
            # the table itself is an answer to something that was written after these
            self._patience.heard(by_id[command_id] for command_id in some)
            for stored in known:
                send = by_id.get(stored.id)
                # another terminal of the account may have found its end while this one answered
                if send is not None and send.stage not in ENDS:
                    self._take_stored(terminal, send, stored)

    def _take_stored(
        self, terminal: GuardedTerminal, send: CommandRecord, stored: commands.StoredResult
    ) -> None:
        if stored.state == "done":
            if stored.result is not None:
                self._take_answer(send, stored.result)
            else:
                self._take_refusal(send, stored.err, stored.retcode)
        elif stored.state == "absent" and self._is_never_taken(terminal, send):
            self._end(send, Stage.NOT_SENT)

    def _is_never_taken(self, terminal: GuardedTerminal, send: CommandRecord) -> bool:
        """Whether a command that the terminal's table lacks was not and will not be executed."""
        session = terminal.session
        # by the fingerprint: a new installation under the same name has an empty table
        if session is None or session.hello.fp != send.fp or send.is_answered:
            return False
        # an EA of an earlier version does not know that a power cut may have taken it away
        is_sure = commands.SURE_ABSENT in session.caps or session.hello.boot == send.context.boot
        return is_sure and self._patience.is_over(session, send)

    def _take_answer(self, send: CommandRecord, result: TradeResult) -> None:
        """Take the terminal's word, if it can be true."""
        if result.retcode not in SUCCESSES or is_plausible(send.request, result):
            self.take_result(send, result)
        else:
            send.retcode = result.retcode

    def take_result(self, send: CommandRecord, result: TradeResult) -> None:
        """Take what was answered, or must have been, for the end of a command if it is one."""
        if result.retcode in SUCCESSES:
            self._end(send, Stage.DONE, result)
        elif is_final(result.retcode):
            self._end(send, Stage.REJECTED, result)
        elif send.result is None:
            send.result, send.retcode = result, result.retcode  # it may name the order

    def _take_refusal(self, send: CommandRecord, err: int, retcode: int) -> None:
        if was_never_begun(err, retcode):
            self._end(send, Stage.NOT_SENT)
        elif was_refused(err, retcode):
            send.err, send.retcode = err, retcode
            self._end(send, Stage.REJECTED)
        elif not send.is_answered:
            send.err, send.retcode = err, retcode

    def _end(self, send: CommandRecord, stage: Stage, result: TradeResult | None = None) -> None:
        send.stage, send.result, send.ended_ms = stage, result, self._now_ms()
        if result is not None:
            send.err, send.retcode = 0, result.retcode

    def presume(self, send: CommandRecord, why: Presumed) -> None:
        """Take a command for not executed."""
        send.err = send.retcode = 0  # what left it open is no reason
        send.presumed = why
        self._end(send, Stage.REJECTED)


def open_sends(intents: Iterable[Intent]) -> Iterator[CommandRecord]:
    """Return the commands whose end is not known."""
    return (send for intent in intents for send in intent.sends if send.stage not in ENDS)


def _chunks(ids: list[int], size: int) -> Iterator[list[int]]:
    rest = iter(ids)
    while some := list(islice(rest, size)):
        yield some
