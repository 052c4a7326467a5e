"""Mail: texts, the queue in which they wait, and transports that take them away.

:mod:`.templates` writes, :class:`MailQueue` keeps and retries, a :class:`MailTransport` sends.
"""

from __future__ import annotations

from . import templates
from .queue import MailQueue
from .templates import Button, Letter
from .transports import (
    BadAddress,
    FolderTransport,
    MailError,
    MailTransport,
    SmtpTransport,
    TryLater,
    Undeliverable,
    check_address,
    transport_for,
)

__all__ = [
    "BadAddress",
    "Button",
    "FolderTransport",
    "Letter",
    "MailError",
    "MailQueue",
    "MailTransport",
    "SmtpTransport",
    "TryLater",
    "Undeliverable",
    "check_address",
    "templates",
    "transport_for",
]
