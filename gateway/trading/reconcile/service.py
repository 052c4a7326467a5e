"""Service that finds out unknown orders at all terminals, with one :class:`Reconciler` for each.

It begins when a terminal links, when a caller is told that nobody knows, and when a late answer
comes; and it looks again, less and less often, while something is unknown. The terminal's own
table of results (``results_get``) is asked first, for it settles nearly everything. Where the
table says that a command was never taken, that is believed of the same terminal alone (by its
fingerprint), on the same start of its EA unless that can tell after another one as well
(:data:`ea_bridge.commands.SURE_ABSENT`), and of a later link than the one that the command was
written to, or once its time to begin is over: until then its bytes may still be on their way.
Whatever the table does not settle is looked for in the account: see :mod:`.matching` and
:mod:`.outcome`. What cannot be told stays unknown.

What is in no list for five minutes (see :mod:`.patience`), on one link of a terminal that its
broker talks to, and at last not in a day more of the past either, whatever the clocks say, is
taken for not executed: no order stays invisible for so long, and an unknown that never ends would
keep its symbol closed to new orders for ever. It is ``rejected``, so that its id is not free. The
same becomes of a change that does not show by then, and of the youngest of equal orders of which
some were executed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial

from ea_bridge.model import TradeResult, TradeRetcode
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalRegistry
from ea_bridge.session import LateResult, TerminalSession
from gateway.audit import Audit
from gateway.errors import GatewayError, TerminalDisconnected
from gateway.schemas import OrderSettled
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError
from gateway.trading.journal import AccountKey, Intent, OrderLog, SqliteJournal
from gateway.trading.journal.views import settled
from gateway.trading.reconcile.used_ids import UsedIdScan
from gateway.trading.state import Terminals
from gateway.trading.terminal import unattended

from ..journal.intents import ENDS, CommandRecord, Presumed, Stage
from ..journal.log import OnIntent
from ..terminal import GuardedTerminal
from .matching import ObservedOrder, assign_alike, descendants, makes_order, match
from .outcome import conclude, distance_of_exit, result_of_change, result_of_order
from .patience import Patience, RetrySchedule
from .reported_results import ReportedResults, open_sends
from .settlement import SettlementCheck
from .snapshot import AccountSnapshot, take_snapshot

PAUSES_S = (0.1, 0.2, 0.5, 1.0, 1.0, 2.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Between looks; the last one goes on for ever. Histories lag by seconds."""
MAX_TOGETHER = 32
"""Orders whose ends are concluded at a time, for a fill may wait seconds for its deals: half of
what a terminal takes at once, so that callers have the rest."""
_GONE = TradeResult(retcode=TradeRetcode.POSITION_CLOSED)


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
        self._schedule = RetrySchedule(log.now_ms)
        # one for table and account: that a command was heard of counts for both
        self._patience = Patience()
        self._reported = ReportedResults(name, log.now_ms, self._patience)
        self._settlements = SettlementCheck(log, self._reported)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Look now, and then again until nothing is unknown."""
        self._news.set()
        # one task a terminal; the event has a running one begin its pauses anew
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def late(self, late: LateResult) -> None:
        """Take the answer to a trade whose caller was told that nobody knows."""
        self._reported.late(late)
        self.wake()

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    # --- the loop --------------------------------------------------------------------------

    async def _run(self) -> None:
        pauses = iter(PAUSES_S)
        while True:
            # what has just become unknown is looked for often again, whatever else waits for long
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
        if account is not None:
            # without a link as well: another terminal of the account may have been faster
            self._forget_ended(account)
        if session is None or account is None:
            return True  # the next link begins anew
        intents = self._log.unresolved(account)
        if not intents and not self._settlements.has_work(account):
            return True
        ends = False
        real = [intent for intent in intents if not intent.is_paper]
        papers = [intent for intent in intents if intent.is_paper]
        try:
            if real:
                await self._settle(terminal, account, real)
            if papers:
                await self._settle(self._on_paper(), account, papers)
            await self._settlements.look(terminal, account)
        except TerminalDisconnected:
            # a link that is gone ends the loop, for the next one wakes it; paper alone being away
            # does not
            ends = terminal.session is None
        except GatewayError as error:
            logger.info("terminal %s: not reconciled yet: %s", self._name, error.name())
        except StoreError:
            logger.exception("terminal %s: what was found is not written", self._name)
        # the loop must not die of a fault of ours: nobody else finds out what is unknown
        except Exception:
            logger.exception("terminal %s cannot be reconciled", self._name)
        self._forget_ended(account)
        return ends

    def _forget_ended(self, account: AccountKey) -> None:
        """Forget all commands that have ended, whoever has found that out: this one, another
        terminal of the account, a person, or an answer that came during the look.
        """
        is_open = {send.command_id for send in open_sends(self._log.unresolved(account))}
        self._schedule.keep(is_open)
        self._patience.keep(is_open)
        self._settlements.forget_ended(account)

    async def _settle(
        self, terminal: GuardedTerminal, account: AccountKey, intents: list[Intent]
    ) -> None:
        self._reported.take_late(intents)
        # the table before the account: it is exact, and costs one question
        await self._reported.ask_table(terminal, intents)
        await self._conclude(terminal, intents)
        if await self._search(terminal, account, intents):
            await self._conclude(terminal, intents)

    async def _conclude(self, terminal: GuardedTerminal, intents: list[Intent]) -> None:
        """End those all of whose commands have ended; they wait side by side for their deals.

        Raises:
            GatewayError, StoreError: one of them has no end yet; all others have been tried.

        """
        room = asyncio.Semaphore(MAX_TOGETHER)

        async def end(intent: Intent) -> None:
            async with room:
                stage, answer = await conclude(terminal, intent, can_wait=True)
                if intent.stage not in ENDS:  # else another terminal of the account was faster
                    await self._log.settle(intent, stage, answer)

        over = [
            intent
            for intent in intents
            if intent.stage not in ENDS and not any(open_sends([intent]))
        ]
        # one that cannot be concluded yet must not keep the others unknown
        failed = await asyncio.gather(*map(end, over), return_exceptions=True)
        for failure in failed:
            if failure is not None:
                raise failure

    # --- what its account shows ----------------------------------------------------------------

    async def _search(
        self, terminal: GuardedTerminal, account: AccountKey, intents: list[Intent]
    ) -> bool:
        """Look for those whose time has come; return whether there were any."""
        session, sends = terminal.session, list(open_sends(intents))
        # the market's link on paper as well: two scenes would begin each other anew
        linked = self._guarded().session
        scene = () if linked is None else (linked.id, linked.broker)
        # a new link, or a broker that is back, may show what was not there before
        self._patience.enter(scene)
        due = self._schedule.due(sends, scene)
        if not due:
            return False
        is_far = any(map(self._patience.may_end, due))
        if is_far:
            due = sends  # how many there are of a kind tells whose an order is
        ids = {send.command_id for send in due}
        later = [send for send in sends if send.command_id not in ids]
        # commands that are looked for later are rivals all the same: an order may be theirs
        view = await take_snapshot(
            terminal, due, [*later, *self._others(account, sends)], is_far=is_far
        )
        if terminal.account != account:
            raise terminal.offline()  # it was logged in elsewhere while it told
        # only now: a look that failed half-way is due again at once
        self._schedule.looked(due)
        self._patience.heard(due)
        # what a person has settled during the look gets no order: it may be another one's
        is_open = set(map(id, open_sends(intents)))
        due, later = ([send for send in some if id(send) in is_open] for some in (due, later))
        # what was begun during the look may show in it, and has no answer yet
        others = self._others(account, sends)
        seen = self._search_orders(view, account, due, [*later, *others], later)
        for send in due:
            if send.stage not in ENDS and not makes_order(send, is_mt4=view.is_mt4):
                self._search_change(view, account, send)
        left = [send for send in due if send.stage not in ENDS]
        for send in left:
            self._patience.note_traceless(session, send)
        if view.is_far:
            makers = [send for send in (*left, *others) if makes_order(send, is_mt4=view.is_mt4)]
            self._give_up_orders(view, makers, seen, others)
            self._give_up_changes(view, account, [send for send in left if send not in makers])
        return True

    def _give_up_orders(
        self,
        view: AccountSnapshot,
        makers: list[CommandRecord],
        seen: list[ObservedOrder],
        others: list[CommandRecord],
    ) -> None:
        """End those that have left no trace for long.

        Args:
            makers: all that may have made an order and are not found out.
            seen: orders that belong to no command.
            others: those of the commands whose answer may still come.

        """

        def is_ready(some: Collection[CommandRecord]) -> bool:
            # an answer that may still come names its order; what is shared out by then cannot be
            # undone
            waits = any(send in others for send in some)
            return not waits and self._patience.ends_together(some)

        shared = assign_alike(makers, seen, is_ready)
        given = {order.ticket for order in shared.values()}
        doubtful = [order for order in seen if order.ticket not in given]
        for send in filter(self._patience.ends, makers):
            order = shared.get(send.command_id)
            if order is not None:
                send.presumed = Presumed.ASSIGNED
                self._reported.take_result(send, result_of_order(send, order, view))
            elif not any(view.may_be(send, order) for order in doubtful):
                is_one_of_many = any(view.may_be(send, order) for order in shared.values())
                self._reported.presume(
                    send, Presumed.ASSIGNED if is_one_of_many else Presumed.TRACELESS
                )

    def _give_up_changes(
        self, view: AccountSnapshot, account: AccountKey, changes: list[CommandRecord]
    ) -> None:
        """The same for those that change what is there."""
        closed = set[int]()
        ending = [send for send in changes if self._patience.ends(send)]
        # the nearest first: the end of a ticket is given once, and to the first that fits
        ending.sort(key=lambda send: distance_of_exit(send, view))
        ids = {send.command_id for send in ending}
        for send in ending:
            exited = send.exited
            if exited is None:
                self._reported.presume(send, Presumed.SUPERSEDED)
            # it is still open, so nobody has closed it, whichever command was to
            elif exited in view.positions:
                self._reported.presume(send, Presumed.TRACELESS)
            elif exited in view.past and exited not in closed:
                if self._open_exits(account, exited) - ids:
                    continue  # the answer to that one may still come, and it may have closed it
                # MetaTrader 4 has closed it once: by the nearest that fits, or by no command
                result = result_of_change(send, view)
                if result is not None:
                    closed.add(exited)
                    send.presumed = Presumed.ASSIGNED
                self._reported.take_result(send, result or _GONE)

    def _search_change(
        self, view: AccountSnapshot, account: AccountKey, send: CommandRecord
    ) -> None:
        """Look whether what was there is now as the command wanted it."""
        if send.exited is not None and send.exited not in view.positions:
            # MetaTrader 4 closes a ticket once: what another one has done, this one has not
            if Stage.DONE in self._log.exits(account, send.exited).values():
                self._reported.take_result(send, _GONE)
                return
            if self._open_exits(account, send.exited) - {send.command_id}:
                return
        result = result_of_change(send, view)
        if result is not None:
            self._reported.take_result(send, result)

    def _open_exits(self, account: AccountKey, position: int) -> set[int]:
        """Return the commands that were to close a position and have no end yet."""
        exits = self._log.exits(account, position)
        return {command_id for command_id, stage in exits.items() if stage not in ENDS}

    def _others(self, account: AccountKey, sends: list[CommandRecord]) -> list[CommandRecord]:
        """Return the commands that may have made an order and are none of these, on paper or not
        as these: their callers still wait, or have just been told that nobody knows.
        """
        intents = (*self._log.running(account), *self._log.doubtful(account))
        found = {send.command_id: send for intent in intents for send in intent.sends}
        for send in sends:
            found.pop(send.command_id, None)
        return [
            send
            for send in found.values()
            if send.ticket is None
            and send.stage not in (Stage.REJECTED, Stage.NOT_SENT)
            and send.is_paper == sends[0].is_paper
        ]

    def _search_orders(
        self,
        view: AccountSnapshot,
        account: AccountKey,
        sends: list[CommandRecord],
        rivals: list[CommandRecord],
        later: list[CommandRecord],
    ) -> list[ObservedOrder]:
        """Match orders with commands; return those that belong to no command.

        Args:
            rivals: others that they may be of.
            later: those of them that it is looked for another time.

        """
        wanted = [send for send in sends if makes_order(send, is_mt4=view.is_mt4)]
        rivals = [send for send in rivals if makes_order(send, is_mt4=view.is_mt4)]
        mine = view.wanted([*sends, *rivals], self._log.now_ms())
        seen = [order for order in view.sightings() if mine.sighting(order)]
        # orders whose command is known are nobody else's, nor are the rests of partial closes
        claimed = descendants(seen, partial(self._log.claimed, account))
        # the server may have named an order of a command that is open still: that one may have it
        claimed -= {send.ticket for send in (*wanted, *later) if send.ticket is not None}
        free = [order for order in seen if order.ticket not in claimed]
        found = match([*wanted, *rivals], free, partly=later)
        for send in wanted:
            order = found.get(send.command_id)
            if order is not None:
                self._reported.take_result(send, result_of_order(send, order, view))
        given = {order.ticket for order in found.values()}
        return [order for order in free if order.ticket not in given]


Publish = Callable[[str, OrderSettled], None]

logger = logging.getLogger(__name__)


class ReconcileService:
    """The log of all orders, each terminal's view of it, and its reconciler.

    Args:
        ledger: open.
        registry: tells which account a terminal is logged in to.
        terminals: makes the way to a terminal.
        audit: hears of every order.
        publish: tells those who listen to a terminal of an order whose end was found.
        found: told of the same before they are.
        untold: told of a terminal at which an end was found that nobody is told of.
        on_point: see :class:`~gateway.trading.journal.OrderLog`.

    """

    def __init__(
        self,
        ledger: Ledger,
        registry: TerminalRegistry,
        terminals: Terminals,
        audit: Audit,
        publish: Publish,
        on_point: Callable[[str], None] | None = None,
        found: OnIntent = lambda _: None,
        untold: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._registry = registry
        self._terminals = terminals
        self._reconcilers: dict[str, Reconciler] = {}
        self._publish = publish
        self._found = found
        self._untold = untold
        self._is_running = False
        self.log = OrderLog(
            ledger,
            on_point=on_point,
            audit=audit,
            on_unresolved=self._find_out,
            on_settled=self._tell,
            on_untold=lambda intent: untold(intent.terminal),
        )
        self._used_ids = UsedIdScan(self.log, terminals)

    def of(self, terminal: str) -> SqliteJournal:
        """Return the journal of a terminal."""
        account = partial(self._account, terminal)
        return SqliteJournal(self.log, terminal, account, self._used_ids)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Find out what is unknown while the context lasts, and publish what was found."""
        self._is_running = True
        unsubscribe = self._registry.subscribe(self._change)
        try:
            yield
        finally:
            unsubscribe()
            self._is_running = False  # the gateway is going down
            await asyncio.gather(*(reconciler.stop() for reconciler in self._reconcilers.values()))
            await self._used_ids.stop()
            # last: what the reconcilers have just found is written as well
            await self.log.finish()

    def late(self, session: TerminalSession, late: LateResult) -> None:
        """Take a result that came after its caller was told that the outcome is unknown."""
        logger.warning(
            "terminal %s: command %d (%s) has ended after all: %s",
            session.terminal,
            late.command_id,
            late.command.op,
            "refused" if late.error is not None else "done",
        )
        self._reconciler(session.terminal).late(late)

    def _change(self, change: TerminalChange) -> None:
        if change.kind is ChangeKind.CONNECTED:
            hello, terminal = change.facts.hello, change.facts.terminal
            account = AccountKey(hello.login, hello.server)
            self.log.note_account(terminal, account)
            # at the link, so that the first order need not wait for the look into the past
            self._used_ids.begin(terminal, account)
            self._reconciler(terminal).wake()

    def _find_out(self, intent: Intent) -> None:
        self._reconciler(intent.terminal).wake()

    def _tell(self, intent: Intent) -> None:
        self._found(intent)
        if self._is_running:
            self._publish(intent.terminal, settled(intent))
        else:
            self._untold(intent.terminal)

    def _reconciler(self, terminal: str) -> Reconciler:
        found = self._reconcilers.get(terminal)
        if found is None:
            found = Reconciler(
                self.log,
                terminal,
                # to the market also while paper trading is on: what is unknown stays where it is
                partial(self._terminals.terminal, terminal, unattended, paper=False),
                partial(self._terminals.terminal, terminal, unattended, paper=True),
            )
            self._reconcilers[terminal] = found
        return found

    def _account(self, terminal: str) -> AccountKey | None:
        facts = self._registry.facts(terminal)
        return None if facts is None else AccountKey(facts.hello.login, facts.hello.server)
