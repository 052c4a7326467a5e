"""One account at both brokers, which must agree in their answers and their books."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mql_compiler import Build, compiled
from msgspec.structs import replace
from simulated_terminal import SimulatedTerminal

from ea_bridge.model import MarginMode, SymbolInfo, Tick, TradeRequest
from ea_bridge.simulation.broker import Broker, terms_of
from ea_bridge.simulation.specs import default_account, load_specs

Json = dict[str, Any]
FIRST = 5_000_001
DEPOSIT = 3_000.0
EACH = 10
"""Steps between two looks at the whole books; sums are compared at each."""
COMPARED_POSITION = (
    "ticket",
    "identifier",
    "type",
    "magic",
    "reason",
    "symbol",
    "comment",
    "volume",
    "price_open",
    "sl",
    "tp",
)
COMPARED_ORDER = (
    "ticket",
    "type",
    "state",
    "symbol",
    "magic",
    "reason",
    "comment",
    "position_id",
    "position_by_id",
    "type_filling",
    "type_time",
    "time_expiration",
    "volume_initial",
    "volume_current",
    "price_open",
    "price_stoplimit",
    "sl",
    "tp",
)
COMPARED_DEAL = (
    "ticket",
    "order",
    "type",
    "entry",
    "position_id",
    "reason",
    "symbol",
    "comment",
    "volume",
    "price",
    "profit",
    "commission",
    "swap",
)


def symbols() -> dict[str, SymbolInfo]:
    """Four symbols that differ in what a broker looks at."""
    specs = load_specs()
    return {
        "EURUSD": replace(specs["EURUSD"], trade_stops_level=10),
        "USDJPY": replace(specs["USDJPY"], filling_mode=2, trade_freeze_level=80),
        "XAUUSD": replace(specs["XAUUSD"], trade_exemode=1, volume_limit=3.0, margin_hedged=50.0),
        "EURGBP": replace(specs["EURGBP"], trade_mode=1, order_mode=95),
        "GBPUSD": specs["GBPUSD"],
    }


START = {
    "EURUSD": (1.10000, 1.10008),
    "USDJPY": (150.000, 150.010),
    "XAUUSD": (2400.00, 2400.20),
    "EURGBP": (0.86000, 0.86010),
    "GBPUSD": (1.27900, 1.27912),
}


class Quotes:
    """The market as a broker sees it: always open."""

    def __init__(self) -> None:
        self.specs = symbols()
        self.ticks = {name: Tick(1, bid, ask) for name, (bid, ask) in START.items()}

    def symbol(self, name: str) -> SymbolInfo | None:
        return self.specs.get(name)

    def tick(self, name: str) -> Tick | None:
        return self.ticks.get(name)

    def is_open(self, name: str, time_msc: int) -> bool:
        return True


class Both:
    """One account at both brokers."""

    def __init__(self, terminal: SimulatedTerminal, broker: Broker, quotes: Quotes) -> None:
        self.terminal, self.broker, self.quotes = terminal, broker, quotes
        self.now_msc = 1_800_000_000_000
        self.retcodes: set[int] = set()
        self.steps = 0

    async def send(self, request: TradeRequest) -> None:
        """Send a request to both, and compare the results and the books."""
        said = {k: v for k, v in msgspec.to_builtins(request).items() if v is not None}
        ours = msgspec.to_builtins(self.broker.send(request, self.now_msc))
        theirs = await self.terminal.do("send", request=said)
        for name in ("retcode", "order", "deal", "volume", "price", "comment"):
            assert theirs[name] == pytest.approx(ours[name]), (name, request, ours, theirs)
        self.retcodes.add(ours["retcode"])
        await self.compare(request)

    async def check(self, request: TradeRequest) -> None:
        """Compare what both foresee."""
        said = msgspec.to_builtins(request)
        ours = msgspec.to_builtins(self.broker.check(request, self.now_msc))
        theirs = await self.terminal.do("check", request=said)
        for name in ("retcode", "equity", "margin", "margin_free", "margin_level"):
            assert theirs[name] == pytest.approx(ours[name], abs=0.011), (name, request)

    async def move(self, name: str, bid: float, ask: float) -> None:
        """Let a price change."""
        self.quotes.ticks[name] = tick = Tick(1, bid, ask)
        self.broker.on_tick(name, tick, self.now_msc)
        await self.terminal.do("tick", symbol=name, bid=bid, ask=ask)
        await self.compare((name, bid, ask))

    async def compare(self, why: object) -> None:
        """Fail unless both have the same books."""
        account = await self.terminal.do("account")
        ours = self.broker.account()
        for name in ("balance", "profit", "equity", "margin"):
            assert account[name] == pytest.approx(getattr(ours, name), abs=0.011), (name, why)
        self.steps += 1
        if self.steps % EACH:
            return
        books = await self.terminal.do("books")
        same(books["positions"], self.broker.positions(), COMPARED_POSITION, why)
        same(books["orders"], self.broker.orders(), COMPARED_ORDER, why)
        past = self.broker.history_orders()
        same(by_ticket(books["past"]), by_ticket(past), COMPARED_ORDER, why)
        if self.broker.terms.platform == "mt5":
            same(books["deals"][1:], self.broker.history_deals()[1:], COMPARED_DEAL, why)


def by_ticket(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: row["ticket"] if isinstance(row, dict) else row.ticket)


def same(theirs: list[Json], ours: list[Any], members: tuple[str, ...], why: object) -> None:
    """Fail unless the rows agree in these members."""
    assert [row["ticket"] for row in theirs] == [row.ticket for row in ours], why
    for their, our in zip(theirs, ours, strict=True):
        for name in members:
            assert their[name] == pytest.approx(getattr(our, name)), (name, why, their, our)


@asynccontextmanager
async def both(folder: Path, cache: Path, *, platform: str, netting: bool) -> AsyncIterator[Both]:
    """Open the same account with both."""
    quotes = Quotes()
    mode = MarginMode.RETAIL_NETTING if netting else MarginMode.RETAIL_HEDGING
    account = replace(default_account(), margin_mode=int(mode), limit_orders=12, leverage=100)
    terms = terms_of(account, platform=platform, commission_per_lot=3.5)  # type: ignore[arg-type]
    broker = Broker(quotes, account, terms, first_ticket=FIRST)
    broker.deposit(DEPOSIT, 1_800_000_000_000)
    config = {
        "account": msgspec.to_builtins(account),
        "terminal": {},
        "symbols": [
            {"info": {**msgspec.to_builtins(info), "select": True}, "ticks": [[1, *START[name]]]}
            for name, info in quotes.specs.items()
        ],
        "first_ticket": FIRST,
        "first_deal": FIRST,
        "deposit": DEPOSIT,
        "commission_per_lot": 3.5,
        "files": str(folder),
    }
    source = Path(__file__).parent / "programs" / f"Idle.mq{platform[2]}"
    terminal = SimulatedTerminal(compiled(Build(source, cache)), folder, config, {})
    await terminal.start()
    try:
        yield Both(terminal, broker, quotes)
    finally:
        await terminal.stop()
