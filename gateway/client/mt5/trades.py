"""Functions that trade: ``order_send``, ``order_check``, ``Buy``, ``Sell``, ``Close``.

A trade request is told to the gateway by the method that means the same, under one
``client_order_id``, and sent once. Where no answer comes, or one that leaves the outcome open, the
gateway's journal is asked for what became of it. An outcome that stays unknown is told as such, by
``TRADE_RETCODE_TIMEOUT``: never as done, and never as not done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

from gateway.client.errors import NoAnswer, error_from
from gateway.client.methods_base import new_client_order_id
from gateway.client.mt5 import constants as c
from gateway.client.mt5.queries import positions_get, symbol_info_tick
from gateway.client.mt5.requests import InvalidTradeRequest, MethodCall, plan_of, read_request
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
    Unauthorized,
    UnsupportedFilling,
)

SETTLE_S = 30.0
"""How long the journal is asked what became of a request whose answer did not come."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.05, 1.0
TRIES = 10
"""Of ``Buy`` and ``Sell`` without a price, while the price moves."""
DEVIATION = 10

_REFUSED_AT_THE_DOOR = (Unauthorized, Forbidden, InvalidParams, LimitExceeded, Overloaded)
"""Errors of calls that nothing was done for, whether they tell an outcome or not."""

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
    c.TRADE_RETCODE_ONLY_REAL: "Only real accounts",
    c.TRADE_RETCODE_CLOSE_ORDER_EXIST: "Close order exists",
    c.TRADE_RETCODE_REJECT_CANCEL: "Cancellation rejected",
    c.TRADE_RETCODE_LONG_ONLY: "Long positions only",
    c.TRADE_RETCODE_SHORT_ONLY: "Short positions only",
    c.TRADE_RETCODE_CLOSE_ONLY: "Closing only",
    c.TRADE_RETCODE_FIFO_CLOSE: "FIFO closing only",
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
    (Unauthorized, c.TRADE_RETCODE_CLIENT_DISABLES_AT),
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


# --- sending -------------------------------------------------------------------------------


@function("any")
def order_send(*args: Any, **named: Any) -> OrderSendResult:
    """order_send(request)

    Send trading requests to server
    """
    request, given = read_request(args, named)
    terminal = STATE.open()
    try:
        plan = plan_of(terminal, request, given)
    except InvalidTradeRequest as refused:
        return _answer(request, refused.retcode)
    client_order_id = new_client_order_id()
    try:
        receipt = terminal.connection.call(
            plan.method, client_order_id=client_order_id, **plan.params
        )
    except (GatewayError, NoAnswer) as error:
        if _is_sure(error):
            return _refusal(request, plan, error)
        return _settled(terminal, request, client_order_id)
    return _executed(request, receipt["order"])


def _is_sure(error: GatewayError | NoAnswer) -> bool:
    """Whether a request was surely not executed: it was refused, or never sent.

    What tells no outcome may have come after the request was sent: a proxy's page in the place
    of an answer, a fault within the gateway.
    """
    if error.outcome is None:
        return isinstance(error, _REFUSED_AT_THE_DOOR)
    return error.outcome != "unknown"


def _refusal(
    request: TradeRequest, plan: MethodCall, error: GatewayError | NoAnswer
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


def _retcode(error: GatewayError, plan: MethodCall) -> int:
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
    request, given = read_request(args, named)
    terminal = STATE.open()
    try:
        plan = plan_of(terminal, request, given)
    except InvalidTradeRequest as refused:
        return _checked(request, {"retcode": refused.retcode, "comment": ""})
    try:
        if plan.method == "place_order":  # a read, so that a token that may not trade can ask
            check = terminal.connection.call("order_check", **plan.params)
            if check["error"] is not None:
                check["retcode"] = _retcode(error_from(check["error"]), plan)
            return _checked(request, check)
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
