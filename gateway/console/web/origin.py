"""Our own names: the ``Host`` that a request may carry, and the origin of our pages.

A page of another site can reach a port of this machine through a name that it makes resolve to
127.0.0.1 (DNS rebinding). Its requests carry that name as ``Host``.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

from .problem import ConsoleProblem

_DEFAULT_PORTS = {"http": 80, "https": 443}


class OwnNames:
    """Names of this console.

    Args:
        port: that it listens on.
        public_url: where browsers find it, if that is not this machine; without path.
        trusted_proxy: what is in front of a public URL says in ``X-Forwarded-For`` who visits.

    """

    def __init__(self, port: int, public_url: str = "", *, trusted_proxy: bool = False) -> None:
        self._origins = {
            f"{name}:{port}": f"http://{name}:{port}"
            for name in ("127.0.0.1", "localhost", "[::1]")
        }
        self.url = f"http://127.0.0.1:{port}"
        """Without a slash at its end."""
        self.https = public_url.startswith("https://")
        self._trusts_proxy = trusted_proxy
        self._public_hosts: set[str] = set()
        if public_url:
            self._add(public_url)

    def _add(self, public_url: str) -> None:
        parts = urlsplit(public_url)
        name, default = f"{parts.scheme}://{parts.netloc}", _DEFAULT_PORTS[parts.scheme]
        hosts = {parts.netloc}
        if parts.port in (None, default):
            bare = parts.netloc.removesuffix(f":{default}")
            name = f"{parts.scheme}://{bare}"
            hosts = {bare, f"{bare}:{default}"}
        self.url = name
        self._public_hosts = hosts
        self._origins |= dict.fromkeys(hosts, name)

    def origin(self, request: web.BaseRequest) -> str:
        """Return the origin that our pages have under the name the request was sent to.

        Raises:
            ConsoleProblem: the target is no path (400), or the ``Host`` is not ours (421).

        """
        target = request.raw_path
        if target[:1] != "/" or target[:2] == "//":
            raise ConsoleProblem(400, "bad_target", "The target of a request must be a path.")
        hosts = request.headers.getall("Host", ())
        origin = self._origins.get(hosts[0].lower()) if len(hosts) == 1 else None
        if origin is None:
            raise ConsoleProblem(
                421, "wrong_host", f"This console is at {self.url}. Open it by that address."
            )
        return origin

    def address(self, request: web.BaseRequest) -> str:
        """Return the address of the visitor; empty where nobody trustworthy says it.

        Under a public URL all connections come from the proxy in front of us, which is nobody's
        address. If it is trusted, the last entry of the last ``X-Forwarded-For`` counts, which is
        the proxy's own: some append to the visitor's line, some add a line below it. Otherwise the
        header is never read.
        """
        host = request.headers.get("Host", "").lower()
        if not (self.https and host in self._public_hosts):
            return request.remote or ""
        lines = request.headers.getall("X-Forwarded-For", ()) if self._trusts_proxy else ()
        try:
            return str(ipaddress.ip_address(",".join(lines).rpartition(",")[2].strip()))
        except ValueError:
            return ""
