"""Published description of the API: the catalogue as an OpenRPC document.

Nothing is written twice: methods, params, results and errors come from the catalogue, the
examples from ``examples.json``, which a test keeps equal to what the methods answer.

The document is OpenRPC 1.3.2, the version that tools know best.

JSON Schema is made here for the AsyncAPI document as well. pydantic speaks draft 2020-12, and both
formats want draft 7: definitions move to
``components.schemas``, and a ``$ref`` with neighbours is wrapped, since draft 7 would ignore them.

What a generator of code makes a type of has a name: objects, enumerations, texts of a form, and
unions. In the source they are classes, or ``TypeAliasType`` of ``typing_extensions``. Titles that
pydantic makes of the names of fields are left out: generators would take them for names of types.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
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
from gateway.rpc.catalogue import BOTH, Method, shape_adapter
from gateway.schemas import CallTiming, Cancellation, RequestId

Schema = dict[str, Any]

PREFIX = "#/components/schemas/"
_MODE: JsonSchemaMode = "validation"


def reference(name: str) -> Schema:
    """Return the schema that points to a named one."""
    return {"$ref": PREFIX + name}


def named(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return what a schema points to, or the schema itself."""
    return definitions[schema["$ref"].removeprefix(PREFIX)] if "$ref" in schema else schema


def schemas_of(types: Mapping[str, Any]) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """Return the schemas of types by the keys given, and the named ones that they refer to."""
    inputs = [(key, _MODE, shape_adapter(type_)) for key, type_ in types.items()]
    schemas, whole = TypeAdapter.json_schemas(inputs, ref_template=f"{PREFIX}{{model}}")
    definitions: dict[str, Schema] = {}
    for name, schema in whole.get("$defs", {}).items():
        definitions[name] = _with_named_arms(name, _clean(schema), definitions)
    return {key: _clean(schemas[key, _MODE]) for key in types}, definitions


def used_by(document: Any, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the named schemas that a document needs, with those that they need, by name."""
    found: set[str] = set()
    open_ = _references(document)
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ |= _references(definitions[name])
    return {name: definitions[name] for name in sorted(found)}


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        ref = str(value.get("$ref", ""))
        names = {ref.removeprefix(PREFIX)} if ref.startswith(PREFIX) else set()
        return names.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def _clean(schema: Schema) -> Schema:
    """Return a schema without titles, in the words of draft 7."""
    schema = _mapped({key: value for key, value in schema.items() if key != "title"}, _clean)
    if "$ref" in schema and len(schema) > 1:
        return {"allOf": [{"$ref": schema.pop("$ref")}], **schema}
    return schema


def _mapped(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Return a schema whose inner ones are changed; a property may have the name of a keyword."""
    mapped = dict(schema)
    if "properties" in schema:
        mapped["properties"] = {
            name: change(inner) for name, inner in schema["properties"].items()
        }
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            mapped[keyword] = change(schema[keyword])
    for keyword in ("anyOf", "allOf", "oneOf"):
        if keyword in schema:
            mapped[keyword] = [change(inner) for inner in schema[keyword]]
    return mapped


def _with_named_arms(name: str, schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return a named union whose arms have names of their own: ``SideParamWord``, say."""
    arms = []
    for arm in schema.get("anyOf", ()):
        if {"enum", "const", "pattern", "format"}.isdisjoint(arm):
            arms.append(arm)
            continue
        own = f"{name}{_kind(arm)}"
        definitions[own] = arm
        arms.append(reference(own))
    return {**schema, "anyOf": arms} if arms else schema


def _kind(schema: Schema) -> str:
    if schema["type"] != "string":
        return "Number"
    return "Text" if {"enum", "const"}.isdisjoint(schema) else "Word"


OPENRPC_VERSION = "1.3.2"
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

A request may have one member beyond JSON-RPC's own: with `"timing": true` beside `method`, its
response has `timing_ms` beside `result` or `error` (`x-members`): where its milliseconds went. Any
other member is refused (`unknown_member`).
"""


def _listed(errors: Iterable[type[GatewayError]]) -> list[dict[str, str]]:
    ordered = sorted(errors, key=lambda error: error.code)
    return [{"$ref": f"#/components/errors/{error.__name__}"} for error in ordered]


TYPES_OF_THE_FRONT = {
    "request id": RequestId,
    "cancellation": Cancellation,
    "timing": CallTiming,
}

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
                "schema": reference("RequestId"),
            }
        ],
        "result": {
            "name": "Cancellation",
            "schema": reference("Cancellation"),
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


X_MEMBERS = {
    "request": {
        "timing": {
            "type": "boolean",
            "default": False,
            "description": "Tell in `timing_ms` of the response where its milliseconds went.",
        }
    },
    "response": {"timing_ms": reference("CallTiming")},
}
"""Members of messages that JSON-RPC has not; OpenRPC has no place for them."""


def openrpc_document(
    catalogue: Mapping[str, Method],
    *,
    rpc_url: str = "http://127.0.0.1:7400/rpc",
    ws_url: str = "ws://127.0.0.1:7400/ws",
) -> dict[str, Any]:
    """Return the OpenRPC document of a catalogue, ready for JSON."""
    examples = load_examples()
    schemas, definitions = schemas_of(TYPES_OF_THE_FRONT | types_of(catalogue.values()))
    methods = [
        _method(method, schemas, definitions, examples.get(method.name, []))
        for method in catalogue.values()
    ]
    methods += METHODS_OF_THE_FRONT
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
        "methods": methods,
        "x-members": X_MEMBERS,
        "components": {
            "schemas": used_by([methods, X_MEMBERS], definitions),
            "errors": errors_by_name(catalogue.values()),
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


def errors_by_name(methods: Iterable[Method]) -> dict[str, dict[str, Any]]:
    """Return every error that methods document, in the order of their codes."""
    used = {error for method in methods for error in errors_of(method)}
    ordered = sorted(used, key=lambda error: error.code)
    return {error.__name__: error_object(error) for error in ordered}


def error_object(error: type[GatewayError]) -> dict[str, Any]:
    """Return an error as OpenRPC documents it; ``data`` here is what is always in it."""
    return {
        "code": error.code,
        "message": (inspect.getdoc(error) or "").partition("\n")[0],
        "data": {"name": error.name(), "retryable": error.retryable},
    }


def types_of(methods: Iterable[Method]) -> dict[str, Any]:
    """Return the types of params and results of methods, each by a key of its own."""
    types: dict[str, Any] = {}
    for method in methods:
        types |= {params_key(method.name): method.params, result_key(method.name): method.result}
    return types


def params_key(method: str) -> str:
    """Return the key of a method's params in :func:`types_of`."""
    return f"{method} params"


def result_key(method: str) -> str:
    """Return the key of a method's result in :func:`types_of`."""
    return f"{method} result"


def _method(
    method: Method,
    schemas: dict[str, Schema],
    definitions: dict[str, Schema],
    examples: list[dict[str, Any]],
) -> dict[str, Any]:
    params = named(schemas[params_key(method.name)], definitions)
    result = schemas[result_key(method.name)]
    return {
        "name": method.name,
        "summary": method.summary,
        "description": method.description,
        "tags": [{"name": method.group}],
        "paramStructure": "by-name",
        "params": _descriptors(params, definitions),
        "result": {"name": _result_name(method, result), "schema": result},
        "errors": _listed(errors_of(method)),
        "examples": [_example(method, example) for example in examples],
        "x-transports": list(method.transports),
        "x-scope": None if method.scope is None else method.scope.value,
        "x-mutates": method.mutates,
    }


def _descriptors(params: Schema, definitions: dict[str, Schema]) -> list[dict[str, Any]]:
    required = params.get("required", [])
    return [
        _descriptor(name, schema, definitions, required=name in required)
        for name, schema in params.get("properties", {}).items()
    ]


def _descriptor(
    name: str, schema: Schema, definitions: dict[str, Schema], *, required: bool
) -> dict[str, Any]:
    """Return one param; what is said of its type, or of "this or null", is said of the param."""
    schema = dict(schema)
    description = schema.pop("description", None)
    if list(schema) == ["allOf"]:
        (schema,) = schema["allOf"]
    if description is None:
        types = (named(one, definitions) for one in (schema, *_only_arm(schema)))
        description = next((t["description"] for t in types if "description" in t), None)
    told = {} if description is None else {"description": description}
    return {"name": name, **told, "required": required, "schema": schema}


def _only_arm(schema: Schema) -> list[Schema]:
    """Return what stands beside null, where that is one."""
    for keyword in ("anyOf", "allOf"):
        arms: list[Schema] = [arm for arm in schema.get(keyword, ()) if arm != {"type": "null"}]
        if len(arms) == 1:
            return arms
    return []


def _result_name(method: Method, schema: dict[str, Any]) -> str:
    ref: str | None = schema.get("$ref")
    return f"{method.name}_result" if ref is None else ref.rpartition("/")[2]


def _example(method: Method, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": example.get("name", method.name),
        "params": [{"name": name, "value": value} for name, value in example["params"].items()],
        "result": {"name": method.name, "value": example["result"]},
    }


__all__ = ["METHODS_OF_THE_FRONT", "openrpc_document"]
