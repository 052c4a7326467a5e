"""Caller, a token on a device; and the token as its record says, with its terminal's name.

A console lets each user name terminals as he likes, and one daemon may serve several users. Then
the name alone must not bring one user's caller to another's terminal: all users but the first get
their own mark behind it, ``demo~3f2a9c0d17be5512``. No label contains a tilde.

The fingerprint, by which a terminal is known again, is a label and no proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from ea_bridge.protocol.messages import Hello
from ea_bridge.token import TokenKeys
from gateway.credentials.record import IMPLIED, Record, Scope

__all__ = [
    "IMPLIED",
    "Caller",
    "Refusal",
    "Scope",
    "TokenEntry",
    "assign_terminal_names",
    "terminal_fp",
]


def terminal_fp(hello: Hello) -> str:
    """Return what the EA says, or what can be made of its ``hello``, as 64 hexadecimal digits.

    The EA's own one also covers its data folder and an id that it has saved.
    """
    if hello.fp:
        return hello.fp
    parts = (hello.platform, hello.company, str(hello.login), hello.server)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


Refusal = Literal["revoked", "account_disabled", "expired", "lease_expired"]


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """Token that the daemon knows."""

    record: Record
    keys: TokenKeys = field(repr=False)
    """Without a server key (``b""``) where the console has not given it: no terminal is let in."""
    generation: int
    """Grows whenever the rights change; not when only the end of an overlap is set."""
    vouched_until: int
    """When the signature on the record stops to count, unless it is signed anew."""
    withdrawn: bool = False
    """The record is older than one seen before, does not verify any more, or is gone."""
    terminal: str = ""
    """The name of its terminal on this daemon; see :func:`assign_terminal_names`."""

    def refusal(self, now_s: int) -> Refusal | None:
        """Return why the token opens nothing now; ``None`` if it does."""
        state = self.record.state(now_s)
        if self.withdrawn or state == "revoked":
            return "revoked"
        if state == "disabled":
            return "account_disabled"
        if state == "expired":
            return "expired"
        return "lease_expired" if now_s >= self.vouched_until else None


def assign_terminal_names(entries: Iterable[TokenEntry]) -> dict[str, TokenEntry]:
    """Return the entries by token id, each with the name of its terminal: callers, links and
    channels meet by these names.

    Who has a name keeps it, since links and callers are known by it; of users who come at the
    same time the one with the oldest token gets the bare name. The tokens of one user for one
    label are for the same terminal.
    """
    given = list(entries)
    names = {_whose(entry): entry.terminal for entry in given if entry.terminal}
    taken = set(names.values())
    for entry in sorted(given, key=lambda known: (known.record.created_at, known.record.uid_hash)):
        label, uid = entry.record.label, entry.record.uid_hash
        name = names.setdefault(_whose(entry), f"{label}~{uid}" if label in taken else label)
        taken.add(name)
    return {entry.record.tid: _with_name(entry, names[_whose(entry)]) for entry in given}


def _whose(entry: TokenEntry) -> tuple[str, str]:
    return entry.record.uid_hash, entry.record.label


def _with_name(entry: TokenEntry, name: str) -> TokenEntry:
    return entry if entry.terminal == name else replace(entry, terminal=name)


@dataclass(frozen=True, slots=True)
class Caller:
    """A token that the gate has let in."""

    tid: str
    """Public id of the token."""
    terminal: str
    """Name of the one terminal that the token is for."""
    scopes: frozenset[Scope]
    """With everything implied."""
    generation: int
    """Grows with each change of the token's rights; an older caller must be let in again."""
    device: str
