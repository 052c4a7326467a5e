"""JSON Schema of the published documents, as OpenRPC and AsyncAPI both want it.

pydantic speaks draft 2020-12, and both formats want draft 7: definitions move to
``components.schemas``, and a ``$ref`` with neighbours is wrapped, since draft 7 would ignore them.

What a generator of code makes a type of has a name: objects, enumerations, texts of a form, and
unions. In the source they are classes, or ``TypeAliasType`` of ``typing_extensions``. Titles that
pydantic makes of the names of fields are left out: generators would take them for names of types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

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
    inputs = [(key, _MODE, TypeAdapter(type_)) for key, type_ in types.items()]
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
