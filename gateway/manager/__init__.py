"""The MT4 server's manager, for a CRM: operators who log in, the link to the server's peer, and
the journal of what they change.

Nothing here belongs to terminals: a manager's peer links with a token and a role of its own, and
its operators are no callers of ``/rpc``.
"""

from .errors import (
    ChangeUnknown,
    KeyReused,
    LoginRefused,
    ManagerError,
    PeerOffline,
    PeerRefused,
    PeerSilent,
    RateExceeded,
)
from .operators import Operator, OperatorBook, OperatorError, Role

__all__ = [
    "ChangeUnknown",
    "KeyReused",
    "LoginRefused",
    "ManagerError",
    "Operator",
    "OperatorBook",
    "OperatorError",
    "PeerOffline",
    "PeerRefused",
    "PeerSilent",
    "RateExceeded",
    "Role",
]
