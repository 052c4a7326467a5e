"""``bench``: the two paths are what they are called, and the figures are those that were taken."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from shell import Done

from gateway.cli.bench import MeasuredPath as Measured
from gateway.cli.bench import added_ms, ratio, table
from gateway.cli.bench.bench_daemon import CONFIG, gateway_kind, journal_alone
from gateway.cli.bench.paths import cpu_s, percentile
from gateway.home.home import KEY_FILE, Home
from gateway.storage.ledger import DATABASE
from gateway.trading.journal import Journal, SqliteJournal

Run = Callable[..., Done]


def test_a_percentile_is_a_value_that_was_taken():
    taken = [float(number) for number in range(100, 0, -1)]
    assert [percentile(taken, of) for of in (0, 50, 90, 99, 100)] == [1, 51, 91, 100, 100]
    assert percentile([7.0], 99) == 7.0


def measured(*rounds: tuple[float, float]) -> Measured:
    """Rounds of orders that took so many milliseconds alone, so many a second among many."""
    alone = [[ms - 1, ms, ms + 1] for ms, _ in rounds]
    return Measured(alone, [ms * 10 for ms, _ in rounds], [per_s for _, per_s in rounds], 0.77)


def test_what_the_journal_costs_is_compared_round_by_round():
    """A machine that slows down for a round slows both paths, and not what is told."""
    journaled = measured((2.5, 900.0), (9.0, 90.0), (2.4, 950.0))
    bare = measured((2.0, 1000.0), (8.5, 100.0), (2.0, 1000.0))
    assert added_ms(journaled, bare) == pytest.approx(0.5)
    assert ratio(journaled, bare) == pytest.approx(0.9)


def test_the_table_tells_all_figures():
    facts = {
        "rounds": 3,
        "at_once": 64,
        "folder": "/disk",
        "sync_ms": 0.25,
        "journal": measured((2.5, 912.0)).facts(),
        "bare": measured((2.0, 1045.0)).facts(),
        "journal_adds_ms": 0.512,
        "ratio": 0.873,
        "journal_alone_per_s": 6543,
    }
    told = table(facts)
    for figure in ("0.25 ms", "2.50", "912", "2.00", "1045", "0.77", "0.512 ms", "0.873", "6543"):
        assert figure in told


@pytest.mark.parametrize(("journal", "kind"), [(True, SqliteJournal), (False, Journal)])
async def test_one_path_has_a_journal_and_the_other_has_none(
    tmp_path: Path, journal: bool, kind: type[Journal]
):
    with Home(tmp_path, KEY_FILE) as home:
        gateway = gateway_kind(journal=journal)(home, CONFIG)
        async with gateway.run():
            assert type(gateway.trading.state("bench").journal) is kind


def test_what_a_process_has_computed_is_told_where_the_system_knows():
    before = cpu_s(os.getpid())
    if before is None:
        pytest.skip("no /proc here")
    while (now := cpu_s(os.getpid())) == before:
        sum(range(100_000))
    assert now is not None
    assert now > before
    assert cpu_s(2**22 + 1) is None  # above all process ids


async def test_the_journal_alone_writes_every_order(tmp_path: Path):
    """And its two notes in the audit trail, as the gateway does."""
    assert await journal_alone(tmp_path, 50, 8) > 0
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        counted = db.execute("SELECT count(*), count(DISTINCT stage) FROM orders").fetchone()
        stages = db.execute("SELECT DISTINCT stage FROM orders").fetchall()
        (noted,) = db.execute("SELECT count(*) FROM audit").fetchone()
    assert counted == (50, 1)
    assert stages == [("done",)]
    assert noted == 100


@pytest.mark.long
def test_a_short_bench(run: Run, tmp_path: Path) -> None:
    """All of it, in its own processes; nothing is left on the disk."""
    few = ("--rounds", "2", "--alone", "5", "--crowded", "20", "--at-once", "8")
    done = run("bench", "orders", *few, "--dir", str(tmp_path), "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["journal"]["orders_per_s"] > 0
    assert facts["bare"]["alone_ms"]["p50"] > 0
    assert facts["journal_alone_per_s"] > 0
    assert list(tmp_path.iterdir()) == []
