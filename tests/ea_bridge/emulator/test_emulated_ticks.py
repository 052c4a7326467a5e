"""The ticks that an emulated terminal pushes: each once, also those that share a millisecond."""

from __future__ import annotations

import gzip
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from terminal_bench import EURUSD, Bench, rows

from ea_bridge import commands
from ea_bridge.emulator.terminal import MISSED_TICKS
from ea_bridge.model import Tick

Told = list[tuple[Any, ...]]
FIRST_MSC = 1_546_383_600_000


def in_threes(folder: Path) -> Path:
    """A made file: 30 stamps, three ticks of each."""
    lines = [
        f"{FIRST_MSC + 1000 * (n // 3)},{1 + n / 100_000:.5f},{1 + (n + 3) / 100_000:.5f}"
        for n in range(90)
    ]
    return written(folder, "time_msc,bid,ask", lines)


def by_the_second(folder: Path) -> Path:
    """The first thousand of the packaged real ticks with stamps of whole seconds, as feeds have
    that know no milliseconds."""
    packed = files("ea_bridge.simulation") / "data" / "ticks" / "EURUSD.csv.gz"
    header, *lines = gzip.decompress(packed.read_bytes()).decode("ascii").splitlines()
    stamped = (line.split(",", 1) for line in lines[:1000])
    return written(folder, header, [f"{int(t) // 1000}000,{rest}" for t, rest in stamped])


def written(folder: Path, header: str, lines: list[str]) -> Path:
    """A file of ticks."""
    file = folder / "EURUSD.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="ascii")
    return file


def watch(bench: Bench, cursor: tuple[int, int] = (0, 0)) -> None:
    """Have EURUSD's ticks pushed, from a cursor on."""
    last_msc, same = cursor
    bench.result(commands.WATCH, symbol=EURUSD, ticks=True, last_msc=last_msc, n_same_msc=same)


def cursor_of(told: Told) -> tuple[int, int]:
    """Where a stream stands that has come so far."""
    last = told[-1][1]
    return last, sum(row[1] == last for row in told)


def to_the_end(bench: Bench) -> Told:
    """What is told until there is nothing more."""
    told: Told = []
    while fresh := rows(bench.pulse()):
        told += fresh
    return told


def as_told(ticks: list[Tick]) -> list[tuple[int, str, str]]:
    """Ticks as rows have them: stamp, bid, ask."""
    return [(one.time_msc, f"{one.bid:.5f}", f"{one.ask:.5f}") for one in ticks]


def prices(told: Told) -> list[tuple[int, str, str]]:
    """Rows without what does not differ."""
    return [(row[1], row[2], row[3]) for row in told]


@pytest.mark.parametrize("make", [in_threes, by_the_second])
def test_ticks_of_one_millisecond_are_all_told(make: Any, tmp_path: Path) -> None:
    """A file in which ticks share their stamps arrives whole, as its history has it."""
    file = make(tmp_path)
    bench = Bench(flat_out=True, ticks=file)
    bench.terminal.link_ready(ack=0)
    watch(bench)
    told = to_the_end(bench)

    history = bench.market.ticks(EURUSD, from_msc=told[0][1])
    assert len(told) == len(file.read_text().splitlines()) - 1
    assert prices(told) == as_told(history)


@pytest.mark.parametrize("cut_after", [1, 2, 3, 4, 200])
def test_a_cursor_within_a_millisecond_goes_on_within_it(cut_after: int, tmp_path: Path) -> None:
    """A link that is lost anywhere, and a stream that goes on behind the last tick it had."""
    bench = Bench(flat_out=True, ticks=by_the_second(tmp_path))
    bench.terminal.link_ready(ack=0)
    watch(bench)
    told = to_the_end(bench)
    before = told[:cut_after]
    bench.terminal.link_lost()
    bench.terminal.link_ready(ack=0)
    watch(bench, cursor_of(before))

    assert before + to_the_end(bench) == told


def test_a_long_past_comes_in_parts_and_whole() -> None:
    """More than goes out at once, and what happens meanwhile behind it."""
    bench = Bench()
    bench.terminal.link_ready(ack=0)
    [first] = bench.market.ticks(EURUSD, count=1)
    bench.pulse(4 * 3600)
    watch(bench, (first.time_msc, 1))
    told: Told = []
    parts = 0
    for _ in range(20):
        bench.now_msc += 1000
        fresh = rows(bench.terminal.pulse()[0])
        told += fresh
        parts += len(fresh) >= MISSED_TICKS
    history = bench.market.ticks(EURUSD, from_msc=first.time_msc + 1)

    assert parts >= 2
    assert prices(told) == as_told(history)
