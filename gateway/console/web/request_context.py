"""Context of a request: its cookies, its body, and the session of the browser that sent it.

There are three cookies: of a session, of a visitor who has none yet, of a browser that has had
one. All are ``__Host-``, ``Secure``, ``HttpOnly``, ``SameSite=Strict``, the first two without
expiry. Chromium and Firefox keep such cookies from plain http too where the host is 127.0.0.1,
localhost or [::1] (a "potentially trustworthy origin"); a test shows it for Chromium. Safari does
not: it needs the console behind https. Cookies do not know ports: another server on this machine
that the same browser visits gets them. So a session over plain http can do nothing delicate by
itself (see :mod:`gateway.console.sessions`); it can be read with, so a machine shared with
strangers needs https under an own name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from ea_bridge import host
from gateway.console.sessions import SessionInfo, csrf_token
from gateway.console.user_info import UserInfo
from gateway.http.guard import FORM, Refusal
from gateway.http.messages import read_body as read_bounded

from ..errors import ConsoleProblem

MAX_BODY_BYTES: Final = 65_536
BODY_S: Final = 10.0
MAX_FIELDS: Final = 100


_BODY: Final = web.RequestKey("body", bytes)


async def read_body(request: web.Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return the body; asked again, the request has it at hand.

    Raises:
        ConsoleProblem: it is too large, too slow, or encoded.

    """
    # kept with the request: the middleware reads it for the token, the handler for the rest
    if _BODY not in request:
        request[_BODY] = await _read(request, max_bytes)
    return request[_BODY]


async def _read(request: web.Request, max_bytes: int) -> bytes:
    # a small body that unpacks to a large one would pass the bound below
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ConsoleProblem(415, "encoded", "Send the body without Content-Encoding.")
    try:
        # aiohttp's router has answered Expect: 100-continue by now
        return await read_bounded(request, max_bytes, within_s=BODY_S, is_invited=True)
    except Refusal as refusal:
        if refusal.status == 413:
            raise _too_large(max_bytes) from None
        raise _closing(408, "too_slow", "The request did not arrive in time.") from None
    except web.RequestPayloadError:
        raise _closing(400, "bad_body", "The body could not be read.") from None


def expect(request: web.Request, media_type: str) -> None:
    """Check what the body says that it is.

    Raises:
        ConsoleProblem: it is something else.

    """
    if request.content_type != media_type:
        raise ConsoleProblem(415, "media_type", f"Send a body of type {media_type}.")


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a form; of several with one name, joined by commas.

    Raises:
        ConsoleProblem: the body is no form.

    """
    expect(request, FORM)
    try:
        text = (await read_body(request)).decode("ascii")
        # strict: what is no UTF-8 is refused, not guessed; a bound, as each field costs memory
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ConsoleProblem(400, "bad_form", "The form could not be read.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        # boxes of one name come as several fields
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    # PostgreSQL keeps no such character, and would fail half way
    if "\0" in "".join(fields.values()):
        raise ConsoleProblem(400, "bad_form", "The form could not be read.")
    return fields


def _too_large(max_bytes: int) -> ConsoleProblem:
    return _closing(413, "too_large", f"The request is larger than {max_bytes} bytes.")


def _closing(status: int, error: str, message: str) -> ConsoleProblem:
    """Return a problem that ends the connection: the rest of the body is still on its way."""
    return ConsoleProblem(status, error, message, headers={"Connection": "close"})


SESSION_COOKIE: Final = "__Host-mgs"
VISITOR_COOKIE: Final = "__Host-mgv"
"""Makes the forms of visitors without a session their own: sign-in, reset, set-up."""
BROWSER_COOKIE: Final = "__Host-mgb"
"""Says that somebody has signed in with this browser; see :mod:`gateway.console.sign_ins`."""
COOKIE_KEPT_S: Final = 400 * 86_400
"""As long as browsers keep any cookie."""
_COOKIE = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)


def read_cookie(request: web.BaseRequest, name: str) -> str:
    """Return the cookie's value; empty if there is none, or nothing that we would set."""
    value = request.cookies.get(name, "")
    # another server of this host may set cookies for us: nothing odd gets past here
    return value if _COOKIE.fullmatch(value) else ""


def new_visitor() -> str:
    """Return a value for a visitor's cookie."""
    return host.token_urlsafe(24)


def set_cookie(response: web.StreamResponse, name: str, value: str) -> None:
    """Have the browser keep a cookie until it is closed, or for as long as it keeps any."""
    kept_s = COOKIE_KEPT_S if name == BROWSER_COOKIE else None
    response.set_cookie(
        # `__Host-` asks for Secure, the path / and no domain; browsers drop the cookie otherwise
        name,
        value,
        path="/",
        secure=True,
        httponly=True,
        samesite="Strict",
        max_age=kept_s,
    )


def drop_cookie(response: web.StreamResponse, name: str) -> None:
    """Have the browser forget a cookie."""
    # with the same attributes, or browsers would refuse this one too, and keep the old
    response.del_cookie(name, path="/", secure=True, httponly=True, samesite="Strict")


_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,500}", re.ASCII)


@dataclass
class RequestContext:
    """Sender of a request. Mutable: signing in or out changes it in the course of a request."""

    origin: str
    """Of our pages, under the name that this request was sent to."""
    address: str
    agent: str
    secret: str = field(default="", repr=False)
    """What the cookie holds: of the session, or of a visitor without one."""
    session: SessionInfo | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    """The fields of the form that was sent."""
    browser: str = field(default="", repr=False)
    """What the browser keeps of sign-ins before; see :mod:`gateway.console.sign_ins`."""
    keeps_cookies: bool = False
    """Whether the browser has sent back a cookie of ours."""
    _news: dict[str, str | None] = field(default_factory=dict, repr=False)

    @property
    def user(self) -> UserInfo | None:
        """The person, if signed in."""
        return None if self.session is None else self.session.user

    @property
    def https(self) -> bool:
        """Whether our pages are visited over https, so that no other server gets the cookie."""
        return self.origin.startswith("https://")

    @property
    def csrf(self) -> str:
        """Token that forms on pages for this visitor carry."""
        return csrf_token(self.secret)

    def begin(self, secret: str, session: SessionInfo | None) -> None:
        """Have the browser keep the secret of a session from now on."""
        self.secret, self.session = secret, session
        self._news = {SESSION_COOKIE: secret, VISITOR_COOKIE: None}

    def remember(self, browser: str) -> None:
        """Have the browser keep that somebody has signed in with it."""
        self.browser = browser
        self._news[BROWSER_COOKIE] = browser

    def stranger(self) -> None:
        """Have the browser keep a cookie to which forms can be bound before signing in."""
        # never a second one: forms that are open in other tabs carry the token of the first
        if not self.secret:
            self.secret = new_visitor()
            self._news[VISITOR_COOKIE] = self.secret

    def end(self) -> None:
        """Have the browser forget everything."""
        self.secret, self.session = "", None
        self._news = {SESSION_COOKIE: None, VISITOR_COOKIE: None}

    def set_cookies(self, response: web.StreamResponse) -> None:
        """Put what the browser has to keep or forget on an answer."""
        for name, value in self._news.items():
            if value is None:
                drop_cookie(response, name)
            else:
                set_cookie(response, name, value)


VISITOR: Final = web.RequestKey("visitor", RequestContext)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SessionHandler = Callable[[web.Request, SessionInfo], Awaitable[web.StreamResponse]]


class SignInNeeded(ConsoleProblem):
    """Refusal of a page that is for people who are signed in."""

    def __init__(self) -> None:
        super().__init__(401, "sign_in_needed", "Your session has ended. Sign in again.")


def session_of(request: web.Request) -> SessionInfo:
    """Return the visitor's session.

    Raises:
        SignInNeeded: there is none.

    """
    session = request[VISITOR].session
    if session is None:
        raise SignInNeeded
    return session


def safe_path(text: str, default: str = "/") -> str:
    """Return a path of this console to go on to; a link to elsewhere gives ``default``."""
    # `//host` and `/\host` lead browsers to another site: no link may send people there
    return text if _PATH.fullmatch(text) else default
