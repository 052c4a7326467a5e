"""The oldest rows of a trail, moved to a file where they can still be verified.

A file has one JSON object a line, ``n``, ``hash`` and ``entry``, as ``audit export`` prints them.
It is on the disk and has been read back before a row is taken out of the database.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ea_bridge import host
from gateway.storage.store import Store

from .table import GENESIS, Head, append, begin_of, chained, extent_of, hash_of
from .verify import rows

AT_ONCE = 1000
"""Rows that are taken out in one transaction: the gateway's own writes wait behind it."""
PAUSE_S = 0.05
"""Least time between two of these. Who waits for the database looks again after 25 ms at first,
and after 100 ms later on: without a pause he finds it taken each time, and gives up."""
_LINE = re.compile(rb'\{"n":([0-9]{1,19}),"hash":"([0-9a-f]{64})","entry":(.*)\}\n')


class ArchiveError(ValueError):
    """Nothing was archived, or a file is no archive; the message says why."""


class Row(NamedTuple):
    """One line of a file."""

    n: int
    hash: bytes
    entry: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a trail."""

    begin: Head
    """The row before it."""
    end: Head
    """Its last row."""


def line_of(n: int, hashed: bytes, entry: bytes) -> bytes:
    """Return a row as a file, or an export, has it."""
    return b'{"n":%d,"hash":"%s","entry":%s}\n' % (n, hashed.hex().encode(), entry)


def last_before(store: Store, time_ms: int) -> int:
    """Return the number of the last row of those that are all older than a moment.

    The last row of the trail stays in any case: the next one holds on to it.

    Raises:
        StoreError: the ledger cannot be read.

    """
    found, last = begin_of(store).n, extent_of(store)[1]
    for row in rows(store, found + 1):
        if row["n"] >= last or _time(row["entry"]) >= time_ms:
            break
        found = row["n"]
    return found


def write_file(store: Store, file: Path, last: int) -> Part:
    """Copy the rows up to ``last`` that are not archived yet into a new file.

    Raises:
        ArchiveError: they are not as they were written, or the file is there already.
        OSError: the file cannot be written.
        StoreError: the ledger cannot be read.

    """
    begin = begin_of(store)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as opened:
            for row in rows(store, begin.n + 1):
                if row["n"] > last:
                    break
                opened.write(line_of(row["n"], row["hash"], row["entry"]))
            opened.flush()
            # on the disk before the trail may do without these rows
            os.fsync(opened.fileno())
        # read back: what was written is what is verified, not what was meant
        end = read_file(fresh, begin)
        if end.n != last:
            raise ArchiveError(f"the trail ends at row {end.n}, not at {last}")
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))  # what is there is not written over
        # under its name only once it is whole: a crash leaves no half file that looks like one
        fresh.replace(file)
        _sync(file.parent)
    except FileExistsError:
        raise ArchiveError(
            f"{file} is there already; move it away, or name another folder"
        ) from None
    finally:
        fresh.unlink(missing_ok=True)
    return Part(begin, end)


def make_folder(folder: Path) -> None:
    """Make a folder for files, on the disk with all above it that was not there either.

    Raises:
        OSError: it cannot be made.

    """
    fresh = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in fresh:
        _sync(path.parent)  # else a file in it were gone with it after a power cut


def is_marked(store: Store, part: Part) -> bool:
    """Whether a part is archived: the trail does without it, or may from now on."""
    return store.one("SELECT 1 FROM audit_marks WHERE n = ?", part.end.n) is not None


def read_file(file: Path, begin: Head | None = None) -> Head:
    """Verify a file; return its last row.

    Args:
        file: to be read.
        begin: the row before its first; ``None``: the file begins with row 1.

    Raises:
        ArchiveError: it does not follow on that row, or a row is not as it was written.
        OSError: it cannot be read.

    """
    before = begin or Head(0, GENESIS)
    for row in lines(file):
        if row.n != before.n + 1:
            raise ArchiveError(f"{file}: row {row.n} stands where row {before.n + 1} belongs")
        if chained(before.hash, row.n, row.entry) != row.hash:
            raise ArchiveError(f"{file}: row {row.n}, or its hash, is not as it was written")
        before = Head(row.n, row.hash)
    return before


def lines(file: Path) -> Iterator[Row]:
    """Yield the rows of a file.

    Raises:
        ArchiveError: a line is none of an archive.
        OSError: it cannot be read.

    """
    with file.open("rb") as opened:
        for number, line in enumerate(opened, 1):
            found = _LINE.fullmatch(line)
            if found is None:
                raise ArchiveError(f"{file}: line {number} is not one of an archive")
            yield Row(int(found[1]), bytes.fromhex(found[2].decode()), found[3])


def mark(store: Store, part: Part, signed: str, entry: bytes) -> None:
    """Let the trail begin after a part that lies in a file; say so in the trail.

    Args:
        store: the ledger's.
        part: as :func:`write_file` returned it.
        signed: the checkpoint of its last row.
        entry: of the row that says it.

    Raises:
        ArchiveError: somebody else has archived meanwhile.
        StoreError: it could not be written.

    """
    with store.transaction() as connection:
        # compared within the transaction: two archives at once would both take the same rows out
        if begin_of(store) != part.begin:
            raise ArchiveError("the trail was archived by somebody else meanwhile")
        values = (part.end.n, part.end.hash, signed)
        connection.execute("INSERT INTO audit_marks (n, hash, signed) VALUES (?, ?, ?)", values)
        append(connection, entry)


def check_files(store: Store, files: Iterable[Path]) -> Head:
    """Verify files that follow on one another, up to a row that the trail knows.

    Args:
        store: the ledger's.
        files: in their order; the first begins with row 1, or where another one ended.

    Returns:
        The last row of the last file.

    Raises:
        ArchiveError: a file does not fit, or is not as it was written.
        OSError: one cannot be read.
        StoreError: the ledger cannot be read.

    """
    end: Head | None = None
    file = Path()
    for file in files:
        first = next(lines(file), None)
        if first is None:
            raise ArchiveError(f"{file} is empty")
        known = hash_of(store, first.n - 1) if end is None else end.hash
        if known is None:
            raise ArchiveError(f"{file} begins with row {first.n}; name the file before it, too")
        before = first.n - 1 if end is None else end.n
        end = read_file(file, Head(before, known))
    if end is None or hash_of(store, end.n) != end.hash:
        raise ArchiveError(f"{file} ends with a row that is not this trail's")
    return end


def take_out(store: Store) -> int:
    """Take out all rows that are archived, a few at a time; return how many there were.

    One that was interrupted is finished by the next: until then they are there twice.

    Raises:
        StoreError: it could not be written.

    """
    begin, taken, pause_s = begin_of(store).n, 0, 0.0
    while row := store.one("SELECT min(n) AS n FROM audit WHERE n <= ?", begin):
        if row["n"] is None:
            break
        # as long as the last delete took: the daemon's orders need the database as well
        host.sleep(pause_s)
        begun_s = host.monotonic_s()
        upto = min(begin, row["n"] + AT_ONCE - 1)
        with store.transaction() as connection:
            taken += connection.execute("DELETE FROM audit WHERE n <= ?", (upto,)).rowcount
        pause_s = max(PAUSE_S, host.monotonic_s() - begun_s)
    return taken


def _time(entry: bytes) -> int:
    try:
        at_ms = json.loads(entry)["ts"]
    except (ValueError, KeyError, TypeError):
        return 0
    return at_ms if isinstance(at_ms, int) else 0


def _sync(folder: Path) -> None:
    if os.name != "nt":  # Windows cannot open folders
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
