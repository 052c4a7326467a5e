"""Checks of the market: may be traded at all, is it open, do the prices make sense."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import (
    Order,
    Position,
    SymbolTradeMode,
    TradeAction,
    TradeRequest,
)
from gateway.errors import AutotradingDisabled, InvalidStops, MarketClosed, TradeDisabled
from gateway.schemas.convert import enums, word
from gateway.trading.grid import exact
from gateway.trading.sessions import is_closed, opening

from .case import Case, Kind
from .refusing import over
from .traded import STOP_LIMITS, WITH_STOPS

BPS = Decimal(10_000)
_WAITING = frozenset({TradeAction.PENDING, TradeAction.MODIFY})
_CLOSED_WAYS: dict[int, tuple[bool, bool]] = {
    SymbolTradeMode.DISABLED: (True, True),
    SymbolTradeMode.CLOSEONLY: (True, True),
    SymbolTradeMode.LONGONLY: (False, True),
    SymbolTradeMode.SHORTONLY: (True, False),
}
"""Whether a symbol forbids buying and selling, by its mode."""


def tradable(case: Case) -> None:
    """The terminal is there and connected, and no switch is off: terminal, account or symbol."""
    terminal = case.terminal
    terminal.check_tradable(case.trade.tier)
    session = terminal.session
    if session is not None and session.trade_allowed is False:
        raise _switched_off("account", "The account may not trade: the broker says so")
    if case.kind is not Kind.OPEN:
        return
    if case.facts.has("account"):
        account = case.facts.account
        if not account.trade_allowed:
            raise _switched_off("account", "The account may not trade: the broker says so")
        if not account.trade_expert:
            raise _switched_off("server", "The broker lets no programs trade this account")
    _check_mode(case)


def _switched_off(where: str, message: str) -> AutotradingDisabled:
    return AutotradingDisabled(message, where=where)


def _check_mode(case: Case) -> None:
    info = case.symbol
    if info is None:
        return
    mode = info.trade_mode
    if case.is_netting and mode != SymbolTradeMode.DISABLED:
        return  # the order may close what is open: the broker tells
    ways = _CLOSED_WAYS.get(mode)
    if ways is not None and ways[0 if case.buys else 1]:
        raise TradeDisabled(mode=word(enums.SYMBOL_TRADE_MODE, mode), symbol=info.name)


def market_open(case: Case) -> None:
    """The symbol's trade session runs. What closes a position is left to the broker: a table that
    is wrong must keep nobody in it.
    """
    week, terminal = case.week, case.terminal
    if week is None or not is_closed(week, terminal.clock, terminal.now_ms()):
        return
    raise MarketClosed(
        symbol=case.request.symbol, opens_at=opening(week, terminal.clock, terminal.now_ms())
    )


def price_collar(case: Case) -> None:
    """The order's prices lie near the last tick."""
    most = case.limits.collar_bps
    if most is None or case.symbol is None:
        return
    market = exact(case.market)
    if market <= 0:
        raise over("price_collar", "The distance from the market", limit=most, value=None)
    for name in ("price", "stoplimit"):
        given = exact(getattr(case.request, name))
        away = abs(given - market) * BPS / market
        if given and away > most:
            raise over(
                "price_collar",
                f"The distance of {name} from the market",
                limit=most,
                value=round(away, 4),
                unit=" bps",
                field=name,
                bid=case.symbol.bid,
                ask=case.symbol.ask,
            )


def tick_age(case: Case) -> None:
    """The last tick is fresh."""
    most = case.limits.max_tick_age_ms
    if most is None:
        return
    tick_ms = case.facts.tick_ms
    is_measured = case.terminal.clock.is_measured
    age_ms = case.broker_ms - tick_ms if tick_ms and is_measured else None
    if age_ms is None or age_ms > most:
        raise over("tick_age", "The age of the last tick", limit=most, value=age_ms, unit=" ms")


def stop_loss_set(case: Case) -> None:
    """There is a stop loss, where one is demanded."""
    request = case.request
    if request.action in WITH_STOPS and not request.sl:
        raise over("stop_loss", "The stop loss must be set: it", limit=None, value=None)


def stops(case: Case) -> None:
    """A new stop loss and take profit lie on their side of the market, beyond the stops level."""
    info, request = case.symbol, case.request
    if info is None or not (request.sl or request.tp) or request.action not in WITH_STOPS:
        return
    base = exact(_stops_base(case))
    if base <= 0:
        return  # without a quote nothing can be filled: the broker says so
    least = exact(info.point) * info.trade_stops_level
    for name in ("sl", "tp"):
        price = exact(getattr(request, name))
        if not price or price == _held(case, name):
            continue
        below = (name == "sl") == case.buys
        gap = base - price if below else price - base
        if gap <= 0 or gap < least:
            raise InvalidStops(
                f"The {name} must lie {'below' if below else 'above'} {base}"
                + (f", by {least} at least" if least else ""),
                field=name,
                stops_level_points=info.trade_stops_level,
                point=info.point,
                bid=info.bid or None,
                ask=info.ask or None,
                limit=float(base - least if below else base + least),
                value=float(price),
            )


def _stops_base(case: Case) -> float:
    """Return what stops are measured from: the order's own price, or what would close it now."""
    request: TradeRequest = case.request
    if request.action in _WAITING:
        return request.stoplimit if request.type in STOP_LIMITS else request.price
    info = case.symbol
    if info is None:
        return 0.0
    return info.bid if case.buys else info.ask


def _held(case: Case, name: str) -> Decimal:
    held = case.trade.changes
    if isinstance(held, Position | Order) and case.request.action == TradeAction.SLTP:
        return exact(getattr(held, name))
    return Decimal()
