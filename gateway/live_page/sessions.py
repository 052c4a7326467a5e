"""Sessions of the live page: a browser's right to call with a token that it does not hold.

A browser signs in once, with a token or with a one-time code, and gets two secrets. One lies in a
cookie that no script can read. The other, the CSRF value, is kept by the page and sent in a header
with each call. Both are needed: ports of one machine share their cookies, so a page of another
port could make the browser send the cookie, and a server on another port is even shown it; but
neither has the CSRF value, which is the page's own origin's. Each session has a cookie of its
own name, so that two tabs can have one each.

Sessions live in memory alone and end with the daemon. The gateway remembers digests, no secrets.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ea_bridge import host
from gateway.auth.caller import Caller, Scope
from gateway.errors import Overloaded, Unauthorized

IDLE_S = 1800.0
"""A session without a call for so long is over. An open page calls once a minute."""
LONGEST_S = 43_200.0
"""No session is longer: twelve hours."""
CODE_S = 60.0
"""How long a one-time code can be used."""
MAX_SESSIONS = 64
"""Of all tokens together; a new one ends the one that was unused for longest."""
MAX_CODES = 64
"""One-time codes that wait to be used."""
SECRET_BYTES = 32


class SignedIn(NamedTuple):
    """Secrets that a browser is given."""

    cookie: str
    csrf: str


class _Code(NamedTuple):
    caller: Caller
    trade: bool
    until_s: float


@dataclass(eq=False)
class PageSession:
    """One browser that has signed in."""

    caller: Caller
    """The token's, with what this session may do; an object of its own for each session."""
    cookie: bytes
    """Digest."""
    began_s: float
    used_s: float
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def ends_s(self) -> float:
        """When it is over, if it is not used until then."""
        return min(self.began_s + LONGEST_S, self.used_s + IDLE_S)


class PageSessions:
    """Sessions and the one-time codes that begin them.

    Args:
        recheck: the gate's look at whether a caller still has its rights.
        on_end: called with the caller of a session that is over, to close what it has open.
        monotonic_s: seconds that only grow.

    """

    def __init__(
        self,
        recheck: Callable[[Caller], None],
        on_end: Callable[[Caller], None],
        monotonic_s: Callable[[], float] = host.monotonic_s,
    ) -> None:
        self._recheck = recheck
        self._on_end = on_end
        self._monotonic_s = monotonic_s
        self._sessions: dict[bytes, PageSession] = {}
        """By the digest of the CSRF value, the one unused for longest first."""
        self._codes: dict[bytes, _Code] = {}
        """By digest, the oldest first."""

    def __len__(self) -> int:
        return len(self._sessions)

    def new_code(self, caller: Caller, *, trade: bool, lifetime_s: float = CODE_S) -> str:
        """Return a code that begins one session.

        Args:
            trade: whether that session may trade, as far as the token may.

        Raises:
            Overloaded: too many codes wait to be used.

        """
        now_s = self._monotonic_s()
        self._codes = {key: code for key, code in self._codes.items() if code.until_s > now_s}
        if len(self._codes) >= MAX_CODES:
            raise Overloaded("Too many sign-in codes wait to be used", retry_after_ms=60_000)
        code = host.token_urlsafe(SECRET_BYTES)
        self._codes[_digest(code)] = _Code(caller, trade, now_s + lifetime_s)
        return code

    def redeem(self, code: str) -> tuple[Caller, bool]:
        """Return whose code it is, and whether it is good for trading; it is used up.

        Raises:
            Unauthorized: it was used, has expired or never was; or the token opens nothing now.

        """
        found = self._codes.pop(_digest(code), None)
        if found is None or self._monotonic_s() >= found.until_s:
            raise Unauthorized(
                "This sign-in link was used or has expired: mt-gateway ui opens a new one",
                reason="expired",
            )
        self._recheck(found.caller)
        return found.caller, found.trade

    def begin(self, caller: Caller, *, trade: bool) -> SignedIn:
        """Begin a session; without ``trade`` it may only read, whatever the token may."""
        scopes = caller.scopes if trade else caller.scopes & {Scope.READ}
        now_s = self._monotonic_s()
        if len(self._sessions) >= MAX_SESSIONS:
            self._end(next(iter(self._sessions)))
        given = SignedIn(host.token_urlsafe(SECRET_BYTES), host.token_urlsafe(SECRET_BYTES))
        # replace() makes a new object: what the session has open is found by its identity
        session = PageSession(replace(caller, scopes=scopes), _digest(given.cookie), now_s, now_s)
        key = _digest(given.csrf)
        self._sessions[key] = session
        self._watch(key, session)
        return given

    def caller(self, cookies: Collection[str], csrf: str) -> Caller:
        """Return the caller of a session, which counts as used now.

        Args:
            cookies: all that may be the session's.

        Raises:
            Unauthorized: there is no such session, it is over, no cookie is its own, or the token
                has lost its rights.

        """
        key = _digest(csrf)
        session = self._sessions.get(key)
        if session is None or not _is_among(session.cookie, cookies):
            raise Unauthorized("Sign in to the live page", reason="signed_out")
        now_s = self._monotonic_s()
        if now_s >= session.ends_s:
            self._end(key)
            raise Unauthorized("The session is over: sign in again", reason="expired")
        try:
            self._recheck(session.caller)
        except Unauthorized:
            self._end(key)
            raise
        session.used_s = now_s
        self._sessions[key] = self._sessions.pop(key)  # the last of those unused for longest
        return session.caller

    def sign_out(self, cookies: Collection[str], csrf: str) -> None:
        """End a session.

        Raises:
            Unauthorized: see :meth:`caller`.

        """
        self.caller(cookies, csrf)
        self._end(_digest(csrf))

    def is_alive(self, cookie: str) -> bool:
        """Whether a cookie is that of a session, so that a browser should keep it."""
        digest = _digest(cookie)
        return any(session.cookie == digest for session in self._sessions.values())

    def close(self) -> None:
        """End all sessions and codes."""
        self._codes.clear()
        for key in tuple(self._sessions):
            self._end(key)

    def _watch(self, key: bytes, session: PageSession) -> None:
        """See to it that what a session has open ends with it, though nobody calls any more."""
        left_s = session.ends_s - self._monotonic_s()
        if left_s <= 0:
            self._end(key)
        else:
            loop = asyncio.get_running_loop()
            session.timer = loop.call_later(left_s + 1, self._watch, key, session)

    def _end(self, key: bytes) -> None:
        session = self._sessions.pop(key, None)
        if session is None:
            return
        if session.timer is not None:
            session.timer.cancel()
        self._on_end(session.caller)


def _is_among(digest: bytes, cookies: Collection[str]) -> bool:
    return any([hmac.compare_digest(digest, _digest(cookie)) for cookie in cookies])


def _digest(secret: str) -> bytes:
    """Return what a secret is found by: comparing digests tells nothing of another secret."""
    # what comes in a header may be no text at all; it is nobody's secret then
    return hashlib.sha256(secret.encode(errors="backslashreplace")).digest()
