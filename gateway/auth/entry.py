"""A token that the daemon knows, as its record says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ea_bridge.token import Keys
from gateway.credentials.record import Record

Refusal = Literal["revoked", "account_disabled", "expired", "lease_expired"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A token that the daemon knows."""

    record: Record
    keys: Keys = field(repr=False)
    """Without a server key (``b""``) where the console has not given it: no terminal is let in."""
    generation: int
    """Grows whenever the rights change; not when only the end of an overlap is set."""
    vouched_until: int
    """When the signature on the record stops to count, unless it is signed anew."""
    withdrawn: bool = False
    """The record is older than one seen before, does not verify any more, or is gone."""
    terminal: str = ""
    """The name of its terminal on this daemon; see :mod:`.naming`."""

    def refusal(self, now_s: int) -> Refusal | None:
        """Why the token opens nothing now."""
        state = self.record.state(now_s)
        if self.withdrawn or state == "revoked":
            return "revoked"
        if state == "disabled":
            return "account_disabled"
        if state == "expired":
            return "expired"
        return "lease_expired" if now_s >= self.vouched_until else None
