"""Symbols of the simulated broker, and the account it opens.

EURUSD, XAUUSD and BTCUSD are captures of a real broker's specifications; the others are modelled
on EURUSD or BTCUSD, and each file in ``data/specs`` says so in its ``note``. Two have names for
tests: ``EURUSD.r`` (a dot) and ``#US 30:cash`` (a sign, a space, a colon).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal

import msgspec

from ea_bridge.model import Account, SymbolInfo

TradingHours = Literal["fx", "metals", "crypto"]


class RealBars(msgspec.Struct, frozen=True, tag="bars"):
    """Prices come from packaged real bars: ``data/bars/{file}.gz``."""

    file: str


class Walk(msgspec.Struct, frozen=True, tag="walk"):
    """Prices are a seeded random walk around the specification's: there is no real data.

    ``daily_volatility`` is a share of the price.
    """

    daily_volatility: float
    ticks_a_minute: int


class Cross(msgspec.Struct, frozen=True, tag="cross"):
    """Prices are computed from those of two other symbols."""

    left: str
    op: Literal["*", "/"]
    right: str


class Same(msgspec.Struct, frozen=True, tag="same"):
    """Prices are those of another symbol's bars, under another name."""

    symbol: str


class SymbolListing(msgspec.Struct, frozen=True):
    """A symbol as the emulator has it: its specification, when it trades, where prices come from.

    ``tape`` names the packaged ticks (``data/ticks/{tape}.csv.gz``) that are replayed.
    """

    info: SymbolInfo
    hours: TradingHours
    prices: RealBars | Walk | Cross | Same
    tape: str = ""


def load_listings() -> dict[str, SymbolListing]:
    """Return every packaged symbol by its name."""
    folder = files(__package__) / "data" / "specs"
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    texts = {entry.name: json.loads(entry.read_bytes()) for entry in entries}
    listings = [_listing(text, texts) for text in texts.values()]
    return {listing.info.name: listing for listing in listings}


def load_specs() -> dict[str, SymbolInfo]:
    """Return every packaged specification by its symbol's name."""
    return {name: listing.info for name, listing in load_listings().items()}


def unlisted(name: str, digits: int) -> SymbolListing:
    """Return a listing for a symbol that is not packaged, modelled on EURUSD.

    It has no bars of its own: prices are a walk that nobody sees while ticks are replayed.
    """
    eurusd = load_listings()["EURUSD"].info
    point = round(10.0**-digits, digits)
    info = msgspec.structs.replace(
        eurusd,
        name=name,
        path=f"Custom\\{name}",
        description=f"{name}, modelled on EURUSD",
        digits=digits,
        point=point,
        trade_tick_size=point,
        ticks_bookdepth=0,
    )
    return SymbolListing(info, "fx", Walk(0.005, 40))


def default_account() -> Account:
    """Return the template of the demo account: hedging, 1:500, 10,000 USD."""
    data = (files(__package__) / "data" / "account.json").read_bytes()
    return msgspec.json.decode(data, type=Account)


def _listing(text: Mapping[str, Any], texts: Mapping[str, Any]) -> SymbolListing:
    base = texts[f"{text['like']}.json"]["info"] if "like" in text else {}
    return msgspec.convert({**text, "info": {**base, **text["info"]}}, SymbolListing)
