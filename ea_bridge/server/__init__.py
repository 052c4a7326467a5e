"""Daemon's end of the wire: the listener that terminals dial.

Theory of operation
===================

:class:`BridgeServer` listens on both loopback addresses. Each TCP connection is one
:class:`~.link.BridgeLink`, an asyncio protocol without streams or tasks: bytes go straight through
:class:`~ea_bridge.protocol.connection.Connection`. Until ``welcome`` the link leads the handshake:
it asks an :class:`Authorizer` whom to admit, and an :class:`Enroller` to carry the
:mod:`enrollment <.enrollment>` of an unknown terminal to the console. From then on it feeds a
:class:`~ea_bridge.session.TerminalSession`, which the registry knows.
"""

from .authorizer import (
    Admitted,
    Authorizer,
    CodeRejected,
    ConsoleChallenge,
    Enroller,
    NotAdmitted,
    Relay,
    Waiting,
)
from .enrollment import ENROLLMENT_S, MAX_ENROLLMENTS, MAX_TRIES, MAX_WAITING
from .link import (
    AUTH_S,
    CLOSE_S,
    HELLO_S,
)
from .listener import MAX_CONNECTIONS, MAX_UNAUTHENTICATED, BridgeServer

__all__ = [
    "AUTH_S",
    "CLOSE_S",
    "ENROLLMENT_S",
    "HELLO_S",
    "MAX_CONNECTIONS",
    "MAX_ENROLLMENTS",
    "MAX_TRIES",
    "MAX_UNAUTHENTICATED",
    "MAX_WAITING",
    "Admitted",
    "Authorizer",
    "BridgeServer",
    "CodeRejected",
    "ConsoleChallenge",
    "Enroller",
    "NotAdmitted",
    "Relay",
    "Waiting",
]
