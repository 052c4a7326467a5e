"""Operation of a REST API: declared once, served and documented from that."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gateway.http.guard import Route

from . import PREFIX
from .models import Problem, RequestModel

A = TypeVar("A")
B = TypeVar("B", bound=RequestModel)
O = TypeVar("O", bound="Operation[Any]")  # noqa: E741  # an operation
Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_INTEGER = re.compile(r"-?[0-9]+")
MAX_FIELDS = 100
"""In a query, and of the faults that an answer lists."""


@dataclass(frozen=True)
class ParsedRequest:
    """Path, query and body of a request, read and checked."""

    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    content: RequestModel | None = None
    """The body, where the operation takes one."""

    def body(self, model: type[B]) -> B:
        """Return the body as what the operation has declared it to be."""
        assert isinstance(self.content, model)
        return self.content


@dataclass(frozen=True)
class Parameter:
    """A value in the path, in the query or in a header."""

    name: str
    type: Any
    description: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Operation(Generic[A]):
    """Operation that callers can ask for; its handler takes what the API makes of a request.

    Its errors are declared by number; those that any call may meet are added where the document
    is made.
    """

    name: str
    method: Verb
    path: str
    summary: str
    handle: Callable[[A], Awaitable[Any]]
    response_model: Any
    """Type of the answer; ``None`` for one without a body."""
    request_model: type[RequestModel] | None = None
    query: tuple[Parameter, ...] = ()
    status: int = 200
    errors: tuple[int, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is for everybody, without a token."""
        return False

    @property
    def is_form(self) -> bool:
        """Whether its body is a form, as of a page, and not JSON."""
        return False

    @property
    def for_pages(self) -> bool:
        """Whether pages of a listed origin may call it."""
        return True

    @property
    def description(self) -> str:
        """More than the summary says; often empty."""
        return ""

    @property
    def security(self) -> Sequence[Mapping[str, list[str]]] | None:
        """Security schemes that differ from those of the whole document."""
        return [] if self.is_open else None

    @property
    def error_statuses(self) -> frozenset[int]:
        """Statuses of its errors: declared ones, and those that follow from path and body."""
        found = set(self.errors)
        if self.path_names:
            found |= {404}
        if self.request_model is not None:
            found |= {408, 415}
        return frozenset(found)

    @property
    def headers(self) -> tuple[Parameter, ...]:
        """The headers that mean something to it."""
        return ()

    @property
    def route(self) -> Route:
        """Requests that the guard lets through to it."""
        has_body = self.request_model is not None
        return Route(
            self.method,
            "never" if self.is_open else "required",
            json=has_body and not self.is_form,
            form=has_body and self.is_form,
            pages=self.for_pages,
        )

    @cached_property
    def path_names(self) -> list[str]:
        """Names in its path."""
        return re.findall(r"{(\w+)}", self.path)

    def path_parameter(self, name: str) -> Parameter:
        """Return what a name in its path stands for."""
        raise KeyError(name)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # a list ends with a slash, and is found without
        path = re.sub("/$", "/?", self.path)
        return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))

    def match(self, path: str) -> Mapping[str, str] | None:
        """Return what stands in a path for its names, or ``None`` if it is another's."""
        found = self._pattern.fullmatch(path)
        return None if found is None else found.groupdict()

    def read(self, target: str, body: bytes) -> ParsedRequest:
        """Read a request.

        Args:
            target: path and query, as they were sent.
            body: as it was sent.

        Raises:
            Problem: 422, something is wrong with it.

        """
        path, _, query = target.partition("?")
        # matched before it is decoded: %2F in a name is no slash of the path
        texts = self.match(path) or {}
        return ParsedRequest(
            path=self.read_path({name: unquote(text) for name, text in texts.items()}),
            query=self.read_query(query),
            content=self.read_body(body),
        )

    def read_path(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Read the values of the names in a path, which are decoded already.

        Raises:
            Problem: 422, one is not as described.

        """
        return {
            name: _value("path", self.path_parameter(name), text) for name, text in texts.items()
        }

    def read_body(self, body: bytes) -> RequestModel | None:
        """Read a body.

        Raises:
            Problem: 422, it is not as described, or there should be none.

        """
        if self.request_model is None:
            # clients that send a body with every POST mean nothing by an empty one
            if body.strip() not in (b"", b"{}", b"null"):
                raise unexpected("body", "This takes no body")
            return None
        try:
            if self.is_form:
                return self.request_model.model_validate_strings(_form(body))
            content = self.request_model.model_validate_json(body)
        except ValidationError as error:
            raise Problem(422, _faults("body", error)) from None
        # json tells of a member that is there twice, which orjson and pydantic take in silence;
        # the body is as deep as its model and no deeper, so this cannot run out of stack
        json.loads(body, object_pairs_hook=_once_each)
        return content

    def read_query(self, text: str) -> dict[str, Any]:
        """Read a query string.

        Raises:
            Problem: 422, something in it is not as described, unknown or there twice.

        """
        known = {parameter.name: parameter for parameter in self.query}
        values = {name: parameter.default for name, parameter in known.items()}
        seen: set[str] = set()
        for name, value in _pairs("query", text):
            if name not in known or name in seen:
                raise unexpected("query", "There is a parameter that is not known here, or twice")
            seen.add(name)
            values[name] = _value("query", known[name], value)
        for name, parameter in known.items():
            if parameter.required and name not in seen:
                fault = {"type": "missing", "loc": ["query", name], "msg": "Field required"}
                raise Problem(422, [fault])
        return values


def routes_at(operations: Iterable[Operation[Any]], path: str) -> Sequence[Route]:
    """Return what a path takes; nothing if it is none of the operations'."""
    if not path.startswith(PREFIX):
        return ()
    return tuple(operation.route for operation in _at_path(operations, path))


def operation_of(operations: Iterable[O], request: web.BaseRequest) -> O:
    """Return the operation that a request asks for; the guard has refused what asks for none."""
    path = request.raw_path.partition("?")[0]
    found = _at_path(operations, path)
    return next(operation for operation in found if operation.method == request.method)


def _at_path(operations: Iterable[O], path: str) -> Sequence[O]:
    """Return the operations at a path: one for each HTTP method.

    A fixed path comes before one with a name in the same place.
    """
    found = [operation for operation in operations if operation.match(path) is not None]
    fixed = [operation for operation in found if not operation.path_names]
    return fixed or found


def read_header(parameter: Parameter, texts: Sequence[str]) -> Any:
    """Return the value of a header, or its default where it was not sent.

    Raises:
        Problem: 422, it is not as described, or was sent twice.

    """
    if not texts:
        return parameter.default
    if len(texts) > 1:
        raise unexpected("header", f"Send one header {parameter.name}")
    return _value("header", parameter, texts[0])


def unexpected(where: str, message: str) -> Problem:
    """Return what is wrong with a request as a whole, or a part of it."""
    return Problem(422, [{"type": "unexpected", "loc": [where], "msg": message}])


def _value(where: str, parameter: Parameter, text: str) -> Any:
    try:
        value = TypeAdapter(parameter.type).validate_strings(text, strict=True)
    except ValidationError as error:
        raise Problem(422, _faults(where, error, parameter.name)) from None
    # pydantic takes "1_000", "+1" and " 1 " for integers
    if isinstance(value, int) and not isinstance(value, bool) and not _INTEGER.fullmatch(text):
        fault = {"type": "int_parsing", "msg": "Write an integer with digits alone"}
        raise Problem(422, [{**fault, "loc": [where, parameter.name]}])
    return value


def _once_each(members: list[tuple[str, Any]]) -> None:
    """Refuse an object with a member twice: one reader takes the first, another one the last."""
    if len({name for name, _ in members}) < len(members):
        raise unexpected("body", "There is a member twice")


def _pairs(where: str, text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise unexpected(where, f"This is no {where}") from None


def _form(body: bytes) -> dict[str, str]:
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        raise unexpected("body", "This is no form") from None
    values: dict[str, str] = {}
    for name, value in _pairs("body", text):
        if name in values:
            raise unexpected("body", "There is a field twice")
        values[name] = value
    return values


def _faults(where: str, error: ValidationError, *names: str) -> list[dict[str, Any]]:
    """Say what is wrong without repeating what was sent: it may be a password."""
    # cut: each fault is found in what was sent, but not all of a thousand are worth an answer
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            "type": error_facts["type"],
            "loc": [where, *names, *error_facts["loc"]],
            "msg": error_facts["msg"],
        }
        for error_facts in found[:MAX_FIELDS]
    ]
