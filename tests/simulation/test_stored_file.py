"""Bytes of one file on a simulated disk, and what a power cut leaves of them."""

from __future__ import annotations

import ctypes

import pytest

from .dice import Dice
from .power_loss import PAGE, SECTOR, Extent
from .stored_file import FIRST_CAPACITY, StoredFile

OLD, NEW, NEWER = b"o", b"n", b"m"


def write(file: StoredFile, data: bytes, offset: int) -> None:
    """Write as SQLite does."""
    buffer = ctypes.create_string_buffer(data, len(data))
    file.write(ctypes.addressof(buffer), len(data), offset)


def read(file: StoredFile, amount: int, offset: int) -> tuple[bytes, bool]:
    """Read as SQLite does."""
    buffer = ctypes.create_string_buffer(b"?" * amount, amount)
    is_whole = file.read(ctypes.addressof(buffer), amount, offset)
    return buffer.raw, is_whole


def file_of(pages: int, data: bytes = OLD) -> StoredFile:
    """Return a file whose bytes are all the same, and on the disk."""
    file = StoredFile(b"file")
    write(file, data * pages * PAGE, 0)
    file.sync()
    return file


def pieces(file: StoredFile, unit: int) -> list[bytes]:
    """Return what each unit consists of."""
    contents = file.contents()
    units = (contents[at : at + unit] for at in range(0, len(contents), unit))
    return [bytes(sorted(set(one))) for one in units]


def test_bytes_are_read_as_they_were_written() -> None:
    """Over the first capacity, with a gap of zeros, and zeros for what is not there."""
    file = StoredFile(b"file")
    write(file, b"begin", 0)
    write(file, b"end", 3 * FIRST_CAPACITY)
    assert file.size == 3 * FIRST_CAPACITY + 3
    assert read(file, 5, 0) == (b"begin", True)
    assert read(file, 5, 100) == (bytes(5), True)
    assert read(file, 5, 3 * FIRST_CAPACITY) == (b"end\0\0", False)
    assert read(file, 2, 4 * FIRST_CAPACITY) == (b"\0\0", False)
    file.cut(3)
    write(file, b"!", 9)
    assert file.contents() == b"beg\0\0\0\0\0\0!"


@pytest.mark.parametrize("extent", ["none", "all", "prefix", "pages", "sectors"])
def test_nothing_is_lost_that_was_synced(extent: Extent) -> None:
    """Whatever is kept of the rest."""
    file = file_of(3)
    assert file.is_durable
    assert not file.lose_power(Dice(1)("cut"), extent)
    write(file, NEW * PAGE, PAGE)
    assert not file.is_durable
    for seed in range(50):
        write(file, NEW * PAGE, PAGE)
        file.lose_power(Dice(seed)("cut"), extent)
        assert file.is_durable
        found = pieces(file, PAGE)
        assert (found[0], found[2], len(found)) == (OLD, OLD, 3)


def test_none_and_all_are_what_they_say() -> None:
    """The extent "none" keeps no write, "all" keeps every write; the file's length follows."""
    file = file_of(1)
    write(file, NEW * PAGE, 0)
    write(file, NEW * PAGE, PAGE)
    file.cut(PAGE + SECTOR)
    assert file.lose_power(Dice(1)("cut"), "none")
    assert file.contents() == OLD * PAGE
    write(file, NEW * PAGE, PAGE)
    file.cut(PAGE + SECTOR)
    assert not file.lose_power(Dice(1)("cut"), "all")
    assert file.contents() == OLD * PAGE + NEW * SECTOR


def test_a_prefix_has_one_torn_write_at_most() -> None:
    """All before it are whole, and nothing after it is there."""
    torn = 0
    for seed in range(200):
        file = file_of(4)
        for page in range(4):
            write(file, NEW * PAGE, page * PAGE)
        file.lose_power(Dice(seed)("cut"), "prefix")
        found = pieces(file, PAGE)
        assert found == sorted(found), "new ones come first"
        mixed = [one for one in found if one not in (OLD, NEW)]
        assert len(mixed) <= 1
        torn += len(mixed)
    assert torn > 20


@pytest.mark.parametrize(("extent", "unit"), [("pages", PAGE), ("sectors", SECTOR)])
def test_each_unit_has_what_it_had_after_any_write(extent: Extent, unit: int) -> None:
    """Each page or sector holds its bytes from before the writes or after one of them."""
    seen: set[tuple[bytes, ...]] = set()
    for seed in range(300):
        file = file_of(2)
        write(file, NEW * 2 * PAGE, 0)
        write(file, NEWER * 2 * PAGE, 0)
        file.lose_power(Dice(seed)("cut"), extent)
        found = pieces(file, unit)
        assert set(found) <= {OLD, NEW, NEWER}
        seen.add(tuple(found))
    assert len(seen) > (8 if unit == PAGE else 200)


def test_the_length_is_drawn_apart_from_the_bytes() -> None:
    """A longer file may have zeros where the bytes did not come to the disk."""
    lengths, has_hole = set(), False
    for seed in range(100):
        file = file_of(1)
        write(file, NEW * PAGE, PAGE)
        write(file, NEW * PAGE, 2 * PAGE)
        file.lose_power(Dice(seed)("cut"), "pages")
        lengths.add(file.size // PAGE)
        has_hole = has_hole or b"\0" in pieces(file, PAGE)
    assert lengths == {1, 2, 3}
    assert has_hole


def test_a_failed_sync_may_drop_what_it_was_to_write() -> None:
    """Readers see it, a later sync does not write it, a power cut loses it; unless it is written
    anew. Or it stays to be written.
    """
    found = set()
    for seed in range(20):
        file = file_of(2)
        write(file, NEW * PAGE, 0)
        write(file, NEW * PAGE, PAGE)
        file.fail_sync(Dice(seed)("cut"))
        assert not file.is_durable
        assert file.contents() == NEW * 2 * PAGE
        write(file, NEWER * PAGE, PAGE)
        file.sync()
        assert file.contents() == NEW * PAGE + NEWER * PAGE
        file.lose_power(Dice(seed)("cut"))
        found.add(file.contents())
    assert found == {OLD * PAGE + NEWER * PAGE, NEW * PAGE + NEWER * PAGE}
