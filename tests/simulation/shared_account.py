"""Two terminals that are logged in to one account, each of which sees all that happens there."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any, cast

from ea_bridge.emulator.executor import TradeResultStore
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import Tick
from ea_bridge.simulation.broker import Broker, TradeEvent
from ea_bridge.simulation.market import Market


class SharedAccount:
    """What the terminals of one account share: its broker, and the market that moves it.

    The broker sees each tick once, whichever terminal comes first; each terminal is told of every
    tick and of every change of the account.
    """

    def __init__(self, market: Market, broker: Broker) -> None:
        self.market, self.broker = market, broker
        self.markets: list[_MarketView] = []
        self.brokers: list[_BrokerView] = []

    def advance(self, now_msc: int, limit: int) -> None:
        """Let time pass in the market and at the broker."""
        ticks = self.market.advance(now_msc, limit)
        for name, tick in ticks:
            self.broker.on_tick(name, tick, tick.time_msc)
        for view in self.markets:
            view.untold += ticks

    def spread_events(self) -> None:
        """Have each terminal told of what changed in the account."""
        events = self.broker.take_events()
        for view in self.brokers:
            view.untold += events


class _MarketView:
    """The market as one terminal sees it."""

    def __init__(self, shared: SharedAccount) -> None:
        self._shared = shared
        self.untold: deque[tuple[str, Tick]] = deque()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shared.market, name)

    def advance(self, now_msc: int = 0, limit: int = 2048) -> list[tuple[str, Tick]]:
        """Move on; return the ticks that this terminal was not told of yet."""
        self._shared.advance(now_msc, limit)
        untold = list(self.untold)
        self.untold.clear()
        return untold


class _BrokerView:
    """The broker as one terminal sees it."""

    def __init__(self, shared: SharedAccount) -> None:
        self.shared = shared
        self.untold: deque[TradeEvent] = deque()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shared.broker, name)

    def on_tick(self, symbol: str, tick: Tick, now_msc: int) -> None:
        """Nothing: the broker has seen it when the market moved."""

    def take_events(self) -> list[TradeEvent]:
        """Return what changed in the account since this terminal asked last."""
        self.shared.spread_events()
        untold = list(self.untold)
        self.untold.clear()
        return untold


def broker_of(machine: EmulatedTerminal) -> Broker:
    """Return the broker itself that a terminal is logged in to."""
    broker: Any = machine.handler.broker
    return broker.shared.broker if isinstance(broker, _BrokerView) else broker


def another(machine: EmulatedTerminal, results: Path | None = None) -> EmulatedTerminal:
    """Return one more terminal that is logged in to the account of one that shares it.

    Args:
        machine: made by :func:`sharing`.
        results: the file of its results.

    """
    broker: Any = machine.handler.broker
    return _terminal(broker.shared, machine, results)


def sharing(machine: EmulatedTerminal, results: Path | None = None) -> EmulatedTerminal:
    """Return a terminal in the place of one that nobody has used yet, whose account others may
    share.
    """
    return _terminal(SharedAccount(machine._market, machine._broker), machine, results)


def _terminal(
    shared: SharedAccount, machine: EmulatedTerminal, results: Path | None
) -> EmulatedTerminal:
    market, broker = _MarketView(shared), _BrokerView(shared)
    shared.markets.append(market)
    shared.brokers.append(broker)
    return EmulatedTerminal(
        cast(Market, market),
        cast(Broker, broker),
        machine.platform,
        now_msc=machine._now_msc,
        utc_s=machine._utc_s,
        results=TradeResultStore(results),
    )
