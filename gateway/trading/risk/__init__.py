"""The checks before an order: what it must pass before it is journaled and sent.

``limits``
    What a caller may do; the strictest of what config, token and account say.
``rules``
    Every check by its name, in order; the judges stand in the modules ``*_rules``.
``case``
    What a judge sees: the trade, the limits, the facts.
``facts``, ``asking``
    What the terminal says of the account. A fact that cannot be had refuses the order.
``reservations``, ``pace``
    What orders on their way take of the limits, and how fast they come.
``admission``
    Puts it together: ask, judge, reserve.
"""
