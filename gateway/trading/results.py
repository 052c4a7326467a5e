"""Results of trades: what the trade server's and the terminal's answers mean for a caller.

:data:`RULINGS` is one table: each refusal, the error that it becomes, and the evidence that makes
the error useful (the grid that a volume did not fit, the money that was not there). It lists what
surely was not executed, and nothing else does: after any other answer (an error of no name, a
connection that broke, a number that nobody knows) the outcome is unknown, and is found out.

The EA's answer is the only word there is until the account is looked at. One that cannot be true
(more filled than was asked for, a price beyond all markets, a negative ticket) may come from a
broken plugin of the broker's or a faulty EA: it tells that something was answered, and not what.
Such an outcome is unknown as well (:func:`is_plausible`).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ea_bridge import commands, errors
from ea_bridge.commands import TERMINAL_ERRORS, TOO_LARGE, Command
from ea_bridge.model import (
    BUYS,
    Account,
    OrderType,
    SymbolInfo,
    Tick,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)
from ea_bridge.model.struct import Struct
from gateway.errors import (
    AutotradingDisabled,
    Frozen,
    GatewayError,
    HistoryLoading,
    InsufficientMargin,
    InternalError,
    InvalidParams,
    InvalidPrice,
    InvalidStops,
    InvalidVolume,
    MarketClosed,
    MethodNotSupported,
    NoMarketDepth,
    OrderLimit,
    OrderNotFound,
    OrderRejected,
    OrderUnresolved,
    PositionNotFound,
    PriceChanged,
    TerminalBusy,
    TradeDisabled,
    UnsupportedFilling,
    did_you_mean,
)
from gateway.schemas.convert import enums, flags, retcode_name

from .filling import allowed_fillings
from .price_grid import Misplaced, misplaced, price_grid, volume_grid

BUSY_RETRY_MS = 500
"""When to try again after the broker said that there were too many requests."""
CHECK_AFTER_MS = 2000
"""When to look what became of an order whose outcome is not known."""

Needs = Literal["", "symbol", "money", "prices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Facts that explain a refusal; what could not be learnt is ``None``."""

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
    return {"mode": enums.SYMBOL_TRADE_MODE[symbol.trade_mode] if symbol else "disabled"}


def _fillings(evidence: Evidence) -> dict[str, Any]:
    if evidence.symbol is None:
        return {"what": "filling"}
    fillings = allowed_fillings(evidence.symbol, evidence.request.type)
    allowed = [enums.ORDER_FILLING[filling] for filling in fillings]
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
    """Error that one refusal becomes."""

    error: type[GatewayError]
    needs: Needs = ""
    """Evidence to ask the terminal for before explaining."""
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
    """Return the ruling for a refusal."""
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


HISTORY_RETRY_MS = 500
MAX_COMPARED = 2000
"""Symbols that a mistyped one is compared with; brokers have up to tens of thousands."""

NOT_EXECUTED = frozenset(TERMINAL_ERRORS) - {4024, 4756, TOO_LARGE}
"""Run-time errors after which a trade surely was not sent to the broker. Any other may have come
after ``OrderSend``: 4024 is MQL's internal error, 4756 stands beside whatever is not a success."""

Look = Callable[[Command[Any, Any], Struct], Awaitable[Any]]
"""Asks a question; ``None`` if the answer does not come soon."""


def failure(
    failed: errors.CommandFailed, params: Struct, *, terminal: str, platform: str
) -> GatewayError:
    """Return what a caller sees of an MQL run-time error."""
    about = {
        name: value
        for name in ("symbol", "ticket", "order", "position")
        if (value := getattr(params, name, None))
    }
    name = TERMINAL_ERRORS.get(failed.err, f"other_{failed.err}")
    match failed.err:
        case 4401:
            return HistoryLoading(retry_after_ms=HISTORY_RETRY_MS, **about)
        case 4753:
            return PositionNotFound(**about)
        case 4754:
            return OrderNotFound(**about)
        case 4756:
            return OrderRejected("The terminal could not send the order", err=failed.err, **about)
        case 4901:
            return NoMarketDepth(**about)
        case 4003:
            return InvalidParams("The terminal does not accept these params", err=failed.err)
        case 4014:
            return MethodNotSupported(terminal=terminal, platform=platform, err_name=name)
        case _:
            return InternalError(
                "The terminal failed; its Experts log may say why", err=failed.err, err_name=name
            )


async def explain(look: Look, retcode: int, evidence: Evidence) -> Evidence:
    """Ask the terminal for what the explanation of a refusal needs."""
    request, needs = evidence.request, ruling(retcode).needs
    if needs == "symbol" and request.symbol:
        symbol = await look(commands.SYMBOL_GET, commands.SymbolParams(symbol=request.symbol))
        return replace(evidence, symbol=symbol)
    if needs == "prices":
        return await _with_prices(look, evidence)
    if needs == "money":
        return await _with_money(look, evidence)
    return evidence


async def _with_prices(look: Look, evidence: Evidence) -> Evidence:
    result = evidence.result
    # the broker's own prices of that moment tell more than those of now
    if result is not None and result.bid and result.ask:
        return replace(evidence, bid=result.bid, ask=result.ask)
    symbol = evidence.request.symbol
    tick: Tick | None = await look(commands.TICK_GET, commands.SymbolParams(symbol=symbol))
    return evidence if tick is None else replace(evidence, bid=tick.bid, ask=tick.ask)


async def _with_money(look: Look, evidence: Evidence) -> Evidence:
    request = evidence.request
    account: Account | None = await look(commands.ACCOUNT_GET, commands.NoParams())
    free = None if account is None else account.margin_free
    # an order at market has no price, and the margin depends on one
    price = request.price or await _market_price(look, request)
    required: commands.CalculatedAmount | None = None
    if request.symbol and price:
        required = await look(
            commands.ORDER_CALC_MARGIN,
            commands.MarginParams(
                type=OrderType.BUY if request.type in BUYS else OrderType.SELL,
                symbol=request.symbol,
                volume=request.volume,
                price=price,
            ),
        )
    margin = None if required is None else required.value
    return replace(evidence, margin_free=free, margin_required=margin)


async def _market_price(look: Look, request: TradeRequest) -> float:
    info: SymbolInfo | None = await look(
        commands.SYMBOL_GET, commands.SymbolParams(symbol=request.symbol)
    )
    if info is None:
        return 0.0
    return info.ask if request.type in BUYS else info.bid


def nearest_symbols(given: str, known: Iterable[str]) -> dict[str, Any]:
    """Return ``did_you_mean``; compares those that begin alike or contain what was given."""
    wanted = given.lower()
    alike = [
        name
        for name in known
        if name[:1].lower() == wanted[:1] or wanted in name.lower() or name.lower() in wanted
    ]
    return did_you_mean(given, alike[:MAX_COMPARED])


MAX_PRICE = 1e12
"""Beyond the price of anything that is traded."""
MAX_FACTOR = 10.0
"""How far from the price that was asked for a fill can be: no gap is so wide."""
_SAME_VOLUME = 1e-8
"""Lots are decimal fractions: two doubles may differ by less and mean the same."""
_OF_VOLUME = frozenset({TradeAction.DEAL, TradeAction.PENDING})
_OF_VALUES = frozenset({TradeAction.SLTP, TradeAction.MODIFY})
"""What sets values, which may be there already: anything else changes something, or failed."""


def is_plausible(request: TradeRequest, result: TradeResult, market: float = 0.0) -> bool:
    """Whether a result can be one of a request.

    Args:
        market: about where an order at market is filled; without it the price that the request
            names, which may be any.

    """
    return (
        (result.retcode != TradeRetcode.NO_CHANGES or request.action in _OF_VALUES)
        and min(result.order, result.deal, result.position) >= 0
        and _is_volume(request, result.volume)
        and _is_price(request, result.price, market or request.price)
    )


def _is_volume(request: TradeRequest, volume: float) -> bool:
    if not math.isfinite(volume) or volume < 0:
        return False
    return request.action not in _OF_VOLUME or volume <= request.volume + _SAME_VOLUME


def _is_price(request: TradeRequest, price: float, near: float) -> bool:
    if not 0 <= price < MAX_PRICE:
        return False
    if request.action != TradeAction.DEAL or not price or near <= 0:
        return True
    # wide on purpose: a true fill that is doubted costs more than a false one that passes
    return near / MAX_FACTOR < price < near * MAX_FACTOR
