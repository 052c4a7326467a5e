"""The oldest rows of a trail, moved to a file: nothing is lost, and nothing changed unseen."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_parts import cover_up, tampering, trail_of

from ea_bridge import host
from gateway.audit import MARKS, TABLE, Head, begin_of, check_end, head_of, note, verify
from gateway.audit import archive as module
from gateway.audit.archive import (
    ArchiveError,
    Part,
    check_files,
    is_marked,
    last_before,
    lines,
    make_folder,
    mark,
    read_file,
    take_out,
    write_file,
)
from gateway.audit.recorder import entry_of
from gateway.audit.table import hash_of
from gateway.audit.verify import rows
from gateway.storage.ledger import DATABASE
from gateway.storage.store import Store, StoreError

verifying = sys.modules["gateway.audit.verify"]
"""The package has a function of that name."""


@pytest.fixture(name="store")
def make_store(tmp_path: Path) -> Iterator[Store]:
    """A trail of ten rows."""
    store = trail_of(tmp_path, 10)
    yield store
    store.close()


def archived(store: Store, file: Path, last: int) -> Part:
    """Archive up to a row."""
    part = write_file(store, file, last)
    mark(store, part, "signed", entry_of("audit_archived", last=last))
    take_out(store)
    return part


def numbers(store: Store) -> list[int]:
    return [row["n"] for row in rows(store)]


def test_the_trail_goes_on_where_the_file_ends(store: Store, tmp_path: Path) -> None:
    """What is left still verifies, and so does the file; nothing is in neither."""
    before = [(row["n"], row["hash"], row["entry"]) for row in rows(store)]
    file = tmp_path / "a.jsonl"
    archived(store, file, 6)
    assert numbers(store) == [7, 8, 9, 10, 11]
    verdict = verify(store, head_of(store))
    assert (verdict.is_intact, verdict.entries, verdict.head.n) == (True, 5, 11)
    kept = [tuple(one) for one in lines(file)]
    kept += [(row["n"], row["hash"], row["entry"]) for row in rows(store)]
    assert kept[:10] == before
    with store.transaction() as connection:
        note(connection, "later")
    assert verify(store).is_intact
    if os.name == "posix":  # elsewhere there are no modes
        assert file.stat().st_mode & 0o777 == 0o600


def test_files_follow_on_one_another(store: Store, tmp_path: Path) -> None:
    """All of them together lead from the first row to the trail of today."""
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    archived(store, one, 4)
    archived(store, two, 9)
    assert check_files(store, [one, two]).n == 9
    assert check_files(store, [two]).n == 9, "the mark of the first is kept"
    assert check_files(store, [one]).n == 4
    assert verify(store).is_intact
    for wrong in ([two, one], [one, one]):
        with pytest.raises(ArchiveError):
            check_files(store, wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"order 3", b"order 4"),
        (b'"n":3,', b'"n":4,'),
        (b'{"n":1,', b'{"m":1,'),
        (b'"hash":"', b'"hash":"00'),
    ],
)
def test_a_file_that_was_changed_is_found(
    store: Store, tmp_path: Path, old: bytes, new: bytes
) -> None:
    """Each row holds on to the one before; the last one is the trail's own."""
    file = tmp_path / "a.jsonl"
    archived(store, file, 6)
    whole = file.read_bytes()
    assert old in whole
    file.write_bytes(whole.replace(old, new, 1))
    with pytest.raises(ArchiveError):
        check_files(store, [file])
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(ArchiveError, match="not this trail's"):
        check_files(store, [file])
    file.write_bytes(b"")
    with pytest.raises(ArchiveError, match="is empty"):
        check_files(store, [file])


def test_nothing_is_archived_of_a_trail_that_was_changed(tmp_path: Path) -> None:
    """It stays as it is, to be looked at."""
    store = trail_of(tmp_path / "home", 10)
    with tampering(store) as connection:
        connection.execute("UPDATE audit SET entry = replace(entry, 'done', 'gone') WHERE n = 3")
        cover_up(connection)
        with pytest.raises(ArchiveError, match="row 3"):
            write_file(store, tmp_path / "a.jsonl", 6)
    assert [one.name for one in tmp_path.iterdir()] == ["home"]
    store.close()


def test_a_row_goes_only_once_it_is_archived(store: Store, tmp_path: Path) -> None:
    """The database itself refuses anything else."""

    def delete(n: int) -> None:
        with store.transaction() as connection:
            connection.execute("DELETE FROM audit WHERE n = ?", (n,))

    with pytest.raises((StoreError, sqlite3.IntegrityError)):
        delete(1)
    part = write_file(store, tmp_path / "a.jsonl", 6)
    mark(store, part, "signed", entry_of("audit_archived"))
    with pytest.raises((StoreError, sqlite3.IntegrityError)):
        delete(7)
    delete(6)


def test_what_was_interrupted_is_finished_by_the_next(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marked, and not all of it taken out: the trail verifies all the same."""
    part = write_file(store, tmp_path / "a.jsonl", 6)
    mark(store, part, "signed", entry_of("audit_archived"))
    assert verify(store).is_intact
    with store.transaction() as connection:
        connection.execute("DELETE FROM audit WHERE n <= 2")
    assert verify(store).is_intact
    monkeypatch.setattr(module, "AT_ONCE", 3)
    assert take_out(store) == 4
    assert numbers(store)[0] == 7
    assert take_out(store) == 0


def test_a_gateway_that_runs_gets_its_turns(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows go a few at a time, with pauses in which another program writes at once."""
    monkeypatch.setattr(module, "AT_ONCE", 2)
    mark(store, write_file(store, tmp_path / "a.jsonl", 6), "signed", entry_of("audit_archived"))
    gateway = Store(tmp_path, [TABLE, MARKS], database=DATABASE)
    gateway.be_patient(patient=False)
    pauses: list[float] = []

    def write_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        with gateway.transaction() as connection:
            note(connection, "order")

    monkeypatch.setattr(host, "sleep", write_meanwhile)
    assert take_out(store) == 6
    gateway.close()
    assert len(pauses) == 3
    assert min(pauses[1:]) >= module.PAUSE_S
    assert verify(store).is_intact


def test_two_at_a_time(store: Store, tmp_path: Path) -> None:
    """Who comes second is told so, and writes over nothing."""
    first = write_file(store, tmp_path / "a.jsonl", 6)
    second = write_file(store, tmp_path / "b.jsonl", 8)
    with pytest.raises(ArchiveError, match="is there already"):
        write_file(store, tmp_path / "a.jsonl", 8)
    assert read_file(tmp_path / "a.jsonl").n == 6
    mark(store, first, "signed", entry_of("audit_archived"))
    with pytest.raises(ArchiveError, match="somebody else"):
        mark(store, second, "signed", entry_of("audit_archived"))
    assert begin_of(store) == first.end


@pytest.mark.parametrize("moment", ["hash_of", "rows"])
def test_rows_that_are_archived_meanwhile_are_not_missed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Neither by who verifies, nor by a gateway that is started at that moment."""
    part = write_file(store, tmp_path / "a.jsonl", 6)
    checkpoint = Head(5, hash_of(store, 5) or b"")
    look = getattr(verifying, moment)
    done: list[int] = []

    def archive_first(*given: object) -> object:
        if not done:
            mark(store, part, "signed", entry_of("audit_archived"))
            done.append(take_out(store))
        return look(*given)

    monkeypatch.setattr(verifying, moment, archive_first)
    if moment == "hash_of":
        assert check_end(store, checkpoint) == []
    verdict = verify(store, checkpoint)
    assert (verdict.is_intact, verdict.entries, done) == (True, 5, [6])


def test_whose_file_is_needed_is_known(store: Store, tmp_path: Path) -> None:
    """Of two at a time that of the first alone, also once a third one has gone on from there."""
    first = write_file(store, tmp_path / "a.jsonl", 6)
    second = write_file(store, tmp_path / "b.jsonl", 4)
    assert not is_marked(store, first)
    mark(store, first, "signed", entry_of("audit_archived"))
    assert (is_marked(store, first), is_marked(store, second)) == (True, False)
    take_out(store)
    archived(store, tmp_path / "c.jsonl", 8)
    assert is_marked(store, first)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot open folders")
def test_a_new_folder_is_on_the_disk_before_a_row_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut that took it would take the archive with it."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_ino))
    folder = tmp_path / "archives" / "2026"
    make_folder(folder)
    assert {tmp_path.stat().st_ino, folder.parent.stat().st_ino} <= set(synced)
    make_folder(folder)
    assert len(synced) == 2


def test_the_last_row_stays(store: Store) -> None:
    """The next one holds on to it. Of the others those go that are older."""
    assert last_before(store, 2**62) == 9
    assert last_before(store, 0) == 0
    at_ms = [module._time(row["entry"]) for row in rows(store)]
    assert last_before(store, at_ms[4]) <= 4


def test_a_cut_tail_shows_as_before(store: Store, tmp_path: Path) -> None:
    """With an archive, too; and a checkpoint that is older than it hides nothing."""
    old, new = head_of(store), None
    archived(store, tmp_path / "a.jsonl", 6)
    archived(store, tmp_path / "b.jsonl", 10)
    new = head_of(store)
    assert check_end(store, old) == []
    with tampering(store) as connection:
        connection.execute("DELETE FROM audit WHERE n > 11")
        cover_up(connection)
        assert {fault.kind for fault in check_end(store, new)} == {"cut"}


def test_a_mark_that_was_moved_shows(store: Store, tmp_path: Path) -> None:
    """Rows that were taken out without being archived leave a trail that does not fit."""
    archived(store, tmp_path / "a.jsonl", 4)
    with tampering(store) as connection:
        connection.execute("UPDATE audit_marks SET n = 7")
        connection.execute("DELETE FROM audit WHERE n <= 7")
        cover_up(connection)
        assert {fault.kind for fault in verify(store).faults} == {"changed"}
