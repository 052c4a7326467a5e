"""One operation of the accounts API: declared once, served and documented from that."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, unquote

from pydantic import TypeAdapter, ValidationError

from gateway.auth.caller import Caller
from gateway.credentials.tier import Tier
from gateway.web.guard import Door

from .models import AccountId, Given
from .problem import Problem
from .services import Services

B = TypeVar("B", bound=Given)
Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
MAX_FIELDS = 100
"""In a query, and of the faults that an answer lists."""


@dataclass(frozen=True)
class Ask:
    """A call: who asks, and what with."""

    services: Services
    caller: Caller
    path: Mapping[str, int]
    query: Mapping[str, Any] = field(default_factory=dict)
    given: Given | None = None
    tier: Tier = Tier.READ
    """What the caller was found to be allowed."""

    @property
    def owner(self) -> str:
        """Whose accounts these are."""
        return self.services.owner_of(self.caller.tid)

    def body(self, model: type[B]) -> B:
        """Return the body as what the operation has declared it to be."""
        assert isinstance(self.given, model)
        return self.given


@dataclass(frozen=True)
class Parameter:
    """A value in the query."""

    name: str
    type: Any
    words: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """What can be asked.

    Its errors are declared by number; those that any call may meet are added where the document
    is made.
    """

    name: str
    method: Verb
    path: str
    words: str
    handle: Callable[[Ask], Awaitable[Any]]
    answer: Any
    """Type of the answer; ``None`` for one without a body."""
    given: type[Given] | None = None
    query: tuple[Parameter, ...] = ()
    status: int = 200
    errors: tuple[int, ...] = ()
    tier: Tier | None = None
    """What a token must be allowed while its console is silent: all, or to read where it only
    reads, unless this says otherwise."""

    @property
    def needs(self) -> Tier:
        """The tier, whoever says it."""
        if self.tier is not None:
            return self.tier
        return Tier.READ if self.method == "GET" else Tier.FULL

    @property
    def door(self) -> Door:
        """What the guard lets through to it."""
        return Door(self.method, "required", json=self.given is not None)

    @cached_property
    def names(self) -> list[str]:
        """What its path names: ids."""
        return re.findall(r"{(\w+)}", self.path)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path))

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.answer)

    def match(self, path: str) -> Mapping[str, str] | None:
        """Return the ids in a path, or ``None`` if it is another's."""
        found = self._pattern.fullmatch(path)
        return None if found is None else found.groupdict()

    async def carry_out(
        self, services: Services, caller: Caller, target: str, body: bytes
    ) -> bytes:
        """Answer one request; return the JSON, empty where there is none.

        Args:
            target: path and query, as they were sent.

        Raises:
            Problem: why not.

        """
        path, _, query = target.partition("?")
        ask = Ask(
            services=services,
            caller=caller,
            path=_ids(self.match(path) or {}),
            query=self._read_query(query),
            given=self._read_body(body),
            tier=self.needs,
        )
        services.recheck(caller, self.needs)
        result = await self.handle(ask)
        if self.answer is None:
            return b""
        return self._adapter.dump_json(self._adapter.validate_python(result))

    def _read_body(self, body: bytes) -> Given | None:
        if self.given is None:
            if body.strip() not in (b"", b"{}", b"null"):
                raise _unexpected("body", "This takes no body")
            return None
        try:
            return self.given.model_validate_json(body)
        except ValidationError as error:
            raise Problem(422, _faults("body", error)) from None

    def _read_query(self, text: str) -> dict[str, Any]:
        known = {parameter.name: parameter for parameter in self.query}
        values = {name: parameter.default for name, parameter in known.items()}
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
            )
        except ValueError:
            raise _unexpected("query", "This is no query") from None
        seen: set[str] = set()
        for name, value in pairs:
            if name not in known or name in seen:
                raise _unexpected("query", "There is a parameter that is not known here, or twice")
            seen.add(name)
            try:
                values[name] = TypeAdapter(known[name].type).validate_strings(value, strict=True)
            except ValidationError as error:
                raise Problem(422, _faults("query", error, name)) from None
        for name, parameter in known.items():
            if parameter.required and name not in seen:
                fault = {"type": "missing", "loc": ["query", name], "msg": "Field required"}
                raise Problem(422, [fault])
        return values


def find(operations: Iterable[Operation], path: str) -> Sequence[Operation]:
    """Return the operations at a path: one for each HTTP method.

    A fixed path comes before one with an id in the same place.
    """
    found = [one for one in operations if one.match(path) is not None]
    fixed = [one for one in found if not one.names]
    return fixed or found


_ID: TypeAdapter[int] = TypeAdapter(AccountId)


def _ids(texts: Mapping[str, str]) -> dict[str, int]:
    values = {}
    for name, text in texts.items():
        try:
            values[name] = _ID.validate_strings(unquote(text), strict=True)
        except ValidationError as error:
            raise Problem(422, _faults("path", error, name)) from None
    return values


def _faults(where: str, error: ValidationError, *names: str) -> list[dict[str, Any]]:
    """Say what is wrong without repeating what was sent: it may be a password."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {"type": one["type"], "loc": [where, *names, *one["loc"]], "msg": one["msg"]}
        for one in found[:MAX_FIELDS]
    ]


def _unexpected(where: str, message: str) -> Problem:
    return Problem(422, [{"type": "unexpected", "loc": [where], "msg": message}])
