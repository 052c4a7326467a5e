"""An OpenAPI 3.1 document, made from operations.

Bodies and answers are pydantic's models; an answer may be a msgspec structure as well, whose
schema says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from pydantic import TypeAdapter

from gateway import __version__
from gateway.http.guard import FORM, JSON

from .models import Answer, Detail, Faults
from .operation import Operation, Parameter

_REF: Final = "#/components/schemas/{model}"
_STRUCT_REF: Final = "#/components/schemas/{name}"


@dataclass(frozen=True, kw_only=True)
class About:
    """What a document says beside its operations."""

    title: str
    description: str
    schemes: Mapping[str, Mapping[str, str]]
    """Security schemes by their names. All are needed, unless an operation says otherwise."""
    words: Mapping[int, str]
    """What each status means here; others than the operations' own may be left out."""
    anytime: frozenset[int]
    """Those that any call may meet."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of any answer of an operation that wants a token: what they tell."""
    error: type[Answer] = Detail
    invalid: type[Answer] = Faults
    """Body of a 422; all other errors have the body ``error``."""
    version: str = __version__


def bearer(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return the security scheme of a bearer token."""
    return {name: {"type": "http", "scheme": "bearer"}}


def document(about: About, operations: Iterable[Operation[Any]], url: str) -> dict[str, Any]:
    """Return the document.

    Args:
        about: the API.
        operations: of the API.
        url: of the gateway.

    """
    operations = list(operations)
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.description,
        },
        "servers": [{"url": url}],
        "paths": _paths(about, operations),
        "components": {
            "schemas": _schemas(about, operations),
            "securitySchemes": dict(about.schemes),
        },
    }
    if any(operation.security is None for operation in operations):
        made["security"] = [{name: [] for name in about.schemes}]
    return made


def _schemas(about: About, operations: Iterable[Operation[Any]]) -> dict[str, Any]:
    wanted: list[tuple[str, Any, TypeAdapter[Any]]] = []
    structs: list[type] = []
    for each in operations:
        if each.given is not None:
            wanted.append((each.name, "validation", TypeAdapter(each.given)))
        if _is_struct(each.answer):
            structs.append(each.answer)
        elif each.answer is not None:
            wanted.append((each.name, "serialization", TypeAdapter(each.answer)))
    errors = dict.fromkeys((about.error, about.invalid))
    wanted += [(model.__name__, "serialization", TypeAdapter(model)) for model in errors]
    _, schema = TypeAdapter.json_schemas(wanted, ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    _, components = msgspec.json.schema_components(structs, ref_template=_STRUCT_REF)
    return found | components


def _paths(about: About, operations: Iterable[Operation[Any]]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(about, each)
    return paths


def _operation(about: About, each: Operation[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.words,
        "responses": _responses(about, each),
    }
    parameters = [
        *(_parameter(each.place(name), "path") for name in each.names),
        *(_parameter(parameter, "query") for parameter in each.query),
        *(_parameter(parameter, "header") for parameter in each.headers),
    ]
    if parameters:
        made["parameters"] = parameters
    if each.given is not None:
        media = FORM if each.is_form else JSON
        content = _content(each.given, "validation", media)
        made["requestBody"] = {"required": True, "content": content}
    if each.description:
        made["description"] = each.description
    if each.security is not None:
        made["security"] = each.security
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


def _responses(about: About, each: Operation[Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if each.answer is not None:
        done["content"] = _content(each.answer, "serialization", JSON)
    if about.headers and not each.is_open:
        done["headers"] = {
            name: {"description": words, "schema": {"type": "string"}}
            for name, words in about.headers.items()
        }
    found = {str(each.status): done}
    for status in sorted(about.anytime | each.error_statuses):
        model = about.invalid if status == 422 else about.error
        found[str(status)] = {
            "description": about.words[status],
            "content": _content(model, "serialization", JSON),
        }
    return found


def _content(type_: Any, mode: Any, media: str) -> Mapping[str, Any]:
    if isinstance(type_, type):
        schema: Any = {"$ref": _REF.format(model=type_.__name__)}
    else:
        schema = TypeAdapter(type_).json_schema(mode=mode, ref_template=_REF)
        schema.pop("$defs", None)
    return {media: {"schema": schema}}


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)
