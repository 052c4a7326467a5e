"""The journal of changes: a key belongs to one request, and a row ends once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.audit import Audit
from gateway.home.ledger import open_ledger
from gateway.mt4_manager import KeyReused
from gateway.mt4_manager.journal import (
    MAX_COMMENT,
    Entry,
    ManagerJournal,
    meaning,
    new_tag,
    tagged,
)
from gateway.storage.ledger import Ledger

ENTRY = Entry(
    key="k",
    tag="abcdefgh",
    fingerprint=b"f",
    operator="ann",
    operation="deposit",
    op="trade_transaction",
    facts={"login": 7, "amount": 10.0},
    command_id=5,
    link="run/s-1",
    created_ms=1_800_000_000_000,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def journal(ledger: Ledger) -> ManagerJournal:
    return ManagerJournal(ledger, Audit(ledger), lambda: 1_800_000_000_500)


def trail(ledger: Ledger) -> list[Any]:
    """Return what the audit trail says of changes."""
    rows = ledger.reader.all("SELECT entry FROM audit ORDER BY n")
    return [orjson.loads(row["entry"]) for row in rows]


async def test_a_row_from_begin_to_end(ledger: Ledger, journal: ManagerJournal) -> None:
    """It is there once begun, and in the trail at both times."""
    begun = await journal.begin(ENTRY)
    assert journal.find("ann", "k") == begun == replace(ENTRY, id=begun.id)
    assert journal.open() == [begun]
    assert journal.last_command_id == 5
    settled = await journal.settle(begun, "done", result=b"{}")
    assert journal.find("ann", "k") == settled
    assert (settled.state, settled.settled_ms) == ("done", 1_800_000_000_500)
    assert journal.open() == []
    noted = [(one["event"], one["actor"], one["outcome"]) for one in trail(ledger)]
    assert noted == [
        ("manager_change", "manager:ann", "sending"),
        ("manager_change", "manager:ann", "done"),
    ]
    assert trail(ledger)[0]["facts"] == {"login": 7, "amount": 10.0}


@pytest.mark.parametrize("state", ["done", "unknown", "lost", "sending"])
async def test_what_may_have_been_done_does_not_begin_anew(
    journal: ManagerJournal, state: Any
) -> None:
    """The row that there is comes back, with the command that was sent."""
    begun = await journal.begin(ENTRY)
    if state != "sending":
        await journal.settle(begun, state)
    again = await journal.begin(replace(ENTRY, command_id=9, tag="other"))
    assert (again.id, again.command_id, again.tag, again.state) == (begun.id, 5, "abcdefgh", state)


@pytest.mark.parametrize("state", ["refused", "not_sent"])
async def test_what_was_not_done_begins_anew_in_its_row(
    journal: ManagerJournal, state: Any
) -> None:
    """With a command and a tag of its own; what comes of the first one is not its."""
    begun = await journal.begin(ENTRY)
    await journal.settle(begun, state, retcode=134)
    again = await journal.begin(replace(ENTRY, command_id=9, tag="ijklmnop"))
    assert (again.id, again.command_id, again.tag, again.state) == (
        begun.id,
        9,
        "ijklmnop",
        "sending",
    )
    assert journal.of_command(5) is None
    assert (await journal.settle(begun, "done")).state == "sending"
    assert journal.get(begun.id).state == "sending"
    assert journal.get(begun.id).retcode == 0


async def test_a_key_with_another_request(journal: ManagerJournal) -> None:
    """It is refused, whatever became of the first."""
    begun = await journal.begin(ENTRY)
    for state in ("sending", "refused"):
        if state == "refused":
            await journal.settle(begun, "refused")
        with pytest.raises(KeyReused):
            await journal.begin(replace(ENTRY, command_id=9, fingerprint=b"g"))
    assert journal.get(begun.id).command_id == 5


@pytest.mark.parametrize("end", ["done", "refused", "not_sent", "lost"])
async def test_a_row_ends_once(journal: ManagerJournal, end: Any) -> None:
    """Unknown may become known; what is known stays so."""
    begun = await journal.begin(ENTRY)
    unknown = await journal.settle(begun, "unknown")
    assert (unknown.state, unknown.settled_ms) == ("unknown", None)
    assert journal.open() == [unknown]
    assert (await journal.settle(begun, end)).state == end
    for other in ("done", "refused", "unknown"):
        assert (await journal.settle(begun, other)).state == end


async def test_command_ids_are_counted_over_all_runs(
    ledger: Ledger, journal: ManagerJournal
) -> None:
    """The next run's begin above them."""
    assert journal.last_command_id == 0
    await journal.begin(replace(ENTRY, key="a", tag="a", command_id=900))
    await journal.begin(replace(ENTRY, key="b", tag="b", command_id=30))
    assert ManagerJournal(ledger, Audit(), lambda: 0).last_command_id == 900


def test_a_tagged_comment_fits_a_record() -> None:
    """31 characters, the tag at the end, whatever the operator wrote."""
    assert len(tagged("x" * MAX_COMMENT, new_tag())) == 31
    assert tagged("", "abcdefgh") == "#abcdefgh"
    assert len({new_tag() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("retcode", "err", "state"),
    [
        (134, 0, "refused"),
        (2, 0, "refused"),
        (6, 0, "refused"),
        (128, 0, "unknown"),
        (142, 0, "unknown"),
        (143, 0, "unknown"),
        (0, 65536, "not_sent"),
        (0, 65537, "unknown"),
        (0, 4003, "refused"),
    ],
)
def test_what_a_refusal_means(retcode: int, err: int, state: str) -> None:
    """Too late: never begun. A timeout: nobody knows. All else: not done."""
    assert meaning(retcode, err) == state


async def test_a_key_belongs_to_its_operator(journal: ManagerJournal) -> None:
    """Another one's is another row, whatever it asks for."""
    mine = await journal.begin(ENTRY)
    other = replace(ENTRY, operator="bob", tag="other", command_id=9, fingerprint=b"g")
    his = await journal.begin(other)
    assert his.id != mine.id
    assert journal.find("ann", "k") == mine
    assert journal.find("bob", "k") == his
    assert journal.find("eve", "k") is None
