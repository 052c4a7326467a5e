"""Ends of orders that a person tells, and what the terminal says of them later.

The gateway finds nearly everything out by itself. What it cannot tell keeps its symbol closed to
new orders, and a person who looks at the terminal or calls the broker can tell (:func:`settle`). A
person's word is compared with what the terminal shows, noted in the audit trail, and counts until
the terminal says otherwise.

The truth may come later all the same: the terminal is back with its table of results, an answer
arrives, or the order shows with its tag. So for a day what was settled by hand is looked at as if
it were unknown (:class:`SettlementCheck`); what the terminal says counts, and whoever listens is
told that it was otherwise.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from msgspec import structs

from ea_bridge import commands
from ea_bridge.model import SUCCESSES, OrderType, TradeResult, TradeRetcode
from gateway.errors import GatewayError, InternalError, InvalidParams, OrderNotFound
from gateway.storage.store import StoreError

from ..journal import CommandRecord, Intent, ManualSettlement, Stage
from ..journal.intents import ENDS, AccountKey, Presumed
from ..journal.log import OrderLog
from ..requests import is_tagged
from ..terminal import GuardedTerminal
from .matching import ObservedOrder, is_tagged_as, makes_order
from .outcome import conclude, result_of_order
from .patience import RetrySchedule
from .reported_results import ReportedResults, open_sends
from .snapshot import AccountSnapshot, take_snapshot

logger = logging.getLogger(__name__)


class SettlementCheck:
    """Check of manually settled orders of one terminal against what the terminal shows later.

    Args:
        log: of all orders.
        reported: what the terminal says by itself.
    """

    def __init__(self, log: OrderLog, reported: ReportedResults) -> None:
        self._log = log
        self._reported = reported
        self._schedule = RetrySchedule(log.now_ms)

    def has_work(self, account: AccountKey) -> bool:
        """Whether there are any of an account."""
        return any(not intent.is_paper for intent in self._log.watched(account))

    def forget_ended(self, account: AccountKey) -> None:
        """Forget the commands of those that are watched no more."""
        watched = self._log.watched(account)
        self._schedule.keep({send.command_id for intent in watched for send in intent.sends})

    async def look(self, terminal: GuardedTerminal, account: AccountKey) -> None:
        """Look once, at those whose time has come.

        Raises:
            GatewayError: the terminal did not say.
            StoreError: what was found is not written; try again.

        """
        settled = [intent for intent in self._log.watched(account) if not intent.is_paper]
        doubles = {intent.key: _reopened(intent) for intent in settled}
        found = list(doubles.values())
        # of copies: until it is written, who asks for the order sees what the person has said
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
            # nothing is compared before all of its commands have ended: one may still turn out
            # otherwise
            if not any(open_sends([double])):
                await self._compare(terminal, intent, double)
                for send in double.sends:
                    self._schedule.forget(send)

    async def _search(
        self, terminal: GuardedTerminal, account: AccountKey, sends: list[CommandRecord]
    ) -> None:
        """Look for orders that carry the commands' tags: only they say for sure whose they are."""
        sends = [send for send in sends if send.stage not in ENDS]
        if not sends:
            return
        # without rivals, for likeness alone is no reason to contradict a person
        view = await take_snapshot(terminal, sends, [], is_far=False)
        if terminal.account != account:
            raise terminal.offline()  # it was logged in elsewhere while it told
        for send in sends:
            self._find(view, send)

    def _find(self, view: AccountSnapshot, send: CommandRecord) -> None:
        own = [order for order in view.sightings() if is_tagged_as(send, order)]
        if len(own) == 1:
            self._reported.take_result(send, result_of_order(send, own[0], view))

    async def _compare(self, terminal: GuardedTerminal, intent: Intent, double: Intent) -> None:
        """Let what the terminal has said count."""
        assert intent.settlement is not None
        # the whole answer is made anew, as if nobody had said anything
        stage, answer = await conclude(terminal, double, can_wait=True)
        said = intent.settlement
        if stage is Stage.NOT_SENT and said.outcome == "done":
            return  # a terminal that lost its table lacks what it has executed, too
        # done under another ticket is another word as well: that order is somebody else's then
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


SAME_LOTS = 1e-8
"""Volumes that differ by less are equal."""


@dataclass(frozen=True, slots=True)
class SettlementClaim:
    """Word of a person on the end of an order."""

    executed: bool
    ticket: int | None
    by: str


async def settle(terminal: GuardedTerminal, client_order_id: str, said: SettlementClaim) -> Intent:
    """Give an order whose end is unknown the end that a person says it has.

    Raises:
        OrderNotFound: there is no such order.
        InvalidParams: its end is not unknown; or the ticket is missing, another order's, or not
            what the terminal shows.
        InternalError: the journal cannot be read or written.

    """
    journal = terminal.journal
    try:
        intent = journal.find(client_order_id)
        if intent is None:
            raise OrderNotFound(
                "No request with that client_order_id was sent", client_order_id=client_order_id
            )
        send = _unknown(intent)
        # to be compared after the awaits: another look may find the end meanwhile
        before = send.stage
        result, settlement = await _believed(terminal, intent, send, said)
        found = replace(intent, sends=_ended(intent, send, result, terminal.now_ms()))
        stage, answer = await conclude(terminal, found)
        _unknown(intent)  # it may have been found out while the terminal was asked
        is_done = send.stage is before and await journal.settle(
            intent, stage, answer, found.sends, settlement
        )
    except StoreError:
        raise InternalError(
            "The journal cannot be written, so nothing is settled; the gateway's log says why"
        ) from None
    if not is_done:
        raise _fault("client_order_id", "it is being found out right now: ask get_order")
    return intent


def _unknown(intent: Intent) -> CommandRecord:
    """Return the command of an intent whose end is not known."""
    if intent.is_under_way:
        raise _fault("client_order_id", "it is being carried out: wait for its answer")
    if intent.stage in ENDS:
        raise _fault("client_order_id", f"its state is {intent.stage}, and not unknown")
    if not intent.sends:
        raise _fault(
            "client_order_id",
            "nothing was sent for it, and get_order tells that as soon as the terminal is linked",
        )
    # of several commands the last one open counts: those before it were refused
    left = [send for send in intent.sends if send.stage not in ENDS]
    # where all have ended, the rest of the receipt is to be asked, or the end to be written
    done = [send for send in intent.sends if send.stage is Stage.DONE]
    return (left or done or intent.sends)[-1]


async def _believed(
    terminal: GuardedTerminal, intent: Intent, send: CommandRecord, said: SettlementClaim
) -> tuple[TradeResult | None, ManualSettlement]:
    """Return what the broker must have answered if it is as a person says, and what is noted."""
    settlement = ManualSettlement(
        by=said.by,
        outcome="done" if said.executed else "rejected",
        ticket=said.ticket,
        note="not checked: what was not executed shows nowhere",
        time_ms=terminal.now_ms(),
    )
    ticket = said.ticket
    if not said.executed and ticket is not None:
        raise _fault("ticket", "what was not executed has none")
    # the terminal has told this end and only the receipt is open: a person cannot overrule it
    if send.stage is Stage.DONE or (send.stage in ENDS and send.presumed is None):
        result = _as_told(terminal, send, said)
        return result, structs.replace(
            settlement, checked=True, note="the terminal tells the same"
        )
    if not said.executed:
        return None, settlement
    if not makes_order(send, is_mt4=terminal.is_mt4):
        note = "not checked: it changes what was there, and makes no order"
        return _of_change(send, ticket), structs.replace(settlement, note=note)
    if ticket is None:
        raise _fault("ticket", "say which order of the terminal it is")
    # before the terminal is asked: one order must not be told to two callers
    owner = terminal.journal.owner(intent, ticket)
    if owner is not None:
        raise _fault("ticket", f"it is the order of {owner}")
    try:
        view = await _view(terminal, intent, ticket)
    except GatewayError as error:
        # the terminal may be gone for good, so a person's word has to do
        result = TradeResult(retcode=TradeRetcode.DONE, order=ticket, volume=send.request.volume)
        is_switched = intent.is_paper != terminal.is_paper
        why = "paper trading was switched since" if is_switched else error.name()
        note = f"not checked: the terminal cannot be asked ({why})"
        return result, structs.replace(settlement, note=note)
    result = _shown(view, send, ticket)
    return result, structs.replace(settlement, checked=True, note="the terminal shows the order")


def _as_told(
    terminal: GuardedTerminal, send: CommandRecord, said: SettlementClaim
) -> TradeResult | None:
    """Return what was found of a command in the terminal, if a person says the same: its word
    counts more, so that nothing else can be settled.
    """
    is_done = send.stage is Stage.DONE
    if said.executed is not is_done:
        told = "executed" if is_done else "not executed"
        raise _fault("executed", f"the terminal tells that it was {told}")
    if not is_done:
        return None
    if not makes_order(send, is_mt4=terminal.is_mt4):
        _of_change(send, said.ticket)
    elif said.ticket is None:
        raise _fault("ticket", "say which order of the terminal it is")
    elif send.ticket not in (None, said.ticket):
        raise _fault("ticket", f"the terminal tells that it is order {send.ticket}")
    return send.result


def _of_change(send: CommandRecord, ticket: int | None) -> TradeResult:
    request = send.request
    known = request.order or request.position
    if ticket not in (None, known):
        raise _fault("ticket", f"it was to change {known}")
    return TradeResult(retcode=TradeRetcode.DONE, order=known, volume=request.volume)


async def _view(terminal: GuardedTerminal, intent: Intent, ticket: int) -> AccountSnapshot:
    """Return what the terminal shows of an order.

    Raises:
        GatewayError: it cannot be asked.

    """
    session, hello = terminal.session, terminal.hello
    if session is None or session.broker is not True or intent.is_paper != terminal.is_paper:
        raise terminal.offline()
    of_open, of_past = commands.FilterParams(ticket=ticket), commands.HistoryParams(ticket=ticket)
    # what is open before what is past: an order that is filled in between shows in one of the two
    orders = await terminal.request(commands.ORDERS_GET, of_open)
    positions = await terminal.request(commands.POSITIONS_GET, of_open)
    past = await terminal.request(commands.HISTORY_ORDERS_GET, of_past)
    has_deals = terminal.can("deals")
    deals = await terminal.request(commands.HISTORY_DEALS_GET, of_past) if has_deals else []
    if terminal.account != intent.asked.account:
        raise terminal.offline()  # it was logged in elsewhere while it told
    return AccountSnapshot(
        is_mt4=terminal.is_mt4,
        is_netting=hello is not None and hello.mode in ("netting", "exchange"),
        offset_ms=0,
        orders={order.ticket: order for order in orders},
        positions={position.ticket: position for position in positions},
        past={order.ticket: order for order in past},
        deals=deals,
    )


def _shown(view: AccountSnapshot, send: CommandRecord, ticket: int) -> TradeResult:
    """Return what the broker must have answered to a command that made an order."""
    order = next((order for order in view.sightings() if order.ticket == ticket), None)
    if order is None:
        hint = '; on MetaTrader 4 set the tab AccountKey History to "All History"'
        raise _fault("ticket", f"the terminal shows no such order{hint if view.is_mt4 else ''}")
    if wrong := _differs(view, send, order):
        raise _fault("ticket", f"it is another order: {wrong}")
    result = result_of_order(send, order, view)
    if result.retcode not in SUCCESSES:
        raise _fault("ticket", "that order was not filled")
    return result


def _differs(view: AccountSnapshot, send: CommandRecord, order: ObservedOrder) -> str:
    """Return in what an order is none of a command's; empty: it may be its."""
    request = send.request
    # a tag that is cut off proves nothing, but another one's tag does
    if is_tagged(order.comment) and not is_tagged_as(send, order):
        return f"it carries the tag of another one ({order.comment})"
    if order.symbol != request.symbol:
        return f"its symbol is {order.symbol}"
    # MetaTrader 4 makes a purchase of a pending one that was filled, under the same ticket
    is_filled = view.is_mt4 and order.type in (OrderType.BUY, OrderType.SELL)
    if order.type != (request.type % 2 if is_filled else request.type):
        return "its type is another one"
    # less may be there: a part of it was filled, or closed since
    if order.volume > request.volume + SAME_LOTS:
        return f"its volume is {order.volume}"
    return ""


def _ended(
    intent: Intent, send: CommandRecord, result: TradeResult | None, now_ms: int
) -> list[CommandRecord]:
    """Return the commands as they are with that result; ``None``: there is none."""
    ended = []
    for command in intent.sends:
        if command is send and command.stage is Stage.DONE:
            pass  # as the terminal tells it
        elif command is send and result is not None:
            command = replace(
                command, stage=Stage.DONE, result=result, ended_ms=now_ms, presumed=None
            )
            command.err, command.retcode = 0, result.retcode
        elif command.stage not in ENDS or (command is send and command.stage is Stage.NOT_SENT):
            # also what a terminal never took: a person's word does not free an id
            command = replace(command, stage=Stage.REJECTED, result=None, ended_ms=now_ms)
            command.err = command.retcode = 0
            command.presumed = Presumed.BY_HAND
        ended.append(command)
    return ended


def _fault(field: str, reason: str) -> InvalidParams:
    return InvalidParams(errors=[{"field": field, "reason": reason}])
