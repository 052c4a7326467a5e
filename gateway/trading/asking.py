"""A terminal as one caller may ask it: what is known of it, and questions.

Every error of the bridge leaves here as a :class:`~gateway.errors.GatewayError`. Trades are the
business of :mod:`.guard`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ea_bridge import commands, errors, host
from ea_bridge.commands import Command
from ea_bridge.host import wall_ms
from ea_bridge.model import SymbolInfo
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import Facts
from ea_bridge.session import DEFAULT_TIMEOUT_S, SessionState
from gateway.broker_time.clock import BrokerClock
from gateway.credentials.tier import Tier
from gateway.errors import (
    GatewayError,
    HistoryLoading,
    MethodNotSupported,
    RangeTooLarge,
    SymbolNotFound,
    TerminalBusy,
    TerminalDisconnected,
    Timeout,
)
from gateway.schemas.enums import Platform

from .desk import TradingDesk
from .journal import Account
from .refusals import failure, nearest_symbols
from .retcodes import BUSY_RETRY_MS
from .risk.limits import Limits
from .session import Session

SYMBOL_NOT_SELECTED = 4302
UNKNOWN_SYMBOL = 4301
HISTORY = frozenset({commands.RATES_GET.op, commands.TICKS_GET.op})
LOADING_RETRY_MS = 5000
"""After an answer that did not come in time: the terminal had said that it is loading."""

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


class AskedTerminal:
    """One terminal, as one caller may use it. Cheap: make one a call.

    Args:
        name: the terminal's, as its token says.
        session: look up the live session; ``None`` while the terminal is offline.
        facts: what the registry knows of the terminal; ``None`` if it was never here.
        clock: the broker's.
        desk: what all callers of the terminal share.
        still_allowed: raise what the caller shall see if its rights have ended, or do not reach
            as far as the tier that is asked for; called before a trade is prepared and right
            before its bytes are written.
        limits: what the caller may do to the market now; by default there are no limits.
        paper: whether its trades are carried out on paper. That is settled when this is made:
            what was prepared for one broker never goes to the other.
        now_ms: UTC milliseconds.

    """

    def __init__(
        self,
        name: str,
        *,
        session: Callable[[], Session | None],
        facts: Callable[[], Facts | None],
        clock: BrokerClock,
        desk: TradingDesk,
        still_allowed: Callable[[Tier], None],
        limits: Callable[[], Limits] = Limits,
        paper: bool = False,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self.name = name
        self.clock = clock
        self.desk = desk
        self._session = session
        self._facts = facts
        self._still_allowed = still_allowed
        self.limits = limits
        self.is_paper = paper
        self.now_ms = now_ms

    def require(self, tier: Tier) -> None:
        """See that the caller may go as far as that now.

        Raises:
            AccessDenied: it may not; ``data`` says why, and since when.

        """
        self._still_allowed(tier)

    # --- what is known without asking it -----------------------------------------------------

    @property
    def broker_ms(self) -> int:
        """What the broker's clock shows now; on paper what ours makes of it, as its deals do."""
        utc_ms = self.now_ms()
        if self.is_paper:
            return self.clock.broker_now_ms(utc_ms)
        return self.clock.present_ms(utc_ms, host.boot_ms())

    @property
    def facts(self) -> Facts | None:
        """What is known of it, also while it is offline; ``None`` if it was never here."""
        return self._facts()

    @property
    def session(self) -> Session | None:
        """The live link, for its round trip and capabilities; never for requests."""
        return self._session()

    @property
    def hello(self) -> Hello | None:
        """What it said of itself when it came in last."""
        facts = self._facts()
        return None if facts is None else facts.hello

    @property
    def account(self) -> Account | None:
        """The account that it is logged in to, or was last; ``None`` if nobody knows."""
        hello = self.hello
        return self.desk.journal.account if hello is None else Account(hello.login, hello.server)

    @property
    def side(self) -> Account | None:
        """The account of whatever the daemon keeps for its orders: on paper it is another one, so
        that a switch lets it rest as the login to another account does.
        """
        account = self.account
        return account.on_paper if account is not None and self.is_paper else account

    @property
    def platform(self) -> Platform:
        """``mt4`` or ``mt5``.

        Raises:
            TerminalDisconnected: it was never here, so that nobody knows.

        """
        return "mt4" if self._known().hello.platform == "mt4" else "mt5"

    @property
    def is_mt4(self) -> bool:
        """Whether it is known to be a MetaTrader 4; never raises."""
        hello = self.hello
        return hello is not None and hello.platform == "mt4"

    def can(self, capability: str) -> bool:
        """Whether it said that it has a capability (``hello.caps``)."""
        hello = self.hello
        return hello is not None and capability in parse_caps(hello.caps)

    @property
    def state(self) -> SessionState:
        """Ready, stale or disconnected."""
        session = self._session()
        return SessionState.DISCONNECTED if session is None else session.state

    @property
    def round_trip_ms(self) -> float | None:
        """Of the last heartbeat; ``None`` while it is offline."""
        session = self._session()
        seconds = None if session is None else session.round_trip_s
        return None if seconds is None else round(seconds * 1000, 3)

    def offline(self) -> TerminalDisconnected:
        """Return the error that says so."""
        facts = self._facts()
        since = None if facts is None else facts.since_ms
        return TerminalDisconnected(terminal=self.name, since=since)

    def not_supported(self, capability: str) -> MethodNotSupported:
        """Return the error of a terminal that lacks a capability."""
        return MethodNotSupported(
            f"This terminal cannot do that: it lacks {capability}",
            terminal=self.name,
            platform=self.platform,
            capability=capability,
        )

    def _known(self) -> Facts:
        facts = self._facts()
        if facts is None:
            raise self.offline()
        return facts

    # --- questions ---------------------------------------------------------------------------

    async def request(
        self,
        command: Command[P, R],
        params: P,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> R:
        """Ask a question; a symbol outside Market Watch is put into it first.

        Raises:
            TerminalDisconnected, TerminalBusy, Timeout: asking again is safe.
            MethodNotSupported: the terminal lacks the capability.
            RangeTooLarge: the answer would be over the limit.
            SymbolNotFound: ``data.did_you_mean`` names what comes close.
            GatewayError: what else the terminal refused; see :func:`.refusals.failure`.

        """
        if command.trades:
            raise TypeError("trades go through trade()")
        try:
            return await self._ask(command, params, timeout_s)
        except errors.CommandFailed as failed:
            symbol = getattr(params, "symbol", None)
            if failed.err == SYMBOL_NOT_SELECTED and symbol and command.op != "symbol_select":
                await self.select(symbol)
                return await self._ask_finally(command, params, timeout_s)
            raise await self._failure(failed, params) from failed

    async def symbol(self, name: str) -> SymbolInfo:
        """Return what the terminal knows of a symbol, selected in Market Watch.

        Raises:
            SymbolNotFound: the broker has no such symbol.

        """
        info = await self.request(commands.SYMBOL_GET, commands.SymbolParams(symbol=name))
        if info.select:
            return info
        await self.select(name)
        return await self.request(commands.SYMBOL_GET, commands.SymbolParams(symbol=name))

    async def instruct(self, command: Command[P, R], params: P, tier: Tier) -> R:
        """Tell the terminal what to do by itself from now on.

        The caller's rights and the kill switch are looked at right before the bytes are written,
        as with a trade. Saying it again is safe.

        Raises:
            GatewayError: as of :meth:`request`; and :class:`Unauthorized`, :class:`Forbidden` or
                :class:`KillSwitchActive`.

        """

        def before_write() -> None:
            self._still_allowed(tier)
            self.desk.switch.check(tier)
            if self._session() is None:
                raise self.offline()  # paper trading was switched on a moment ago

        try:
            return await self._ask(command, params, DEFAULT_TIMEOUT_S, before_write)
        except errors.CommandFailed as failed:
            raise await self._failure(failed, params) from failed

    async def select(self, symbol: str, *, enable: bool = True) -> commands.Selected:
        """Put a symbol into Market Watch, or take it out."""
        params = commands.SelectParams(symbol=symbol, enable=enable)
        return await self._ask_finally(commands.SYMBOL_SELECT, params, DEFAULT_TIMEOUT_S)

    async def _ask_finally(self, command: Command[P, R], params: P, timeout_s: float) -> R:
        try:
            return await self._ask(command, params, timeout_s)
        except errors.CommandFailed as failed:
            raise await self._failure(failed, params) from failed

    async def _ask(
        self,
        command: Command[P, R],
        params: P,
        timeout_s: float,
        before_write: Callable[[], None] | None = None,
    ) -> R:
        session = self._session()
        if session is None:
            raise self.offline()
        try:
            return await session.request(
                command, params, timeout_s=timeout_s, before_write=before_write
            )
        except errors.CommandFailed:
            raise
        except errors.CommandTimeout as late:
            if late.busy and command.op in HISTORY:
                raise HistoryLoading(terminal=self.name, retry_after_ms=LOADING_RETRY_MS) from late
            raise self._translated(late) from late
        except errors.BridgeError as error:
            raise self._translated(error) from error

    async def _failure(self, failed: errors.CommandFailed, params: Struct) -> GatewayError:
        symbol = getattr(params, "symbol", None)
        if failed.err in (UNKNOWN_SYMBOL, SYMBOL_NOT_SELECTED) and symbol:
            return await self._unknown_symbol(symbol)
        if failed.err == commands.TOO_LATE:
            return Timeout(terminal=self.name)
        return failure(failed, params, terminal=self.name, platform=self.platform)

    async def _unknown_symbol(self, symbol: str) -> SymbolNotFound:
        try:
            listed = await self._ask(commands.SYMBOLS_GET, commands.SymbolsParams(), 2.0)
        except (GatewayError, errors.BridgeError):
            listed = []
        near = nearest_symbols(symbol, [entry.name for entry in listed])
        return SymbolNotFound(symbol=symbol, **near)

    def _translated(self, error: errors.BridgeError) -> GatewayError:
        match error:
            case errors.TerminalBusy():
                return TerminalBusy(terminal=self.name, retry_after_ms=BUSY_RETRY_MS)
            case errors.Unsupported():
                return self.not_supported(error.capability)
            case errors.CommandTimeout():
                return Timeout(terminal=self.name, timeout_ms=round(error.timeout_s * 1000))
            case errors.ResultTooLarge():
                return RangeTooLarge(limit_bytes=error.limit)
            case _:
                return self.offline()
