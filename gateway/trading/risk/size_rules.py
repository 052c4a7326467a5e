"""Checks of how much: lots, worth, counts."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from gateway.trading.grid import exact

from .case import Case, Exposure, Kind, LookAgain
from .refusing import over


def max_lot(case: Case) -> None:
    """The lots of one order, new or at another price."""
    most = case.limits.max_lot
    if most is not None and case.volume > most and (case.kind is Kind.OPEN or case.is_repriced):
        raise over("max_lot", "The order", limit=most, value=case.volume, unit=" lots")


def max_open_lots(case: Case) -> None:
    """The lots of all positions and orders together."""
    most = case.limits.max_open_lots
    if most is None:
        return
    value = case.measured(case.lots, most)
    if value > most:
        raise over("max_open_lots", "All together", limit=most, value=value, unit=" lots")


def max_notional(case: Case) -> None:
    """What all positions and orders together are worth."""
    most = case.limits.max_notional
    if most is None:
        return
    value = case.measured(lambda exposures: _worth(case, exposures), most)
    if value > most:
        raise over("max_notional", "The worth of all together", limit=most, value=round(value, 2))


def _worth(case: Case, exposures: Iterable[Exposure]) -> Decimal:
    worth = case.facts.worth
    total = Decimal()
    for symbol, lots in case.by_symbol(exposures).items():
        if symbol not in worth:
            raise LookAgain  # an order of that symbol was reserved since
        total += lots * exact(worth[symbol])
    return total


def max_positions(case: Case) -> None:
    """How many positions there are, or may be once what waits is filled."""
    most = case.limits.max_positions
    if most is None:
        return
    value = int(case.measured(case.positions, Decimal(most)))
    if value > most:
        raise over("max_positions", "The number of positions", limit=most, value=value)


def hedging(case: Case) -> None:
    """Nothing is open or waits that goes the other way; on a netting account nothing can."""
    if case.is_netting:
        return
    value = case.opposed()
    if value:
        raise over(
            "hedging",
            f"The number of opposite positions of {case.request.symbol}",
            limit=0,
            value=value,
        )


def max_pending_orders(case: Case) -> None:
    """How many orders wait."""
    most = case.limits.max_pending_orders
    if most is None or not case.exposure.waits:
        return
    value = int(case.measured(_waiting, Decimal(most)))
    if value > most:
        raise over("max_pending_orders", "The number of orders", limit=most, value=value)


def _waiting(exposures: Iterable[Exposure]) -> Decimal:
    return Decimal(sum(1 for one in exposures if one.waits))
