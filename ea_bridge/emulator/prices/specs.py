"""The symbols of the emulated broker.

EURUSD, XAUUSD and BTCUSD are captures of a real broker's specifications. GBPUSD and the other
majors are modelled on EURUSD: names, currencies, digits and a plausible spread are theirs, the
rest is EURUSD's. ``EURUSD.r`` and ``#US 30:cash`` show that a broker's names hold dots, spaces,
signs and colons. What differs from the captures: EURUSD has depth, and filling modes differ by
symbol, so that a program meets 10030 here before it does with money.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import msgspec
from msgspec.structs import replace

from ea_bridge.model import Account, FillingFlag, SymbolExecution, SymbolInfo

BOOK_DEPTH = 10
_BOTH = int(FillingFlag.FOK | FillingFlag.IOC)


def load_specs() -> dict[str, SymbolInfo]:
    """Return every symbol by its name, quoted as it was when it was captured."""
    eurusd = replace(_captured("EURUSD"), ticks_bookdepth=BOOK_DEPTH)
    gold, bitcoin = _captured("XAUUSD"), _captured("BTCUSD")
    specs = [
        eurusd,
        _pair(eurusd, "GBPUSD", "Great Britain Pound vs US Dollar", 1.31258, 9, filling=_BOTH),
        _pair(eurusd, "USDJPY", "US Dollar vs Japanese Yen", 154.320, 8, digits=3),
        _pair(eurusd, "AUDUSD", "Australian Dollar vs US Dollar", 0.65480, 8),
        _pair(eurusd, "USDCHF", "US Dollar vs Swiss Franc", 0.80510, 10, filling=_BOTH),
        _pair(eurusd, "EURGBP", "Euro vs Great Britain Pound", 0.87830, 10),
        gold,
        replace(bitcoin, filling_mode=int(FillingFlag.FOK)),
        replace(eurusd, name="EURUSD.r", path="Forex\\Raw\\EURUSD.r", ticks_bookdepth=0),
        replace(
            bitcoin,
            name="#US 30:cash",
            description="US 30 index, cash",
            path="Indices\\#US 30:cash",
            currency_base="USD",
            trade_exemode=int(SymbolExecution.MARKET),
            bid=46_250.0,
            ask=46_252.0,
            spread=200,
        ),
    ]
    return {spec.name: spec for spec in specs}


def default_account() -> Account:
    """Return the template of a hedging demo account: leverage 1:500, in US dollars."""
    return Account(
        login=10_000_002,
        leverage=500,
        limit_orders=200,
        trade_allowed=True,
        trade_expert=True,
        margin_mode=2,
        currency_digits=2,
        fifo_close=False,
        margin_so_call=100.0,
        margin_so_so=50.0,
        margin_initial=0.0,
        margin_maintenance=0.0,
        assets=0.0,
        liabilities=0.0,
        commission_blocked=0.0,
        name="Demo Account",
        server="Emulator-Demo",
        currency="USD",
        company="mt-gateway emulator",
    )


def _captured(name: str) -> SymbolInfo:
    text = files(__package__).joinpath("data", "specs", f"{name}.json").read_bytes()
    members: dict[str, Any] = json.loads(text)
    return msgspec.convert(members, SymbolInfo)


def _pair(
    like: SymbolInfo,
    name: str,
    description: str,
    bid: float,
    spread: int,
    *,
    digits: int = 5,
    filling: int | None = None,
) -> SymbolInfo:
    point = 10.0**-digits
    value = 1.0 if name.endswith("USD") else round(point * like.trade_contract_size / bid, 6)
    return replace(
        like,
        name=name,
        description=description,
        path=f"Forex\\{name}",
        currency_base=name[:3],
        currency_margin=name[:3],
        currency_profit=name[3:],
        digits=digits,
        point=round(point, digits),
        trade_tick_size=round(point, digits),
        trade_tick_value=value,
        trade_tick_value_profit=value,
        trade_tick_value_loss=value,
        filling_mode=like.filling_mode if filling is None else filling,
        ticks_bookdepth=0,
        spread=spread,
        bid=bid,
        ask=round(bid + spread * point, digits),
    )
