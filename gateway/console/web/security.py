"""Security of the console's pages and API: names, forged requests, headers, and the middleware.

Theory of operation
===================

Every request passes these checks in this order: the target is a path and ``Host`` is one of our
names; there is such a page and it takes the method; the browser's cookie is looked up; what
changes something passes the three layers below; the body is read. ``/v1/...`` is for daemons:
they have no cookies and sign their requests, so of these steps theirs are the names, the route
and the body. ``/hook/...`` is for alerts: who posts one has no cookie either, and its address
holds 256 random bits, so that theirs are the names and the route; their body has its own bound.

Names: a page of another site can reach a port of this machine through a name that it makes
resolve to 127.0.0.1 (DNS rebinding). Its requests carry that name as ``Host``.

Forged requests (CSRF): a request that changes something must come from one of our own pages.
Each of three layers is enough by itself.

1. ``Sec-Fetch-Site``, where the browser sends it, says ``same-origin``. Another port of this
   machine is only ``same-site``.
2. ``Origin`` is ours. A browser sends it with every request that is not GET or HEAD.
3. The form or the header ``Mgs-Csrf`` carries a token that only pages of this visitor contain.
   It is derived from the visitor's cookie, which no script and no other site can read.

Headers are put on where the head of an answer is written, past which nothing goes: pages, files,
errors of the router and answers to what is no HTTP alike.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from ea_bridge import host
from gateway.console.errors import ConsoleError, SignInRefused, TooMany
from gateway.console.sessions import Sessions, csrf_token
from gateway.http.server import OnHeaders

from ..errors import ConsoleProblem
from .request_context import (
    BROWSER_COOKIE,
    MAX_BODY_BYTES,
    SESSION_COOKIE,
    VISITOR,
    VISITOR_COOKIE,
    Handler,
    RequestContext,
    SignInNeeded,
    form_of,
    read_body,
    read_cookie,
)

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
            # with the port: another one of this machine is another program, and another origin
            f"{name}:{port}": f"http://{name}:{port}"
            for name in ("127.0.0.1", "localhost", "[::1]")
        }
        self.url = f"http://127.0.0.1:{port}"
        """Without a slash at its end."""
        self.localhost = f"http://localhost:{port}"
        """Of this machine by a name, which browsers allow passkeys without https."""
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
            # browsers leave the default port away, some programs write it
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
        # an absolute target would make aiohttp look at another host than the header names
        if target[:1] != "/" or target[:2] == "//":
            raise ConsoleProblem(400, "bad_target", "The target of a request must be a path.")
        # two of them: a proxy may have looked at the one and we at the other
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
        # who comes by the loopback name is on this machine: no proxy has written the header
        if not (self.https and host in self._public_hosts):
            return request.remote or ""
        lines = request.headers.getall("X-Forwarded-For", ()) if self._trusts_proxy else ()
        try:
            # only the last entry is the proxy's: the visitor can write all before it
            return str(ipaddress.ip_address(",".join(lines).rpartition(",")[2].strip()))
        except ValueError:
            return ""


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
    # clipboard-write is left to our own pages, whose button copies a new token; and passkeys are
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _NO_FEATURES),
}
DEFAULTS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""A file whose name is its hash may be cached; a page with a form sets another referrer policy."""
FORM_REFERRER: Final = "same-origin"
"""For pages. Under ``no-referrer`` browsers send ``Origin: null`` with a form, even to its own
origin, and the second layer against forged requests could not tell ours from others. Other
origins get no referrer under either policy."""


def security_headers_hook(*, https: bool) -> OnHeaders:
    """Return a hook that puts the security headers on each response.

    Args:
        https: browsers reach the console by https only.
    """
    always = {**ALWAYS, "Strict-Transport-Security": HSTS} if https else ALWAYS

    async def seal(headers: CIMultiDict[str]) -> None:
        # it names Python and aiohttp with their versions: nobody needs to know them
        headers.popall("Server", None)
        for name, value in always.items():
            headers[name] = value
        for name, value in DEFAULTS.items():
            # set by the handler where it knows better: files whose name is their hash
            headers.setdefault(name, value)

    return seal


SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "Mgs-Csrf"
_MESSAGE = (
    "This did not come from a page of this console, or the page was open for too long. "
    "Go back, reload the page and try again."
)


def check_site(request: web.BaseRequest) -> None:
    """Layer 1: refuse a request that the browser marks as sent by another site.

    Raises:
        ConsoleProblem: the browser says that another site asks.
    """
    sites = request.headers.getall("Sec-Fetch-Site", ())
    # absent in old browsers and in programs, which the other two layers judge alone
    if any(site != "same-origin" for site in sites):
        raise _forged("cross_site")


def check_origin(request: web.BaseRequest, own: str) -> None:
    """Layer 2: refuse a request whose ``Origin`` is not the console's own.

    Raises:
        ConsoleProblem: another origin asks, or nobody says which.
    """
    # exactly one, and ours: a list that holds ours among others is not from our page
    if request.headers.getall("Origin", ()) != [own]:
        raise _forged("wrong_origin")


def check_token(given: str, cookie: str) -> None:
    """Layer 3: refuse a request whose CSRF token does not fit the visitor's cookie.

    Raises:
        ConsoleProblem: the token is not that of the visitor with this cookie.
    """
    # in constant time; and never without a cookie, whose token everybody could compute
    if not cookie or not hmac.compare_digest(
        given.encode("utf-8", "replace"), csrf_token(cookie).encode()
    ):
        raise _forged("csrf")


def _forged(error: str) -> ConsoleProblem:
    return ConsoleProblem(403, error, _MESSAGE, title="This form is not valid any more")


log = logging.getLogger(__name__)

ShowProblem = Callable[[web.Request, ConsoleProblem, str], Awaitable[web.StreamResponse]]
HOOKS: Final = "/hook/"
QUIET_PATHS: Final = frozenset({"/live"})
"""What a page asks by itself: that is no use of the session, which would else never be idle."""


class SecurityMiddleware:
    """Middleware that checks every request to the console.

    Args:
        names: what the console is called.
        sessions: the browsers that are signed in.
        show: makes a page of a problem, with a reference or without.
        pass_on: makes a page that leads on to the one that was asked for.

    """

    def __init__(
        self, names: OwnNames, sessions: Sessions, show: ShowProblem, pass_on: Handler
    ) -> None:
        self._names = names
        self._sessions = sessions
        self._show = show
        self._pass_on = pass_on

    @property
    def middleware(self) -> Middleware:
        """For :class:`aiohttp.web.Application`."""

        # aiohttp calls a new-style middleware by these very names
        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._watch(request, handler)

        return watch

    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await self._pass(request, handler)
        except ConnectionError:  # it hung up: nobody waits for an answer
            raise
        except Exception as error:  # the last resort: nothing goes past it
            response = await self._answer(request, error)
        visitor = request.get(VISITOR)
        # a stream has sent its head by now: cookies cannot be added any more
        if visitor is not None and not response.prepared:
            visitor.set_cookies(response)
        return response

    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # before the router's answer: a name that is not ours learns nothing, not even of paths
        origin = self._names.origin(request)
        # kept until below: an error page shows who is signed in, so the visitor is met first
        missing = request.match_info.http_exception
        # daemons and files have no cookies: no session is looked up for them
        if request.path.startswith(("/v1/", "/static/")):
            if request.can_read_body:
                await read_body(request)
        elif not request.path.startswith(HOOKS):
            await self._meet(request, origin)
        if missing is not None:
            raise missing
        if request.method not in SAFE_METHODS and VISITOR in request:
            await self._check(request, request[VISITOR])
        if _is_from_elsewhere(request):
            return await self._pass_on(request)
        return await handler(request)

    async def _meet(self, request: web.Request, origin: str) -> None:
        visitor = RequestContext(
            origin=origin,
            address=self._names.address(request),
            agent=request.headers.get("User-Agent", "")[:256],
            browser=read_cookie(request, BROWSER_COOKIE),
        )
        request[VISITOR] = visitor
        await self._recognise(request, visitor)

    async def _recognise(self, request: web.Request, visitor: RequestContext) -> None:
        secret = read_cookie(request, SESSION_COOKIE)
        if secret:
            visitor.session = await self._sessions.get(
                # an open page asks by itself: else it would keep its session alive for ever
                secret,
                touch=request.path not in QUIET_PATHS,
            )
        if visitor.session is not None:
            visitor.secret = secret
        else:
            visitor.secret = read_cookie(request, VISITOR_COOKIE)
        visitor.keeps_cookies = bool(secret or visitor.secret)

    async def _check(self, request: web.Request, visitor: RequestContext) -> None:
        # the cheap checks first: a body of 64 KiB is read for our own pages only
        check_site(request)
        check_origin(request, visitor.origin)
        await read_body(request)
        if not is_api(request):
            visitor.form = await form_of(request)
            if not visitor.keeps_cookies:
                raise _no_cookies()
            if not visitor.secret:
                raise SignInNeeded  # the session that the form was shown in has ended
            check_token(visitor.form.get(CSRF_FIELD, ""), visitor.secret)
        # a program that signs in has no token yet; without a session there is nothing to forge
        elif visitor.session is not None:
            check_token(request.headers.get(CSRF_HEADER, ""), visitor.secret)

    async def _answer(self, request: web.Request, error: Exception) -> web.StreamResponse:
        problem, ref = problem_of(error), ""
        if problem is None:
            ref = host.token_hex(4)
            log.error(
                "%s %s failed (reference %s)", request.method, _route(request), ref, exc_info=error
            )
            problem = ConsoleProblem(
                500, "internal", "The console could not do this. Try again in a moment."
            )
        if isinstance(problem, SignInNeeded) and not is_api(request):
            response = await self._show(request, problem, ref)
        elif is_api(request) or request.path.startswith(("/v1/", HOOKS)):
            response = json_problem(problem, ref)
        else:
            response = await self._show(request, problem, ref)
        response.headers.update(problem.headers)
        # the rest of the body is still on its way: read as the next request it would be anything
        if problem.headers.get("Connection") == "close":
            response.force_close()
        return response


def _is_from_elsewhere(request: web.Request) -> bool:
    """Whether a link of another site was followed, such as one in a mail that is read in a page.

    Our cookies are for visits from our own pages, so they were not sent along: the visitor may
    well have a session. One step from a page of ours, and it is there.
    """
    visitor = request.get(VISITOR)
    return (
        visitor is not None
        and not visitor.keeps_cookies
        and not is_api(request)
        and request.method == "GET"
        and request.headers.get("Sec-Fetch-Site") == "cross-site"
    )


def is_api(request: web.BaseRequest) -> bool:
    """Whether the answer is for a program."""
    return request.path.startswith("/api/") or request.path == "/live"


def json_problem(problem: ConsoleProblem, ref: str = "") -> web.Response:
    """Return a problem as programs read it."""
    body = {"error": problem.error, "message": problem.message}
    if ref:
        body["ref"] = ref
    return web.json_response(body, status=problem.status)


def problem_of(error: Exception) -> ConsoleProblem | None:
    """Return what an exception means to the one who asked; ``None`` for what nobody expected."""
    if isinstance(error, ConsoleProblem):
        return error
    if isinstance(error, ConsoleError):
        headers = {}
        if isinstance(error, TooMany | SignInRefused) and error.wait_s:
            headers["Retry-After"] = str(error.wait_s)
        return ConsoleProblem(error.status, error.word, str(error), headers=headers)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return ConsoleProblem(
            405,
            "method_not_allowed",
            "Go back and use the buttons of the page.",
            headers={"Allow": allowed},
        )
    if isinstance(error, web.HTTPNotFound):
        return ConsoleProblem(404, "not_found", "Check the address, or begin at the start page.")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return ConsoleProblem(
            413, "too_large", f"The request is larger than {MAX_BODY_BYTES} bytes."
        )
    if isinstance(error, web.HTTPClientError):
        return ConsoleProblem(error.status, "bad_request", "The request could not be read.")
    return None


def _no_cookies() -> ConsoleProblem:
    return ConsoleProblem(
        403,
        "no_cookie",
        "Your browser has kept no cookie of this page. Reload the page and try again. Safari "
        "keeps none without https: use Chrome, Edge or Firefox on this machine.",
        title="The browser keeps no cookies here",
    )


def _route(request: web.Request) -> str:
    """Return the path for the log, without what stands in it: that may be a secret."""
    resource = request.match_info.route.resource
    # the pattern of the route: paths hold the secrets of links
    return "?" if resource is None else resource.canonical
