"""What clients receive: one typed dictionary a shape.

Field names are MetaTrader's property names. Absent is null: keys never vanish, and nothing comes
that is not written here. Times are integers, UTC milliseconds, unless their name starts with
``broker_``: then they count on the broker's wall clock. The docstrings under the fields become
the descriptions in the published schema.
"""

from .account import (
    AccountBalance,
    AccountInfo,
    BrokerOffset,
    EaStatus,
    ServerTime,
    TerminalInfo,
)
from .contingent import OcoLink, OcoOrder, TrailingStop, TrailingStopRemoved
from .events import (
    AccountEvent,
    DealEvent,
    HeartbeatEvent,
    OrderEvent,
    OrdersSnapshot,
    PnlEvent,
    PositionEvent,
    PositionPnl,
    PositionsSnapshot,
    TerminalEvent,
)
from .history import History, Kind
from .market import (
    Bar,
    BarEvent,
    Bars,
    Book,
    BookLevel,
    HistoryTick,
    HistoryTicks,
    SymbolInfo,
    SymbolSelected,
    Tick,
)
from .order_record import OrderError, OrderNow, OrderRecord, SentCommand
from .receipt import CheckResult, Filling, Margin, OrderOutcome, OrderReceipt, Profit, Timing
from .safety import Halt, SweepFailure, Swept, TradingEnabled
from .service import (
    ClientLimits,
    ConsoleInfo,
    HelloResult,
    Pong,
    ServerIdentity,
    ServerInfo,
    TerminalPing,
    TerminalServerInfo,
    TerminalState,
    WsTicket,
)
from .subscriptions import (
    NotSubscribed,
    Subscribed,
    SubscribeResult,
    Subscription,
    Subscriptions,
    UnsubscribeResult,
)
from .trade import Deal, HistoryPosition, Order, Position

__all__ = [
    "AccountBalance",
    "AccountEvent",
    "AccountInfo",
    "Bar",
    "BarEvent",
    "Bars",
    "Book",
    "BookLevel",
    "BrokerOffset",
    "CheckResult",
    "ClientLimits",
    "ConsoleInfo",
    "Deal",
    "DealEvent",
    "EaStatus",
    "Filling",
    "Halt",
    "HeartbeatEvent",
    "HelloResult",
    "History",
    "HistoryPosition",
    "HistoryTick",
    "HistoryTicks",
    "Kind",
    "Margin",
    "NotSubscribed",
    "OcoLink",
    "OcoOrder",
    "Order",
    "OrderError",
    "OrderEvent",
    "OrderNow",
    "OrderOutcome",
    "OrderReceipt",
    "OrderRecord",
    "OrdersSnapshot",
    "PnlEvent",
    "Pong",
    "Position",
    "PositionEvent",
    "PositionPnl",
    "PositionsSnapshot",
    "Profit",
    "SentCommand",
    "ServerIdentity",
    "ServerInfo",
    "ServerTime",
    "SubscribeResult",
    "Subscribed",
    "Subscription",
    "Subscriptions",
    "SweepFailure",
    "Swept",
    "SymbolInfo",
    "SymbolSelected",
    "TerminalEvent",
    "TerminalInfo",
    "TerminalPing",
    "TerminalServerInfo",
    "TerminalState",
    "Tick",
    "Timing",
    "TradingEnabled",
    "TrailingStop",
    "TrailingStopRemoved",
    "UnsubscribeResult",
    "WsTicket",
]
