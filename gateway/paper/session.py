"""Session on paper, in the place of a terminal's own while its account trades on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from ea_bridge import commands
from ea_bridge.commands import Command, ResultsParams, StoredResult
from ea_bridge.errors import NotSent, Unsupported
from ea_bridge.model import TradeRequest
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import Hello
from ea_bridge.session import DEFAULT_TIMEOUT_S, SessionState
from gateway.storage.store import StoreError
from gateway.trading.journal import PAPER_FP
from gateway.trading.session import TradingSession

from .account import PaperAccount

P = TypeVar("P", bound=Struct)
R = TypeVar("R")

MARKET = frozenset(
    {
        commands.TERMINAL_GET.op,
        commands.CLOCK_GET.op,
        commands.SYMBOLS_GET.op,
        commands.SYMBOL_GET.op,
        commands.SYMBOL_SELECT.op,
        commands.SESSIONS_GET.op,
        commands.TICK_GET.op,
        commands.BOOK_GET.op,
        commands.RATES_GET.op,
        commands.TICKS_GET.op,
        commands.ORDER_CALC_MARGIN.op,
        commands.ORDER_CALC_PROFIT.op,
        commands.WATCH.op,
    }
)
"""All that goes on to the terminal: what is asked of the market, and changes nothing."""
REAL_ONLY = frozenset({"trail", "lease", "login"})
"""Capabilities that there are not on paper: stops are trailed by the EA, at its broker."""


def paper_hello(hello: Hello) -> Hello:
    """Return what a terminal said of itself, as it is on paper."""
    caps = parse_caps(hello.caps) - REAL_ONLY | {"results", commands.SURE_ABSENT}
    if hello.platform == "mt5":
        caps |= {"check", "deals"}
    return replace(hello, fp=PAPER_FP, caps=",".join(sorted(caps)))


class PaperSession:
    """A live terminal whose account trades on paper.

    Args:
        real: the terminal's own session.
        account: its paper account.

    """

    def __init__(self, real: TradingSession, account: PaperAccount) -> None:
        self.real = real
        self.account = account
        self.hello = paper_hello(real.hello)
        self.caps = parse_caps(self.hello.caps)
        self.id = f"paper-{real.id}"
        self._own: dict[str, Callable[[Any], Any]] = {
            commands.ACCOUNT_GET.op: lambda _: account.account(),
            commands.POSITIONS_GET.op: lambda p: account.positions(p.symbol, p.ticket),
            commands.ORDERS_GET.op: lambda p: account.orders(p.symbol, p.ticket),
            commands.HISTORY_ORDERS_GET.op: account.past_orders,
            commands.HISTORY_DEALS_GET.op: account.deals,
        }

    @property
    def terminal(self) -> str:
        """Its name."""
        return self.real.terminal

    @property
    def state(self) -> SessionState:
        """Of the link."""
        return self.real.state

    @property
    def broker(self) -> bool | None:
        """The terminal is connected to its broker, whose prices count."""
        return self.real.broker

    @property
    def autotrading(self) -> bool | None:
        """The terminal's AutoTrading button is on: it stops orders on paper as well."""
        return self.real.autotrading

    @property
    def trade_allowed(self) -> bool | None:
        """On paper always."""
        return True

    @property
    def round_trip_s(self) -> float | None:
        """Of the link."""
        return self.real.round_trip_s

    @property
    def silence_s(self) -> float:
        """Of the link."""
        return self.real.silence_s

    def symbol_of(self, sym: int) -> str:
        """Return the symbol of an index in the terminal's events."""
        return self.real.symbol_of(sym)

    def new_command_id(self) -> int:
        """Return an id that no command ever had, at a terminal or on paper."""
        return self.real.new_command_id()

    async def request(
        self,
        command: Command[P, R],
        params: P,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        ttl_ms: int | None = None,
        before_write: Callable[[], None] | None = None,
        command_id: int | None = None,
        on_written: Callable[[], None] | None = None,
        on_ack: Callable[[], None] | None = None,
    ) -> R:
        """Answer what is about the account, hand on what is about the market, refuse the rest.

        Raises:
            BridgeError: as of :meth:`.PeerSession.request`.

        """
        if command.op in MARKET:
            return await self.real.request(command, params, timeout_s=timeout_s)
        # anything that is neither the market's nor listed here is refused: nothing slips through
        if command.needs and command.needs not in self.caps:
            raise Unsupported(command.op, command.needs)
        if isinstance(params, ResultsParams):
            return cast(R, self._results(params))
        try:
            if isinstance(params, TradeRequest):
                await self.account.learn(self.real, params)
            else:
                await self.account.open(self.real)
        except StoreError as error:
            raise NotSent("the paper account's books cannot be used") from error
        if command.op == commands.ORDER_CHECK.op and isinstance(params, TradeRequest):
            return cast(R, self.account.check(params))
        if command.op == commands.ORDER_SEND.op and isinstance(params, TradeRequest):
            # as the bridge does right before the bytes: the switch, rights and limits as of now
            if before_write is not None:
                before_write()
            for happened in (on_written, on_ack):
                if happened is not None:
                    happened()
            number = self.new_command_id() if command_id is None else command_id
            return cast(R, await self.account.send(number, params))
        answer = self._own.get(command.op)
        if answer is None:
            raise Unsupported(command.op, "paper")
        return cast(R, answer(params))

    def _results(self, params: ResultsParams) -> list[StoredResult]:
        # the paper books keep every result, so absent is sure: it was never carried out
        numbers = [int(number) for number in params.ids.split(",")]
        found = [(number, self.account.result_of(number)) for number in numbers]
        return [
            StoredResult(id=number, state="absent" if result is None else "done", result=result)
            for number, result in found
        ]
