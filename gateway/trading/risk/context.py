"""Context of a check: one order, and everything that is known of it."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ea_bridge.model import (
    BUYS,
    Order,
    Position,
    PositionType,
    SymbolInfo,
    TradeAction,
    TradeRequest,
)
from gateway.credentials.lease import Tier
from gateway.trading.price_grid import exact
from gateway.trading.requests import PreparedOrder
from gateway.trading.terminal import GuardedTerminal
from gateway.trading.trade_sessions import Week

from ..limits import TradingLimits
from . import facts
from .counters import DAY_MS, Listed, OrderRate, OrderStamp, Reservation, fingerprint
from .facts import AccountFacts


class OrderEffect(enum.Enum):
    """Effect of an order on the account."""

    OPEN = "open"
    """It can bring more exposure: a new order."""
    REPRICE = "reprice"
    """It moves a pending order to another price, where it may be filled sooner."""
    CHANGE = "change"
    """It changes stops of what is there."""
    REDUCE = "reduce"
    """Nothing is at risk after it that was not before: it must hardly ever be refused."""

    @classmethod
    def of(cls, order: PreparedOrder) -> OrderEffect:
        """Return the kind of an order."""
        action = order.request.action
        if order.tier is not Tier.FULL or action == TradeAction.CLOSE_BY:
            return cls.REDUCE
        if action in (TradeAction.DEAL, TradeAction.PENDING):
            return cls.OPEN
        return cls.REPRICE if _is_repriced(order) else cls.CHANGE


class StaleFacts(Exception):
    """Error of facts that do not settle it: an order has ended since they were asked for."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A position, or an order that may become one."""

    symbol: str
    volume: Decimal
    buys: bool
    waits: bool = False
    is_open: bool = False
    closes: bool = False
    """It may take from a position of a netting account, and never makes one."""
    is_own: bool = False
    """It is that of the order which is checked."""


@dataclass(frozen=True, kw_only=True)
class RiskContext:
    """One order, with everything that the checks look at.

    Args:
        surely: reservations that count.
        doubtful: reservations that the facts may show already.
        unresolved: client order ids of the symbol whose outcome is not known.
        week: when the symbol trades; ``None`` if the terminal cannot tell.

    """

    terminal: GuardedTerminal
    order: PreparedOrder
    limits: TradingLimits
    facts: AccountFacts
    rate: OrderRate
    week: Week | None = None
    surely: list[Reservation] = field(default_factory=list)
    doubtful: list[Reservation] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    @property
    def request(self) -> TradeRequest:
        """The terminal's request for it."""
        return self.order.request

    @property
    def kind(self) -> OrderEffect:
        """Its effect on the account."""
        return OrderEffect.of(self.order)

    @property
    def symbol(self) -> SymbolInfo | None:
        """As the terminal told it when the order was prepared; ``None`` for what needs none."""
        return self.order.symbol

    @property
    def broker_ms(self) -> int:
        """The broker's clock."""
        return self.terminal.broker_ms

    @property
    def broker_day(self) -> int:
        """Days of the broker's clock since 1970."""
        return self.broker_ms // DAY_MS

    @property
    def buys(self) -> bool:
        """The direction of the order, or of what is changed."""
        return facts.buys(self.order)

    @property
    def market(self) -> float:
        """The price at which it would be filled now; 0 without a quote."""
        return facts.market(self.order)

    @property
    def volume(self) -> Decimal:
        """Lots."""
        return facts.volume(self.order)

    @property
    def exposure(self) -> Exposure:
        """The exposure that it adds, or is from now on."""
        waits = self.request.action != TradeAction.DEAL
        return Exposure(self.request.symbol, self.volume, self.buys, waits, is_own=True)

    @property
    def is_netting(self) -> bool:
        """Whether a symbol has one position at most, which opposite orders reduce."""
        hello = self.terminal.hello
        return hello is not None and hello.mode in facts.NETTING

    @property
    def is_netting_close(self) -> bool:
        """Whether it closes a position that orders the other way may count on."""
        is_close = self.kind is OrderEffect.REDUCE and self.request.action == TradeAction.DEAL
        return is_close and self.is_netting

    @property
    def margin(self) -> Decimal:
        """The part of the free margin that it takes by itself."""
        return exact(self.facts.number("margin"))

    @property
    def fingerprint(self) -> Hashable:
        """Equal for orders that are alike."""
        return fingerprint(self.request)

    @property
    def stamp(self) -> OrderStamp:
        """The part of it that is counted."""
        return OrderStamp(
            symbol=self.request.symbol,
            fingerprint=self.fingerprint,
            utc_ms=self.terminal.now_ms(),
            day=self.broker_day,
        )

    # --- positions and orders beside it --------------------------------------------------------

    def measured(self, measure: Callable[[Iterable[Exposure]], Decimal], most: Decimal) -> Decimal:
        """Return the total with the order if it exceeds the limit; else a value within the limit.

        What there is without it is not held against an order that adds nothing.

        Raises:
            StaleFacts: it is too much only if some orders that have ended are counted twice.
        """
        there = self._there(self.surely)
        doubtful = [_reserved(reservation) for reservation in self.doubtful]
        value = measure([*there, *doubtful, self.exposure])
        if value <= most:
            return value
        # an order the other way on a netting account: over the limit or not, it makes nothing
        # worse
        before = [*there, *doubtful, *self._moved()]
        if value <= measure(before) and self._adds_nothing(measure, most):
            return most
        # counted twice perhaps, in the lists and as a reservation: new facts tell
        if doubtful and measure([*there, self.exposure]) <= most:
            raise StaleFacts
        return value

    def _adds_nothing(
        self, measure: Callable[[Iterable[Exposure]], Decimal], most: Decimal
    ) -> bool:
        """Whether it does so also at the worst that comes of orders of its symbol under way.

        On a netting account those the other way may outweigh it, and then be refused. Those its
        own way, once they are filled, take from the other side what outweighs both of them.
        """
        added = self.exposure
        under_way = (_reserved(reservation) for reservation in (*self.surely, *self.doubtful))
        certain = self._there([]) + [
            replace(exposure, is_open=exposure.symbol == added.symbol and not exposure.waits)
            for exposure in under_way
            if exposure.symbol != added.symbol or exposure.buys == added.buys
        ]
        return measure([*certain, added]) <= max(measure([*certain, *self._moved()]), most)

    def _moved(self) -> list[Exposure]:
        """Return what the order is before it is moved to a lower price, where it is worth less."""
        held = self.order.changes
        if not isinstance(held, Order):
            return []
        before = held.price_stoplimit or held.price_open
        return [_order(held)] if facts.entry(self.order) <= before else []

    def _there(self, reservations: list[Reservation]) -> list[Exposure]:
        held = self.order.changes
        # a pending order at another price is there once; its price of now may have changed since
        moved = held.ticket if isinstance(held, Order) else None
        return [
            *(_position(position) for position in self.facts.positions),
            *(_order(order) for order in self.facts.orders if order.ticket != moved),
            *(_reserved(reservation) for reservation in reservations),
        ]

    def opposed(self) -> int:
        """Return how many positions and orders of the symbol go the other way.

        Raises:
            StaleFacts: those that do have ended, and the facts may show it.

        """

        def against(exposures: Iterable[Exposure]) -> int:
            ours = self.exposure
            return sum(
                1
                for exposure in exposures
                if exposure.symbol == ours.symbol and exposure.buys != ours.buys
            )

        surely = against(self._there(self.surely))
        doubtful = against(_reserved(reservation) for reservation in self.doubtful)
        if doubtful and not surely:
            raise StaleFacts
        return surely

    def lots(self, exposures: Iterable[Exposure]) -> Decimal:
        """Return the lots that may be open together."""
        return sum(self.by_symbol(exposures).values(), Decimal())

    def by_symbol(self, exposures: Iterable[Exposure]) -> Mapping[str, Decimal]:
        """Return the lots that may be open, by symbol.

        On a hedging account all add up. On a netting account it is the most that the position can
        become in either direction, whichever of the orders are filled.
        """
        grouped: dict[str, list[Exposure]] = defaultdict(list)
        for exposure in exposures:
            grouped[exposure.symbol].append(exposure)
        if not self.is_netting:
            return {symbol: _sum(exposed) for symbol, exposed in grouped.items()}
        return {symbol: _furthest(exposed) for symbol, exposed in grouped.items()}

    def positions(self, exposures: Iterable[Exposure]) -> Decimal:
        """Return how many positions there may be."""
        if self.is_netting:
            return Decimal(len({one.symbol for one in exposures if not one.closes}))
        return Decimal(len(list(exposures)))


def _is_repriced(order: PreparedOrder) -> bool:
    held, request = order.changes, order.request
    # its stops alone are no other order
    return isinstance(held, Order) and (
        (held.price_open, held.price_stoplimit) != (request.price, request.stoplimit)
    )


def listed(positions: Iterable[Position], orders: Iterable[Order]) -> Listed:
    """Return by which numbers lists show what was carried out, and how it stands there."""
    found: dict[int, tuple[float, int]] = {
        order.ticket: (order.volume_current, order.time_setup_msc) for order in orders
    }
    for position in positions:
        # a deal names the identifier, a result the ticket: either may be what is known
        state = (position.volume, position.time_update_msc)
        found |= {position.ticket: state, position.identifier: state}
    return found


def _position(position: Position) -> Exposure:
    buys = position.type == PositionType.BUY
    return Exposure(position.symbol, exact(position.volume), buys, is_open=True)


def _order(order: Order) -> Exposure:
    return Exposure(order.symbol, exact(order.volume_current), order.type in BUYS, waits=True)


def _reserved(reservation: Reservation) -> Exposure:
    return Exposure(
        reservation.symbol,
        reservation.volume,
        reservation.buys,
        reservation.waits,
        closes=reservation.closes,
    )


def _sum(exposures: Iterable[Exposure]) -> Decimal:
    return sum((exposure.volume for exposure in exposures), Decimal())


def _furthest(exposures: Iterable[Exposure]) -> Decimal:
    net = buys = sells = Decimal()
    for exposure in exposures:
        if exposure.is_open:
            net += exposure.volume if exposure.buys else -exposure.volume
        elif exposure.buys:
            buys += exposure.volume
        else:
            sells += exposure.volume
    # either all buys are filled and no sell, or the other way round
    return max(net + buys, sells - net)
