"""Notifications: the owner is told elsewhere of what the gateway does.

::

    audit trail     orders that were rejected or unknown, limits, halts --+
    streams         fills, margin calls ---------------------------------+--> notes --> queue
    registry        links that are lost, machines that wait -------------+     (notify.db)
                                                                                  |
              webhook, ntfy, Telegram, mail, Apprise   <-- one sender each -------+

Nothing here stands in the way of an order: the service listens, and looks once a second. A note is
on the disk before it is sent, and is sent until it was taken: at least once, also over a restart.
Its id lets a receiver drop one that comes twice.
"""
