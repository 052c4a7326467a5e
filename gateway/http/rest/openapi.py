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

from .models import Detail, Faults, ResponseModel
from .operation import Operation, Parameter

_REF: Final = "#/components/schemas/{model}"
_STRUCT_REF: Final = "#/components/schemas/{name}"


@dataclass(frozen=True, kw_only=True)
class DocumentInfo:
    """Facts of a document beside its operations."""

    title: str
    description: str
    schemes: Mapping[str, Mapping[str, str]]
    """Security schemes by their names. All are needed, unless an operation says otherwise."""
    status_descriptions: Mapping[int, str]
    """What each status means here; others than the operations' own may be left out."""
    anytime: frozenset[int]
    """Those that any call may meet."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of any answer of an operation that wants a token: what they tell."""
    error: type[ResponseModel] = Detail
    invalid: type[ResponseModel] = Faults
    """Body of a 422; all other errors have the body ``error``."""
    version: str = __version__


def bearer(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return the security scheme of a bearer token."""
    return {name: {"type": "http", "scheme": "bearer"}}


def document(info: DocumentInfo, operations: Iterable[Operation[Any]], url: str) -> dict[str, Any]:
    """Return the document.

    Args:
        info: the API.
        operations: of the API.
        url: of the gateway.

    """
    operations = list(operations)
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": info.title,
            "version": info.version,
            "description": info.description,
        },
        "servers": [{"url": url}],
        "paths": _paths(info, operations),
        "components": {
            "schemas": _schemas(info, operations),
            "securitySchemes": dict(info.schemes),
        },
    }
    if any(operation.security is None for operation in operations):
        made["security"] = [{name: [] for name in info.schemes}]
    return made


def _schemas(info: DocumentInfo, operations: Iterable[Operation[Any]]) -> dict[str, Any]:
    wanted: list[tuple[str, Any, TypeAdapter[Any]]] = []
    structs: list[type] = []
    for operation in operations:
        if operation.request_model is not None:
            wanted.append((operation.name, "validation", TypeAdapter(operation.request_model)))
        if _is_struct(operation.response_model):
            structs.append(operation.response_model)
        elif operation.response_model is not None:
            wanted.append((operation.name, "serialization", TypeAdapter(operation.response_model)))
    errors = dict.fromkeys((info.error, info.invalid))
    wanted += [(model.__name__, "serialization", TypeAdapter(model)) for model in errors]
    _, schema = TypeAdapter.json_schemas(wanted, ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    _, components = msgspec.json.schema_components(structs, ref_template=_STRUCT_REF)
    return found | components


def _paths(info: DocumentInfo, operations: Iterable[Operation[Any]]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            info, operation
        )
    return paths


def _operation(info: DocumentInfo, operation: Operation[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": _responses(info, operation),
    }
    parameters = [
        *(_parameter(operation.path_parameter(name), "path") for name in operation.path_names),
        *(_parameter(parameter, "query") for parameter in operation.query),
        *(_parameter(parameter, "header") for parameter in operation.headers),
    ]
    if parameters:
        made["parameters"] = parameters
    if operation.request_model is not None:
        media = FORM if operation.is_form else JSON
        content = _content(operation.request_model, "validation", media)
        made["requestBody"] = {"required": True, "content": content}
    if operation.description:
        made["description"] = operation.description
    if operation.security is not None:
        made["security"] = operation.security
    return made


def _parameter(parameter: Parameter, where: str) -> dict[str, Any]:
    schema = TypeAdapter(parameter.type).json_schema()
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    }


def _responses(info: DocumentInfo, operation: Operation[Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if operation.response_model is not None:
        done["content"] = _content(operation.response_model, "serialization", JSON)
    if info.headers and not operation.is_open:
        done["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in info.headers.items()
        }
    found = {str(operation.status): done}
    for status in sorted(info.anytime | operation.error_statuses):
        model = info.invalid if status == 422 else info.error
        found[str(status)] = {
            "description": info.status_descriptions[status],
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
