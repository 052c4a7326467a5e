"""A token as its owner may see it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.console.database.model import Token, User
from gateway.console.records import is_live
from gateway.credentials.record import Offline, TradeLimits
from gateway.credentials.scope import Scope


@dataclass(frozen=True)
class TokenInfo:
    """A token, as its owner may see it."""

    tid: str
    user_id: str
    name: str
    platform: str | None
    status: str
    """``active``, ``superseded``, ``disabled`` (suspended), ``revoked``, or ``expired``."""
    is_live: bool
    rec_ver: int
    created_at: int
    exp: int | None
    ended_at: int | None
    scopes: tuple[Scope, ...]
    limits: TradeLimits
    offline: Offline
    strict_terminal: bool
    replaced_by: str | None
    linked_at: int | None
    """When a terminal was first linked with it."""


def token_info(row: Token, user: User, now_s: int) -> TokenInfo:
    """Return what may be told of a row."""
    over = row.exp is not None and now_s >= row.exp and row.status in ("active", "superseded")
    return TokenInfo(
        tid=row.tid,
        user_id=row.user_id,
        name=row.label,
        platform=row.platform,
        status="expired" if over else row.status,
        is_live=is_live(row, user, now_s),
        rec_ver=row.rec_ver,
        created_at=row.created_at,
        exp=row.exp,
        ended_at=row.ended_at,
        scopes=tuple(Scope(name) for name in json.loads(row.scopes)),
        limits=TradeLimits.model_validate_json(row.limits),
        offline=Offline.model_validate_json(row.offline),
        strict_terminal=row.strict_terminal,
        replaced_by=row.replaced_by,
        linked_at=row.linked_at,
    )
