"""Sender of a request: the browser's session, if any, and the cookies that the answer sets."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from gateway.console.sessions import SessionInfo, csrf_token
from gateway.console.user_info import UserInfo

from . import cookies
from .problem import ConsoleProblem

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
    """What the browser keeps of sign-ins before; see :mod:`gateway.console.browsers`."""
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
        self._news = {cookies.SESSION: secret, cookies.VISITOR: None}

    def remember(self, browser: str) -> None:
        """Have the browser keep that somebody has signed in with it."""
        self.browser = browser
        self._news[cookies.BROWSER] = browser

    def stranger(self) -> None:
        """Have the browser keep a cookie to which forms can be bound before signing in."""
        if not self.secret:
            self.secret = cookies.new_visitor()
            self._news[cookies.VISITOR] = self.secret

    def end(self) -> None:
        """Have the browser forget everything."""
        self.secret, self.session = "", None
        self._news = {cookies.SESSION: None, cookies.VISITOR: None}

    def tell(self, response: web.StreamResponse) -> None:
        """Put what the browser has to keep or forget on an answer."""
        for name, value in self._news.items():
            if value is None:
                cookies.drop(response, name)
            else:
                cookies.put(response, name, value)


VISITOR: Final = web.RequestKey("visitor", RequestContext)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SessionHandler = Callable[[web.Request, SessionInfo], Awaitable[web.StreamResponse]]


class SignInNeeded(ConsoleProblem):
    """The page is for people who are signed in."""

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
    return text if _PATH.fullmatch(text) else default
