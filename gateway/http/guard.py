"""Guard in front of every route: checks of a request before anybody looks into it.

The order is fixed, and each step ends the request with a short JSON-RPC error, id null, and
``Connection: close``:

1. the head is HTTP/1 as :mod:`gateway.http.server` has it: 505, 501, 417; the target is a
   path (``/...``), not an absolute URL, ``*`` or an authority: 400
2. ``Host`` is exactly one of our names with our port: 421, against DNS rebinding
3. the peer is on this machine: 403; at the door for other machines it is one of those listed
4. no ``Origin``, or one that the configuration lists: 403; ``null`` never is
5. without ``Origin`` nothing else that only a browser sends: 403. The gateway's own pages are the
   exception to 4 and 5: they take their own origin, and no other one, listed or not
6. there is such a route, and it takes this HTTP method, media type and encoding: 404, 405, 415
7. no token or ticket in the URL: 401. URLs land in logs, histories and process lists
8. at most one ``Authorization``, a Bearer: 401; then the gate looks at the token

``X-Forwarded-*`` is never read, and no ``Access-Control-*`` header is sent unless the origin is
listed.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.errors import Forbidden, GatewayError, InvalidRequest, Unauthorized
from gateway.http.server import head_fault

log = logging.getLogger(__name__)

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
JSON_TYPES = frozenset({JSON, f"{JSON};charset=utf-8"})
RPC_TYPES = JSON_TYPES | {
    f"application/{name}{coding}"
    for name in ("json-rpc", "jsonrequest")
    for coding in ("", ";charset=utf-8")
}
"""What JSON-RPC over HTTP may call itself. Browsers send none of these without asking first."""
FORM_TYPES = frozenset({FORM, f"{FORM};charset=utf-8"})
CORS_MAX_AGE_S = 600
ORIGINS = "api.allowed_origins"
ORIGIN = (
    "Pages of this origin may not call: add it to allowed_origins under [api] in config.toml, or "
    "to the demo with --allow-origin"
)
_SPACE_AND_QUOTES = re.compile(r'[ \t"]')
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_BROWSER_HEADERS = ("Referer", "Cookie", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-User")
"""``Sec-Fetch-Mode`` alone is no sign of a browser: the ``fetch`` of Node.js sends it."""
_TOKEN_NAMES = frozenset({"auth_token", "token", "access_token", "ticket"})


class Refusal(Exception):
    """The request ends here, with this HTTP status and this error as its body."""

    def __init__(
        self, status: int, error: GatewayError, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.error = error
        self.headers = dict(headers or {})
        super().__init__(error.message)


@dataclass(frozen=True, slots=True)
class Route:
    """Route of one path: the method, token and body that it takes."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    token: Literal["required", "optional", "never"]
    """``never``: a document for everybody, which a person may also open in a browser."""
    json: bool = False
    """The request has a JSON body."""
    rpc: bool = False
    """That is JSON-RPC: of one of its types, or of none where it is no browser that asks."""
    form: bool = False
    """The request has a form as its body."""
    pages: bool = True
    """Pages of a listed origin may call."""
    own: bool = False
    """It belongs to our own pages: a browser asks for it from our origin alone, or as a person who
    types its address or follows a link to it; pages of listed origins may not."""

    @property
    def is_for_pages(self) -> bool:
        """Whether a page of a listed origin calls it by ``fetch``, and so has to ask first."""
        return self.token == "required" and self.pages and not self.own  # noqa: S105  # no password


@dataclass(frozen=True, slots=True)
class Door:
    """Listener as its guard sees it: names that it goes by, and who may come."""

    names: tuple[str, ...]
    port: int
    """That which clients leave out of a ``Host``: 80, or 443 for TLS."""
    takes: Callable[[str | None], bool]
    """Whether it answers a peer's address."""
    refusal: str
    """Told to all other peers."""
    pages: bool
    """Whether pages of listed origins may call."""


class Guard:
    """Checker of requests that holds no connection and does no I/O.

    Args:
        routes: what each path takes; a function returns one route for each HTTP method.
        port: the port that we really listen on; a ``Host`` must name it.
        hosts: names beside those of the door, without port.
        origins: web origins that may call, like ``http://127.0.0.1:7402``.
        door: that of this machine, unless told otherwise.

    """

    def __init__(
        self,
        routes: Mapping[str, Route] | Callable[[str], Sequence[Route]],
        *,
        port: int,
        hosts: Collection[str] = (),
        origins: Collection[str] = (),
        door: Door | None = None,
    ) -> None:
        self._routes = routes if callable(routes) else _at(routes)
        self._door = door = door or LOCAL
        names = (*door.names, *(host.lower() for host in hosts))
        self._hosts = frozenset(f"{name}:{port}" for name in names) | (
            frozenset(names) if port == door.port else frozenset()
        )
        self._origins = frozenset(origins)

    def path(self, request: web.BaseRequest) -> str:
        """Return the path of a request that may go on to its route (steps 1 to 7).

        Raises:
            Refusal: it may not.

        """
        fault = head_fault(request.version, request.headers)
        if fault is not None:
            raise _refused(fault.status, InvalidRequest(fault.remedy, reason=fault.reason))
        target = request.raw_path
        if target[:1] != "/" or target[:2] == "//":
            raise _refused(400, InvalidRequest("The target must be a path", reason="target"))
        headers = request.headers
        hosts = headers.getall("Host", ())
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise _refused(421, Forbidden("The Host header is not ours", reason="host"))
        if not self._door.takes(request.remote):
            raise _refused(403, Forbidden(self._door.refusal, reason="peer"))
        # raw_path and not path: aiohttp decodes %2F, and then a path would be another one here
        # than where it is answered
        path, _, query = target.partition("?")
        routes = self._routes(path)
        if routes and routes[0].own:
            _check_own(request)
        else:
            public = bool(routes) and routes[0].token == "never"  # noqa: S105  # no password
            self._check_browser(request, public=public)
            if "Origin" in headers and routes and not any(route.pages for route in routes):
                raise _refused(403, Forbidden("Web pages may not call", reason="origin"))
        if not routes:
            raise _refused(404, InvalidRequest("There is no such path", reason="path"))
        self._check_form(request, routes)
        if query and _TOKEN_NAMES & {name.lower() for name, _ in parse_qsl(query, True)}:
            # without the query: the line must not leak it a second time
            log.warning("refused %s with a token in the URL: treat that token as leaked", path)
            raise _unauthorized("A token or ticket never goes into the URL", reason="malformed")
        return path

    def token(self, request: web.BaseRequest) -> str | None:
        """Return the token of the ``Authorization`` header, or ``None`` without one (step 8).

        Raises:
            Unauthorized: there are several such headers, or the one is no Bearer.

        """
        given = request.headers.getall("Authorization", ())
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        # of two headers, proxies and servers do not agree which one counts
        if len(given) > 1 or scheme.lower() != "bearer":
            raise Unauthorized("Send one header Authorization: Bearer", reason="malformed")
        return token

    def cors(self, request: web.BaseRequest) -> dict[str, str]:
        """Return the headers that let a listed origin read the answer; none for all others."""
        origin = request.headers.get("Origin")
        if origin is None or origin not in self._origins:
            return {}
        # never "*"; and Vary, or a cache would give one origin the answer to another
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def is_preflight(self, request: web.BaseRequest) -> bool:
        """Whether a browser asks if a page of a listed origin may call."""
        return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers

    def preflight(self, request: web.BaseRequest) -> dict[str, str]:
        """Return the headers that answer a preflight of a listed origin."""
        path = request.raw_path.partition("?")[0]
        methods = [route.method for route in self._routes(path)]
        return self.cors(request) | {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": str(CORS_MAX_AGE_S),
        }

    def _check_browser(self, request: web.BaseRequest, *, public: bool) -> None:
        headers = request.headers
        origins = headers.getall("Origin", ())
        if origins:
            if not self._door.pages:
                raise _refused(403, Forbidden("Web pages may not call", reason="origin"))
            if len(origins) > 1 or origins[0] not in self._origins:
                raise _refused(403, Forbidden(ORIGIN, reason="origin", setting=ORIGINS))
            return
        site = headers.get("Sec-Fetch-Site")
        if public and site == "none" and "Referer" not in headers:
            return  # a person typed the address of a document
        if public and site == "same-origin" and headers.get("Sec-Fetch-Dest") == "document":
            return  # a person followed a link of our start page
        for name in _BROWSER_HEADERS:
            if name in headers:
                raise _refused(403, Forbidden("Web pages may not call", reason="browser"))

    def _check_form(self, request: web.BaseRequest, routes: Sequence[Route]) -> None:
        for route in routes:
            if route.method == request.method:
                if route.rpc:
                    # a page can make a browser leave the type out, and then it need not ask first;
                    # but it cannot make it leave out where the page is from
                    untyped = "Origin" not in request.headers
                    _check_media(request, RPC_TYPES, JSON, untyped=untyped)
                elif route.json:
                    _check_media(request, JSON_TYPES, JSON)
                elif route.form:
                    _check_media(request, FORM_TYPES, FORM)
                return
        asks = self.cors(request) and self.is_preflight(request)
        if asks and any(route.is_for_pages for route in routes):
            return
        methods = ", ".join(route.method for route in routes)
        error = InvalidRequest(f"Use {methods}", reason="http_method")
        raise _refused(405, error, Allow=methods)


def _check_own(request: web.BaseRequest) -> None:
    """Check that no page but one of ours asks for what is our own pages'."""
    headers = request.headers
    origins = headers.getall("Origin", ())
    if origins:
        # the Host is one of our names with our port by now; a page of another port has another
        if len(origins) > 1 or origins[0].lower() != f"http://{headers['Host'].lower()}":
            raise _refused(403, Forbidden("Only the gateway's own page may call", reason="origin"))
        return
    # browsers send an Origin with all but GET, and always with a WebSocket
    is_read = request.method == "GET" and "Upgrade" not in headers
    site = headers.get("Sec-Fetch-Site", "none")
    # whoever follows a link to us from elsewhere sees a page; frames are not shown
    is_visit = headers.get("Sec-Fetch-Dest") == "document"
    if not is_read or not (site in ("none", "same-origin") or is_visit):
        raise _refused(403, Forbidden("Only the gateway's own page may call", reason="origin"))


def _at(routes: Mapping[str, Route]) -> Callable[[str], Sequence[Route]]:
    """Return the lookup of a table with one route for each path."""
    by_path = {path: (route,) for path, route in routes.items()}
    return lambda path: by_path.get(path, ())


def _check_media(
    request: web.BaseRequest, taken: Collection[str], name: str, *, untyped: bool = False
) -> None:
    types = request.headers.getall("Content-Type", ())
    is_taken = len(types) == 1 and _SPACE_AND_QUOTES.sub("", types[0]).lower() in taken
    if not (is_taken or (untyped and not types)):
        error = InvalidRequest(f"Send Content-Type: {name}", reason="media_type")
        raise _refused(415, error)
    if "Content-Encoding" in request.headers:
        error = InvalidRequest("Send the body uncompressed", reason="content_encoding")
        raise _refused(415, error)


def _is_local(address: str | None) -> bool:
    if address in _LOOPBACK:
        return True
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


LOCAL = Door(
    names=("127.0.0.1", "localhost", "[::1]"),
    port=80,
    takes=_is_local,
    refusal="Only this machine may call",
    pages=True,
)


def _refused(status: int, error: GatewayError, **headers: str) -> Refusal:
    return Refusal(status, error, headers)


def _unauthorized(message: str, **data: Any) -> Refusal:
    return unauthorized(Unauthorized(message, **data))


def unauthorized(error: Unauthorized) -> Refusal:
    """Return the 401 that carries the error."""
    return Refusal(401, error, {"WWW-Authenticate": "Bearer"})
