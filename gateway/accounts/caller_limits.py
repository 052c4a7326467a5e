"""Limits of a caller: the strictest of the daemon's, the token's and the account's."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import TerminalFacts
from gateway.accounts import RegisteredAccount
from gateway.config import Trading
from gateway.credentials.record import TradeLimits
from gateway.trading.limits import TradingLimits, of_config, of_record, strictest
from gateway.trading.price_grid import exact

MAX_KNOWN = 1024
"""Callers whose limits are remembered: they are asked for with each order."""


class _KnownLimits(NamedTuple):
    """Limits that were put together, and what of: both are made anew when they change."""

    record: TradeLimits | None
    account: RegisteredAccount | None
    limits: TradingLimits


class LimitsBook:
    """The limits of all callers.

    Args:
        trading: what the configuration says.
        of_token: what the record of a token says, by its id.
        registered: the account that a terminal is logged in to, if its owner registered it.

    """

    def __init__(
        self,
        trading: Trading,
        of_token: Callable[[str], TradeLimits],
        registered: Callable[[Hello], RegisteredAccount | None],
    ) -> None:
        self._of_config = of_config(trading)
        self._of_token = of_token
        self._registered = registered
        self._known: dict[tuple[str | None, int | None], _KnownLimits] = {}

    def of(self, facts: TerminalFacts | None, tid: str | None) -> TradingLimits:
        """Return the strictest of all.

        Args:
            facts: of the terminal.
            tid: of the caller's token; ``None`` for what the gateway does by itself.

        """
        record = None if tid is None else self._of_token(tid)
        account = None
        if facts is not None:
            account = self._registered(facts.hello)
        key = (tid, None if account is None else account.id)
        known = self._known.get(key)
        # by identity: both are made anew when they change, and to compare them costs more
        if known is not None and known.record is record and known.account is account:
            return known.limits
        limits = [self._of_config]
        if record is not None:
            limits.append(of_record(record))
        if account is not None:
            limits.append(of_account(account))
        known = _KnownLimits(record, account, strictest(*limits))
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()  # simpler than an order of use, and made again in microseconds
        self._known[key] = known
        return known.limits


def of_account(account: RegisteredAccount) -> TradingLimits:
    """Return the limits of an account, from its registration and its owner's risk settings."""
    given = account.limits
    drawdown = given.max_drawdown_pct
    return TradingLimits(
        auto_trade=given.auto_trade_enabled,
        hedging=given.hedging_allowed,
        live=given.is_live,
        allowed_symbols=given.allowed_symbols or None,
        max_lot=exact(given.max_lot),
        risk_pct=exact(given.risk_pct),
        max_positions=given.max_positions,
        max_symbol_orders=given.symbol_orders,
        symbol_window_s=given.symbol_window_s,
        max_drawdown_pct=None if drawdown is None else exact(drawdown),
    )
