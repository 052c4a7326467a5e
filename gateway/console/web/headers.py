"""The headers that every answer carries, and those that none does.

They are put on where the head of an answer is written, past which nothing goes: pages, files,
errors of the router and answers to what is no HTTP alike.
"""

from __future__ import annotations

from typing import Final

from multidict import CIMultiDict

from gateway.http.server import OnHeaders

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HSTS: Final = "max-age=63072000; includeSubDomains"
"""Two years; sent only where browsers reach the console by https."""
_NO_FEATURES = (
    "accelerometer",
    "camera",
    "clipboard-read",
    "display-capture",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
ALWAYS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # clipboard-write is left to our own pages: a button copies the new token
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _NO_FEATURES),
}
DEFAULTS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""A file whose name is its hash may be cached; a page with a form sets another referrer policy."""
FORM_REFERRER: Final = "same-origin"
"""For pages. Under ``no-referrer`` browsers send ``Origin: null`` with a form, even to its own
origin, and the second layer against forged requests could not tell ours from others. Other
origins get no referrer under either policy."""


def sealer(*, https: bool) -> OnHeaders:
    """Return what puts the headers on an answer.

    Args:
        https: browsers reach the console by https only.

    """
    always = {**ALWAYS, "Strict-Transport-Security": HSTS} if https else ALWAYS

    async def seal(headers: CIMultiDict[str]) -> None:
        headers.popall("Server", None)
        for name, value in always.items():
            headers[name] = value
        for name, value in DEFAULTS.items():
            headers.setdefault(name, value)

    return seal
