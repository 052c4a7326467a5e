"""The typed methods. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from .market import MarketMethods
from .native import NativeMethods
from .safety import SafetyMethods
from .trading import TradingMethods


class Methods(MarketMethods, TradingMethods, NativeMethods, SafetyMethods):
    """All of them."""
