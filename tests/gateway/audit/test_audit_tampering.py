"""One row flipped, inserted, swapped or removed: always found.

Whoever tampers here writes past the triggers, puts them back and mends SQLite's own count.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest
from audit_parts import cover_up, rebuild, tampering, trail_of
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit import Head, head_of, verify
from gateway.audit.verify import MAX_FAULTS
from gateway.storage.store import Store

ROWS = 40
SOME = settings(max_examples=25, deadline=None)
row_numbers = st.integers(1, ROWS)


@pytest.fixture(scope="module", name="trail")
def make_trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = trail_of(tmp_path_factory.mktemp("home"), ROWS)
    yield store
    store.close()


def bytes_of(connection: Connection, n: int, column: str) -> bytes:
    (found,) = connection.execute(
        f"SELECT CAST({column} AS BLOB) FROM audit WHERE n = ?",  # noqa: S608  # our own names
        (n,),
    ).fetchone()
    assert isinstance(found, bytes)
    return found


def put(connection: Connection, n: int, column: str, content: bytes) -> None:
    kind = "TEXT" if column == "entry" else "BLOB"
    sql = f"UPDATE audit SET {column} = CAST(? AS {kind}) WHERE n = ?"  # noqa: S608  # our names
    connection.execute(sql, (content, n))


def flip(content: bytes, at: int, mask: int) -> bytes:
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


def test_a_trail_as_it_was_written_is_intact(trail: Store):
    verdict = verify(trail, head_of(trail))
    assert verdict.is_intact
    assert verdict.entries == ROWS
    assert verdict.head == head_of(trail)


@SOME
@given(
    n=row_numbers,
    column=st.sampled_from(["entry", "hash"]),
    share=st.floats(0, 1, exclude_max=True),
    mask=st.integers(1, 255),
)
def test_a_flipped_byte_is_found(trail: Store, n: int, column: str, share: float, mask: int):
    with tampering(trail) as connection:
        content = bytes_of(connection, n, column)
        put(connection, n, column, flip(content, int(share * len(content)), mask))
        cover_up(connection)
        faults = verify(trail).faults
    assert faults
    assert {fault.n for fault in faults} <= {n, n + 1}


@pytest.mark.long
def test_every_flipped_bit_is_found(tmp_path: Path):
    """Each bit of each byte of a whole trail."""
    store = trail_of(tmp_path, 5)
    flipped = 0
    for n in range(1, 6):
        for column in ("entry", "hash"):
            with tampering(store) as connection:
                content = bytes_of(connection, n, column)
                cover_up(connection)
                connection.execute("DROP TRIGGER audit_is_not_changed")
                for at in range(len(content)):
                    for bit in range(8):
                        put(connection, n, column, flip(content, at, 1 << bit))
                        assert {one.n for one in verify(store).faults} & {n, n + 1}
                        flipped += 1
    store.close()
    assert flipped > 5000


@SOME
@given(n=st.integers(1, ROWS - 1))
def test_a_removed_row_is_found(trail: Store, n: int):
    with tampering(trail) as connection:
        connection.execute("DELETE FROM audit WHERE n = ?", (n,))
        cover_up(connection)
        (fault,) = verify(trail).faults
    assert (fault.n, fault.kind) == (n, "missing")


@SOME
@given(first=st.integers(1, ROWS), count=st.integers(1, ROWS))
def test_rows_that_close_up_after_a_removal_are_found(trail: Store, first: int, count: int):
    """The rows behind it take the numbers of those that are gone; only the checkpoint sees a
    trail that simply ends earlier."""
    last = min(ROWS, first + count - 1)
    known = head_of(trail)
    with tampering(trail) as connection:
        connection.execute("DELETE FROM audit WHERE n BETWEEN ? AND ?", (first, last))
        for n in range(last + 1, ROWS + 1):
            connection.execute("UPDATE audit SET n = ? WHERE n = ?", (n - (last - first + 1), n))
        cover_up(connection)
        without, with_one = verify(trail), verify(trail, known)
    assert without.is_intact == (last == ROWS)
    assert not with_one.is_intact


@SOME
@given(n=row_numbers, other=row_numbers)
def test_swapped_rows_are_found(trail: Store, n: int, other: int):
    with tampering(trail) as connection:
        one, two = (bytes_of(connection, at, "entry") for at in (n, other))
        put(connection, n, "entry", two)
        put(connection, other, "entry", one)
        cover_up(connection)
        assert verify(trail).is_intact == (n == other)


@SOME
@given(n=st.integers(1, ROWS))
def test_rows_swapped_with_their_hashes_are_found(trail: Store, n: int):
    other = n % ROWS + 1
    with tampering(trail) as connection:
        for number, to in ((n, -1), (other, n), (-1, other)):
            connection.execute("UPDATE audit SET n = ? WHERE n = ?", (to, number))
        cover_up(connection)
        assert not verify(trail).is_intact


@SOME
@given(
    n=st.one_of(st.integers(-(2**63), 0), st.integers(ROWS + 1, 2**63 - 1)),
    copied=row_numbers,
)
def test_a_row_beyond_the_others_is_found(trail: Store, n: int, copied: int):
    """It holds on to nothing, wherever it was put."""
    with tampering(trail) as connection:
        connection.execute(
            "INSERT INTO audit SELECT ?, entry, hash FROM audit WHERE n = ?", (n, copied)
        )
        cover_up(connection)
        assert not verify(trail).is_intact


@SOME
@given(n=row_numbers)
def test_a_row_put_between_others_is_found(trail: Store, n: int):
    with tampering(trail) as connection:
        for at in range(ROWS, n - 1, -1):
            connection.execute("UPDATE audit SET n = n + 1 WHERE n = ?", (at,))
        connection.execute(
            "INSERT INTO audit SELECT ?, entry, hash FROM audit WHERE n = ?", (n, n + 1)
        )
        cover_up(connection)
        assert not verify(trail).is_intact


def test_a_cut_tail_is_found_by_the_count_alone(trail: Store):
    """SQLite remembers how many rows there were, unless somebody sees to that too."""
    with tampering(trail) as connection:
        connection.execute("DELETE FROM audit WHERE n > 30")
        kinds = {fault.kind for fault in verify(trail).faults}
    assert "cut" in kinds


def test_what_is_written_after_a_cut_leaves_the_gap(tmp_path: Path):
    """It counts on from the rows that there were: the trail never fits again."""
    store = trail_of(tmp_path, 5)
    with store.transaction() as connection:
        connection.execute("DROP TRIGGER audit_is_not_shortened")
        connection.execute("DELETE FROM audit WHERE n > 3")
    store.close()
    store = trail_of(tmp_path, 4)
    kinds = {(fault.n, fault.kind) for fault in verify(store).faults}
    store.close()
    assert (4, "missing") in kinds


def test_another_history_is_found_by_the_checkpoint(trail: Store):
    """Who changes a row and computes all hashes anew leaves a chain that fits."""
    known = head_of(trail)
    with tampering(trail) as connection:
        put(connection, 7, "entry", b'{"event":"nothing"}')
        rebuild(connection)
        cover_up(connection)
        assert verify(trail).is_intact
        (fault,) = verify(trail, known).faults
    assert (fault.n, fault.kind) == (ROWS, "replaced")


def test_a_checkpoint_covers_the_rows_before_it_while_the_trail_grows(trail: Store):
    row = trail.one("SELECT n, hash FROM audit WHERE n = 30")
    assert row is not None
    assert verify(trail, Head(30, row["hash"])).is_intact
    (fault,) = verify(trail, Head(29, row["hash"])).faults
    assert fault.kind == "replaced"
    (fault,) = verify(trail, Head(ROWS + 1, row["hash"])).faults
    assert fault.kind == "cut"


@pytest.mark.parametrize("name", ["audit_is_not_changed", "audit_grows_at_its_end"])
def test_a_missing_trigger_is_found(trail: Store, name: str):
    with tampering(trail) as connection:
        cover_up(connection)
        connection.execute(f"DROP TRIGGER {name}")
        (fault,) = verify(trail).faults
    assert fault.kind == "unprotected"
    assert name in fault.text


def test_a_trigger_that_does_something_else_is_found(trail: Store):
    with tampering(trail) as connection:
        cover_up(connection)
        connection.execute("DROP TRIGGER audit_is_not_shortened")
        connection.execute(
            "CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN SELECT 1; END"
        )
        connection.execute(
            "CREATE TRIGGER more AFTER INSERT ON audit BEGIN DELETE FROM audit WHERE n = 1; END"
        )
        kinds = [fault.kind for fault in verify(trail).faults]
    assert kinds == ["unprotected", "unprotected"]


def test_what_was_looked_into_is_left_out(trail: Store):
    """A trail goes on after a fault; whoever has looked into it starts behind it."""
    with tampering(trail) as connection:
        put(connection, 7, "entry", b"{}")
        cover_up(connection)
        assert {fault.n for fault in verify(trail).faults} == {7}
        later = verify(trail, start=8)
        assert later.is_intact
        assert later.entries == ROWS - 7
        assert not verify(trail, start=ROWS + 2).is_intact


def test_faults_without_number_are_not_all_listed(tmp_path: Path):
    store = trail_of(tmp_path, MAX_FAULTS + 50)
    with tampering(store) as connection:
        connection.execute("UPDATE audit SET entry = '{}'")
        cover_up(connection)
        assert len(verify(store).faults) == MAX_FAULTS
    store.close()
