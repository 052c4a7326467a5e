"""Trade requests: how they are read, and what they mean to the gateway.

A request of MetaTrader's is one structure for six kinds of action; the gateway has a method for
each.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.broker_time.timetable import Timetable, transitions_of
from gateway.client.mt5 import constants as c
from gateway.client.mt5.results import TradeRequest
from gateway.client.mt5.state import Failure, Terminal, invalid
from gateway.errors import SymbolNotFound

MAX_TEXT = 29
"""Characters of a symbol or a comment that the original takes."""

_INTEGERS = frozenset(
    {
        "action",
        "magic",
        "order",
        "deviation",
        "type",
        "type_filling",
        "type_time",
        "expiration",
        "position",
        "position_by",
    }
)
_TEXTS = frozenset({"symbol", "comment"})
_FIELDS: tuple[str, ...] = TradeRequest._fields
_MAX_INTEGER = 2**63 - 1
_NETTING = (c.ACCOUNT_MARGIN_MODE_RETAIL_NETTING, c.ACCOUNT_MARGIN_MODE_EXCHANGE)


class InvalidTradeRequest(Exception):
    """Request that is refused before it is sent."""

    def __init__(self, retcode: int) -> None:
        super().__init__(retcode)
        self.retcode = retcode


@dataclass(frozen=True)
class MethodCall:
    """Method of the gateway that means the same as a request."""

    method: Literal["place_order", "close_position", "close_by", "modify_order", "cancel_order"]
    params: dict[str, Any] = field(default_factory=dict)


def read_request(args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[TradeRequest, set[str]]:
    """Read a request; return it, and the fields that were given.

    Raises:
        Failure: it is none, or a field is of the wrong type.

    """
    if args and named:
        raise Failure((c.RES_E_INVALID_PARAMS, "Unnamed arguments not allowed"))
    if len(args) > 1 or not (args or named):
        raise Failure((c.RES_E_INVALID_PARAMS, "Invalid number of arguments"))
    given: Mapping[str, Any] = named or args[0]
    if isinstance(given, TradeRequest):
        given = given._asdict()
    if not isinstance(given, Mapping):
        raise invalid()
    values = {name: _field(name, given[name]) for name in _FIELDS if name in given}
    return TradeRequest(*(values.get(name, _empty(name)) for name in _FIELDS)), set(values)


def _empty(name: str) -> Any:
    return 0 if name in _INTEGERS else "" if name in _TEXTS else 0.0


def _field(name: str, given: Any) -> Any:
    wrong = invalid(f'"{name}" argument')
    if name in _TEXTS:
        if not isinstance(given, str) or len(given) > MAX_TEXT:
            raise wrong
        return given
    if name in _INTEGERS:
        try:
            number = operator.index(given)
        except TypeError:
            raise wrong from None
        if not 0 <= number <= _MAX_INTEGER:
            raise wrong
        return number
    # an integer as well, which the original refuses: volume=1
    if isinstance(given, bool) or not hasattr(given, "__float__") or isinstance(given, str):
        raise wrong
    return float(given)


def plan_of(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    """Return what a request means to the gateway.

    Raises:
        InvalidTradeRequest: it means nothing.

    """
    try:
        planner = _PLANNERS[request.action]
    except KeyError:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID) from None
    return planner(terminal, request, given)


def _deal(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    if request.type not in (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL):
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    if not request.position:
        return _placing(terminal, request, given)
    found = terminal.native("positions", ticket=request.position)
    if not found:
        raise InvalidTradeRequest(c.TRADE_RETCODE_POSITION_CLOSED)
    position = found[0]
    if request.symbol not in ("", position["symbol"]):
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    if request.type == position["type"]:
        # on a netting account it adds to the position, which needs no ticket
        if terminal.account["margin_mode"] not in _NETTING:
            raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
        return _placing(terminal, request._replace(symbol=position["symbol"]), given)
    params: dict[str, Any] = {
        "ticket": request.position,
        "volume": _volume(request),
        "deviation": min(request.deviation, 1_000_000),
        "comment": request.comment,
    }
    if "type_filling" in given:
        params["type_filling"] = request.type_filling
    return MethodCall("close_position", params)


def _pending(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    if not c.ORDER_TYPE_BUY_LIMIT <= request.type <= c.ORDER_TYPE_SELL_STOP_LIMIT:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    if not request.price:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID_PRICE)
    plan = _placing(terminal, request, given)
    plan.params["type_time"] = request.type_time
    if request.expiration:
        plan.params["expiration"] = _utc_ms(terminal, request.expiration)
    return plan


def _placing(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    rounded = _rounding(terminal, request.symbol)
    params: dict[str, Any] = {
        "symbol": request.symbol,
        "type": request.type,
        "volume": _volume(request),
        "deviation": min(request.deviation, 1_000_000),
        "magic": request.magic,
        "comment": request.comment,
    }
    for name in ("price", "sl", "tp", "stoplimit"):
        price = getattr(request, name)
        if price:
            params[name] = rounded(price)
    # left out it is chosen by the gateway, where the original would take FOK
    if "type_filling" in given:
        params["type_filling"] = request.type_filling
    return MethodCall("place_order", params)


def _stops(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    ticket, symbol = request.position, request.symbol
    positions = terminal.native("positions", **({"ticket": ticket} if ticket else {}))
    found = [one for one in positions if ticket or one["symbol"] == symbol]
    if not found:
        raise InvalidTradeRequest(
            c.TRADE_RETCODE_POSITION_CLOSED if ticket else c.TRADE_RETCODE_INVALID
        )
    # without a ticket it is the one position that a netting account has of a symbol
    if symbol not in ("", found[0]["symbol"]) or len(found) > 1:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    rounded = _rounding(terminal, found[0]["symbol"])
    stops = {"sl": rounded(request.sl) or None, "tp": rounded(request.tp) or None}
    return MethodCall(
        "modify_order", {"ticket": found[0]["ticket"], "target": "position", **stops}
    )


def _change(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    found = terminal.native("orders", ticket=request.order) if request.order else []
    if not found:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    rounded = _rounding(terminal, found[0]["symbol"])
    params: dict[str, Any] = {
        "ticket": request.order,
        "target": "order",
        "sl": rounded(request.sl) or None,
        "tp": rounded(request.tp) or None,
        "type_time": request.type_time,
    }
    for name in ("price", "stoplimit"):
        price = getattr(request, name)
        if price:
            params[name] = rounded(price)
    if request.expiration:
        params["expiration"] = _utc_ms(terminal, request.expiration)
    return MethodCall("modify_order", params)


def _removal(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    if not request.order:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    return MethodCall("cancel_order", {"ticket": request.order})


def _close_by(terminal: Terminal, request: TradeRequest, given: set[str]) -> MethodCall:
    if not (request.position and request.position_by):
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    pair = {"position": request.position, "position_by": request.position_by}
    return MethodCall("close_by", {**pair, "comment": request.comment})


_PLANNERS: dict[int, Callable[[Terminal, TradeRequest, set[str]], MethodCall]] = {
    c.TRADE_ACTION_DEAL: _deal,
    c.TRADE_ACTION_PENDING: _pending,
    c.TRADE_ACTION_SLTP: _stops,
    c.TRADE_ACTION_MODIFY: _change,
    c.TRADE_ACTION_REMOVE: _removal,
    c.TRADE_ACTION_CLOSE_BY: _close_by,
}


def _volume(request: TradeRequest) -> float:
    if not 0 < request.volume < 1e12:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID_VOLUME)
    return request.volume


def _rounding(terminal: Terminal, symbol: str) -> Callable[[float], float]:
    """Return what puts a price on a symbol's digits, as a terminal does.

    Raises:
        InvalidTradeRequest: there is no such symbol.

    """
    # the gateway would take a name without the broker's suffix for its own: here it is another
    if not symbol:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID)
    try:
        digits: int = terminal.symbol(symbol)["digits"]
    except SymbolNotFound:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID) from None

    def rounded(price: float) -> float:
        if not 0 <= price < 1e12:  # NaN too
            raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID_PRICE)
        return round(price, digits)

    return rounded


def _utc_ms(terminal: Terminal, broker_s: int) -> int:
    """Return a moment of the broker's clock, such as an expiration, as UTC milliseconds.

    Raises:
        InvalidTradeRequest: it is no moment of this century.

    """
    offset = terminal.connection.call("get_server_time")["offset"]
    offset_ms, rule = offset["broker_utc_offset_s"] * 1000, offset["rule"]
    if rule != "constant":
        offset_ms = Timetable(transitions_of(rule)).of_stamp(broker_s * 1000).offset
    utc_ms: int = broker_s * 1000 - offset_ms
    if not 946_684_800_000 <= utc_ms < 4_102_444_800_000:
        raise InvalidTradeRequest(c.TRADE_RETCODE_INVALID_EXPIRATION)
    return utc_ms
