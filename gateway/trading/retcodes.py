"""What the trade server's answers mean for a caller.

:data:`RULINGS` is one table: each refusal, the error that it becomes, and the evidence that makes
the error useful (the grid that a volume did not fit, the money that was not there). It lists what
surely was not executed, and nothing else does: after any other answer (an error of no name, a
connection that broke, a number that nobody knows) the outcome is unknown, and is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ea_bridge.model import SymbolInfo, TradeAction, TradeRequest, TradeResult, TradeRetcode
from gateway.errors import (
    AutotradingDisabled,
    Frozen,
    GatewayError,
    InsufficientMargin,
    InvalidPrice,
    InvalidStops,
    InvalidVolume,
    MarketClosed,
    OrderLimit,
    OrderNotFound,
    OrderRejected,
    OrderUnresolved,
    PositionNotFound,
    PriceChanged,
    TerminalBusy,
    TradeDisabled,
    UnsupportedFilling,
)
from gateway.schemas.convert import enums, flags, retcode_name, word

from .filling import allowed_fillings
from .grid import price_grid, volume_grid
from .sides import Misplaced, misplaced

BUSY_RETRY_MS = 500
"""When to try again after the broker said that there were too many requests."""
CHECK_AFTER_MS = 2000
"""When to look what became of an order whose outcome is not known."""

Needs = Literal["", "symbol", "money", "prices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known when a refusal is explained; what could not be learnt is ``None``."""

    request: TradeRequest
    result: TradeResult | None = None
    symbol: SymbolInfo | None = None
    bid: float | None = None
    ask: float | None = None
    margin_free: float | None = None
    margin_required: float | None = None


Numbers = Callable[[Evidence], dict[str, Any]]


def _nothing(_: Evidence) -> dict[str, Any]:
    return {}


def _fixed(**data: Any) -> Numbers:
    return lambda _: dict(data)


def _volume(evidence: Evidence) -> dict[str, Any]:
    return volume_grid(evidence.symbol) if evidence.symbol else {}


def _price(evidence: Evidence) -> dict[str, Any]:
    return price_grid(evidence.symbol) if evidence.symbol else {}


def _stops(evidence: Evidence) -> dict[str, Any]:
    symbol = evidence.symbol
    if symbol is None:
        return {}
    level = {"stops_level_points": symbol.trade_stops_level, "point": symbol.point}
    return {**level, "bid": symbol.bid or None, "ask": symbol.ask or None}


def _frozen(evidence: Evidence) -> dict[str, Any]:
    symbol = evidence.symbol
    return {"freeze_level_points": symbol.trade_freeze_level} if symbol else {}


def _money(evidence: Evidence) -> dict[str, Any]:
    return {"required": evidence.margin_required, "free": evidence.margin_free}


def _prices(evidence: Evidence) -> dict[str, Any]:
    return {"bid": evidence.bid, "ask": evidence.ask}


def _trade_mode(evidence: Evidence) -> dict[str, Any]:
    symbol = evidence.symbol
    return {"mode": word(enums.SYMBOL_TRADE_MODE, symbol.trade_mode) if symbol else "disabled"}


def _fillings(evidence: Evidence) -> dict[str, Any]:
    if evidence.symbol is None:
        return {"what": "filling"}
    fillings = allowed_fillings(evidence.symbol, evidence.request.type)
    allowed = [word(enums.ORDER_FILLING, filling) for filling in fillings]
    return {"what": "filling", "allowed": allowed}


def _expirations(evidence: Evidence) -> dict[str, Any]:
    mask = evidence.symbol.expiration_mode if evidence.symbol else None
    allowed = None if mask is None else flags(enums.EXPIRATION_FLAG, mask)
    return {"what": "expiration", "allowed": allowed}


def _kinds(evidence: Evidence) -> dict[str, Any]:
    mask = evidence.symbol.order_mode if evidence.symbol else None
    allowed = None if mask is None else flags(enums.ORDER_FLAG, mask)
    return {"what": "type", "allowed": allowed}


def _position(evidence: Evidence) -> dict[str, Any]:
    return {"ticket": evidence.request.position or None}


def _unresolved(_: Evidence) -> dict[str, Any]:
    return {"outcome": "unknown", "check_after_ms": CHECK_AFTER_MS}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one refusal becomes."""

    error: type[GatewayError]
    needs: Needs = ""
    """What to ask the terminal for before explaining."""
    numbers: Numbers = _nothing


RULINGS: dict[int, Ruling] = {
    TradeRetcode.REQUOTE: Ruling(PriceChanged, "prices", _prices),
    TradeRetcode.REJECT: Ruling(OrderRejected),
    TradeRetcode.CANCEL: Ruling(OrderRejected),
    TradeRetcode.INVALID: Ruling(OrderRejected),
    TradeRetcode.INVALID_VOLUME: Ruling(InvalidVolume, "symbol", _volume),
    TradeRetcode.INVALID_PRICE: Ruling(InvalidPrice, "symbol", _price),
    TradeRetcode.INVALID_STOPS: Ruling(InvalidStops, "symbol", _stops),
    TradeRetcode.TRADE_DISABLED: Ruling(TradeDisabled, "symbol", _trade_mode),
    # the wire does not carry the symbol's sessions
    TradeRetcode.MARKET_CLOSED: Ruling(MarketClosed, "", _fixed(opens_at=None)),
    TradeRetcode.NO_MONEY: Ruling(InsufficientMargin, "money", _money),
    TradeRetcode.PRICE_CHANGED: Ruling(PriceChanged, "prices", _prices),
    TradeRetcode.PRICE_OFF: Ruling(PriceChanged, "prices", _prices),
    TradeRetcode.INVALID_EXPIRATION: Ruling(UnsupportedFilling, "symbol", _expirations),
    TradeRetcode.ORDER_CHANGED: Ruling(OrderRejected),
    TradeRetcode.TOO_MANY_REQUESTS: Ruling(TerminalBusy, "", _fixed(retry_after_ms=BUSY_RETRY_MS)),
    TradeRetcode.SERVER_DISABLES_AT: Ruling(AutotradingDisabled, "", _fixed(where="server")),
    TradeRetcode.CLIENT_DISABLES_AT: Ruling(AutotradingDisabled, "", _fixed(where="terminal")),
    TradeRetcode.LOCKED: Ruling(TerminalBusy, "", _fixed(retry_after_ms=BUSY_RETRY_MS)),
    TradeRetcode.FROZEN: Ruling(Frozen, "symbol", _frozen),
    TradeRetcode.INVALID_FILL: Ruling(UnsupportedFilling, "symbol", _fillings),
    TradeRetcode.ONLY_REAL: Ruling(OrderRejected),
    TradeRetcode.LIMIT_ORDERS: Ruling(OrderLimit, "", _fixed(what="orders")),
    TradeRetcode.LIMIT_VOLUME: Ruling(OrderLimit, "", _fixed(what="volume")),
    TradeRetcode.INVALID_ORDER: Ruling(UnsupportedFilling, "symbol", _kinds),
    TradeRetcode.POSITION_CLOSED: Ruling(PositionNotFound, "", _position),
    TradeRetcode.INVALID_CLOSE_VOLUME: Ruling(InvalidVolume, "symbol", _volume),
    TradeRetcode.CLOSE_ORDER_EXIST: Ruling(OrderRejected),
    TradeRetcode.LIMIT_POSITIONS: Ruling(OrderLimit, "", _fixed(what="positions")),
    TradeRetcode.REJECT_CANCEL: Ruling(OrderRejected),
    TradeRetcode.LONG_ONLY: Ruling(TradeDisabled, "", _fixed(mode="long_only")),
    TradeRetcode.SHORT_ONLY: Ruling(TradeDisabled, "", _fixed(mode="short_only")),
    TradeRetcode.CLOSE_ONLY: Ruling(TradeDisabled, "", _fixed(mode="close_only")),
    TradeRetcode.FIFO_CLOSE: Ruling(OrderRejected),
    TradeRetcode.HEDGE_PROHIBITED: Ruling(OrderRejected),
}
_OTHERWISE = Ruling(OrderUnresolved, "", _unresolved)
"""10012: the server gave up waiting, which does not say that the market did. 10031: the connection
broke, perhaps after the order was through. 10011: an error without a name, and MetaTrader 4's EA
says so of each that it does not know."""
_GONE = Ruling(OrderNotFound, "", lambda evidence: {"ticket": evidence.request.order})
"""A pending order that was filled or removed a moment before; 10035 otherwise is about types."""
_OF_PRICES = frozenset({TradeRetcode.INVALID_PRICE, TradeRetcode.INVALID_STOPS})
_OF_AN_ORDER = frozenset({TradeAction.MODIFY, TradeAction.REMOVE})


def ruling(retcode: int) -> Ruling:
    """Return what a refusal becomes."""
    return RULINGS.get(retcode, _OTHERWISE)


def is_final(retcode: int) -> bool:
    """Whether an answer says that a trade surely was not executed."""
    return retcode in RULINGS


def refusal(retcode: int, evidence: Evidence) -> GatewayError:
    """Return the error that a caller sees for a refusal."""
    rule = ruling(retcode)
    if retcode == TradeRetcode.INVALID_ORDER and evidence.request.action in _OF_AN_ORDER:
        rule = _GONE
    data: dict[str, Any] = {
        "outcome": "rejected",
        "retcode": retcode,
        "retcode_name": retcode_name(retcode),
    }
    wrong = _misplaced(retcode, evidence)
    if wrong is not None and evidence.symbol is not None:
        data |= price_grid(evidence.symbol) | wrong.data
        return InvalidPrice(wrong.message, **data)
    data |= rule.numbers(evidence)
    return rule.error(**data)


def _misplaced(retcode: int, evidence: Evidence) -> Misplaced | None:
    """Return what is wrong with an opening price; MetaTrader 4 takes it for a stop."""
    if retcode not in _OF_PRICES or evidence.symbol is None:
        return None
    return misplaced(evidence.request, evidence.symbol)
