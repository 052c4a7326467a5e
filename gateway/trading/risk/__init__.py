"""Rules of risk: what an order must pass before it is journaled and sent.

``rules``
    The table of all rules, by name and in order, and the check of each: a function that raises
    the error of a broken limit.
``context``
    The input of a check: the order, the limits, the facts.
``facts``
    The terminal's word on the account. A fact that cannot be had refuses the order.
``counters``
    Orders on their way take their part of the limits, and come at some rate.
``checker``
    Puts it together: ask, check, reserve.

The limits themselves are :class:`gateway.trading.limits.TradingLimits`.
"""
