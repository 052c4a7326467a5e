"""Texts for a person: the terminals found, what was copied, and what to click then."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

from gateway.cli.install_ea.data_folder import DataFolder
from gateway.cli.install_ea.expert import NAME
from gateway.cli.install_ea.installation import Installation, State

STATES: dict[State, str] = {
    "none": "no EA yet",
    "older": "EA {there}; {ours} is here",
    "edited": "EA {there}, but not as it came",
    "same": "EA {there}, up to date",
    "newer": "EA {there}, newer than {ours} of this gateway",
}


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
        told = ", ".join(f"{count(one)} {one}" for one in ("new", "changed", "same"))
        yield f"{head} {'would be' if is_dry else 'is'} copied: {told}."
    yield f"  into {folder.mql}"
    if is_dry:
        edited = [folder.source(one.path) for one in installation.changes if one.is_edited]
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
