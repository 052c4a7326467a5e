"""What the manager API answers from; wired once, where the daemon is put together."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.audit import Audit
from gateway.mt4_manager.changes import Changes
from gateway.mt4_manager.link import Link
from gateway.mt4_manager.login import Login
from gateway.mt4_manager.rate import Rate
from gateway.mt4_manager.supervision import Supervision
from gateway.mt4_manager.tokens import TokenBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts."""

    link: Link
    supervision: Supervision
    changes: Changes
    login: Login
    tokens: TokenBook
    rate: Rate
    audit: Audit
    max_amount: float | None = None
    """Of one deposit, withdrawal or credit; ``None`` is no limit."""
