"""Sweeps: all orders cancelled, all positions closed, or those that a filter selects.

A sweep looks, sends what has to be sent, and looks again: an order may have been filled while it
was being cancelled, and a position closed in part. It never sends again what may have been
executed; what is left is told with its reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from ea_bridge import commands
from ea_bridge.model import Order, Position
from gateway import schemas as shapes
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InternalError,
    OrderNotFound,
    OrderRejected,
    OrderUnresolved,
    PositionNotFound,
    PriceChanged,
    TerminalBusy,
)
from gateway.trading.requests import CloseRequest

from .journal import AccountKey
from .orders import cancel, close
from .requests import (
    DEFAULT_DEVIATION,
    Action,
    Deadline,
    ExecutionOptions,
    OrderFilter,
    new_client_order_id,
)
from .state import TradingState
from .terminal import GuardedTerminal

AT_ONCE = 16
"""Requests of one sweep that are under way together; others need the terminal as well."""
ROUNDS = 4
TTL_MS = 10_000
"""Of each request: a terminal sends one after the other, and the last has to wait."""

Kind = Literal["order", "position"]
_AGAIN = (TerminalBusy, DeadlineExceeded, PriceChanged)
"""After these nothing was done, and the next try may succeed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepFailure:
    """An order or position that is still there, or may be."""

    kind: Kind
    ticket: int
    error: GatewayError


@dataclass
class SweepResult:
    """Orders and positions that a sweep has ended, and those that it has not."""

    cancelled: list[int] = field(default_factory=list)
    """Tickets of orders."""
    closed: list[int] = field(default_factory=list)
    """Tickets of positions."""
    failed: list[SweepFailure] = field(default_factory=list)
    paper: bool = False
    """They were those of paper trading."""


def sweep_view(result: SweepResult) -> shapes.Swept:
    """Return the result of a sweep as clients see it."""
    return {
        "cancelled": result.cancelled,
        "closed": result.closed,
        "failed": [
            {
                "kind": failure.kind,
                "ticket": failure.ticket,
                "code": failure.error.code,
                "name": failure.error.name(),
                "message": failure.error.message,
                "outcome": failure.error.outcome,
            }
            for failure in result.failed
        ],
        "paper": result.paper,
        "duplicate": False,
    }


async def cancel_orders(
    terminal: GuardedTerminal, state: TradingState, selection: OrderFilter, result: SweepResult
) -> None:
    """Cancel the pending orders that are selected; note in ``result`` what became of each.

    Raises:
        GatewayError: the terminal did not say what there is. Nothing was sent.

    """

    account = terminal.trading_account

    async def listed() -> list[Order]:
        orders = await terminal.request(commands.ORDERS_GET, _filter(selection))
        _still_in(terminal, account)
        # also those that the gateway keeps: they would trade later
        return orders + state.contingent.orders(selection.symbol)

    async def cancel_order(ticket: int) -> bool:
        await cancel(terminal, state, ticket, _options(terminal))
        return True

    result.paper = terminal.is_paper
    sweep = _Sweep("order", selection, listed, cancel_order, result.cancelled, result.failed)
    await sweep.run()


async def close_positions(
    terminal: GuardedTerminal,
    state: TradingState,
    selection: OrderFilter,
    result: SweepResult,
    deviation: int = DEFAULT_DEVIATION,
) -> None:
    """Close the positions that are selected; note in ``result`` what became of each.

    Raises:
        GatewayError: the terminal did not say what there is. Nothing was sent.

    """

    account = terminal.trading_account

    async def listed() -> list[Position]:
        positions = await terminal.request(commands.POSITIONS_GET, _filter(selection))
        _still_in(terminal, account)
        return positions

    async def close_position(ticket: int) -> bool:
        way_out = CloseRequest(ticket=ticket, deviation=deviation)
        receipt = await close(terminal, state, way_out, _options(terminal))
        # a part may have been closed: what is left is tried again
        return receipt["order"]["state"] == "filled"

    result.paper = terminal.is_paper
    sweep = _Sweep("position", selection, listed, close_position, result.closed, result.failed)
    await sweep.run()


async def flatten(
    terminal: GuardedTerminal,
    state: TradingState,
    action: Action,
    selection: OrderFilter,
    result: SweepResult,
) -> None:
    """Cancel orders, then close positions where the action says so.

    Raises:
        GatewayError: the terminal did not say what there is.

    """
    # orders first: one that is filled during the sweep would open a position after the closing
    await cancel_orders(terminal, state, selection, result)
    if action == "cancel_and_close":
        await close_positions(terminal, state, selection, result)


@dataclass
class _Sweep:
    """Sweep of the orders or of the positions, until nothing is left to try."""

    kind: Kind
    selection: OrderFilter
    listed: Callable[[], Awaitable[list[Order] | list[Position]]]
    end: Callable[[int], Awaitable[bool]]
    """Send what ends one; return whether nothing of it is left."""
    done: list[int]
    failed: list[SweepFailure]
    _final: dict[int, SweepFailure] = field(default_factory=dict)
    _last: dict[int, SweepFailure] = field(default_factory=dict)
    _open: list[int] = field(default_factory=list)
    """Closed in part, or said to be gone: only the next look tells what is left."""

    async def run(self) -> None:
        left = self._meant(await self.listed())
        gate = asyncio.Semaphore(AT_ONCE)
        for _ in range(ROUNDS):
            if not left:
                break
            self._last, self._open = {}, []
            # side by side: one that hangs at the broker must not keep the others open
            await asyncio.gather(*(self._try(ticket, gate) for ticket in left))
            # looked at again: an order may have been filled while it was being cancelled
            try:
                left = self._meant(await self.listed())
            except GatewayError:
                # what was done is done; nobody knows more
                self._last |= {ticket: self._failure(ticket, _unseen()) for ticket in self._open}
                left = list(self._last)
                break
        still_there = OrderRejected("It is still there after several tries", outcome="rejected")
        self.failed += self._final.values()
        self.failed += [
            self._last.get(ticket) or self._failure(ticket, still_there) for ticket in left
        ]

    def _meant(self, found: list[Order] | list[Position]) -> list[int]:
        # what was refused for good is not tried again; what was done may still be listed a moment
        settled = {*self.done, *self._final}
        return [o.ticket for o in found if o.ticket not in settled and self.selection.matches(o)]

    async def _try(self, ticket: int, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                if await self.end(ticket):
                    self.done.append(ticket)
                else:
                    self._open.append(ticket)
            except (OrderNotFound, PositionNotFound):
                # filled, cancelled or closed meanwhile: the next look tells
                self._open.append(ticket)
            except _AGAIN as error:
                self._last[ticket] = self._failure(ticket, error)
            except GatewayError as error:
                self._final[ticket] = self._failure(ticket, error)
            except Exception:  # the others must go all the same
                logger.exception("%s %d was not ended", self.kind, ticket)
                self._final[ticket] = self._failure(ticket, InternalError(outcome="unknown"))

    def _failure(self, ticket: int, error: GatewayError) -> SweepFailure:
        return SweepFailure(self.kind, ticket, error)


def _unseen() -> GatewayError:
    return OrderUnresolved(
        "What is left of it was not known when the terminal was last heard: look at it again",
        outcome="unknown",
    )


def _still_in(terminal: GuardedTerminal, account: AccountKey | None) -> None:
    """Refuse what a terminal shows of another account: nobody meant that one."""
    if terminal.trading_account != account:
        raise terminal.offline()


def _filter(selection: OrderFilter) -> commands.FilterParams:
    return commands.FilterParams(symbol=selection.symbol)


def _options(terminal: GuardedTerminal) -> ExecutionOptions:
    return ExecutionOptions(
        # a new id for each try: the one before has its end, and would be answered with it
        client_order_id=new_client_order_id(terminal.now_ms()),
        deadline=Deadline.of(terminal.now_ms, TTL_MS, None),
    )
