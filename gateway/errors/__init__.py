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

from .nearest import did_you_mean as did_you_mean
from .root import AccessDenied as AccessDenied
from .root import AutotradingDisabled as AutotradingDisabled
from .root import BrokerDisconnected as BrokerDisconnected
from .root import Cancelled as Cancelled
from .root import Forbidden as Forbidden
from .root import GatewayError as GatewayError
from .root import InternalError as InternalError
from .root import InvalidParams as InvalidParams
from .root import InvalidRequest as InvalidRequest
from .root import LimitExceeded as LimitExceeded
from .root import MethodNotFound as MethodNotFound
from .root import MethodNotSupported as MethodNotSupported
from .root import NotReady as NotReady
from .root import Outcome as Outcome
from .root import Overloaded as Overloaded
from .root import ParseError as ParseError
from .root import ProtocolFault as ProtocolFault
from .root import Refused as Refused
from .root import ShuttingDown as ShuttingDown
from .root import TerminalBusy as TerminalBusy
from .root import TerminalDisconnected as TerminalDisconnected
from .root import TerminalError as TerminalError
from .root import TerminalNotFound as TerminalNotFound
from .root import Timeout as Timeout
from .root import TooLarge as TooLarge
from .root import Unauthorized as Unauthorized
from .trade import ClientOrderIdConflict as ClientOrderIdConflict
from .trade import DeadlineExceeded as DeadlineExceeded
from .trade import Frozen as Frozen
from .trade import InsufficientMargin as InsufficientMargin
from .trade import InvalidPrice as InvalidPrice
from .trade import InvalidStops as InvalidStops
from .trade import InvalidVolume as InvalidVolume
from .trade import KillSwitchActive as KillSwitchActive
from .trade import MarketClosed as MarketClosed
from .trade import OrderLimit as OrderLimit
from .trade import OrderNotFound as OrderNotFound
from .trade import OrderRejected as OrderRejected
from .trade import OrderUnresolved as OrderUnresolved
from .trade import PositionNotFound as PositionNotFound
from .trade import PriceChanged as PriceChanged
from .trade import RiskLimit as RiskLimit
from .trade import TradeDisabled as TradeDisabled
from .trade import TradeError as TradeError
from .trade import UnsupportedFilling as UnsupportedFilling


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
