"""What can become of a trade. All are in :mod:`gateway.errors`, too, where the tree is drawn."""

from __future__ import annotations

from .root import GatewayError


class TradeError(GatewayError):
    """The trade did not happen as asked; ``data.outcome`` says what is known."""


class OrderRejected(TradeError):
    """The broker refused the order."""

    code = 2001


class InvalidVolume(TradeError):
    """The volume does not fit the symbol."""

    code = 2002


class InvalidPrice(TradeError):
    """The price does not fit the symbol or the market."""

    code = 2003


class InvalidStops(TradeError):
    """The stop loss or take profit is on the wrong side or too close."""

    code = 2004


class InsufficientMargin(TradeError):
    """Not enough money."""

    code = 2005


class MarketClosed(TradeError):
    """The market is closed."""

    code = 2006
    retryable = True


class TradeDisabled(TradeError):
    """The symbol or the account does not allow this trade."""

    code = 2007


class PriceChanged(TradeError):
    """The price moved before the order was filled."""

    code = 2008
    retryable = True


class OrderNotFound(TradeError):
    """There is no such pending order."""

    code = 2009


class PositionNotFound(TradeError):
    """There is no such open position."""

    code = 2010


class Frozen(TradeError):
    """The order or position is too close to the market to be changed."""

    code = 2012
    retryable = True


class OrderLimit(TradeError):
    """The broker's limit of orders, positions or volume is reached."""

    code = 2013


class UnsupportedFilling(TradeError):
    """The symbol does not allow this filling mode, expiration or kind of order."""

    code = 2014


class ClientOrderIdConflict(TradeError):
    """That client_order_id stands for another request already; ``data.original`` is that."""

    code = 2101


class OrderUnresolved(TradeError):
    """The terminal did not confirm in time; the order may have executed: get_order finds out."""

    code = 2102


class DeadlineExceeded(TradeError):
    """The order could not be handed to the terminal in time and was not sent."""

    code = 2103


class KillSwitchActive(TradeError):
    """Trading is halted; ``data.armed_by`` says by whom, and ``data.since`` when."""

    code = 2104


class RiskLimit(TradeError):
    """A limit of this gateway forbids the order; ``data.rule`` says which."""

    code = 2105
