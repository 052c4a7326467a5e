"""The one place that says yes or no to who calls, and to who dials in as a terminal."""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from collections.abc import Callable

from ea_bridge.protocol.messages import Hello
from ea_bridge.server import Admitted, Refused
from ea_bridge.token import Keys, MalformedToken, derive_keys, parse_token
from gateway.auth.caller import IMPLIED, Caller, Scope
from gateway.auth.records import Entry, RecordBook
from gateway.errors import Unauthorized

_log = logging.getLogger(__name__)

MESSAGES = {
    "malformed": "The auth_token was mistyped: its checksum does not match",
    "unknown": "This gateway does not know the auth_token",
    "revoked": "The auth_token was revoked: create a new one",
    "expired": "The auth_token has expired: create a new one",
    "account_disabled": "The account of this auth_token is disabled",
}

ChangeCallback = Callable[[str, str], None]


class Gate:
    """Checks callers against the verified records, again and again.

    Args:
        book: what the daemon believes.
        device: the id of this machine.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        book: RecordBook,
        device: str,
        now_s: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self._book = book
        self._device = device
        self._now_s = now_s
        self._callbacks: list[ChangeCallback] = []
        self._ended: set[str] = set()
        self._dummy = Keys(secrets.token_bytes(32), secrets.token_bytes(32))
        book.refresh(now_s())

    # --- callers ---------------------------------------------------------------------------

    def admit(self, token: str) -> Caller:
        """Let a holder of a token in.

        An unknown token costs as much as a known one, and what became of a token is told only to
        who holds it.

        Raises:
            Unauthorized: ``data.reason`` is ``malformed``, ``unknown``, ``revoked``, ``expired``
                or ``account_disabled``.

        """
        try:
            tid = parse_token(token)
        except MalformedToken:
            raise _unauthorized("malformed") from None
        self.refresh()
        entry = self._book.get(tid)
        stored = self._dummy.stored_key if entry is None else entry.keys.stored_key
        if not hmac.compare_digest(derive_keys(token).stored_key, stored) or entry is None:
            raise _unauthorized("unknown")
        refusal = entry.refusal(self._now_s())
        if refusal is not None:
            raise _unauthorized(refusal)
        return self._caller(entry)

    def recheck(self, caller: Caller) -> None:
        """Check that an admitted caller still has its rights.

        Raises:
            Unauthorized: the token was revoked, has expired or its rights changed.

        """
        self.refresh()
        entry = self._book.get(caller.tid)
        if entry is None:
            raise _unauthorized("unknown")
        refusal = entry.refusal(self._now_s())
        if refusal is not None or entry.generation != caller.generation:
            raise _unauthorized(refusal or "revoked")

    def _caller(self, entry: Entry) -> Caller:
        record = entry.record
        scopes = frozenset[Scope]().union(*(IMPLIED[Scope(scope)] for scope in record.scopes))
        return Caller(record.tid, record.label, scopes, entry.generation, self._device)

    # --- terminals -------------------------------------------------------------------------

    def admit_terminal(self, hello: Hello) -> Admitted | Refused:
        """Judge a terminal that dials in, before and after its proof; see ``Doorkeeper``."""
        self.refresh()
        entry = self._book.get(hello.tid)
        if entry is None:
            return Refused(code="unknown", reason="no such token, or its proof is wrong")
        record = entry.record
        refusal = entry.refusal(self._now_s())
        if refusal is not None:
            return Refused(
                code=refusal, reason=MESSAGES[refusal], keys=entry.keys, terminal=record.label
            )
        if record.platform not in (None, hello.platform):
            return Refused(
                code="unknown",
                reason=f"the token is for {record.platform}, not for {hello.platform}",
                keys=entry.keys,
                terminal=record.label,
            )
        return Admitted(keys=entry.keys, terminal=record.label, generation=entry.generation)

    # --- changes ---------------------------------------------------------------------------

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Call ``callback(tid, reason)`` once for each token that loses or changes its rights.

        Returns:
            What ends that.

        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def refresh(self) -> None:
        """Take over what was written since, and tell of tokens that lost their rights.

        Called with each check, and by a timer for connections that say nothing.
        """
        now_s = self._now_s()
        for entry in self._book.refresh(now_s):
            if entry.generation > 1:
                self._tell(entry, entry.refusal(now_s) or "revoked")

    def expire(self) -> None:
        """Tell of tokens whose time has run out; for a timer."""
        self.refresh()
        now_s = self._now_s()
        for entry in self._book.entries():
            if entry.refusal(now_s) == "expired" and entry.record.tid not in self._ended:
                self._tell(entry, "expired")

    def label(self, tid: str) -> str | None:
        """The terminal that a token is for."""
        entry = self._book.get(tid)
        return None if entry is None else entry.record.label

    def _tell(self, entry: Entry, reason: str) -> None:
        self._ended.add(entry.record.tid)
        _log.warning("the token of terminal %s: %s", entry.record.label, reason)
        for callback in tuple(self._callbacks):
            callback(entry.record.tid, reason)


class TerminalDoor:
    """The gate, as the bridge's listener sees it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def admit(self, hello: Hello) -> Admitted | Refused:
        """Judge a terminal; see :class:`~ea_bridge.server.Doorkeeper`."""
        return self._gate.admit_terminal(hello)


def _unauthorized(reason: str) -> Unauthorized:
    return Unauthorized(MESSAGES[reason], reason=reason)
