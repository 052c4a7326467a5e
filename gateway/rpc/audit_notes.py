"""What the doors note in the audit trail: who was not let in, and what was not done for whom."""

from __future__ import annotations

from collections.abc import Callable

from ea_bridge.token import MalformedToken, parse_token
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.credentials.daemon_api import Way
from gateway.errors import AccessDenied, GatewayError
from gateway.rpc.catalogue import Method

TOLD = ("rule", "limit", "value", "armed_by", "scope", "tier", "client_order_id")
"""What is kept of the data of an error: nothing that a caller wrote as he liked."""

NoteLogin = Callable[[str, Way, str, str], None]
"""Hears of a use of a token: its id, the way, why it was refused, the program."""


def tid_of(token: str) -> str:
    """Return the id of a token; empty for what is none."""
    try:
        return parse_token(token)
    except MalformedToken:
        return ""


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
            **{name: error.data[name] for name in TOLD if name in error.data},
        )
