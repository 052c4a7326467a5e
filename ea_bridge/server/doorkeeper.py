"""Who is let in: the one question that the bridge asks the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ea_bridge.protocol.messages import Hello
from ea_bridge.token import Keys


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """Let it in, if it can prove that it holds the token of these keys."""

    keys: Keys
    terminal: str
    """The terminal's id, by which the registry and callers know it."""
    generation: int = 0
    """Grows with each revocation; the gate compares it with that of the session."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Don't. ``code`` is one of :data:`~ea_bridge.protocol.messages.DENIALS`.

    With ``keys`` the reason is told to whoever proves that he holds the token (and he is proved
    to that it is the daemon who says so). Without them, as for an unknown token, the handshake
    takes the same steps with keys that fit nothing, and ends as a wrong proof does: nobody can
    find out which tokens exist.
    """

    code: str
    reason: str
    retry_ms: int = 5000
    keys: Keys | None = None
    terminal: str = ""


class Doorkeeper(Protocol):
    """Implemented by the gateway."""

    def admit(self, hello: Hello) -> Admitted | Refused:
        """Judge a terminal by what it says of itself.

        Asked twice a handshake, at ``hello`` and again once the proof was right, since a token may
        be revoked in between; must not block and not care whether the proof will come.
        """
