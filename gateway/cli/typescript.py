"""Types of the TypeScript client, from the OpenRPC and AsyncAPI documents.

``mt-gateway stubs`` writes them. ``api.d.ts`` has the methods, events and all that they are made
of; ``api.js`` has what the client must know of them while it runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.rpc.catalogue import Method

Schema = Mapping[str, Any]

HEAD = "// Written by `mt-gateway stubs`: do not edit.\n"
_REFERENCE = "#/components/schemas/"
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def typescript_files(
    catalogue: Mapping[str, Method], openrpc: bytes, asyncapi: bytes
) -> Iterator[tuple[str, str]]:
    """Yield the files' names, below ``gateway/client``, and their texts."""
    yield "typescript/api.js", _lists(catalogue)
    yield "typescript/api.d.ts", _types(orjson.loads(openrpc), orjson.loads(asyncapi), catalogue)


def _lists(catalogue: Mapping[str, Method]) -> str:
    reads = [name for name, method in catalogue.items() if not method.mutates]
    keyed = [name for name, method in catalogue.items() if method.is_journaled]
    return (
        f"{HEAD}/** Methods that change nothing: asking again is safe. */\n"
        f"export const READS = new Set({_words(reads)});\n"
        "/** Methods that the gateway recognises by their `client_order_id`. */\n"
        f"export const KEYED = new Set({_words(keyed)});\n"
    )


def _words(names: list[str]) -> str:
    return f'"{" ".join(names)}".split(" ")'


def _types(openrpc: Schema, asyncapi: Schema, catalogue: Mapping[str, Method]) -> str:
    schemas = {**asyncapi["components"]["schemas"], **openrpc["components"]["schemas"]}
    methods = "".join(
        map(_method, (one for one in openrpc["methods"] if one["name"] in catalogue))
    )
    events = _events(asyncapi)
    names = [error["data"]["name"] for error in openrpc["components"]["errors"].values()]
    keyed = [name for name, method in catalogue.items() if method.is_journaled]
    body = (
        f"{_doc('Methods, with what they take and return.')}"
        f"export interface Methods {{\n{methods}}}\n\n"
        f"{_doc('Methods that the gateway recognises by their `client_order_id`.')}"
        f"export type KeyedMethod = {_union(map(json.dumps, keyed))};\n\n"
        f"{_doc('The stable names of errors.')}"
        f"export type ErrorName = {_union(map(json.dumps, sorted(names)))};\n\n"
        f"{events}"
    )
    used = _used(body, schemas)
    shapes = "".join(_shape(name, schemas[name]) for name in sorted(used))
    return f"{HEAD}\n{body}{shapes}".rstrip() + "\n"


def _shape(name: str, schema: Schema) -> str:
    return f"{_doc(schema.get('description', ''))}export type {name} = {_type(schema)};\n\n"


def _used(body: str, schemas: Mapping[str, Schema]) -> set[str]:
    """Return the schemas that are named there, and those that they name."""
    used: set[str] = set()
    wanted = {word for word in _NAME.findall(body) if word in schemas}
    while wanted:
        used |= wanted
        named = {found for name in wanted for found in _references(schemas[name])}
        wanted = named - used
    return used


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_REFERENCE)
        for part in schema.values():
            yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _method(method: Schema) -> str:
    params = "".join(
        f"{_doc(param.get('description', ''), 6)}      "
        f"{param['name']}{'' if param.get('required') else '?'}: {_type(param['schema'])};\n"
        for param in method["params"]
    )
    block = f"{{\n{params}    }}" if params else "{}"
    text = method["summary"] + f"\n\n{method['description']}" * ("description" in method)
    return (
        f"{_doc(text, 2)}  {method['name']}: {{\n"
        f"    params: {block};\n    result: {_type(method['result']['schema'])};\n  }};\n"
    )


def _events(asyncapi: Schema) -> str:
    """Return the type that leads from a channel's name to its events."""
    channels = {
        re.sub(r"\{\w+\}", "${string}", channel["address"]): _payloads(channel, asyncapi)
        for name, channel in asyncapi["channels"].items()
        if name != "connection"
    }
    # the most exact first: tick.all:EURUSD is no interval
    ordered = sorted(channels, key=lambda address: (address.count("$"), -len(address)))
    names = "\n".join(f"  | `{name}`" for name in ordered)
    lines = "".join(f"  C extends `{name}` ? {channels[name]} :\n" for name in ordered)
    return (
        f"{_doc('The channels that there are.')}"
        f"export type ChannelName =\n{names};\n\n"
        f"{_doc('The events of a channel, by its name; of a name that is not known: of any.')}"
        "export type EventOf<C extends string> =\n"
        f"{lines}  EventOf<ChannelName>;\n\n"
    )


def _payloads(channel: Schema, asyncapi: Schema) -> str:
    schemas = asyncapi["components"]["schemas"]
    names = []
    for message in channel["messages"].values():
        name = message["$ref"].rpartition("/")[2]
        payload = asyncapi["components"]["messages"][name]["payload"]["$ref"]
        frame = schemas[payload.removeprefix(_REFERENCE)]
        names.append(_type(frame["properties"]["params"]))
    return _union(names)


def _type(schema: Schema) -> str:
    """Return the TypeScript type of what a JSON schema accepts."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REFERENCE)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return _union(map(json.dumps, schema["enum"]))
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            parts = map(_type, schema[word])
            return " & ".join(parts) if word == "allOf" else _union(parts)
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union(_type({**schema, "type": one}) for one in kind)
    if kind == "array":
        return f"Array<{_type(schema.get('items', {}))}>"
    if kind == "object":
        return _object(schema)
    return "null" if kind == "null" else _PLAIN.get(str(kind), "unknown")


def _object(schema: Schema) -> str:
    properties = schema.get("properties", {})
    if not properties:
        values = schema.get("additionalProperties", True)
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>"
    required = schema.get("required", ())
    fields = "".join(
        f"{_doc(part.get('description', ''), 2)}  "
        f"{name if _NAME.fullmatch(name) else json.dumps(name)}"
        f"{'' if name in required else '?'}: {_type(part)};\n"
        for name, part in properties.items()
    )
    return f"{{\n{fields}}}"


def _union(parts: Iterator[str] | list[str] | map[str]) -> str:
    return " | ".join(dict.fromkeys(parts)) or "never"


def _doc(text: str, indent: int = 0) -> str:
    """Return a comment; nothing in a description can end it."""
    if not text:
        return ""
    lines = text.replace("*/", "*\\/").replace("``", "`").split("\n")
    pad = " " * indent
    if len(lines) == 1:
        return f"{pad}/** {lines[0]} */\n"
    inner = "".join(f"{pad} * {line}".rstrip() + "\n" for line in lines)
    return f"{pad}/**\n{inner}{pad} */\n"
