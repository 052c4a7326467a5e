"""Value types of the Manager API: bounds of members, enumerations, masks of names.

Texts are fixed arrays of bytes there: one of 32 holds 31. What is longer is refused, never cut.
Times are seconds of the **server's** clock; 0 where there is none. Money is in the currency of
the account's group.

Enumerations have the API's integers. They travel as integers and are typed ``int`` in the
records: a newer server may know more.
"""

from __future__ import annotations

import fnmatch
import re
from enum import IntEnum, IntFlag
from typing import Annotated

from msgspec import Meta

Int = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""A C ``int``."""
UInt = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""A C ``unsigned int``: an IPv4 address, a colour."""
Time = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""``__time32_t``, before the year 2038."""
Login = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Ticket = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""The number of an order."""

Text12 = Annotated[str, Meta(max_length=11)]
Text16 = Annotated[str, Meta(max_length=15)]
Text32 = Annotated[str, Meta(max_length=31)]
Text48 = Annotated[str, Meta(max_length=47)]
Text64 = Annotated[str, Meta(max_length=63)]
Text96 = Annotated[str, Meta(max_length=95)]
Text128 = Annotated[str, Meta(max_length=127)]
Text256 = Annotated[str, Meta(max_length=255)]


class TradeCommand(IntEnum):
    """``OP_*``: what a trade is."""

    BUY = 0
    SELL = 1
    BUY_LIMIT = 2
    SELL_LIMIT = 3
    BUY_STOP = 4
    SELL_STOP = 5
    BALANCE = 6
    CREDIT = 7

    @property
    def is_market(self) -> bool:
        """Whether it is a position: it has a floating profit and takes margin."""
        return self <= TradeCommand.SELL

    @property
    def is_pending(self) -> bool:
        """Whether it waits for its price."""
        return TradeCommand.BUY_LIMIT <= self <= TradeCommand.SELL_STOP

    @property
    def is_money(self) -> bool:
        """Whether it is a balance or a credit operation."""
        return self >= TradeCommand.BALANCE


class TradeState(IntEnum):
    """``TS_*``: where a trade is in its life."""

    OPEN_NORMAL = 0
    OPEN_REMAND = 1
    OPEN_RESTORED = 2
    CLOSED_NORMAL = 3
    CLOSED_PART = 4
    CLOSED_BY = 5
    DELETED = 6


class TradeReason(IntEnum):
    """``TR_REASON_*``: where a trade came from."""

    CLIENT = 0
    EXPERT = 1
    DEALER = 2
    SIGNAL = 3
    GATEWAY = 4
    MOBILE = 5
    WEB = 6
    API = 7


class Activation(IntEnum):
    """``ACTIVATION_*``: what the server is doing to a trade; negative ones are rolled back."""

    NONE = 0
    SL = 1
    TP = 2
    PENDING = 3
    STOPOUT = 4


class TransactionType(IntEnum):
    """``TT_*`` of ``TradeTransaction``, as far as the gateway asks for them."""

    BR_BALANCE = 83


class GroupCommand(IntEnum):
    """``GROUP_*`` of ``UsersGroupOp``."""

    DELETE = 0
    ENABLE = 1
    DISABLE = 2
    LEVERAGE = 3
    SETGROUP = 4


class MarginType(IntEnum):
    """``MARGIN_TYPE_*``: what the levels of margin call and stop-out are measured in."""

    PERCENT = 0
    CURRENCY = 1


class LevelType(IntEnum):
    """``MARGINLEVEL_*``: how an account stands."""

    OK = 0
    MARGINCALL = 1
    STOPOUT = 2


class FreeMarginMode(IntEnum):
    """``ConGroup.margin_mode``: how much of the floating profit counts as free margin."""

    DONT_USE = 0
    USE_ALL = 1
    USE_PROFIT = 2
    USE_LOSS = 3


class MarginCalculation(IntEnum):
    """``ConSymbol.margin_mode``: the formula of a symbol's margin."""

    FOREX = 0
    CFD = 1
    FUTURES = 2
    CFD_INDEX = 3
    CFD_LEVERAGE = 4


class ProfitCalculation(IntEnum):
    """``ConSymbol.profit_mode``: the formula of a symbol's profit."""

    FOREX = 0
    CFD = 1
    FUTURES = 2


class SymbolTrade(IntEnum):
    """``ConSymbol.trade``: what may be done with a symbol."""

    NO = 0
    CLOSE = 1
    FULL = 2


class PriceDirection(IntEnum):
    """``SymbolInfo.direction``: where the last price went."""

    UP = 0
    DOWN = 1
    NONE = 2


class GroupRight(IntFlag):
    """``ConGroup.rights``: what the clients of a group may do."""

    EMAIL = 1
    TRAILING = 2
    ADVISOR = 4
    EXPIRATION = 8
    SIGNALS_ALL = 16
    SIGNALS_OWN = 32
    RISK_WARNING = 64
    FORCED_OTP = 128


class ManagerRight(IntFlag):
    """Rights of a manager (``ConManager``; the bits are ours, the API has a member each)."""

    MANAGER = 1
    """See and change users."""
    MONEY = 2
    """Balance and credit operations."""
    ONLINE = 4
    BROKER = 8
    ADMIN = 16
    """Change and delete trades, read the server's configuration."""
    TRADES = 32
    """See trades that are not his own accounts' requests."""
    SEE_TRADES = 64
    EMAIL = 128
    MARKET_WATCH = 256
    USER_DETAILS = 512


ALL_RIGHTS = ManagerRight(1023)


class ReturnCode(IntEnum):
    """``RET_*``: what a call of the Manager API answers."""

    OK = 0
    OK_NONE = 1
    """Done; there was nothing to do."""
    ERROR = 2
    INVALID_DATA = 3
    TECH_PROBLEM = 4
    OLD_VERSION = 5
    NO_CONNECT = 6
    NOT_ENOUGH_RIGHTS = 7
    TOO_FREQUENT = 8
    MALFUNCTION = 9
    GENERATE_KEY = 10
    SECURITY_SESSION = 11
    INVALID_COMPANY = 15
    ACCOUNT_DISABLED = 64
    BAD_ACCOUNT_INFO = 65
    PUBLIC_KEY_MISSING = 66
    TRADE_TIMEOUT = 128
    TRADE_BAD_PRICES = 129
    TRADE_BAD_STOPS = 130
    TRADE_BAD_VOLUME = 131
    TRADE_MARKET_CLOSED = 132
    TRADE_DISABLE = 133
    TRADE_NO_MONEY = 134
    TRADE_PRICE_CHANGED = 135
    TRADE_OFFQUOTES = 136
    TRADE_BROKER_BUSY = 137
    TRADE_REQUOTE = 138
    TRADE_ORDER_LOCKED = 139
    TRADE_LONG_ONLY = 140
    TRADE_TOO_MANY_REQ = 141
    TRADE_ACCEPTED = 142
    TRADE_PROCESS = 143
    TRADE_USER_CANCEL = 144
    TRADE_MODIFY_DENIED = 145
    TRADE_CONTEXT_BUSY = 146
    TRADE_EXPIRATION_DENIED = 147
    TRADE_TOO_MANY_ORDERS = 148
    TRADE_HEDGE_PROHIBITED = 149
    TRADE_PROHIBITED_BY_FIFO = 150


# --- masks of names --------------------------------------------------------------------------


class Masks:
    """Masks with commas between them; the last that fits a name decides, ``!`` excludes.

    Args:
        text: the masks; ``None`` fits every name.

    """

    def __init__(self, text: str | None) -> None:
        self._known: dict[str, bool] = {}
        self._masks = None if text is None else [_parse(mask) for mask in text.split(",")]

    def fit(self, name: str) -> bool:
        """Tell whether they fit; asking again for the same name costs nothing."""
        if self._masks is None:
            return True
        found = self._known.get(name)
        if found is None:
            found = False
            for mask, wanted in self._masks:
                if mask.fullmatch(name):
                    found = wanted
            self._known[name] = found
        return found


def _parse(mask: str) -> tuple[re.Pattern[str], bool]:
    mask = mask.strip()
    return re.compile(fnmatch.translate(mask.removeprefix("!"))), not mask.startswith("!")
