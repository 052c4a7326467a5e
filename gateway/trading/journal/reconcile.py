"""Finding out what became of commands whose answer was lost.

It begins when a terminal links, when a caller is told that nobody knows, and when a late answer
comes; and it looks again, less and less often, while something is unknown. The terminal's own
table of results (``results_get``) is asked first, for it settles nearly everything. Where the
table says that a command was never taken, that is believed of the same terminal alone (by its
fingerprint), and of a later link than the one that the command was written to, or once its time
to begin is over: until then its bytes may still be on their way. Whatever the table does not
settle is looked for in the account: see :mod:`.matching` and :mod:`.effects`. What cannot be told
stays unknown.

What is in no list for five minutes, on one later link of a terminal that its broker talks to, and
at last not in a day more of the past either, whatever the clocks say, is taken for not executed:
no order stays invisible for so long, and an unknown that never ends would keep its symbol closed
to new orders for ever. It is ``rejected``, so that its id is not free.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice

from ea_bridge import commands, errors
from ea_bridge.model import SUCCESSES, TradeResult, TradeRetcode
from ea_bridge.session import LateResult
from gateway.errors import GatewayError, TerminalDisconnected
from gateway.store import StoreError

from ..guard import GuardedTerminal
from ..sending import is_open, was_refused
from . import conclusion, effects
from .intents import ENDS, Account, Intent, Send, Stage
from .log import OrderLog
from .matching import Sighting, makes_order, match
from .pacing import Pacing
from .sightings import View, look

PAUSES_S = (0.1, 0.2, 0.5, 1.0, 1.0, 2.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Between looks; the last one goes on for ever. Histories lag by seconds."""
MAX_LATE = 256
"""Late answers that are kept until their caller has been told."""
GONE_S = 300.0
"""After so long a command that left no trace is taken for not executed."""
SURE_S = 1.0
"""Beyond its time to begin, before a command that the terminal does not know is given up."""

logger = logging.getLogger(__name__)


class Reconciler:
    """Finds out for one terminal.

    Args:
        log: of all orders.
        name: the terminal's.
        guarded: makes a way to it that no caller stands behind: to the market, whether or not
            paper trading is on.
        on_paper: makes one to its paper broker.

    """

    def __init__(
        self,
        log: OrderLog,
        name: str,
        guarded: Callable[[], GuardedTerminal],
        on_paper: Callable[[], GuardedTerminal] | None = None,
    ) -> None:
        self._log = log
        self._name = name
        self._guarded = guarded
        self._on_paper = on_paper or guarded
        self._pacing = Pacing(log.now_ms)
        self._late: OrderedDict[int, LateResult] = OrderedDict()
        self._absent_since_s: dict[int, float] = {}
        self._traceless_since_s: dict[int, float] = {}
        self._scene: Hashable = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def kick(self) -> None:
        """Look now, and then again until nothing is unknown."""
        self._news.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def late(self, late: LateResult) -> None:
        """Take the answer to a trade whose caller was told that nobody knows."""
        self._late[late.command_id] = late
        if len(self._late) > MAX_LATE:
            self._late.popitem(last=False)
        self.kick()

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    # --- the loop --------------------------------------------------------------------------

    async def _run(self) -> None:
        pauses = iter(PAUSES_S)
        while True:
            if self._news.is_set():
                self._news.clear()
                pauses = iter(PAUSES_S)
            if await self._round():
                return
            try:
                async with asyncio.timeout(next(pauses, PAUSES_S[-1])):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _round(self) -> bool:
        """Look once; return whether there is nothing to look for, for now."""
        terminal = self._guarded()
        session, account = terminal.session, terminal.account
        if session is None or account is None:
            return True  # the next link begins anew
        intents = self._log.unresolved(account)
        if not intents:
            return True
        real = [one for one in intents if not one.is_paper]
        papers = [one for one in intents if one.is_paper]
        try:
            if real:
                await self._settle(terminal, account, real)
            if papers:
                await self._settle(self._on_paper(), account, papers)
        except TerminalDisconnected:
            return terminal.session is None
        except GatewayError as error:
            logger.info("terminal %s: not reconciled yet: %s", self._name, error.name())
        except StoreError:
            logger.exception("terminal %s: what was found is not written", self._name)
        except Exception:
            logger.exception("terminal %s cannot be reconciled", self._name)
        return False

    async def _settle(
        self, terminal: GuardedTerminal, account: Account, intents: list[Intent]
    ) -> None:
        self._take_late(intents)
        await self._ask_table(terminal, intents)
        await self._conclude(terminal, intents)
        if await self._search(terminal, account, list(_open_sends(intents))):
            await self._conclude(terminal, intents)

    async def _conclude(self, terminal: GuardedTerminal, intents: list[Intent]) -> None:
        for intent in intents:
            if intent.stage not in ENDS and not any(_open_sends([intent])):
                stage, answer = await conclusion.of(terminal, intent)
                if intent.stage in ENDS:
                    continue  # another terminal of the account was faster
                await self._log.settle(intent, stage, answer)
                for send in intent.sends:
                    self._pacing.forget(send)
                    self._absent_since_s.pop(send.command_id, None)
                    self._traceless_since_s.pop(send.command_id, None)

    # --- what the terminal says by itself ------------------------------------------------------

    def _take_late(self, intents: list[Intent]) -> None:
        for send in _open_sends(intents):
            late = self._late.pop(send.command_id, None)
            if late is None:
                continue
            if isinstance(late.result, TradeResult):
                self._take_result(send, late.result)
            elif isinstance(late.error, errors.CommandFailed):
                self._take_refusal(send, late.error.err, late.error.retcode)

    async def _ask_table(self, terminal: GuardedTerminal, intents: list[Intent]) -> None:
        """Ask for the results of commands that were sent to this very terminal."""
        own = [intent for intent in intents if intent.terminal == self._name]
        by_id = {send.command_id: send for send in _open_sends(own)}
        if not by_id or not terminal.can("results"):
            return
        for some in _chunks(sorted(by_id), commands.MAX_RESULTS):
            params = commands.ResultsParams(ids=",".join(map(str, some)))
            for stored in await terminal.request(commands.RESULTS_GET, params):
                if (send := by_id.get(stored.id)) is not None:
                    self._take_stored(terminal, send, stored)

    def _take_stored(
        self, terminal: GuardedTerminal, send: Send, stored: commands.StoredResult
    ) -> None:
        if stored.state == "done":
            if stored.result is not None:
                self._take_result(send, stored.result)
            else:
                self._take_refusal(send, stored.err, stored.retcode)
        elif stored.state == "absent" and self._is_never_taken(terminal, send):
            self._end(send, Stage.NOT_SENT)

    def _is_never_taken(self, terminal: GuardedTerminal, send: Send) -> bool:
        """Whether a command that the terminal's table lacks will never be executed."""
        session = terminal.session
        if session is None or session.hello.fp != send.fp:
            return False
        if session.id != send.session:
            return True
        now_s = time.monotonic()
        since_s = self._absent_since_s.setdefault(send.command_id, now_s)
        return now_s - since_s > send.ttl_ms / 1000 + SURE_S

    def _take_result(self, send: Send, result: TradeResult) -> None:
        if result.retcode in SUCCESSES:
            self._end(send, Stage.DONE, result)
        elif not is_open(result.retcode):
            self._end(send, Stage.REJECTED, result)
        elif send.result is None:
            send.result, send.retcode = result, result.retcode  # it may name the order

    def _take_refusal(self, send: Send, err: int, retcode: int) -> None:
        if err == commands.TOO_LATE:
            self._end(send, Stage.NOT_SENT)
        elif was_refused(err, retcode):
            send.err, send.retcode = err, retcode
            self._end(send, Stage.REJECTED)

    def _end(self, send: Send, stage: Stage, result: TradeResult | None = None) -> None:
        send.stage, send.result, send.ended_ms = stage, result, self._log.now_ms()
        if result is not None:
            send.retcode = result.retcode

    # --- what its account shows ----------------------------------------------------------------

    async def _search(
        self, terminal: GuardedTerminal, account: Account, sends: list[Send]
    ) -> bool:
        """Look for those whose time has come; return whether there were any."""
        session = terminal.session
        scene = () if session is None else (session.id, session.broker)
        if scene != self._scene:
            # lists are empty for a while after a login: what one link lacked says nothing there
            self._scene = scene
            self._traceless_since_s.clear()
        due = self._pacing.due(sends, scene)
        if not due:
            return False
        ids = {send.command_id for send in due}
        later = [send for send in sends if send.command_id not in ids]
        rivals = [*later, *self._under_way(account, due[0])]
        view = await look(terminal, due, rivals, is_far=any(map(self._is_overdue, due)))
        if terminal.account != account:
            raise terminal.offline()  # it was logged in elsewhere while it told
        self._pacing.looked(due)
        seen = self._search_orders(view, account, due, later)
        for send in due:
            if send.stage not in ENDS and not makes_order(send, is_mt4=view.is_mt4):
                self._search_change(view, account, send)
        for send in due:
            if send.stage not in ENDS and effects.leaves_trace(send, view):
                self._give_up_late(terminal, send, view, seen)
        return True

    def _is_overdue(self, send: Send) -> bool:
        """Whether a command is given up if it has left no trace this time either."""
        now_s = time.monotonic()
        return now_s - self._traceless_since_s.get(send.command_id, now_s) >= GONE_S

    def _give_up_late(
        self, terminal: GuardedTerminal, send: Send, view: View, seen: list[Sighting]
    ) -> None:
        """Take a command for not executed that has left no trace for long."""
        session = terminal.session
        can_tell = session is not None and session.id != send.session and session.broker is True
        if not can_tell or any(view.may_be(send, one) for one in seen):
            self._traceless_since_s.pop(send.command_id, None)
            return
        self._traceless_since_s.setdefault(send.command_id, time.monotonic())
        if view.is_far and self._is_overdue(send):
            send.err = send.retcode = 0  # what left it open is no reason
            self._end(send, Stage.REJECTED)

    def _search_change(self, view: View, account: Account, send: Send) -> None:
        """Look whether what was there is now as the command wanted it."""
        if send.exited is not None and send.exited not in view.positions:
            # MetaTrader 4 closes a ticket once: what another one has done, this one has not
            exits = self._log.exits(account, send.exited)
            others = [stage for id_, stage in exits.items() if id_ != send.command_id]
            if Stage.DONE in others:
                self._take_result(send, TradeResult(retcode=TradeRetcode.POSITION_CLOSED))
                return
            if any(stage not in ENDS for stage in others):
                return
        result = effects.result_of_change(send, view)
        if result is not None:
            self._take_result(send, result)

    def _under_way(self, account: Account, like: Send) -> list[Send]:
        """Return the commands whose callers still wait, on paper or not as this one."""
        return [
            send
            for intent in self._log.running(account)
            for send in intent.sends
            if send.ticket is None and send.is_paper == like.is_paper
        ]

    def _search_orders(
        self, view: View, account: Account, sends: list[Send], later: list[Send]
    ) -> list[Sighting]:
        """Match orders with commands; return those that belong to no other command.

        Args:
            later: commands that it is looked for another time.

        """
        wanted = [send for send in sends if makes_order(send, is_mt4=view.is_mt4)]
        rivals = [*later, *self._under_way(account, sends[0])]
        rivals = [send for send in rivals if makes_order(send, is_mt4=view.is_mt4)]
        mine = view.wanted([*sends, *rivals], self._log.now_ms())
        seen = [one for one in view.sightings() if mine.sighting(one)]
        claimed = self._log.claimed(account, {one.ticket for one in seen})
        claimed -= {send.ticket for send in (*wanted, *later) if send.ticket is not None}
        free = [one for one in seen if one.ticket not in claimed]
        found = match([*wanted, *rivals], free, partly=later)
        for send in wanted:
            one = found.get(send.command_id)
            if one is not None:
                self._take_result(send, effects.result_of_order(send, one, view))
        return free


def _open_sends(intents: Iterable[Intent]) -> Iterator[Send]:
    """Return the commands whose end is not known."""
    return (send for intent in intents for send in intent.sends if send.stage not in ENDS)


def _chunks(ids: list[int], size: int) -> Iterator[list[int]]:
    rest = iter(ids)
    while some := list(islice(rest, size)):
        yield some
