"""Operations that import what became of an account's trades; each may be done again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ea_bridge import commands
from ea_bridge.commands import FilterParams, HistoryParams
from ea_bridge.model import BUYS, Order, OrderState, OrderType, Position
from gateway import schemas as shapes
from gateway.accounts import RegisteredAccount
from gateway.accounts.history import AccountTrade, OrderKind, Saved
from gateway.broker_time.clock import BrokerClock
from gateway.chunks import map_chunks
from gateway.credentials.lease import Tier
from gateway.http.rest.models import Problem
from gateway.storage.store import StoreError
from gateway.trading.history import (
    GATHER,
    ClosedPosition,
    ClosedPositions,
    closed_positions,
    closed_trade,
    fetch_history,
    history_position,
    is_closed_trade,
    position_deals,
)
from gateway.trading.terminal import GuardedTerminal

from .models import FullSync, HistorySync, OrdersSync, SyncAll
from .operation import AccountsCall, AccountsOperation, explained, question, terminal_of
from .reads import DAYS, history_params
from .registration import ACCOUNTS, ONE, account_of

PAST_COUNT = 1000
"""Closed positions that are asked for at first; then for twice as many, and so on."""
_KINDS: dict[int, OrderKind] = {
    OrderType.BUY_LIMIT: "limit",
    OrderType.SELL_LIMIT: "limit",
    OrderType.BUY_STOP: "stop",
    OrderType.SELL_STOP: "stop",
    OrderType.BUY_STOP_LIMIT: "stop",
    OrderType.SELL_STOP_LIMIT: "stop",
}
_CANCELLED = frozenset({OrderState.CANCELED, OrderState.REJECTED})


@dataclass(frozen=True)
class Open:
    """Trades that were open and have changed, and how many of each kind."""

    changed: list[AccountTrade]
    checked: int = 0
    closed: int = 0
    cancelled: int = 0
    expired: int = 0

    @property
    def unchanged(self) -> int:
        """Number of those still open, or of which the terminal knows nothing yet."""
        return self.checked - self.closed - self.cancelled - self.expired


@dataclass(frozen=True)
class Past:
    """Trades that are over, as a terminal tells of its past."""

    trades: list[AccountTrade]
    fetched: int


class Reader:
    """Reader of the trades of one account from its terminal."""

    def __init__(self, account: RegisteredAccount, terminal: GuardedTerminal) -> None:
        self.account = account
        self._terminal = terminal

    async def past(self, params: HistoryParams) -> Past:
        """Return the trades that ended within a time."""
        assert params.from_s is not None
        assert params.to_s is not None
        trades: list[AccountTrade] = []
        with explained():
            if not self._terminal.can("deals"):
                span = params.from_s, params.to_s
                past = fetch_history(self._terminal, commands.HISTORY_ORDERS_GET, *span)
                async for orders in past:
                    closed = [order for order in orders if is_closed_trade(order)]
                    trades += await map_chunks(self._closed_trade, closed)
                return Past(trades, len(trades))
            reader = ClosedPositions(self._terminal, params.from_s, params.to_s, PAST_COUNT)
            while not reader.is_over:
                trades += await map_chunks(self._round_trip, await reader.read())
        return Past(trades, reader.fetched)

    async def present(self) -> list[AccountTrade]:
        """Return the open positions and the pending orders."""
        positions, orders = await asyncio.gather(
            question(self._terminal, commands.POSITIONS_GET, FilterParams()),
            question(self._terminal, commands.ORDERS_GET, FilterParams()),
        )
        return [*map(self._position, positions), *map(self._order, orders)]

    async def follow(self, known: Sequence[AccountTrade], present: Iterable[AccountTrade]) -> Open:
        """Find out how trades that were open or pending have gone on."""
        here = {(trade.ticket, trade.order_status) for trade in present}
        filled = {trade.ticket for trade in present if trade.order_status == "filled"}
        gone = [trade for trade in known if (trade.ticket, trade.order_status) not in here]
        over = await self._over([trade.ticket for trade in gone if trade.ticket not in filled])
        ended = {(trade.ticket, trade.round): trade for trade in over}
        changed: list[AccountTrade] = []
        counts = {"closed": 0, "cancelled": 0, "expired": 0}
        unsettled = []
        for trade in gone:
            if trade.ticket in filled:
                continue  # a pending order that has become a position
            end = ended.get((trade.ticket, trade.round))
            if end is not None:
                changed.append(replace(end, order_type=trade.order_type))
                counts["closed"] += 1
            elif trade.order_status == "pending":
                unsettled.append(trade)
        for trade in await self._ended_orders(unsettled):
            changed.append(trade)
            counts[trade.order_status] += 1
        return Open(changed, checked=len(known), **counts)

    async def _ended_orders(self, pending: Sequence[AccountTrade]) -> list[AccountTrade]:
        """Return those of some orders that were cancelled or have expired."""
        found = []
        # a terminal answers one after the other: orders wait behind what is asked at once
        for start in range(0, len(pending), GATHER):
            group = pending[start : start + GATHER]
            answers = await asyncio.gather(*(self._past_order(trade.ticket) for trade in group))
            for trade, order in zip(group, answers, strict=True):
                if order is None:
                    continue
                done = self._utc(order.time_done_msc or order.time_done * 1000)
                if order.state == OrderState.EXPIRED:
                    found.append(replace(trade, order_status="expired", closed_ms=done))
                elif order.state in _CANCELLED:
                    found.append(replace(trade, order_status="cancelled", closed_ms=done))
        return found

    async def _past_order(self, ticket: int) -> Order | None:
        params = HistoryParams(ticket=ticket)
        orders = await question(self._terminal, commands.HISTORY_ORDERS_GET, params)
        return next((order for order in orders if order.ticket == ticket), None)

    async def _over(self, numbers: Sequence[int]) -> list[AccountTrade]:
        """Return the ends of positions, of each of their ways; open ones have none."""
        if not self._terminal.can("deals"):
            orders = [await self._past_order(number) for number in numbers]
            trades = [order for order in orders if order is not None and is_closed_trade(order)]
            return [self._closed_trade(order) for order in trades]
        found = []
        with explained():
            async for _, deals in position_deals(self._terminal, numbers):
                found += [self._round_trip(closed) for closed in closed_positions(deals)]
        return found

    # --- shapes --------------------------------------------------------------------------------

    @property
    def _clock(self) -> BrokerClock:
        return self._terminal.clock

    def _utc(self, broker_ms: int) -> int | None:
        return self._clock.to_utc_ms(broker_ms) if broker_ms else None

    def _closed_trade(self, order: Order) -> AccountTrade:
        return self._closed(closed_trade(order, self._clock))

    def _round_trip(self, closed: ClosedPosition) -> AccountTrade:
        return self._closed(history_position(closed.trip, self._clock), closed.number)

    def _closed(self, one: shapes.HistoryPosition, number: int = 0) -> AccountTrade:
        money = (one["profit"], one["commission"], one["swap"], one["fee"])
        return AccountTrade(
            ticket=one["position_id"],
            round=number,
            symbol=one["symbol"],
            direction="BUY" if one["type"] == "buy" else "SELL",
            volume=one["volume"],
            entry_price=one["price_open"],
            close_price=one["price_close"],
            profit=round(sum(amount for amount in money if amount is not None), 8),
            opened_ms=one["time"],
            closed_ms=one["time_close"],
            is_paper_trade=self._terminal.is_paper,
        )

    def _position(self, one: Position) -> AccountTrade:
        return AccountTrade(
            ticket=one.identifier or one.ticket,
            symbol=one.symbol,
            direction="BUY" if one.type == OrderType.BUY else "SELL",
            volume=one.volume,
            entry_price=one.price_open,
            stop_loss=one.sl or None,
            take_profit=one.tp or None,
            opened_ms=self._utc(one.time_msc or one.time * 1000),
            is_paper_trade=self._terminal.is_paper,
        )

    def _order(self, one: Order) -> AccountTrade:
        return AccountTrade(
            ticket=one.ticket,
            symbol=one.symbol,
            direction="BUY" if one.type in BUYS else "SELL",
            order_type=_KINDS.get(one.type, "market"),
            order_status="pending",
            volume=one.volume_current or one.volume_initial,
            entry_price=one.price_open or None,
            stop_loss=one.sl or None,
            take_profit=one.tp or None,
            opened_ms=self._utc(one.time_setup_msc or one.time_setup * 1000),
            is_paper_trade=self._terminal.is_paper,
        )


async def _import(call: AccountsCall, account: RegisteredAccount) -> tuple[Saved, int]:
    """Import the past of an account; return what was new, and how much was told."""
    terminal = terminal_of(call, account)
    past = await Reader(account, terminal).past(history_params(call, terminal))
    return await call.services.trades.save(account.id, past.trades), past.fetched


async def _history_sync(call: AccountsCall) -> dict[str, int]:
    saved, fetched = await _import(call, account_of(call))
    return {"imported": saved.imported, "updated": saved.updated, "total_fetched": fetched}


async def _orders_sync(call: AccountsCall) -> dict[str, int]:
    account = account_of(call)
    reader = Reader(account, terminal_of(call, account))
    known = call.services.trades.unfinished(account.id)
    gone_on = await reader.follow(known, await reader.present())
    await call.services.trades.save(account.id, gone_on.changed)
    return {
        "total_checked": gone_on.checked,
        "positions_closed": gone_on.closed,
        "orders_cancelled": gone_on.cancelled + gone_on.expired,
        "unchanged": gone_on.unchanged,
    }


async def _full_sync(call: AccountsCall) -> dict[str, int]:
    account, trades = account_of(call), call.services.trades
    terminal = terminal_of(call, account)
    reader = Reader(account, terminal)
    # known before present: a trade that begins in between is new, and not one that is gone
    known, present = trades.unfinished(account.id), await reader.present()
    gone_on = await reader.follow(known, present)
    # saved at once: the past may take long, and what fails there must not cost this
    await trades.save(account.id, gone_on.changed)
    past = await reader.past(history_params(call, terminal))
    saved = await trades.save(account.id, [*past.trades, *present])
    return {
        "positions_closed": gone_on.closed,
        "orders_expired": gone_on.expired,
        "orders_cancelled": gone_on.cancelled,
        "unchanged": gone_on.unchanged,
        "newly_imported": saved.imported,
        "updated": saved.updated,
        "total_checked": gone_on.checked,
    }


async def _sync_all(call: AccountsCall) -> SyncAll:
    imported = updated = fetched = synced = 0
    errors: list[str] = []
    for account in call.services.book.of(call.owner):
        try:
            saved, told = await _import(call, account)
        # one account's terminal may be off: the others are imported all the same
        except Problem as problem:
            errors.append(f"Account {account.id} ({account.name}): {problem.detail}")
        except StoreError:
            errors.append(f"Account {account.id} ({account.name}): could not be written")
        else:
            imported, updated = imported + saved.imported, updated + saved.updated
            fetched, synced = fetched + told, synced + 1
    return SyncAll(
        imported=imported,
        updated=updated,
        total_fetched=fetched,
        accounts_synced=synced,
        errors=errors,
    )


OPERATIONS = (
    AccountsOperation(
        "sync_history",
        "POST",
        ONE + "/history/sync",
        "Import the trades that were closed in the last days.",
        _history_sync,
        HistorySync,
        query=(DAYS,),
        errors=(502,),
        tier=Tier.READ,
    ),
    AccountsOperation(
        "sync_orders",
        "POST",
        ONE + "/sync-orders",
        "See how imported positions and orders that were open have gone on.",
        _orders_sync,
        OrdersSync,
        errors=(502,),
        tier=Tier.READ,
    ),
    AccountsOperation(
        "sync_account",
        "POST",
        ONE + "/sync",
        "Do both, and import what is open now.",
        _full_sync,
        FullSync,
        query=(DAYS,),
        errors=(502,),
        tier=Tier.READ,
    ),
    AccountsOperation(
        "sync_all_accounts",
        "POST",
        ACCOUNTS + "/sync-all",
        "Import the closed trades of all accounts; one that fails harms no other.",
        _sync_all,
        SyncAll,
        query=(DAYS,),
        tier=Tier.READ,
    ),
)
