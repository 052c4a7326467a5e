"""The live page over HTTP: its files, its sessions, and figures that no method tells.

Calls and events go over ``/ui/rpc`` and ``/ui/ws``, which are ``/rpc`` and ``/ws`` with a session
in the place of the token; see :mod:`gateway.rpc.server`. The page runs under a policy by which it
can load nothing from elsewhere and make no text into HTML.

Figures are what ``/metrics`` counts, and the orders that nobody can tell of.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import Field, ValidationError

from ea_bridge import host
from ea_bridge.histogram import BOUNDS_S
from gateway.audit import Audit
from gateway.auth.caller import Caller, Scope
from gateway.errors import InvalidRequest, Overloaded, Unauthorized
from gateway.http.connections import connection_of
from gateway.http.guard import Refusal, Route
from gateway.http.messages import json_response, read_body
from gateway.http.mount import Credentials, LazyDocument
from gateway.http.rest.models import RequestModel
from gateway.metrics.readings import Reading
from gateway.trading.journal import Intent
from gateway.trading.journal.views import record

from .sessions import CODE_S, LONGEST_S, PageSessions

START, PAGE, SESSION, CODES, FIGURES = "/", "/ui", "/ui/session", "/ui/codes", "/ui/figures"
CSRF = "X-CSRF-Token"
MAX_BODY_BYTES = 1024
STATIC = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # no text becomes HTML or script, whatever a terminal calls its symbols
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
FILE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # none at all would make the Origin of our own calls "null"
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

BodyT = TypeVar("BodyT", bound=RequestModel)

log = logging.getLogger(__name__)


class NewSession(RequestModel):
    """Beginning of a session: by a code, or by a token in the header ``Authorization``."""

    code: str | None = Field(None, max_length=64)
    trade: bool = False
    """Whether it may trade, as far as token and code may."""


class NewCode(RequestModel):
    """Request for a one-time code."""

    trade: bool = False


class LivePageApi:
    """The live page, mounted in the web server; see :class:`gateway.http.mount.MountedApi`.

    Args:
        sessions: of browsers.
        port: of the gateway, in the names of its cookies: ports share cookies.
        audit: trail of who signed in.
        figures: what a caller may see of the daemon's figures, as JSON has it.
        console: address of the console's pages; empty where there is none.

    """

    def __init__(
        self,
        sessions: PageSessions,
        *,
        port: int,
        audit: Audit,
        figures: Callable[[Caller], Mapping[str, Any]],
        console: str = "",
    ) -> None:
        self._sessions = sessions
        self._audit = audit
        self._figures = figures
        self._console = console
        self._cookie = f"mtg-live-{port}-"
        self._files = {f"{PAGE}/{path.name}": path for path in STATIC.iterdir()}
        self._files |= {START: STATIC / "start.html", PAGE: STATIC / "page.html"}
        self._texts: dict[str, bytes] = {}
        get = Route("GET", "never", own=True)
        post = Route("POST", "optional", json=True, own=True)
        self._routes: dict[str, tuple[Route, ...]] = {
            **dict.fromkeys(self._files, (get,)),
            SESSION: (post, Route("DELETE", "optional", own=True)),
            FIGURES: (Route("GET", "optional", own=True),),
            # of a program with its token: no page may ask for one
            CODES: (Route("POST", "required", json=True, pages=False),),
        }

    def documents(self, url: str) -> Mapping[str, LazyDocument]:
        """Return nothing: the page is for people."""
        return {}

    def routes(self, path: str) -> Sequence[Route]:
        """Return what a path takes; nothing if it is not ours."""
        return self._routes.get(path, ())

    def caller(self, request: web.BaseRequest) -> Caller:
        """Return the caller whose session a request belongs to.

        Raises:
            Unauthorized: it belongs to none.

        """
        caller = self._sessions.caller(self._cookies(request), request.headers.get(CSRF, ""))
        connection_of(request).known()
        return caller

    async def answer(
        self,
        request: web.BaseRequest,
        credentials: Credentials[Caller],
        headers: Mapping[str, str],
    ) -> web.Response:
        """Answer one request.

        Raises:
            Refusal: the body is none of ours (400, 413, 408), or too many codes wait (503).
            Unauthorized: the session, code or token is missing or opens nothing.
            ThrottleExceeded: so many fail that this one gets no answer.

        """
        path = request.raw_path.partition("?")[0]
        if path in self._files:
            return self._file(path)
        if path == CODES:
            return await self._new_code(request, credentials)
        if path == FIGURES:
            return json_response(orjson.dumps(self._figures(self.caller(request))))
        if request.method == "DELETE":
            self._sessions.sign_out(self._cookies(request), request.headers.get(CSRF, ""))
            return self._without_dead_cookies(request, web.Response(status=204))
        return await self._sign_in(request, credentials)

    def _file(self, path: str) -> web.Response:
        file = self._files[path]
        if path not in self._texts:
            text = file.read_bytes()
            if path == START:
                text = text.replace(b"<!-- console -->", self._console_entry().encode())
            self._texts[path] = text
        return json_response(
            self._texts[path], {**FILE_HEADERS, "Content-Type": TYPES[file.suffix]}
        )

    def _console_entry(self) -> str:
        if not self._console:
            return ""
        url = escape(self._console)
        return f'<li><a href="{url}">Console</a> makes and ends tokens and approves machines</li>'

    async def _new_code(
        self, request: web.BaseRequest, credentials: Credentials[Caller]
    ) -> web.Response:
        caller = await credentials.caller()
        wanted = await _read(request, NewCode)
        try:
            code = self._sessions.new_code(caller, trade=wanted.trade)
        except Overloaded as error:
            raise Refusal(503, error, {"Retry-After": str(int(CODE_S))}) from None
        return json_response(orjson.dumps({"code": code, "expires_ms": int(CODE_S * 1000)}))

    async def _sign_in(
        self, request: web.BaseRequest, credentials: Credentials[Caller]
    ) -> web.Response:
        wanted = await _read(request, NewSession)
        if wanted.code is None:
            caller, may_trade = await credentials.caller(), True
        else:
            caller, may_trade = await self._redeem(wanted.code, credentials)
        trade = wanted.trade and may_trade and Scope.TRADE in caller.scopes
        given = self._sessions.begin(caller, trade=trade)
        self._audit.record(
            "page_signed_in", actor=caller.tid, terminal=caller.terminal, trade=trade
        )
        body = {"csrf": given.csrf, "terminal": caller.terminal, "trade": trade}
        answer = self._without_dead_cookies(request, json_response(orjson.dumps(body)))
        answer.set_cookie(
            # a name of its own: two tabs may each have a session
            self._cookie + host.token_hex(4),
            given.cookie,
            path=PAGE,
            max_age=int(LONGEST_S),
            httponly=True,
            samesite="Strict",
        )
        return answer

    async def _redeem(self, code: str, credentials: Credentials[Caller]) -> tuple[Caller, bool]:
        try:
            caller, trade = self._sessions.redeem(code)
        except Unauthorized as error:
            reason = error.data.get("reason")
            self._audit.often("access_refused", outcome="refused", reason=reason, object="code")
            await credentials.slow_down()
            log.warning("refused a sign-in code: %s", reason)
            raise
        credentials.accept()
        return caller, trade

    def _cookies(self, request: web.BaseRequest) -> Collection[str]:
        return [value for name, value in request.cookies.items() if name.startswith(self._cookie)]

    def _without_dead_cookies(
        self, request: web.BaseRequest, answer: web.Response
    ) -> web.Response:
        """Have the browser forget cookies of sessions that are over: it would send them along."""
        for name, value in request.cookies.items():
            if name.startswith(self._cookie) and not self._sessions.is_alive(value):
                answer.del_cookie(name, path=PAGE)
        return answer


async def _read(request: web.BaseRequest, model: type[BodyT]) -> BodyT:
    body = await read_body(request, MAX_BODY_BYTES)
    try:
        return model.model_validate_json(body)
    except ValidationError:
        names = ", ".join(model.model_fields)
        error = InvalidRequest(f"Send a JSON object with {names}", reason="body")
        raise Refusal(400, error) from None


MAX_UNKNOWN = 100
"""Orders of unknown outcome that are told, the newest."""


def figures(readings: Sequence[Reading], unknown: Sequence[Intent]) -> Mapping[str, Any]:
    """Return what the page shows, as JSON has it.

    ``readings`` are by name: ``values`` are pairs of labels and number; ``buckets`` are pairs of
    labels and counts by bucket with the sum in seconds. ``bounds_s`` are the upper bounds of all
    buckets but the last. ``unknown`` are records as ``get_order`` gives them, without ``now``.
    """
    return {
        "bounds_s": BOUNDS_S,
        "readings": {
            reading.name: {
                "labels": reading.labels,
                "values": list(reading.values.items()),
                "buckets": list(reading.buckets.items()),
            }
            for reading in readings
        },
        "unknown": [record(intent, None) for intent in unknown[-MAX_UNKNOWN:]],
    }
