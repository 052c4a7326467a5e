"""Terms of one account, the switches of trading, and scripted misbehaviour."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from ea_bridge.model import Account, MarginMode, StopoutMode, TradeRetcode

from .prices import exact

Platform = Literal["mt5", "mt4"]

_DEFAULT_LEVERAGE = 100

MAX_SCRIPTED = 10_000
"""Most requests that a script can plan ahead."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Terms of an account: limits and costs. A limit of 0 means none."""

    platform: Platform = "mt5"
    margin_mode: MarginMode = MarginMode.RETAIL_HEDGING
    leverage: int = 100
    currency: str = "USD"
    currency_digits: int = 2
    commission_per_lot: Decimal = Decimal(0)
    """In the account's currency, for each lot of each side."""
    stopout_mode: StopoutMode = StopoutMode.PERCENT
    margin_call: Decimal = Decimal(100)
    stopout: Decimal = Decimal(50)
    limit_orders: int = 0
    limit_positions: int = 0
    fifo_close: bool = False
    hedging_prohibited: bool = False
    pending_margin_rate: Decimal = Decimal(0)
    """The share of the margin that a pending order reserves; most retail brokers ask nothing."""
    requests_per_second: int = 0

    @property
    def hedging(self) -> bool:
        """Whether each opening order makes a position of its own."""
        return self.platform == "mt4" or self.margin_mode == MarginMode.RETAIL_HEDGING


@dataclass
class Switches:
    """Switches that must be on for a request to be heard; each has its own retcode."""

    connected: bool = True
    """Terminal to broker (10031)."""
    autotrading: bool = True
    """The button in the terminal (10027)."""
    server_autotrading: bool = True
    """The broker allows programs to trade: ``trade_expert`` (10026)."""
    trade_allowed: bool = True
    """The account may trade at all; off for investor passwords (10017)."""


def _planned() -> deque[TradeRetcode]:
    return deque(maxlen=MAX_SCRIPTED)


def _volumes() -> deque[float]:
    return deque(maxlen=MAX_SCRIPTED)


@dataclass
class Script:
    """Script of misbehaviour, request by request, after a request has passed its checks.

    ``broker.script.refusals.extend([TradeRetcode.REQUOTE] * 3)`` requotes the next three.
    """

    refusals: deque[TradeRetcode] = field(default_factory=_planned)
    """Answers for the next requests instead of executing them, one each."""
    delays_ms: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_SCRIPTED))
    """The next market orders are placed (10008) and filled that much later. MetaTrader 5 only:
    a MetaTrader 4 terminal waits for the fill."""
    volumes: deque[float] = field(default_factory=_volumes)
    """Lots that the market offers to the next fills, one entry each; empty: enough for all."""
    most_lots: float | None = None
    """Lots that the market offers to any one fill at most."""
    rewrite_comment: Callable[[str], str] | None = None
    """Function that the broker applies to a comment."""


def terms_of(
    account: Account,
    *,
    platform: Platform = "mt5",
    commission_per_lot: float = 0.0,
    limit_positions: int = 0,
    hedging_prohibited: bool = False,
    pending_margin_rate: float = 0.0,
    requests_per_second: int = 0,
) -> Terms:
    """Return the terms that an account template speaks of, with what it does not tell."""
    # MetaTrader 4 tells no mode, and always hedges
    mode = MarginMode.RETAIL_HEDGING if account.margin_mode is None else account.margin_mode
    digits = 2 if account.currency_digits is None else account.currency_digits
    return Terms(
        platform=platform,
        margin_mode=MarginMode(mode),
        leverage=account.leverage or _DEFAULT_LEVERAGE,
        currency=account.currency or "USD",
        currency_digits=digits,
        commission_per_lot=exact(commission_per_lot),
        stopout_mode=StopoutMode(account.margin_so_mode),
        margin_call=exact(account.margin_so_call),
        stopout=exact(account.margin_so_so),
        limit_orders=account.limit_orders or 0,
        limit_positions=limit_positions,
        fifo_close=bool(account.fifo_close),
        hedging_prohibited=hedging_prohibited,
        pending_margin_rate=exact(pending_margin_rate),
        requests_per_second=requests_per_second,
    )
