"""Truth about one terminal's streams: what its broker did, in order, and what its books say now.

A change is noted where the emulated EA counts it for the daemon. Each is kept as a short key of
the facts that no price moves, read from the broker's records on one side and from the events that
clients get on the other; the two readings share no code of the product.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from typing import Any

from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import (
    Deal,
    DealEntry,
    DealType,
    Order,
    OrderState,
    OrderType,
    Position,
    PositionType,
    Tick,
)
from ea_bridge.protocol.messages import Message, Trade
from ea_bridge.simulation.broker.ledger import TradeEvent

Json = Mapping[str, Any]
Key = tuple[Any, ...]
"""Ticket and facts of one order, position or deal."""

TICKS = "tick.all:EURUSD"
LOST = "lost"
"""Begins the key of a change that a terminal forgot before it was counted: nobody is told of it,
and who follows the changes has to be told of a gap there."""
NOUNS = {"orders": "order", "positions": "position", "deals": "deal"}
"""What the events of a channel are about."""
KEPT = 20_000
"""Changes of a channel that are kept at least; who was away for longer begins anew."""


def _numbers(enum: type[IntEnum]) -> dict[str, int]:
    return {member.name.lower(): int(member) for member in enum}


_STATES, _ORDERS, _POSITIONS = _numbers(OrderState), _numbers(OrderType), _numbers(PositionType)
_DEALS, _ENTRIES = _numbers(DealType), _numbers(DealEntry)


# --- from the broker's records -------------------------------------------------------------------


def key_of_order(one: Order) -> Key:
    """Return what an order is known by."""
    prices = one.price_open, one.price_stoplimit, one.sl, one.tp
    volumes = one.volume_initial, one.volume_current
    return (one.ticket, one.type, one.state, *volumes, *prices, one.symbol, one.magic, one.comment)


def key_of_position(one: Position) -> Key:
    """Return what a position is known by."""
    prices = one.price_open, one.sl, one.tp
    return (one.ticket, one.type, one.volume, *prices, one.symbol, one.magic, one.comment)


def key_of_deal(one: Deal) -> Key:
    """Return what a deal is known by."""
    made = one.order, one.type, one.entry, one.position_id, one.volume, one.price
    return (one.ticket, *made, one.commission, one.swap, one.profit, one.magic, one.comment)


# --- from what clients are told ------------------------------------------------------------------


def key_of_told_order(one: Json) -> Key:
    """Return the same of an order as clients see it."""
    prices = (one[name] or 0.0 for name in ("price_open", "price_stoplimit", "sl", "tp"))
    volumes = one["volume_initial"], one["volume_current"]
    kind, state = _ORDERS[one["type"]], _STATES[one["state"]]
    told = one["symbol"], one["magic"], one["comment"]
    return (one["ticket"], kind, state, *volumes, *prices, *told)


def key_of_told_position(one: Json) -> Key:
    """Return the same of a position as clients see it."""
    prices = one["price_open"], one["sl"] or 0.0, one["tp"] or 0.0
    told = one["symbol"], one["magic"], one["comment"]
    return (one["ticket"], _POSITIONS[one["type"]], one["volume"], *prices, *told)


def key_of_told_deal(one: Json) -> Key:
    """Return the same of a deal as clients see it."""
    entry = 0 if one["entry"] is None else _ENTRIES[one["entry"]]
    made = one["order"] or 0, _DEALS[one["type"]], entry, one["position_id"] or 0
    sums = one["volume"], one["price"] or 0.0, one["commission"], one["swap"], one["profit"]
    return (one["ticket"], *made, *sums, one["magic"], one["comment"])


def key_of_told_tick(one: Json) -> Key:
    """Return what a tick is known by, as clients see it."""
    return (one["broker_time"], one["bid"], one["ask"])


TOLD = {
    "orders": key_of_told_order,
    "positions": key_of_told_position,
    "deals": key_of_told_deal,
}


class ChangeLog:
    """Changes of one channel, in the order in which they happened; the oldest are forgotten."""

    def __init__(self) -> None:
        self.first = 0
        """Number of the oldest that is kept."""
        self._keys: list[Key] = []

    @property
    def end(self) -> int:
        """Number of the next one."""
        return self.first + len(self._keys)

    def add(self, key: Key) -> None:
        """Note a change: ``add``, ``change`` or ``remove``, then the facts."""
        self._keys.append(key)
        if len(self._keys) > 2 * KEPT:
            del self._keys[:KEPT]
            self.first += KEPT

    def at(self, number: int) -> Key | None:
        """Return a change; ``None`` where there is none, or not any more."""
        place = number - self.first
        return self._keys[place] if 0 <= place < len(self._keys) else None

    def places(self, key: Key, since: int) -> list[int]:
        """Return the numbers of all equal changes from a number on."""
        begin = max(since - self.first, 0)
        found = enumerate(self._keys[begin:], max(since, self.first))
        return [number for number, one in found if one == key]


class TerminalTruth:
    """What one emulated terminal has told, and the books behind it."""

    def __init__(self, machine: EmulatedTerminal) -> None:
        self.changes = {channel: ChangeLog() for channel in (*NOUNS, TICKS)}
        self.has_deals = machine.platform == "mt5"
        self._broker = machine.handler.broker
        self._books = self._broker.books
        self._untold: Collection[Any] = getattr(self._broker, "untold", ())
        """Of an account that other terminals share: what this one has not asked for yet."""
        self._take = machine.take_trade_events
        machine.take_trade_events = self._note  # type: ignore[method-assign]  # to hear each change
        self._restart = machine.restart
        machine.restart = self._note_lost  # type: ignore[method-assign]  # to hear each death
        self._on_tick = machine.handler.on_tick
        machine.handler.on_tick = self._note_tick  # type: ignore[method-assign]  # to see each tick

    @property
    def version(self) -> int:
        """Grows with every change of the books."""
        return self._books.version

    @property
    def count(self) -> int:
        """How many changes there were."""
        return sum(self.changes[channel].end for channel in NOUNS)

    @property
    def is_told(self) -> bool:
        """Whether the EA has counted all that the broker did."""
        return not self._books._events and not self._untold

    @property
    def balance(self) -> float:
        """Money of the account, without floating profit."""
        return float(self._broker.balance)

    def book(self, channel: str) -> dict[int, Key]:
        """Return the open orders or positions, by ticket."""
        if channel == "orders":
            return _by_ticket(map(key_of_order, self._books.orders.values()))
        holdings = self._books.holdings.values()
        return _by_ticket(key_of_position(one.position) for one in holdings)

    def _note_tick(self, symbol: str, tick: Tick) -> None:
        if TICKS.endswith(symbol):
            self.changes[TICKS].add((tick.time_msc, tick.bid, tick.ask))
        self._on_tick(symbol, tick)

    def _note(self) -> list[Message]:
        messages = self._take()
        for said in messages:
            if isinstance(said, Trade):
                self._add(said)
        return messages

    def _note_lost(self, *, lose_results: bool = False) -> None:
        for event in (*self._books._events, *self._untold):
            self._add(event, LOST)
        self._restart(lose_results=lose_results)

    def _add(self, said: Trade | TradeEvent, *begin: str) -> None:
        if said.order:
            self.changes["orders"].add((*begin, said.op, *key_of_order(said.order)))
        if said.position:
            self.changes["positions"].add((*begin, said.op, *key_of_position(said.position)))
        if said.deal:
            self.changes["deals"].add((*begin, said.op, *key_of_deal(said.deal)))


def _by_ticket(keys: Iterable[Key]) -> dict[int, Key]:
    return {key[0]: key for key in keys}
