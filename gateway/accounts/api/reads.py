"""Operations that look at an account: its money, symbols, past, and what was imported of it.

MetaTrader 4 keeps no deals. There a trade is one order from its opening to its close. What
MetaTrader 5 would have kept of it are two deals: one that opened it, and one that closed it and
carries its money. Both have the number of the order, as ``ticket``, ``order`` and ``position_id``.

:data:`ANALYTICS` sum up what was closed in a month, of one account or of all. Of one account the
money is its own. Sums over all accounts count one that is kept in US cents in dollars, as all
others.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from msgspec.structs import asdict
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ea_bridge import commands
from ea_bridge.commands import FilterParams, HistoryParams, NoParams, SymbolsParams
from ea_bridge.model import Deal, DealEntry, DealType, Order, Position
from ea_bridge.model.account import LoginParams
from gateway.accounts import RegisteredAccount, UnknownAccount
from gateway.accounts.history import HOUR_MS, MAX_HOURS, StoredTrade
from gateway.accounts.peers import CredentialsRefused, LoginUntried, PathRefused
from gateway.broker_time.clock import BrokerClock
from gateway.chunks import map_chunks
from gateway.http.rest.models import Problem
from gateway.trading.history import is_closed_trade
from gateway.trading.terminal import GuardedTerminal

from .models import (
    AccountId,
    AccountInfo,
    AccountStats,
    DailyResponse,
    EquityPoint,
    SummaryResponse,
    Symbol,
    TradeResponse,
)
from .models import Deal as DealResponse
from .operation import (
    OFFLINE,
    RETRY,
    AccountsCall,
    AccountsOperation,
    Parameter,
    find_terminal,
    not_found,
    question,
    terminal_of,
)
from .registration import ONE, WRONG_PATH, account_of, log_in

_PATTERN = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z?)?$"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _checked(text: str) -> str:
    try:
        _moment(text)
    except ValueError:
        raise PydanticCustomError(
            "date", "give a date that there is, such as 2026-05-01"
        ) from None
    return text


Date = Annotated[str, Field(pattern=_PATTERN), AfterValidator(_checked)]


def span_of(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    """Return the time between two dates in UTC milliseconds, both included."""
    from_ms = None if first is None else _ms(_moment(first))
    if last is None:
        return from_ms, None
    end = _moment(last)
    is_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", last) is not None
    # the end is included: all of a day, or all of a second
    step = timedelta(days=1) if is_day else timedelta(seconds=1)
    return from_ms, _ms(end) + int(step.total_seconds() * 1000) - 1


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


DAY_MS = 24 * HOUR_MS
AHEAD_MS = DAY_MS
"""The broker's clock may run ahead of ours, and an end in the future costs nothing."""
MAX_DEALS = 20_000
"""In one answer; more are a 502 that says to ask for fewer days."""
Days = Annotated[int, Field(ge=1, le=3650)]
DAYS = Parameter("days", Days, "How far back.", 90)


async def _info(call: AccountsCall) -> dict[str, Any]:
    account = account_of(call)
    terminal = find_terminal(call, account)
    if terminal is not None:
        told = await question(terminal, commands.ACCOUNT_GET, NoParams())
        return {name: getattr(told, name) for name in AccountInfo.model_fields}
    return asdict(await _opened(call, account)) | {"paper": False}


async def _opened(call: AccountsCall, account: RegisteredAccount) -> Any:
    """Log in to an account that no linked terminal is logged in to, with its own password."""
    try:
        password = call.services.book.password(account)
    except UnknownAccount:
        raise not_found() from None
    params = LoginParams(
        login=account.login,
        server=account.server,
        password=password,
        path=account.mt5_path or None,
    )
    try:
        return await log_in(call, params)
    except CredentialsRefused:
        raise Problem(502, "The trade server refuses the stored password; change it") from None
    except PathRefused:
        raise Problem(502, WRONG_PATH) from None
    except LoginUntried:
        raise Problem(503, OFFLINE.format(login=account.login), RETRY) from None


async def _symbols(call: AccountsCall) -> list[str]:
    terminal = terminal_of(call, account_of(call))
    params = SymbolsParams(selected=not call.query["all_symbols"])
    listed = await question(terminal, commands.SYMBOLS_GET, params)
    return sorted(symbol.name for symbol in listed)


async def _history(call: AccountsCall) -> list[dict[str, Any]]:
    terminal = terminal_of(call, account_of(call))
    deals = await _deals(terminal, history_params(call, terminal))
    # refused and not cut: half a history looks like a whole one
    if len(deals) > MAX_DEALS:
        raise Problem(502, f"There are more than {MAX_DEALS} deals; ask for fewer days")
    return await map_chunks(lambda deal: _deal(deal, terminal.clock), deals)


async def _deals(terminal: GuardedTerminal, params: HistoryParams) -> list[Deal]:
    if terminal.can("deals"):
        return await question(terminal, commands.HISTORY_DEALS_GET, params)
    # in this order: what is closed in between must not be in neither
    positions = await question(terminal, commands.POSITIONS_GET, FilterParams())
    past = await question(terminal, commands.HISTORY_ORDERS_GET, params)
    assert params.from_s is not None
    assert params.to_s is not None
    return deals_of(past, positions, params.from_s, params.to_s)


def history_params(call: AccountsCall, terminal: GuardedTerminal) -> HistoryParams:
    """Return the last days of a terminal's past, in its broker's time."""
    now_ms = call.services.now_ms()
    first_ms, last_ms = terminal.clock.stamps(
        now_ms - call.query["days"] * DAY_MS, now_ms + AHEAD_MS
    )
    return HistoryParams(from_s=first_ms // 1000, to_s=last_ms // 1000)


def _deal(one: Deal, clock: BrokerClock) -> dict[str, Any]:
    at_ms = clock.to_utc_ms(one.time_msc or one.time * 1000)
    return asdict(one) | {"time": at_ms // 1000, "time_msc": at_ms}


async def _stats(call: AccountsCall) -> dict[str, Any]:
    account = account_of(call)
    stats = call.services.trades.stats(account.id, paper=account.paper_trade_enabled)
    return {
        "win_rate": round(stats.win_rate, 4),
        "total_pnl": round(stats.total_pnl, 2),
        "trade_count": stats.trade_count,
        "winning_trades": stats.winning_trades,
    }


async def _equity(call: AccountsCall) -> list[dict[str, Any]]:
    account, now_ms = account_of(call), call.services.now_ms()
    samples = call.services.equity.since(
        account.id, now_ms - call.query["hours"] * HOUR_MS, now_ms
    )
    return [
        {"ts": sample.ts_ms, "equity": sample.equity, "balance": sample.balance}
        for sample in samples
    ]


async def _trades(call: AccountsCall) -> list[dict[str, Any]]:
    query = call.query
    try:
        account = call.services.book.get(call.owner, query["account_id"])
    except UnknownAccount:
        raise not_found() from None
    from_ms, to_ms = span_of(query["from_date"], query["to_date"])
    found = call.services.trades.find(
        account.id,
        symbol=query["symbol"],
        from_ms=from_ms,
        to_ms=to_ms,
        is_open=query["is_open"],
        include_paper=query["include_paper"],
        limit=query["limit"],
        offset=query["offset"],
    )
    return [_shown(stored) for stored in found]


def _shown(stored: StoredTrade) -> dict[str, Any]:
    trade = stored.trade
    shown = {field.name: getattr(trade, field.name) for field in fields(trade)}
    del shown["round"]
    opened, closed = shown.pop("opened_ms"), shown.pop("closed_ms")
    return shown | {
        "id": stored.id,
        "account_id": stored.account_id,
        "opened_at": opened,
        "closed_at": closed,
    }


# --- deals on MetaTrader 4 ----------------------------------------------------------------------


_OPPOSITE = {DealType.BUY: DealType.SELL, DealType.SELL: DealType.BUY}


def deals_of(
    past: Iterable[Order], positions: Iterable[Position], from_s: int, to_s: int
) -> list[Deal]:
    """Return the deals within a time, oldest first.

    Args:
        past: the orders that ended within it: closed trades count, deleted orders do not.
        positions: those that are open.
        from_s: seconds of the broker's clock, included.
        to_s: the same.

    """
    closed = {order.ticket: order for order in past if is_closed_trade(order)}
    # one that was closed between the two questions is in both answers
    still_open = [position for position in positions if position.ticket not in closed]
    deals = [
        *map(_opening_deal, still_open),
        *(deal for order in closed.values() for deal in _deals_of_order(order)),
    ]
    within = [deal for deal in deals if from_s <= deal.time <= to_s]
    return sorted(within, key=lambda deal: (deal.time_msc, deal.ticket, deal.entry))


def _opening_deal(position: Position) -> Deal:
    return Deal(
        ticket=position.ticket,
        order=position.ticket,
        position_id=position.ticket,
        time=position.time,
        time_msc=position.time_msc or position.time * 1000,
        type=position.type,
        entry=DealEntry.IN,
        magic=position.magic,
        volume=position.volume,
        price=position.price_open,
        symbol=position.symbol,
        comment=position.comment,
        paper=position.paper,
    )


def _deals_of_order(order: Order) -> Iterator[Deal]:
    def deal(entry: DealEntry, at_s: int, at_msc: int, type_: int, price: float) -> Deal:
        is_out = entry == DealEntry.OUT
        return Deal(
            ticket=order.ticket,
            order=order.ticket,
            position_id=order.ticket,
            time=at_s,
            time_msc=at_msc or at_s * 1000,
            type=type_,
            entry=entry,
            magic=order.magic,
            volume=order.volume_initial,
            price=price,
            commission=(order.commission or 0.0) if is_out else 0.0,
            swap=(order.swap or 0.0) if is_out else 0.0,
            profit=(order.profit or 0.0) if is_out else 0.0,
            symbol=order.symbol,
            comment=order.comment,
            paper=order.paper,
        )

    yield deal(DealEntry.IN, order.time_setup, order.time_setup_msc, order.type, order.price_open)
    way_out = _OPPOSITE[DealType(order.type)]
    yield deal(DealEntry.OUT, order.time_done, order.time_done_msc, way_out, order.price_current)


# --- operations ----------------------------------------------------------------------------------

OPERATIONS = (
    AccountsOperation(
        "get_account_info",
        "GET",
        ONE + "/info",
        "The account's money now: from the terminal that is logged in to it, or by a login.",
        _info,
        AccountInfo,
        errors=(502,),
    ),
    AccountsOperation(
        "list_account_symbols",
        "GET",
        ONE + "/symbols",
        "The names of the symbols in Market Watch, or of all.",
        _symbols,
        list[str],
        query=(Parameter("all_symbols", bool, "Those outside Market Watch too.", False),),
        errors=(502,),
    ),
    AccountsOperation(
        "get_account_stats",
        "GET",
        ONE + "/stats",
        "Of the closed trades that were imported.",
        _stats,
        AccountStats,
    ),
    AccountsOperation(
        "get_account_history",
        "GET",
        ONE + "/history",
        "The deals of the last days, as MetaTrader tells of them; times are UTC.",
        _history,
        list[DealResponse],
        query=(DAYS,),
        errors=(502,),
    ),
    AccountsOperation(
        "get_equity_history",
        "GET",
        ONE + "/equity-history",
        "The account's money in the last hours, sampled each minute while its terminal is linked.",
        _equity,
        list[EquityPoint],
        query=(
            Parameter("hours", Annotated[int, Field(ge=1, le=MAX_HOURS)], "How far back.", 24),
        ),
    ),
    AccountsOperation(
        "list_trades",
        "GET",
        "/api/v1/trades",
        "The trades that were imported, the newest first.",
        _trades,
        list[TradeResponse],
        query=(
            Parameter("account_id", AccountId, "Of which account.", required=True),
            Parameter("symbol", Symbol, "Of one symbol."),
            Parameter("from_date", Date, "Opened then or later: a date, or a time in UTC."),
            Parameter("to_date", Date, "Opened then or earlier; of a date its last moment."),
            Parameter("is_open", bool, "Only open ones, or only those that are not."),
            Parameter("include_paper", bool, "Paper trades too.", False),
            Parameter("limit", Annotated[int, Field(ge=1, le=500)], "At most.", 100),
            Parameter("offset", Annotated[int, Field(ge=0, le=2**53)], "How many to skip.", 0),
        ),
        errors=(404,),
    ),
)


PERIOD = (
    Parameter("account_id", AccountId, "Of which account; all if absent."),
    Parameter("year", Annotated[int, Field(ge=1970, le=9998)], "This one if absent."),
    Parameter("month", Annotated[int, Field(ge=1, le=12)], "This one if absent."),
)


@dataclass
class _Sums:
    """Profits of some closed trades, with their sum and win rate."""

    profits: list[float] = field(default_factory=list)

    @property
    def pnl(self) -> float:
        return round(sum(self.profits), 2)

    @property
    def won(self) -> list[float]:
        return [profit for profit in self.profits if profit > 0]

    @property
    def lost(self) -> list[float]:
        return [profit for profit in self.profits if profit < 0]

    @property
    def win_rate(self) -> float:
        return round(len(self.won) / len(self.profits), 3) if self.profits else 0.0


def _accounts(call: AccountsCall) -> tuple[list[RegisteredAccount], bool]:
    """Return the accounts that are asked for, and whether their money is to be added up."""
    account_id = call.query["account_id"]
    if account_id is None:
        return call.services.book.of(call.owner), True
    try:
        return [call.services.book.get(call.owner, account_id)], False
    except UnknownAccount:
        raise not_found() from None


def _month(call: AccountsCall) -> tuple[int, int]:
    now = datetime.fromtimestamp(call.services.now_ms() / 1000, UTC)
    return call.query["year"] or now.year, call.query["month"] or now.month


def _by_day(call: AccountsCall) -> dict[str, _Sums]:
    """Return the sums of each day of the month on which something was closed, in UTC."""
    (year, month), (accounts, is_sum) = _month(call), _accounts(call)
    start = datetime(year, month, 1, tzinfo=UTC)
    # the first of the next month: after month 12 comes month 1 of the next year
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    found: dict[str, _Sums] = defaultdict(_Sums)
    for account in accounts:
        unit = account.unit if is_sum else 1.0
        for closed_ms, profit in call.services.trades.closed(
            account.id, _ms(start), _ms(end), paper=account.paper_trade_enabled
        ):
            day = datetime.fromtimestamp(closed_ms / 1000, UTC).date().isoformat()
            found[day].profits.append(profit * unit)
    return dict(sorted(found.items()))


async def _summary(call: AccountsCall) -> dict[str, Any]:
    days = _by_day(call)
    all_of_them = _Sums([profit for day in days.values() for profit in day.profits])
    won, lost = all_of_them.won, all_of_them.lost
    year, month = _month(call)
    return {
        "year": year,
        "month": month,
        "total_trades": len(all_of_them.profits),
        "winning_trades": len(won),
        "losing_trades": len(lost),
        "win_rate": all_of_them.win_rate,
        "total_pnl": all_of_them.pnl,
        "avg_win": _average(won),
        "avg_loss": _average(lost),
        "profit_factor": round(sum(won) / -sum(lost), 2) if lost else None,
        "best_day": max(days, key=lambda day: days[day].pnl, default=None),
        "worst_day": min(days, key=lambda day: days[day].pnl, default=None),
    }


async def _daily(call: AccountsCall) -> dict[str, Any]:
    entries = {
        day: {"pnl": sums.pnl, "trades": len(sums.profits), "win_rate": sums.win_rate}
        for day, sums in _by_day(call).items()
    }
    return {"entries": entries}


def _average(profits: Iterable[float]) -> float:
    listed = list(profits)
    return round(sum(listed) / len(listed), 2) if listed else 0.0


ANALYTICS = (
    AccountsOperation(
        "get_monthly_summary",
        "GET",
        "/api/v1/analytics/summary",
        "What was closed in a month; sums over all accounts are in dollars.",
        _summary,
        SummaryResponse,
        query=PERIOD,
        errors=(404,),
    ),
    AccountsOperation(
        "get_daily_results",
        "GET",
        "/api/v1/analytics/daily",
        "The same for each day on which something was closed, by UTC.",
        _daily,
        DailyResponse,
        query=PERIOD,
        errors=(404,),
    ),
)
