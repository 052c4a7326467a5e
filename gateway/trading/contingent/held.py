"""Orders that the daemon keeps until their price is reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from ea_bridge import commands
from ea_bridge.model import Order, OrderState
from gateway.audit import Audit
from gateway.errors import DeadlineExceeded, GatewayError, InvalidPrice
from gateway.trading.journal import Account
from gateway.trading.requests import FIRST_HELD, Deadline, ExecutionOptions
from gateway.trading.state import StateOf
from gateway.trading.terminal import GuardedTerminal
from gateway.trading.turns import Turns

from .errands import Errands
from .oco import ActAs, account_of
from .records import Book, HeldOrder
from .sending import send_limit
from .stop_limit import is_reached, takes_limit

TTL_MS = 5000
MAX_HELD = 1000
"""Of one terminal."""
MAX_TIMER_S = 86_400.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What held orders use of the daemon."""

    act_as: ActAs
    state_of: StateOf
    watch: Callable[[str], Callable[[], None]]
    """Have the terminal push a symbol's ticks; returns what ends that."""
    tell: Callable[[Account, str, Order], None]
    """Tell who listens that an order was added, changed or removed."""
    now_ms: Callable[[], int]
    """UTC milliseconds."""
    to_broker_ms: Callable[[int], int]
    """Turn UTC milliseconds into the broker's."""
    turns: Turns
    """Of the terminal's state."""
    counted: Callable[[Account | None], list[Order]] | None = None
    """What all terminals together hold for an account, as :meth:`HeldOrders.counted` tells of one
    of them; ``None``: there is only one."""
    audit: Audit = field(default_factory=Audit)
    """Each row is noted there, in its own transaction."""


class HeldOrders:
    """The held orders of one terminal.

    Args:
        book: their rows.
        errands: runs what is to be done by and by.
        around: see :class:`Surroundings`.

    """

    def __init__(self, book: Book[HeldOrder], errands: Errands, around: Surroundings) -> None:
        self._book = book
        self._errands = errands
        self._around = around
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
        self, account: Account | None, symbol: str | None = None, ticket: int | None = None
    ) -> list[Order]:
        """Return those of an account as clients see them, oldest first."""
        return [
            self._shown(held.order)
            for held in self._held.values()
            if held.account == account
            and symbol in (None, held.order.symbol)
            and ticket in (None, held.order.ticket)
        ]

    def counted(self, account: Account | None) -> list[Order]:
        """Return those of an account that wait, and have no limit order on its way."""
        return [
            held.order
            for held in self._held.values()
            if held.account == account and held.stage != "sending"
        ]

    def past(self, account: Account | None, ticket: int) -> Order | None:
        """Return one of an account that is over."""
        held = self._book.get(ticket - FIRST_HELD) if ticket > FIRST_HELD else None
        if held is None or held.stage != "ended" or held.account != account:
            return None
        return with_ticket(held, ticket).order

    def known(self, account: Account, client_order_id: str) -> HeldOrder | None:
        """Return the one of an id, over or not."""
        found = self._book.find(account, client_order_id)
        return None if found is None else with_ticket(found[1], FIRST_HELD + found[0])

    # --- its life ----------------------------------------------------------------------------

    async def add(self, held: HeldOrder) -> HeldOrder:
        """Keep an order from now on; one of the same id that is kept already is returned."""
        row = await self._book.add(held.client_order_id, held, adds_risk=True)
        if row is None:
            known = self.known(held.account, held.client_order_id)
            if known is None:
                raise RuntimeError("a held order is there and is not")
            return known
        held = with_ticket(held, FIRST_HELD + row)
        self._held[held.order.ticket] = held
        self._around.tell(held.account, "add", held.order)
        self._attend(held)
        return held

    async def change(self, held: HeldOrder) -> None:
        """Keep another version of an order that waits."""
        await self._save(held)
        self._around.tell(held.account, "change", held.order)
        self._set_timer(held)

    async def end(self, held: HeldOrder, state: OrderState, reason: str = "") -> None:
        """An order is over: it was triggered (``placed``), or ended before."""
        now_ms = self._around.to_broker_ms(self._around.now_ms())
        order = replace(
            held.order,
            state=int(state),
            became=held.placed,
            time_done=now_ms // 1000,
            time_done_msc=now_ms,
            comment=f"{held.order.comment} [{reason}]" if reason else held.order.comment,
        )
        ended = replace(held, stage="ended", order=order, reason=reason)
        await self._book.save(order.ticket - FIRST_HELD, ended, is_open=False)
        self._held.pop(order.ticket, None)
        self._forget(order)
        self._around.tell(held.account, "remove", order)

    # --- the market --------------------------------------------------------------------------

    def on_tick(self, account: Account, symbol: str, bid: float, ask: float) -> None:
        """Look at the orders of a symbol; what is due is sent in its turn."""
        if symbol not in self._watched or not (bid > 0 and ask > 0):
            return
        self._quotes[symbol] = (bid, ask)
        for held in self._held.values():
            if held.order.symbol == symbol and held.account == account and is_due(held, bid, ask):
                self._begin(held.order.ticket)

    def resume(self, account: Account) -> None:
        """The terminal is back: look at the market as it is now, and at what was under way."""
        for held in self._held.values():
            if held.account == account:
                self._begin(held.order.ticket)

    def _begin(self, ticket: int) -> None:
        self._errands.begin(("held", ticket), partial(self._attempt, ticket))

    async def _attempt(self, ticket: int) -> bool:
        """Do what the market asks of an order; whether that is all for now."""
        held = self._held.get(ticket)
        if held is None:
            return True
        terminal = self._around.act_as(held.tid)
        if terminal.session is None or account_of(terminal) != held.account:
            return True  # :meth:`resume` comes back to it
        options = self._options(held)
        try:
            async with self._around.turns.of(options, ticket):
                return await self._act(terminal, self._held.get(ticket))
        except GatewayError as error:
            _log.info("held order %d is looked at again: %s", ticket, error.name())
            return False

    async def _act(self, terminal: GuardedTerminal, held: HeldOrder | None) -> bool:
        if held is None:
            return True
        if held.stage != "sending":
            symbol = commands.SymbolParams(symbol=held.order.symbol)
            tick = await terminal.request(commands.TICK_GET, symbol)
            if not is_due(held, tick.bid, tick.ask):
                return True
            attempt = held.attempt + 1
            held = await self._save(replace(held, stage="sending", attempt=attempt))
        return await self._send(terminal, held)

    async def _send(self, terminal: GuardedTerminal, held: HeldOrder) -> bool:
        """Send the limit order of this attempt, which is on the disk; whether it is settled."""
        if account_of(terminal) != held.account:
            # logged in elsewhere by now; the attempt stays as it is, for it may have been sent
            return True
        try:
            placed = await send_limit(
                terminal, self._around.state_of(terminal), held, self._options(held)
            )
        except GatewayError as error:
            return await self._failed(held, error)
        await self.end(replace(held, placed=placed), OrderState.PLACED)
        return True

    async def _failed(self, held: HeldOrder, error: GatewayError) -> bool:
        ticket, name = held.order.ticket, error.name()
        if error.outcome == "unknown":
            if held.reason != name:
                _log.warning("held order %d: nobody knows yet whether it was placed", ticket)
                await self._save(replace(held, reason=name))
            return False  # the same id is asked for again, until the journal knows
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
            self._watched[symbol] = self._around.watch(symbol)
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
            left_s = max(0.0, (held.expiration_ms - self._around.now_ms()) / 1000)
            loop = asyncio.get_running_loop()
            self._timers[ticket] = loop.call_later(min(left_s, MAX_TIMER_S), self._tick, ticket)

    def _tick(self, ticket: int) -> None:
        held = self._held.get(ticket)
        if held is None or held.expiration_ms is None:
            return
        if held.expiration_ms <= self._around.now_ms():
            self._errands.begin(("expire", ticket), partial(self._expire, ticket))
        else:
            self._set_timer(held)

    async def _expire(self, ticket: int) -> bool:
        held = self._held.get(ticket)
        if held is None:
            return True
        async with self._around.turns.of(self._options(held), ticket):
            held = self._held.get(ticket)
            if held is None or held.stage == "sending":
                return held is None
            await self.end(held, OrderState.EXPIRED)
        return True

    # --- small things ------------------------------------------------------------------------

    async def _save(self, held: HeldOrder) -> HeldOrder:
        ticket = held.order.ticket
        await self._book.save(ticket - FIRST_HELD, held, is_open=True)
        self._held[ticket] = held
        return held

    def _options(self, held: HeldOrder) -> ExecutionOptions:
        return ExecutionOptions(
            client_order_id=held.attempt_id,
            deadline=Deadline.of(self._around.now_ms, TTL_MS, None),
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
