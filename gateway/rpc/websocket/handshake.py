"""The opening handshake of a WebSocket (RFC 6455, section 4.2.1), looked at before aiohttp does.

aiohttp fails at header bytes beyond ASCII, and quotes them.
"""

from __future__ import annotations

import re

from aiohttp import web

from gateway.errors import InvalidRequest
from gateway.http.guard import Refusal

VERSION = "13"
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==", re.ASCII)
"""16 bytes in base64."""


def check_handshake(request: web.BaseRequest) -> None:
    """Return if the request opens a WebSocket.

    Raises:
        Refusal: it asks for no WebSocket (426), or badly (400).

    """
    headers = request.headers
    if headers.get("Upgrade", "").strip().lower() != "websocket":
        error = InvalidRequest("Open this path as a WebSocket", reason="upgrade")
        raise Refusal(426, error, {"Upgrade": "websocket"})
    options = ",".join(headers.getall("Connection", ())).lower().split(",")
    keys = headers.getall("Sec-WebSocket-Key", ())
    is_good = (
        "upgrade" in {option.strip() for option in options}
        and headers.getall("Sec-WebSocket-Version", ()) == [VERSION]
        and len(keys) == 1
        and _KEY.fullmatch(keys[0].strip())
    )
    if not is_good:
        raise _refused()


def check_ready(socket: web.WebSocketResponse, request: web.BaseRequest) -> None:
    """Return if aiohttp takes the handshake, too.

    Raises:
        Refusal: it does not (400).

    """
    try:
        is_ready = bool(socket.can_prepare(request))
    except ValueError:  # header bytes that are no text
        is_ready = False
    if not is_ready:
        raise _refused()


def _refused() -> Refusal:
    error = InvalidRequest("This is no WebSocket handshake", reason="upgrade")
    return Refusal(400, error, {"Sec-WebSocket-Version": VERSION})
