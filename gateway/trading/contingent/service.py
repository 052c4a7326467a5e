"""Service that keeps held orders, and the links between orders, for all terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ea_bridge.commands import ORDERS_GET, Command
from ea_bridge.host import wall_ms
from ea_bridge.model import Order
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.messages import Event, Trade
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalRegistry
from gateway.audit import Audit
from gateway.auth.gate import Gate
from gateway.broker_time.clock import BrokerClock
from gateway.credentials.tier import Tier
from gateway.errors import AccessDenied, Forbidden
from gateway.storage.ledger import Ledger
from gateway.streams.channels import Channel
from gateway.streams.service import Streams
from gateway.trading.contingent.oco import account_of
from gateway.trading.contingent.orders import ContingentOrders
from gateway.trading.contingent.records import OpenRows
from gateway.trading.journal import Account
from gateway.trading.locks import TicketLocks
from gateway.trading.session import Session
from gateway.trading.state import Terminals, TradingState
from gateway.trading.terminal import GuardedTerminal, unattended

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
    ) -> None:
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
        )
        return orders

    def _counted(self, account: Account | None) -> list[Order]:
        return [order for orders in self._orders.values() for order in orders.counted_for(account)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Follow the terminals' links while the context lasts; then stop all that is under way."""
        unsubscribe = self._registry.subscribe(self._change)
        try:
            yield
        finally:
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

    def event(self, session: Session, event: Event) -> None:
        """Take an event of a terminal's session: first who listens is told."""
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

        def still_allowed(tier: Tier) -> None:
            try:
                self._vouch(tid, tier)
            except AccessDenied:
                session = self._registry.get(name)
                if tier > Tier.REDUCE or session is None:
                    raise
                self._vouch(session.hello.tid, tier)

        return self._terminals.terminal(name, still_allowed, tid)

    def _vouch(self, tid: str, need: Tier) -> None:
        self._gate.refresh()
        allowance = self._gate.allowance(tid)
        if allowance.tier < need or not self._gate.may_trade(tid):
            raise Forbidden(
                "The auth_token in whose name it is may not do that now",
                reason=allowance.reason or "scope",
                tier=allowance.tier.name.lower(),
            )

    def _tell(self, terminal: str, op: str, order: Order) -> None:
        at_msc = order.time_done_msc or order.time_setup_msc
        self._streams.event(_Named(terminal), Trade(op=op, q=0, time_msc=at_msc, order=order))


def with_held(state: TradingState, command: Command[P, R], answer: R) -> R:
    """Return an answer of the terminal, with what it does not know of itself."""
    if command.op == ORDERS_GET.op and isinstance(answer, list):
        answer.extend(state.contingent.orders())
    return answer
