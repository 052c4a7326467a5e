"""What a person reads of ``install-ea``, and a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shell import Done
from terminal_folders import HASH, MAIN, Run, contents, put_prefix, put_program, with_version

from gateway.cli import install_ea
from gateway.cli.install_ea import data_folder
from gateway.cli.install_ea.data_folder import DataFolder, chosen, found_terminals, open_folder
from gateway.cli.install_ea.installation import Expert, copy, look, shipped_version


def facts(done: Done) -> dict[str, Any]:
    assert done.code == 0, done.err
    told: dict[str, Any] = json.loads(done.out)
    return told


def test_as_a_person_does_it(house: Path) -> None:
    """The program itself: one terminal, so no question; then what to click, step by step."""
    data, _ = put_prefix(house / ".wine")
    words = [sys.executable, "-m", "gateway", "install-ea", "--wine-prefix", str(house / ".wine")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (data / "MQL5" / "Experts" / "TerminalGateway.mq5").is_file()
    steps = (
        "F7: 0 errors",
        "127.0.0.1",
        "Untick",
        "Navigator",
        "auth_token",
        "Algo Trading in the toolbar",
        "Close the terminal",
        "drag it on again",
    )
    at = [done.stdout.index(step) for step in steps]
    assert at == sorted(at)
    assert "DLL" not in done.stdout
    prose = [line for line in done.stdout.splitlines() if str(house) not in line]
    assert max(map(len, prose)) < 80
    assert len(prose) < 25


def test_metatrader_4_needs_its_dll(run: Run, house: Path) -> None:
    """Where there are no sockets, and only there; nothing is said of WebRequest."""
    place = put_program(house / "MT4", "mt4")
    done = run("install-ea", "--terminal", str(place))
    assert done.code == 0
    assert done.out.count("Allow DLL imports") == 2
    assert "WebRequest" not in done.out
    assert "AutoTrading in the toolbar" in done.out
    assert (place / "MQL4" / "Experts" / "TerminalGateway.mq4").is_file()
    assert (place / "MQL4" / "Include" / "TerminalGateway" / "Link.mqh").is_file()


def test_a_dry_run(run: Run, house: Path) -> None:
    """Tells the same and writes nothing."""
    place = put_program(house / "MT5", "mt5")
    (place / "MQL5" / "Experts").mkdir()
    (place / "MQL5" / "Experts" / "TerminalGateway.mq5").write_bytes(b"mine")
    before = contents(place)
    done = run("install-ea", "--dry-run", "--terminal", str(place))
    assert done.code == 0
    assert "would be copied" in done.out
    assert "TerminalGateway.mq5" in done.out
    told = facts(run("install-ea", "--dry-run", "--json", "--terminal", str(place)))
    assert contents(place) == before
    assert {one["path"] for one in told["files"] if one["edited"]} == {str(MAIN)}
    assert (told["dry_run"], told["kept"], told["terminal"]["state"]) == (True, [], "edited")


def test_several_terminals(run: Run, house: Path) -> None:
    """All are listed, one that cannot be used with the reason; nothing is copied."""
    prefix = house / ".wine"
    data, _ = put_prefix(prefix)
    other = put_program(prefix / "drive_c" / "MT4", "mt4")
    (other / "MQL4" / "Experts").mkdir()
    (other / "MQL4" / "Experts" / "TerminalGateway.mq4").mkdir()
    before = contents(house)
    done = run("install-ea", "--wine-prefix", str(prefix))
    assert (done.code, "--terminal DIR" in done.err) == (2, True)
    assert done.out.splitlines() == [
        f"MT5  {data}",
        r"     of C:\Program Files\MetaTrader 5; no EA yet",
        f"MT4  {other}",
        f"     portable, or never started; {other / 'MQL4/Experts/TerminalGateway.mq4'} is in the "
        "way: move it away, and try again",
    ]
    told = json.loads(run("install-ea", "--json", "--wine-prefix", str(prefix)).out)
    assert [(one["path"], one["state"]) for one in told["terminals"]] == [
        (str(data), "none"),
        (str(other), None),
    ]
    assert contents(house) == before


def test_one_that_stands_already(run: Run, house: Path) -> None:
    """JSON tells each file; the second time nothing changes."""
    put_prefix(house / ".wine")
    words = ("install-ea", "--json", "--wine-prefix", str(house / ".wine"))
    first, second = facts(run(*words)), facts(run(*words))
    assert {one["change"] for one in first["files"]} == {"new"}
    assert {one["change"] for one in second["files"]} == {"same"}
    assert (first["version_before"], second["version_before"]) == (None, shipped_version())
    assert first["terminal"]["state"] == second["terminal"]["state"] == "same"
    done = run("install-ea", "--wine-prefix", str(house / ".wine"))
    assert "is there already" in done.out.splitlines()[0]


@pytest.mark.skipif(sys.platform == "win32", reason="there it looks at the machine's own folders")
def test_no_terminal(run: Run, house: Path) -> None:
    """What to do is told."""
    done = run("install-ea")
    assert (done.code, "File > Open Data Folder" in done.complaint) == (1, True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no control characters in names")
def test_names_do_not_steer_the_screen(run: Run, house: Path) -> None:
    """A folder may be called what it likes."""
    place = put_program(house / "MT5 \x1b[2J", "mt5")
    done = run("install-ea", "--terminal", str(place))
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "MT5 ?[2J" in done.out


@pytest.mark.parametrize(
    ("state", "there", "told"),
    [
        ("1.3.0", "compiled", "EA 1.3.0, newer than 1.2.0 of this gateway"),
        ("1.2.0", "compiled", "EA 1.2.0, up to date"),
        ("1.2.0", "source", "EA 1.2.0, up to date; to be compiled"),
        ("1.0.1", "compiled", "EA 1.0.1; 1.2.0 is here"),
    ],
)
def test_how_an_ea_stands(
    folder: DataFolder, expert: Expert, state: str, there: str, told: str
) -> None:
    """Its version against ours, and whether the terminal can run it."""
    copy(look(folder, with_version(state)))
    if there == "compiled":
        program = folder.source(MAIN.with_suffix(".ex5"))
        program.touch()
        os.utime(program, (2**31, 2**31))
    assert install_ea.standing(look(folder, expert)) == told


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's words for a path of Linux")
def test_the_command_that_compiles_under_wine(house: Path, expert: Expert) -> None:
    """The terminal's Wine is told its prefix, in the words of a shell."""
    put_prefix(house / ".wine")
    (one,) = found_terminals(home=house, environ={}, is_windows=False)
    data = rf"C:\users\ann\AppData\Roaming\MetaQuotes\Terminal\{HASH}\MQL5"
    assert install_ea.compile_command(look(one, expert), "linux") == (
        rf"WINEPREFIX={house}/.wine wine 'C:\Program Files\MetaTrader 5\metaeditor64.exe' "
        rf"'/compile:{data}\Experts\TerminalGateway.mq5' '/inc:{data}' "
        rf"'/log:{data}\Experts\TerminalGateway.log'"
    )


def test_the_command_that_compiles_on_windows(expert: Expert, tmp_path: Path) -> None:
    """In the words of Windows itself."""
    windows = open_folder(put_program(tmp_path / "MT 5", "mt5"))
    assert windows is not None
    assert install_ea.compile_command(look(windows, expert), "win32") == (
        f'"{tmp_path / "MT 5" / "metaeditor64.exe"}" /compile:"{windows.source(MAIN)}" '
        f'/inc:"{windows.mql}" /log:"{windows.source(MAIN.with_suffix(".log"))}"'
    )


def test_where_no_command_compiles(house: Path, expert: Expert) -> None:
    """On a Mac, where the app has a Wine of its own; under Wine with spaces in a path, where
    MetaEditor fails without a word; and without a MetaEditor."""
    data, program = put_prefix(house / ".wine")
    (one,) = found_terminals(home=house, environ={}, is_windows=False)
    assert install_ea.compile_command(look(one, expert), "darwin") is None
    portable = chosen(program / "MQL5", [one])
    assert portable.path != data
    assert install_ea.compile_command(look(portable, expert), "linux") is None
    (program / data_folder.EDITORS["mt5"]).unlink()
    assert install_ea.compile_command(look(one, expert), "linux") is None


@pytest.mark.skipif(sys.platform == "win32", reason="there no Wine is asked")
@pytest.mark.parametrize(
    ("said", "is_told"),
    [("wine-8.0 (Debian 8.0~repack-4)", True), ("wine-10.0", False), ("a stranger", False)],
)
def test_an_old_wine_is_told_of(
    run: Run, house: Path, monkeypatch: pytest.MonkeyPatch, said: str, is_told: bool
) -> None:
    """The EA is copied all the same; of a terminal that Wine does not run nothing is asked."""
    program = house / "bin" / "wine"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    put_prefix(house / ".wine")
    done = run("install-ea", "--wine-prefix", str(house / ".wine"))
    assert done.code == 0
    assert ("Wine 8.0 is too old: MetaTrader supports 10" in done.out) is is_told
    other = put_program(house / "MT5", "mt5")
    assert "too old" not in run("install-ea", "--terminal", str(other)).out
