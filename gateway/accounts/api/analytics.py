"""Operations that sum up what was closed in a month, of one account or of all.

Of one account the money is its own. Sums over all accounts count one that is kept in US cents in
dollars, as all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from gateway.accounts import RegisteredAccount, UnknownAccount

from .models import AccountId, DailyResponse, SummaryResponse
from .operation import AccountsCall, AccountsOperation, Parameter, not_found

PERIOD = (
    Parameter("account_id", AccountId, "Of which account; all if absent."),
    Parameter("year", Annotated[int, Field(ge=1970, le=9998)], "This one if absent."),
    Parameter("month", Annotated[int, Field(ge=1, le=12)], "This one if absent."),
)


@dataclass
class _Sums:
    """Of some closed trades."""

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


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


OPERATIONS = (
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
