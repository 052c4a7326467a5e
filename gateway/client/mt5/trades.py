"""Functions that trade: ``order_send``, ``order_check``, ``Buy``, ``Sell``, ``Close``.

A trade request is told to the gateway by the method that means the same, under one
``client_order_id``, and sent once. Where no answer comes, or one that leaves the outcome open, the
gateway's journal is asked for what became of it. An outcome that stays unknown is told as such, by
``TRADE_RETCODE_TIMEOUT``: never as done, and never as not done.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.broker_time.timetable import Timetable, transitions_of
from gateway.client.errors import NoAnswer
from gateway.client.methods_base import new_client_order_id
from gateway.client.mt5 import constants as c
from gateway.client.mt5.queries import positions_get, symbol_info_tick
from gateway.client.mt5.results import (
    OrderCheckResult,
    OrderSendResult,
    TradePosition,
    TradeRequest,
)
from gateway.client.mt5.state import (
    NO_CONNECTION,
    STATE,
    Failure,
    Terminal,
    error_of,
    function,
    invalid,
)
from gateway.errors import (
    AmbiguousSymbol,
    AutotradingDisabled,
    BrokerDisconnected,
    Forbidden,
    Frozen,
    GatewayError,
    InsufficientMargin,
    InvalidParams,
    InvalidPrice,
    InvalidStops,
    InvalidVolume,
    KillSwitchActive,
    LimitExceeded,
    MarketClosed,
    MethodNotSupported,
    OrderLimit,
    OrderNotFound,
    Overloaded,
    PositionNotFound,
    PriceChanged,
    RiskLimit,
    SymbolNotFound,
    TerminalBusy,
    TerminalDisconnected,
    TradeDisabled,
    UnsupportedFilling,
)

SETTLE_S = 30.0
"""How long the journal is asked what became of a request whose answer did not come."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.05, 1.0
MAX_TEXT = 29
"""Characters of a symbol or a comment that the original takes."""
TRIES = 10
"""Of ``Buy`` and ``Sell`` without a price, while the price moves."""
DEVIATION = 10

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

_COMMENTS = {
    c.TRADE_RETCODE_REQUOTE: "Requote",
    c.TRADE_RETCODE_REJECT: "Request rejected",
    c.TRADE_RETCODE_CANCEL: "Request canceled by trader",
    c.TRADE_RETCODE_PLACED: "Order placed",
    c.TRADE_RETCODE_DONE: "Request executed",
    c.TRADE_RETCODE_DONE_PARTIAL: "Request executed partially",
    c.TRADE_RETCODE_ERROR: "Request processing error",
    c.TRADE_RETCODE_TIMEOUT: "Request timed out",
    c.TRADE_RETCODE_INVALID: "Invalid request",
    c.TRADE_RETCODE_INVALID_VOLUME: "Invalid volume",
    c.TRADE_RETCODE_INVALID_PRICE: "Invalid price",
    c.TRADE_RETCODE_INVALID_STOPS: "Invalid stops",
    c.TRADE_RETCODE_TRADE_DISABLED: "Trade disabled",
    c.TRADE_RETCODE_MARKET_CLOSED: "Market closed",
    c.TRADE_RETCODE_NO_MONEY: "No money",
    c.TRADE_RETCODE_PRICE_CHANGED: "Price changed",
    c.TRADE_RETCODE_PRICE_OFF: "Off quotes",
    c.TRADE_RETCODE_INVALID_EXPIRATION: "Invalid expiration",
    c.TRADE_RETCODE_ORDER_CHANGED: "Order changed",
    c.TRADE_RETCODE_TOO_MANY_REQUESTS: "Too many requests",
    c.TRADE_RETCODE_NO_CHANGES: "No changes",
    c.TRADE_RETCODE_SERVER_DISABLES_AT: "AutoTrading disabled by server",
    c.TRADE_RETCODE_CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    c.TRADE_RETCODE_LOCKED: "Request locked",
    c.TRADE_RETCODE_FROZEN: "Order or position frozen",
    c.TRADE_RETCODE_INVALID_FILL: "Unsupported filling mode",
    c.TRADE_RETCODE_CONNECTION: "No connection",
    c.TRADE_RETCODE_LIMIT_ORDERS: "Orders limit reached",
    c.TRADE_RETCODE_LIMIT_VOLUME: "Volume limit reached",
    c.TRADE_RETCODE_INVALID_ORDER: "Invalid order",
    c.TRADE_RETCODE_POSITION_CLOSED: "Position doesn't exist",
    c.TRADE_RETCODE_INVALID_CLOSE_VOLUME: "Invalid close volume",
    c.TRADE_RETCODE_LIMIT_POSITIONS: "Positions limit reached",
}
_RETCODES: tuple[tuple[type[GatewayError], int], ...] = (
    (InvalidVolume, c.TRADE_RETCODE_INVALID_VOLUME),
    (InvalidPrice, c.TRADE_RETCODE_INVALID_PRICE),
    (InvalidStops, c.TRADE_RETCODE_INVALID_STOPS),
    (InsufficientMargin, c.TRADE_RETCODE_NO_MONEY),
    (MarketClosed, c.TRADE_RETCODE_MARKET_CLOSED),
    (TradeDisabled, c.TRADE_RETCODE_TRADE_DISABLED),
    (PriceChanged, c.TRADE_RETCODE_PRICE_CHANGED),
    (OrderNotFound, c.TRADE_RETCODE_INVALID),
    (PositionNotFound, c.TRADE_RETCODE_POSITION_CLOSED),
    (Frozen, c.TRADE_RETCODE_FROZEN),
    (OrderLimit, c.TRADE_RETCODE_LIMIT_ORDERS),
    (UnsupportedFilling, c.TRADE_RETCODE_INVALID_FILL),
    (KillSwitchActive, c.TRADE_RETCODE_CLIENT_DISABLES_AT),
    (RiskLimit, c.TRADE_RETCODE_REJECT),
    (Forbidden, c.TRADE_RETCODE_CLIENT_DISABLES_AT),
    (AutotradingDisabled, c.TRADE_RETCODE_CLIENT_DISABLES_AT),
    (BrokerDisconnected, c.TRADE_RETCODE_CONNECTION),
    (LimitExceeded, c.TRADE_RETCODE_TOO_MANY_REQUESTS),
    (Overloaded, c.TRADE_RETCODE_TOO_MANY_REQUESTS),
    (TerminalBusy, c.TRADE_RETCODE_TOO_MANY_REQUESTS),
    (InvalidParams, c.TRADE_RETCODE_INVALID),
    (MethodNotSupported, c.TRADE_RETCODE_INVALID),
    (SymbolNotFound, c.TRADE_RETCODE_INVALID),
    (AmbiguousSymbol, c.TRADE_RETCODE_INVALID),
)
"""What the trade server would have said of what the gateway refuses by itself."""
_BY_WHAT = {
    "positions": c.TRADE_RETCODE_LIMIT_POSITIONS,
    "volume": c.TRADE_RETCODE_LIMIT_VOLUME,
    "expiration": c.TRADE_RETCODE_INVALID_EXPIRATION,
    "type": c.TRADE_RETCODE_INVALID_ORDER,
    "server": c.TRADE_RETCODE_SERVER_DISABLES_AT,
}
"""The same where the error's data say which limit, or which switch."""


class _Refused(Exception):
    """Request that is refused before it is sent."""

    def __init__(self, retcode: int) -> None:
        super().__init__(retcode)
        self.retcode = retcode


@dataclass(frozen=True)
class _Plan:
    """Method of the gateway that means the same as a request."""

    method: Literal["place_order", "close_position", "close_by", "modify_order", "cancel_order"]
    params: dict[str, Any] = field(default_factory=dict)


# --- requests ------------------------------------------------------------------------------


def _request(args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[TradeRequest, set[str]]:
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


def _plan(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
    """Return what a request means to the gateway.

    Raises:
        _Refused: it means nothing.

    """
    try:
        planner = _PLANNERS[request.action]
    except KeyError:
        raise _Refused(c.TRADE_RETCODE_INVALID) from None
    return planner(terminal, request, given)


def _deal(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
    if request.type not in (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL):
        raise _Refused(c.TRADE_RETCODE_INVALID)
    if not request.position:
        return _placing(terminal, request, given)
    found = terminal.native("positions", ticket=request.position)
    if not found:
        raise _Refused(c.TRADE_RETCODE_POSITION_CLOSED)
    position = found[0]
    if request.symbol not in ("", position["symbol"]):
        raise _Refused(c.TRADE_RETCODE_INVALID)
    if request.type == position["type"]:
        # on a netting account it adds to the position, which needs no ticket
        if terminal.account["margin_mode"] == c.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING:
            raise _Refused(c.TRADE_RETCODE_INVALID)
        return _placing(terminal, request._replace(symbol=position["symbol"]), given)
    params: dict[str, Any] = {
        "ticket": request.position,
        "volume": _volume(request),
        "deviation": min(request.deviation, 1_000_000),
        "comment": request.comment,
    }
    if "type_filling" in given:
        params["type_filling"] = request.type_filling
    return _Plan("close_position", params)


def _pending(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
    if not c.ORDER_TYPE_BUY_LIMIT <= request.type <= c.ORDER_TYPE_SELL_STOP_LIMIT:
        raise _Refused(c.TRADE_RETCODE_INVALID)
    if not request.price:
        raise _Refused(c.TRADE_RETCODE_INVALID_PRICE)
    plan = _placing(terminal, request, given)
    plan.params["type_time"] = request.type_time
    if request.expiration:
        plan.params["expiration"] = _utc_ms(terminal, request.expiration)
    return plan


def _placing(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
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
    return _Plan("place_order", params)


def _stops(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
    ticket, symbol = request.position, request.symbol
    positions = terminal.native("positions", **({"ticket": ticket} if ticket else {}))
    found = [one for one in positions if ticket or one["symbol"] == symbol]
    if not found:
        raise _Refused(c.TRADE_RETCODE_POSITION_CLOSED if ticket else c.TRADE_RETCODE_INVALID)
    # without a ticket it is the one position that a netting account has of a symbol
    if symbol not in ("", found[0]["symbol"]) or len(found) > 1:
        raise _Refused(c.TRADE_RETCODE_INVALID)
    rounded = _rounding(terminal, found[0]["symbol"])
    stops = {"sl": rounded(request.sl) or None, "tp": rounded(request.tp) or None}
    return _Plan("modify_order", {"ticket": found[0]["ticket"], "target": "position", **stops})


def _change(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
    found = terminal.native("orders", ticket=request.order) if request.order else []
    if not found:
        raise _Refused(c.TRADE_RETCODE_INVALID)
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
    return _Plan("modify_order", params)


def _removal(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
    if not request.order:
        raise _Refused(c.TRADE_RETCODE_INVALID)
    return _Plan("cancel_order", {"ticket": request.order})


def _close_by(terminal: Terminal, request: TradeRequest, given: set[str]) -> _Plan:
    if not (request.position and request.position_by):
        raise _Refused(c.TRADE_RETCODE_INVALID)
    pair = {"position": request.position, "position_by": request.position_by}
    return _Plan("close_by", {**pair, "comment": request.comment})


_PLANNERS: dict[int, Callable[[Terminal, TradeRequest, set[str]], _Plan]] = {
    c.TRADE_ACTION_DEAL: _deal,
    c.TRADE_ACTION_PENDING: _pending,
    c.TRADE_ACTION_SLTP: _stops,
    c.TRADE_ACTION_MODIFY: _change,
    c.TRADE_ACTION_REMOVE: _removal,
    c.TRADE_ACTION_CLOSE_BY: _close_by,
}


def _volume(request: TradeRequest) -> float:
    if not 0 < request.volume < 1e12:
        raise _Refused(c.TRADE_RETCODE_INVALID_VOLUME)
    return request.volume


def _rounding(terminal: Terminal, symbol: str) -> Callable[[float], float]:
    """Return what puts a price on a symbol's digits, as a terminal does.

    Raises:
        _Refused: there is no such symbol.

    """
    # the gateway would take a name without the broker's suffix for its own: here it is another
    if not symbol:
        raise _Refused(c.TRADE_RETCODE_INVALID)
    try:
        digits: int = terminal.symbol(symbol)["digits"]
    except SymbolNotFound:
        raise _Refused(c.TRADE_RETCODE_INVALID) from None

    def rounded(price: float) -> float:
        if not 0 <= price < 1e12:  # NaN too
            raise _Refused(c.TRADE_RETCODE_INVALID_PRICE)
        return round(price, digits)

    return rounded


def _utc_ms(terminal: Terminal, broker_s: int) -> int:
    """Return a moment of the broker's clock, such as an expiration, as UTC milliseconds.

    Raises:
        _Refused: it is no moment of this century.

    """
    offset = terminal.connection.call("get_server_time")["offset"]
    offset_ms, rule = offset["broker_utc_offset_s"] * 1000, offset["rule"]
    if rule != "constant":
        offset_ms = Timetable(transitions_of(rule)).of_stamp(broker_s * 1000).offset
    utc_ms: int = broker_s * 1000 - offset_ms
    if not 946_684_800_000 <= utc_ms < 4_102_444_800_000:
        raise _Refused(c.TRADE_RETCODE_INVALID_EXPIRATION)
    return utc_ms


# --- sending -------------------------------------------------------------------------------


@function("any")
def order_send(*args: Any, **named: Any) -> OrderSendResult:
    """order_send(request)

    Send trading requests to server
    """
    request, given = _request(args, named)
    terminal = STATE.open()
    try:
        plan = _plan(terminal, request, given)
    except _Refused as refused:
        return _answer(request, refused.retcode)
    client_order_id = new_client_order_id()
    try:
        receipt = terminal.connection.call(
            plan.method, client_order_id=client_order_id, **plan.params
        )
    except (GatewayError, NoAnswer) as error:
        if error.outcome == "unknown":
            return _settled(terminal, request, client_order_id)
        return _refusal(request, plan, error)
    return _executed(request, receipt["order"])


def _refusal(
    request: TradeRequest, plan: _Plan, error: GatewayError | NoAnswer
) -> OrderSendResult:
    """Return the answer to a request that surely was not executed.

    Raises:
        Failure: the terminal was not reached.

    """
    if isinstance(error, NoAnswer | TerminalDisconnected):
        raise Failure(error_of(error))
    data = error.data
    return _answer(
        request,
        _retcode(error, plan),
        comment=None if data.get("retcode") else error.message,
        bid=data.get("bid"),
        ask=data.get("ask"),
    )


def _retcode(error: GatewayError, plan: _Plan) -> int:
    told = error.data.get("retcode")
    if isinstance(told, int) and told:
        return told
    for name in ("what", "where"):
        if error.data.get(name) in _BY_WHAT:
            return _BY_WHAT[error.data[name]]
    if isinstance(error, InvalidVolume) and plan.method == "close_position":
        return c.TRADE_RETCODE_INVALID_CLOSE_VOLUME
    for kind, retcode in _RETCODES:
        if isinstance(error, kind):
            return retcode
    return c.TRADE_RETCODE_REJECT


def _settled(terminal: Terminal, request: TradeRequest, client_order_id: str) -> OrderSendResult:
    """Ask the journal what became of a request, until it knows or the time is over."""
    until_s, pause_s = time.monotonic() + SETTLE_S, FIRST_PAUSE_S
    while True:
        try:
            record = terminal.connection.call("get_order", client_order_id=client_order_id)
        except (GatewayError, NoAnswer):
            # nor is "not found" an end: what was written may still be on its way
            record = {"outcome": "unknown"}
        if record["outcome"] not in ("pending", "unknown"):
            return _told(request, record)
        if time.monotonic() + pause_s > until_s:
            comment = f"Outcome unknown: get_order {client_order_id}"
            return _answer(request, c.TRADE_RETCODE_TIMEOUT, comment=comment)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LAST_PAUSE_S)


def _told(request: TradeRequest, record: dict[str, Any]) -> OrderSendResult:
    """Return the answer that the journal has."""
    if record["outcome"] == "done":
        if record["result"] is not None:
            return _executed(request, record["result"]["order"])
        return _found(request, record["sends"][-1])
    error = record["error"] or {"message": None, "data": {}}
    retcode = error["data"].get("retcode") or c.TRADE_RETCODE_REJECT
    return _answer(request, retcode, comment=error["message"])


def _found(request: TradeRequest, send: dict[str, Any]) -> OrderSendResult:
    """Return the answer to a request that was found executed; its prices are not known."""
    done = c.TRADE_RETCODE_PLACED if send["deal"] is None else c.TRADE_RETCODE_DONE
    return _answer(
        request,
        send["retcode"] or done,
        order=send["order"],
        deal=send["deal"],
        volume=send["volume"],
    )


def _executed(request: TradeRequest, outcome: dict[str, Any]) -> OrderSendResult:
    filled = outcome["filled_volume"]
    placed = request.action == c.TRADE_ACTION_PENDING
    return _answer(
        request,
        # 0: an order that the gateway keeps itself, since the platform has none of its kind
        outcome["retcode"] or c.TRADE_RETCODE_PLACED,
        deal=outcome["deal"],
        order=outcome["order"],
        volume=filled or (outcome["volume"] if placed else None),
        price=outcome["avg_price"] if filled else None,
        bid=outcome["bid"],
        ask=outcome["ask"],
        request_id=outcome["request_id"],
        retcode_external=outcome["retcode_external"],
    )


def _answer(
    request: TradeRequest,
    retcode: int,
    *,
    deal: int | None = None,
    order: int | None = None,
    volume: float | None = None,
    price: float | None = None,
    bid: float | None = None,
    ask: float | None = None,
    comment: str | None = None,
    request_id: int = 0,
    retcode_external: int = 0,
) -> OrderSendResult:
    return OrderSendResult(
        retcode=retcode,
        deal=deal or 0,
        order=order or 0,
        volume=volume or 0.0,
        price=price or 0.0,
        bid=bid or 0.0,
        ask=ask or 0.0,
        comment=comment or _COMMENTS.get(retcode, ""),
        request_id=request_id,
        retcode_external=retcode_external,
        request=request,
    )


# --- checking ------------------------------------------------------------------------------


@function("any")
def order_check(*args: Any, **named: Any) -> OrderCheckResult:
    """order_check(request)

    Check if there are enough funds to execute required trading operation
    """
    request, given = _request(args, named)
    terminal = STATE.open()
    try:
        plan = _plan(terminal, request, given)
    except _Refused as refused:
        return _checked(request, {"retcode": refused.retcode, "comment": ""})
    try:
        if plan.method == "place_order":  # a read, so that a token that may not trade can ask
            return _checked(request, terminal.connection.call("order_check", **plan.params))
        receipt = terminal.connection.call(plan.method, validate_only=True, **plan.params)
    except TerminalDisconnected:
        raise Failure(NO_CONNECTION) from None
    except GatewayError as error:
        return _checked(request, {"retcode": _retcode(error, plan), "comment": error.message})
    check = receipt["check"] or {"retcode": 0, "comment": ""}
    return _checked(request, check)


def _checked(request: TradeRequest, check: Mapping[str, Any]) -> OrderCheckResult:
    retcode = check["retcode"]
    return OrderCheckResult(
        retcode=retcode,
        balance=check.get("balance") or 0.0,
        equity=check.get("equity") or 0.0,
        profit=check.get("profit") or 0.0,
        margin=check.get("margin") or 0.0,
        margin_free=check.get("margin_free") or 0.0,
        margin_level=check.get("margin_level") or 0.0,
        comment=check["comment"] or (_COMMENTS.get(retcode, "") if retcode else "Done"),
        request=request,
    )


# --- in one word ---------------------------------------------------------------------------


def Buy(
    symbol: str,
    volume: float,
    price: float | None = None,
    *,
    comment: str | None = None,
    ticket: int | None = None,
) -> OrderSendResult | None:
    """Buy at market; without a price it is tried again while the price moves."""
    return _at_market(c.ORDER_TYPE_BUY, symbol, volume, price, comment, ticket)


def Sell(
    symbol: str,
    volume: float,
    price: float | None = None,
    *,
    comment: str | None = None,
    ticket: int | None = None,
) -> OrderSendResult | None:
    """Sell at market; without a price it is tried again while the price moves."""
    return _at_market(c.ORDER_TYPE_SELL, symbol, volume, price, comment, ticket)


def Close(
    symbol: str, *, comment: str | None = None, ticket: int | None = None
) -> bool | Literal["Partially"] | None:
    """Close every position of a symbol, or the one with a ticket.

    Returns:
        True: all are closed; ``"Partially"``: some; False: none; None: the terminal did not
        answer.

    """
    positions = (
        positions_get(ticket=ticket) if ticket is not None else positions_get(symbol=symbol)
    )
    if positions is None:
        return None
    results = []
    for position in positions:
        result = _closed(position, comment)
        if result is None:
            return None
        results.append(result.retcode == c.TRADE_RETCODE_DONE)
    if all(results):
        return True
    return "Partially" if any(results) else False


def _closed(position: TradePosition, comment: str | None) -> OrderSendResult | None:
    is_buy = position.type == c.POSITION_TYPE_BUY
    other = c.ORDER_TYPE_SELL if is_buy else c.ORDER_TYPE_BUY
    return _at_market(other, position.symbol, position.volume, None, comment, position.ticket)


def _at_market(
    order_type: int,
    symbol: str,
    volume: float,
    price: float | None,
    comment: str | None,
    ticket: int | None,
) -> OrderSendResult | None:
    if price is not None:
        return _RawOrder(order_type, symbol, volume, price, comment, ticket)
    for _ in range(TRIES):
        tick = symbol_info_tick(symbol)
        now = tick.ask if order_type == c.ORDER_TYPE_BUY else tick.bid
        result = _RawOrder(order_type, symbol, volume, now, comment, ticket)
        moved = (c.TRADE_RETCODE_REQUOTE, c.TRADE_RETCODE_PRICE_OFF)
        if result is None or result.retcode not in moved:
            break
    return result


def _RawOrder(
    order_type: int,
    symbol: str,
    volume: float,
    price: float,
    comment: str | None = None,
    ticket: int | None = None,
) -> OrderSendResult | None:
    """Send a deal at a price, within 10 points."""
    request: dict[str, Any] = {
        "action": c.TRADE_ACTION_DEAL,
        "symbol": symbol,
        "volume": volume,
        "type": order_type,
        "price": price,
        "deviation": DEVIATION,
    }
    if comment is not None:
        request["comment"] = comment
    if ticket is not None:
        request["position"] = ticket
    return order_send(request)
