"""What the accounts API answers from; wired once, where the daemon is put together."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ea_bridge.host import wall_ms
from gateway.accounts import AccountBook
from gateway.accounts.equity import EquityBook
from gateway.accounts.peers import Peers
from gateway.accounts.switch_log import SwitchLog
from gateway.accounts.trades import TradeBook
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.credentials.tier import Tier

if TYPE_CHECKING:
    from gateway.trading.kill_switch.switch import KillSwitch
    from gateway.trading.terminal import GuardedTerminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts."""

    book: AccountBook
    peers: Peers
    trades: TradeBook
    equity: EquityBook
    switch: KillSwitch
    switch_log: SwitchLog
    audit: Audit
    terminal: Callable[[Caller, str], GuardedTerminal]
    """A terminal by its name, as a caller may use it."""
    owner_of: Callable[[str], str]
    """Whose a token is, by its id; empty where the home makes its own."""
    terminals_of: Callable[[str], Collection[str]]
    """Names of an owner's terminals, with that for all (empty) where there are no owners."""
    recheck: Callable[[Caller, Tier], None]
    """Raises ``AccessDenied`` where a caller's rights have ended, or do not reach that far now."""
    now_ms: Callable[[], int] = wall_ms
