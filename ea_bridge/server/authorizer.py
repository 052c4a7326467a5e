"""Admission of terminals: the questions that the bridge asks the gateway.

Theory of operation
===================

An :class:`Authorizer` judges each terminal by its ``hello``. One that has a console behind it may
answer :class:`Relay`: this daemon cannot judge, the console can. Then an :class:`Enroller`
carries the handshake there, step by step, while the terminal waits::

    terminal          link                           enroller          console
    hello      ->     admit -> Relay
                      fetch_challenge(hello, snonce) ->                makes the daemon's proof
    challenge  <-     ConsoleChallenge
    auth       ->     prove(challenge, auth)         ->                checks the EA's proof
    welcome    <-     Admitted                                         this device is approved
    pending    <-     Waiting                                          a person has got a mail
    verify     ->     verify(waiting, code)          ->                the code of that mail
    pending    <-     CodeRejected
                      outcome(waiting)               ->                the person decides
    bye        <-     Admitted: "approved"           the terminal dials again, and is known now
    denied     <-     NotAdmitted

Neither the token nor a key that is made of it comes to this daemon before the approval; the
console's proof contains this daemon's device id and fits no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ea_bridge.protocol.messages import Auth, Hello
from ea_bridge.token import TokenKeys


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """Verdict to let a terminal in, if it can prove that it holds the token of these keys."""

    keys: TokenKeys
    terminal: str
    """The terminal's id, by which the registry and callers know it."""
    generation: int = 0
    """Grows with each revocation; the gate compares it with that of the session."""


@dataclass(frozen=True, kw_only=True)
class NotAdmitted:
    """Verdict to keep it out; ``code`` is one of :data:`~ea_bridge.protocol.messages.DENIALS`.

    With ``keys`` the reason is told to whoever proves that he holds the token (and he is proved
    to that it is the daemon who says so). Without them, as for an unknown token, the handshake
    takes the same steps with keys that fit nothing, and ends as a wrong proof does: nobody can
    find out which tokens exist.
    """

    code: str
    reason: str
    retry_ms: int = 5000
    keys: TokenKeys | None = None
    terminal: str = ""


@dataclass(frozen=True, kw_only=True)
class Relay:
    """Verdict to ask the console: the token is unknown, or its use here needs approval.

    Answered by an authorizer whose server was given an :class:`Enroller`; without one it is
    treated as an unknown token.
    """

    terminal: str = ""
    """Its id, where it is known already; for ``close_terminal``."""


class Authorizer(Protocol):
    """Judge of terminals, implemented by the gateway."""

    def admit(self, hello: Hello) -> Admitted | NotAdmitted | Relay:
        """Judge a terminal by what it says of itself.

        Asked twice a handshake, at ``hello`` and again once the proof was right, since a token may
        be revoked in between; must not block and not care whether the proof will come.
        """


# --- enrollment --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ConsoleChallenge:
    """Console's part of the challenge."""

    id: str
    """Opaque; by it the console knows the enrollment again."""
    proof: str
    """``challenge.proof``: ``HMAC(ServerKey, "srv|" + AM)`` as 64 hexadecimal digits; for a token
    that does not exist a dummy, so that an unknown one and a known one look the same."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Verdict to wait: the token is proved, and a person is asked to approve the machine."""

    id: str
    """Opaque; by it the console knows the request again."""
    user_code: str
    """Shown at the terminal, typed on the console's page."""
    url: str
    expires_s: int
    """After it the bridge gives up by itself, whether ``outcome`` has returned or not."""


@dataclass(frozen=True, kw_only=True)
class CodeRejected:
    """Verdict that this was not the code of the mail."""

    tries_left: int


class Enroller(Protocol):
    """Way to the console, implemented by the gateway.

    Every method may take as long as it takes: the bridge cuts it off with a ``CancelledError``,
    :data:`~.enrollment.ENROLLMENT_S` after ``hello`` or when the terminal goes. One that raises is
    logged, and the terminal is told ``busy``.

    ``NotAdmitted`` ends the enrollment, with ``code`` and ``reason`` told to the terminal. A
    ``retry_ms`` that would make terminals a burden to the console or to a person's mailbox is
    raised.
    """

    async def fetch_challenge(self, hello: Hello, snonce: str) -> ConsoleChallenge | NotAdmitted:
        """Ask for the proof with which to challenge the terminal.

        What is refused here is told to somebody who has proved nothing: it must say nothing of
        the token, thus be ``busy`` (no way to the console) or ``device_revoked``.
        """

    async def prove(
        self, challenge: ConsoleChallenge, auth: Auth
    ) -> Admitted | Waiting | NotAdmitted:
        """Have the terminal's proof checked.

        ``Admitted`` means that the device was approved before and that the daemon has the token's
        record now: the bridge then checks the proof itself, with the record's keys, and asks
        ``admit`` as in any other handshake.
        """

    async def outcome(self, waiting: Waiting) -> Admitted | NotAdmitted:
        """Wait until the request is decided, through any trouble on the way to the console.

        ``Admitted`` must come when the daemon has the record: the terminal then dials again, and
        ``admit`` has to know it. ``NotAdmitted`` has the code ``refused`` where a person said no,
        ``device_pending`` where the request ran out, or what is wrong with the token.
        """

    async def verify(self, waiting: Waiting, code: str) -> Admitted | CodeRejected | NotAdmitted:
        """Have the code of the mail checked, 8 digits that were typed at the terminal.

        Called while ``outcome`` is awaited, one code at a time. What it returns counts as if
        ``outcome`` had returned it; ``NotAdmitted`` where no further try is allowed. With the code
        ``busy``, or an exception, nothing is decided: the person may try again.
        """
