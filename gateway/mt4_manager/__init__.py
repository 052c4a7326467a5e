"""The MT4 server's manager, for a CRM: operators who log in, the link to the server's peer, and
the journal of what they change.

Nothing here belongs to terminals: a manager's peer links with a token and a role of its own, and
its operators are no callers of ``/rpc``.
"""

from typing import TYPE_CHECKING

from gateway.lazy import names_of

if TYPE_CHECKING:
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
    from .operators import Operator, OperatorBook, OperatorError, OperatorRole
else:
    __getattr__ = names_of(
        __name__,
        errors="ChangeUnknown KeyReused LoginRefused ManagerError PeerOffline PeerRefused "
        "PeerSilent RateExceeded",
        operators="Operator OperatorBook OperatorError OperatorRole",
    )

__all__ = [
    "ChangeUnknown",
    "KeyReused",
    "LoginRefused",
    "ManagerError",
    "Operator",
    "OperatorBook",
    "OperatorError",
    "OperatorRole",
    "PeerOffline",
    "PeerRefused",
    "PeerSilent",
    "RateExceeded",
]
