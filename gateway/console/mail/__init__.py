"""Mail: what is written, how it waits, and who carries it.

:mod:`.letters` writes, :class:`MailQueue` keeps and retries, a :class:`Carrier` takes away.
"""

from __future__ import annotations

from . import letters
from .carriers import (
    BadAddress,
    Carrier,
    MailError,
    Outbox,
    Server,
    TryLater,
    Undeliverable,
    carrier_for,
    check_address,
)
from .letters import Button, Letter
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
