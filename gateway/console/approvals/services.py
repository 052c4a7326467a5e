"""Services that approvals stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.console.activity import ActivityLog
from gateway.console.database import Database
from gateway.console.devices import Devices
from gateway.console.mail import MailQueue
from gateway.console.tokens import Tokens
from gateway.credentials.secrets import SecretBox

from .codes import Codes


@dataclass(frozen=True)
class ApprovalServices:
    """The services of the console that approvals need."""

    db: Database
    box: SecretBox = field(repr=False)
    now_s: Callable[[], int]
    codes: Codes
    tokens: Tokens
    devices: Devices
    activity: ActivityLog
    mail: MailQueue
    url: Callable[[], str]
    """Where people find the console: scheme, host and port."""
