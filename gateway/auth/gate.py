"""The one place that says yes or no to who calls, and to who dials in as a terminal.

A bearer is checked in the same steps whether its token is known or not: parse, look up, derive,
compare in constant time. Derived keys are not cached: deriving takes 6 microseconds, and a cache
would hold what a token can be found by.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Callable

from ea_bridge.protocol.messages import Hello
from ea_bridge.server import Admitted, Refused
from ea_bridge.token import MalformedToken, derive_keys, parse_token
from gateway.auth.caller import IMPLIED, Caller
from gateway.auth.records import Entry, RecordBook
from gateway.credentials.scope import Scope
from gateway.credentials.secrets import SecretsError
from gateway.errors import Unauthorized
from gateway.store import StoreError

logger = logging.getLogger(__name__)

POLL_S = 0.25
"""Between two looks at what other processes wrote and at what has expired."""
BLIND_S = 5.0
"""How long the last known records hold while the store cannot be read; then nobody is let in."""
RENEW_S = 3600.0
"""Between two chances for the issuer to renew its keys."""

MESSAGES = {
    "missing": "Send your auth_token",
    "malformed": "The auth_token was mistyped: its checksum does not match",
    "unknown": "This gateway does not know the auth_token",
    "revoked": "The auth_token was revoked: create a new one",
    "expired": "The auth_token has expired: create a new one",
    "account_disabled": "The account of this auth_token is disabled",
    "lease_expired": "The gateway cannot verify the auth_token now: its log says why",
}

ChangeCallback = Callable[[str, str], None]


class Gate:
    """Checks callers against the verified records, again and again.

    Args:
        book: what the daemon believes.
        device: the id of this machine.
        now_s: seconds since 1970.
        monotonic_s: seconds that only grow.

    Raises:
        StoreError: the records cannot be read.

    """

    def __init__(
        self,
        book: RecordBook,
        device: str,
        now_s: Callable[[], int] = lambda: int(time.time()),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._device = device
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._callbacks: list[ChangeCallback] = []
        self._no_key = secrets.token_bytes(32)
        self._blind_since: float | None = None
        self._is_displaced = False
        """The database is another file than the one that we read: only a restart helps."""
        book.refresh(now_s())
        self._ended = {e.record.tid for e in book.entries() if e.refusal(now_s()) is not None}

    # --- callers ---------------------------------------------------------------------------

    def admit(self, token: str) -> Caller:
        """Let a holder of a token in.

        An unknown token costs as much as a known one, and what became of a token is told only to
        who holds it.

        Raises:
            Unauthorized: ``data.reason`` is ``missing``, ``malformed``, ``unknown``, ``revoked``,
                ``expired``, ``account_disabled`` or ``lease_expired``.

        """
        if not token:
            raise _unauthorized("missing")
        try:
            tid = parse_token(token)
        except MalformedToken:
            raise _unauthorized("malformed") from None
        self.refresh()
        entry = self._book.get(tid)
        stored_key = self._no_key if entry is None else entry.keys.stored_key
        if not hmac.compare_digest(derive_keys(token).stored_key, stored_key) or entry is None:
            raise _unauthorized("unknown")
        refusal = self._refusal(entry)
        if refusal is not None:
            raise _unauthorized(refusal)
        record = entry.record
        scopes = frozenset[Scope]().union(*(IMPLIED[scope] for scope in record.scopes))
        return Caller(record.tid, record.label, scopes, entry.generation, self._device)

    def recheck(self, caller: Caller) -> None:
        """Check that an admitted caller still has its rights; takes about 5 microseconds.

        Raises:
            Unauthorized: the token was revoked, has expired or its rights changed.

        """
        self.refresh()
        entry = self._book.get(caller.tid)
        if entry is None:
            raise _unauthorized("unknown")
        refusal = self._refusal(entry)
        if refusal is not None:
            raise _unauthorized(refusal)
        if entry.generation != caller.generation:
            raise Unauthorized(
                "The auth_token's rights have changed: connect again", reason="revoked"
            )

    # --- terminals -------------------------------------------------------------------------

    def admit_terminal(self, hello: Hello) -> Admitted | Refused:
        """Judge a terminal that dials in, before and after its proof; see ``Doorkeeper``."""
        self.refresh()
        entry = self._book.get(hello.tid)
        if entry is None:
            return Refused(code="unknown", reason="no such token, or its proof is wrong")
        record = entry.record
        refusal = self._refusal(entry)
        if refusal is not None:
            # nobody else knows of leases yet: to an EA it means that it should try again
            code = "busy" if refusal == "lease_expired" else refusal
            return Refused(
                code=code, reason=MESSAGES[refusal], keys=entry.keys, terminal=record.label
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

        It is called from the event loop, never from inside a check: by then the gate has long
        refused whoever held the token. ``reason`` is one of those of :meth:`admit`.

        Returns:
            What ends that.

        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def refresh(self) -> None:
        """Take over what was written since; done with each check."""
        try:
            changed = self._book.refresh(self._now_s())
        except StoreError as error:
            if self._blind_since is None:
                self._blind_since = self._monotonic_s()
                logger.error("tokens cannot be checked: %s", error)
            return
        if self._blind_since is not None:
            self._blind_since = None
            logger.warning("tokens can be checked again")
        for entry in changed:
            self._tell(entry, self._refusal(entry) or "revoked")

    def expire(self) -> None:
        """Tell of tokens whose time has run out, and take over what was written since."""
        self.refresh()
        for entry in self._book.entries():
            refusal = self._refusal(entry)
            if refusal is None:
                self._ended.discard(entry.record.tid)
            elif entry.record.tid not in self._ended:
                self._tell(entry, refusal)

    async def watch(self, renew: Callable[[], None] | None = None) -> None:
        """Notice what no call brings to light, until cancelled: ends of tokens, other processes.

        Args:
            renew: called once an hour, for the issuer of the same home to renew its keys.

        """
        renewed_s = self._monotonic_s()
        while True:
            await asyncio.sleep(POLL_S)
            self._check_store()
            self.expire()
            if renew is not None and self._monotonic_s() - renewed_s >= RENEW_S:
                renewed_s = self._monotonic_s()
                try:
                    renew()
                except (StoreError, SecretsError) as error:
                    logger.error("the issuer's keys are not renewed: %s", error)

    def label(self, tid: str) -> str | None:
        """The terminal that a token is for."""
        entry = self._book.get(tid)
        return None if entry is None else entry.record.label

    def _check_store(self) -> None:
        try:
            self._book.check()
        except StoreError as error:
            if not self._is_displaced:
                logger.critical("nobody is let in any more: %s", error)
            self._is_displaced = True

    def _refusal(self, entry: Entry) -> str | None:
        if self._is_displaced or (
            self._blind_since is not None and self._monotonic_s() - self._blind_since > BLIND_S
        ):
            return "lease_expired"
        return entry.refusal(self._now_s())

    def _tell(self, entry: Entry, reason: str) -> None:
        """Tell all listeners, on the next turn of the loop: a check may stand above us."""
        record = entry.record
        self._ended.add(record.tid)
        logger.warning("token %s of terminal %s: %s", record.tid, record.label, reason)
        loop = asyncio.get_running_loop()
        for callback in self._callbacks:
            loop.call_soon(callback, record.tid, reason)


class TerminalDoor:
    """The gate, as the bridge's listener sees it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def admit(self, hello: Hello) -> Admitted | Refused:
        """Judge a terminal; see :class:`~ea_bridge.server.Doorkeeper`."""
        return self._gate.admit_terminal(hello)


def _unauthorized(reason: str) -> Unauthorized:
    return Unauthorized(MESSAGES[reason], reason=reason)
