"""Registered accounts, their limits, and the risk settings of an owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

AccountType = Literal["USD", "USC"]
CENT = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSettings:
    """Rules for all accounts of an owner, each with its switch; all are off at first."""

    drawdown_check_enabled: bool = False
    max_drawdown_pct: float = 10.0
    """``(balance - equity) / balance`` in percent at which trading stops."""
    position_limit_enabled: bool = False
    max_open_positions: int = 5
    """Of one account."""
    rate_limit_enabled: bool = False
    rate_limit_max_trades: int = 3
    """Of one symbol, within the window."""
    rate_limit_window_hours: float = 4.0
    hedging_allowed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """Limits of an account, by its registration and its owner's risk settings."""

    max_lot: float
    """Lots of one order."""
    risk_pct: float
    """What one order may lose at its stop, as a fraction of the equity: 0.01 is one percent."""
    allowed_symbols: frozenset[str]
    """Empty: all."""
    auto_trade_enabled: bool
    """Off: nothing new is opened by programs."""
    is_live: bool
    """Off: the account was registered as a demo account, and none with real money may trade."""
    hedging_allowed: bool
    """Off: no position against an open one of the same symbol."""
    max_positions: int | None
    """Open at a time; ``None`` for any number."""
    symbol_orders: int | None
    """Trades of one symbol within :attr:`symbol_window_s`; ``None`` for any number."""
    symbol_window_s: float
    max_drawdown_pct: float | None
    """``(balance - equity) / balance`` in percent at which trading stops; ``None``: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be registered; its password lies apart from it."""

    name: str
    broker: str
    login: int
    server: str
    is_live: bool = False
    allowed_symbols: tuple[str, ...] = ()
    max_lot_size: float = 0.1
    risk_pct: float = 0.01
    auto_trade_enabled: bool = True
    paper_trade_enabled: bool = False
    mt5_path: str = ""
    account_type: AccountType = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanges:
    """Changes to an account; what is ``None`` stays."""

    name: str | None = None
    broker: str | None = None
    server: str | None = None
    is_live: bool | None = None
    allowed_symbols: tuple[str, ...] | None = None
    max_lot_size: float | None = None
    risk_pct: float | None = None
    auto_trade_enabled: bool | None = None
    paper_trade_enabled: bool | None = None
    mt5_path: str | None = None
    account_type: AccountType | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAccount(NewAccount):
    """An account that is registered."""

    id: int
    owner: str
    is_active: bool
    """Off: it was deleted, and limits nothing."""
    created_at: int
    """Seconds since 1970."""
    risk: RiskSettings
    """Of its owner."""

    @property
    def limits(self) -> AccountLimits:
        """Limits that its orders are held to."""
        risk = self.risk
        return AccountLimits(
            max_lot=self.max_lot_size,
            risk_pct=self.risk_pct,
            allowed_symbols=frozenset(self.allowed_symbols),
            auto_trade_enabled=self.auto_trade_enabled,
            is_live=self.is_live,
            hedging_allowed=risk.hedging_allowed,
            max_positions=risk.max_open_positions if risk.position_limit_enabled else None,
            symbol_orders=risk.rate_limit_max_trades if risk.rate_limit_enabled else None,
            symbol_window_s=risk.rate_limit_window_hours * 3600,
            max_drawdown_pct=risk.max_drawdown_pct if risk.drawdown_check_enabled else None,
        )

    @property
    def unit(self) -> float:
        """Dollars of one unit of its money: an account in US cents counts hundredths.

        Sums over several accounts are made of these; what is told of one stays in its own money.
        """
        return CENT if self.account_type == "USC" else 1.0
