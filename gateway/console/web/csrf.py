"""Defence against forged requests (CSRF): three layers, each enough by itself.

A request that changes something must come from one of our own pages.

1. ``Sec-Fetch-Site``, where the browser sends it, says ``same-origin``. Another port of this
   machine is only ``same-site``.
2. ``Origin`` is ours. A browser sends it with every request that is not GET or HEAD.
3. The form or the header ``Mgs-Csrf`` carries a token that only pages of this visitor contain.
   It is derived from the visitor's cookie, which no script and no other site can read.
"""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import web

from gateway.console.sessions import csrf_token

from .problem import ConsoleProblem

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD: Final = "csrf"
HEADER: Final = "Mgs-Csrf"
_MESSAGE = (
    "This did not come from a page of this console, or the page was open for too long. "
    "Go back, reload the page and try again."
)


def check_site(request: web.BaseRequest) -> None:
    """Layer 1.

    Raises:
        ConsoleProblem: the browser says that another site asks.

    """
    sites = request.headers.getall("Sec-Fetch-Site", ())
    if any(site != "same-origin" for site in sites):
        raise _forged("cross_site")


def check_origin(request: web.BaseRequest, own: str) -> None:
    """Layer 2.

    Raises:
        ConsoleProblem: another origin asks, or nobody says which.

    """
    if request.headers.getall("Origin", ()) != [own]:
        raise _forged("wrong_origin")


def check_token(given: str, cookie: str) -> None:
    """Layer 3.

    Raises:
        ConsoleProblem: the token is not that of the visitor with this cookie.

    """
    if not cookie or not hmac.compare_digest(given.encode(), csrf_token(cookie).encode()):
        raise _forged("csrf")


def _forged(error: str) -> ConsoleProblem:
    return ConsoleProblem(403, error, _MESSAGE, title="This form is not valid any more")
