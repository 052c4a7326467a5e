"""Books and symbols by the hundred, for terminals under load."""

from __future__ import annotations

from typing import Any

from linked_ea import NOW_MSC

from ea_bridge.model import OrderState, OrderType

Json = dict[str, Any]


def _books(**lists: list[Json]) -> Json:
    empty: Json = {"positions": [], "orders": [], "past": [], "deals": []}
    sums = {"balance": 10_000, "credit": 0, "next_order": 100_000_001, "next_deal": 200_000_001}
    return {**empty, **sums, **lists}


def past_orders(count: int) -> Json:
    """Return books with orders that were cancelled in the last minute, without a deal."""
    past = [
        {
            "ticket": 1000 + number,
            "symbol": "EURUSD",
            "type": int(OrderType.BUY_LIMIT),
            "state": int(OrderState.CANCELED),
            "time_setup_msc": NOW_MSC - 60_000 + number,
            "time_done_msc": NOW_MSC - 60_000 + number,
            "volume_initial": 0.1,
            "volume_current": 0.1,
            "price_open": 0.5,
        }
        for number in range(count)
    ]
    return _books(past=past)


def positions_of(count: int) -> Json:
    """Return books with positions of EURUSD."""
    positions = [
        {
            "ticket": 1000 + number,
            "identifier": 1000 + number,
            "symbol": "EURUSD",
            "type": 0,
            "volume": 0.01,
            "price_open": 1.0,
            "time_msc": NOW_MSC - 60_000,
            "time_update_msc": NOW_MSC - 60_000,
        }
        for number in range(count)
    ]
    return _books(positions=positions)


def symbols_of(symbols: list[Json], count: int) -> list[Json]:
    """Return so many symbols: the given ones, and copies of the first under other names."""
    first = symbols[0]
    copies = [
        {**first, "info": {**first["info"], "name": f"COPY{number}"}}
        for number in range(max(count - len(symbols), 0))
    ]
    return [*symbols, *copies][:count]
