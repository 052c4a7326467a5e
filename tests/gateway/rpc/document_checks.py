"""What both published documents have to fulfil."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside."""
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from nodes(below)
    elif isinstance(value, list):
        for below in value:
            yield from nodes(below)


def nameless(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what lies in a schema, and would be a type of its own, but has no name."""
    inner = [*schema.get("properties", {}).values()]
    inner += [schema[word] for word in ("items", "additionalProperties") if word in schema]
    inner += [arm for word in ("anyOf", "allOf", "oneOf") for arm in schema.get(word, ())]
    for one in inner:
        if isinstance(one, dict):
            yield from [one] if needs_name(one) else nameless(one)


def needs_name(schema: dict[str, Any]) -> bool:
    """Whether it is an enumeration, a text of a form, a union or an object with members."""
    arms = [arm for arm in schema.get("anyOf", ()) if arm != {"type": "null"}]
    words = {"enum", "const", "pattern", "format", "oneOf", "properties"}
    return not words.isdisjoint(schema) or len(arms) > 1 or isinstance(schema.get("type"), list)


def dangling(document: dict[str, Any]) -> list[str]:
    """Return the references that lead nowhere within the document."""
    return [
        node["$ref"]
        for node in nodes(document)
        if "$ref" in node and found(document, node["$ref"]) is None
    ]


def found(document: dict[str, Any], ref: str) -> Any:
    """Return what a reference leads to."""
    value: Any = document
    for part in ref.removeprefix("#/").split("/"):
        value = value.get(part, {})
    return value or None
