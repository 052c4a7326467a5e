"""Put an emulated terminal together, with a clock of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from ea_bridge.model import MarginMode, Tick

from .broker import Broker, load_demo, terms_of
from .faults import Faults
from .prices import (
    PACKAGED_SYMBOL,
    BadTickFile,
    BrokerZone,
    Market,
    MarketClock,
    Week,
    default_account,
    load_specs,
    packaged_ticks,
    read_ticks,
    symbol_of,
)
from .terminal import EmulatedTerminal

COMMISSION_PER_LOT = 3.5
"""In the account's currency, for each side: what raw-spread accounts commonly pay."""
LOGINS = 1_000_000
DEPOSIT = 10_000.0


def read_recordings(paths: Sequence[Path]) -> dict[str, list[Tick]]:
    """Read tick files; the symbol is the file's name up to ``_`` or its ending.

    Raises:
        BadTickFile: a file is malformed, or its symbol is not one of the emulator's.

    """
    known = load_specs()
    recordings: dict[str, list[Tick]] = {}
    for path in paths:
        symbol = symbol_of(path)
        if symbol not in known:
            raise BadTickFile(
                f"{path.name}: no symbol {symbol!r} here; name the file SYMBOL_anything.csv with "
                f"one of {', '.join(known)}"
            )
        recordings[symbol] = read_ticks(path)
    return recordings


def build_terminal(
    *,
    platform: str = "mt5",
    speed: float = 1.0,
    seed: int = 0,
    netting: bool = False,
    recordings: dict[str, list[Tick]] | None = None,
    week: Week = "always",
    faults: Faults | None = None,
) -> EmulatedTerminal:
    """Return a terminal whose market begins now.

    Args:
        platform: ``mt5`` or ``mt4``.
        speed: of the market against real time; infinite: as fast as it is read.
        seed: of everything drawn; 0 to 999999 keeps logins apart.
        netting: one position a symbol, instead of hedging.
        recordings: ticks to replay by symbol; ``None``: the packaged ones of EURUSD.
        week: whether the market closes at weekends.
        faults: how it misbehaves.

    """
    zone = BrokerZone()
    start_msc = zone.to_broker_ms(time.time_ns() // 1_000_000)
    flat_out = math.isinf(speed)
    market = Market(
        load_specs(),
        start_msc,
        seed=seed,
        recordings={PACKAGED_SYMBOL: packaged_ticks()} if recordings is None else recordings,
        week=week,
        flat_out=flat_out,
    )
    clock = MarketClock(start_msc, time.monotonic(), 1.0 if flat_out else speed)

    def now_msc() -> int:
        return market.now_msc if flat_out else clock.now_msc(time.monotonic())

    def utc_s() -> int:
        return zone.to_utc_ms(now_msc()) // 1000

    broker = _broker(market, platform, seed, netting=netting)
    load_demo(broker, market, market.now_msc, seed=seed, deposit=DEPOSIT)
    return EmulatedTerminal(market, broker, platform, now_msc=now_msc, utc_s=utc_s, faults=faults)


def _broker(market: Market, platform: str, seed: int, *, netting: bool) -> Broker:
    mode = MarginMode.RETAIL_NETTING if netting else MarginMode.RETAIL_HEDGING
    template = default_account()
    account = replace(template, login=template.login + seed % LOGINS, margin_mode=int(mode))
    terms = terms_of(
        account,
        platform="mt4" if platform == "mt4" else "mt5",
        commission_per_lot=COMMISSION_PER_LOT,
    )
    return Broker(market, account, terms, seed=seed)
