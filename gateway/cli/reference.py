"""``reference``: the pages of ``docs/reference``, made from the code.

``mt-gateway reference`` is for work on the gateway: run it when a method, a channel, an error, a
setting, a command or a REST operation changes. A test compares its output with the pages that
are committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

Json = Mapping[str, Any]

PLACE = Path("docs") / "reference"
MADE = "<!-- Made from the code by mt-gateway reference; do not edit. -->"


INTRODUCTIONS = {
    "Methods": "`POST /rpc` and `/ws` take the same methods, but for those that say otherwise.\n"
    "Shapes of params and results are in the OpenRPC document: `mt-gateway openrpc`, or\n"
    "`/openrpc.json` of a running gateway. What they share is on the page\n"
    "[Calls, streams and errors](../api.md).",
    "Channels": "What `subscribe` takes. The shapes of events are in the AsyncAPI document:\n"
    "`mt-gateway asyncapi`, or `/asyncapi.json` of a running gateway. How delivery works is on\n"
    "the page [Calls, streams and errors](../api.md#streams).",
    "Errors": "`data.name` is stable, and `data.retryable` says whether the same call may work\n"
    "later. What a program should do is on the page\n"
    "[Calls, streams and errors](../api.md#errors).",
    "Settings": "All settings of `config.toml`, with their defaults. It lies in the home, which\n"
    "`mt-gateway serve` names at its start; `--config FILE` names another.\n"
    "[config.example.toml](../../config.example.toml) has the same as a file.",
    "Commands": "All commands and their options; `mt-gateway COMMAND --help` says the same.",
    "REST": "Bodies and refusals are in the OpenAPI document of each API, which the running\n"
    "program gives out.",
}


def reference(*, out: Annotated[Path, typer.Option(help="Folder of the pages.")] = PLACE) -> None:
    """Write the pages of docs/reference anew."""
    out.mkdir(parents=True, exist_ok=True)
    for name, text in reference_pages().items():
        (out / name).write_text(text, "utf-8")
        typer.echo(out / name)


def reference_pages() -> dict[str, str]:
    """Return the text of each page, by the name of its file."""
    from gateway.app import asyncapi_document, openrpc_document

    bodies: dict[str, Iterable[str]] = {
        "Methods": _methods(orjson.loads(openrpc_document())),
        "Channels": _channels(orjson.loads(asyncapi_document())),
        "Errors": _errors(),
        "Settings": _settings(),
        "Commands": _commands(),
        "REST": _rest(),
    }
    return {
        f"{title.lower()}.md": _page(title, INTRODUCTIONS[title], body)
        for title, body in bodies.items()
    }


def _page(title: str, introduction: str, body: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", introduction, "", *body]).rstrip("\n") + "\n"


def _table(*header: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    body = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    if body:
        yield from (f"| {' | '.join(header)} |", "|---" * len(header) + "|", *body, "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# --- methods ----------------------------------------------------------------------------------


def _methods(document: Json) -> Iterator[str]:
    for method in sorted(document["methods"], key=lambda method: str(method["name"])):
        yield from _method(method, document["components"]["errors"])


def _method(method: Json, known: Json) -> Iterator[str]:
    yield f"## `{method['name']}`"
    yield ""
    yield method.get("summary", "")
    yield ""
    if method.get("description"):
        yield method["description"]
        yield ""
    scope, transports = method.get("x-scope"), method.get("x-transports", ())
    told = [f"Scope `{scope}`."] if scope else []
    told += ["It changes something."] if method.get("x-mutates") else []
    told += [f"By `{transports[0]}` alone."] if len(transports) == 1 else []
    if told:
        yield " ".join(told)
        yield ""
    yield from _table(
        "Param",
        "Type",
        "Default",
        "Meaning",
        rows=(
            (
                f"`{param['name']}`",
                _type(param["schema"]),
                _default(param),
                param.get("description", ""),
            )
            for param in method["params"]
        ),
    )
    yield f"Result: {_type(method['result']['schema'])}."
    yield ""
    of_it = (known[ref["$ref"].rpartition("/")[2]] for ref in method.get("errors", ()))
    errors = sorted(error["data"]["name"] for error in of_it)
    if errors:
        yield f"[Errors](errors.md): {', '.join(f'`{name}`' for name in errors)}."
        yield ""


def _default(param: Json) -> str:
    if param.get("required"):
        return "required"
    default = param["schema"].get("default")
    return "" if default is None else f"`{orjson.dumps(default).decode()}`"


def _type(schema: Any) -> str:
    """Return what a schema takes, in some words."""
    if not isinstance(schema, Mapping):
        return "any"
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[union]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"array of {_type(schema.get('items'))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


# --- channels and errors ----------------------------------------------------------------------


def _channels(document: Json) -> Iterator[str]:
    for name, channel in document["channels"].items():
        if "x-delivery" not in channel:
            continue
        yield f"## `{channel['x-example']}`"
        yield ""
        yield f"Form `{channel['address']}`. {channel['summary']}"
        yield ""
        yield channel.get("description", "")
        yield ""
        begins = "begins with a `snapshot`" if channel.get("x-snapshot") else "has no snapshot"
        messages = ", ".join(f"`{message}`" for message in channel["messages"])
        yield f"It {begins}. Messages: {messages}."
        yield ""
        yield from _table(
            "Part",
            "Meaning",
            rows=(
                (f"`{part}`", told.get("description", name))
                for part, told in channel.get("parameters", {}).items()
            ),
        )


def _errors() -> Iterator[str]:
    from gateway.errors import GatewayError

    told = sorted(_leaves(GatewayError), key=lambda kind: (kind.code > 0, abs(kind.code)))
    yield from _table(
        "Code",
        "Name",
        "Retryable",
        "HTTP",
        "Meaning",
        rows=(
            (
                str(kind.code),
                f"`{kind.name()}`",
                "yes" if kind.retryable else "",
                str(kind.http_status),
                (kind.__doc__ or "").partition("\n")[0].replace("``", "`"),
            )
            for kind in told
        ),
    )


def _leaves(kind: type[Any]) -> Iterator[type[Any]]:
    """Yield the errors below a class that have a code of their own."""
    for child in kind.__subclasses__():
        if child.__module__ == "gateway.errors":
            if "code" in vars(child):
                yield child
            yield from _leaves(child)


# --- settings, commands, REST -----------------------------------------------------------------


def _settings() -> Iterator[str]:
    from gateway.config import descriptions, fields, sections, toml

    for name, model in sections():
        yield f"## `[{name}]`"
        yield ""
        yield " ".join((model.__doc__ or "").replace("``", "`").split())
        yield ""
        told = descriptions(model)
        yield from _table(
            "Setting",
            "Default",
            "Meaning",
            rows=(
                (f"`{key}`", f"`{toml(setting.default)}`", told[key].replace("``", "`"))
                for key, setting in fields(model).items()
            ),
        )


def _commands() -> Iterator[str]:
    from typer.main import get_command

    from gateway.cli.commands import COMMANDS, CliCommand, build

    for name, entry in COMMANDS.items():
        if isinstance(entry, CliCommand):
            if not entry.hidden:
                yield from _command(f"mt-gateway {name}", _of(get_command(build(name)), name))
            continue
        group = _of(get_command(build(name)), name)
        for verb in entry.commands:
            if verb not in entry.hidden:
                yield from _command(f"mt-gateway {name} {verb}", _of(group, verb))


def _of(group: Any, name: str) -> Any:
    """Return a command of a group; typer takes a group of one command for that command."""
    return getattr(group, "commands", {}).get(name, group)


def _command(title: str, command: Any) -> Iterator[str]:
    yield f"## `{title}`"
    yield ""
    yield command.help or ""
    yield ""
    params = [param for param in command.params if param.name != "help"]
    yield from _table(
        "Option",
        "Meaning",
        rows=(
            (
                _option(param),
                getattr(param, "help", None) or "",
            )
            for param in params
            if not getattr(param, "hidden", False)
        ),
    )


def _option(param: Any) -> str:
    names = [*param.opts, *param.secondary_opts]
    return ", ".join(f"`{name if name[0] == '-' else name.upper()}`" for name in names)


def _rest() -> Iterator[str]:
    from gateway.accounts.api import OPERATIONS as ACCOUNTS
    from gateway.console.api import OPERATIONS as CONSOLE
    from gateway.mt4_manager.api import OPERATIONS as MANAGER

    apis: tuple[tuple[str, str, str, Iterable[Any]], ...] = (
        ("MT5 accounts", "/api/v1/openapi.json` of the gateway", "accounts.md", ACCOUNTS),
        ("MT4 manager", "/api/openapi.json` of the gateway", "manager.md", MANAGER),
        ("Console", "/api/v1/openapi.json` of the console", "console.md", CONSOLE),
    )
    for title, place, page, operations in apis:
        yield f"## {title}"
        yield ""
        yield f"Document: `{place}. Page: [{page}](../{page})."
        yield ""
        yield from _table(
            "Operation",
            "Meaning",
            rows=((f"`{one.method} {one.path}`", one.summary) for one in operations),
        )
