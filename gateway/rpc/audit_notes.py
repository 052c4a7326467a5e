"""Notes in the audit trail of requests that were not let in and calls that were refused."""

from __future__ import annotations

from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.errors import AccessDenied, GatewayError
from gateway.rpc.catalogue import Method

NOTED = ("rule", "limit", "value", "armed_by", "scope", "tier", "client_order_id")
"""Members of an error's data that the trail keeps: none holds free text of a caller."""


def note_request(audit: Audit, error: GatewayError) -> None:
    """Note that a request was not let in; a malformed one is no matter of access."""
    if isinstance(error, AccessDenied):
        reason = error.data.get("reason")
        audit.often("request_refused", outcome="refused", reason=reason)


def note_call(audit: Audit, method: Method, caller: Caller, error: GatewayError) -> None:
    """Note that a caller may not do something, or that a trade was refused before it was sent."""
    is_unsent = method.mutates and error.data.get("outcome") == "not_sent"
    if is_unsent or isinstance(error, AccessDenied):
        audit.often(
            "call_refused",
            outcome="refused",
            reason=error.name(),
            actor=caller.tid,
            terminal=caller.terminal,
            object=method.name,
            **{name: error.data[name] for name in NOTED if name in error.data},
        )
