"""The OpenAPI 3.1 document, made from the operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from gateway import __version__

from .models import AccountId, Detail, Faults
from .operation import Operation, Parameter

OPENAPI: Final = "/api/v1/openapi.json"
JSON: Final = "application/json"
_REF: Final = "#/components/schemas/{model}"
_WORDS: Final = {
    400: "The trade server refused login or password, or the request cannot be read",
    401: "The token is missing, or does not open this gateway",
    403: "The token lacks the scope admin, or a web page may not call",
    404: "There is none, or it was deleted",
    405: "Not with this method",
    408: "The body came too slowly",
    409: "The account is registered",
    413: "The body is too large",
    415: "The body is not JSON",
    421: "The Host header is not ours",
    422: "The request is not as described here",
    500: "The gateway failed; its log says why",
    502: "The terminal or the trade server did not answer as it should",
    503: "Nobody who could answer is linked, or not yet; try again later",
}
_ANYTIME: Final = frozenset({400, 401, 403, 405, 413, 421, 422, 500, 503})
_DESCRIPTION: Final = (
    "Registered accounts: what they may do is enforced for every order of a terminal that is "
    "logged in to them. Send `Authorization: Bearer` with an auth_token of the scope `admin`."
)


def openapi(operations: Iterable[Operation], url: str) -> dict[str, Any]:
    """Return the document.

    Args:
        operations: of the API.
        url: of the gateway.

    """
    operations = list(operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mt-gateway accounts",
            "version": __version__,
            "description": _DESCRIPTION,
        },
        "servers": [{"url": url}],
        "security": [{"auth_token": []}],
        "paths": _paths(operations),
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {"auth_token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    wanted: list[tuple[str, Any, TypeAdapter[Any]]] = []
    for each in operations:
        if each.given is not None:
            wanted.append((each.name, "validation", TypeAdapter(each.given)))
        if each.answer is not None:
            wanted.append((each.name, "serialization", TypeAdapter(each.answer)))
    wanted += [(model.__name__, "serialization", TypeAdapter(model)) for model in (Detail, Faults)]
    _, schema = TypeAdapter.json_schemas(wanted, ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    return found


def _paths(operations: Iterable[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return paths


def _operation(each: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.words,
        "responses": _responses(each),
    }
    parameters = [
        _parameter(Parameter(name, AccountId, "Its id.", required=True), "path")
        for name in each.names
    ] + [_parameter(parameter, "query") for parameter in each.query]
    if parameters:
        made["parameters"] = parameters
    if each.given is not None:
        made["requestBody"] = {"required": True, "content": _content(each.given, "validation")}
    return made


def _parameter(parameter: Parameter, where: str) -> dict[str, Any]:
    schema = TypeAdapter(parameter.type).json_schema()
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": where,
        "required": parameter.required,
        "description": parameter.words,
        "schema": schema,
    }


def _responses(each: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if each.answer is not None:
        done["content"] = _content(each.answer, "serialization")
    found = {str(each.status): done}
    for status in sorted(_statuses(each)):
        model = Faults if status == 422 else Detail
        found[str(status)] = {
            "description": _WORDS[status],
            "content": _content(model, "serialization"),
        }
    return found


def _statuses(each: Operation) -> set[int]:
    """Which errors an operation has: its own, and those that follow from what it is."""
    found = set(_ANYTIME) | set(each.errors)
    if each.names:
        found |= {404}
    if each.given is not None:
        found |= {408, 415}
    return found


def _content(type_: Any, mode: Any) -> Mapping[str, Any]:
    schema = TypeAdapter(type_).json_schema(mode=mode, ref_template=_REF)
    schema.pop("$defs", None)
    if isinstance(type_, type):
        schema = {"$ref": _REF.format(model=type_.__name__)}
    return {JSON: {"schema": schema}}
