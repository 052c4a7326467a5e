"""Streams of the account: orders, positions, deals, floating result, money.

:class:`Replica` is the copy of a list that the terminal holds: its orders, its positions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

import orjson
from msgspec.structs import replace

from ea_bridge.commands import ACCOUNT_GET, ORDERS_GET, POSITIONS_GET, FilterParams, NoParams
from ea_bridge.model import Account, Order, Position
from ea_bridge.protocol.messages import Pnl, Trade
from gateway.errors import Overloaded
from gateway.schemas import OrderSettled, PositionPnl, convert
from gateway.schemas.events import GapReason

from .channels import Channel
from .context import SingleFlight, StreamContext, Throttled
from .hub import Topic

MAX_ITEMS = 10_000
"""Open orders or positions of one account."""
MAX_CHANGES = 10_000
"""Changes while the terminal is being asked for the list."""


class Ticketed(Protocol):
    """Anything with a ticket."""

    @property
    def ticket(self) -> int:
        """MetaTrader's number of it."""


T = TypeVar("T", bound=Ticketed)


class Replica(Generic[T]):
    """Copy of a list: what the terminal last said, plus every change since.

    While the list is being asked for changes go on arriving, before and after the moment that
    the answer shows. All of them are applied on top of it once more: a change names the whole
    object, so the last one of each ticket decides, whichever side of the answer it was on.

    Args:
        fetch: ask the terminal for the whole list.

    """

    def __init__(self, fetch: Callable[[], Awaitable[Iterable[T]]]) -> None:
        self._fetch = fetch
        self._items: dict[int, T] | None = None
        self._changes: list[tuple[int, T | None]] | None = None
        self._outdated = False
        self.refresh = SingleFlight(self._refresh)
        """Asks for the list anew.

        Raises:
            GatewayError: the terminal did not tell.

        """

    @property
    def items(self) -> dict[int, T] | None:
        """By ticket; ``None`` when the list is not known."""
        return self._items

    async def prime(self) -> None:
        """Ask for the list unless it is known.

        Raises:
            GatewayError: the terminal did not tell.

        """
        if self._items is None:
            await self.refresh()

    def discard(self) -> None:
        """Discard the list; an answer that is on its way may be too old as well."""
        self._items = None
        self._outdated = True

    def change(self, op: str, item: T) -> None:
        """Apply ``add``, ``change`` or ``remove``."""
        kept = None if op == "remove" else item
        # noted as well while the list is on its way: nobody knows which of both is the newer
        if self._changes is not None and len(self._changes) <= MAX_CHANGES:
            self._changes.append((item.ticket, kept))
        if self._items is not None:
            _apply(self._items, item.ticket, kept)
            # too many to be held: the list counts as not known, and is asked for when it is needed
            if len(self._items) > MAX_ITEMS:
                self._items = None

    async def _refresh(self) -> None:
        # discard() may come while the answer is on its way: what it brings is old then, ask again
        self._outdated = True
        while self._outdated:
            self._outdated = False
            self._items = await self._copy()

    async def _copy(self) -> dict[int, T]:
        self._changes = []
        try:
            items = {item.ticket: item for item in await self._fetch()}
            if len(self._changes) > MAX_CHANGES:
                raise Overloaded("The terminal changes too fast to be copied", retry_after_ms=1000)
            # once more on top of the answer: each names the whole object, so doing it twice is
            # harmless
            for ticket, kept in self._changes:
                _apply(items, ticket, kept)
            return items
        finally:
            self._changes = None


def _apply(items: dict[int, T], ticket: int, kept: T | None) -> None:
    if kept is None:
        items.pop(ticket, None)
    else:
        items[ticket] = kept


ORDERS, POSITIONS, DEALS = Channel("orders"), Channel("positions"), Channel("deals")
PNL, ACCOUNT = Channel("pnl"), Channel("account")


class AccountStreams:
    """Streams of a terminal's account, and the state that their snapshots are made of."""

    def __init__(self, context: StreamContext) -> None:
        self.platform = ""
        self.paper = False
        """Whether what is told is of paper trading."""
        self._context = context
        self._topics = {c.name: context.topic(c) for c in (ORDERS, POSITIONS, DEALS, PNL, ACCOUNT)}
        self._throttled: dict[str, Throttled] = {}
        self._users: dict[str, int] = {}
        self._owed: set[str] = set()
        """Channels whose listeners are owed a snapshot, since what they know may be old."""
        self._orders: Replica[Order] = Replica(self._fetch_orders)
        self._positions: Replica[Position] = Replica(self._fetch_positions)
        self._floating: dict[int, tuple[int, float, float, float]] = {}
        self._account: Account | None = None
        self._learn_account = SingleFlight(self._fetch_account)

    def lossless(self) -> list[Topic]:
        """Return the topics whose events count one by one."""
        return [topic for topic in self._topics.values() if not topic.latest]

    def retain(self, channel: Channel) -> Topic:
        """Count one subscription more; return its topic."""
        self._users[channel.name] = self._users.get(channel.name, 0) + 1
        if channel.interval_ms is None:
            return self._topics[channel.name]
        if channel.name not in self._throttled:
            topic = self._context.topic(channel)
            self._throttled[channel.name] = self._context.throttled(topic, channel.interval_ms)
        return self._throttled[channel.name].topic

    def release(self, channel: Channel) -> None:
        """Count one subscription less."""
        self._users[channel.name] -= 1
        if not self._users[channel.name]:
            del self._users[channel.name]
            if channel.name in self._throttled:
                self._throttled.pop(channel.name).stop()

    # --- what the terminal says --------------------------------------------------------------

    def take_trade(self, trade: Trade, ts: int) -> None:
        """Publish a change of an order, a position, or a deal."""
        clock = self._context.broker_clock
        if trade.order:
            self._orders.change(trade.op, trade.order)
            self._publish(ORDERS, trade.op, "order", convert.order(trade.order, clock), ts)
        if trade.position:
            self._positions.change(trade.op, trade.position)
            self._floating.pop(trade.position.ticket, None)
            event = convert.position(trade.position, clock)
            self._publish(POSITIONS, trade.op, "position", event, ts)
        if trade.deal:
            self._publish(DEALS, trade.op, "deal", convert.deal(trade.deal, clock), ts)

    def take_settled(self, settled: OrderSettled, ts: int) -> None:
        """Publish how a request has ended whose outcome was unknown."""
        self._context.hub.publish(self._topics[ORDERS.name], _dump(settled), ts)

    def take_account(self, account: Account, ts: int) -> None:
        """Publish the account's money."""
        self._account = account
        self._context.hub.publish(self._topics[ACCOUNT.name], self._account_data(account), ts)

    def take_pnl(self, pnl: Pnl, ts: int) -> None:
        """Publish the floating result of the open positions."""
        self._floating = {row[0]: row for row in pnl.d}
        data = _dump({"positions": [_pnl(*row) for row in pnl.d], "paper": self.paper})
        self._context.hub.publish(self._topics[PNL.name], data, ts)
        for throttled in self._throttled.values():
            throttled.offer(data, ts)

    # --- what subscribers begin with -----------------------------------------------------------

    async def ready(self, channel: Channel) -> None:
        """Wait until the snapshot of ``channel`` is known.

        Raises:
            GatewayError: the terminal did not tell.

        """
        match channel.topic:
            case "orders":
                await self._orders.prime()
            case "positions" | "pnl":
                await self._positions.prime()
            case "account" if self._account is None:
                await self._learn_account()

    def snapshot(self, channel: Channel) -> str | None:
        """The state that updates will change, ``None`` where there is none."""
        clock = self._context.broker_clock
        match channel.topic:
            case "orders" if (orders := self._orders.items) is not None:
                return _dump({"orders": [convert.order(o, clock) for o in orders.values()]})
            case "positions" if (positions := self._present()) is not None:
                return _dump({"positions": [convert.position(p, clock) for p in positions]})
            case "pnl" if (positions := self._present()) is not None:
                rows = [_pnl(p.ticket, p.price_current, p.swap, p.profit) for p in positions]
                return _dump({"positions": rows, "paper": self.paper})
            case "account" if self._account is not None:
                return self._account_data(self._account)
        return None

    def knows(self, channel: Channel) -> bool:
        """Whether events of ``channel`` continue from something known."""
        match channel.topic:
            case "orders":
                return self._orders.items is not None
            case "positions" | "pnl":
                return self._positions.items is not None
            case "account":
                return self._account is not None
        return True

    # --- interruptions -------------------------------------------------------------------------

    def new_link(self, broken: GapReason | None) -> None:
        """The terminal is back: what we know may be old, and broken off for some ``reason``."""
        self._discard()
        if broken is not None:
            self._break(broken, None)

    def interrupt(self, reason: GapReason, missed: int | None = None) -> None:
        """Events are lost: copies are out of date, streams begin anew."""
        self._discard()
        self._break(reason, missed)

    def _discard(self) -> None:
        self._orders.discard()
        self._positions.discard()
        self._floating.clear()
        self._account = None
        self._owed = set(self._users)

    def _break(self, reason: GapReason, missed: int | None) -> None:
        for topic in (
            *self._topics.values(),
            *(throttled.topic for throttled in self._throttled.values()),
        ):
            self._context.interrupt(topic, reason, missed)

    async def recover(self) -> None:
        """Learn anew what somebody listens to, and give them a snapshot.

        Raises:
            GatewayError: the terminal did not tell.

        """
        for name in sorted(self._owed):
            channel = Channel(*name.split("."))
            await self.ready(channel)
            self._republish(channel)
            self._owed.discard(name)

    def stop(self) -> None:
        """Cancel what is under way."""
        for query in (self._orders.refresh, self._positions.refresh, self._learn_account):
            query.cancel()
        for throttled in self._throttled.values():
            throttled.stop()

    def _republish(self, channel: Channel) -> None:
        name = channel.name
        topic = self._throttled[name].topic if name in self._throttled else self._topics.get(name)
        data = self.snapshot(channel)
        if topic is not None and data is not None:
            self._context.hub.republish(topic, data, self._context.now_ms())

    def _publish(self, channel: Channel, op: str, noun: str, event: object, ts: int) -> None:
        topic = self._topics[channel.name]
        self._context.hub.publish(topic, _dump({"op": op, noun: event}), ts)

    def _present(self) -> list[Position] | None:
        """The positions with the floating results that came last."""
        positions = self._positions.items
        if positions is None:
            return None
        return [self._float(position) for position in positions.values()]

    def _float(self, position: Position) -> Position:
        row = self._floating.get(position.ticket)
        if row is None:
            return position
        _, price, swap, profit = row
        return replace(position, price_current=price, swap=swap, profit=profit)

    def _account_data(self, account: Account) -> str:
        return _dump(convert.account_info(account, self.platform))

    async def _fetch_orders(self) -> list[Order]:
        return await self._context.ask(ORDERS_GET, FilterParams())

    async def _fetch_positions(self) -> list[Position]:
        return await self._context.ask(POSITIONS_GET, FilterParams())

    async def _fetch_account(self) -> None:
        account = await self._context.ask(ACCOUNT_GET, NoParams())
        if self._account is None:
            self._account = account


def _pnl(ticket: int, price_current: float, swap: float, profit: float) -> PositionPnl:
    return {
        "ticket": ticket,
        "price_current": price_current,
        "swap": swap,
        "profit": profit,
    }


def _dump(data: Any) -> str:
    return orjson.dumps(data).decode()
