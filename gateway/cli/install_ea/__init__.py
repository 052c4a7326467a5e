"""``install-ea``: the EA into MetaTrader's data folder, and what to click then."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import CliError

if TYPE_CHECKING:
    from gateway.cli.install_ea.data_folder import DataFolder
    from gateway.cli.install_ea.installation import Installation


def install_ea(
    *,
    terminal: Annotated[
        Path | None,
        typer.Option(
            help="The terminal's data folder: in MetaTrader, File > Open Data Folder shows it."
        ),
    ] = None,
    wine_prefix: Annotated[
        Path | None, typer.Option(help="Look in this prefix of Wine alone.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be copied; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy the Expert Advisor into MetaTrader, and tell what to click then.

    It finds the terminals of Windows and of Wine by itself. If there are several it lists them,
    copies nothing and ends with exit code 2: choose one with --terminal. It writes the EA's own
    files alone; one that you have edited is kept as .bak.
    """
    from gateway.cli.install_ea.search import chosen, found_terminals

    known = found_terminals(wine_prefix)
    if terminal is not None:
        _install(chosen(terminal, known), dry_run=dry_run, as_json=as_json)
    elif len(known) == 1:
        _install(known[0], dry_run=dry_run, as_json=as_json)
    elif known:
        _tell_all(known, as_json=as_json)
        raise CliError("several terminals; choose one: mt-gateway install-ea --terminal DIR", 2)
    else:
        raise CliError(
            "no MetaTrader was found; start it once, and name the folder that its File > Open "
            "Data Folder shows: mt-gateway install-ea --terminal DIR"
        )


def _install(folder: DataFolder, *, dry_run: bool, as_json: bool) -> None:
    from gateway.cli.install_ea import screen
    from gateway.cli.install_ea.expert import shipped
    from gateway.cli.install_ea.installation import copy, look

    before = look(folder, shipped(folder.platform))
    kept = [] if dry_run else copy(before)
    after = before if dry_run else look(folder, before.expert)
    if as_json:
        _print_json(_facts(before, kept, after, dry_run=dry_run))
        return
    for line in screen.outcome(before, kept, is_dry=dry_run):
        _say(line)
    if not dry_run:
        _say("")
        for line in screen.steps(after):
            _say(line)


def _tell_all(known: list[DataFolder], *, as_json: bool) -> None:
    from gateway.cli.install_ea.expert import shipped
    from gateway.cli.install_ea.installation import look
    from gateway.cli.install_ea.screen import listing

    found: list[tuple[DataFolder, Installation | str]] = []
    for folder in known:
        try:
            found.append((folder, look(folder, shipped(folder.platform))))
        except CliError as complaint:
            found.append((folder, str(complaint)))
    if as_json:
        _print_json({"terminals": [_terminal(*one) for one in found]})
        return
    for line in listing(found):
        _say(line)


def _terminal(folder: DataFolder, there: Installation | str) -> dict[str, Any]:
    known = None if isinstance(there, str) else there
    return {
        "platform": folder.platform,
        "path": str(folder.path),
        "origin": folder.origin,
        "program": None if folder.program is None else str(folder.program),
        "portable": folder.is_portable,
        "wine_prefix": None if folder.prefix is None else str(folder.prefix),
        "ea_version": None if known is None else known.version,
        "state": None if known is None else known.state,
        "compiled": None if known is None else known.is_compiled,
        "problem": there if isinstance(there, str) else None,
    }


def _facts(
    before: Installation, kept: list[Path], after: Installation, *, dry_run: bool
) -> dict[str, Any]:
    from gateway.cli.install_ea.screen import compile_command, compile_log

    return {
        "terminal": _terminal(before.folder, after),
        "version": before.expert.version,
        "version_before": before.version,
        "dry_run": dry_run,
        "files": [
            {"path": str(one.path), "change": one.kind, "edited": one.is_edited}
            for one in before.changes
        ],
        "kept": [str(path) for path in kept],
        "compile": compile_command(after),
        "compile_log": str(compile_log(after)),
    }


def _print_json(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts, indent=2) + "\n")


def _say(line: str) -> None:
    """Print a line. Names of folders are other people's: none may steer the screen, or be more
    than the output can write."""
    shown = "".join(one if one.isprintable() else "?" for one in line)
    coding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(shown.encode(coding, "replace").decode(coding) + "\n")
