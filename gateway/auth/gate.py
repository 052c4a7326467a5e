"""The one place that says yes or no to who calls, and to who dials in as a terminal.

A bearer is checked in the same steps whether its token is known or not: parse, look up, derive,
compare in constant time. A token that was right is known again by its digest under a key that only
this process has: to derive its keys anew was a fifth of a call over ``/rpc``. The digest tells
nobody anything of the token, and saves the derivation alone: what the token still opens is looked
up each time.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable

from ea_bridge import host
from ea_bridge.protocol.messages import Hello
from ea_bridge.server import Admitted, NotAdmitted, Relay
from ea_bridge.token import MalformedToken, derive_keys, parse_token
from gateway.auth.caller import IMPLIED, Caller, TokenEntry, terminal_fp
from gateway.auth.leases import EVERYTHING, Allowance, Leases
from gateway.auth.records import RecordBook
from gateway.background import next_look
from gateway.credentials.lease import Tier
from gateway.credentials.record import Scope, TradeLimits
from gateway.credentials.secrets import SecretsError
from gateway.errors import Forbidden, Unauthorized
from gateway.storage.store import StoreError

logger = logging.getLogger(__name__)

POLL_S = 0.25
"""Between two looks at what other processes wrote and at what has expired."""
BLIND_S = 5.0
"""How long the last known records hold while the store cannot be read; then nobody is let in."""
MAX_PROVEN = 256
"""Tokens whose digests are kept; more than a home ever has."""
RENEW_S = 3600.0
"""Between two chances for the issuer to renew its keys."""

MESSAGES = {
    "missing": "Send your auth_token",
    "malformed": "The auth_token was mistyped: its checksum does not match",
    "unknown": "This gateway does not know the auth_token",
    "revoked": "The auth_token was revoked: create a new one",
    "expired": "The auth_token has expired: create a new one",
    "account_disabled": "The account of this auth_token is disabled",
    "device_pending": "This machine waits for approval: its owner got a mail from the console",
    "device_revoked": "This machine may not be used any more: approve it again in the console",
    "lease_expired": "The gateway cannot verify the auth_token now: its log says why",
    "rights_changed": "The auth_token's rights have changed: connect again",
}
CONSOLE_MESSAGES = MESSAGES | {
    "unknown": "This gateway does not know the auth_token: start the terminal with it on this "
    "machine first, and approve the machine when the console's mail comes",
    "revoked": "The auth_token was revoked: create a new one on the console's page",
    "expired": "The auth_token has expired: replace it on the console's page",
    "account_disabled": "The account of this auth_token is disabled: ask who runs the console",
    "device_pending": "This machine waits for approval: its owner got a mail from the console; "
    "the terminal shows the code",
    "lease_expired": "The console has not vouched for the auth_token for too long: see that it "
    "can be reached; mt-gateway doctor says what is wrong",
}
"""The same in a home that takes its tokens from a console."""
LESS = {
    "lease_expired": "The console has not been reached for too long",
    "clock_suspect": "The clock of this machine went back, and the console was not reached since",
    "missed_event": "The console's newest word is being fetched",
    "console_unasked": "The console is being asked what became of tokens while this was off",
}
"""Why a token may do less than its scopes say."""
ALLOWED = {
    Tier.READ: "until it is, only reading is allowed",
    Tier.REDUCE: "until it is, only closing, cancelling and tightening stops is allowed",
}
TIER_RETRY_MS = 5000
"""The console is asked that often, at least."""

ChangeCallback = Callable[[str, str], None]


class Gate:
    """Checks callers against the verified records, again and again.

    Args:
        book: what the daemon believes.
        device: the id of this machine.
        now_s: seconds since 1970; by default of the wall clock.
        monotonic_s: seconds that only grow.
        leases: of a home whose console is another program; ``None`` for the local issuer's
            tokens, which may always do all that their scopes say.
        is_waiting: whether a terminal with the token of an id has proved it to the console, and
            waits until a person approves this machine.

    Raises:
        StoreError: the records cannot be read.

    """

    def __init__(
        self,
        book: RecordBook,
        device: str,
        now_s: Callable[[], int] | None = None,
        monotonic_s: Callable[[], float] = host.monotonic_s,
        *,
        leases: Leases | None = None,
        is_waiting: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._book = book
        self._leases = leases
        self._is_waiting = is_waiting
        self._messages = MESSAGES if leases is None else CONSOLE_MESSAGES
        self._device = device
        self._now_s = now_s or _wall_seconds()
        self._monotonic_s = monotonic_s
        self._callbacks: list[ChangeCallback] = []
        self._untold: list[tuple[str, str]] = []
        self._callers: dict[str, tuple[TokenEntry, Caller]] = {}
        """Callers by token id, with the entries that they were made of: no more than tokens."""
        self._no_key = host.random_bytes(32)
        self._digest_key = host.random_bytes(32)
        self._proven: dict[bytes, tuple[str, bytes]] = {}
        """Ids of tokens that were right, with the stored keys that they fitted, by digest."""
        self._blind_since: float | None = None
        self._is_displaced = False
        """The database is another file than the one that we read: only a restart helps."""
        book.refresh(self._now_s())
        if leases is not None:
            leases.refresh()
        self._ended = {e.record.tid for e in book.entries() if self._refusal(e) is not None}

    # --- callers ---------------------------------------------------------------------------

    def admit(self, token: str) -> Caller:
        """Let a holder of a token in.

        An unknown token costs as much as a known one, and what became of a token is told only to
        who holds it. One exception: while a terminal waits for approval nobody here can check its
        token, and whoever names its id is told that it waits. An id is no secret, and nobody
        guesses one.

        Raises:
            Unauthorized: ``data.reason`` is ``missing``, ``malformed``, ``unknown``, ``revoked``,
                ``expired``, ``account_disabled``, ``device_pending``, ``device_revoked`` or
                ``lease_expired``.

        """
        if not token:
            raise self._unauthorized("missing")
        self.refresh()
        digest = self._digest(token)
        entry = self._proven_entry(digest)
        if entry is None:
            entry = self._prove(token)
            if len(self._proven) >= MAX_PROVEN:
                self._proven.clear()
            self._proven[digest] = entry.record.tid, entry.keys.stored_key
        return self._admitted(entry)

    def _digest(self, token: str) -> bytes:
        # header values that are no UTF-8 come with surrogates
        text = token.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._digest_key, digest_size=32).digest()

    def _proven_entry(self, digest: bytes) -> TokenEntry | None:
        """Return the entry of a token that was right before, if the same key is stored of it."""
        proven = self._proven.get(digest)
        if proven is None:
            return None
        tid, stored_key = proven
        entry = self._book.get(tid)
        return entry if entry is not None and entry.keys.stored_key == stored_key else None

    def _prove(self, token: str) -> TokenEntry:
        """Return the entry of a token that is right.

        Raises:
            Unauthorized: it is not, or nobody knows it.

        """
        try:
            tid = parse_token(token)
        except MalformedToken:
            raise self._unauthorized("malformed") from None
        entry = self._book.get(tid)
        stored_key = self._no_key if entry is None else entry.keys.stored_key
        if not hmac.compare_digest(derive_keys(token).stored_key, stored_key) or entry is None:
            waits = entry is None and self._is_waiting(tid)
            raise self._unauthorized("device_pending" if waits else "unknown")
        return entry

    def admit_signed(self, tid: str) -> Caller:
        """Let in what the console has signed in the name of a token: no more than its holder may.

        Raises:
            Unauthorized: ``data.reason`` as of :meth:`admit`, whose token is checked as well.

        """
        self.refresh()
        # without a console nobody could have signed it
        entry = None if self._leases is None else self._book.get(tid)
        if entry is None:
            raise self._unauthorized("unknown")
        return self._admitted(entry)

    def _admitted(self, entry: TokenEntry) -> Caller:
        refusal = self._refusal(entry)
        if refusal is not None:
            raise self._unauthorized(refusal)
        tid = entry.record.tid
        known = self._callers.get(tid)
        if known is None or known[0] is not entry:
            known = self._callers[tid] = entry, self._caller(entry)
        return known[1]

    def _caller(self, entry: TokenEntry) -> Caller:
        record = entry.record
        scopes = frozenset[Scope]().union(*(IMPLIED[scope] for scope in record.scopes))
        return Caller(record.tid, entry.terminal, scopes, entry.generation, self._device)

    def recheck(self, caller: Caller, need: Tier = Tier.READ) -> None:
        """Check that an admitted caller still has its rights; takes about 5 microseconds.

        Args:
            caller: as it was let in.
            need: what it wants to do.

        Raises:
            Unauthorized: the token was revoked, has expired or its rights changed
                (``rights_changed``: connect again).
            Forbidden: it may do less than ``need`` while the console is silent; ``data`` has
                ``reason``, ``tier``, ``since`` (UTC milliseconds, or null) and ``retry_after_ms``.

        """
        now_s = self._now_s()
        self._refresh(now_s)
        entry = self._book.get(caller.tid)
        if entry is None:
            raise self._unauthorized("unknown")
        allowance = self._allowance(entry, now_s)
        if allowance.tier is Tier.NONE:
            raise self._unauthorized(allowance.reason)
        if entry.generation != caller.generation:
            raise self._unauthorized("rights_changed")
        if allowance.tier < need:
            raise _too_much(allowance)

    def allowance(self, tid: str) -> Allowance:
        """Return what a token may do now, for those who tell people of it."""
        entry = self._book.get(tid)
        if entry is None:
            return Allowance(Tier.NONE, "unknown")
        return self._allowance(entry, self._now_s())

    def may_trade(self, tid: str) -> bool:
        """Whether a token has the scope to trade, as far as its record says now."""
        entry = self._book.get(tid)
        return entry is not None and any(Scope.TRADE in IMPLIED[s] for s in entry.record.scopes)

    # --- terminals -------------------------------------------------------------------------

    def admit_terminal(self, hello: Hello) -> Admitted | NotAdmitted | Relay:
        """Judge a terminal that dials in, before and after its proof; see ``Authorizer``."""
        self.refresh()
        entry = self._book.get(hello.tid)
        if entry is None and self._leases is not None:
            return Relay()
        if entry is None:
            return NotAdmitted(code="unknown", reason="no such token, or its proof is wrong")
        record = entry.record
        refusal = self._refusal(entry)
        if self._needs_approval(entry, refusal, hello):
            return Relay(terminal=entry.terminal)
        if refusal is not None:
            # an EA knows nothing of leases: to it it means that it should try again
            code = "busy" if refusal == "lease_expired" else refusal
            return NotAdmitted(
                code=code,
                reason=self._messages[refusal],
                keys=entry.keys,
                terminal=entry.terminal,
            )
        if record.platform not in (None, hello.platform):
            return NotAdmitted(
                code="unknown",
                reason=f"the token is for {record.platform}, not for {hello.platform}",
                keys=entry.keys,
                terminal=entry.terminal,
            )
        return Admitted(keys=entry.keys, terminal=entry.terminal, generation=entry.generation)

    # --- changes ---------------------------------------------------------------------------

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Call ``callback(tid, reason)`` once for each token that loses or changes its rights.

        It is called from the event loop or from :meth:`expire`, never from inside a check: by
        then the gate has long refused whoever held the token. ``reason`` is one of those of
        :meth:`admit`, or ``rights_changed``: who connects again has what holds now.

        Returns:
            What ends that.

        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def refresh(self) -> None:
        """Take over what was written since; done with each check."""
        self._refresh(self._now_s())

    def _refresh(self, now_s: int) -> None:
        try:
            changed = self._book.refresh(now_s)
            if self._leases is not None:
                self._leases.refresh()
        except StoreError as error:
            if self._blind_since is None:
                self._blind_since = self._monotonic_s()
                logger.error("tokens cannot be checked: %s", error)
            return
        if self._blind_since is not None:
            self._blind_since = None
            logger.warning("tokens can be checked again")
        for entry in changed:
            refusal = self._refusal(entry)
            if refusal is None or entry.record.tid not in self._ended:
                self._tell(entry, refusal or "rights_changed")

    def expire(self) -> None:
        """Tell of tokens whose time has run out, and take over what was written since."""
        self.refresh()
        for entry in self._book.entries():
            refusal = self._refusal(entry)
            if refusal is None:
                self._ended.discard(entry.record.tid)
            elif entry.record.tid not in self._ended:
                self._tell(entry, refusal)
        self._tell_now()  # no check stands above us, and until then events still go out

    async def watch(self, renew: Callable[[], None] | None = None) -> None:
        """Notice what no call brings to light, until cancelled: ends of tokens, other processes.

        Args:
            renew: called once an hour, for the issuer of the same home to renew its keys.

        """
        renewed_s = self._monotonic_s()
        while True:
            await next_look(POLL_S)
            self._check_store()
            self.expire()
            if renew is not None and self._monotonic_s() - renewed_s >= RENEW_S:
                renewed_s = self._monotonic_s()
                try:
                    renew()
                except (StoreError, SecretsError) as error:
                    logger.error("the issuer's keys are not renewed: %s", error)

    def limits(self, tid: str) -> TradeLimits:
        """Return what a token may trade at most; who has no token is let in nowhere."""
        entry = self._book.get(tid)
        return TradeLimits() if entry is None else entry.record.limits

    def label(self, tid: str) -> str | None:
        """The terminal that a token is for."""
        entry = self._book.get(tid)
        return None if entry is None else entry.terminal

    def owner(self, tid: str) -> str:
        """Return whose a token is, where there are several people; empty where there are not."""
        entry = self._book.get(tid)
        return "" if entry is None else entry.record.uid_hash

    def terminals(self, owner: str) -> list[str]:
        """Return the names of the terminals that the tokens of an owner are for."""
        entries = self._book.entries()
        return sorted({one.terminal for one in entries if one.record.uid_hash == owner})

    def open_tokens(self) -> list[tuple[str, str]]:
        """Return the tokens that are let in now: each id, with the name of its terminal."""
        entries = [one for one in self._book.entries() if self._refusal(one) is None]
        return [(one.record.tid, one.terminal) for one in entries]

    def open_terminals(self, owner: str) -> list[str]:
        """Return the names of an owner's terminals that have a token which is valid now."""
        entries = [one for one in self._book.entries() if one.record.uid_hash == owner]
        return sorted({one.terminal for one in entries if self._refusal(one) is None})

    def _check_store(self) -> None:
        try:
            self._book.check()
        except StoreError as error:
            if not self._is_displaced:
                logger.critical("nobody is let in any more: %s", error)
            self._is_displaced = True

    def _refusal(self, entry: TokenEntry) -> str | None:
        allowance = self._allowance(entry, self._now_s())
        return allowance.reason if allowance.tier is Tier.NONE else None

    def _allowance(self, entry: TokenEntry, now_s: int) -> Allowance:
        if self._is_displaced or (
            self._blind_since is not None and self._monotonic_s() - self._blind_since > BLIND_S
        ):
            return Allowance(Tier.NONE, "lease_expired")
        refusal = entry.refusal(now_s)
        if refusal is not None:
            return Allowance(Tier.NONE, refusal)
        return EVERYTHING if self._leases is None else self._leases.allowance(entry)

    def _needs_approval(self, entry: TokenEntry, refusal: str | None, hello: Hello) -> bool:
        """Whether a person has to look at this terminal before it is let in."""
        if self._leases is None:
            return False
        if refusal is not None:
            return refusal == "device_pending" or not entry.keys.server_key
        device, record = self._leases.device(entry.record), entry.record
        is_another = (
            record.strict_terminal
            and device is not None
            and device.terminal_fp not in ("", terminal_fp(hello))
        )
        return is_another or not entry.keys.server_key

    def _unauthorized(self, reason: str) -> Unauthorized:
        return Unauthorized(self._messages[reason], reason=reason)

    def _tell(self, entry: TokenEntry, reason: str) -> None:
        """Tell all listeners, on the next turn of the loop: a check may stand above us."""
        record = entry.record
        self._ended.add(record.tid)
        logger.warning("token %s of terminal %s: %s", record.tid, entry.terminal, reason)
        self._untold.append((record.tid, reason))
        asyncio.get_running_loop().call_soon(self._tell_now)

    def _tell_now(self) -> None:
        untold, self._untold = self._untold, []
        for tid, reason in untold:
            for callback in tuple(self._callbacks):
                try:
                    callback(tid, reason)
                except Exception:  # the others have to hear it in any case
                    logger.exception("what hangs on token %s was not ended", tid)


class TerminalDoor:
    """The gate, as the bridge's listener sees it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def admit(self, hello: Hello) -> Admitted | NotAdmitted | Relay:
        """Judge a terminal; see :class:`~ea_bridge.server.Authorizer`."""
        return self._gate.admit_terminal(hello)


def _too_much(allowance: Allowance) -> Forbidden:
    since = allowance.since_s
    return Forbidden(
        f"{LESS[allowance.reason]}: {ALLOWED[allowance.tier]}",
        reason=allowance.reason,
        tier=allowance.tier.name.lower(),
        since=None if since is None else since * 1000,
        retryable=True,
        retry_after_ms=TIER_RETRY_MS,
    )


def _wall_seconds() -> Callable[[], int]:
    """Return the clock of a gate, which asks it with each call; of the host of now."""
    wall_ns = host.wall_clock()
    return lambda: wall_ns() // 1_000_000_000
