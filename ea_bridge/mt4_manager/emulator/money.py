"""Sums of the emulated server: whole cents inside, so that books add up; floats in records."""

from __future__ import annotations

import math

from ea_bridge.mt4_manager.model import TradeCommand, TradeRecord

MAX_AMOUNT = 1_000_000_000.0
"""Of one balance or credit operation."""
_NOISE = 1e-4


def cents(amount: float) -> int:
    """Return an amount in cents, halves away from zero."""
    return math.floor(amount * 100 + 0.5) if amount >= 0 else -cents(-amount)


def amount(in_cents: int) -> float:
    """Return cents as an amount; the float that its two decimals are written as."""
    return in_cents / 100


def is_amount(value: float) -> bool:
    """Whether a number is an amount of money: finite, bounded, in whole cents."""
    if not math.isfinite(value) or abs(value) > MAX_AMOUNT:
        return False
    return abs(value * 100 - cents(value)) < _NOISE


def result(trade: TradeRecord) -> int:
    """Return what a trade has added to balance or credit, or would now: with swap, commission
    and taxes, each of them rounded.
    """
    if trade.cmd >= TradeCommand.BALANCE:
        return cents(trade.profit)
    return (
        cents(trade.profit) + cents(trade.storage) + cents(trade.commission) + cents(trade.taxes)
    )
