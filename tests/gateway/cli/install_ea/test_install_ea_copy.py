"""``install-ea`` copies: what is there already, and what is in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from terminal_folders import MAIN, contents, posix_only, with_version

from gateway.cli.install_ea import installation
from gateway.cli.install_ea.data_folder import DataFolder
from gateway.cli.install_ea.installation import RECORD, VERSION_FILE, Expert, copy, look, shipped
from gateway.cli.output import CliError


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
    with pytest.raises(CliError, match=r"1\.10\.0, newer than 1\.2\.0.*upgrade mt-gateway"):
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
    with pytest.raises(CliError, match="No space left on device"):
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
    later = made_at + 1000  # a file's times on Windows are in tenths of a microsecond
    os.utime(folder.source(VERSION_FILE), ns=(later, later))
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
    with pytest.raises(CliError, match="is a link to elsewhere"):
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
    with pytest.raises(CliError, match="is a link"):
        copy(found)
    assert not any((tmp_path / "elsewhere").iterdir())


@posix_only
def test_what_is_no_file(folder: DataFolder, expert: Expert) -> None:
    """A pipe, a folder or something huge in the place of a file is not read."""
    main = folder.source(MAIN)
    os.mkfifo(main)
    with pytest.raises(CliError, match="in the way"):
        look(folder, expert)
    main.unlink()
    main.mkdir()
    with pytest.raises(CliError, match="in the way"):
        look(folder, expert)
    main.rmdir()
    main.write_bytes(b" " * (installation.MAX_SOURCE_BYTES + 1))
    with pytest.raises(CliError, match="too large"):
        look(folder, expert)
