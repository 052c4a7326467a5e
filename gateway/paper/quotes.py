"""The market as the terminal tells it, for the paper broker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ea_bridge import commands, host
from ea_bridge.model import SymbolInfo, Tick
from gateway.trading.session import TradingSession
from gateway.trading.trade_sessions import KEPT_S, Week

VEHICLE = "USD"


@dataclass(frozen=True, slots=True)
class _KnownSymbol:
    spec: SymbolInfo
    week: Week | None
    until_s: float


class LiveQuotes:
    """Live :class:`~.prices.QuoteSource` of a paper broker, for the symbols that it has learnt.

    Args:
        currency: the account's.

    """

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._known: dict[str, _KnownSymbol] = {}
        self._ticks: dict[str, Tick] = {}
        self._pairs: dict[str, tuple[str, ...]] = {}
        self._names: frozenset[str] = frozenset()

    # --- for the broker --------------------------------------------------------------------

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return the specification, ``None`` for a symbol that was not learnt."""
        known = self._known.get(name)
        return None if known is None else known.spec

    def tick(self, name: str) -> Tick | None:
        """Return the newest tick."""
        return self._ticks.get(name)

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether the symbol trades; where the terminal cannot tell, always."""
        known = self._known.get(name)
        return known is None or known.week is None or known.week.is_open(time_msc)

    # --- for the account -------------------------------------------------------------------

    def take(self, name: str, tick: Tick) -> bool:
        """Take a tick, unless it is older than the newest, as one of a second terminal may be."""
        before = self._ticks.get(name)
        # MetaTrader tells 0 for the side of which there was no price yet
        if not (tick.bid > 0 and tick.ask > 0):
            return False
        if before is not None and tick.time_msc < before.time_msc:
            return False
        self._ticks[name] = tick
        return True

    def needed(self, name: str) -> tuple[str, ...]:
        """Return the symbols whose prices a trade in one needs: its own, and those that turn its
        currencies into the account's.
        """
        return (name, *self._pairs.get(name, ()))

    async def learn(self, real: TradingSession, name: str) -> None:
        """Ask the terminal for a symbol as it is now, and for what its currencies need.

        Raises:
            BridgeError: it does not say, or there is no such symbol.

        """
        await self._learn_one(real, name)
        if name not in self._pairs:
            self._pairs[name] = await self._find_pairs(real, self._known[name].spec)
        await asyncio.gather(*(self._learn_one(real, pair) for pair in self._pairs[name]))

    async def _learn_one(self, real: TradingSession, name: str) -> None:
        params = commands.SymbolParams(symbol=name)
        spec = await real.request(commands.SYMBOL_GET, params)
        if not spec.select:
            await real.request(commands.SYMBOL_SELECT, commands.SelectParams(symbol=name))
        self._known[name] = await self._with_week(real, spec)
        self.take(name, await real.request(commands.TICK_GET, params))

    async def _with_week(self, real: TradingSession, spec: SymbolInfo) -> _KnownSymbol:
        # the specification anew each time, since swaps and limits change; the week is asked rarely
        known, now_s = self._known.get(spec.name), host.monotonic_s()
        if known is not None and known.until_s > now_s:
            return _KnownSymbol(spec, known.week, known.until_s)
        week: Week | None = None
        if "sessions" in real.caps:
            params = commands.SymbolParams(symbol=spec.name)
            week = Week.of(await real.request(commands.SESSIONS_GET, params))
        return _KnownSymbol(spec, week, now_s + KEPT_S)

    async def _find_pairs(self, real: TradingSession, spec: SymbolInfo) -> tuple[str, ...]:
        sources = {spec.currency_profit, spec.currency_margin} - {self._currency, ""}
        if not sources:
            return ()
        if not self._names:
            listed = await real.request(commands.SYMBOLS_GET, commands.SymbolsParams())
            self._names = frozenset(entry.name for entry in listed)
        found: list[str] = []
        for source in sorted(sources):
            found += self._steps(spec, source)
        return tuple(dict.fromkeys(pair for pair in found if pair != spec.name))

    def _steps(self, spec: SymbolInfo, source: str) -> list[str]:
        direct = self._listed(spec, source, self._currency)
        if direct or VEHICLE in (source, self._currency):
            return direct
        return self._listed(spec, source, VEHICLE) + self._listed(spec, VEHICLE, self._currency)

    def _listed(self, spec: SymbolInfo, source: str, target: str) -> list[str]:
        """Return the names that the broker may look for and the terminal has."""
        # brokers add to names (EURUSD.m): the pair of the same family first, then the plain one
        own = spec.currency_base + spec.currency_profit
        wanted = [
            name
            for pair in (source + target, target + source)
            for name in (spec.name.replace(own, pair), pair)
        ]
        return [name for name in wanted if name in self._names]
