"""Open orders and positions as bots know them from answers, which may be incomplete."""

from __future__ import annotations

from dataclasses import dataclass, field

from .intents import Intent, Reply

GONE = frozenset({"position_not_found", "order_not_found"})


@dataclass(slots=True)
class Held:
    """A position, or an order that waits."""

    ticket: int
    symbol: str
    side: str
    lots: float
    kind: str = ""
    """Of an order."""


@dataclass
class BelievedHoldings:
    """The positions and orders of a bot, or of several that race one another for them."""

    positions: list[Held] = field(default_factory=list)
    orders: list[Held] = field(default_factory=list)
    quotes: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Bid and ask, as the last receipt had them."""

    def note(self, intent: Intent) -> None:
        """Take what has become of an intent."""
        last = intent.replies[-1]
        if last.quote is not None and "symbol" in intent.params:
            self.quotes[intent.params["symbol"]] = last.quote
        receipt = intent.receipt
        if receipt is not None:
            self._take(intent, receipt)
        elif last.name in GONE:
            for name in ("ticket", "position"):
                self._gone(intent.params.get(name, 0))

    def _take(self, intent: Intent, receipt: Reply) -> None:
        match intent.method:
            case "place_order":
                self._opened(intent, receipt)
            case "close_position":
                self._closed(intent, receipt)
            case "close_by":
                self._drop(intent.params["position"])
                self._drop(intent.params["position_by"])
                if receipt.position is not None and receipt.filled is not None:
                    self._rest_of_two(intent, receipt.position)
            case "cancel_order":
                self._drop(intent.params["ticket"])
            case "cancel_all_orders" | "close_all_positions":
                for tickets in receipt.swept[:2]:
                    assert isinstance(tickets, tuple)
                    for ticket in tickets:
                        self._drop(ticket)

    def _opened(self, intent: Intent, receipt: Reply) -> None:
        symbol, side, kind, lots = receipt.asked[:4]
        assert isinstance(symbol, str)
        assert isinstance(side, str)
        assert isinstance(lots, float)
        if kind not in ("buy", "sell"):
            if receipt.order is not None:
                self.orders.append(Held(receipt.order, symbol, side, lots, str(kind)))
        elif receipt.position is not None and self.position(receipt.position) is None:
            self.positions.append(Held(receipt.position, symbol, side, receipt.filled or lots))

    def _closed(self, intent: Intent, receipt: Reply) -> None:
        ticket = intent.params["ticket"]
        position = self.position(ticket)
        if position is None:
            return
        position.lots = round(position.lots - (receipt.filled or 0.0), 2)
        if position.lots <= 0 or "volume" not in intent.params:
            self.positions.remove(position)
        elif receipt.position is not None:
            # MetaTrader 4 gives what is left of a position another ticket
            position.ticket = receipt.position

    def _rest_of_two(self, intent: Intent, ticket: int) -> None:
        # which of the two is left, and how much of it, the broker alone knows
        symbol = intent.params.get("symbol", "EURUSD")
        self.positions.append(Held(ticket, symbol, "buy", 0.01))

    def _gone(self, ticket: int) -> None:
        # an order that waits no more may have become a position, mostly with the same ticket
        waited = next((one for one in self.orders if one.ticket == ticket), None)
        self._drop(ticket)
        if waited is not None:
            self.positions.append(waited)

    def position(self, ticket: int) -> Held | None:
        """Return the position of a ticket."""
        return next((one for one in self.positions if one.ticket == ticket), None)

    def _drop(self, ticket: int) -> None:
        self.positions = [one for one in self.positions if one.ticket != ticket]
        self.orders = [one for one in self.orders if one.ticket != ticket]
