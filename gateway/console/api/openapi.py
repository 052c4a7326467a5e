"""The OpenAPI 3.1 document, made from the operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from gateway.console.web import cookies, forgery
from gateway.console.web.body import JSON

from .models import Error
from .operation import Operation, Parameter

DOCUMENT: Final = "/api/v1/openapi.json"
_REF: Final = "#/components/schemas/{model}"
_WORDS: Final = {
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
}
_DESCRIPTION: Final = (
    "What the console's pages do, for programs. Sign in with `POST /api/v1/session`; send the "
    "cookie with every call, and with every change the header `Mgs-Csrf` (member `csrf` of the "
    "answer) and the header `Origin` with the console's own origin."
)


def openapi(operations: Iterable[Operation], url: str) -> dict[str, Any]:
    """Return the document.

    Args:
        operations: of the API.
        url: of the console.

    """
    operations = list(operations)
    return {
        "openapi": "3.1.0",
        "info": {"title": "mt-gateway console", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": url}],
        "paths": _paths(operations),
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": cookies.SESSION},
                "csrf": {"type": "apiKey", "in": "header", "name": forgery.HEADER},
            },
        },
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    given = {each.given for each in operations if each.given is not None}
    answers = {each.answer for each in operations} | {Error}
    models: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in given]
    models += [(model, "serialization") for model in answers]
    ordered = sorted(models, key=lambda pair: pair[0].__name__)
    _, schema = models_json_schema(ordered, ref_template=_REF)
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
        "security": _security(each),
    }
    if each.step_up:
        made["description"] = (
            "Needs the password within the last five minutes, without https for each call anew; "
            "else 403 `step_up_needed`."
        )
    parameters = [
        _parameter(Parameter(name, type_, "Its id."), "path")
        for name, type_ in each.path_types.items()
    ] + [_parameter(parameter, "query") for parameter in each.query]
    if parameters:
        made["parameters"] = parameters
    if each.given is not None:
        made["requestBody"] = {"required": True, "content": _content(each.given)}
    return made


def _security(each: Operation) -> list[Mapping[str, list[str]]]:
    if each.who == "anyone":
        return []
    return [{"session": []}] if each.method == "GET" else [{"session": [], "csrf": []}]


def _parameter(parameter: Parameter, where: str) -> dict[str, Any]:
    schema = TypeAdapter(parameter.type).json_schema()
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": where,
        "required": where == "path",
        "description": parameter.words,
        "schema": schema,
    }


def _responses(each: Operation) -> dict[str, Any]:
    found = {str(each.status): {"description": "Done", "content": _content(each.answer)}}
    for status in sorted(_statuses(each)):
        found[str(status)] = {"description": _WORDS[status], "content": _content(Error)}
    return found


def _statuses(each: Operation) -> set[int]:
    """Which errors an operation has: its own, and those that follow from what it is."""
    found = {400, 405, 413, 415, 421, 429, 500, 503} | set(each.errors)
    if each.who != "anyone":
        found |= {401, 403}
    if each.method != "GET":
        found |= {403, 408}
    if each.path_types:
        found.add(404)
    return found


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": _REF.format(model=model.__name__)}}}
