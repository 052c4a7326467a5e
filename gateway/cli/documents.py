"""``openrpc``: the schema of all methods; ``stubs``: the client's methods made from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.complaint import Complaint


def openrpc(
    *,
    out: Annotated[Path | None, typer.Option(help="A file instead of the screen.")] = None,
) -> None:
    """Print the OpenRPC document, which /openrpc.json and rpc.discover give out too."""
    from gateway.app import openrpc_document

    document = openrpc_document()
    if out is None:
        sys.stdout.buffer.write(document + b"\n")
    else:
        try:
            out.write_bytes(document + b"\n")
        except OSError as error:
            raise Complaint(f"{out}: {error.strerror or error}") from error


def stubs() -> None:
    """Write the client's typed methods anew."""
    from gateway.app import build_catalogue
    from gateway.cli.stubs import write_stubs

    for path in write_stubs(build_catalogue()):
        typer.echo(path)
