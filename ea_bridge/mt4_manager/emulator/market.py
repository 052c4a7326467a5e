"""Market of the emulated server: symbols and prices.

The symbols are made from the specifications of the emulated terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
from ea_bridge.simulation.broker.prices import Prices
from ea_bridge.simulation.market import Market
from ea_bridge.simulation.specs import load_specs

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
        # an array of 64 bytes there, of which the last one is 0
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
        # MetaTrader 4's days count from Monday, MetaTrader 5's from Sunday
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
        # volumes are lots times 100 everywhere in the API
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


class FixedQuotes:
    """Prices that stay as they are until they are set: for tests, and for measuring.

    They begin with those of the packaged specifications.
    """

    def __init__(self) -> None:
        self.specs: Mapping[str, SymbolInfo] = load_specs()
        self._ticks = {
            name: Tick(spec.time * 1000, spec.bid, spec.ask) for name, spec in self.specs.items()
        }
        self._days: dict[str, tuple[float, float]] = {}

    def set(self, name: str, bid: float, ask: float) -> None:
        """Move a price."""
        high, low = self.day(name)
        self._days[name] = (max(high, bid), min(low, bid))
        self._ticks[name] = Tick(self._ticks[name].time_msc + 1, bid, ask)

    def day(self, name: str) -> tuple[float, float]:
        """Return the highest and the lowest bid so far."""
        bid = self._ticks[name].bid
        return self._days.get(name, (bid, bid))

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return a specification."""
        return self.specs.get(name)

    def tick(self, name: str) -> Tick | None:
        """Return the price."""
        return self._ticks.get(name)

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether it can be traded: always."""
        return name in self.specs


class MarketQuotes:
    """Prices of the emulator's market, as they are when somebody asks.

    Args:
        market: one that nobody else moves on.
        now_msc: the present, in broker milliseconds.

    """

    def __init__(self, market: Market, now_msc: Callable[[], int]) -> None:
        self._market = market
        self._now_msc = now_msc
        for name in tuple(market.selected):
            market.select(name, enable=False)  # nobody is told of ticks: moving on costs nothing
        self.specs: Mapping[str, SymbolInfo] = market.symbols()

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return a specification."""
        return self.specs.get(name)

    def tick(self, name: str) -> Tick | None:
        """Return the newest price."""
        self._move_on()
        return self._market.tick(name)

    def day(self, name: str) -> tuple[float, float]:
        """Return the highest and the lowest bid of the server's day."""
        self._move_on()
        info = self._market.symbol_info(name)
        return info.bidhigh, info.bidlow

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether it can be traded now."""
        return self._market.is_open(name, time_msc)

    def _move_on(self) -> None:
        now_msc = self._now_msc()
        # in steps: one call goes no further than a day
        while self._market.now_msc < now_msc:
            self._market.advance(now_msc)


class Snapshot:
    """Prices and rates of one moment, each looked up once: for questions about many accounts.

    Args:
        prices: of the market.

    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._quotes: dict[str, tuple[float, float]] = {}
        self._rates: dict[tuple[str, str, bool], float] = {}

    def quote(self, name: str) -> tuple[float, float]:
        """Return bid and ask; zeros where there is no price."""
        known = self._quotes.get(name)
        if known is None:
            # once a snapshot: a question about 200,000 accounts asks for a handful of symbols
            tick = self._prices.tick(name)
            known = (0.0, 0.0) if tick is None else (tick.bid, tick.ask)
            self._quotes[name] = known
        return known

    def profit_rate(self, name: str, currency: str, *, long: bool) -> float:
        """Return what a unit of a symbol's profit is worth; a long position closes with a sell.

        1 where a currency has no price.
        """
        key = (name, currency, long)
        known = self._rates.get(key)
        if known is None:
            symbol = self._prices.known(name)
            rate = self._prices.rate(symbol, symbol.currency_profit, currency, buying=not long)
            known = self._rates[key] = 1.0 if rate is None else float(rate)
        return known

    def margin_rate(self, name: str, currency: str, *, buying: bool) -> float:
        """Return what a unit of a symbol's margin currency is worth; 1 without a price."""
        symbol = self._prices.known(name)
        rate = self._prices.rate(symbol, symbol.currency_margin, currency, buying=buying)
        return 1.0 if rate is None else float(rate)
