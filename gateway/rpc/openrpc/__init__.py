"""Published description of the API: the catalogue as an OpenRPC document.

Nothing is written twice: methods, params, results and errors come from the catalogue, the
examples from ``examples.json``, which a test keeps equal to what the methods answer.

The document is OpenRPC 1.3.2, the version that tools know best. It wants JSON Schema draft 7,
pydantic speaks 2020-12: definitions move to ``components.schemas``, and a ``$ref`` with neighbours
is wrapped, since draft 7 would ignore them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from gateway import __version__
from gateway.errors import (
    Cancelled,
    Forbidden,
    GatewayError,
    InternalError,
    InvalidParams,
    LimitExceeded,
    MethodNotSupported,
    Overloaded,
    ShuttingDown,
    TerminalNotFound,
    TooLarge,
    Unauthorized,
)
from gateway.rpc.catalogue import BOTH, Method

OPENRPC_VERSION = "1.3.2"
REF = "#/components/schemas/{model}"
OF_EVERY_METHOD = (
    Unauthorized,
    InvalidParams,
    InternalError,
    LimitExceeded,
    Overloaded,
    ShuttingDown,
    TooLarge,
)

DESCRIPTION = """\
A local gateway for MetaTrader 4 and 5: `POST /rpc` and `/ws` speak JSON-RPC 2.0.

Every call needs `Authorization: Bearer <auth_token>`. Ids are MetaTrader's integers, enumerations
are lower-case words, times are UTC milliseconds (`broker_time` is the broker's wall clock). Absent
is null: keys never vanish. Clients should ignore what they don't know: fields, channels and events
are added without a new version.
"""


def _listed(errors: Iterable[type[GatewayError]]) -> list[dict[str, str]]:
    ordered = sorted(errors, key=lambda error: error.code)
    return [{"$ref": f"#/components/errors/{error.__name__}"} for error in ordered]


METHODS_OF_THE_FRONT: list[dict[str, Any]] = [
    {
        "name": "rpc.discover",
        "summary": "Return this document.",
        "tags": [{"name": "service"}],
        "paramStructure": "by-name",
        "params": [],
        "result": {"name": "OpenRPC", "schema": {"type": "object"}},
        "errors": _listed(OF_EVERY_METHOD),
        "x-transports": ["http", "ws"],
        "x-scope": None,
        "x-mutates": False,
    },
    {
        "name": "cancel_request",
        "summary": "Stop a long read that is in flight on this connection.",
        "description": "Its own answer is then -32010 `cancelled`. What trades is never stopped.",
        "tags": [{"name": "service"}],
        "paramStructure": "by-name",
        "params": [
            {
                "name": "id",
                "description": "The id of the request to stop.",
                "required": True,
                "schema": {"anyOf": [{"type": "string"}, {"type": "number"}]},
            }
        ],
        "result": {
            "name": "Cancellation",
            "schema": {
                "type": "object",
                "properties": {"cancelled": {"type": "boolean"}},
                "required": ["cancelled"],
                "additionalProperties": False,
            },
        },
        "errors": _listed({*OF_EVERY_METHOD, MethodNotSupported}),
        "examples": [
            {
                "name": "cancel_request",
                "params": [{"name": "id", "value": "bars-1"}],
                "result": {"name": "cancel_request", "value": {"cancelled": True}},
            }
        ],
        "x-transports": ["ws"],
        "x-scope": None,
        "x-mutates": False,
    },
]
"""What the JSON-RPC front answers by itself, beside the catalogue."""


def openrpc_document(
    catalogue: Mapping[str, Method],
    *,
    rpc_url: str = "http://127.0.0.1:7400/rpc",
    ws_url: str = "ws://127.0.0.1:7400/ws",
) -> dict[str, Any]:
    """Return the OpenRPC document of a catalogue, ready for JSON."""
    examples = load_examples()
    schemas, definitions = _schemas(catalogue.values())
    methods = [
        _method(method, schemas, definitions, examples.get(method.name, []))
        for method in catalogue.values()
    ]
    used = {error for method in catalogue.values() for error in errors_of(method)}
    params = {method.params.__name__ for method in catalogue.values()}
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "mt-gateway",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "servers": [
            {"name": "http", "url": rpc_url, "summary": "One call or batch a request."},
            {"name": "ws", "url": ws_url, "summary": "Calls, and the events of subscriptions."},
        ],
        "methods": [*methods, *METHODS_OF_THE_FRONT],
        "components": {
            "schemas": {
                name: _draft7(schema) for name, schema in definitions.items() if name not in params
            },
            "errors": {
                error.__name__: error_object(error)
                for error in sorted(used, key=lambda error: error.code)
            },
        },
    }


def load_examples() -> dict[str, list[dict[str, Any]]]:
    """Return the documented calls by method: ``params`` and the ``result`` they had."""
    content = resources.files(__package__).joinpath("examples.json").read_bytes()
    examples: dict[str, list[dict[str, Any]]] = orjson.loads(content)
    return examples


def errors_of(method: Method) -> list[type[GatewayError]]:
    """Return every error that a method documents, in the order of their codes."""
    errors = {*method.raises, *OF_EVERY_METHOD}
    if method.scope is not None:
        errors.add(Forbidden)
    if method.of_terminal:
        errors.add(TerminalNotFound)
    if method.of_terminal or len(method.transports) < len(BOTH):
        errors.add(MethodNotSupported)
    if not method.mutates:
        errors.add(Cancelled)
    return sorted(errors, key=lambda error: error.code)


def error_object(error: type[GatewayError]) -> dict[str, Any]:
    """Return an error as OpenRPC documents it; ``data`` here is what is always in it."""
    return {
        "code": error.code,
        "message": (inspect.getdoc(error) or "").partition("\n")[0],
        "data": {"name": error.name(), "retryable": error.retryable},
    }


def _schemas(
    methods: Iterable[Method],
) -> tuple[dict[tuple[str, JsonSchemaMode], dict[str, Any]], dict[str, Any]]:
    inputs: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = []
    for method in methods:
        inputs.append((f"{method.name} params", "validation", TypeAdapter(method.params)))
        inputs.append((f"{method.name} result", "validation", TypeAdapter(method.result)))
    schemas, whole = TypeAdapter.json_schemas(inputs, ref_template=REF)
    return schemas, whole.get("$defs", {})


def _method(
    method: Method,
    schemas: dict[tuple[str, JsonSchemaMode], dict[str, Any]],
    definitions: dict[str, Any],
    examples: list[dict[str, Any]],
) -> dict[str, Any]:
    params = schemas[f"{method.name} params", "validation"]
    params = definitions[method.params.__name__] if "$ref" in params else params
    result = _draft7(schemas[f"{method.name} result", "validation"])
    return {
        "name": method.name,
        "summary": method.summary,
        "description": method.description,
        "tags": [{"name": method.group}],
        "paramStructure": "by-name",
        "params": _descriptors(params),
        "result": {"name": _result_name(method, result), "schema": result},
        "errors": _listed(errors_of(method)),
        "examples": [_example(method, example) for example in examples],
        "x-transports": list(method.transports),
        "x-scope": None if method.scope is None else method.scope.value,
        "x-mutates": method.mutates,
    }


def _descriptors(params: dict[str, Any]) -> list[dict[str, Any]]:
    required = params.get("required", [])
    return [
        _descriptor(name, schema, required=name in required)
        for name, schema in params.get("properties", {}).items()
    ]


def _descriptor(name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """Return one param; what is said of "this or null" is said of the param."""
    schema = dict(schema)
    description = schema.pop("description", None)
    choices = schema.get("anyOf", [])
    if description is None and len(choices) == 2 and {"type": "null"} in choices:
        description = next((c["description"] for c in choices if "description" in c), None)
    told = {} if description is None else {"description": description}
    return {"name": name, **told, "required": required, "schema": _draft7(schema)}


def _result_name(method: Method, schema: dict[str, Any]) -> str:
    ref: str | None = schema.get("$ref")
    return f"{method.name}_result" if ref is None else ref.rpartition("/")[2]


def _example(method: Method, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": example.get("name", method.name),
        "params": [{"name": name, "value": value} for name, value in example["params"].items()],
        "result": {"name": method.name, "value": example["result"]},
    }


def _draft7(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_draft7(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {name: _draft7(value) for name, value in schema.items()}
    if "$ref" in converted and len(converted) > 1:
        return {"allOf": [{"$ref": converted.pop("$ref")}], **converted}
    return converted


__all__ = ["METHODS_OF_THE_FRONT", "openrpc_document"]
