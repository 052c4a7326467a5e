"""Mail: what is written, how it waits, and who carries it.

:mod:`.letters` writes, :class:`MailQueue` keeps and retries, a :class:`Carrier` takes away.
"""

from __future__ import annotations

from . import letters
from .address import BadAddress, check_address
from .carriers import Carrier, MailError, Outbox, Server, TryLater, Undeliverable, carrier_for
from .letter import Button, Letter
from .queue import MailQueue

__all__ = [
    "BadAddress",
    "Button",
    "Carrier",
    "Letter",
    "MailError",
    "MailQueue",
    "Outbox",
    "Server",
    "TryLater",
    "Undeliverable",
    "carrier_for",
    "check_address",
    "letters",
]
