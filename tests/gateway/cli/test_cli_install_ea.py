"""``install-ea``: in folders as MetaTrader makes them, of Windows and under Wine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from shell import Done

from ea_bridge.emulator.terminal import EA_VERSION
from gateway.cli.complaint import Complaint
from gateway.cli.install_ea import data_folder, installation, screen
from gateway.cli.install_ea import expert as expert_module
from gateway.cli.install_ea.data_folder import DataFolder, open_folder
from gateway.cli.install_ea.expert import (
    VERSION_FILE,
    Expert,
    Platform,
    is_older,
    shipped,
    shipped_version,
)
from gateway.cli.install_ea.installation import RECORD, copy, look
from gateway.cli.install_ea.search import chosen, found_terminals

Run = Callable[..., Done]
PLATFORMS: tuple[Platform, ...] = ("mt5", "mt4")
HASH = "D0E8209F77C8CF37AD8BF550E51FF075"
OTHER_HASH = "50CA3DFB510CC5A8F28B48D1BF2A5702"
MAIN = PurePosixPath("Experts/TerminalGateway.mq5")
posix_only = pytest.mark.skipif(os.name != "posix", reason="links need a right on Windows")


def put_program(folder: Path, kind: Platform, *, mql: bool = True) -> Path:
    """Make the folder of a program, as an installer does."""
    (folder / f"MQL{kind[-1]}" if mql else folder).mkdir(parents=True)
    for name in {"mt5": ("terminal64.exe", "metaeditor64.exe"), "mt4": ("terminal.exe",)}[kind]:
        (folder / name).touch()
    return folder


def put_data(
    roaming: Path, name: str, kind: Platform, origin: str = "", *, coding: str = "utf-16"
) -> Path:
    """Make a data folder, as a terminal does at its first start."""
    folder = roaming / "MetaQuotes" / "Terminal" / name
    (folder / f"MQL{kind[-1]}" / "Experts").mkdir(parents=True)
    if origin:
        (folder / "origin.txt").write_bytes(origin.encode(coding))
    return folder


def put_prefix(prefix: Path, user: str = "ann") -> tuple[Path, Path]:
    """Make a prefix of Wine with one MetaTrader 5; return the folders of data and program."""
    program = put_program(prefix / "drive_c" / "Program Files" / "MetaTrader 5", "mt5")
    roaming = prefix / "drive_c" / "users" / user / "AppData" / "Roaming"
    (roaming / "MetaQuotes" / "Terminal" / "Common" / "Files").mkdir(parents=True)
    return put_data(roaming, HASH, "mt5", r"C:\Program Files\MetaTrader 5"), program


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a person without MetaTrader."""
    place = tmp_path / "ann"
    place.mkdir()
    for name in ("HOME", "USERPROFILE", "APPDATA", "ProgramFiles", "SystemDrive"):
        monkeypatch.setenv(name, str(place))
    monkeypatch.delenv("WINEPREFIX", raising=False)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder of MetaTrader 5."""
    found = open_folder(put_data(tmp_path, HASH, "mt5"))
    assert found is not None
    return found


@pytest.fixture
def expert() -> Expert:
    """An EA of two files."""
    return with_version("1.2.0")


def with_version(version: str) -> Expert:
    hello = f'#define HELLO_EA_VERSION  "{version}"\n'.encode()
    return Expert("mt5", version, {VERSION_FILE: hello, MAIN: b"// the EA " + version.encode()})


def contents(place: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(place)): one.read_bytes() for one in place.rglob("*") if one.is_file()
    }


# --- the EA that came along ----------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_ea_comes_with_the_package(platform: Platform) -> None:
    """With all that it includes, as the package's own resources, and nothing but sources."""
    expert = shipped(platform)
    assert list(expert.files)[-1] == expert.main
    names = {str(path).replace("/", "\\") for path in expert.files}
    for path, text in expert.files.items():
        for wanted in re.findall(rb"#include <(.+)>", text):
            assert f"Include\\{wanted.decode()}" in names, path
    assert {path.suffix for path in expert.files} <= {".mqh", expert.main.suffix}
    own = files("ea_bridge") / f"mql{platform[-1]}" / str(expert.main)
    assert own.read_bytes() == expert.files[expert.main]


def test_what_lies_beside_the_sources_stays_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what an editor leaves there, nor a program that somebody has compiled."""
    package = tmp_path / "package"
    shutil.copytree(str(files("ea_bridge") / "mql5"), package / "mql5")
    for name in ("Link.mqh.bak", ".Link.mqh.swp", "Link.ex5", "installed.txt"):
        (package / "mql5" / "Include" / "TerminalGateway" / name).touch()
    expected = shipped("mt5").files
    monkeypatch.setattr(expert_module, "files", lambda _: package)
    assert shipped("mt5").files == expected


def test_metatrader_4_has_its_own_where_it_differs() -> None:
    """The rest is MetaTrader 5's."""
    ours, other = shipped("mt4").files, shipped("mt5").files
    own = files("ea_bridge") / "mql4" / "Include" / "TerminalGateway"
    for path in set(ours) & set(other):
        is_own = (own / path.name).is_file()
        assert (ours[path] != other[path]) == is_own, path
    assert {path.name for path in ours} >= {one.name for one in own.iterdir()}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_version(platform: Platform) -> None:
    """The EA's hello, the property that MetaTrader shows, and the emulator tell the same."""
    expert = shipped(platform)
    shown = re.search(rb'#property version\s+"(\d+)\.(\d)(\d)"', expert.files[expert.main])
    assert shown is not None
    assert [int(one) for one in shown.groups()] == [int(one) for one in expert.version.split(".")]
    assert expert.version == EA_VERSION == shipped_version()


@pytest.mark.parametrize(
    ("left", "right", "older"),
    [
        ("1.9.0", "1.10.0", True),
        ("1.0", "1.0.0", False),
        ("2.0.0", "1.9.9", False),
        ("1.x", "1.0.0", None),
        ("", "1.0.0", None),
        ("1.0.0", "²", None),
    ],
)
def test_versions_are_numbers(left: str, right: str, older: bool | None) -> None:
    """Compared number by number; what is no version is older than nothing."""
    assert is_older(left, right) is older


# --- where MetaTrader is -------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-8", "utf-8-sig"])
def test_on_windows(tmp_path: Path, coding: str) -> None:
    """Data folders by their origin, however it is coded; portable programs; nothing twice."""
    programs, roaming = tmp_path / "Program Files", tmp_path / "Roaming"
    mt5 = put_program(programs / "MetaTrader 5", "mt5")
    portable = put_program(programs / "Broker MT4", "mt4")
    put_program(programs / "never started", "mt5", mql=False)
    (programs / "Editor" / "MQL5").mkdir(parents=True)
    data = put_data(roaming, HASH, "mt5", f"{mt5}\r\n", coding=coding)
    lost = put_data(roaming, OTHER_HASH, "mt4")
    (roaming / "MetaQuotes" / "Terminal" / "Common" / "Files").mkdir(parents=True)

    environ = {"APPDATA": str(roaming), "ProgramFiles": str(programs)}
    found = found_terminals(environ=environ, is_windows=True)

    assert {(one.path, one.platform, one.program) for one in found} == {
        (data, "mt5", mt5),
        (lost, "mt4", None),
        (portable, "mt4", portable),
    }
    assert [one.path for one in found if one.is_portable] == [portable]


def test_under_wine(house: Path) -> None:
    """Every user of every prefix, at the places that programs make them, and the one that
    WINEPREFIX names; what is there under two names is there once."""
    wine, program = put_prefix(house / ".wine")
    bottle, _ = put_prefix(house / ".local/share/bottles/bottles/Trading", "bob")
    old = put_data(house / ".wine/drive_c/users/old/Application Data", OTHER_HASH, "mt4")
    mac = put_program(
        house / "Library/Application Support/net.metaquotes.wine.metatrader5/drive_c/Program Files"
        "/MetaTrader 5",
        "mt5",
    )
    own = put_program(house / "own" / "drive_c" / "MT4", "mt4")
    (house / "Games" / "chess").mkdir(parents=True)

    environ = {"WINEPREFIX": str(house / "own")}
    found = found_terminals(home=house, environ=environ, is_windows=False)
    assert {one.path for one in found} == {wine, bottle, old, mac, own}
    (first,) = [one for one in found if one.path == wine]
    assert (first.program, first.prefix) == (program, house / ".wine")

    again = {"WINEPREFIX": str(house / "x" / ".." / ".wine")}
    (house / "x").mkdir()
    assert len(found_terminals(home=house, environ=again, is_windows=False)) == 4
    only = found_terminals(house / "own", home=house, environ={}, is_windows=False)
    assert [one.path for one in only] == [own]


def test_no_prefix(run: Run, house: Path) -> None:
    """A folder that is not Wine's is a mistake of the command line."""
    done = run("install-ea", "--wine-prefix", str(house))
    assert (done.code, "drive_c" in done.complaint) == (2, True)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"\xff\xfeC", b"C:\\\x1b[2J", b"\0" * 9000])
def test_an_origin_that_is_none(tmp_path: Path, raw: bytes) -> None:
    """A terminal is found all the same; its program is not known."""
    path = put_data(tmp_path, HASH, "mt5")
    (path / "origin.txt").write_bytes(raw)
    found = open_folder(path, tmp_path)
    assert found is not None
    assert found.origin is None or found.origin.isprintable()
    assert found.program is None
    assert found.editor is None


@pytest.mark.parametrize(
    ("sign", "platform"), [("terminal.exe", "mt4"), ("terminal64.exe", "mt5"), (None, "mt5")]
)
def test_both_languages_in_one_folder(
    tmp_path: Path, sign: str | None, platform: Platform
) -> None:
    """The program tells which one the terminal speaks."""
    for name in ("MQL4", "MQL5"):
        (tmp_path / name).mkdir()
    if sign:
        (tmp_path / sign).touch()
    found = open_folder(tmp_path)
    assert found is not None
    assert found.platform == platform


def test_what_may_be_named(house: Path) -> None:
    """The data folder, its MQL5, or the program of one terminal; MQL5 beside a program means
    there, which is how a portable terminal is meant where both are."""
    data, program = put_prefix(house / ".wine")
    known = found_terminals(home=house, environ={}, is_windows=False)
    assert [one.path for one in known] == [data]
    assert chosen(data, known).path == data
    assert chosen(data / "MQL5", []).path == data
    assert chosen(program, known).path == data
    assert chosen(program / "MQL5", known).path == program
    assert chosen(program, []).is_portable


def test_what_may_not_be_named(house: Path) -> None:
    """A folder without MQL5 or MQL4, and the program of two data folders."""
    put_prefix(house / ".wine")
    roaming = house / ".wine/drive_c/users/bob/AppData/Roaming"
    put_data(roaming, HASH, "mt5", r"C:\Program Files\MetaTrader 5")
    known = found_terminals(home=house, environ={}, is_windows=False)
    for place, says in (
        (house, "File > Open Data Folder"),
        (house / "none", "neither MQL5 nor MQL4"),
        (house / ".wine/drive_c/Program Files/MetaTrader 5", "several data folders"),
    ):
        with pytest.raises(Complaint, match=says) as refused:
            chosen(place, known)
        assert refused.value.exit_code == 2


# --- copying -------------------------------------------------------------------------------


def test_a_first_copy_and_a_second(folder: DataFolder, expert: Expert) -> None:
    """All is new, then all is the same, and not written again."""
    assert look(folder, expert).state == "none"
    assert copy(look(folder, expert)) == []
    for path, text in expert.files.items():
        assert folder.source(path).read_bytes() == text
    before = {one: one.stat().st_mtime_ns for one in folder.mql.rglob("*")}
    again = look(folder, expert)
    assert (again.state, again.count("same"), again.version) == ("same", 2, "1.2.0")
    assert copy(again) == []
    assert {one: one.stat().st_mtime_ns for one in folder.mql.rglob("*")} == before


def test_nothing_else_is_touched(folder: DataFolder) -> None:
    """Not the files of others, with however similar names; nothing half-written is left."""
    expert = shipped("mt5")
    others = {
        "Experts/TerminalGateway.set": b"auth_token=x",
        "Experts/Mine.mq5": b"mine",
        "Include/Trade/Trade.mqh": b"MetaQuotes'",
        "Include/TerminalGateway/Mine.mqh": b"mine, too",
    }
    for name, text in others.items():
        path = folder.mql / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    copy(look(folder, expert))
    ours = {str(Path(path)) for path in [*expert.files, RECORD]}
    after = contents(folder.mql)
    assert set(after) == {str(Path(name)) for name in others} | ours
    assert all(after[str(Path(name))] == text for name, text in others.items())


def test_an_upgrade(folder: DataFolder, expert: Expert) -> None:
    """What is as we put it there is replaced, without a copy."""
    copy(look(folder, with_version("1.1.9")))
    found = look(folder, expert)
    assert (found.state, found.version, found.count("changed")) == ("older", "1.1.9", 2)
    assert copy(found) == []
    assert look(folder, expert).state == "same"


def test_what_somebody_has_edited_is_kept(folder: DataFolder, expert: Expert) -> None:
    """Each time under a name of its own; that it was put there by hand makes no difference."""
    main = folder.source(MAIN)
    for number, name in enumerate(("TerminalGateway.mq5.bak", "TerminalGateway.mq5.bak2")):
        main.write_bytes(b"edited %d" % number)
        assert look(folder, expert).state == "edited"
        assert copy(look(folder, expert)) == [main.with_name(name)]
        assert main.with_name(name).read_bytes() == b"edited %d" % number
        assert main.read_bytes() == expert.files[MAIN]


def test_a_newer_one_stays(folder: DataFolder, expert: Expert) -> None:
    """Nothing is put back to an older version unasked; what to do is told."""
    copy(look(folder, with_version("1.10.0")))
    before = contents(folder.mql)
    found = look(folder, expert)
    assert found.state == "newer"
    with pytest.raises(Complaint, match=r"1\.10\.0, newer than 1\.2\.0.*upgrade mt-gateway"):
        copy(found)
    assert contents(folder.mql) == before


def test_an_interrupted_copy_is_completed(
    folder: DataFolder, expert: Expert, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves whole files or none, and what is compiled comes last."""
    real, left = os.fsync, [1]

    def full(descriptor: int) -> None:
        if not left:
            raise OSError(28, "No space left on device", "part")
        left.pop()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Complaint, match="No space left on device"):
        copy(look(folder, expert))
    assert contents(folder.mql) == {str(Path(VERSION_FILE)): expert.files[VERSION_FILE]}
    monkeypatch.undo()
    assert copy(look(folder, expert)) == []
    assert look(folder, expert).state == "same"


def test_whether_it_is_compiled(folder: DataFolder, expert: Expert) -> None:
    """The terminal runs what MetaEditor has made: older than its source it is not ours."""
    copy(look(folder, expert))
    program = folder.source(MAIN.with_suffix(".ex5"))
    assert not look(folder, expert).is_compiled
    program.touch()
    made_at = max(one.stat().st_mtime_ns for one in folder.mql.rglob("*"))
    os.utime(program, ns=(made_at, made_at))
    assert look(folder, expert).is_compiled
    os.utime(folder.source(VERSION_FILE), ns=(made_at + 1, made_at + 1))
    assert not look(folder, expert).is_compiled


@posix_only
@pytest.mark.parametrize(
    "link", [".", "Experts", "Include", "Include/TerminalGateway", str(MAIN), str(VERSION_FILE)]
)
def test_links_are_not_followed(
    folder: DataFolder, expert: Expert, tmp_path: Path, link: str
) -> None:
    """Wherever one lies on the way to a file of ours: nothing is read or written through it."""
    elsewhere = tmp_path / "elsewhere"
    path = folder.mql / link
    if path.suffix:
        elsewhere.write_bytes(b"precious")
    else:
        elsewhere.mkdir()
    if path == folder.mql:
        (path / "Experts").rmdir()
    if path.is_dir():
        path.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(elsewhere)
    with pytest.raises(Complaint, match="is a link to elsewhere"):
        copy(look(folder, expert))
    assert (elsewhere.read_bytes() == b"precious") if path.suffix else not any(elsewhere.iterdir())


@posix_only
def test_a_link_that_comes_after_the_look(
    folder: DataFolder, expert: Expert, tmp_path: Path
) -> None:
    """Each file's way is looked at again when it is written."""
    found = look(folder, expert)
    (tmp_path / "elsewhere").mkdir()
    (folder.mql / "Include").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Complaint, match="is a link"):
        copy(found)
    assert not any((tmp_path / "elsewhere").iterdir())


@posix_only
def test_what_is_no_file(folder: DataFolder, expert: Expert) -> None:
    """A pipe, a folder or something huge in the place of a file is not read."""
    main = folder.source(MAIN)
    os.mkfifo(main)
    with pytest.raises(Complaint, match="in the way"):
        look(folder, expert)
    main.unlink()
    main.mkdir()
    with pytest.raises(Complaint, match="in the way"):
        look(folder, expert)
    main.rmdir()
    main.write_bytes(b" " * (installation.MAX_SOURCE_BYTES + 1))
    with pytest.raises(Complaint, match="too large"):
        look(folder, expert)


# --- what a person reads -------------------------------------------------------------------


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
    steps = ("F7: 0 errors", "127.0.0.1", "Navigator", "auth_token", "Algo Trading in the toolbar")
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
    assert screen.standing(look(folder, expert)) == told


def test_the_command_that_compiles(house: Path, expert: Expert, tmp_path: Path) -> None:
    """In the words of the terminal's system: of Windows itself, or under Wine with its prefix."""
    put_prefix(house / ".wine")
    (one,) = found_terminals(home=house, environ={}, is_windows=False)
    data = rf"C:\users\ann\AppData\Roaming\MetaQuotes\Terminal\{HASH}\MQL5"
    assert screen.compile_command(look(one, expert), "linux") == (
        rf"WINEPREFIX={house}/.wine wine 'C:\Program Files\MetaTrader 5\metaeditor64.exe' "
        rf"'/compile:{data}\Experts\TerminalGateway.mq5' '/inc:{data}' "
        rf"'/log:{data}\Experts\TerminalGateway.log'"
    )
    windows = open_folder(put_program(tmp_path / "MT 5", "mt5"))
    assert windows is not None
    assert screen.compile_command(look(windows, expert), "win32") == (
        f'"{tmp_path / "MT 5" / "metaeditor64.exe"}" /compile:"{windows.source(MAIN)}" '
        f'/inc:"{windows.mql}" /log:"{windows.source(MAIN.with_suffix(".log"))}"'
    )


def test_where_no_command_compiles(house: Path, expert: Expert) -> None:
    """On a Mac, where the app has a Wine of its own; under Wine with spaces in a path, where
    MetaEditor fails without a word; and without a MetaEditor."""
    data, program = put_prefix(house / ".wine")
    (one,) = found_terminals(home=house, environ={}, is_windows=False)
    assert screen.compile_command(look(one, expert), "darwin") is None
    portable = chosen(program / "MQL5", [one])
    assert portable.path != data
    assert screen.compile_command(look(portable, expert), "linux") is None
    (program / data_folder.EDITORS["mt5"]).unlink()
    assert screen.compile_command(look(one, expert), "linux") is None
