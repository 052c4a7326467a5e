"""Checks that every request passes on its way in, and every answer on its way out.

In this order: the target is a path and ``Host`` is one of our names; there is such a page and it
takes the method; the browser's cookie is looked up; what changes something passes the three
layers of :mod:`.csrf`; the body is read. ``/v1/...`` is for daemons: they have no cookies and
sign their requests, so of these steps theirs are the names, the route and the body.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from ea_bridge import host
from gateway.console.errors import ConsoleError, SignInRefused, TooMany
from gateway.console.sessions import Sessions

from . import cookies, csrf
from .body import MAX_BODY_BYTES, form_of, read_body
from .origin import OwnNames
from .problem import ConsoleProblem
from .request_context import VISITOR, Handler, RequestContext, SignInNeeded

log = logging.getLogger(__name__)

ShowProblem = Callable[[web.Request, ConsoleProblem, str], Awaitable[web.StreamResponse]]
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
        if visitor is not None and not response.prepared:
            visitor.tell(response)
        return response

    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = self._names.origin(request)
        missing = request.match_info.http_exception
        if request.path.startswith(("/v1/", "/static/")):
            if request.can_read_body:
                await read_body(request)
        else:
            await self._meet(request, origin)
        if missing is not None:
            raise missing
        if request.method not in csrf.SAFE_METHODS and VISITOR in request:
            await self._check(request, request[VISITOR])
        if _is_from_elsewhere(request):
            return await self._pass_on(request)
        return await handler(request)

    async def _meet(self, request: web.Request, origin: str) -> None:
        visitor = RequestContext(
            origin=origin,
            address=self._names.address(request),
            agent=request.headers.get("User-Agent", "")[:256],
            browser=cookies.read(request, cookies.BROWSER),
        )
        request[VISITOR] = visitor
        await self._recognise(request, visitor)

    async def _recognise(self, request: web.Request, visitor: RequestContext) -> None:
        secret = cookies.read(request, cookies.SESSION)
        if secret:
            visitor.session = await self._sessions.get(
                secret, touch=request.path not in QUIET_PATHS
            )
        if visitor.session is not None:
            visitor.secret = secret
        else:
            visitor.secret = cookies.read(request, cookies.VISITOR)
        visitor.keeps_cookies = bool(secret or visitor.secret)

    async def _check(self, request: web.Request, visitor: RequestContext) -> None:
        csrf.check_site(request)
        csrf.check_origin(request, visitor.origin)
        await read_body(request)
        if not is_api(request):
            visitor.form = await form_of(request)
            if not visitor.keeps_cookies:
                raise _no_cookies()
            if not visitor.secret:
                raise SignInNeeded  # the session that the form was shown in has ended
            csrf.check_token(visitor.form.get(csrf.FIELD, ""), visitor.secret)
        elif visitor.session is not None:
            csrf.check_token(request.headers.get(csrf.HEADER, ""), visitor.secret)

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
        elif is_api(request) or request.path.startswith("/v1/"):
            response = json_problem(problem, ref)
        else:
            response = await self._show(request, problem, ref)
        response.headers.update(problem.headers)
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
    return "?" if resource is None else resource.canonical
