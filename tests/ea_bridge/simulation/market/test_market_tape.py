"""Files of recorded ticks: what is refused, with file, line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from market_parts import DAY, MINUTE

from ea_bridge.simulation.market.tape import (
    HEADER,
    MAX_TAPE_DAYS,
    RecordedTick,
    TickFileError,
    digits_in,
    packaged_tape,
    parse_ticks_option,
    tape_from,
)

START = 1_795_003_200_000


def write(folder: Path, *lines: str, header: str = HEADER.decode()) -> Path:
    path = folder / "EURUSD.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def test_every_row_of_the_packaged_ticks_is_read_back() -> None:
    tape = packaged_tape("EURUSD", 5)
    rows = [row for minute in tape.busy_minutes() for row in tape.read(minute)]
    assert len(rows) == tape.rows == 10_000
    assert rows[0] == RecordedTick(1_546_383_600_078, 114_605, 114_643, 6)
    assert rows[-1] == RecordedTick(1_546_392_969_581, 114_531, 114_535, 2) == tape.last
    assert rows == sorted(rows, key=lambda row: row.time_msc)


def test_short_prices_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(HEADER + f"\r\n{START},1.1,2,6\r\n{START},1.10001,1.2,4\r\n".encode())
    tape = tape_from(path, 5)
    assert tape.read(START // MINUTE) == [
        RecordedTick(START, 110_000, 200_000, 6),
        RecordedTick(START, 110_001, 120_000, 4),
    ]


def test_flags_may_be_left_out_of_a_whole_file(tmp_path: Path) -> None:
    """Each tick then says that bid and ask changed; a file cannot have it both ways."""
    path = write(tmp_path, f"{START},1.1,1.20001", header="time_msc,bid,ask")
    assert tape_from(path, 5).read(START // MINUTE) == [RecordedTick(START, 110_000, 120_001, 6)]
    assert digits_in(path) == 5
    path = write(tmp_path, f"{START},1.1,1.2", f"{START},1.1,1.2,6", header="time_msc,bid,ask")
    with pytest.raises(TickFileError, match=r"line 3: not time_msc,bid,ask: "):
        tape_from(path, 5)


def test_the_rows_of_a_minute_are_those_and_no_others(tmp_path: Path) -> None:
    stamps = [START + 59_999, START + 60_000, START + 60_000, START + 180_000]
    tape = tape_from(write(tmp_path, *(f"{stamp},1.1,1.2,6" for stamp in stamps)), 5)
    minute = START // MINUTE
    assert [len(tape.read(minute + n)) for n in range(-1, 5)] == [0, 1, 2, 0, 1, 0]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "not time_msc"),
        ("hello", "not time_msc"),
        (f"{START},1.1,1.2", "not time_msc"),
        (f"{START},1.1,1.2,6,7", "not time_msc"),
        (f"{START},nan,1.2,6", "not time_msc"),
        (f"{START},1e5,1.2,6", "not time_msc"),
        (f"{START},-1.1,1.2,6", "not time_msc"),
        (f"{START},1.1,1.2,6 ", "not time_msc"),
        (f"{START}.5,1.1,1.2,6", "not time_msc"),
        (f"{START},1.100001,1.2,6", "more than 5 digits"),
        (f"{START},0,1.2,6", "must be prices"),
        (f"{START},1.3,1.2,6", "must be prices"),
        (f"{START},99999,99999,6", "must be prices"),
        (f"{START},1.1,1.2,70000", "no tick flags"),
        (f"{START - 1},1.1,1.2,6", "earlier than the line before"),
        ("5000000000000,1.1,1.2,6", "milliseconds since 1970"),
        (f"{START + MAX_TAPE_DAYS * DAY},1.1,1.2,6", "days after the first tick"),
        ("9" * 400, "not time_msc"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, why: str) -> None:
    path = write(tmp_path, f"{START},1.1,1.2,6", line, "")
    with pytest.raises(TickFileError, match=why) as error:
        tape_from(path, 5)
    assert str(error.value).startswith(f"{path}, line 3: ")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1: the header must be"),
        (b"time,bid,ask\n", "line 1: the header must be"),
        (HEADER, "no ticks in it"),
        (HEADER + b"\n", "no ticks in it"),
        (b"\x1f\x8b\x08\x00\x00", "line 1: the header must be"),
        (HEADER + b"\n\xff\xfe\x00,1,2,3\n", "line 2: not time_msc"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TickFileError, match=why):
        tape_from(path, 5)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TickFileError, match=r"none\.csv: No such file"):
        tape_from(tmp_path / "none.csv", 5)
    with pytest.raises(TickFileError, match=r"none\.csv: No such file"):
        digits_in(tmp_path / "none.csv")


def test_a_file_that_changed_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, *(f"{START + n},1.1,1.2,6" for n in range(3)))
    tape = tape_from(path, 5)
    write(tmp_path, f"{START},1.1,1.2,6")
    with pytest.raises(TickFileError, match="changed"):
        tape.read(START // MINUTE)


@pytest.mark.parametrize(
    ("text", "symbol", "file"),
    [
        ("EURUSD_2019-01-01_ticks.csv", "EURUSD", "EURUSD_2019-01-01_ticks.csv"),
        ("some/EURUSD.r.csv", "EURUSD.r", "some/EURUSD.r.csv"),
        ("#US 30:cash=x.csv", "#US 30:cash", "x.csv"),
        ("EURUSD_i=a=b.csv", "EURUSD_i", "a=b.csv"),
    ],
)
def test_the_symbol_is_named_or_begins_the_files_name(text: str, symbol: str, file: str) -> None:
    assert parse_ticks_option(text) == (symbol, Path(file))


@pytest.mark.parametrize("text", ["", "=x.csv", "EURUSD=", "_x.csv"])
def test_an_option_without_symbol_or_file_is_refused(text: str) -> None:
    with pytest.raises(TickFileError, match="write SYMBOL=FILE"):
        parse_ticks_option(text)


def test_decimals_of_the_first_tick(tmp_path: Path) -> None:
    assert digits_in(write(tmp_path, f"{START},150.1,150.123,6")) == 3
    with pytest.raises(TickFileError, match="line 2"):
        digits_in(write(tmp_path, "junk"))
