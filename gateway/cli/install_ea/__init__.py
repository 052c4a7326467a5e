"""``install-ea``: the EA into MetaTrader's data folder, and what to click then."""

from __future__ import annotations

import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from gateway.cli.install_ea.data_folder import DataFolder, chosen, found_terminals
from gateway.cli.install_ea.installation import NAME, Installation, State, copy, look, shipped
from gateway.cli.output import CliError
from gateway.cli.wine import too_old, wine_version

STATES: dict[State, str] = {
    "none": "no EA yet",
    "older": "EA {there}; {ours} is here",
    "edited": "EA {there}, but not as it came",
    "same": "EA {there}, up to date",
    "newer": "EA {there}, newer than {ours} of this gateway",
}


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
    before = look(folder, shipped(folder.platform))
    kept = [] if dry_run else copy(before)
    after = before if dry_run else look(folder, before.expert)
    if as_json:
        _print_json(_facts(before, kept, after, dry_run=dry_run))
        return
    for line in outcome(before, kept, is_dry=dry_run):
        _say(line)
    if folder.prefix is not None:
        complaint = too_old(wine_version())
        if complaint is not None:
            _say(f"  {complaint}.")
    if not dry_run:
        _say("")
        for line in steps(after):
            _say(line)


def _tell_all(known: list[DataFolder], *, as_json: bool) -> None:
    found: list[tuple[DataFolder, Installation | str]] = []
    for folder in known:
        try:
            found.append((folder, look(folder, shipped(folder.platform))))
        except CliError as complaint:
            found.append((folder, str(complaint)))
    if as_json:
        _print_json({"terminals": [_terminal(*entry) for entry in found]})
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

    return {
        "terminal": _terminal(before.folder, after),
        "version": before.expert.version,
        "version_before": before.version,
        "dry_run": dry_run,
        "files": [
            {"path": str(change.path), "change": change.kind, "edited": change.is_edited}
            for change in before.changes
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
    shown = "".join(char if char.isprintable() else "?" for char in line)
    coding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(shown.encode(coding, "replace").decode(coding) + "\n")


# --- texts for a person -------------------------------------------------------------------------


def listing(found: Sequence[tuple[DataFolder, Installation | str]]) -> Iterator[str]:
    """Yield lines: each terminal, and the EA in it or why that cannot be told."""
    for folder, there in found:
        told = there if isinstance(there, str) else standing(there)
        yield f"MT{folder.platform[-1]}  {folder.path}"
        yield f"     {origin(folder)}; {told}"


def origin(folder: DataFolder) -> str:
    """Return of which program a data folder is."""
    if folder.is_portable:
        return "portable, or never started"
    return f"of {folder.origin}" if folder.origin else "of an unknown program"


def standing(installation: Installation) -> str:
    """Return how the EA that is there stands to ours."""
    there = installation.version or "of an unknown version"
    told = STATES[installation.state].format(there=there, ours=installation.expert.version)
    is_idle = installation.state == "none" or installation.is_compiled
    return told if is_idle else f"{told}; to be compiled"


def outcome(installation: Installation, kept: Sequence[Path], *, is_dry: bool) -> Iterator[str]:
    """Yield lines: what was copied, or would be."""
    folder, count = installation.folder, installation.count
    head = f"The EA {installation.expert.version} for {folder.title}"
    if installation.state == "same":
        yield f"{head} is there already: all {count('same')} files are up to date."
    elif installation.state == "newer":
        yield f"{head} would not be copied: {standing(installation)}."
    else:
        told = ", ".join(f"{count(kind)} {kind}" for kind in ("new", "changed", "same"))
        yield f"{head} {'would be' if is_dry else 'is'} copied: {told}."
    yield f"  into {folder.mql}"
    if is_dry:
        edited = [
            folder.source(change.path) for change in installation.changes if change.is_edited
        ]
        yield from (f"  would be kept, with .bak: {path}" for path in edited)
        yield "  Nothing was written: --dry-run."
    yield from (f"  kept, since somebody had edited it: {path}" for path in kept)


def steps(installation: Installation) -> Iterator[str]:
    """Yield lines: what is left to do in MetaTrader, in its own words."""
    folder = installation.folder
    is_mt5 = folder.platform == "mt5"
    main = installation.expert.main
    yield f"What is left to do, in {folder.title}:"
    yield ""
    done = " (done before, and still good)" if installation.is_compiled else ""
    yield f"1. Compile{done}: F4 opens MetaEditor; open {main}"
    yield "   and press F7: 0 errors, 0 warnings."
    command = compile_command(installation)
    if command is not None:
        yield f"   Or on a command line; {NAME}.log tells what came of it:"
        yield f"   {command}"
    yield "2. Tools > Options > Expert Advisors:"
    if is_mt5:
        yield '   tick "Allow algorithmic trading" and "Allow WebRequest for listed URL", and'
        yield "   add 127.0.0.1 to the list: without it MetaTrader lets no EA dial."
    else:
        yield '   tick "Allow automated trading" and "Allow DLL imports": MetaTrader 4 has no'
        yield "   sockets of its own, so the EA uses ws2_32.dll of Windows."
    yield '   Untick "Disable ... when the account has been changed" and "... the profile'
    yield '   has been changed", or trading is off after either.'
    yield f"3. Navigator (Ctrl+N) > Expert Advisors > Refresh; drag {NAME} onto"
    yield f'   any one chart. Under Common tick "Allow {_trading(is_mt5=is_mt5)}".'
    yield "4. Under Inputs paste auth_token: mt-gateway token create --name NAME makes"
    yield "   one, or the console if there is one. Each terminal has its own."
    button = "Algo Trading" if is_mt5 else "AutoTrading"
    yield f"5. Press {button} in the toolbar (Ctrl+E) until it is green."
    yield "6. Close the terminal and start it again: after a crash it comes back as it"
    yield "   was last closed, which is now with the EA."
    yield ""
    yield "An EA that was refused at its start is gone from the chart: drag it on again."
    yield "Then mt-gateway doctor tells whether all is on, with that token in"
    yield "MT_GATEWAY_TOKEN. If nothing comes, the terminal's tab Experts says why."


def compile_command(installation: Installation, system: str = sys.platform) -> str | None:
    """Return the command that compiles without a click, for this terminal.

    MetaEditor is a program with windows: shells do not wait for it, its exit code says nothing,
    and its log is UTF-16.

    Returns:
        ``None`` where MetaEditor, or the Wine that runs it, is not known; and under Wine where a
        path has spaces, with which MetaEditor is known to compile nothing and say nothing.

    """
    folder = installation.folder
    if folder.editor is None:
        return None
    source = folder.source(installation.expert.main)
    include, log = folder.named(folder.mql), folder.named(compile_log(installation))
    if folder.prefix is None:
        told = f'/compile:"{folder.named(source)}" /inc:"{include}" /log:"{log}"'
        return f'"{folder.editor}" {told}'
    if system == "darwin" or " " in include:
        return None
    words = (folder.editor, f"/compile:{folder.named(source)}", f"/inc:{include}", f"/log:{log}")
    told = " ".join(quote(word) for word in words)
    return f"WINEPREFIX={quote(str(folder.prefix))} wine {told}"


def compile_log(installation: Installation) -> Path:
    """Return where :func:`compile_command` leaves what MetaEditor has to say."""
    return installation.folder.source(installation.expert.main.with_suffix(".log"))


def _trading(*, is_mt5: bool) -> str:
    return "Algo Trading" if is_mt5 else 'live trading" and "Allow DLL imports'
