"""Limits of a trading day, as the daemon keeps them, against the books of the broker.

A day begins at midnight of the broker's clock, whatever the clocks of the PC show. Around that
midnight nobody minds: the daemon knows it by quotes, which are some seconds old.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ea_bridge.model import DealType

from .calendar import DAY_S, TradingDays

if TYPE_CHECKING:
    from ea_bridge.simulation.broker import Broker

MAX_ORDERS = 20
"""New orders of a day that are allowed."""
MAX_LOSS = 12.0
"""In the account's currency."""
MARGIN_S = 150.0
"""Around midnight."""
CENT = 0.011
_MOVED = frozenset({DealType.BALANCE, DealType.CREDIT, DealType.CORRECTION, DealType.BONUS})


@dataclass(frozen=True)
class Books:
    """Books of an account at a moment.

    Attributes:
        quoted_msc: of the newest quote.
        loss: of the day, the open positions included.

    """

    quoted_msc: int
    loss: float


def books_at(broker: Broker, broker_s: float, quoted_msc: int) -> Books:
    """Return what the books of an account say when the broker's clock shows that."""
    midnight_s = int(broker_s) // DAY_S * DAY_S
    if broker.terms.platform == "mt4":
        brought = sum(
            one.profit + one.swap + one.commission
            for one in broker.closed_trades()
            if one.order.time_done_msc >= midnight_s * 1000
        )
    else:
        brought = sum(
            one.profit + one.commission + one.swap + one.fee
            for one in broker.history_deals(midnight_s, midnight_s + DAY_S)
            if one.type not in _MOVED
        )
    return Books(quoted_msc, -(brought + broker.account().profit))


class DailyLimits:
    """Limits of one bot: what it was allowed of each day, and what it was refused.

    Args:
        days: of the broker.

    Attributes:
        refused: how often, by the limit.
        renewed: how often a limit was free again on a new day.

    """

    def __init__(self, days: TradingDays) -> None:
        self._days = days
        self._asked: Counter[int] = Counter()
        self._executed: Counter[int] = Counter()
        self._refused_on: dict[str, int] = {}
        self.refused: Counter[str] = Counter()
        self.renewed: Counter[str] = Counter()

    def asked(self, at_s: float) -> None:
        """Note that an order was asked for: on two days, if it is about midnight."""
        for day in {self._days.day(at_s - MARGIN_S), self._days.day(at_s + MARGIN_S)}:
            self._asked[day] += 1

    def executed(self, at_s: float, before: Books, after: Books) -> str:
        """Judge an order that was executed; return what is wrong.

        Args:
            at_s: when the broker has done it.
            before: as it was asked for.
            after: as it was answered; then without the quote of before it proves nothing.

        """
        if self._is_near_midnight(at_s):
            return ""
        day = self._days.day(at_s)
        self._executed[day] += 1
        for rule, refused_on in list(self._refused_on.items()):
            if refused_on < day:
                self.renewed[rule] += 1
                del self._refused_on[rule]
        if self._executed[day] > MAX_ORDERS:
            return f"order {self._executed[day]} of a day was executed, and {MAX_ORDERS} may be"
        if before.quoted_msc == after.quoted_msc and before.loss > MAX_LOSS + CENT:
            return f"an order was executed, and the day had lost {before.loss:.2f}"
        return ""

    def judge_refusal(self, data: dict[str, Any], at_s: float, before: Books, after: Books) -> str:
        """Judge an order that was refused for a limit; return what is wrong."""
        rule, value = str(data.get("rule")), data.get("value")
        self.refused[rule] += 1
        day = self._days.day(at_s)
        if self._is_near_midnight(at_s):
            return ""
        self._refused_on[rule] = day
        if rule == "max_orders_per_day":
            if self._asked[day] > MAX_ORDERS:
                return ""
            return f"refused for {rule}, and {self._asked[day]} were asked for on that day"
        if rule == "max_daily_loss":
            is_so = before.quoted_msc != after.quoted_msc or (
                isinstance(value, (int, float)) and abs(value - before.loss) < CENT
            )
            return "" if is_so else f"refused for a loss of {value}, and it was {before.loss:.2f}"
        return f"refused for {rule}, which nobody has set"

    def _is_near_midnight(self, at_s: float) -> bool:
        return self._days.from_midnight_s(at_s) < MARGIN_S
