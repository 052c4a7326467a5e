"""The console's tables.

Times are whole seconds since 1970 unless a name ends in ``_ms``. What a thief of the database
must not use is hashed (``*_hash``) or sealed (see :data:`SEALED`). A column that is added here is
added to the migrations too; a test compares both.
"""

from gateway.credentials.sealed import SealedColumn

from .approvals import ApprovalRequest, Contact, CopiedDevice, DeviceChain, Mail
from .base import Base
from .history import DeviceTrail, Login, Run
from .keys import KeySet, SealedValue, SecretKey, SigningKey
from .people import Activity, OneTimeLink, Session, Throttle, User
from .tokens import Device, DeviceEvent, RequestNonce, Token, TokenDevice, UserDevice

SEALED = (
    SealedColumn("tokens", "tid", "server_key"),
    SealedColumn("signing_keys", "kid", "private_key"),
    SealedColumn("sealed_values", "name", "sealed"),
    SealedColumn("mails", "id", "body"),
)
"""Columns that hold what :class:`gateway.credentials.secrets.SecretBox` sealed."""

__all__ = [
    "SEALED",
    "Activity",
    "ApprovalRequest",
    "Base",
    "Contact",
    "CopiedDevice",
    "Device",
    "DeviceChain",
    "DeviceEvent",
    "DeviceTrail",
    "KeySet",
    "Login",
    "Mail",
    "OneTimeLink",
    "RequestNonce",
    "Run",
    "SealedValue",
    "SecretKey",
    "Session",
    "SigningKey",
    "Throttle",
    "Token",
    "TokenDevice",
    "User",
    "UserDevice",
]
