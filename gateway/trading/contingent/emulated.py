"""Orders that the daemon keeps until the market comes to their price: stop-limit orders of
MetaTrader 4, which has none.

When the market is there (the ask for a buy, the bid for a sell) a limit order takes the place of
the held one. A broker takes that only on the right side of the market: a gap may have passed the
limit already, and then the limit order follows once the market is back on the other side. It is
never filled worse than at its limit; a broker's own might have been filled where this one waits.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import TypeVar

import orjson
from msgspec.structs import replace

from ea_bridge import commands
from ea_bridge.model import Order, OrderState, OrderType, SymbolInfo, TradeAction
from gateway.background import RetryingTasks
from gateway.errors import DeadlineExceeded, GatewayError, InternalError, InvalidPrice
from gateway.trading.journal import AccountKey, CallKey
from gateway.trading.orders import check_complete, place, prepare
from gateway.trading.price_grid import PriceGrid, exact, misplaced, price_grid
from gateway.trading.requests import (
    FIRST_HELD,
    Deadline,
    ExecutionOptions,
    OrderRequest,
    PreparedOrder,
)
from gateway.trading.state import StateOf, TicketLocks, TradingState
from gateway.trading.terminal import GuardedTerminal

from .oco import ActAs, account_of
from .records import ContingentBook, HeldOrder

STOPS = {
    OrderType.BUY_STOP_LIMIT: OrderType.BUY_STOP,
    OrderType.SELL_STOP_LIMIT: OrderType.SELL_STOP,
}
LIMITS = {
    OrderType.BUY_STOP_LIMIT: OrderType.BUY_LIMIT,
    OrderType.SELL_STOP_LIMIT: OrderType.SELL_LIMIT,
}
TTL_MS = 5000
MAX_HELD = 1000
"""Of one terminal."""
# a loop's timer runs on a clock that stands still while the computer sleeps: it is set anew daily
MAX_TIMER_S = 86_400.0
Watch = Callable[[str], Callable[[], None]]
"""Has the terminal push a symbol's ticks; returns what ends that."""
T = TypeVar("T")

Tell = Callable[[AccountKey, str, Order], None]
"""Tells who listens that an order was added, changed or removed."""
ReplaceBy = Callable[[AccountKey, HeldOrder, int], None]
"""Told that the limit order of the present attempt is about to take the place of a held one on an
account, and then that it has, with its ticket; 0 before."""

_log = logging.getLogger(__name__)


class EmulatedOrders:
    """The held orders of one terminal.

    Args:
        book: their rows.
        tasks: runs what is to be done by and by.
        act_as: makes the terminal as a token may use it.
        state_of: returns the shared state of a terminal.
        watch: has the terminal push a symbol's ticks; returns what ends that.
        tell: tells who listens that an order was added, changed or removed.
        now_ms: UTC milliseconds.
        to_broker_ms: turns UTC milliseconds into the broker's.
        locks: of the terminal.
        replace_by: told of the limit orders.
        untold: called where a change may have been written that nobody is told of.

    """

    def __init__(
        self,
        book: ContingentBook[HeldOrder],
        tasks: RetryingTasks,
        *,
        act_as: ActAs,
        state_of: StateOf,
        watch: Watch,
        tell: Tell,
        now_ms: Callable[[], int],
        to_broker_ms: Callable[[int], int],
        locks: TicketLocks,
        replace_by: ReplaceBy = lambda *_: None,
        untold: Callable[[], None] = lambda: None,
    ) -> None:
        self._untold = untold
        self._book = book
        self._tasks = tasks
        self._act_as = act_as
        self._state_of = state_of
        self._watch = watch
        self._tell = tell
        self._now_ms = now_ms
        self._to_broker_ms = to_broker_ms
        self._locks = locks
        self._replace_by = replace_by
        self._held = {
            FIRST_HELD + row: with_ticket(held, FIRST_HELD + row)
            for row, held in book.open().items()
        }
        self._watched: dict[str, Callable[[], None]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._quotes: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def start(self) -> None:
        """Watch over those that were there before the daemon started."""
        for held in self._held.values():
            # the first of a symbol begins its ticks; the others need a timer alone
            if held.order.symbol not in self._watched:
                self._attend(held)
            elif held.order.ticket not in self._timers:
                self._set_timer(held)

    def stop(self) -> None:
        """Let go of all timers; the rows stay."""
        for timer in self._timers.values():
            timer.cancel()
        for release in self._watched.values():
            release()
        self._watched.clear()

    # --- what there is -----------------------------------------------------------------------

    def find(self, ticket: int) -> HeldOrder | None:
        """Return one that is not over."""
        return self._held.get(ticket)

    def orders(
        self, account: AccountKey | None, symbol: str | None = None, ticket: int | None = None
    ) -> list[Order]:
        """Return those of an account as clients see them, oldest first."""
        return [
            self._shown(held.order)
            for held in self._held.values()
            if held.account == account
            and symbol in (None, held.order.symbol)
            and ticket in (None, held.order.ticket)
        ]

    def counted(self, account: AccountKey | None) -> list[Order]:
        """Return those of an account that wait, and have no limit order on its way."""
        return [
            held.order
            for held in self._held.values()
            if held.account == account and held.stage != "sending"
        ]

    def past(self, account: AccountKey | None, ticket: int) -> Order | None:
        """Return one of an account that is over."""
        held = self._book.get(ticket - FIRST_HELD) if ticket > FIRST_HELD else None
        if held is None or held.stage != "ended" or held.account != account:
            return None
        return with_ticket(held, ticket).order

    def known(self, account: AccountKey, client_order_id: str) -> HeldOrder | None:
        """Return the one of an id, over or not."""
        found = self._book.find(account, client_order_id)
        return None if found is None else with_ticket(found[1], FIRST_HELD + found[0])

    # --- its life ----------------------------------------------------------------------------

    async def add(self, held: HeldOrder) -> HeldOrder:
        """Keep an order from now on; one of the same id that is kept already is returned."""
        row = await self._written(self._book.add(held.client_order_id, held, adds_risk=True))
        # the same call came twice: the id is in the table, so the order is there
        if row is None:
            known = self.known(held.account, held.client_order_id)
            if known is None:
                raise RuntimeError("a held order is there and is not")
            return known
        held = with_ticket(held, FIRST_HELD + row)
        self._held[held.order.ticket] = held
        # told once it is on the disk, and before the market may trigger it
        self._tell(held.account, "add", held.order)
        self._attend(held)
        return held

    async def change(self, held: HeldOrder) -> None:
        """Keep another version of an order that waits."""
        await self._save(held)
        self._tell(held.account, "change", held.order)
        self._set_timer(held)

    async def end(self, held: HeldOrder, state: OrderState, reason: str = "") -> None:
        """An order is over: it was triggered (``placed``), or ended before."""
        now_ms = self._to_broker_ms(self._now_ms())
        order = replace(
            held.order,
            state=int(state),
            became=held.placed,
            time_done=now_ms // 1000,
            time_done_msc=now_ms,
            comment=f"{held.order.comment} [{reason}]" if reason else held.order.comment,
        )
        ended = replace(held, stage="ended", order=order, reason=reason)
        # on the disk first: an order that was told as over must not come back after a crash
        await self._written(self._book.save(order.ticket - FIRST_HELD, ended, is_open=False))
        self._held.pop(order.ticket, None)
        self._forget(order)
        self._tell(held.account, "remove", order)

    # --- the market --------------------------------------------------------------------------

    def on_tick(self, account: AccountKey, symbol: str, bid: float, ask: float) -> None:
        """Look at the orders of a symbol; what is due is sent in its turn."""
        # a price of 0 is none yet
        if symbol not in self._watched or not (bid > 0 and ask > 0):
            return
        # for the lists alone; what is due is judged by a price that is asked for under the lock
        self._quotes[symbol] = (bid, ask)
        for held in self._held.values():
            if held.order.symbol == symbol and held.account == account and is_due(held, bid, ask):
                self._begin(held.order.ticket)

    def resume(self, account: AccountKey) -> None:
        """The terminal is back: look at the market as it is now, and at what was under way."""
        for held in self._held.values():
            if held.account == account:
                self._begin(held.order.ticket)

    def _begin(self, ticket: int) -> None:
        self._tasks.begin(("held", ticket), partial(self._attempt, ticket))

    async def _attempt(self, ticket: int) -> bool:
        """Do what the market asks of an order; whether that is all for now."""
        held = self._held.get(ticket)
        if held is None:
            return True
        terminal = self._act_as(held.tid)
        # nothing is sent while nobody sees the market
        if terminal.session is None or account_of(terminal) != held.account:
            return True  # :meth:`resume` comes back to it
        options = self._options(held)
        try:
            async with self._locks.of(options, ticket):
                # looked up again: it may have been changed or cancelled in the turn before
                return await self._act(terminal, self._held.get(ticket))
        except GatewayError as error:
            _log.info("held order %d is looked at again: %s", ticket, error.name())
            return False

    async def _act(self, terminal: GuardedTerminal, held: HeldOrder | None) -> bool:
        if held is None:
            return True
        if held.stage != "sending":
            symbol = commands.SymbolParams(symbol=held.order.symbol)
            # asked for anew: the tick that began this may be old, and must not trigger by a past
            # price
            tick = await terminal.request(commands.TICK_GET, symbol)
            if not is_due(held, tick.bid, tick.ask):
                return True
            # the id of an attempt is on the disk before it is used: a restart asks the journal
            # for that id, and cannot send it twice
            attempt = held.attempt + 1
            held = await self._save(replace(held, stage="sending", attempt=attempt))
        return await self._send(terminal, held)

    async def _send(self, terminal: GuardedTerminal, held: HeldOrder) -> bool:
        """Send the limit order of this attempt, which is on the disk; whether it is settled."""
        if account_of(terminal) != held.account:
            # logged in elsewhere by now; the attempt stays as it is, for it may have been sent
            return True
        account = terminal.account or held.account
        self._replace_by(account, held, 0)
        try:
            placed = await send_limit(
                terminal, self._state_of(terminal), held, self._options(held)
            )
        except GatewayError as error:
            return await self._failed(held, error)
        self._replace_by(account, held, placed)
        await self.end(replace(held, placed=placed), OrderState.PLACED)
        return True

    async def _failed(self, held: HeldOrder, error: GatewayError) -> bool:
        ticket, name = held.order.ticket, error.name()
        if error.outcome == "unknown":
            # once: it is tried again every few seconds, and the log would fill with it
            if held.reason != name:
                _log.warning("held order %d: nobody knows yet whether it was placed", ticket)
                await self._save(replace(held, reason=name))
            return False  # the same id is asked for again, until the journal knows
        if isinstance(error, InternalError):
            # the ledger cannot be read or written for now: that says nothing of the order, nor of
            # what an earlier try of this attempt has sent
            return False
        # surely not taken: the next attempt has another id, since this one is used up
        if error.retryable or isinstance(error, (InvalidPrice, DeadlineExceeded)):
            await self._save(replace(held, stage="triggered", reason=name))
            return isinstance(error, InvalidPrice)  # the market has to come back first
        _log.warning("held order %d was triggered and refused: %s", ticket, name)
        await self.end(held, OrderState.REJECTED, name)
        return True

    # --- watching ----------------------------------------------------------------------------

    def _attend(self, held: HeldOrder) -> None:
        symbol = held.order.symbol
        if symbol not in self._watched:
            self._watched[symbol] = self._watch(symbol)
        self._set_timer(held)
        self._begin(held.order.ticket)

    def _forget(self, order: Order) -> None:
        timer = self._timers.pop(order.ticket, None)
        if timer is not None:
            timer.cancel()
        if all(held.order.symbol != order.symbol for held in self._held.values()):
            self._watched.pop(order.symbol, lambda: None)()
            self._quotes.pop(order.symbol, None)

    def _set_timer(self, held: HeldOrder) -> None:
        ticket = held.order.ticket
        timer = self._timers.pop(ticket, None)
        if timer is not None:
            timer.cancel()
        if held.expiration_ms is not None:
            left_s = max(0.0, (held.expiration_ms - self._now_ms()) / 1000)
            loop = asyncio.get_running_loop()
            self._timers[ticket] = loop.call_later(min(left_s, MAX_TIMER_S), self._tick, ticket)

    def _tick(self, ticket: int) -> None:
        held = self._held.get(ticket)
        if held is None or held.expiration_ms is None:
            return
        if held.expiration_ms <= self._now_ms():
            self._tasks.begin(("expire", ticket), partial(self._expire, ticket))
        else:
            self._set_timer(held)

    async def _expire(self, ticket: int) -> bool:
        held = self._held.get(ticket)
        if held is None:
            return True
        async with self._locks.of(self._options(held), ticket):
            held = self._held.get(ticket)
            # its limit order may be at the broker by now: looked at again until that is known
            if held is None or held.stage == "sending":
                return held is None
            await self.end(held, OrderState.EXPIRED)
        return True

    # --- small things ------------------------------------------------------------------------

    async def _written(self, writing: Awaitable[T]) -> T:
        """Wait until something is written that is told afterwards."""
        try:
            return await writing
        except asyncio.CancelledError:
            self._untold()
            raise

    async def _save(self, held: HeldOrder) -> HeldOrder:
        ticket = held.order.ticket
        await self._written(self._book.save(ticket - FIRST_HELD, held, is_open=True))
        self._held[ticket] = held
        return held

    def _options(self, held: HeldOrder) -> ExecutionOptions:
        return ExecutionOptions(
            client_order_id=held.attempt_id,
            deadline=Deadline.of(self._now_ms, TTL_MS, None),
        )

    def _shown(self, order: Order) -> Order:
        bid, ask = self._quotes.get(order.symbol, (0.0, 0.0))
        return replace(order, price_current=bid if order.type % 2 else ask)


def is_due(held: HeldOrder, bid: float, ask: float) -> bool:
    """Whether there is something to be sent for an order at these prices."""
    if held.stage == "waiting":
        return is_reached(held.order, bid, ask)
    return held.stage == "sending" or takes_limit(held.order, bid, ask)


def with_ticket(held: HeldOrder, ticket: int) -> HeldOrder:
    """Return an order with the ticket that its row gives it."""
    return replace(held, order=replace(held.order, ticket=ticket))


# --- stop-limit orders ---------------------------------------------------------------------------


async def prepared(
    terminal: GuardedTerminal,
    state: TradingState,
    wanted: OrderRequest,
    options: ExecutionOptions,
    held: Order | None = None,
) -> PreparedOrder:
    """Return the trade that a stop-limit order would be, or the change of one that is held.

    Raises:
        InvalidParams, InvalidVolume, InvalidPrice: as of any order; and where the limit or the
            market lies on the wrong side of the price.

    """
    check_complete(wanted)
    # the platform knows no stop-limits, so the grid and the rules see the stop that triggers it
    as_stop = dataclasses.replace(wanted, type=STOPS[wanted.type], stoplimit=None)
    trade = await prepare(terminal, state, as_stop, options)
    info = trade.symbol or await terminal.symbol(trade.request.symbol)
    grid = PriceGrid(info, options.normalize)
    limit = grid.price("stoplimit", wanted.stoplimit or Decimal())
    request = replace(trade.request, type=int(wanted.type), stoplimit=float(limit))
    wrong = misplaced(request, info)
    if wrong is not None:
        raise InvalidPrice(wrong.message, **price_grid(info) | wrong.data)
    _check_limit(info, exact(request.price), limit, buying=wanted.type == OrderType.BUY_STOP_LIMIT)
    if held is not None:
        request = replace(request, action=int(TradeAction.MODIFY), order=held.ticket)
    return dataclasses.replace(
        trade, request=request, changes=held, moved=[*trade.moved, *grid.moved]
    )


def _check_limit(info: SymbolInfo, price: Decimal, limit: Decimal, *, buying: bool) -> None:
    """Refuse a limit that lies on the wrong side of the price that triggers it."""
    room = exact(info.point) * info.trade_stops_level
    gap = price - limit if buying else limit - price
    if gap <= 0 or gap < room:
        side = "below" if buying else "above"
        apart = f", by {info.trade_stops_level} points at least" if room else ""
        raise InvalidPrice(
            f"stoplimit must lie {side} the order's price {price}{apart}; {limit} does not",
            **price_grid(info),
            field="stoplimit",
            value=float(limit),
            bid=info.bid,
            ask=info.ask,
            rule=f"{side}_price",
            limit=float(price - room if buying else price + room),
            stops_level_points=info.trade_stops_level,
        )


def is_reached(order: Order, bid: float, ask: float) -> bool:
    """Whether the market is at the price that triggers it."""
    if order.type == OrderType.BUY_STOP_LIMIT:
        return ask >= order.price_open
    return bid <= order.price_open


def takes_limit(order: Order, bid: float, ask: float) -> bool:
    """Whether the market is on the side from which a broker takes the limit order."""
    if order.type == OrderType.BUY_STOP_LIMIT:
        return ask > order.price_stoplimit
    return bid < order.price_stoplimit


async def send_limit(
    terminal: GuardedTerminal, state: TradingState, held: HeldOrder, options: ExecutionOptions
) -> int:
    """Place the limit order of the present attempt, once; return its ticket.

    The journal answers for an attempt that was begun before, also by an earlier run of the
    daemon.

    Raises:
        GatewayError: as of :func:`.orders.place`; with the outcome ``unknown`` for as long as
            the journal does not know it.

    """
    order = held.order
    wanted = OrderRequest(
        symbol=order.symbol,
        type=LIMITS[OrderType(order.type)],
        volume=exact(order.volume_initial),
        price=exact(order.price_stoplimit),
        sl=exact(order.sl) if order.sl else None,
        tp=exact(order.tp) if order.tp else None,
        magic=order.magic,
        comment=held.words,
        expiration_ms=held.expiration_ms,
    )
    params = {
        "symbol": wanted.symbol,
        "type": wanted.type.name.lower(),
        "volume": format(wanted.volume, "f"),
        "price": format(exact(order.price_stoplimit), "f"),
        "for": held.client_order_id,
    }
    asked = CallKey(
        terminal.account or held.account,
        options.client_order_id,
        "place_order",
        orjson.dumps(params).decode(),
    )
    journal = terminal.journal
    receipt = await journal.once(asked, lambda: place(terminal, state, wanted, options))
    ticket: int | None = receipt["order"]["order"]
    return ticket or 0
