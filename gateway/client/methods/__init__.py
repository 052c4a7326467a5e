"""The typed methods. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from .market import MarketMethods
from .safety import SafetyMethods
from .trading import TradingMethods


class Methods(MarketMethods, TradingMethods, SafetyMethods):
    """All of them."""
