"""What account an emulated terminal has, and how its broker treats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from ea_bridge.model import (
    Account,
    AccountTradeMode,
    MarginMode,
    SymbolExecution,
    TradeRetcode,
)

from .broker import Script
from .logins import OWN_PASSWORD
from .specs import default_account

LOGINS = 1_000_000
_EXECUTIONS = {"market": SymbolExecution.MARKET, "instant": SymbolExecution.INSTANT}


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The account and the broker's terms; what is ``None`` is as the specifications have it."""

    netting: bool = False
    """One position a symbol, instead of hedging."""
    live: bool = False
    """The account says that its money is real."""
    login: int | None = None
    password: str = field(default=OWN_PASSWORD, repr=False)
    balance: float = 10_000.0
    """Of a new account."""
    leverage: int | None = None
    stops_level: int | None = None
    """Points that stops and pending orders must lie away from the market."""
    freeze_level: int | None = None
    """Points around the market in which nothing can be changed."""
    execution: Literal["market", "instant"] | None = None
    """``instant``: at the price of the request, or a requote."""
    requotes: int = 0
    """So many of the next requests are requoted."""
    most_lots: float | None = None
    """What the market offers to one fill at most."""

    def account(self, seed: int) -> Account:
        """Return the template of the account; 0 to 999999 as a seed keep logins apart."""
        template = default_account()
        mode = MarginMode.RETAIL_NETTING if self.netting else MarginMode.RETAIL_HEDGING
        kind = AccountTradeMode.REAL if self.live else AccountTradeMode.DEMO
        return replace(
            template,
            login=self.login or template.login + seed % LOGINS,
            trade_mode=int(kind),
            leverage=self.leverage or template.leverage,
            margin_mode=int(mode),
        )

    @property
    def of_symbols(self) -> Mapping[str, Any]:
        """What is different in each specification."""
        execution = None if self.execution is None else int(_EXECUTIONS[self.execution])
        changes = {
            "trade_stops_level": self.stops_level,
            "trade_freeze_level": self.freeze_level,
            "trade_exemode": execution,
        }
        return {name: value for name, value in changes.items() if value is not None}

    def write(self, script: Script) -> None:
        """Plan what goes wrong at the broker."""
        script.refusals.extend([TradeRetcode.REQUOTE] * self.requotes)
        script.most_lots = self.most_lots


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Where a terminal keeps between runs what it would know of itself."""

    folder: Path
    name: str
    """Of the terminal; another one has other files."""

    @property
    def device(self) -> Path:
        """Which daemon it belongs to."""
        return self._file("device.txt")

    @property
    def results(self) -> Path:
        """What became of its last trades."""
        return self._file("results.txt")

    @property
    def trails(self) -> Path:
        """The stops that follow the market."""
        return self._file("trails.json")

    @property
    def books(self) -> Path:
        """The account at the broker."""
        return self._file("books.db")

    def _file(self, what: str) -> Path:
        return self.folder / f"{self.name}-{what}"
