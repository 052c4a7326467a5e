"""``console``: the web pages where tokens are made, and devices approved and revoked."""

from __future__ import annotations

import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.home import default_console_home, own_folder
from gateway.cli.process import run_until_stopped
from gateway.options import ConsoleOptions, ConsoleReady


def console(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The settings; config.toml of the home if absent."
        ),
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Folder for everything that the console keeps.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Of its pages; 7402 if nothing says otherwise."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens to stderr.")
    ] = False,
) -> None:
    """Run the console: the pages where tokens are made, and machines approved and revoked."""
    options = ConsoleOptions(
        home=home or own_folder(default_console_home()), config=config, port=port
    )

    def announce(ready: ConsoleReady) -> None:
        event = json.dumps(ready.as_event(), separators=(",", ":"))
        sys.stdout.write((event if as_json else _text(ready)) + "\n")
        sys.stdout.flush()

    def start() -> Coroutine[Any, Any, None]:
        from gateway.app.console import run_console

        return run_console(options, announce)

    run_until_stopped(start, verbose=verbose, ports="--port")


def _text(ready: ConsoleReady) -> str:
    lines = [
        "mt-gateway console serves:",
        "",
        f"  pages     {ready.console}",
        f"  root key  {ready.root}",
        f"  home      {ready.home}",
    ]
    if ready.outbox is not None:
        lines += [f"  mails     no mail server is set up: they are written to {ready.outbox}"]
    if ready.setup_url is not None:
        lines += [
            "",
            "Nobody has an account yet. Make yours here; the link works once:",
            "",
            f"  {ready.setup_url}",
        ]
    lines += [
        "",
        "A gateway takes its tokens from here with these lines in the config.toml of its home:",
        "",
        "  [console]",
        f'  url = "{ready.console}"',
        f'  root = "{ready.root}"',
        "",
        "Ctrl+C stops it.",
    ]
    return "\n".join(lines)
