"""MetaTrader's enumerations with MetaTrader's integers.

Names and values are those of the MetaTrader5 package, version 5.0.6231 (without the common
prefix: ``ORDER_TYPE_BUY`` is ``OrderType.BUY``). On the wire between EA and daemon they travel as
integers; clients of the gateway see lower-case words.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class TradeRetcode(IntEnum):
    """Answers of the trade server to a trade request.

    10046 is not in the MetaTrader5 package; it is in MetaQuotes' own table.
    """

    REQUOTE = 10004
    REJECT = 10006
    CANCEL = 10007
    PLACED = 10008
    DONE = 10009
    DONE_PARTIAL = 10010
    ERROR = 10011
    TIMEOUT = 10012
    INVALID = 10013
    INVALID_VOLUME = 10014
    INVALID_PRICE = 10015
    INVALID_STOPS = 10016
    TRADE_DISABLED = 10017
    MARKET_CLOSED = 10018
    NO_MONEY = 10019
    PRICE_CHANGED = 10020
    PRICE_OFF = 10021
    INVALID_EXPIRATION = 10022
    ORDER_CHANGED = 10023
    TOO_MANY_REQUESTS = 10024
    NO_CHANGES = 10025
    SERVER_DISABLES_AT = 10026
    CLIENT_DISABLES_AT = 10027
    LOCKED = 10028
    FROZEN = 10029
    INVALID_FILL = 10030
    CONNECTION = 10031
    ONLY_REAL = 10032
    LIMIT_ORDERS = 10033
    LIMIT_VOLUME = 10034
    INVALID_ORDER = 10035
    POSITION_CLOSED = 10036
    INVALID_CLOSE_VOLUME = 10038
    CLOSE_ORDER_EXIST = 10039
    LIMIT_POSITIONS = 10040
    REJECT_CANCEL = 10041
    LONG_ONLY = 10042
    SHORT_ONLY = 10043
    CLOSE_ONLY = 10044
    FIFO_CLOSE = 10045
    HEDGE_PROHIBITED = 10046


SUCCESSES = frozenset(
    {TradeRetcode.PLACED, TradeRetcode.DONE, TradeRetcode.DONE_PARTIAL, TradeRetcode.NO_CHANGES}
)
"""The answers after which the account is as the request asked for."""


class AccountTradeMode(IntEnum):
    """Kind of money that an account holds."""

    DEMO = 0
    CONTEST = 1
    REAL = 2


class MarginMode(IntEnum):
    """Accounting of the positions of one symbol."""

    RETAIL_NETTING = 0
    EXCHANGE = 1
    RETAIL_HEDGING = 2


class StopoutMode(IntEnum):
    """Unit of the margin call and stop-out levels."""

    PERCENT = 0
    MONEY = 1


class OrderType(IntEnum):
    """Type of an order: its direction, and the price at which it waits."""

    BUY = 0
    SELL = 1
    BUY_LIMIT = 2
    SELL_LIMIT = 3
    BUY_STOP = 4
    SELL_STOP = 5
    BUY_STOP_LIMIT = 6
    SELL_STOP_LIMIT = 7
    CLOSE_BY = 8


BUYS = frozenset(
    {OrderType.BUY, OrderType.BUY_LIMIT, OrderType.BUY_STOP, OrderType.BUY_STOP_LIMIT}
)
"""Order types that end in a buy."""


class OrderState(IntEnum):
    """State of an order."""

    STARTED = 0
    PLACED = 1
    CANCELED = 2
    PARTIAL = 3
    FILLED = 4
    REJECTED = 5
    EXPIRED = 6
    REQUEST_ADD = 7
    REQUEST_MODIFY = 8
    REQUEST_CANCEL = 9


class OrderFilling(IntEnum):
    """Treatment of the part of an order that finds no volume."""

    FOK = 0
    IOC = 1
    RETURN = 2
    BOC = 3


class OrderTime(IntEnum):
    """Lifetime of a pending order."""

    GTC = 0
    DAY = 1
    SPECIFIED = 2
    SPECIFIED_DAY = 3


class OrderReason(IntEnum):
    """Origin of an order."""

    CLIENT = 0
    MOBILE = 1
    WEB = 2
    EXPERT = 3
    SL = 4
    TP = 5
    SO = 6


class PositionType(IntEnum):
    """The direction of a position."""

    BUY = 0
    SELL = 1


class PositionReason(IntEnum):
    """Origin of a position."""

    CLIENT = 0
    MOBILE = 1
    WEB = 2
    EXPERT = 3


class DealType(IntEnum):
    """Effect of a deal on the account."""

    BUY = 0
    SELL = 1
    BALANCE = 2
    CREDIT = 3
    CHARGE = 4
    CORRECTION = 5
    BONUS = 6
    COMMISSION = 7
    COMMISSION_DAILY = 8
    COMMISSION_MONTHLY = 9
    COMMISSION_AGENT_DAILY = 10
    COMMISSION_AGENT_MONTHLY = 11
    INTEREST = 12
    BUY_CANCELED = 13
    SELL_CANCELED = 14
    DIVIDEND = 15
    DIVIDEND_FRANKED = 16
    TAX = 17


class DealEntry(IntEnum):
    """Effect of a deal on a position: it opened, closed or reversed one."""

    IN = 0
    OUT = 1
    INOUT = 2
    OUT_BY = 3


class DealReason(IntEnum):
    """Cause of a deal."""

    CLIENT = 0
    MOBILE = 1
    WEB = 2
    EXPERT = 3
    SL = 4
    TP = 5
    SO = 6
    ROLLOVER = 7
    VMARGIN = 8
    SPLIT = 9


class TradeAction(IntEnum):
    """The kind of a trade request."""

    DEAL = 1
    PENDING = 5
    SLTP = 6
    MODIFY = 7
    REMOVE = 8
    CLOSE_BY = 10


class SymbolTradeMode(IntEnum):
    """Trades that a symbol allows."""

    DISABLED = 0
    LONGONLY = 1
    SHORTONLY = 2
    CLOSEONLY = 3
    FULL = 4


class SymbolExecution(IntEnum):
    """Execution of orders on a symbol."""

    REQUEST = 0
    INSTANT = 1
    MARKET = 2
    EXCHANGE = 3


class SymbolCalcMode(IntEnum):
    """The formula for margin and profit."""

    FOREX = 0
    FUTURES = 1
    CFD = 2
    CFDINDEX = 3
    CFDLEVERAGE = 4
    FOREX_NO_LEVERAGE = 5
    EXCH_STOCKS = 32
    EXCH_FUTURES = 33
    EXCH_OPTIONS = 34
    EXCH_OPTIONS_MARGIN = 36
    EXCH_BONDS = 37
    EXCH_STOCKS_MOEX = 38
    EXCH_BONDS_MOEX = 39
    SERV_COLLATERAL = 64


class SymbolSwapMode(IntEnum):
    """The unit of the overnight charge."""

    DISABLED = 0
    POINTS = 1
    CURRENCY_SYMBOL = 2
    CURRENCY_MARGIN = 3
    CURRENCY_DEPOSIT = 4
    INTEREST_CURRENT = 5
    INTEREST_OPEN = 6
    REOPEN_CURRENT = 7
    REOPEN_BID = 8


class SymbolGtcMode(IntEnum):
    """Time at which the broker removes pending orders and stops."""

    GTC = 0
    DAILY = 1
    DAILY_NO_STOPS = 2


class SymbolChartMode(IntEnum):
    """Price that builds the bars."""

    BID = 0
    LAST = 1


class DayOfWeek(IntEnum):
    """Days as MetaTrader counts them."""

    SUNDAY = 0
    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6


class BookType(IntEnum):
    """The side of an order-book entry."""

    SELL = 1
    BUY = 2
    SELL_MARKET = 3
    BUY_MARKET = 4


class Timeframe(IntEnum):
    """The period of a bar. The integer is MetaTrader's code, not a length: see :attr:`minutes`."""

    M1 = 1
    M2 = 2
    M3 = 3
    M4 = 4
    M5 = 5
    M6 = 6
    M10 = 10
    M12 = 12
    M15 = 15
    M20 = 20
    M30 = 30
    H1 = 16385
    H2 = 16386
    H3 = 16387
    H4 = 16388
    H6 = 16390
    H8 = 16392
    H12 = 16396
    D1 = 16408
    W1 = 32769
    MN1 = 49153

    @property
    def minutes(self) -> int:
        """Length in minutes; for ``W1`` 10080; for ``MN1`` 43200, its nominal length."""
        code = int(self)
        if code >= 0xC000:
            return 43200
        if code >= 0x8000:
            return 10080 * (code - 0x8000)
        return 60 * (code - 0x4000) if code >= 0x4000 else code


MT4_TIMEFRAMES = frozenset(
    {
        Timeframe.M1,
        Timeframe.M5,
        Timeframe.M15,
        Timeframe.M30,
        Timeframe.H1,
        Timeframe.H4,
        Timeframe.D1,
        Timeframe.W1,
        Timeframe.MN1,
    }
)
"""The nine periods that MetaTrader 4 has."""


class TickFlag(IntFlag):
    """Changes in a tick."""

    BID = 2
    ASK = 4
    LAST = 8
    VOLUME = 16
    BUY = 32
    SELL = 64


class CopyTicks(IntEnum):
    """Ticks that a history request wants."""

    ALL = -1
    INFO = 1
    TRADE = 2


class FillingFlag(IntFlag):
    """The filling modes that a symbol allows: a bit mask, unlike :class:`OrderFilling`.

    ``RETURN`` has no bit: it is allowed in every execution mode but ``MARKET``.
    """

    FOK = 1
    IOC = 2
    BOC = 4


class ExpirationFlag(IntFlag):
    """The lifetimes that a symbol allows for pending orders: a bit mask."""

    GTC = 1
    DAY = 2
    SPECIFIED = 4
    SPECIFIED_DAY = 8


class OrderFlag(IntFlag):
    """The kinds of order that a symbol allows: a bit mask."""

    MARKET = 1
    LIMIT = 2
    STOP = 4
    STOP_LIMIT = 8
    SL = 16
    TP = 32
    CLOSE_BY = 64
