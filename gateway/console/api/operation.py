"""One operation of the API: declared once, served and documented from that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.console.service import Console
from gateway.console.sessions import SessionInfo
from gateway.console.web.body import JSON, expect, read_body
from gateway.console.web.problem import Problem
from gateway.console.web.visitor import VISITOR, Visitor, session_of

from .models import Answer, Given

B = TypeVar("B", bound=Given)
Who = Literal["anyone", "user", "admin"]


@dataclass(frozen=True)
class Ask:
    """A call: who asks, and what with."""

    console: Console
    visitor: Visitor
    path: Mapping[str, str]
    query: Mapping[str, Any] = field(default_factory=dict)
    given: Given | None = None

    @property
    def me(self) -> SessionInfo:
        """The session, of an operation that is not for anyone."""
        assert self.visitor.session is not None
        return self.visitor.session

    @property
    def user_id(self) -> str:
        """Whose things these are."""
        return self.me.user.id

    def body(self, model: type[B]) -> B:
        """Return the body as what the operation has declared it to be."""
        assert isinstance(self.given, model)
        return self.given


@dataclass(frozen=True)
class Parameter:
    """A value in the path or in the query."""

    name: str
    type: Any
    words: str
    default: Any = None


@dataclass(frozen=True)
class Operation:
    """What can be asked.

    Its errors are declared by number; each answers :class:`.models.Error`. Those that any call may
    meet are added where the document is made.
    """

    name: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    words: str
    handle: Callable[[Ask], Awaitable[BaseModel]]
    answer: type[Answer]
    given: type[Given] | None = None
    path_types: Mapping[str, Any] = field(default_factory=dict)
    query: tuple[Parameter, ...] = ()
    status: int = 200
    errors: tuple[int, ...] = ()
    who: Who = "user"
    step_up: bool = False
    """The password must have been given within five minutes; without https, for this call."""

    def route(self, console: Console) -> web.RouteDef:
        """Return the route that serves it."""
        adapters = {name: TypeAdapter(type_) for name, type_ in self.path_types.items()}

        async def answer(request: web.Request) -> web.StreamResponse:
            await self._admit(request, console)
            ask = Ask(
                console=console,
                visitor=request[VISITOR],
                path=_path(request, adapters),
                query=self._query(request),
                given=await self._body(request),
            )
            if self.step_up:
                await console.sessions.use_step_up(ask.visitor.secret, ask.me)
            result = await self.handle(ask)
            return web.Response(
                text=result.model_dump_json(), status=self.status, content_type=JSON
            )

        if self.method == "GET":
            return web.get(self.path, answer, allow_head=False)
        return web.route(self.method, self.path, answer)

    async def _admit(self, request: web.Request, console: Console) -> None:
        if self.who == "anyone":
            return
        me = session_of(request)
        if me.user.must_change_password and not self.path.startswith("/api/v1/me"):
            raise Problem(403, "password_change_needed", "Change your password first.")
        if self.who == "admin" and not me.user.is_admin:
            raise Problem(403, "not_admin", "This is for administrators of the console.")
        if self.step_up:
            console.sessions.demand_step_up(me)

    async def _body(self, request: web.Request) -> Given | None:
        if self.given is None:
            if await read_body(request):
                raise Problem(400, "unexpected_body", "This takes no body.")
            return None
        expect(request, JSON)
        body = await read_body(request)
        try:
            return self.given.model_validate_json(body)
        except ValidationError as error:
            raise Problem(400, "invalid", _first(error)) from None

    def _query(self, request: web.Request) -> dict[str, Any]:
        known = {parameter.name: parameter for parameter in self.query}
        unknown = request.query.keys() - known.keys()
        if unknown or len(request.query) != len(set(request.query)):
            raise Problem(400, "invalid", "There is a parameter that is not known here, or twice.")
        values = {name: parameter.default for name, parameter in known.items()}
        for name, text in request.query.items():
            try:
                values[name] = TypeAdapter(known[name].type).validate_strings(text, strict=True)
            except ValidationError as error:
                raise Problem(400, "invalid", f"{name}: {_first(error)}") from None
        return values


def _path(request: web.Request, adapters: Mapping[str, TypeAdapter[Any]]) -> dict[str, str]:
    values = {}
    for name, adapter in adapters.items():
        try:
            values[name] = adapter.validate_python(request.match_info[name])
        except ValidationError:
            raise Problem(404, "not_found", "There is nothing of that name.") from None
    return values


def _first(error: ValidationError) -> str:
    """Say what is wrong without repeating what was sent: it may be a password."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}." if where else f"{first['msg']}."
