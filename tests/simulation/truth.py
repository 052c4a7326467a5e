"""What a broker has executed, request by request, and by whose command."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import (
    SUCCESSES,
    OrderReason,
    PositionType,
    TradeAction,
    TradeRequest,
    TradeResult,
)
from ea_bridge.protocol.messages import Cmd, Res
from ea_bridge.simulation.broker import Broker
from gateway.trading.requests import TAG_LENGTH

TAGGED = frozenset({TradeAction.DEAL, TradeAction.PENDING, TradeAction.CLOSE_BY})
"""What carries the tag of its own id in the comment; any other carries that of what it changes."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A request that the broker has carried out."""

    request: TradeRequest
    result: TradeResult
    command: int | None
    """The id of the command; ``None``: the terminal did it by itself."""
    at_msc: int
    """By the broker's clock."""


class Truth:
    """All that a broker has executed. It hears each comment before it rewrites it.

    Args:
        broker: whose.

    """

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.tagged: defaultdict[str, list[Executed]] = defaultdict(list)
        """By the tag in the comment."""
        self.commands: defaultdict[int, list[Executed]] = defaultdict(list)
        """By the id of the command."""
        self.changes: defaultdict[int, list[Executed]] = defaultdict(list)
        """Changes of what is there, by its ticket."""
        self.makers: dict[int, Executed] = {}
        """What has made an order, by its ticket."""
        self.own: list[Executed] = []
        """What a terminal did by itself: stops that follow the market, a lease that ran out."""
        self.loosened: list[str] = []
        """Stops that a terminal has moved away from the market by itself."""
        self.late: list[str] = []
        """Commands that a terminal has begun with after the time within which it had to."""
        self._is_late = False
        self._command: int | None = None
        self._orders_before = self._count()
        self._made = 0
        self._send = broker.send
        broker.send = self._witness  # type: ignore[method-assign]  # to see each request

    def follow(self, machine: EmulatedTerminal) -> None:
        """See whose command a terminal carries out."""
        execute = machine._executor.execute

        def noted(cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
            self._command = cmd.id
            self._is_late = 0 < cmd.ttl < waited_ms
            try:
                return execute(cmd, waited_ms=waited_ms)
            finally:
                self._command = None

        machine._executor.execute = noted  # type: ignore[method-assign]  # to see each command

    def _witness(self, request: TradeRequest, now_msc: int) -> TradeResult:
        if self._command is None and request.action == TradeAction.SLTP:
            self._look_at_trail(request)
        result = self._send(request, now_msc)
        if result.retcode in SUCCESSES:
            self._take(Executed(request, result, self._command, now_msc))
        return result

    def _take(self, one: Executed) -> None:
        self._made += one.request.action in TAGGED
        if one.command is None:
            self.own.append(one)
            return
        if self._is_late:
            self.late.append(f"command {one.command}: {one.request}")
        self.commands[one.command].append(one)
        if one.request.action in TAGGED:
            self.tagged[one.request.comment[:TAG_LENGTH]].append(one)
            self.makers[one.result.order] = one
        else:
            self.changes[one.request.order or one.request.position].append(one)

    def _look_at_trail(self, request: TradeRequest) -> None:
        for position in self.broker.positions(ticket=request.position):
            is_long = position.type == PositionType.BUY
            closer = request.sl > position.sl if is_long else request.sl < position.sl
            if (position.sl and not closer) or request.tp != position.tp:
                self.loosened.append(f"position {position.ticket}: {position.sl} to {request.sl}")

    def _count(self) -> int:
        orders = (*self.broker.history_orders(), *self.broker.orders())
        return sum(one.reason == OrderReason.EXPERT for one in orders)

    def check(self) -> None:
        """Fail unless the books have as many new orders as requests for one were seen; what
        closes a position in MetaTrader 4 is none."""
        if self.broker.terms.platform == "mt5":
            assert self._count() - self._orders_before == self._made
