"""``install-ea`` finds terminals, of Windows and under Wine."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal_folders import HASH, OTHER_HASH, Run, put_data, put_prefix, put_program

from gateway.cli.install_ea.data_folder import Platform, chosen, found_terminals, open_folder
from gateway.cli.output import CliError


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


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xfe", b"\xff\xfeC", b"C:\\\x1b[2J", pytest.param(b"\0" * 9000, id="too long")],
)
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
        with pytest.raises(CliError, match=says) as refused:
            chosen(place, known)
        assert refused.value.exit_code == 2
