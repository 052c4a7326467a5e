"""``history pull``: files that are whole or not there, and pulls that go on."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
from demo_process import Demo
from shell import Done

from gateway.cli.history.archive import (
    UNFINISHED,
    PriceArchive,
    PricePart,
    RowKind,
    Source,
    folder_name,
    parts_of,
)

DAY_MS = 86_400_000
T0 = 1_735_689_600_000  # 2025-01-01T00:00Z
SOURCE = Source("Broker-Demo", "Broker Ltd", "mt5", "mt-gateway test")
M1_CSV = RowKind("M1", "csv")
SPAN = ("--from", "2025-12-31T22:00Z", "--to", "2026-01-01T01:59:59Z")


class Prices:
    """A history of a bar a minute."""

    def __init__(
        self, first_ms: int, last_ms: int, *, reason: str | None = None, fails: bool = False
    ) -> None:
        self.first_ms, self.last_ms, self.fails = first_ms, last_ms, fails
        self.complete, self.reason = reason is None, reason

    async def pages(self) -> AsyncIterator[list[Any]]:
        names = ("open", "high", "low", "close", "tick_volume", "spread", "real_volume")
        times = range(self.first_ms, self.last_ms + 1, 60_000)
        yield [{"time": t, "broker_time": t, **dict.fromkeys(names, 1)} for t in times]
        yield []
        if self.fails:
            raise ConnectionError


async def fine() -> None:
    """The terminal is on the same server as before."""


def minutes(first: int, last: int) -> tuple[int, int]:
    return T0 + first * 60_000, T0 + last * 60_000


async def write(
    archive: PriceArchive, first: int, last: int, *, reason: str | None = None, fails: bool = False
) -> PricePart:
    """Pull minutes of the year into the archive, as the command does."""
    part = PricePart("2025", *minutes(first, last))
    span = archive.span(part, archive.sidecar(part))
    prices = Prices(*span, reason=reason, fails=fails)
    await archive.write(part, span, prices, lambda _: None, fine)
    return part


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


async def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """What ends a pull in the middle leaves neither a file nor a draft, and the old file as it
    was."""
    archive = PriceArchive(tmp_path, "EURUSD", M1_CSV, SOURCE)
    with pytest.raises(ConnectionError):
        await write(archive, 0, 9, fails=True)
    assert files(tmp_path) == set()

    part = await write(archive, 0, 9)
    before = archive.path(part).read_bytes()
    with pytest.raises(ConnectionError):
        await write(archive, 0, 99, fails=True)
    assert archive.path(part).read_bytes() == before
    known = archive.sidecar(part)
    assert known is not None
    assert (known.rows, known.complete, known.source) == (10, True, SOURCE)


async def test_a_file_grows_to_what_was_ever_asked_for(tmp_path: Path) -> None:
    """What it has is not pulled again; a wider span is, with what was there."""
    archive = PriceArchive(tmp_path, "EURUSD", M1_CSV, SOURCE)
    part = await write(archive, 10, 19)
    known = archive.sidecar(part)
    inside, wider = PricePart("2025", *minutes(12, 15)), PricePart("2025", *minutes(15, 29))
    assert archive.is_there(inside, known)
    assert not archive.is_there(wider, known)
    await write(archive, 15, 29)
    known = archive.sidecar(part)
    assert known is not None
    assert (known.first_ms, known.last_ms) == minutes(10, 29)
    assert known.rows == 20


async def test_a_poorer_history_takes_the_place_of_no_better_one(tmp_path: Path) -> None:
    """A terminal forgets its oldest bars; the file does not."""
    archive = PriceArchive(tmp_path, "EURUSD", M1_CSV, SOURCE)
    part = await write(archive, 0, 9, reason="max_bars")
    known = archive.sidecar(part)
    assert known is not None
    assert known.has_holes
    assert not archive.is_there(part, known)
    poorer = Prices(*minutes(5, 9), reason="max_bars")
    span = minutes(0, 9)
    assert await archive.write(part, span, poorer, lambda _: None, fine) == known
    assert archive.sidecar(part) == known
    await write(archive, 0, 9)
    assert archive.is_there(part, archive.sidecar(part))


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("came", [(21, 40), (35, 40), (-30, 5), None])
async def test_a_file_stays_where_its_rows_did_not_come(
    tmp_path: Path, form: str, came: tuple[int, int] | None
) -> None:
    """However many others came; that the wider span has a hole is told."""
    archive = PriceArchive(tmp_path, "EURUSD", RowKind("M1", form), SOURCE)
    part = await write(archive, 0, 10)
    known, before = archive.sidecar(part), archive.path(part).read_bytes()
    prices = Prices(*minutes(*came or (1, 0)), reason="max_bars")
    told = await archive.write(part, minutes(-30, 40), prices, lambda _: None, fine)
    assert (told.rows, told.complete, told.reason, told.has_holes) == (11, False, "max_bars", True)
    assert archive.path(part).read_bytes() == before
    assert archive.sidecar(part) == known

    more = Prices(*minutes(0, 20), reason="max_bars")
    told = await archive.write(part, minutes(-30, 40), more, lambda _: None, fine)
    assert (told.rows, told.has_holes) == (21, True)
    assert archive.sidecar(part) == told


async def test_what_is_not_over_is_pulled_again(tmp_path: Path) -> None:
    """The last bar was still forming; that is no hole."""
    archive = PriceArchive(tmp_path, "EURUSD", RowKind("MN1", "csv"), SOURCE)
    part = PricePart("9999", T0, T0 + 400 * 365 * DAY_MS)
    prices = Prices(T0, T0)
    known = await archive.write(part, (part.first_ms, part.last_ms), prices, lambda _: None, fine)
    assert (known.complete, known.reason, known.has_holes) == (False, "not_over", False)
    assert not archive.is_there(part, known)


@pytest.mark.parametrize("damage", ["sidecar", "file", "size", "text"])
async def test_a_file_without_its_sidecar_is_none(tmp_path: Path, damage: str) -> None:
    """A kill between the two renames, a disk that lost one, a person who edited it."""
    archive = PriceArchive(tmp_path, "EURUSD", M1_CSV, SOURCE)
    part = await write(archive, 0, 9)
    sidecar = archive.path(part).with_name("2025.csv.json")
    match damage:
        case "sidecar":
            sidecar.unlink()
        case "file":
            archive.path(part).unlink()
        case "size":
            archive.path(part).write_text("time\n")
        case _:
            sidecar.write_text('{"rows": [')
    assert archive.sidecar(part) is None


async def test_drafts_of_killed_pulls_are_swept(tmp_path: Path) -> None:
    """After an hour: one that is younger may be another pull's."""
    archive = PriceArchive(tmp_path, "EURUSD", M1_CSV, SOURCE)
    archive.folder.mkdir(parents=True)
    old, young = (archive.folder / f"2024.csv.{pid}{UNFINISHED}" for pid in (1, 2))
    for draft in (old, young):
        draft.touch()
    os.utime(old, (1, 1))
    await write(archive, 0, 1)
    assert (old.exists(), young.exists()) == (False, True)


async def test_another_brokers_prices_are_not_kept(tmp_path: Path) -> None:
    """The terminal logged in elsewhere while they came."""

    async def changed() -> None:
        raise ConnectionError

    archive = PriceArchive(tmp_path, "EURUSD", M1_CSV, SOURCE)
    part = PricePart("2025", *minutes(0, 9))
    with pytest.raises(ConnectionError):
        await archive.write(part, minutes(0, 9), Prices(*minutes(0, 9)), lambda _: None, changed)
    assert files(tmp_path) == set()


def test_parts_are_years_or_days_of_utc() -> None:
    """Clipped to the span; together they are all of it."""
    last = T0 + 366 * DAY_MS
    years = list(parts_of(T0 - 1, last, M1_CSV))
    assert [part.name for part in years] == ["2024", "2025", "2026"]
    assert [part.last_ms + 1 for part in years[:-1]] == [part.first_ms for part in years[1:]]
    assert (years[0].first_ms, years[-1].last_ms) == (T0 - 1, last)
    days = list(parts_of(T0 + 5, T0 + DAY_MS, RowKind(None, "csv")))
    assert [part.name for part in days] == ["2025-01-01", "2025-01-02"]
    assert [part.last_ms - part.first_ms for part in days] == [DAY_MS - 6, 0]


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "../../etc", "a/b", "a\\b", "C:x", "CON", "con.x", "x.", "x ", ".x", "a\0b"],
)
def test_a_brokers_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    """Whatever it is called; no name of it means another place on any system."""
    told = folder_name(name)
    assert (tmp_path / told).resolve().parent == tmp_path.resolve()
    assert told
    assert not set(told) & set('/\\:*?"<>|\0')
    assert told.split(".")[0].upper() != "CON"
    assert not told.endswith((".", " "))


def test_usual_names_stay_as_they_are() -> None:
    """So that a person finds them."""
    for name in ("EURUSD", "EURUSD.r", "#AAPL", "US30+", "BRENT_OCT", "ICMarketsSC-Demo02"):
        assert folder_name(name) == name


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "yesterday"), "--from yesterday: give it as"),
        (("--from", "2025-01-02", "--to", "2025-01-01"), "is after the last time"),
        (("--from", "2999-01-01"), "is after the last time"),
        (("--from", "2025-01-01", "--timeframe", "M7"), "--timeframe M7: give one of M1 M2"),
        (("--from", "2025-01-01", "--format", "xlsx"), "give parquet or csv"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    run: Callable[..., Done], tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """Before a gateway is looked for."""
    done = run("history", "pull", "EURUSD", "--out", str(tmp_path / "x"), *arguments)
    assert done.code == 2
    assert told in done.complaint


def pull(demo: Demo, out: Path, *more: str) -> tuple[str, ...]:
    return ("history", "pull", "EURUSD", *SPAN, "--out", str(out), "--home", demo.home, *more)


def test_one_file_of_a_span(run: Callable[..., Done], demo: Demo, tmp_path: Path) -> None:
    """Over two years, in either format; nothing else is left but its sidecar."""
    for name in ("x.csv", "x.parquet"):
        done = run(*pull(demo, tmp_path / name))
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("EURUSD: 240 bars of M1 in ")
    assert files(tmp_path) == {"x.csv", "x.csv.json", "x.parquet", "x.parquet.json"}
    table = pandas.read_parquet(tmp_path / "x.parquet")
    assert table["time"].is_monotonic_increasing
    rows = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert (rows[0]["time"], rows[-1]["time"]) == (
        "2025-12-31T22:00:00.000Z",
        "2026-01-01T01:59:00.000Z",
    )
    assert [float(row["close"]) for row in rows] == list(table["close"])
    sidecar = json.loads((tmp_path / "x.parquet.json").read_text())
    assert (sidecar["rows"], sidecar["complete"], sidecar["reason"]) == (240, True, None)
    assert sidecar["source"]["server"] == demo.account["server"]
    assert sidecar["last"] == "2026-01-01T01:59:59.000Z"


def test_a_folder_of_years_and_days(run: Callable[..., Done], demo: Demo, tmp_path: Path) -> None:
    """A second pull finds all of it there, and touches nothing."""
    ticks = ("--ticks", "--format", "csv")
    place = f"{demo.account['server']}/EURUSD"
    for more in (ticks, ()):
        assert run(*pull(demo, tmp_path, *more)).code == 0
    names = (
        *(f"{place}/M1/{year}.parquet" for year in (2025, 2026)),
        *(f"{place}/ticks/{day}.csv" for day in ("2025-12-31", "2026-01-01")),
    )
    assert files(tmp_path) == {*names, *(f"{name}.json" for name in names)}
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    assert run(*pull(demo, tmp_path)).code == 0
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in before} == before


def test_base_install_writes_csv(
    run: Callable[..., Done], demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet says what to install, and leaves nothing behind."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run(*pull(demo, tmp_path / "x.csv")).code == 0
    done = run(*pull(demo, tmp_path / "y.parquet"))
    assert "pip install 'mt-gateway[data]'" in done.complaint
    assert files(tmp_path) == {"x.csv", "x.csv.json"}


def test_an_unknown_symbol_is_told(run: Callable[..., Done], demo: Demo, tmp_path: Path) -> None:
    """With what may have been meant."""
    done = run("history", "pull", "EURUSDX", *SPAN, "--out", str(tmp_path), "--home", demo.home)
    assert done.code == 1
    assert "Did you mean EURUSD" in done.complaint
