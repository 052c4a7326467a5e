"""Held orders, and links between orders: those of one terminal, and the service for all.

:class:`ContingentOrders` has them for one terminal. :class:`ContingentService` makes it, tells it
what its terminal says, and says in whose name it may act.

The journal may lack the request of a held order: the gateway was killed between the two. The order
waits for its price and will trade. So its request is done for whoever asks, whatever keeps new
orders out by now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TypeVar

import orjson
from msgspec.structs import replace

from ea_bridge.commands import ORDERS_GET, Command
from ea_bridge.host import wall_ms
from ea_bridge.model import (
    Order,
    OrderFilling,
    OrderReason,
    OrderState,
    OrderTime,
    OrderType,
    TradeAction,
    TradeRequest,
)
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.messages import Event, Lost, Ticks, Trade
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalRegistry
from gateway import schemas as shapes
from gateway.audit import Audit
from gateway.auth.gate import Gate
from gateway.background import RetryingTasks
from gateway.broker_time.clock import BrokerClock
from gateway.credentials.lease import Tier
from gateway.errors import AccessDenied, DeadlineExceeded, Forbidden, OrderLimit, OrderNotFound
from gateway.schemas import convert
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError
from gateway.streams.channels import Channel
from gateway.streams.service import Streams
from gateway.trading.journal import AccountKey, CallKey, Intent, Stage
from gateway.trading.journal.journal import conflict, encode_result, is_same, normalized
from gateway.trading.kill_switch.disconnects import AccountTicket
from gateway.trading.orders import check_change
from gateway.trading.price_grid import exact
from gateway.trading.receipts import held_receipt
from gateway.trading.requests import (
    FIRST_HELD,
    TAG_LENGTH,
    Deadline,
    ExecutionOptions,
    Keep,
    OrderModification,
    OrderRequest,
    PreparedOrder,
    tag,
)
from gateway.trading.session import TradingSession
from gateway.trading.state import (
    NullContingentOrders,
    StateOf,
    Terminals,
    TicketLocks,
    TradingState,
)
from gateway.trading.terminal import GuardedTerminal, unattended

from .emulated import MAX_HELD, STOPS, EmulatedOrders, ReplaceBy, Tell, Watch, prepared
from .oco import ActAs, OcoLinks, account_of
from .records import ContingentBook, HeldOrder, OcoLink, OpenRows


class ContingentOrders(NullContingentOrders):
    """Held orders and links of one terminal, in the ledger.

    Args:
        ledger: open.
        terminal: name of the terminal.
        at_start: rows of the daemon's start, among which are its own.
        act_as, state_of, watch, tell, now_ms, to_broker_ms, locks: see
            :class:`~.emulated.EmulatedOrders`.
        counted: returns what all terminals together hold for an account, as :meth:`counted_for`
            tells of one of them; ``None``: there is only one.
        audit: each row is noted there, in its own transaction.
        replace_by, untold: see :class:`~.emulated.EmulatedOrders`.

    """

    def __init__(
        self,
        ledger: Ledger,
        terminal: str,
        at_start: OpenRows,
        *,
        act_as: ActAs,
        state_of: StateOf,
        watch: Watch,
        tell: Tell,
        now_ms: Callable[[], int],
        to_broker_ms: Callable[[int], int],
        locks: TicketLocks,
        counted: Callable[[AccountKey | None], list[Order]] | None = None,
        audit: Audit | None = None,
        replace_by: ReplaceBy = lambda *_: None,
        untold: Callable[[], None] = lambda: None,
    ) -> None:
        audit = audit or Audit()
        self._untold = untold
        self._tasks = RetryingTasks()
        self._act_as = act_as
        self._tell = tell
        self._locks = locks
        self._counted = counted or self.counted_for
        self._held = EmulatedOrders(
            ContingentBook(ledger, terminal, "held", HeldOrder, audit, at_start),
            self._tasks,
            act_as=act_as,
            state_of=state_of,
            watch=watch,
            tell=self._changed,
            now_ms=now_ms,
            to_broker_ms=to_broker_ms,
            locks=locks,
            replace_by=replace_by,
            untold=untold,
        )
        self.links: OcoLinks = OcoLinks(
            ContingentBook(ledger, terminal, "oco", OcoLink, audit, at_start),
            self._tasks,
            self,
            act_as,
            state_of,
            now_ms,
        )
        self._account: AccountKey | None = None
        """That the terminal is, or was last, logged in to."""

    def close(self) -> None:
        """Stop all that is under way; what was begun is in the ledger."""
        if self._tasks.stop():
            # it may have been between what it wrote and what it would have told
            self._untold()
        self._held.stop()

    # --- what the terminal tells -------------------------------------------------------------

    def connected(self, account: AccountKey, tid: str) -> None:
        """The terminal is linked: look up what happened meanwhile."""
        self._account = account
        # at the first link, not at the daemon's start: before it no terminal tells any prices
        self._held.start()
        # what pauses after failures was waiting for this link
        self._tasks.hurry()
        self._held.resume(account)
        if len(self.links):
            self._tasks.begin("look", partial(self._look, tid))
            self.links.watch(tid)

    def event(self, session: TradingSession, event: Event) -> None:
        """Take an event of the terminal's session."""
        hello = session.hello
        account = self._account or AccountKey(hello.login, hello.server)
        match event:
            case Ticks() if len(self._held):
                for sym, _, bid, ask, *_rest in event.d:
                    symbol = session.symbol_of(sym)
                    self._held.on_tick(account, symbol, float(bid), float(ask))
            case Trade() if event.order and len(self.links):
                self.links.on_order(account, event.op, event.order)
            # the EA dropped events: one of them may have told of a fill
            case Lost() if len(self.links):
                self._tasks.begin("look", partial(self._look, session.hello.tid))

    async def _look(self, tid: str) -> bool:
        terminal = self._act_as(tid)
        session = terminal.session
        if session is not None and session.broker is not True:
            return False  # its lists may be empty only because it knows nothing yet
        if session is not None:
            await self.links.look(terminal)
        return True

    def _changed(self, account: AccountKey, op: str, order: Order) -> None:
        self.links.on_order(account, op, order)
        if account == self._account:
            self._tell(account, op, order)

    # --- held orders -------------------------------------------------------------------------

    def emulates(self, terminal: GuardedTerminal, wanted: OrderRequest) -> bool:
        return wanted.type in STOPS and terminal.is_mt4

    def holds(self, ticket: int) -> bool:
        held = self._held.find(ticket)
        return held is not None and held.account == self._account

    def orders(self, symbol: str | None = None, ticket: int | None = None) -> list[Order]:
        return self._held.orders(self._account, symbol, ticket)

    def counted(self) -> list[Order]:
        # limits are the account's: other terminals of it may hold orders as well
        return self._counted(self._account)

    def counted_for(self, account: AccountKey | None) -> list[Order]:
        """Return what this terminal holds for an account, linked to it or not."""
        return self._held.counted(account)

    def known(self, terminal: GuardedTerminal, client_order_id: str) -> Order | None:
        held = self.kept(terminal, client_order_id)
        return None if held is None else held.order

    def kept(self, terminal: GuardedTerminal, client_order_id: str) -> HeldOrder | None:
        side = terminal.trading_account
        return None if side is None else self._held.known(side, client_order_id)

    def receipt(
        self, terminal: GuardedTerminal, order: Order, client_order_id: str
    ) -> shapes.OrderReceipt:
        deadline = Deadline.of(terminal.now_ms, None, None)
        options = ExecutionOptions(client_order_id=client_order_id, deadline=deadline)
        return _receipt(terminal, order, options, changed=True)

    def past(self, ticket: int) -> Order | None:
        return self._held.past(self._account, ticket)

    async def place(
        self,
        terminal: GuardedTerminal,
        state: TradingState,
        wanted: OrderRequest,
        options: ExecutionOptions,
    ) -> shapes.OrderReceipt:
        with options.before_sending():
            account = account_of(terminal)
            trade = await prepared(terminal, state, wanted, options)
            # the rules of risk hold when it is placed; its limit order is checked again when it is
            # sent
            admission = await state.admit(terminal, trade)
        with admission.watched(), options.before_sending():
            terminal.check_tradable(Tier.FULL)
            # after the last await before the row, so that orders that cross do not pass it
            # together
            if len(self._held) >= MAX_HELD:
                raise OrderLimit(f"The gateway holds {MAX_HELD} orders already", limit=MAX_HELD)
            new = _new(terminal, account, wanted, trade)
            if options.validate_only:
                return held_receipt(terminal, trade, new.order, changed=False)
            # the checks may have taken long: what comes too late is not kept
            options.deadline.remaining_ms()
            held = await self._held.add(new)
        # from the row on the lists show it, so it must not count as a reservation as well
        admission.shown()
        return held_receipt(terminal, trade, held.order, changed=True)

    async def modify(
        self,
        terminal: GuardedTerminal,
        state: TradingState,
        change: OrderModification,
        options: ExecutionOptions,
    ) -> shapes.OrderReceipt:
        with options.before_sending():
            check_change(change)
        async with self._locks.of(options, change.ticket):
            with options.before_sending():
                # under the lock: a tick may be triggering it, and then it is changed no more
                held = self._waiting(terminal, change.ticket)
                wanted = _changed(held, change)
                trade = await prepared(terminal, state, wanted, options, held.order)
                await state.admit(terminal, trade)
                terminal.check_tradable(Tier.FULL)
                order = _priced(held.order, trade)
                order = replace(order, time_expiration=trade.request.expiration)
            is_other = (order, wanted.expiration_ms) != (held.order, held.expiration_ms)
            if is_other and not options.validate_only:
                await self._held.change(
                    replace(held, order=order, expiration_ms=wanted.expiration_ms)
                )
        changed = is_other and not options.validate_only
        return held_receipt(terminal, trade, order, changed=changed)

    async def cancel(
        self, terminal: GuardedTerminal, ticket: int, options: ExecutionOptions
    ) -> shapes.OrderReceipt:
        async with self._locks.of(options, ticket):
            with options.before_sending():
                held = self._waiting(terminal, ticket)
                terminal.check_last(Tier.REDUCE)
            if not options.validate_only:
                await self._held.end(held, OrderState.CANCELED)
        order = replace(held.order, state=int(OrderState.CANCELED))
        return _receipt(terminal, order, options, changed=not options.validate_only)

    def _waiting(self, terminal: GuardedTerminal, ticket: int) -> HeldOrder:
        held = self._held.find(ticket)
        if held is None or held.account != account_of(terminal):
            raise OrderNotFound(ticket=ticket)
        # its limit order may be at the broker already: neither a cancel nor a change can be
        # promised
        if held.stage == "sending":
            raise DeadlineExceeded(
                "The order is being triggered: it is found out whether it was placed",
                ticket=ticket,
                outcome="not_sent",
            )
        return held


def _new(
    terminal: GuardedTerminal, account: AccountKey, wanted: OrderRequest, trade: PreparedOrder
) -> HeldOrder:
    request, now_ms = trade.request, terminal.now_ms()
    broker_ms = terminal.clock.to_broker_ms(now_ms)
    order = Order(
        ticket=FIRST_HELD,
        time_setup=broker_ms // 1000,
        time_setup_msc=broker_ms,
        time_expiration=request.expiration,
        type=request.type,
        type_time=request.type_time,
        type_filling=int(OrderFilling.RETURN),
        state=int(OrderState.PLACED),
        magic=request.magic,
        reason=int(OrderReason.EXPERT),
        volume_initial=request.volume,
        volume_current=request.volume,
        price_open=request.price,
        symbol=request.symbol,
        comment=request.comment,
        emulated=True,
        paper=terminal.is_paper,
    )
    return HeldOrder(
        account=account,
        tid=trade.options.tid,
        client_order_id=trade.options.client_order_id,
        order=_priced(order, trade),
        words=wanted.comment,
        created_ms=now_ms,
        expiration_ms=wanted.expiration_ms,
        asked=terminal.journal.asked_for(trade.options.client_order_id),
    )


def _priced(order: Order, trade: PreparedOrder) -> Order:
    request = trade.request
    return replace(
        order,
        price_open=request.price,
        price_stoplimit=request.stoplimit,
        sl=request.sl,
        tp=request.tp,
        type_time=request.type_time,
    )


def _changed(held: HeldOrder, change: OrderModification) -> OrderRequest:
    """Return the order that a held one is to be."""
    order = held.order

    def stop(given: Decimal | Keep | None, present: float) -> Decimal | None:
        if given == "keep":
            return exact(present) if present else None
        return given if isinstance(given, Decimal) and given else None

    expiration_ms = held.expiration_ms if change.expiration_ms is None else change.expiration_ms
    if change.lifetime == OrderTime.GTC:
        expiration_ms = None
    return OrderRequest(
        symbol=order.symbol,
        type=OrderType(order.type),
        volume=exact(order.volume_initial),
        price=change.price or exact(order.price_open),
        stoplimit=change.stoplimit or exact(order.price_stoplimit),
        sl=stop(change.sl, order.sl),
        tp=stop(change.tp, order.tp),
        magic=order.magic,
        comment=held.words,
        lifetime=change.lifetime,
        expiration_ms=expiration_ms,
    )


def _receipt(
    terminal: GuardedTerminal, order: Order, options: ExecutionOptions, *, changed: bool
) -> shapes.OrderReceipt:
    """Return the receipt of what is known of an order already."""
    request = TradeRequest(
        action=TradeAction.PENDING,
        magic=order.magic,
        symbol=order.symbol,
        volume=order.volume_initial,
        price=order.price_open,
        stoplimit=order.price_stoplimit,
        sl=order.sl,
        tp=order.tp,
        type=order.type,
        comment=order.comment,
    )
    trade = PreparedOrder(request=request, options=options, price=order.price_open)
    return held_receipt(terminal, trade, order, changed=changed)


P = TypeVar("P", bound=Struct)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Named:
    """The source of an event that no session tells."""

    terminal: str

    def symbol_of(self, sym: int) -> str:
        """Return the symbol of an index: there are none."""
        raise KeyError(sym)


class ContingentService:
    """The contingent orders of all terminals, while the gateway listens.

    Args:
        ledger: open.
        audit: what is done is noted there.
        registry: of the live sessions.
        gate: tells what a token may do now.
        streams: tell who listens, and have terminals push ticks.
        clock: returns a terminal's broker clock.
        terminals: makes them.
        replaced: told, by terminal and tags, which order takes the place of a held one; see
            :meth:`.Disconnects.replaced`.

    Raises:
        StoreError: what the last run of the daemon has left cannot be read.

    """

    def __init__(
        self,
        ledger: Ledger,
        audit: Audit,
        *,
        registry: TerminalRegistry,
        gate: Gate,
        streams: Streams,
        clock: Callable[[str], BrokerClock],
        terminals: Terminals,
        replaced: Callable[[str, str, str, AccountTicket | None], None],
    ) -> None:
        self._replaced = replaced
        self._ledger = ledger
        self._at_start = OpenRows(ledger)
        self._audit = audit
        self._registry = registry
        self._gate = gate
        self._streams = streams
        self._clock = clock
        self._terminals = terminals
        self._orders: dict[str, ContingentOrders] = {}

    def of(self, terminal: str, locks: TicketLocks) -> ContingentOrders:
        """Return the orders of a terminal, as the last run of the daemon left them."""
        orders = self._orders[terminal] = ContingentOrders(
            self._ledger,
            terminal,
            self._at_start,
            act_as=lambda tid: self._as(terminal, tid),
            state_of=self._terminals.state_of,
            watch=lambda symbol: self._streams.hold(terminal, Channel("tick", symbol=symbol)),
            tell=lambda account, op, order: self._tell(terminal, op, order),
            now_ms=wall_ms,
            to_broker_ms=lambda ms: self._clock(terminal).to_broker_ms(ms),
            locks=locks,
            counted=self._counted,
            audit=self._audit,
            replace_by=partial(self._replace_by, terminal),
            untold=partial(self._streams.keep_nothing, terminal),
        )
        return orders

    @property
    def cancelling(self) -> int:
        """Number of links whose orders are being cancelled, where the terminal is there."""
        return sum(orders.links.cancelling for orders in self._orders.values())

    def _counted(self, account: AccountKey | None) -> list[Order]:
        return [order for orders in self._orders.values() for order in orders.counted_for(account)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Follow the terminals' links while the context lasts; then stop all that is under way."""
        unsubscribe = self._registry.subscribe(self._change)
        try:
            yield
        finally:
            # no new work first, then the end of what is under way
            unsubscribe()
            for orders in self._orders.values():
                orders.close()

    # --- what the bridge tells ---------------------------------------------------------------

    def _change(self, change: TerminalChange) -> None:
        if change.kind is not ChangeKind.CONNECTED:
            return
        self.resume(change.facts.terminal, change.facts.hello.tid)

    def resume(self, name: str, tid: str) -> None:
        """A terminal is linked, or paper trading was switched: keep what belongs to that."""
        # its state, and so its orders here, may not be there yet
        terminal = self._terminals.terminal(name, unattended)
        self._orders[name].connected(account_of(terminal), tid)

    def event(self, session: TradingSession, event: Event) -> None:
        """Take an event of a terminal's session: first who listens is told."""
        # who listens hears of a fill before what the gateway does about it
        self._streams.event(session, event)
        orders = self._orders.get(session.terminal)
        if orders is not None:
            orders.event(session, event)

    # --- in whose name -----------------------------------------------------------------------

    def _as(self, name: str, tid: str) -> GuardedTerminal:
        """Return a terminal as a token may use it, with nobody there who holds it.

        What only reduces may also be done in the name of the token that the terminal is linked
        with: an order must not stay because the token that linked it was replaced.
        """

        def recheck(tier: Tier) -> None:
            try:
                self._vouch(tid, tier)
            except AccessDenied:
                session = self._registry.get(name)
                if tier > Tier.REDUCE or session is None:
                    raise
                self._vouch(session.hello.tid, tier)

        return self._terminals.terminal(name, recheck, tid)

    def _vouch(self, tid: str, need: Tier) -> None:
        self._gate.refresh()
        allowance = self._gate.allowance(tid)
        if allowance.tier < need or not self._gate.may_trade(tid):
            raise Forbidden(
                "The auth_token in whose name it is may not do that now",
                reason=allowance.reason or "scope",
                tier=allowance.tier.name.lower(),
            )

    def _replace_by(
        self, terminal: str, account: AccountKey, held: HeldOrder, ticket: int
    ) -> None:
        by = tag(*account, held.attempt_id)
        placed = AccountTicket(account, ticket) if ticket else None
        self._replaced(terminal, held.order.comment[:TAG_LENGTH], by, placed)

    def _tell(self, terminal: str, op: str, order: Order) -> None:
        at_msc = order.time_done_msc or order.time_setup_msc
        self._streams.event(_Named(terminal), Trade(op=op, q=0, time_msc=at_msc, order=order))


def with_held(state: TradingState, command: Command[P, R], answer: R) -> R:
    """Return an answer of the terminal, with what it does not know of itself."""
    if command.op == ORDERS_GET.op and isinstance(answer, list):
        answer.extend(state.contingent.orders())
    return answer


def request_of(
    terminal: GuardedTerminal, state: TradingState, client_order_id: str
) -> Intent | None:
    """Return the request for an order that is kept here, as the journal would have it.

    Raises:
        StoreError: held orders cannot be read.

    """
    account, contingent = terminal.account, state.contingent
    if not isinstance(contingent, ContingentOrders):
        return None
    held = contingent.kept(terminal, client_order_id)
    return (
        None if held is None or account is None else _intent(terminal, contingent, account, held)
    )


def _intent(
    terminal: GuardedTerminal, contingent: ContingentOrders, account: AccountKey, held: HeldOrder
) -> Intent:
    order, client_order_id = held.order, held.client_order_id
    created_ms = terminal.clock.to_utc_ms(order.time_setup_msc)
    params = held.asked or _asked_for(order)
    return Intent(
        asked=CallKey(account, client_order_id, "place_order", params),
        terminal=terminal.name,
        created_ms=created_ms,
        updated_ms=created_ms,
        stage=Stage.DONE,
        reconciled=True,
        answer=encode_result(contingent.receipt(terminal, order, client_order_id)),
    )


async def recall_held_order(
    terminal: GuardedTerminal, state: TradingState, asked: CallKey
) -> None:
    """Have the journal know the request for an order that is kept here, if it does not.

    Raises:
        ClientOrderIdConflict: the order was placed for another request than this.

    """
    journal, contingent, hello = terminal.journal, state.contingent, terminal.hello
    if asked.is_new or not isinstance(contingent, ContingentOrders):
        return
    if hello is not None and not terminal.is_mt4:
        return  # nothing is held of what MetaTrader 5 has itself, so nothing is looked up
    try:
        held = contingent.kept(terminal, asked.client_order_id)
        known = None if held is None else journal.find(asked.client_order_id)
    except StoreError:
        return  # the journal cannot be read, and tells that itself
    if held is None or (known is not None and known.stage is not Stage.NOT_SENT):
        return
    intent = _intent(terminal, contingent, asked.account, held)
    if not _is_for(held, intent, asked):
        raise conflict(
            intent.asked.method, intent.asked.params, intent.stage, asked.client_order_id
        )
    await journal.recall(asked, contingent.receipt(terminal, held.order, asked.client_order_id))


def _is_for(held: HeldOrder, intent: Intent, asked: CallKey) -> bool:
    """Whether a call asks for what a held order was placed for.

    Where that was not kept with the order only its kind and magic tell for sure: its prices may
    have been changed since, its volume was put onto the grid, its symbol has the broker's name.
    """
    if held.asked or asked.method != intent.asked.method:
        return is_same(intent, asked)
    there, said = (
        normalized(call.method, orjson.loads(call.params)) for call in (intent.asked, asked)
    )
    return (there["type"], there.get("magic", 0)) == (said["type"], said.get("magic", 0))


def _asked_for(order: Order) -> str:
    """Return the params of a held order, as the journal would have them."""
    named = {
        "symbol": order.symbol,
        "type": convert.enums.ORDER_TYPE[order.type],
        "magic": order.magic,
    }
    numbers = {
        "volume": order.volume_initial,
        "price": order.price_open,
        "stoplimit": order.price_stoplimit,
        "sl": order.sl,
        "tp": order.tp,
    }
    said = {name: str(exact(number)) for name, number in numbers.items() if number}
    return orjson.dumps({**named, **said}).decode()
