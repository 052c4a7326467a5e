"""The cookies: of a session, of a visitor who has none yet, of a browser that has had one.

All are ``__Host-``, ``Secure``, ``HttpOnly``, ``SameSite=Strict``, the first two without expiry.
Chromium and Firefox keep such cookies from plain http too where the host is 127.0.0.1, localhost
or [::1] (a "potentially trustworthy origin"); a test shows it for Chromium. Safari does not: it
needs the console behind https. Cookies do not know ports: another server on this machine that the
same browser visits gets them. So a session over plain http can do nothing delicate by itself (see
:mod:`gateway.console.sessions`); it can be read with, so a machine shared with strangers needs
https under an own name.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from ea_bridge import host

SESSION: Final = "__Host-mgs"
VISITOR: Final = "__Host-mgv"
"""Makes the forms of visitors without a session their own: sign-in, reset, set-up."""
BROWSER: Final = "__Host-mgb"
"""Says that somebody has signed in with this browser; see :mod:`gateway.console.browsers`."""
KEPT_S: Final = 400 * 86_400
"""As long as browsers keep any cookie."""
_VALUE = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)


def read(request: web.BaseRequest, name: str) -> str:
    """Return the cookie's value; empty if there is none, or nothing that we would set."""
    value = request.cookies.get(name, "")
    return value if _VALUE.fullmatch(value) else ""


def new_visitor() -> str:
    """Return a value for a visitor's cookie."""
    return host.token_urlsafe(24)


def put(response: web.StreamResponse, name: str, value: str) -> None:
    """Have the browser keep a cookie until it is closed, or for as long as it keeps any."""
    kept_s = KEPT_S if name == BROWSER else None
    response.set_cookie(
        name, value, path="/", secure=True, httponly=True, samesite="Strict", max_age=kept_s
    )


def drop(response: web.StreamResponse, name: str) -> None:
    """Have the browser forget a cookie."""
    response.del_cookie(name, path="/", secure=True, httponly=True, samesite="Strict")
