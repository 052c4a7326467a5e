"""Why a token may be used nowhere, whatever the machine."""

from __future__ import annotations

from gateway.console.database.model import Token, User
from gateway.credentials.daemon_api import DeniedCode


def token_refusal(user: User, token: Token, now_s: int) -> DeniedCode | None:
    """Return what is wrong with a token; told only to who has proved to hold it."""
    if user.status != "active" or token.status == "disabled":
        return "account_disabled"
    if token.status == "revoked":
        return "revoked"
    if token.exp is not None and now_s >= token.exp:
        return "expired"
    return None
