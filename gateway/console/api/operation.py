"""One operation of the console's API, the call that its handler gets, and the API's document.

Operations stand on :mod:`gateway.http.rest`, as those of the daemon do. Errors are the console's
own: ``{"error": word, "message": what to do}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

from gateway.console.errors import ConsoleProblem
from gateway.console.service import Console
from gateway.console.sessions import SessionInfo
from gateway.console.web.request_context import (
    SESSION_COOKIE,
    VISITOR,
    RequestContext,
    expect,
    read_body,
    session_of,
)
from gateway.console.web.security import CSRF_HEADER
from gateway.http.guard import JSON
from gateway.http.rest import models as problem
from gateway.http.rest import operation
from gateway.http.rest.models import RequestModel
from gateway.http.rest.openapi import DocumentInfo
from gateway.http.rest.operation import Parameter, ParsedRequest

from .models import Did, ErrorResponse, Rid, RowId, Tid

__all__ = ["DOCUMENT", "DOCUMENT_INFO", "ConsoleCall", "ConsoleOperation", "Parameter"]

Who = Literal["anyone", "user", "admin"]

_TO_CHANGE_PASSWORD = frozenset({"/api/v1/me", "/api/v1/me/password", "/api/v1/session"})
"""What is open to one who must change the password."""
DOCUMENT: Final = "/api/v1/openapi.json"
DOCUMENT_INFO: Final = DocumentInfo(
    title="mt-gateway console",
    version="1",
    description=(
        "What the console's pages do, for programs. Sign in with `POST /api/v1/session`; send the "
        "cookie with every call, and with every change the header `Mgs-Csrf` (member `csrf` of "
        "the answer) and the header `Origin` with the console's own origin."
    ),
    schemes={
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
        "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER},
    },
    status_descriptions={
        400: "The request is not as described here",
        401: "Not signed in, or email and password do not fit",
        403: "Not allowed, not from our own origin, or the password has to be given again",
        404: "There is none, or it is somebody else's",
        405: "Not with this method",
        408: "The body came too slowly",
        409: "Another one has the name",
        410: "It is over",
        413: "The body is too large",
        415: "The body is not JSON",
        421: "The Host header is not ours",
        429: "Too many tries",
        500: "The console failed; its log has the reference",
        503: "Try again in a moment",
    },
    anytime=frozenset({400, 405, 413, 415, 421, 429, 500, 503}),
    error=ErrorResponse,
    invalid=ErrorResponse,
)
STEP_UP: Final = (
    "Needs the password within the last quarter of an hour, without https for each call anew; "
    "else 403 `step_up_needed`."
)
PLACES: Final = {
    name: Parameter(name, type_, "Its id.", required=True)
    for name, type_ in {"tid": Tid, "did": Did, "rid": Rid, "sid": RowId, "id": RowId}.items()
}
"""Names that paths have."""


@dataclass(frozen=True, kw_only=True)
class ConsoleCall(ParsedRequest):
    """One call: the visitor who asks, and what the request says."""

    console: Console
    visitor: RequestContext

    @property
    def me(self) -> SessionInfo:
        """The session, of an operation that is not for anyone."""
        assert self.visitor.session is not None
        return self.visitor.session

    @property
    def user_id(self) -> str:
        """Id of the person who is signed in."""
        return self.me.user.id


@dataclass(frozen=True)
class ConsoleOperation(operation.Operation[ConsoleCall]):
    """One operation; each of its errors answers :class:`.models.ErrorResponse`."""

    who: Who = "user"
    step_up: bool = False
    """The password must have been given in the last 15 minutes; without https, for this call."""

    @property
    def is_open(self) -> bool:
        """Whether it is for everybody, without a session."""
        return self.who == "anyone"

    @property
    def description(self) -> str:
        """Rule about the password, where there is one."""
        return STEP_UP if self.step_up else ""

    @property
    def security(self) -> list[Mapping[str, list[str]]]:
        """A change needs the csrf token beside the session."""
        if self.is_open:
            return []
        return [{"session": []}] if self.method == "GET" else [{"session": [], "csrf": []}]

    @property
    def error_statuses(self) -> frozenset[int]:
        """Statuses of its errors, beside those that any call may meet."""
        found = super().error_statuses
        if not self.is_open:
            found |= {401, 403}
        if self.method != "GET":  # a form or a page of another site may have sent it
            found |= {403, 408}
        return found

    def path_parameter(self, name: str) -> Parameter:
        """Return what a name in its path stands for."""
        return PLACES[name]

    def served_by(self, console: Console) -> web.RouteDef:
        """Return the route that serves it."""

        async def answer(request: web.Request) -> web.StreamResponse:
            await self._admit(request, console)
            call = await self._call(request, console)
            if self.step_up:
                # used up only now: a request that says nothing sensible must not cost it
                await console.sessions.use_step_up(call.visitor.secret, call.me)
            result = await self.handle(call)
            return web.Response(
                text=result.model_dump_json(), status=self.status, content_type=JSON
            )

        if self.method == "GET":
            # aiohttp would answer HEAD by running the whole handler
            return web.get(self.path, answer, allow_head=False)
        return web.route(self.method, self.path, answer)

    async def _admit(self, request: web.Request, console: Console) -> None:
        if self.is_open:
            return
        me = session_of(request)
        # as on the pages: here one changes the password, asks who one is, or signs out
        if me.user.must_change_password and self.path not in _TO_CHANGE_PASSWORD:
            raise ConsoleProblem(403, "password_change_needed", "Change your password first.")
        if self.who == "admin" and not me.user.is_admin:
            raise ConsoleProblem(403, "not_admin", "This is for administrators of the console.")
        if self.step_up:
            # asked before the body is read, used only after it: see below
            console.sessions.demand_step_up(me)

    async def _call(self, request: web.Request, console: Console) -> ConsoleCall:
        try:
            return ConsoleCall(
                console=console,
                visitor=request[VISITOR],
                path=self.read_path(request.match_info),
                query=self.read_query(request.rel_url.raw_query_string),
                content=await self._body(request),
            )
        except problem.Problem as error:
            raise _invalid(error) from None

    async def _body(self, request: web.Request) -> RequestModel | None:
        if self.request_model is None:
            if await read_body(request):
                raise ConsoleProblem(400, "unexpected_body", "This takes no body.")
            return None
        expect(request, JSON)
        return self.read_body(await read_body(request))


def _invalid(error: problem.Problem) -> ConsoleProblem:
    """Return the console's answer to a request that cannot be read; it tells the first fault."""
    assert not isinstance(error.detail, str)  # a 422 lists its faults
    fault = error.detail[0]
    part, *names = fault["loc"]
    # an id of the wrong form is one that does not exist, and told as such
    if part == "path":
        return ConsoleProblem(404, "not_found", "There is nothing of that name.")
    where = ".".join(str(name) for name in names)
    message = f"{where}: {fault['msg']}." if where else f"{fault['msg']}."
    return ConsoleProblem(400, "invalid", message)
