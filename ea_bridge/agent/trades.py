"""Trades through the package: ``order_send``, and what an EA looks at right before it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ea_bridge.emulator.command_handler import INVALID_PARAMETER, Failed
from ea_bridge.model import (
    SUCCESSES,
    MarginMode,
    Order,
    Position,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)
from ea_bridge.simulation.broker.prices import exact

from .package import (
    AUTOTRADING_DISABLED,
    INVALID_PARAMS,
    Package,
    PackageError,
    struct_of,
)
from .questions import INTERNAL_ERROR, Questions, request_dict
from .state import PackageState


class TradeDesk:
    """Desk through which everything goes that changes the account.

    It has the functions of an emulated broker that :class:`~.emulator.trails.RunningTrails` and
    :class:`~.emulator.lease.LeaseGuard` need, so that both run here as they are.

    Args:
        package: owned by the thread that calls this.
        state: the switches.
        questions: reads orders and positions.

    """

    def __init__(self, package: Package, state: PackageState, questions: Questions) -> None:
        self._package = package
        self._state = state
        self._questions = questions

    def positions(self, symbol: str | None = None, ticket: int | None = None) -> list[Position]:
        """Return the open positions."""
        return self._questions.positions(symbol, ticket)

    def orders(self, symbol: str | None = None, ticket: int | None = None) -> list[Order]:
        """Return the pending orders."""
        return self._questions.orders(symbol, ticket)

    def send(self, request: TradeRequest, now_msc: int = 0) -> TradeResult:
        """Send a request of this side's own; what failed has the retcode of an error.

        Args:
            request: to be sent.
            now_msc: not looked at: a terminal has a clock of its own.

        """
        try:
            return self.trade(request)
        except (Failed, PackageError):
            return TradeResult(retcode=TradeRetcode.ERROR)

    def trade(
        self, request: TradeRequest, check: Callable[[], None] = lambda: None
    ) -> TradeResult:
        """``order_send``, unless the terminal would refuse it anyway, or it would open a position
        where it was to close one.

        Args:
            request: to be sent.
            check: called right before the package is, after a look at the terminal; what it
                raises stops the trade.

        Raises:
            Failed: with MQL's error number; the internal error leaves open what became of it.

        """
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        check()
        # from here on nobody knows, unless the package says so
        try:
            result = self._package.call("order_send", request_dict(request))
        except PackageError as error:
            return _unanswered(error)
        sent = struct_of(TradeResult, result)
        if sent.retcode == TradeRetcode.CONNECTION:
            # there was a connection when it was sent: whether it got through nobody knows
            return replace(sent, retcode=int(TradeRetcode.TIMEOUT))
        if sent.retcode in SUCCESSES:
            return replace(sent, position=self._position_of(request, sent))
        return sent

    def _refusal(self, request: TradeRequest) -> TradeResult | None:
        try:
            connected, autotrading, _ = self._state.look().switches
            if not autotrading:
                return _refused(TradeRetcode.CLIENT_DISABLES_AT, "AutoTrading is off")
            if not connected:
                return _refused(TradeRetcode.CONNECTION, "no connection to the broker")
            retcode = self._closes_nothing(request)
        except PackageError:
            return _refused(TradeRetcode.CONNECTION, "the terminal does not answer")
        return None if retcode is None else _refused(retcode)

    def _closes_nothing(self, request: TradeRequest) -> TradeRetcode | None:
        """Return why a deal that names a position would not close it on a netting account; see
        :class:`~ea_bridge.model.TradeRequest`. Deals on their way count as done.
        """
        hedges = self._state.latest.account.margin_mode == MarginMode.RETAIL_HEDGING
        if hedges or request.action != TradeAction.DEAL or not request.position:
            return None
        found = self.positions(request.symbol, request.position)
        if not found:
            return TradeRetcode.POSITION_CLOSED
        if request.type == found[0].type:
            return TradeRetcode.INVALID
        waiting = [order for order in self.orders(request.symbol) if order.type == request.type]
        volume = sum(exact(order.volume_current) for order in waiting) + exact(request.volume)
        return TradeRetcode.INVALID_CLOSE_VOLUME if volume > exact(found[0].volume) else None

    def _position_of(self, request: TradeRequest, sent: TradeResult) -> int:
        """Return the position that a trade has opened or changed, 0 where that is not known."""
        if request.action in (TradeAction.SLTP, TradeAction.CLOSE_BY):
            return request.position
        if request.action != TradeAction.DEAL or not (sent.deal or sent.order):
            return 0
        if request.position:
            return request.position
        try:
            return self._opened_by(request.symbol, sent)
        except PackageError:
            return 0

    def _opened_by(self, symbol: str, sent: TradeResult) -> int:
        open_here = self.positions(symbol)
        # a hedging position has its order's ticket; a netting one is the only one of its symbol
        if self._state.latest.account.margin_mode != MarginMode.RETAIL_HEDGING:
            return open_here[0].ticket if open_here else 0
        return next((one.ticket for one in open_here if one.identifier == sent.order), 0)


def _unanswered(error: PackageError) -> TradeResult:
    """Return what it means that ``order_send`` gave no result.

    Raises:
        Failed: the package refused the request, or nobody knows what became of it.

    """
    if error.code == AUTOTRADING_DISABLED:
        return _refused(TradeRetcode.CLIENT_DISABLES_AT, "the terminal's Python API may not trade")
    if error.code == INVALID_PARAMS:
        raise Failed(INVALID_PARAMETER, str(error)) from error
    raise Failed(INTERNAL_ERROR, f"it is not known what became of it: {error}") from error


def _refused(retcode: TradeRetcode, comment: str = "") -> TradeResult:
    return TradeResult(retcode=retcode, comment=comment)
