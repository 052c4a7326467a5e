"""Exact money: decimals inside the broker, floats only in the nouns that leave it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache

ZERO = Decimal(0)
ONE = Decimal(1)


@lru_cache(maxsize=8192, typed=True)
def exact(value: float) -> Decimal:
    """Return the decimal that the float was written as: 0.1 is a tenth.

    Kept, because the same volumes and prices are valued at every tick.
    """
    return Decimal(repr(value))


def rounded(amount: Decimal, digits: int) -> Decimal:
    """Round to the digits of a currency or a price, half away from zero (``MathRound``).

    The recorded history agrees to the cent, but holds no tie that would show the rule for halves.
    """
    return amount.quantize(_unit(digits), ROUND_HALF_UP)


@cache
def _unit(digits: int) -> Decimal:
    return ONE.scaleb(-digits)


def on_grid(value: float, step: float) -> bool:
    """Whether a value is a multiple of the step, but for the noise of binary floats.

    MetaTrader's own quotes carry that noise (1.1721300000000001), so it is forgiven.
    """
    steps = exact(value) / exact(step)
    return abs(steps - steps.to_integral_value()) < Decimal("1e-6")
