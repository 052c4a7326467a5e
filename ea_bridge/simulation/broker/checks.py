"""Checks of a request, in the order in which the trade server makes them.

A check returns the retcode of its refusal or ``None``. :data:`CHECKS` lists them by action: what
the terminal can tell by itself comes first (switches, order type, volume, filling, expiration),
then prices, the session, limits, and money last, so that a request with two faults earns the
answer that MetaTrader gives.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ea_bridge.model import (
    BUYS,
    ExpirationFlag,
    FillingFlag,
    Order,
    OrderFilling,
    OrderFlag,
    OrderTime,
    PositionType,
    SymbolExecution,
    SymbolInfo,
    SymbolTradeMode,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)

from .prices import ZERO, exact, on_grid, rounded
from .requests import LIMITS, MARKET, PENDINGS, STOP_LIMITS, STOPS, CheckContext, ResolvedRequest
from .valuation import affordable, opened_volume

_DAY_MS = 86_400_000
MT4_SHORTEST_LIFE_MS = 600_000
"""Of a pending order with an expiration."""


# --- what is asked for: order type, trade mode, volume, filling, expiration ------------------


def order_type_allowed(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10035: the type does not fit the action, the symbol forbids it, or MetaTrader 4 lacks it."""
    request = resolved.request
    # a close-by has one type alone, so the symbol's permission is all there is to look at
    if request.action == TradeAction.CLOSE_BY:
        flag = OrderFlag.CLOSE_BY
    else:
        expected = MARKET if request.action == TradeAction.DEAL else PENDINGS
        if request.type not in expected:
            return TradeRetcode.INVALID_ORDER
        flag = _flag(request.type)
    # MetaTrader 4 has six types of orders; stop-limit orders came with MetaTrader 5
    if flag == OrderFlag.STOP_LIMIT and context.valuation.terms.platform == "mt4":
        return TradeRetcode.INVALID_ORDER
    allowed = resolved.symbol.order_mode
    # MetaTrader 4 has no SYMBOL_ORDER_MODE: ``None`` forbids nothing
    if allowed is not None and not allowed & flag:
        return TradeRetcode.INVALID_ORDER
    return None


def _flag(order_type: int) -> OrderFlag:
    if order_type in LIMITS:
        return OrderFlag.LIMIT
    if order_type in STOPS:
        return OrderFlag.STOP
    return OrderFlag.STOP_LIMIT if order_type in STOP_LIMITS else OrderFlag.MARKET


def symbol_open_for_change(
    context: CheckContext, resolved: ResolvedRequest
) -> TradeRetcode | None:
    """10017: trading in the symbol is disabled altogether."""
    disabled = resolved.symbol.trade_mode == SymbolTradeMode.DISABLED
    return TradeRetcode.TRADE_DISABLED if disabled else None


def symbol_tradable(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10017, 10042, 10043, 10044: the symbol's trade mode. Closing is always allowed but in the
    first; without a quote nothing can be closed, and the next checks say so.
    """
    mode = resolved.symbol.trade_mode
    if mode == SymbolTradeMode.DISABLED:
        return TradeRetcode.TRADE_DISABLED
    # whatever only closes passes in the other modes too: nobody is locked into a position
    if mode == SymbolTradeMode.FULL or _only_closes(context, resolved):
        return None
    if mode == SymbolTradeMode.CLOSEONLY:
        return TradeRetcode.CLOSE_ONLY
    if mode == SymbolTradeMode.LONGONLY and not resolved.buying:
        return TradeRetcode.LONG_ONLY
    if mode == SymbolTradeMode.SHORTONLY and resolved.buying:
        return TradeRetcode.SHORT_ONLY
    return None


def _only_closes(context: CheckContext, resolved: ResolvedRequest) -> bool:
    # a pending order opens at its own time, whatever it would close now
    if resolved.request.action != TradeAction.DEAL or resolved.tick is None:
        return False
    return opened_volume(context.valuation, resolved.trade) == 0


def volume_valid(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10014: below the minimum, above the maximum, or off the step."""
    volume, symbol = resolved.request.volume, resolved.symbol
    good = (
        volume > 0
        and symbol.volume_min <= volume
        # 0 in a specification: the broker sets no upper bound, or no step
        and (symbol.volume_max == 0 or volume <= symbol.volume_max)
        and (symbol.volume_step == 0 or on_grid(volume, symbol.volume_step))
    )
    return None if good else TradeRetcode.INVALID_VOLUME


def filling_valid(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10030: the filling mode, an enum, is not in the symbol's bit mask.

    RETURN has no bit: always allowed for pending orders, and for market orders in every
    execution mode but MARKET. REQUEST and INSTANT execution ignore the mode. BOC is for limit
    and stop-limit orders. MetaTrader 4 has no choice.
    """
    symbol, request = resolved.symbol, resolved.request
    # an order of MetaTrader 4 has no filling: it fills whole, or not at all
    if symbol.filling_mode is None or context.valuation.terms.platform == "mt4":
        return None
    return None if _filling_allowed(symbol, request) else TradeRetcode.INVALID_FILL


def _filling_allowed(symbol: SymbolInfo, request: TradeRequest) -> bool:
    mask, filling = symbol.filling_mode or 0, request.type_filling
    at_market = request.action == TradeAction.DEAL
    # book or cancel is for orders that rest in the book, never for those that take from it
    if filling == OrderFilling.BOC:
        waits = request.type in LIMITS | STOP_LIMITS
        return waits and bool(mask & FillingFlag.BOC)
    # RETURN has no bit in the mask; under MARKET execution no rest of an order can stay
    if filling == OrderFilling.RETURN:
        return not at_market or symbol.trade_exemode != SymbolExecution.MARKET
    if filling not in (OrderFilling.FOK, OrderFilling.IOC):
        return False
    # here the dealer's price is for the whole volume, so the mask is not asked
    if symbol.trade_exemode in (SymbolExecution.REQUEST, SymbolExecution.INSTANT):
        return True
    flag = FillingFlag.FOK if filling == OrderFilling.FOK else FillingFlag.IOC
    return bool(mask & flag)


_TIME_FLAGS = {
    OrderTime.GTC: ExpirationFlag.GTC,
    OrderTime.DAY: ExpirationFlag.DAY,
    OrderTime.SPECIFIED: ExpirationFlag.SPECIFIED,
    OrderTime.SPECIFIED_DAY: ExpirationFlag.SPECIFIED_DAY,
}


def expiration_valid(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10022: the lifetime is unknown, not allowed for the symbol, or over already. 10013: shorter
    than MetaTrader 4 takes it, which says "invalid trade parameters".
    """
    request, allowed = resolved.request, resolved.symbol.expiration_mode
    flag = _TIME_FLAGS.get(OrderTime(request.type_time)) if _known_time(request) else None
    if flag is None or (allowed is not None and not allowed & flag):
        return TradeRetcode.INVALID_EXPIRATION
    # these two ignore ``expiration``, so a moment in the past does no harm
    if request.type_time in (OrderTime.GTC, OrderTime.DAY):
        return None
    end_msc = request.expiration * 1000
    if request.type_time == OrderTime.SPECIFIED_DAY:  # to the end of that day
        end_msc = (end_msc // _DAY_MS + 1) * _DAY_MS
    # by the server's clock: a bot that reckons in UTC is hours off and learns it here
    if end_msc <= resolved.now_msc:
        return TradeRetcode.INVALID_EXPIRATION
    # MetaTrader 4 takes an old expiration back unchanged, however near it is by now
    is_kept = resolved.order is not None and resolved.order.time_expiration == request.expiration
    if context.valuation.terms.platform == "mt4" and not is_kept:
        too_short = end_msc < resolved.now_msc + MT4_SHORTEST_LIFE_MS
        return TradeRetcode.INVALID if too_short else None
    return None


def _known_time(request: TradeRequest) -> bool:
    return request.type_time in set(OrderTime)


# --- prices: quotes, the grid, the right side of the market, stops, freezing -----------------


def quoted(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10021: nobody quotes the symbol."""
    return TradeRetcode.PRICE_OFF if resolved.tick is None else None


def session_runs(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10018: outside the symbol's trade session."""
    is_open = context.valuation.prices.is_open(resolved.symbol.name, resolved.now_msc)
    return None if is_open else TradeRetcode.MARKET_CLOSED


def deal_price_valid(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10015, 10004: INSTANT and REQUEST execution want a price, within ``deviation`` points of
    the market. In the other modes the server takes its own price and the request's is ignored.
    """
    symbol, request = resolved.symbol, resolved.request
    if symbol.trade_exemode not in (SymbolExecution.INSTANT, SymbolExecution.REQUEST):
        return None
    if request.price == 0 or not _on_grid(symbol, request.price):
        return TradeRetcode.INVALID_PRICE
    away = abs(exact(request.price) - exact(resolved.market_price))
    # ``deviation`` counts points, not ticks of the grid
    near = round(away / exact(symbol.point)) <= request.deviation
    return None if near else TradeRetcode.REQUOTE


def pending_price_valid(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10015: off the grid, on the wrong side of the market, or nearer than the stops level.

    A buy limit waits below the ask and a buy stop above it; a sell limit above the bid and a
    sell stop below it. A buy stop-limit places its limit below its own price, a sell above.
    """
    symbol, request = resolved.symbol, resolved.request
    # a modification repeats no type that counts: that of the order in the book does
    kind = request.type if resolved.order is None else resolved.order.type
    if request.price <= 0 or not _on_grid(symbol, request.price):
        return TradeRetcode.INVALID_PRICE
    buying = kind in BUYS
    tick = resolved.known_tick
    market = _price(symbol, tick.ask if buying else tick.bid)
    # buy limits and sell stops wait below the market, the other two above it
    below = buying == (kind in LIMITS)
    gap = market - exact(request.price) if below else exact(request.price) - market
    if not _far_enough(symbol, gap):
        return TradeRetcode.INVALID_PRICE
    if kind in STOP_LIMITS and not _stoplimit_valid(resolved, buying):
        return TradeRetcode.INVALID_PRICE
    return None


def _far_enough(symbol: SymbolInfo, gap: Decimal) -> bool:
    # a stops level of 0 still allows no price at the market or beyond it
    return gap > 0 and gap >= exact(symbol.point) * symbol.trade_stops_level


def _stoplimit_valid(resolved: ResolvedRequest, buying: bool) -> bool:
    request, symbol = resolved.request, resolved.symbol
    if request.stoplimit <= 0 or not _on_grid(symbol, request.stoplimit):
        return False
    gap = exact(request.price) - exact(request.stoplimit)
    gap = gap if buying else -gap
    return _far_enough(symbol, gap)


def stops_valid(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10016: SL or TP off the grid, on the wrong side, too near, or not allowed by the symbol.

    They are measured from the price that would close the position now (bid for a long one), or
    from the pending order's own price.
    """
    symbol, request = resolved.symbol, resolved.request
    long, base = _closing_base(resolved)
    for price, flag in ((request.sl, OrderFlag.SL), (request.tp, OrderFlag.TP)):
        if price == 0:
            continue
        # the SL of a long position and the TP of a short one lie below, the other two above
        gap = base - exact(price) if (flag == OrderFlag.SL) == long else exact(price) - base
        allowed = symbol.order_mode is None or bool(symbol.order_mode & flag)
        if not allowed or not _on_grid(symbol, price) or not _far_enough(symbol, gap):
            return TradeRetcode.INVALID_STOPS
    return None


def _closing_base(resolved: ResolvedRequest) -> tuple[bool, Decimal]:
    """Return whether the position is (or would be) long, and what stops are measured from."""
    request, tick = resolved.request, resolved.known_tick
    if request.action in (TradeAction.PENDING, TradeAction.MODIFY):
        kind = request.type if resolved.order is None else resolved.order.type
        # a stop-limit order opens at its limit, so its stops are measured from there
        own = request.stoplimit if kind in STOP_LIMITS else request.price
        return kind in BUYS, exact(own)
    # SLTP names the position; what the request says as its type means nothing
    if request.action == TradeAction.SLTP and resolved.target is not None:
        long = resolved.target.position.type == PositionType.BUY
    else:
        long = resolved.buying
    return long, _price(resolved.symbol, tick.bid if long else tick.ask)


def position_not_frozen(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10029: the market is within the freeze level of the position's SL or TP."""
    target, symbol = resolved.target, resolved.symbol
    if target is None or symbol.trade_freeze_level == 0:
        return None
    position, tick = target.position, resolved.known_tick
    # a position closes at the other side: stops of a long one are compared with the bid
    now = _price(symbol, tick.bid if position.type == PositionType.BUY else tick.ask)
    return _frozen(symbol, now, (position.sl, position.tp))


def order_not_frozen(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10029: the market is within the freeze level of the pending order's price."""
    order, symbol = resolved.order, resolved.symbol
    # REMOVE comes here without a check for a quote: without one an order can be taken back
    if order is None or resolved.tick is None or symbol.trade_freeze_level == 0:
        return None
    # a pending order is triggered by the side on which it opens, unlike a position's stops
    now = _price(symbol, resolved.tick.ask if order.type in BUYS else resolved.tick.bid)
    return _frozen(symbol, now, (order.price_open,))


def _frozen(symbol: SymbolInfo, now: Decimal, prices: tuple[float, ...]) -> TradeRetcode | None:
    level = exact(symbol.point) * symbol.trade_freeze_level
    # 0 is a stop that is not set
    near = any(price and abs(exact(price) - now) <= level for price in prices)
    return TradeRetcode.FROZEN if near else None


def stops_really_change(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10025: the position has these stops already."""
    if resolved.target is None:
        return None
    position, request = resolved.target.position, resolved.request
    # rounded first: a stop that differs by the noise of a float is the same to the server
    same = (position.sl, position.tp) == _normal(resolved, request.sl, request.tp)
    return TradeRetcode.NO_CHANGES if same else None


def order_really_changes(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10025: the order has all that already."""
    order, request = resolved.order, resolved.request
    if order is None:
        return None
    # an ``expiration`` beside a lifetime without end is ignored, so it changes nothing
    ends = request.type_time in (OrderTime.SPECIFIED, OrderTime.SPECIFIED_DAY)
    wanted: tuple[float, ...] = (
        *_normal(resolved, request.price, request.sl, request.tp),
        request.type_time,
        request.expiration if ends else 0,
    )
    has: tuple[float, ...] = (
        order.price_open,
        order.sl,
        order.tp,
        order.type_time,
        order.time_expiration,
    )
    if order.type in STOP_LIMITS:
        wanted = (*wanted, *_normal(resolved, request.stoplimit))
        has = (*has, order.price_stoplimit)
    return TradeRetcode.NO_CHANGES if wanted == has else None


def _normal(resolved: ResolvedRequest, *prices: float) -> tuple[float, ...]:
    return tuple(float(_price(resolved.symbol, price)) for price in prices)


def _price(symbol: SymbolInfo, price: float) -> Decimal:
    return rounded(exact(price), symbol.digits)


def _on_grid(symbol: SymbolInfo, price: float) -> bool:
    return on_grid(price, symbol.trade_tick_size or symbol.point)


# --- the account: what it holds, what it may hold, what it can pay ---------------------------


def close_volume_valid(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10038: more than the position holds."""
    target = resolved.target
    if target is None or exact(resolved.request.volume) <= target.volume:
        return None
    return TradeRetcode.INVALID_CLOSE_VOLUME


def close_order_free(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10039: orders already on their way close too much of the position for one more."""
    for holding in (resolved.target, resolved.opposite):
        if holding is None:
            continue
        waiting = _closing_volume(context, holding.position.ticket)
        asked = exact(resolved.request.volume) if resolved.opposite is None else ZERO
        # a fill may take seconds; two closes at once would close more than there is
        if waiting > 0 and waiting + (asked or holding.volume) > holding.volume:
            return TradeRetcode.CLOSE_ORDER_EXIST
    return None


def _closing_volume(context: CheckContext, ticket: int) -> Decimal:
    orders = context.valuation.ledger.orders.values()
    return sum(
        (
            exact(order.volume_current)
            for order in orders
            # the order that opened it and still waits for its rest carries the ticket, too
            if order.type in MARKET and order.position_id == ticket != order.ticket
        ),
        ZERO,
    )


def fifo_kept(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10045: an older position of the symbol has to be closed first."""
    target = resolved.target
    if target is None or not context.valuation.terms.fifo_close:
        return None
    # the books keep positions in the order of their opening
    oldest = context.valuation.ledger.held(resolved.symbol.name)[0]
    same = oldest.position.ticket == target.position.ticket
    return None if same else TradeRetcode.FIFO_CLOSE


def hedging_allowed(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10046: the account must not hold both directions of a symbol."""
    terms = context.valuation.terms
    # a request that names a position closes it, which is never a hedge
    if not (terms.hedging and terms.hedging_prohibited) or resolved.target is not None:
        return None
    opposite = PositionType.SELL if resolved.buying else PositionType.BUY
    held = context.valuation.ledger.held(resolved.symbol.name)
    against = any(holding.position.type == opposite for holding in held)
    return TradeRetcode.HEDGE_PROHIBITED if against else None


def orders_below_limit(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10033: ``ACCOUNT_LIMIT_ORDERS`` pending orders are there already."""
    limit = context.valuation.terms.limit_orders
    if limit == 0:
        return None
    # ACCOUNT_LIMIT_ORDERS is about pending orders: market orders on their way do not count
    pending = sum(order.type in PENDINGS for order in context.valuation.ledger.orders.values())
    return TradeRetcode.LIMIT_ORDERS if pending >= limit else None


def positions_below_limit(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10040: one position more would be too many."""
    valuation = context.valuation
    limit = valuation.terms.limit_positions
    if limit == 0 or len(valuation.ledger.holdings) < limit:
        return None
    new = valuation.terms.hedging or not valuation.ledger.held(resolved.symbol.name)
    makes_one = new and opened_volume(valuation, resolved.trade) > 0
    return TradeRetcode.LIMIT_POSITIONS if makes_one else None


def volume_below_limit(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10034: ``SYMBOL_VOLUME_LIMIT`` bounds positions and orders of one direction together."""
    limit = resolved.symbol.volume_limit
    opened = opened_volume(context.valuation, resolved.trade)
    # what only closes makes the sum smaller: the limit keeps nobody in
    if not limit or opened == 0:
        return None
    taken = _volume_in_direction(context, resolved)
    return TradeRetcode.LIMIT_VOLUME if taken + opened > exact(limit) else None


def _volume_in_direction(context: CheckContext, resolved: ResolvedRequest) -> Decimal:
    legs = context.valuation.legs(resolved.symbol.name)
    held = legs.long.volume if resolved.buying else legs.short.volume

    def counts(order: Order) -> bool:
        return order.symbol == resolved.symbol.name and (order.type in BUYS) == resolved.buying

    orders = filter(counts, context.valuation.ledger.orders.values())
    return held + sum((exact(order.volume_current) for order in orders), ZERO)


def money_suffices(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """10019: free margin would fall below zero. 10021: no rate into the account's currency."""
    trade, valuation = resolved.trade, context.valuation
    # without a rate nobody can say what the trade costs: it is refused, never taken for free
    if valuation.margin_rate(trade.symbol, buying=trade.buying) is None:
        return TradeRetcode.PRICE_OFF
    if valuation.profit_rate(trade.symbol, long=trade.buying) is None:
        return TradeRetcode.PRICE_OFF
    return None if affordable(valuation, trade) else TradeRetcode.NO_MONEY


def pending_margin_suffices(
    context: CheckContext, resolved: ResolvedRequest
) -> TradeRetcode | None:
    """10019 for a pending order: the share of the margin that orders reserve, often nothing."""
    share = context.valuation.terms.pending_margin_rate
    if share == 0:
        return None
    trade, valuation = resolved.trade, context.valuation
    alone = valuation.margin(trade.symbol, trade.volume, trade.price, buying=trade.buying)
    if alone is None:
        return TradeRetcode.PRICE_OFF
    needed = valuation.used_margin() + alone * share
    return None if needed <= valuation.equity() else TradeRetcode.NO_MONEY


Check = Callable[[CheckContext, ResolvedRequest], TradeRetcode | None]


def terminal_refusal(context: CheckContext) -> TradeRetcode | None:
    """Return what the terminal answers before it looks at the request."""
    # the terminal looks at its own button first, so 10027 comes before 10031
    if not context.switches.autotrading:
        return TradeRetcode.CLIENT_DISABLES_AT
    if not context.switches.connected:
        return TradeRetcode.CONNECTION
    return None


def program_trading_allowed(
    context: CheckContext, resolved: ResolvedRequest
) -> TradeRetcode | None:
    """10026: the broker lets no programs trade. 10017: nobody may trade this account."""
    if not context.switches.server_autotrading:
        return TradeRetcode.SERVER_DISABLES_AT
    # an investor's password: the account can be looked at and not traded
    return None if context.switches.trade_allowed else TradeRetcode.TRADE_DISABLED


CHECKS: dict[int, tuple[Check, ...]] = {
    TradeAction.DEAL: (
        program_trading_allowed,
        order_type_allowed,
        symbol_tradable,
        volume_valid,
        close_volume_valid,
        filling_valid,
        quoted,
        deal_price_valid,
        stops_valid,
        position_not_frozen,
        session_runs,
        close_order_free,
        fifo_kept,
        hedging_allowed,
        positions_below_limit,
        volume_below_limit,
        money_suffices,
    ),
    TradeAction.PENDING: (
        program_trading_allowed,
        order_type_allowed,
        symbol_tradable,
        volume_valid,
        filling_valid,
        expiration_valid,
        quoted,
        pending_price_valid,
        stops_valid,
        session_runs,
        orders_below_limit,
        volume_below_limit,
        pending_margin_suffices,
    ),
    TradeAction.SLTP: (
        program_trading_allowed,
        symbol_open_for_change,
        # before the quote: that nothing changes can be said while nobody quotes
        stops_really_change,
        quoted,
        position_not_frozen,
        stops_valid,
        session_runs,
    ),
    TradeAction.MODIFY: (
        program_trading_allowed,
        symbol_open_for_change,
        expiration_valid,
        order_really_changes,
        quoted,
        order_not_frozen,
        pending_price_valid,
        stops_valid,
        session_runs,
    ),
    # no price and no money: taking an order back needs an open market alone
    TradeAction.REMOVE: (
        program_trading_allowed,
        symbol_open_for_change,
        order_not_frozen,
        session_runs,
    ),
    TradeAction.CLOSE_BY: (
        program_trading_allowed,
        order_type_allowed,
        symbol_open_for_change,
        quoted,
        session_runs,
        close_order_free,
    ),
}


def refusal(context: CheckContext, resolved: ResolvedRequest) -> TradeRetcode | None:
    """Return the first refusal that a request earns, ``None`` if it passes."""
    for check in CHECKS[resolved.request.action]:
        retcode = check(context, resolved)
        if retcode is not None:
            return retcode
    return None
