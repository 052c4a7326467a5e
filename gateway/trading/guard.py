"""The one door to a terminal.

Methods ask through a :class:`GuardedTerminal`; nothing else calls ``TerminalSession.request``
for a trade. It tells callers what became of a request in their own words: every error of the
bridge and every refusal of the broker leaves here as a :class:`~gateway.errors.GatewayError` with
``data.outcome`` where it was a trade.

A trade is checked twice: before it is prepared, and again synchronously right before its bytes
are written, so that a token revoked in between stops it, and so does the kill switch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ea_bridge import commands, errors
from ea_bridge.commands import Command
from ea_bridge.model import SUCCESSES, SymbolInfo, TradeRequest, TradeResult, TradeRetcode
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import Facts
from ea_bridge.session import DEFAULT_TIMEOUT_S, SessionState, TerminalSession
from gateway.clock import BrokerClock
from gateway.credentials.tier import Tier
from gateway.daemon import wall_ms
from gateway.errors import (
    AutotradingDisabled,
    BrokerDisconnected,
    GatewayError,
    MethodNotSupported,
    OrderUnresolved,
    RangeTooLarge,
    SymbolNotFound,
    TerminalBusy,
    TerminalDisconnected,
    Timeout,
)
from gateway.shapes.words import Platform

from .deadline import Deadline
from .desk import TradingDesk
from .handling import blame
from .refusals import NOT_EXECUTED, explain, failure, nearest_symbols
from .retcodes import BUSY_RETRY_MS, CHECK_AFTER_MS, Evidence, refusal

SYMBOL_NOT_SELECTED = 4302
UNKNOWN_SYMBOL = 4301

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Sent:
    """A trade that the broker took, and where its milliseconds went."""

    result: TradeResult
    queue_ms: float
    terminal_ms: float


class GuardedTerminal:
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
        now_ms: UTC milliseconds.

    """

    def __init__(
        self,
        name: str,
        *,
        session: Callable[[], TerminalSession | None],
        facts: Callable[[], Facts | None],
        clock: BrokerClock,
        desk: TradingDesk,
        still_allowed: Callable[[Tier], None],
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self.name = name
        self.clock = clock
        self.desk = desk
        self._session = session
        self._facts = facts
        self._still_allowed = still_allowed
        self.now_ms = now_ms

    def require(self, tier: Tier) -> None:
        """See that the caller may go as far as that now.

        Raises:
            AccessDenied: it may not; ``data`` says why, and since when.

        """
        self._still_allowed(tier)

    # --- what is known without asking it -----------------------------------------------------

    @property
    def facts(self) -> Facts | None:
        """What is known of it, also while it is offline; ``None`` if it was never here."""
        return self._facts()

    @property
    def session(self) -> TerminalSession | None:
        """The live link, for its round trip and capabilities; never for requests."""
        return self._session()

    @property
    def hello(self) -> Hello | None:
        """What it said of itself when it came in last."""
        facts = self._facts()
        return None if facts is None else facts.hello

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

    async def select(self, symbol: str, *, enable: bool = True) -> commands.Selected:
        """Put a symbol into Market Watch, or take it out."""
        params = commands.SelectParams(symbol=symbol, enable=enable)
        return await self._ask_finally(commands.SYMBOL_SELECT, params, DEFAULT_TIMEOUT_S)

    async def _ask_finally(self, command: Command[P, R], params: P, timeout_s: float) -> R:
        try:
            return await self._ask(command, params, timeout_s)
        except errors.CommandFailed as failed:
            raise await self._failure(failed, params) from failed

    async def _ask(self, command: Command[P, R], params: P, timeout_s: float) -> R:
        session = self._session()
        if session is None:
            raise self.offline()
        try:
            return await session.request(command, params, timeout_s=timeout_s)
        except errors.CommandFailed:
            raise
        except errors.BridgeError as error:
            raise self._translated(error) from error

    async def _failure(self, failed: errors.CommandFailed, params: Struct) -> GatewayError:
        symbol = getattr(params, "symbol", None)
        if failed.err in (UNKNOWN_SYMBOL, SYMBOL_NOT_SELECTED) and symbol:
            return await self._unknown_symbol(symbol)
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

    # --- trades --------------------------------------------------------------------------------

    async def trade(
        self,
        request: TradeRequest,
        *,
        deadline: Deadline,
        client_order_id: str,
        tier: Tier = Tier.FULL,
    ) -> Sent:
        """Send one trade request, once.

        Args:
            request: what the EA is to do.
            deadline: until when.
            client_order_id: the caller's.
            tier: that it takes: ``REDUCE`` if nothing can be at risk by it that was not before.

        Raises:
            GatewayError: with ``data.outcome``: ``not_sent`` (nothing happened), ``rejected`` (the
                broker said no) or, as :class:`OrderUnresolved`, ``unknown``.

        """
        written_s = deadline.arrived_s

        def before_write() -> None:
            nonlocal written_s
            self._still_allowed(tier)
            self.desk.switch.check(tier)
            deadline.remaining_ms()
            written_s = time.perf_counter()

        try:
            self.check_tradable(tier)
            session = self._session()
            if session is None:
                raise self.offline()
            result = await session.request(
                commands.ORDER_SEND,
                request,
                ttl_ms=deadline.remaining_ms(),
                before_write=before_write,
            )
        except errors.OutcomeUnknown as unknown:
            raise _unresolved(client_order_id, acked=unknown.acked) from unknown
        except errors.CommandFailed as failed:
            if not _was_refused(failed):
                raise _unresolved(client_order_id, acked=True) from failed
            error = await self._trade_failure(failed, request)
            raise blame(error, client_order_id, "rejected") from failed
        except errors.BridgeError as error:
            raise blame(self._translated(error), client_order_id, "not_sent") from error
        except GatewayError as error:
            raise blame(error, client_order_id, "not_sent") from None
        if result.retcode not in SUCCESSES:
            evidence = Evidence(request=request, result=result)
            raise blame(await self._refused(result.retcode, evidence), client_order_id, "rejected")
        done_s = time.perf_counter()
        return Sent(
            result,
            queue_ms=round((written_s - deadline.arrived_s) * 1000, 3),
            terminal_ms=round((done_s - written_s) * 1000, 3),
        )

    def check_tradable(self, tier: Tier = Tier.FULL) -> None:
        """Refuse at once what the terminal has told us that it cannot carry out.

        Raises:
            Unauthorized, Forbidden: the caller's rights have ended, or end before that.
            KillSwitchActive: trading is halted.
            TerminalDisconnected, BrokerDisconnected, AutotradingDisabled: not sent.

        """
        self._still_allowed(tier)
        self.desk.switch.check(tier)
        session = self._session()
        if session is None:
            raise self.offline()
        if session.broker is False:
            raise BrokerDisconnected(terminal=self.name)
        if session.autotrading is False:
            code = TradeRetcode.CLIENT_DISABLES_AT
            unsent = refusal(code, Evidence(request=TradeRequest(action=0)))
            raise AutotradingDisabled(**{**unsent.data, "outcome": "not_sent"})

    async def _trade_failure(
        self, failed: errors.CommandFailed, request: TradeRequest
    ) -> GatewayError:
        if failed.retcode:
            return await self._refused(failed.retcode, Evidence(request=request))
        return await self._failure(failed, request)

    async def _refused(self, retcode: int, evidence: Evidence) -> GatewayError:
        return refusal(retcode, await explain(self._look, retcode, evidence))

    async def _look(self, command: Command[Any, Any], params: Struct) -> Any:
        """Ask for evidence: briefly, and nothing if it does not come."""
        try:
            return await self._ask(command, params, 1.0)
        except (GatewayError, errors.BridgeError):
            return None


def _was_refused(failed: errors.CommandFailed) -> bool:
    """Whether the EA's "no" settles it that the trade did not happen.

    It does not where the EA contradicts itself with the retcode of a success, or where it failed
    without one and may have sent the order before.
    """
    if failed.retcode:
        return failed.retcode not in SUCCESSES
    return failed.err in NOT_EXECUTED


def _unresolved(client_order_id: str, *, acked: bool) -> OrderUnresolved:
    return OrderUnresolved(
        outcome="unknown",
        client_order_id=client_order_id,
        acked=acked,
        check_after_ms=CHECK_AFTER_MS,
    )
