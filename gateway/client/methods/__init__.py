"""The typed methods. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from .account import AccountMethods
from .calculations import CalculationsMethods
from .contingent import ContingentMethods
from .history import HistoryMethods
from .journal import JournalMethods
from .market import MarketMethods
from .orders import OrdersMethods
from .positions import PositionsMethods
from .safety import SafetyMethods
from .service import ServiceMethods
from .subscriptions import SubscriptionsMethods
from .symbols import SymbolsMethods
from .terminal import TerminalMethods


class Methods(
    AccountMethods,
    TerminalMethods,
    SymbolsMethods,
    MarketMethods,
    PositionsMethods,
    OrdersMethods,
    JournalMethods,
    ContingentMethods,
    CalculationsMethods,
    HistoryMethods,
    SafetyMethods,
    SubscriptionsMethods,
    ServiceMethods,
):
    """All of them."""
