"""Symbols of the emulated server, made from the emulator's specifications."""

from __future__ import annotations

from collections.abc import Mapping

from ea_bridge.model import SymbolCalcMode, SymbolInfo, Tick
from ea_bridge.mt4_manager.model import (
    DaySessions,
    MarginCalculation,
    PriceDirection,
    ProfitCalculation,
    SymbolPrice,
    SymbolRecord,
    SymbolTrade,
)

SECURITIES = ("Forex", "Cryptos", "Indices")
"""The kinds of symbols, by ``SymbolRecord.type``."""

_MARGINS: Mapping[int, MarginCalculation] = {
    SymbolCalcMode.FOREX: MarginCalculation.FOREX,
    SymbolCalcMode.FUTURES: MarginCalculation.FUTURES,
    SymbolCalcMode.CFDINDEX: MarginCalculation.CFD_INDEX,
    SymbolCalcMode.CFDLEVERAGE: MarginCalculation.CFD_LEVERAGE,
}
_ALWAYS = DaySessions(quote=[(0, 0, 24, 0)], trade=[(0, 0, 24, 0)])
_POINTS, _INTEREST = 0, 2
_SWAP_BY_INTEREST = 5
_CLOSE_ONLY = 3


def symbol_records(specs: Mapping[str, SymbolInfo]) -> dict[str, SymbolRecord]:
    """Return the records by name, in the order of the names."""
    ordered = sorted(specs)
    return {name: _record(specs[name], place) for place, name in enumerate(ordered)}


def price_of(
    record: SymbolRecord, tick: Tick | None, day: tuple[float, float], before: float | None
) -> SymbolPrice:
    """Return a symbol's price; zeros before the first.

    Args:
        record: the symbol.
        tick: its newest.
        day: the highest and the lowest bid of the day.
        before: the bid that was told before, if any.

    """
    if tick is None:
        return SymbolPrice(symbol=record.symbol, digits=record.digits, point=record.point)
    return SymbolPrice(
        symbol=record.symbol,
        digits=record.digits,
        count=record.count,
        visible=1,
        type=record.type,
        point=record.point,
        spread=record.spread,
        direction=int(_direction(before, tick.bid)),
        lasttime=tick.time_msc // 1000,
        bid=tick.bid,
        ask=tick.ask,
        high=day[0],
        low=day[1],
    )


def _direction(before: float | None, bid: float) -> PriceDirection:
    if before is None or before == bid:
        return PriceDirection.NONE
    return PriceDirection.UP if bid > before else PriceDirection.DOWN


def _record(spec: SymbolInfo, place: int) -> SymbolRecord:
    kind = spec.path.split("\\")[0]
    margin = _MARGINS.get(spec.trade_calc_mode or 0, MarginCalculation.CFD)
    is_forex = margin in (MarginCalculation.FOREX, MarginCalculation.CFD_LEVERAGE)
    by_ticks = margin in (MarginCalculation.FUTURES, MarginCalculation.CFD_INDEX)
    return SymbolRecord(
        symbol=spec.name,
        description=spec.description[:63],
        currency=(spec.currency_base if is_forex else spec.currency_profit)[:11],
        type=SECURITIES.index(kind) if kind in SECURITIES else 0,
        digits=spec.digits,
        trade=int(_trade(spec)),
        count=place,
        count_original=place,
        realtime=1,
        sessions=[_ALWAYS] * 7,
        profit_mode=int(_profit(is_forex=is_forex, by_ticks=by_ticks)),
        spread=0 if spec.spread_float else spec.spread,
        exemode=spec.trade_exemode,
        swap_enable=1,
        swap_type=_INTEREST if spec.swap_mode == _SWAP_BY_INTEREST else _POINTS,
        swap_long=spec.swap_long,
        swap_short=spec.swap_short,
        swap_rollover3days=max(spec.swap_rollover3days - 1, 0),
        contract_size=spec.trade_contract_size,
        tick_value=spec.trade_tick_value if by_ticks else 0.0,
        tick_size=spec.trade_tick_size if by_ticks else 0.0,
        stops_level=spec.trade_stops_level,
        gtc_pendings=1,
        margin_mode=int(margin),
        margin_initial=spec.margin_initial,
        margin_maintenance=spec.margin_maintenance,
        margin_hedged=spec.margin_hedged,
        margin_divider=1.0,
        point=spec.point,
        multiply=10.0**spec.digits,
        bid_tickvalue=spec.trade_tick_value,
        ask_tickvalue=spec.trade_tick_value,
        instant_max_volume=round(spec.volume_max * 100),
        margin_currency=spec.currency_margin[:11],
        freeze_level=spec.trade_freeze_level,
    )


def _profit(*, is_forex: bool, by_ticks: bool) -> ProfitCalculation:
    if is_forex:
        return ProfitCalculation.FOREX
    return ProfitCalculation.FUTURES if by_ticks else ProfitCalculation.CFD


def _trade(spec: SymbolInfo) -> SymbolTrade:
    if spec.trade_mode == _CLOSE_ONLY:
        return SymbolTrade.CLOSE
    return SymbolTrade.FULL if spec.trade_mode else SymbolTrade.NO
