"""Every error a caller can see: one stable code and name a class.

* GatewayError
    * ProtocolFault
        * ParseError -32700
        * InvalidRequest -32600
        * MethodNotFound -32601
        * InvalidParams -32602
        * InternalError -32603
    * AccessDenied
        * Unauthorized -32001
        * NotReady -32002
        * Forbidden -32003
    * MethodNotSupported -32004
    * Refused
        * LimitExceeded -32005
        * Overloaded -32006
        * ShuttingDown -32007
        * TooLarge -32008
        * Timeout -32009
        * Cancelled -32010
    * TerminalError
        * TerminalNotFound 1001
        * TerminalDisconnected 1002
        * BrokerDisconnected 1003
        * TerminalBusy 1004
        * AutotradingDisabled 1005
    * TradeError
        * OrderRejected 2001
        * InvalidVolume 2002
        * InvalidPrice 2003
        * InvalidStops 2004
        * InsufficientMargin 2005
        * MarketClosed 2006
        * TradeDisabled 2007
        * PriceChanged 2008
        * OrderNotFound 2009
        * PositionNotFound 2010
        * Frozen 2012
        * OrderLimit 2013
        * UnsupportedFilling 2014
        * ClientOrderIdConflict 2101
        * OrderUnresolved 2102
        * DeadlineExceeded 2103
        * KillSwitchActive 2104
        * RiskLimit 2105
    * MarketDataError
        * SymbolNotFound 3001
        * HistoryLoading 3002
        * RangeTooLarge 3003
        * NoMarketDepth 3004
        * AmbiguousSymbol 3005
    * StreamError
        * SubscribeFailed 4001
        * ChannelLimit 4002

Negative codes are JSON-RPC's and the transport's, positive ones ours; none changes its meaning.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

Outcome = Literal["not_sent", "rejected", "unknown"]


class GatewayError(Exception):
    """Base class; catch it, don't raise it.

    Args:
        message: one sentence for people, telling what to do; by default the docstring's first,
            without its markup.
        data: numbers and names for programs; never a secret, never the text of an exception.

    """

    code: ClassVar[int] = -32603
    retryable: ClassVar[bool] = False
    """The same call may work later, unchanged."""
    http_status: ClassVar[int] = 200
    """Of the answer when this error is the whole answer to a ``POST /rpc``."""

    def __init__(self, message: str = "", **data: Any) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0].replace("`", "")
        self.data = data
        super().__init__(self.message)

    @classmethod
    def name(cls) -> str:
        """The stable name: the class's, in lower case with underscores."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def outcome(self) -> Outcome | None:
        """Of a trade: ``not_sent`` is safe to send again, ``rejected`` is final, ``unknown`` may
        have been executed. ``None`` where nothing was to be traded."""
        return self.data.get("outcome")

    def as_dict(self) -> dict[str, Any]:
        """The JSON-RPC error object."""
        data = {"name": self.name(), "retryable": self.retryable, **self.data}
        return {"code": self.code, "message": self.message, "data": data}


class ProtocolFault(GatewayError):
    """The request is not JSON-RPC as we speak it."""


class ParseError(ProtocolFault):
    """The body is not JSON."""

    code = -32700


class InvalidRequest(ProtocolFault):
    """The JSON is not a JSON-RPC 2.0 request."""

    code = -32600


class MethodNotFound(ProtocolFault):
    """There is no such method."""

    code = -32601


class InvalidParams(ProtocolFault):
    """The params don't match the method's schema."""

    code = -32602


class InternalError(ProtocolFault):
    """The gateway failed; its log has the details under this trace_id."""

    code = -32603


class AccessDenied(GatewayError):
    """The caller may not do that."""


class Unauthorized(AccessDenied):
    """The auth_token does not open this gateway; ``data.reason`` says why."""

    code = -32001
    http_status = 401


class NotReady(AccessDenied):
    """Say hello with your auth_token first."""

    code = -32002
    retryable = True


class Forbidden(AccessDenied):
    """The auth_token lacks the scope for this method, or the request came from a web page."""

    code = -32003


class MethodNotSupported(GatewayError):
    """This transport or this terminal cannot do that."""

    code = -32004


class Refused(GatewayError):
    """The gateway will not do it now."""


class LimitExceeded(Refused):
    """Too many calls; wait retry_after_ms."""

    code = -32005
    retryable = True
    http_status = 429


class Overloaded(Refused):
    """A queue is full; wait retry_after_ms."""

    code = -32006
    retryable = True
    http_status = 503


class ShuttingDown(Refused):
    """The gateway is going down."""

    code = -32007
    retryable = True
    http_status = 503


class TooLarge(Refused):
    """The request or the answer is over the limit."""

    code = -32008


class Timeout(Refused):
    """The terminal did not answer in time; reading again is safe."""

    code = -32009
    retryable = True


class Cancelled(Refused):
    """The call was cancelled before it was answered."""

    code = -32010


class TerminalError(GatewayError):
    """The terminal could not answer."""


class TerminalNotFound(TerminalError):
    """The token does not belong to a terminal of that name."""

    code = 1001


class TerminalDisconnected(TerminalError):
    """The terminal is offline: start MetaTrader and see that the EA runs."""

    code = 1002
    retryable = True


class BrokerDisconnected(TerminalError):
    """The terminal has no connection to the broker."""

    code = 1003
    retryable = True


class TerminalBusy(TerminalError):
    """The terminal is busy; try again after retry_after_ms."""

    code = 1004
    retryable = True


class AutotradingDisabled(TerminalError):
    """Trading by programs is switched off; ``data.where`` names the switch."""

    code = 1005


class TradeError(GatewayError):
    """The trade did not happen as asked; ``data.outcome`` says what is known."""


class OrderRejected(TradeError):
    """The broker refused the order."""

    code = 2001


class InvalidVolume(TradeError):
    """The volume does not fit the symbol."""

    code = 2002


class InvalidPrice(TradeError):
    """The price does not fit the symbol or the market."""

    code = 2003


class InvalidStops(TradeError):
    """The stop loss or take profit is on the wrong side or too close."""

    code = 2004


class InsufficientMargin(TradeError):
    """Not enough money."""

    code = 2005


class MarketClosed(TradeError):
    """The market is closed."""

    code = 2006
    retryable = True


class TradeDisabled(TradeError):
    """The symbol or the account does not allow this trade."""

    code = 2007


class PriceChanged(TradeError):
    """The price moved before the order was filled."""

    code = 2008
    retryable = True


class OrderNotFound(TradeError):
    """There is no such pending order."""

    code = 2009


class PositionNotFound(TradeError):
    """There is no such open position."""

    code = 2010


class Frozen(TradeError):
    """The order or position is too close to the market to be changed."""

    code = 2012
    retryable = True


class OrderLimit(TradeError):
    """The broker's limit of orders, positions or volume is reached."""

    code = 2013


class UnsupportedFilling(TradeError):
    """The symbol does not allow this filling mode, expiration or kind of order."""

    code = 2014


class ClientOrderIdConflict(TradeError):
    """That client_order_id stands for another request already; ``data.original`` is that."""

    code = 2101


class OrderUnresolved(TradeError):
    """The terminal did not confirm in time; the order may have executed: get_order finds out."""

    code = 2102


class DeadlineExceeded(TradeError):
    """The order could not be handed to the terminal in time and was not sent."""

    code = 2103


class KillSwitchActive(TradeError):
    """Trading is halted; ``data.armed_by`` says by whom, and ``data.since`` when."""

    code = 2104


class RiskLimit(TradeError):
    """A limit of this gateway forbids the order; ``data.rule`` says which."""

    code = 2105


class MarketDataError(GatewayError):
    """The market data asked for is not there."""


class SymbolNotFound(MarketDataError):
    """The broker has no such symbol."""

    code = 3001


class HistoryLoading(MarketDataError):
    """The terminal is still loading that history."""

    code = 3002
    retryable = True


class RangeTooLarge(MarketDataError):
    """The range holds more than one answer may; ask in parts."""

    code = 3003


class NoMarketDepth(MarketDataError):
    """The broker publishes no order book for this symbol."""

    code = 3004


class AmbiguousSymbol(MarketDataError):
    """The broker has several symbols that could be meant: name one of ``data.candidates``."""

    code = 3005


class StreamError(GatewayError):
    """The subscription was not made."""


class SubscribeFailed(StreamError):
    """None of the channels could be subscribed; ``data.failed`` says why."""

    code = 4001


class ChannelLimit(StreamError):
    """The connection has as many channels as it may."""

    code = 4002


def did_you_mean(given: str, known: Iterable[str]) -> dict[str, Any]:
    """Return ``{"did_you_mean": [...]}`` with the nearest names in any case, or nothing."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(given[:64].lower(), names, n=3, cutoff=0.6)
    return {"did_you_mean": [names[name] for name in near]} if near else {}
