"""The one door to a terminal: questions and trades of one caller.

Nothing else calls ``TerminalSession.request`` for a trade. Every error of the bridge and every
refusal of the broker leaves here as a :class:`~gateway.errors.GatewayError`, with
``data.outcome`` where it was a trade.

Theory of operation of a trade
==============================

An order is never lost and never doubled, because these steps keep their order:

1. Rights, kill switch and link are looked at (:meth:`GuardedTerminal.check_tradable`).
2. The command's id, request and tag are written to the journal, on the disk.
3. Everything that may stop it is looked at again, synchronously, right before its bytes are
   written (:meth:`GuardedTerminal.check_last`): a token revoked in between stops it, and so does
   the kill switch.
4. The bytes are written. From here on a missing answer means *unknown*, never *failed*, and the
   command is never sent again.

=============  =============================================================================
Outcome        Meaning
=============  =============================================================================
``not_sent``   no bytes of it were written, or the EA says that it did not begin, since it
               came too late or could not be noted on its disk: nothing happened
``rejected``   the broker, or the EA before it, surely said no
``unknown``    it may have been executed: :class:`~gateway.errors.OrderUnresolved`; the
               reconciler finds out
=============  =============================================================================

A guarded terminal is shared by all calls of a token. So the stages of one call (when its first
command went to the terminal, and how long it was there) go with its context, :data:`STAGES`. Tasks
that a handler starts inherit it, and count for its call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeVar

from msgspec.structs import replace

from ea_bridge import commands, errors, host
from ea_bridge.commands import Command
from ea_bridge.host import wall_ms
from ea_bridge.model import SUCCESSES, SymbolInfo, TradeRequest, TradeResult, TradeRetcode
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import TerminalFacts
from ea_bridge.session import DEFAULT_TIMEOUT_S, SessionState
from gateway import schemas
from gateway.broker_time.clock import BrokerClock
from gateway.credentials.lease import Tier
from gateway.errors import (
    AutotradingDisabled,
    BrokerDisconnected,
    GatewayError,
    HistoryLoading,
    MethodNotSupported,
    OrderUnresolved,
    RangeTooLarge,
    SymbolNotFound,
    TerminalBusy,
    TerminalDisconnected,
    Timeout,
)
from gateway.schemas.enums import Platform

from .journal import AccountKey, CommandRecord, Journal, Stage
from .limits import TradingLimits
from .requests import PreparedOrder, with_outcome
from .results import (
    BUSY_RETRY_MS,
    CHECK_AFTER_MS,
    NOT_EXECUTED,
    Evidence,
    explain,
    failure,
    is_final,
    is_plausible,
    nearest_symbols,
    refusal,
)
from .session import TradingSession


class Stages:
    """Stages of one call. Times are of :func:`ea_bridge.host.perf_s`."""

    # defaults of the class and no __init__: one is made for each call, and most of what asks the
    # terminal at all asks it once
    asked_s: float | None = None
    """When the first command went out; ``None``: the terminal was asked nothing."""
    terminal_s = 0.0
    """How long at least one command was with the terminal: side by side, the time counts once."""
    _since_s = 0.0
    _under_way = 0

    def asked(self, now_s: float) -> None:
        """Note that a command goes to the terminal."""
        if not self._under_way:
            self._since_s = now_s
            if self.asked_s is None:
                self.asked_s = now_s
        self._under_way += 1

    def answered(self, now_s: float) -> None:
        """Note that a command is over, however it ended."""
        self._under_way -= 1
        if not self._under_way:
            self.terminal_s += now_s - self._since_s


STAGES: ContextVar[Stages] = ContextVar("stages", default=Stages())  # noqa: B039 - nobody reads it
"""Of the call that is being answered. What nobody called for (streams, the reconciler) writes into
the default, or into those of a call that is over: nobody reads them."""


def new_stages() -> Stages:
    """Return the stages of a call that begins in the current context."""
    stages = Stages()
    STAGES.set(stages)
    return stages


def timing_ms(now_s: float, arrived_s: float, stages: Stages | None) -> schemas.CallTiming:
    """Return what a caller is told who wants to know where the milliseconds went."""
    told: schemas.CallTiming = {
        "queue": None,
        "terminal": None,
        "whole": round((now_s - arrived_s) * 1000, 3),
    }
    if stages is not None and stages.asked_s is not None:
        told["queue"] = round((stages.asked_s - arrived_s) * 1000, 3)
        told["terminal"] = round(stages.terminal_s * 1000, 3)
    return told


# MQL's numbers of ERR_MARKET_NOT_SELECTED and ERR_MARKET_UNKNOWN_SYMBOL
SYMBOL_NOT_SELECTED = 4302
UNKNOWN_SYMBOL = 4301
# what a terminal loads from the broker first where nobody has looked at the symbol yet
HISTORY = frozenset({commands.RATES_GET.op, commands.TICKS_GET.op})
LOADING_RETRY_MS = 5000
"""After an answer that did not come in time: the terminal had said that it is loading."""
MAX_TTL_MS = 10_000
"""A terminal that has not begun by then must not: its caller has been told that nobody knows."""

P = TypeVar("P", bound=Struct)
R = TypeVar("R")

logger = logging.getLogger(__name__)


class TradeSwitch(Protocol):
    """The kill switch of one terminal."""

    def check(self, tier: Tier) -> None:
        """Refuse what trading is halted for.

        Raises:
            KillSwitchActive: trading is halted.

        """


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """A trade that the broker took, and where its milliseconds went."""

    result: TradeResult
    queue_ms: float
    terminal_ms: float


class GuardedTerminal:
    """One terminal, as one caller may use it: questions and trades. It keeps nothing of a call.

    Args:
        name: the terminal's, as its token says.
        session: look up the live session; ``None`` while the terminal is offline.
        facts: what the registry knows of the terminal; ``None`` if it was never here.
        clock: the broker's.
        journal: each command is noted there before it is sent.
        switch: may halt trading.
        recheck: raise what the caller shall see if its rights have ended, or do not reach
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
        session: Callable[[], TradingSession | None],
        facts: Callable[[], TerminalFacts | None],
        clock: BrokerClock,
        journal: Journal,
        switch: TradeSwitch,
        recheck: Callable[[Tier], None],
        limits: Callable[[], TradingLimits] = TradingLimits,
        paper: bool = False,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self.name = name
        self.clock = clock
        self.journal = journal
        self.switch = switch
        self._session = session
        self._facts = facts
        self._recheck = recheck
        self.limits = limits
        self.is_paper = paper
        self.now_ms = now_ms
        self._perf_s = host.perf_clock()

    def require(self, tier: Tier) -> None:
        """See that the caller may go as far as that now.

        Raises:
            AccessDenied: it may not; ``data`` says why, and since when.

        """
        self._recheck(tier)

    # --- what is known without asking it -----------------------------------------------------

    @property
    def broker_ms(self) -> int:
        """The broker's clock now; on paper what ours makes of it, as its deals do."""
        utc_ms = self.now_ms()
        if self.is_paper:
            return self.clock.broker_now_ms(utc_ms)
        return self.clock.present_ms(utc_ms, host.boot_ms())

    @property
    def facts(self) -> TerminalFacts | None:
        """The registry's facts, also while it is offline; ``None`` if it was never here."""
        return self._facts()

    @property
    def session(self) -> TradingSession | None:
        """The live link, for its round trip and capabilities; never for requests."""
        return self._session()

    @property
    def hello(self) -> Hello | None:
        """The terminal's own description of when it came in last."""
        facts = self._facts()
        return None if facts is None else facts.hello

    @property
    def account(self) -> AccountKey | None:
        """The account that it is logged in to, or was last; ``None`` if nobody knows."""
        hello = self.hello
        return self.journal.account if hello is None else AccountKey(hello.login, hello.server)

    @property
    def trading_account(self) -> AccountKey | None:
        """The account of whatever the daemon keeps for its orders: on paper it is another one, so
        that a switch lets it rest as the login to another account does.
        """
        return self.trading_account_of(self.account)

    def trading_account_of(self, account: AccountKey | None) -> AccountKey | None:
        """Return the same for an account that was looked up a moment ago."""
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

    def _known(self) -> TerminalFacts:
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
            GatewayError: what else the terminal refused; see :func:`.results.failure`.

        """
        if command.trades:
            raise TypeError("trades go through execute()")
        try:
            return await self._ask(command, params, timeout_s)
        except errors.CommandFailed as failed:
            symbol = getattr(params, "symbol", None)
            # MetaTrader answers for symbols in Market Watch alone
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
        # outside Market Watch a symbol has no quotes: its bid and ask stand at 0
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
            self.check_last(tier)
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
        stages = STAGES.get()
        stages.asked(self._perf_s())
        try:
            return await session.request(
                command, params, timeout_s=timeout_s, before_write=before_write
            )
        except errors.CommandFailed:
            raise
        except errors.CommandTimeout as late:
            # it had said that it works on it: the caller shall come again, and not give up
            if late.busy and command.op in HISTORY:
                raise HistoryLoading(terminal=self.name, retry_after_ms=LOADING_RETRY_MS) from late
            raise self._translated(late) from late
        except errors.BridgeError as error:
            raise self._translated(error) from error
        finally:
            stages.answered(self._perf_s())

    async def _failure(self, failed: errors.CommandFailed, params: Struct) -> GatewayError:
        symbol = getattr(params, "symbol", None)
        if failed.err in (UNKNOWN_SYMBOL, SYMBOL_NOT_SELECTED) and symbol:
            return await self._unknown_symbol(symbol)
        # the EA found the question's time over before it began: as if nobody had answered
        if failed.err == commands.TOO_LATE:
            return Timeout(terminal=self.name)
        return failure(failed, params, terminal=self.name, platform=self.platform)

    async def _unknown_symbol(self, symbol: str) -> SymbolNotFound:
        try:
            # only for the hint in the error, so the caller does not wait long for it
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

    # --- what may stop a trade ---------------------------------------------------------------

    def check_last(self, tier: Tier) -> None:
        """Look once more at what may stop a trade: right before its bytes are written.

        Raises:
            Unauthorized, Forbidden: the caller's rights have ended, or end before that.
            KillSwitchActive: trading is halted.

        """
        self._recheck(tier)
        self.switch.check(tier)

    def check_tradable(self, tier: Tier = Tier.FULL) -> TradingSession:
        """Refuse at once what the terminal has told us that it cannot carry out; return its link.

        Raises:
            Unauthorized, Forbidden: the caller's rights have ended, or end before that.
            KillSwitchActive: trading is halted.
            TerminalDisconnected, BrokerDisconnected, AutotradingDisabled: not sent.

        """
        self.check_last(tier)
        session = self._session()
        if session is None:
            raise self.offline()
        # None: it has not said yet, and a trade is not held up for that
        if session.broker is False:
            raise BrokerDisconnected(terminal=self.name)
        # the terminal would refuse it anyway; said here it costs no round trip, and is surely not
        # sent
        if session.autotrading is False:
            code = TradeRetcode.CLIENT_DISABLES_AT
            unsent = refusal(code, Evidence(request=TradeRequest(action=0)))
            raise AutotradingDisabled(**{**unsent.data, "outcome": "not_sent"})
        return session

    # --- trades ------------------------------------------------------------------------------

    async def execute(self, order: PreparedOrder, *, day: int | None = None) -> ExecutionResult:
        """Send one trade request, once, and note in the journal what becomes of it.

        Args:
            order: its request, with the tier that it takes.
            day: the broker's day for which limits count it, so that the next daemon counts it for
                the same.

        Raises:
            GatewayError: with ``data.outcome``: ``not_sent`` (nothing happened), ``rejected`` (the
                broker said no) or, as :class:`OrderUnresolved`, ``unknown``.

        """
        client_order_id = order.options.client_order_id
        try:
            # this very link is kept: before_write compares it with the one that is there then
            session = self.check_tradable(order.tier)
            send = self._command(session, order, day)
            account = AccountKey(session.hello.login, session.hello.server)
            # on the disk before a byte is written: a crash from here on leaves a row to look for
            await self.journal.begin(account, client_order_id, send)
        except GatewayError as error:
            raise with_outcome(error, client_order_id, "not_sent") from None
        return await self._exchange(session, order, send)

    def _command(
        self, session: TradingSession, order: PreparedOrder, day: int | None
    ) -> CommandRecord:
        context = replace(order.context, day=day)
        # the marks by which the reconciler tells whether an order can be this command's
        if not self.is_paper:
            boot_ms = host.boot_ms()
            context = replace(
                context,
                broker_ms=self.clock.shown_ms(boot_ms),
                least_ms=self.clock.least_ms(boot_ms),
                boot=session.hello.boot,
            )
        return CommandRecord(
            command_id=session.new_command_id(),
            request=order.request,
            context=context,
            fp=session.hello.fp,
            session=session.id,
            # bounded: the EA must not begin with it once the caller was told that nobody knows
            ttl_ms=min(order.options.deadline.remaining_ms(), MAX_TTL_MS),
            adds_risk=order.tier > Tier.REDUCE,
        )

    async def _exchange(
        self, session: TradingSession, order: PreparedOrder, send: CommandRecord
    ) -> ExecutionResult:
        """Write the command, and note in the journal what becomes of it."""
        journal, deadline = self.journal, order.options.deadline
        client_order_id = order.options.client_order_id
        written_s = deadline.arrived_s

        def before_write() -> None:
            # the journal's commit took a while: whatever was looked at before may be stale.
            # No await stands between this and the bytes.
            nonlocal written_s
            self.check_last(order.tier)
            if self._session() is not session:
                raise self.offline()  # another link, or paper trading was switched meanwhile
            deadline.remaining_ms()
            written_s = host.perf_s()

        stages = STAGES.get()
        stages.asked(self._perf_s())
        try:
            result = await session.request(
                commands.ORDER_SEND,
                order.request,
                ttl_ms=min(deadline.remaining_ms(), MAX_TTL_MS),
                before_write=before_write,
                command_id=send.command_id,
                on_written=lambda: journal.written(send),
                on_ack=lambda: journal.acked(send),
            )
        # the bytes are out and no answer came: never failed, and never sent again
        except errors.OutcomeUnknown as lost:
            journal.ended(send, Stage.UNKNOWN)
            raise _unresolved(client_order_id, acked=lost.acked) from lost
        except errors.CommandFailed as failed:
            raise await self._refused_by_ea(order, send, failed) from failed
        # whatever else the bridge raises, it raises before a byte is written
        except errors.BridgeError as error:
            journal.ended(send, Stage.NOT_SENT)
            raise with_outcome(self._translated(error), client_order_id, "not_sent") from error
        except GatewayError as error:
            journal.ended(send, Stage.NOT_SENT)
            raise with_outcome(error, client_order_id, "not_sent") from None
        except BaseException:
            # cancelled, or a fault of ours: the bytes may be out
            journal.ended(send, Stage.UNKNOWN)
            raise
        finally:
            # one look at the clock for both, so that a receipt never tells of more than its call
            stages.answered(answered_s := self._perf_s())
        if result.retcode not in SUCCESSES:
            raise await self._refused_by_broker(order, send, result)
        # told as it is, a success that cannot be true would free the caller to act on it
        if not is_plausible(order.request, result, order.symbol.ask if order.symbol else 0.0):
            self._doubt(order, send, result)
        journal.ended(send, Stage.DONE, result)
        return ExecutionResult(
            result,
            queue_ms=round((written_s - deadline.arrived_s) * 1000, 3),
            terminal_ms=round((answered_s - written_s) * 1000, 3),
        )

    def _doubt(self, order: PreparedOrder, send: CommandRecord, result: TradeResult) -> NoReturn:
        """Take a success that cannot be true for one whose outcome is unknown."""
        logger.error("terminal %s: this cannot be: %r of %r", self.name, result, order.request)
        self.journal.ended(send, Stage.UNKNOWN, retcode=result.retcode)
        raise _unresolved(order.options.client_order_id, acked=True)

    async def _refused_by_ea(
        self, order: PreparedOrder, send: CommandRecord, failed: errors.CommandFailed
    ) -> GatewayError:
        """Return what the caller is told of the EA's "no"."""
        client_order_id = order.options.client_order_id
        if was_never_begun(failed.err, failed.retcode):
            self.journal.ended(send, Stage.NOT_SENT, err=failed.err)
            if failed.err == commands.TOO_LATE:
                return with_outcome(order.options.deadline.exceeded(), client_order_id, "not_sent")
            error = await self.trade_failure(failed, order.request)
            return with_outcome(error, client_order_id, "not_sent")
        # the EA failed after OrderSend may have gone out: the account has to tell
        if not was_refused(failed.err, failed.retcode):
            self.journal.ended(send, Stage.UNKNOWN, err=failed.err, retcode=failed.retcode)
            return _unresolved(client_order_id, acked=True)
        self.journal.ended(send, Stage.REJECTED, err=failed.err, retcode=failed.retcode)
        error = await self.trade_failure(failed, order.request)
        return with_outcome(error, client_order_id, "rejected")

    async def _refused_by_broker(
        self, order: PreparedOrder, send: CommandRecord, result: TradeResult
    ) -> GatewayError:
        """Return what the caller is told of the broker's "no"."""
        # a retcode that is in no table of refusals settles nothing: the account tells
        stage = Stage.REJECTED if is_final(result.retcode) else Stage.UNKNOWN
        self.journal.ended(send, stage, result)
        evidence = Evidence(request=order.request, result=result)
        error = await self.refused(result.retcode, evidence)
        return with_outcome(error, order.options.client_order_id, "rejected")

    async def trade_failure(
        self, failed: errors.CommandFailed, request: TradeRequest
    ) -> GatewayError:
        """Return what a caller sees of the EA's refusal of a trade."""
        # the broker's own word tells more than the number of MQL's error
        if failed.retcode:
            return await self.refused(failed.retcode, Evidence(request=request))
        return await self._failure(failed, request)

    async def refused(self, retcode: int, evidence: Evidence) -> GatewayError:
        """Return what a caller sees of the broker's refusal of a trade."""
        # evidence is asked for after the refusal, so that it costs the trade nothing
        return refusal(retcode, await explain(self._evidence, retcode, evidence))

    async def _evidence(self, command: Command[Any, Any], params: Struct) -> Any:
        """Ask for evidence: briefly, and nothing if it does not come."""
        try:
            return await self._ask(command, params, 1.0)
        except (GatewayError, errors.BridgeError):
            return None


def was_never_begun(err: int, retcode: int) -> bool:
    """Whether the EA's "no" says that it did not begin with a command.

    It looks at the ttl, and notes the command in its table of results, before it begins. The end
    of such a command is ``not_sent``: its id may be used again.
    """
    return not retcode and err in (commands.TOO_LATE, commands.FILE_WRITE_ERROR)


def was_refused(err: int, retcode: int) -> bool:
    """Whether the EA's "no" settles it that the trade did not happen.

    It does not where the retcode is none of a refusal, or is that of a success, or where the EA
    failed without one and may have sent the order before.
    """
    if retcode:
        return is_final(retcode)
    return err in NOT_EXECUTED


def _unresolved(client_order_id: str, *, acked: bool) -> OrderUnresolved:
    return OrderUnresolved(
        outcome="unknown",
        client_order_id=client_order_id,
        acked=acked,
        check_after_ms=CHECK_AFTER_MS,
    )


def unattended(_: Tier) -> None:
    """Allow all: no caller stands behind a terminal whose rights could end."""
