"""Rules of risk: their table, in the order in which they are checked, and the check of each.

A check raises the error of a broken limit. A limit that is ``None`` limits nothing.

The kill switch, the caller's rights and the id of the order come before all of these: see
:class:`~gateway.trading.terminal.GuardedTerminal` and :meth:`gateway.rpc.catalogue.Method.answer`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ea_bridge.model import Order, Position, SymbolTradeMode, TradeAction, TradeRequest
from gateway.errors import (
    AutotradingDisabled,
    InsufficientMargin,
    InvalidStops,
    LimitExceeded,
    MarketClosed,
    RiskLimit,
    TradeDisabled,
)
from gateway.schemas.convert import enums
from gateway.trading.price_grid import exact
from gateway.trading.trade_sessions import is_closed, opening

from ..limits import TradingLimits
from .context import Exposure, OrderEffect, RiskContext, StaleFacts
from .counters import MAX_COUNTED, MAX_OF_SYMBOL, MINUTE_S
from .facts import STOP_LIMITS, WITH_STOPS, Need

Number = Decimal | int | float | None


def over(
    rule: str, what: str, *, limit: Number, value: Number, unit: str = "", **data: Any
) -> RiskLimit:
    """Return the error of a number that is over a limit.

    Args:
        rule: the name of the check.
        what: the number, as the message begins.
        limit: the most that is allowed.
        value: what it would be; ``None`` if nobody knows.
        unit: of both.

    """
    is_now = "is not known" if value is None else f"would be {_text(value)}{unit}"
    return RiskLimit(
        f"{what} {is_now}, and the limit is {_text(limit)}{unit}",
        rule=rule,
        limit=_plain(limit),
        value=_plain(value),
        **data,
    )


def _text(number: Number) -> str:
    return format(number.normalize(), "f") if isinstance(number, Decimal) else f"{number}"


def _plain(number: Number) -> int | float | None:
    return float(number) if isinstance(number, Decimal) else number


ALIKE_S = 10.0
PLAY_MONEY = frozenset({"demo", "contest"})


def age(context: RiskContext) -> None:
    """The request is still worth sending."""
    context.order.options.deadline.remaining_ms()


def auto_trade_enabled(context: RiskContext) -> None:
    """Programs may trade the account."""
    raise RiskLimit(
        "The account is registered as one that programs do not trade: auto_trade_enabled is false",
        limit=True,
        value=False,
    )


def allowed_symbols(context: RiskContext) -> None:
    """The symbol may be traded: the broker's, whatever name the caller has for it."""
    allowed, name = context.limits.allowed_symbols, context.request.symbol
    if allowed is None or name in context.facts.allowed:
        return
    raise RiskLimit(
        f"{name} is not among the symbols that may be traded", limit=sorted(allowed), value=name
    )


def orders_per_second(context: RiskContext) -> None:
    """The account is not sent more commands than it is to take."""
    rate, burst = context.limits.orders_per_second, context.limits.order_burst or 1
    if rate is None:
        return
    if not rate:
        raise RiskLimit("orders_per_second is 0, which allows no order", limit=0, value=1)
    level = context.rate.level(float(rate))
    if level + 1 > burst + 1e-9:
        wait_ms = math.ceil((level + 1 - burst) / float(rate) * 1000)
        raise LimitExceeded(
            "Too many orders for this account; wait retry_after_ms",
            bucket="orders",
            limit=float(rate),
            burst=burst,
            value=round(level + 1, 3),
            remaining=0,
            reset_ms=math.ceil(level / float(rate) * 1000),
            retry_after_ms=wait_ms,
        )


def orders_per_minute(context: RiskContext) -> None:
    """New orders in any 60 seconds."""
    most = context.limits.max_orders_per_minute
    if most is None:
        return
    value = context.rate.within(MINUTE_S) + 1
    if value > min(most, MAX_COUNTED - 1):
        raise over("max_orders_per_minute", "New orders in a minute", limit=most, value=value)


def orders_per_day(context: RiskContext) -> None:
    """New orders since the broker's midnight."""
    most = context.limits.max_orders_per_day
    if most is None:
        return
    value = context.rate.today(context.broker_day) + 1
    if value > most:
        raise over("max_orders_per_day", "New orders of the day", limit=most, value=value)


def symbol_orders(context: RiskContext) -> None:
    """New orders of one symbol in some hours."""
    most, window_s = context.limits.max_symbol_orders, context.limits.symbol_window_s
    if most is None or window_s is None:
        return
    since_ms = context.terminal.now_ms() - round(window_s * 1000)
    value = context.rate.of_symbol(context.request.symbol, since_ms) + 1
    if value > min(most, MAX_OF_SYMBOL):
        raise over(
            "max_symbol_orders",
            f"New orders for {context.request.symbol} in {window_s / 3600:g} h",
            limit=most,
            value=value,
            window_s=window_s,
        )


def identical_orders(context: RiskContext) -> None:
    """Orders that are alike, in any 10 seconds."""
    most = context.limits.max_identical_orders
    if most is None:
        return
    value = context.rate.alike(context.fingerprint, ALIKE_S) + 1
    if value > most:
        raise over("max_identical_orders", "Orders alike in 10 s", limit=most, value=value)


def live_account(context: RiskContext) -> None:
    """Real money may be traded, or this is none; a terminal that does not say holds real money."""
    hello = context.terminal.hello
    trade = "" if hello is None else hello.trade
    if trade not in PLAY_MONEY:
        raise RiskLimit(
            "The account is no demo account, and nothing but demo accounts may be traded: see "
            "allow_live in the configuration, and is_live of the registered account",
            limit="demo",
            value=trade or None,
        )


def unresolved(context: RiskContext) -> None:
    """No order of the symbol has an outcome that is not known."""
    waiting = context.unresolved
    if waiting:
        raise RiskLimit(
            "The fate of another order for this symbol is not known yet: see get_order",
            limit=0,
            value=len(waiting),
            client_order_ids=waiting[:10],
        )


def max_lot(context: RiskContext) -> None:
    """The lots of one order, new or at another price."""
    most = context.limits.max_lot
    if most is not None and context.volume > most:
        raise over("max_lot", "The order", limit=most, value=context.volume, unit=" lots")


def max_open_lots(context: RiskContext) -> None:
    """The lots of all positions and orders together."""
    most = context.limits.max_open_lots
    if most is None:
        return
    value = context.measured(context.lots, most)
    if value > most:
        raise over("max_open_lots", "All together", limit=most, value=value, unit=" lots")


def max_notional(context: RiskContext) -> None:
    """The worth of all positions and orders together."""
    most = context.limits.max_notional
    if most is None:
        return
    value = context.measured(lambda exposures: _worth(context, exposures), most)
    if value > most:
        raise over(
            "max_notional", "The worth of all together", limit=most, value=_rounded(value, 2)
        )


def _worth(context: RiskContext, exposures: Iterable[Exposure]) -> Decimal:
    worth, total = context.facts.worth, Decimal()
    listed = list(exposures)
    before = context.by_symbol(exposure for exposure in listed if not exposure.is_own)
    for symbol, lots in context.by_symbol(listed).items():
        if symbol not in worth:
            raise StaleFacts  # an order of that symbol was reserved since
        # what was there has the price of now, and what the order adds that of the order
        added = max(lots - before.get(symbol, Decimal()), Decimal())
        total += (lots - added) * exact(worth[symbol]) + added * exact(worth[None])
    return total


def max_positions(context: RiskContext) -> None:
    """The number of positions, once all that waits is filled."""
    most = context.limits.max_positions
    if most is None:
        return
    value = int(context.measured(context.positions, Decimal(most)))
    if value > most:
        raise over("max_positions", "The number of positions", limit=most, value=value)


def hedging(context: RiskContext) -> None:
    """Nothing is open or waits that goes the other way; on a netting account nothing can."""
    if context.is_netting:
        return
    value = context.opposed()
    if value:
        raise over(
            "hedging",
            f"The number of opposite positions of {context.request.symbol}",
            limit=0,
            value=value,
        )


def max_pending_orders(context: RiskContext) -> None:
    """The number of orders that wait."""
    most = context.limits.max_pending_orders
    if most is None or not context.exposure.waits:
        return
    value = int(context.measured(_waiting, Decimal(most)))
    if value > most:
        raise over("max_pending_orders", "The number of orders", limit=most, value=value)


def _waiting(exposures: Iterable[Exposure]) -> Decimal:
    return Decimal(sum(1 for exposure in exposures if exposure.waits))


HUNDRED = Decimal(100)
_MOST_ROUNDED = Decimal(10) ** 20
"""Larger numbers, of which a terminal may tell, are not rounded: decimals have fewer digits."""


def _rounded(value: Decimal, digits: int) -> Decimal:
    return round(value, digits) if abs(value) < _MOST_ROUNDED else value


def risk_pct(context: RiskContext) -> None:
    """The loss at the stop loss, as a share of the equity; so the order needs one."""
    share = context.limits.risk_pct
    if share is None:
        return
    if not context.request.sl:
        _check_no_stop_loss(context, share)
        return
    equity = exact(context.facts.account.equity)
    loss = max(-exact(context.facts.number("risk")), Decimal())
    most = max(equity * share, Decimal())
    if loss > most:
        raise over(
            "risk_pct",
            "The loss at the stop loss",
            limit=most,
            value=loss,
            equity=float(equity),
            share=float(share),
        )


def _check_no_stop_loss(context: RiskContext, share: Decimal) -> None:
    if context.limits.no_stop_loss or context.request.action not in WITH_STOPS:
        return
    held = context.order.changes
    if held is not None and not held.sl:
        return  # nothing is taken off
    raise RiskLimit(
        "risk_pct bounds what an order may lose at its stop loss, so it must have one and keep it",
        limit=float(share),
        value=None,
        field="sl",
    )


def free_margin(context: RiskContext) -> None:
    """The free margin suffices, for the orders on their way as well."""
    required = context.margin
    free = exact(context.facts.account.margin_free)
    surely = sum((reservation.margin for reservation in context.surely), Decimal())
    reserved = surely + sum((reservation.margin for reservation in context.doubtful), Decimal())
    if required + reserved <= free:
        return
    if context.doubtful and required + surely <= free:
        raise StaleFacts
    raise InsufficientMargin(
        required=float(required),
        free=float(free),
        reserved=float(reserved),
        limit=float(free),
        value=float(required + reserved),
    )


def max_daily_loss(context: RiskContext) -> None:
    """The day's deals and the open positions together have not lost as much as stops trading."""
    most = context.limits.max_daily_loss
    if most is None:
        return
    brought = exact(context.facts.number("brought")) + exact(context.facts.account.profit)
    loss = _rounded(-brought, 2)
    if loss >= most:
        raise over("max_daily_loss", "The loss of the day", limit=most, value=loss)


def max_drawdown(context: RiskContext) -> None:
    """The equity has not fallen as far below the balance as stops trading."""
    most = context.limits.max_drawdown_pct
    if most is None:
        return
    account = context.facts.account
    balance = exact(account.balance)
    if balance <= 0:
        raise over("max_drawdown_pct", "The drawdown", limit=most, value=None, unit=" %")
    drawdown = (balance - exact(account.equity)) / balance * HUNDRED
    if drawdown >= most:
        raise over(
            "max_drawdown_pct", "The drawdown", limit=most, value=_rounded(drawdown, 4), unit=" %"
        )


BPS = Decimal(10_000)
_WAITING = frozenset({TradeAction.PENDING, TradeAction.MODIFY})
_CLOSED_WAYS: dict[int, tuple[bool, bool]] = {
    SymbolTradeMode.DISABLED: (True, True),
    SymbolTradeMode.CLOSEONLY: (True, True),
    SymbolTradeMode.LONGONLY: (False, True),
    SymbolTradeMode.SHORTONLY: (True, False),
}
"""Whether a symbol forbids buying and selling, by its mode."""


def tradable(context: RiskContext) -> None:
    """The terminal is there and connected, and no switch is off: terminal, account or symbol."""
    session = context.terminal.check_tradable(context.order.tier)
    if session.trade_allowed is False:
        raise _switched_off("account", "The account may not trade: the broker says so")
    if context.kind is not OrderEffect.OPEN:
        return
    if context.facts.has("account"):
        account = context.facts.account
        if not account.trade_allowed:
            raise _switched_off("account", "The account may not trade: the broker says so")
        if not account.trade_expert:
            raise _switched_off("server", "The broker lets no programs trade this account")
    _check_mode(context)


def _switched_off(where: str, message: str) -> AutotradingDisabled:
    return AutotradingDisabled(message, where=where)


def _check_mode(context: RiskContext) -> None:
    info = context.symbol
    if info is None:
        return
    mode = info.trade_mode
    if context.is_netting and mode != SymbolTradeMode.DISABLED:
        return  # the order may close what is open: the broker tells
    ways = _CLOSED_WAYS.get(mode)
    if ways is not None and ways[0 if context.buys else 1]:
        raise TradeDisabled(mode=enums.SYMBOL_TRADE_MODE[mode], symbol=info.name)


def market_open(context: RiskContext) -> None:
    """The symbol's trade session runs. What closes a position is left to the broker: a table that
    is wrong must keep nobody in it.
    """
    week, terminal = context.week, context.terminal
    if week is None or not is_closed(week, terminal.clock, terminal.now_ms()):
        return
    raise MarketClosed(
        symbol=context.request.symbol, opens_at=opening(week, terminal.clock, terminal.now_ms())
    )


def price_collar(context: RiskContext) -> None:
    """The order's prices lie near the last tick."""
    most = context.limits.collar_bps
    if most is None or context.symbol is None:
        return
    market = exact(context.market)
    if market <= 0:
        raise over("price_collar", "The distance from the market", limit=most, value=None)
    for name in ("price", "stoplimit"):
        given = exact(getattr(context.request, name))
        away = abs(given - market) * BPS / market
        if given and away > most:
            raise over(
                "price_collar",
                f"The distance of {name} from the market",
                limit=most,
                value=_rounded(away, 4),
                unit=" bps",
                field=name,
                bid=context.symbol.bid,
                ask=context.symbol.ask,
            )


def tick_age(context: RiskContext) -> None:
    """The last tick is fresh."""
    most = context.limits.max_tick_age_ms
    if most is None:
        return
    tick_ms = context.facts.tick_ms
    is_measured = context.terminal.clock.is_measured
    age_ms = context.broker_ms - tick_ms if tick_ms and is_measured else None
    if age_ms is None or age_ms > most:
        raise over("tick_age", "The age of the last tick", limit=most, value=age_ms, unit=" ms")


def stop_loss_set(context: RiskContext) -> None:
    """There is a stop loss, where one is demanded."""
    request = context.request
    if request.action in WITH_STOPS and not request.sl:
        raise over("stop_loss", "The stop loss must be set: it", limit=None, value=None)


def stops(context: RiskContext) -> None:
    """A new stop loss and take profit lie on their side of the market, beyond the stops level."""
    info, request = context.symbol, context.request
    if info is None or not (request.sl or request.tp) or request.action not in WITH_STOPS:
        return
    base = exact(_stops_base(context))
    if base <= 0:
        return  # without a quote nothing can be filled: the broker says so
    least = exact(info.point) * info.trade_stops_level
    for name in ("sl", "tp"):
        price = exact(getattr(request, name))
        if not price or price == _held(context, name):
            continue
        below = (name == "sl") == context.buys
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


def _stops_base(context: RiskContext) -> float:
    """Return what stops are measured from: the order's own price, or what would close it now."""
    request: TradeRequest = context.request
    if request.action in _WAITING:
        return request.stoplimit if request.type in STOP_LIMITS else request.price
    info = context.symbol
    if info is None:
        return 0.0
    return info.bid if context.buys else info.ask


def _held(context: RiskContext, name: str) -> Decimal:
    held = context.order.changes
    if isinstance(held, Position | Order) and context.request.action == TradeAction.SLTP:
        return exact(getattr(held, name))
    return Decimal()


OPENING = frozenset({OrderEffect.OPEN})
EXPOSING = OPENING | {OrderEffect.REPRICE}
RISKING = EXPOSING | {OrderEffect.CHANGE}
ALL = frozenset(OrderEffect)


def _always(_: TradingLimits) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    ``check`` raises the error that a caller shall see, or :class:`~.context.StaleFacts`.
    """

    name: str
    kinds: frozenset[OrderEffect]
    """The orders that it is for."""
    check: Callable[[RiskContext], None]
    if_: Callable[[TradingLimits], bool] = _always
    """Whether it can refuse anything under these limits."""
    needs: tuple[Need, ...] = ()
    """The facts that it looks at."""


RULES = (
    Rule("age", ALL, age),
    Rule(
        "auto_trade_enabled",
        RISKING,
        auto_trade_enabled,
        lambda limits: not limits.auto_trade,
    ),
    Rule(
        "allowed_symbols",
        RISKING,
        allowed_symbols,
        lambda limits: limits.allowed_symbols is not None,
        ("allowed",),
    ),
    Rule("tradable", ALL, tradable),
    Rule("market_open", OPENING, market_open),
    Rule("max_lot", EXPOSING, max_lot, lambda limits: limits.max_lot is not None),
    Rule(
        "max_open_lots",
        OPENING,
        max_open_lots,
        lambda limits: limits.max_open_lots is not None,
        ("positions", "orders"),
    ),
    Rule(
        "max_notional",
        EXPOSING,
        max_notional,
        lambda limits: limits.max_notional is not None,
        ("positions", "orders", "worth"),
    ),
    Rule(
        "price_collar",
        EXPOSING,
        price_collar,
        lambda limits: limits.collar_bps is not None,
    ),
    Rule(
        "tick_age",
        EXPOSING,
        tick_age,
        lambda limits: limits.max_tick_age_ms is not None,
        ("tick",),
    ),
    Rule(
        "stop_loss",
        RISKING,
        stop_loss_set,
        lambda limits: limits.require_stop_loss,
    ),
    Rule("stops", ALL, stops),
    Rule(
        "risk_pct",
        RISKING,
        risk_pct,
        lambda limits: limits.risk_pct is not None,
        ("account", "risk"),
    ),
    Rule(
        "free_margin",
        EXPOSING,
        free_margin,
        lambda limits: limits.check_margin,
        ("account", "margin", "positions", "orders"),
    ),
    Rule(
        "orders_per_second",
        RISKING,
        orders_per_second,
        lambda limits: limits.orders_per_second is not None,
    ),
    Rule(
        "max_orders_per_minute",
        OPENING,
        orders_per_minute,
        lambda limits: limits.max_orders_per_minute is not None,
    ),
    Rule(
        "max_orders_per_day",
        OPENING,
        orders_per_day,
        lambda limits: limits.max_orders_per_day is not None,
    ),
    Rule(
        "max_symbol_orders",
        OPENING,
        symbol_orders,
        lambda limits: limits.max_symbol_orders is not None,
    ),
    Rule(
        "max_identical_orders",
        OPENING,
        identical_orders,
        lambda limits: limits.max_identical_orders is not None,
    ),
    Rule(
        "max_positions",
        OPENING,
        max_positions,
        lambda limits: limits.max_positions is not None,
        ("positions", "orders"),
    ),
    Rule(
        "max_pending_orders",
        OPENING,
        max_pending_orders,
        lambda limits: limits.max_pending_orders is not None,
        ("positions", "orders"),
    ),
    Rule(
        "hedging",
        OPENING,
        hedging,
        lambda limits: not limits.hedging,
        ("positions", "orders"),
    ),
    Rule(
        "max_daily_loss",
        EXPOSING,
        max_daily_loss,
        lambda limits: limits.max_daily_loss is not None,
        ("account", "brought"),
    ),
    Rule(
        "max_drawdown_pct",
        EXPOSING,
        max_drawdown,
        lambda limits: limits.max_drawdown_pct is not None,
        ("account",),
    ),
    Rule("live_account", RISKING, live_account, lambda limits: not limits.live),
    Rule(
        "unresolved",
        OPENING,
        unresolved,
        lambda limits: limits.block_unresolved,
    ),
)


def names() -> Iterator[str]:
    """Return the names of all checks."""
    return (rule.name for rule in RULES)
