"""What became of orders that hang on something else, by the broker's books and the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from ea_bridge.model import Order, OrderState, OrderType
from ea_bridge.simulation.broker import Broker
from gateway.storage.ledger import Ledger
from gateway.trading.contingent.emulated import LIMITS, is_reached, takes_limit
from gateway.trading.contingent.records import HeldOrder, OcoLink
from gateway.trading.journal.intents import ENDS as INTENT_ENDS
from gateway.trading.requests import FIRST_HELD, tag

from .truth import Executed, Truth

_held = msgspec.json.Decoder(HeldOrder).decode
_link = msgspec.json.Decoder(OcoLink).decode
ENDS: Mapping[int, str] = {
    OrderState.FILLED: "filled",
    OrderState.PARTIAL: "filled",
    OrderState.CANCELED: "canceled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "rejected",
}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a pending order."""

    end: str
    """Empty while it waits, wholly."""


def fate_of(broker: Broker, ticket: int) -> Fate | None:
    """Return what became of a pending order; ``None``: the broker never had it."""
    books = broker.books
    waiting = books.orders.get(ticket)
    if waiting is not None:
        return Fate("filled" if waiting.state == OrderState.PARTIAL else "")
    past = books.past_orders.get(ticket)
    if past is not None:
        return Fate(ENDS[past.state])
    holding = books.holdings.get(ticket)  # MetaTrader 4 turns an order into a trade
    return None if holding is None else Fate("filled")


class HeldTruth:
    """The stop-limit orders that a daemon has kept, and what it has sent for them.

    Args:
        ledger: of a daemon.

    """

    def __init__(self, ledger: Ledger) -> None:
        rows = ledger.reader.all("SELECT id, body FROM contingent WHERE kind = 'held'")
        self.rows: dict[int, HeldOrder] = {
            FIRST_HELD + row["id"]: _held(row["body"]) for row in rows
        }
        opens = ledger.reader.all(
            "SELECT login, server, client_order_id FROM orders WHERE stage NOT IN (?, ?, ?)",
            *sorted(INTENT_ENDS),
        )
        self.open_ids: set[tuple[int, str, str]] = {
            (row["login"], row["server"], row["client_order_id"]) for row in opens
        }
        """Ids of requests whose end the journal does not know, with their accounts."""

    def fate(self, ticket: int) -> Fate | None:
        """Return what became of one of them."""
        held = self.rows.get(ticket)
        if held is None:
            return None
        order = held.order
        return Fate(ENDS.get(order.state, "") if held.stage == "ended" else "")

    def of(self, account: tuple[int, str]) -> dict[int, HeldOrder]:
        """Return those of an account, by their tickets."""
        return {ticket: one for ticket, one in self.rows.items() if one.account == account}

    def faults(self, account: tuple[int, str], truth: Truth) -> Iterator[str]:
        """Yield what is wrong with those of an account.

        Of equal limit orders under way as one died nobody can tell which is whose: one may have
        been given another one's end, and the other one its.
        """
        without: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
        lacking: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
        for ticket, held in self.of(account).items():
            sent = [one for each in _attempts(held) for one in truth.tagged.get(each, ())]
            said = f"{ticket} {held} has sent {sent}"
            is_placed = held.stage == "ended" and held.order.state == OrderState.PLACED
            if len(sent) > 1:
                yield f"twice: {said}"
            elif is_placed != bool(sent) and held.stage != "sending":
                (without if is_placed else lacking)[_limit_of(held)].append(said)
            elif sent and not _is_its_limit(held, sent[0]):
                yield f"another order: {said}"
            if held.stage != "ended" and not self._is_open(held) and _is_due(held, truth.broker):
                yield f"its price is there, and it waits: {said}"
        for kind in without.keys() | lacking.keys():
            if len(without[kind]) != len(lacking[kind]):
                yield from (f"told otherwise: {one}" for one in without[kind] + lacking[kind])

    def unknown(self, account: tuple[int, str]) -> list[str]:
        """Return those of an account that wait until it is known whether their limit was sent.

        Two such orders of MetaTrader 4 whose comments are lost may fit one trade: then nothing but
        a person can tell whose it is.
        """
        return [
            f"{ticket} {one}" for ticket, one in self.of(account).items() if self._is_open(one)
        ]

    def _is_open(self, held: HeldOrder) -> bool:
        return held.stage == "sending" and (*held.account, held.attempt_id) in self.open_ids


def _attempts(held: HeldOrder) -> Iterator[str]:
    """Yield the tags of the limit orders that may have been sent."""
    for n in range(1, held.attempt + 1):
        one = msgspec.structs.replace(held, attempt=n)
        yield tag(*held.account, one.attempt_id)


def _limit_of(held: HeldOrder) -> tuple[object, ...]:
    """Return what tells its limit order apart where comments are lost."""
    order = held.order
    lots, price = order.volume_initial, order.price_stoplimit
    limit = LIMITS[OrderType(order.type)]
    return (order.symbol, limit, price, lots, order.sl, order.tp, order.magic)


def _is_its_limit(held: HeldOrder, sent: Executed) -> bool:
    asked = sent.request
    of_limit = (asked.symbol, asked.type, asked.price, asked.volume, asked.sl, asked.tp)
    return _limit_of(held)[:-1] == of_limit and held.placed in (0, sent.result.order)


def _is_due(held: HeldOrder, broker: Broker) -> bool:
    order = held.order
    tick = broker._prices.tick(order.symbol)
    if tick is None or not broker._prices.is_open(order.symbol, tick.time_msc):
        return False
    is_there = held.stage != "waiting" or is_reached(order, tick.bid, tick.ask)
    return is_there and takes_limit(order, tick.bid, tick.ask)


class LinkTruth:
    """The links of orders that a daemon has kept.

    Args:
        ledger: of a daemon.
        held: the orders that it has kept.

    """

    def __init__(self, ledger: Ledger, held: HeldTruth) -> None:
        rows = ledger.reader.all("SELECT body FROM contingent WHERE kind = 'oco'")
        self.links: dict[str, OcoLink] = {}
        for row in rows:
            link = _link(row["body"])
            self.links[link.id] = link
        self._held = held
        self.both_filled = 0

    def faults(
        self, account: tuple[int, str], broker: Broker, told: Mapping[str, tuple[int, ...]]
    ) -> Iterator[str]:
        """Yield what is wrong with those of an account.

        Args:
            told: the tickets that bots were told to be linked, by the ids of the links.

        """
        for id_ in told.keys() - self.links.keys():
            yield f"{id_} was told, and is not there"
        for link in self.links.values():
            if link.account == account:
                yield from (f"{said}: {link}" for said in self._faults_of(link, broker))

    def _faults_of(self, link: OcoLink, broker: Broker) -> Iterator[str]:
        fates = [self._held.fate(o.ticket) or fate_of(broker, o.ticket) for o in link.orders]
        if link.state == "unlinked":
            return
        if None in fates:
            yield f"an order that nobody has: {fates}"
            return
        known = [one for one in fates if one is not None]
        over = [one for one in known if one.end]
        if link.state == "active" and over:
            yield f"an order has ended, and nobody has seen it: {known}"
        if link.state == "cancelling" and not link.problem:
            yield f"what is left is not cancelled: {known}"
        if link.state == "done":
            for order, fate in zip(link.orders, known, strict=True):
                if not order.end:
                    yield f"it is done, and order {order.ticket} has no end"
                if order.end != fate.end and not _is_part(broker, order.ticket):
                    yield f"order {order.ticket} is told to be {order.end}, and is {fate.end}"
        # how long after the first is no matter: the daemon may have slept, or been away
        self.both_filled += sum(one.end == "filled" for one in known) > 1


def _is_part(broker: Broker, ticket: int) -> bool:
    """Whether an order was filled in part, and the rest ended otherwise."""
    past: Order | None = broker.books.past_orders.get(ticket)
    return past is not None and 0 < past.volume_current < past.volume_initial
