"""``openrpc``: the schema of all methods; ``asyncapi``: that of ``/ws``; ``stubs``: the client's
typed methods made from the catalogue.

``mt-gateway stubs`` is for work on the gateway: run it when a method changes. A test compares
its output with the files that are committed.
"""

from __future__ import annotations

import keyword
import shutil
import subprocess
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal

import typer

from gateway.cli.output import CliError
from gateway.rpc.catalogue import Method
from gateway.schemas import enums

_Out = Annotated[Path | None, typer.Option(help="A file instead of the screen.")]


def openrpc(*, out: _Out = None) -> None:
    """Print the OpenRPC document, which /openrpc.json and rpc.discover give out too."""
    from gateway.app import openrpc_document

    _put_out(openrpc_document(), out)


def asyncapi(*, out: _Out = None) -> None:
    """Print the AsyncAPI document of /ws, which /asyncapi.json gives out too."""
    from gateway.app import asyncapi_document

    _put_out(asyncapi_document(), out)


def _put_out(document: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(document + b"\n")
    else:
        try:
            out.write_bytes(document + b"\n")
        except OSError as error:
            raise CliError(f"{out}: {error.strerror or error}") from error


def stubs() -> None:
    """Write the client's typed methods anew."""
    from gateway.app import asyncapi_document, build_catalogue, openrpc_document
    from gateway.cli.typescript import typescript_files

    catalogue = build_catalogue()
    for path in write_stubs(catalogue):
        typer.echo(path)
    for name, text in typescript_files(catalogue, openrpc_document(), asyncapi_document()):
        (CLIENT / name).write_text(text, "utf-8")
        typer.echo(CLIENT / name)


CLIENT = Path(__file__).parent.parent / "client"
OWN_NAMES = frozenset({"subscribe", "unsubscribe"})
"""The client's ``subscribe`` is the iterator. The methods, whose events go to every connection of
the token, are there by ``call``."""

FILE_OF_GROUP = {
    group: file
    for file, groups in {
        "market": ("account", "terminal", "symbols", "market", "calculations", "history"),
        "trading": ("positions", "orders", "journal", "contingent"),
        "safety": ("safety", "subscriptions", "service"),
        "native": ("native",),
    }.items()
    for group in groups
}
"""Groups of the reference that share a file of the client; another one has a file of its own."""

_IN = " " * 8
_HEADER = '"""{title} Written by ``mt-gateway stubs``: do not edit."""\n\n'
_ALIASES = {
    typing.get_args(value.__value__): name
    for name, value in vars(enums).items()
    if typing.get_origin(getattr(value, "__value__", None)) is Literal
}
"""Names for long literals, where :mod:`gateway.schemas.enums` has one."""
_JSON_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}

# what a file does not use is taken out again by ruff
_IMPORTS = f"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Number, Omitted, Time, order_id
from gateway.schemas.enums import {", ".join(_ALIASES.values())}


"""

Schema = Mapping[str, Any]


def write_stubs(catalogue: Mapping[str, Method], folder: Path = CLIENT) -> list[Path]:
    """Write the files, and remove those of groups that are gone; return what was written.

    Raises:
        CliError: ruff, which formats them, is not installed.

    """
    files = dict(stub_files(catalogue))
    methods = folder / "methods"
    methods.mkdir(exist_ok=True)
    for stale in set(methods.glob("*.py")) - {folder / name for name in files}:
        stale.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in files]


def stub_files(catalogue: Mapping[str, Method]) -> Iterator[tuple[str, str]]:
    """Yield the files' names, below ``gateway/client``, and their texts."""
    stubbed = [
        method
        for method in catalogue.values()
        if method.name not in OWN_NAMES and "http" in method.transports
    ]
    files: dict[str, list[Method]] = {}
    for method in stubbed:
        files.setdefault(FILE_OF_GROUP.get(method.group, method.group), []).append(method)
    for name, methods in files.items():
        yield f"methods/{name}.py", _formatted(_file(name, methods))
    yield "methods/__init__.py", _formatted(_package(list(files)))
    yield "reads.py", _formatted(_reads(catalogue))
    yield "sync_methods.py", _formatted(_sync(stubbed))


def _file(name: str, methods: list[Method]) -> str:
    groups = ", ".join(dict.fromkeys(method.group for method in methods))
    title = f"Typed methods: {name}."
    body = "".join(map(_method, methods))
    return (
        f"{_HEADER.format(title=title)}{_IMPORTS}"
        f"class {_class(name)}(MethodsBase):\n"
        f'    """Groups of the reference: {groups}."""\n\n{body}'
    )


def _method(method: Method) -> str:
    schema = method.params.model_json_schema()
    required = schema.get("required", [])
    signature, sent = ["self"], []
    names = sorted(schema["properties"], key=lambda name: name not in required)
    marked = False
    for name in names:
        own = f"{name}_" if keyword.iskeyword(name) else name
        kind = _type(schema["properties"][name], schema)
        if not marked and (method.mutates or name not in required):
            signature.append("*")
            marked = True
        signature.append(
            f"{own}: {kind}" if name in required else f"{own}: {_optional(kind)} = OMITTED"
        )
        value = f"order_id({own})" if name == "client_order_id" and method.is_journaled else own
        sent.append(f"{own}={value}")
    result = _result(method.result)
    arguments = ", ".join([f'"{method.name}"', *sent])
    return (
        f"    async def {method.name}({', '.join(signature)}) -> {result}:\n"
        f"        {_docstring(method)}\n"
        f"        result: {result} = await self._call({arguments})\n"
        "        return result\n\n"
    )


def _optional(kind: str) -> str:
    bare = kind.removesuffix(" | None")
    return f"{bare} | Omitted{kind[len(bare) :]}"


def _docstring(method: Method) -> str:
    if not method.description:
        return f'"""{method.summary}"""'
    paragraphs = (
        textwrap.fill(" ".join(paragraph.split()), 99, initial_indent=_IN, subsequent_indent=_IN)
        for paragraph in method.description.split("\n\n")
    )
    rest = "\n\n".join(paragraphs)
    return f'"""{method.summary}\n\n{rest}\n{_IN}"""'


def _reads(catalogue: Mapping[str, Method]) -> str:
    """Return a file of its own: who calls by name need not import the typed methods."""
    reads = "".join(f'"{name}",' for name, part in catalogue.items() if not part.mutates)
    return (
        _HEADER.format(title="The methods that only read.")
        + f"READS = frozenset({{{reads}}})\n"
        + '"""They change nothing, so that asking again is safe."""\n'
    )


def _package(files: list[str]) -> str:
    imports = "".join(f"from .{name} import {_class(name)}\n" for name in files)
    bases = ", ".join(map(_class, files))
    return (
        _HEADER.format(title="The typed methods.")
        + f"from __future__ import annotations\n\n{imports}\n"
        + f'class Methods({bases}):\n    """All of them."""\n'
    )


def _sync(methods: list[Method]) -> str:
    lines = "".join(f"    {part.name} = synced(Methods.{part.name})\n" for part in methods)
    return (
        _HEADER.format(title="The typed methods, without ``async``.")
        + "from __future__ import annotations\n\n"
        + "from gateway.client.methods import Methods\n"
        + "from gateway.client.loop_thread import LoopThread, synced\n\n"
        + f'class SyncMethods(LoopThread):\n    """All of them."""\n\n{lines}'
    )


def _class(file: str) -> str:
    return "".join(word.capitalize() for word in file.split("_")) + "Methods"


def _type(schema: Schema, root: Schema) -> str:
    """Return the annotation for what a JSON schema accepts."""
    if "$ref" in schema:
        return _type(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return _union(schema["anyOf"], root)
    kind = schema.get("type")
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema and kind == "string":
        if alias := _ALIASES.get(tuple(schema["enum"])):
            return alias
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if kind == "array":
        return f"Sequence[{_type(schema['items'], root)}]"
    if kind == "null":
        return "None"
    return _JSON_TYPES.get(str(kind), "Mapping[str, object]")


def _union(options: list[Schema], root: Schema) -> str:
    if any(part.get("format") == "date-time" for part in options):
        return _with_null("Time", options)
    if {"number", "string"} <= {part.get("type") for part in options}:
        return _with_null("Number", options)
    return " | ".join(dict.fromkeys(_type(part, root) for part in options))


def _with_null(name: str, options: list[Schema]) -> str:
    return f"{name} | None" if any(part.get("type") == "null" for part in options) else name


def _result(annotation: Any) -> str:
    """Return the annotation of a result, as it is written in a file that imports ``schemas``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, UnionType):
        return " | ".join(_result(part) for part in arguments)
    if origin is not None:
        inner = ", ".join(_result(part) for part in arguments)
        return f"{origin.__name__}[{inner}]"
    if annotation in (None, NoneType):
        return "None"
    name: str = annotation.__name__
    return f"schemas.{name}" if annotation.__module__.startswith("gateway.schemas") else name


def _formatted(text: str) -> str:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        raise CliError("ruff formats the stubs: pip install ruff")
    for step in (["check", "--select=I,F401", "--fix", "--quiet"], ["format"]):
        done = subprocess.run(  # noqa: S603 (our own arguments)
            [ruff, *step, "--stdin-filename", str(CLIENT / "stub.py"), "-"],
            input=text,
            capture_output=True,
            check=True,
            text=True,
        )
        text = done.stdout
    return text
