"""Where the gateway is."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_DOORS = ("/v1/rpc", "/v1/ws", "/rpc", "/ws")


@dataclass(frozen=True, slots=True)
class Address:
    """The two doors of one gateway."""

    base: str
    rpc: str
    ws: str


def parse_address(url: str) -> Address:
    """Read ``http://127.0.0.1:7400``; the URL of either door (``.../rpc``, ``.../ws``) will do.

    Raises:
        ValueError: it is none. A URL that carries anything secret is refused too: URLs end up in
            logs.

    """
    parts = urlsplit(url)
    if parts.scheme not in _SECURE or not parts.hostname:
        raise ValueError("the gateway's URL looks like http://127.0.0.1:7400")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the gateway's URL carries no user, password, query or fragment")
    path = parts.path.rstrip("/")
    for door in _DOORS:
        if path.endswith(door):
            path = path.removesuffix(door)
            break
    rest, s = f"://{parts.netloc}{path}", "s" if _SECURE[parts.scheme] else ""
    base = f"http{s}{rest}"
    return Address(base, f"{base}/rpc", f"ws{s}{rest}/ws")
