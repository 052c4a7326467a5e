"""The daemon's end of the wire: the listener that terminals dial.

Theory of operation
===================

:class:`BridgeServer` listens on both loopback addresses. Each TCP connection is one
:class:`~.link.Link`, an asyncio protocol without streams or tasks: bytes go straight through
:class:`~ea_bridge.protocol.connection.Connection`. Until ``welcome`` the link leads the handshake,
asking a :class:`Doorkeeper` whom to admit, and an :class:`Introducer` to carry a
:mod:`first contact <.contact>` to the console; from then on it feeds a
:class:`~ea_bridge.session.TerminalSession`, which the registry knows.
"""

from .contact import CONTACT_S, MAX_CONTACTS, MAX_TRIES, MAX_WAITING
from .doorkeeper import (
    Admitted,
    Doorkeeper,
    Introducer,
    Introduction,
    Refused,
    Relay,
    Waiting,
    WrongCode,
)
from .link import (
    AUTH_S,
    CLOSE_S,
    HELLO_S,
)
from .listener import MAX_CONNECTIONS, MAX_UNAUTHENTICATED, BridgeServer

__all__ = [
    "AUTH_S",
    "CLOSE_S",
    "CONTACT_S",
    "HELLO_S",
    "MAX_CONNECTIONS",
    "MAX_CONTACTS",
    "MAX_TRIES",
    "MAX_UNAUTHENTICATED",
    "MAX_WAITING",
    "Admitted",
    "BridgeServer",
    "Doorkeeper",
    "Introducer",
    "Introduction",
    "Refused",
    "Relay",
    "Waiting",
    "WrongCode",
]
