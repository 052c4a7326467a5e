"""Address of the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_PATHS = ("/v1/rpc", "/v1/ws", "/rpc", "/ws")


@dataclass(frozen=True, slots=True)
class Address:
    """URLs of one gateway: its base, ``/rpc`` and ``/ws``."""

    base: str
    rpc: str
    ws: str


def parse_address(url: str) -> Address:
    """Read ``http://127.0.0.1:7400``; ``.../rpc`` and ``.../ws`` will do as well.

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
    for ending in _PATHS:
        if path.endswith(ending):
            path = path.removesuffix(ending)
            break
    rest, s = f"://{parts.netloc}{path}", "s" if _SECURE[parts.scheme] else ""
    base = f"http{s}{rest}"
    return Address(base, f"{base}/rpc", f"ws{s}{rest}/ws")
