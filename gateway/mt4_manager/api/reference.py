"""The reference of the manager API as a page: one file, no script, nothing from elsewhere.

It is made from the OpenAPI document, and shows what that says: for each operation the role that it
takes, its parameters, body, answer and errors, and how to call it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from .operation import ManagerOperation

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --accent: #7aa2f7; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem; max-width: 62rem; }
h1 { margin: 0 0 .5rem; } h2 { margin: 2.5rem 0 .25rem; font-size: 1.1rem; }
h2 code { overflow-wrap: anywhere; }
h3 { margin: 1rem 0 .25rem; font-size: .85rem; text-transform: uppercase; opacity: .75; }
a { color: var(--accent); } p { margin: .25rem 0; }
code, pre { font: .9em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .6rem .8rem; border-radius: .4rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
td:last-child { min-width: 12rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; }
tr + tr { border-top: 1px solid var(--line); } th { font-weight: 600; font-size: .85rem; }
.method { display: inline-block; min-width: 4rem; font-weight: 700; color: var(--accent); }
.role { font-size: .85rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; }
nav ol { columns: 18rem; padding-left: 1.8rem; } section { border-top: 1px solid var(--line); }
section:target h2 { color: var(--accent); }
"""
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src "
    f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
"""The page's Content-Security-Policy: nothing but its own style."""
HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
}


def reference(operations: Iterable[ManagerOperation], document: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        operations: of the API, in the order of the page.
        document: their OpenAPI document.

    """
    operations = list(operations)
    info = document["info"]
    links = "".join(
        f'<li><a href="#{operation.name}">'
        f"{escape(operation.method)} {escape(operation.path)}</a></li>"
        for operation in operations
    )
    sections = "".join(_section(operation, document) for operation in operations)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])}</h1><p>{_text(info['description'])}</p>"
        "<p>For programs: <code>/api/openapi.json</code>. Errors are "
        '<code>{"detail": ...}</code>; of a 422 a list with an object for each fault.</p>'
        f"<nav><ol>{links}</ol></nav><main>{sections}</main></body></html>"
    )


def _section(one: ManagerOperation, document: Mapping[str, Any]) -> str:
    described = document["paths"][one.path][one.method.lower()]
    parts = [
        f'<section id="{one.name}"><h2><span class="method">{one.method}</span> '
        f"<code>{escape(one.path)}</code></h2>",
        f'<p>{_text(one.summary)} <span class="role">{one.role or "no token"}</span></p>',
    ]
    if described.get("parameters"):
        parts.append(_parameters(described["parameters"]))
    if "requestBody" in described:
        ((media, content),) = described["requestBody"]["content"].items()
        parts.append(f"<h3>Body: {escape(media)}</h3>" + _members(content["schema"], document))
    done = described["responses"][str(one.status)]
    schema = done["content"]["application/json"]["schema"]
    parts.append(f"<h3>Answer: {one.status}</h3>" + _members(schema, document))
    parts.append(_errors(described["responses"], one.status))
    parts.append(f"<h3>Call</h3><pre>{escape(_call(one, document))}</pre></section>")
    return "".join(parts)


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = (
        (
            f"<code>{escape(parameter['name'])}</code>",
            parameter["in"],
            _kind(parameter["schema"]),
            _text(parameter["description"]),
        )
        for parameter in parameters
    )
    return "<h3>Parameters</h3>" + _table(("name", "in", "type", ""), rows)


def _members(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    found = _resolved(schema, document)
    wanted = found.get("required", ())
    rows = []
    for name, member in found.get("properties", {}).items():
        kind = _kind(member) + ("" if name in wanted or "default" in member else ", optional")
        rows.append((f"<code>{escape(name)}</code>", kind, _text(member.get("description", ""))))
        items = _resolved(member.get("items") or {}, document)
        inner = items if items.get("properties") else _resolved(member, document)
        if inner is not member and inner.get("properties"):
            names = ", ".join(
                f"<code>{escape(member_name)}</code>" for member_name in inner["properties"]
            )
            rows.append(("", "", names))
    words = _text(found.get("description", "").partition("\n\n")[0])
    return (f"<p>{words}</p>" if words else "") + _table(("member", "type", ""), rows)


def _errors(responses: Mapping[str, Any], status: int) -> str:
    rows = (
        (code, _text(response["description"]))
        for code, response in responses.items()
        if code != str(status)
    )
    return f"<details><summary>Errors</summary>{_table(('status', ''), rows)}</details>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"].get(name, schema)
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a value is."""
    if "anyOf" in schema:
        kinds = [_kind(option) for option in schema["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in schema:
        return "object"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return " ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {'type': 'any'})}"
    bounds = {
        "minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "maxLength": "length ≤",
        "minLength": "length ≥",
    }  # fmt: skip
    said = [
        f"{sign}\N{NO-BREAK SPACE}{schema[name]:,}"
        for name, sign in bounds.items()
        if name in schema
    ]
    return ", ".join((str(schema.get("type", "any")), *said))


def _text(text: str) -> str:
    """Escape a text; what stands in backquotes is code."""
    pieces = escape(" ".join(text.split()).replace("``", "`")).split("`")
    return "".join(
        f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces)
    )


def _call(one: ManagerOperation, document: Mapping[str, Any]) -> str:
    url = document["servers"][0]["url"]
    path = one.path.replace("{login}", "1000").replace("{order}", "5000")
    path = path.replace("{name}", "demo" if path.startswith("/api/groups") else "EURUSD")
    words = [f"curl -s {'' if one.method == 'GET' else f'-X {one.method} '}{url}{path}"]
    if not one.is_open:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if one.is_form:
        words.append("-d 'username=NAME' --data-urlencode 'password=PASSWORD'")
    elif one.request_model is not None:
        # json and not orjson: a person reads it, and wants a space behind each comma
        words.append(f"-H 'Content-Type: application/json' -d '{json.dumps(EXAMPLES[one.name])}'")
    if one.is_change:
        words.append("-H 'Idempotency-Key: any-text-of-yours'")
    return " \\\n  ".join(words)


EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "connect": {"server": "203.0.113.10:443", "login": 224, "password": "..."},
    "create_user": {
        "group": "demo", "name": "Ann Example", "password": "Secret12", "leverage": 100,
    },
    "update_user": {"leverage": 200},
    "set_user_password": {"password": "Secret34"},
    "deposit": {"amount": 100.5, "comment": "card"},
    "withdraw": {"amount": 50, "comment": "payout"},
    "credit": {"amount": 25, "comment": "bonus", "expiration": 1893456000},
    "list_closed_trades_of": {"from": 0, "to": 2147483647},
    "lookup_trades": {"orders": [5000]},
    "list_trades_by_group": {"group": "demo*", "open_only": True},
    "modify_trade": {"comment": "checked"},
    "delete_trades": {"orders": [5000]},
    "send_mail": {"logins": [1000], "subject": "Hello", "body": "How are you?"},
    "group_operation": {"command": "leverage", "logins": [1000], "leverage": 50},
}  # fmt: skip
"""A body for each operation that takes one as JSON."""
