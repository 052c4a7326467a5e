"""The packaged data is what ATTRIBUTION.md says it is."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files

import pytest

from ea_bridge.simulation.data.make import main
from ea_bridge.simulation.market.minute_bars import BarRow, pack, packaged_bars, unpack

DATA = files("ea_bridge.simulation") / "data"
MAX_BYTES = 1_000_000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def as_csv(rows: list[BarRow]) -> bytes:
    lines = ["time,open,high,low,close,tick_volume,spread,real_volume"]
    for row in rows:
        prices = ",".join(f"{points / 1e5:.5f}" for points in row[1:5])
        lines.append(f"{row.minute * 60},{prices},{row.volume},{row.spread},0")
    return "\n".join([*lines, ""]).encode("ascii")


def test_the_ticks_are_the_source_file_byte_by_byte() -> None:
    packed = (DATA / "ticks" / "EURUSD.csv.gz").read_bytes()
    digest = "1a92e303d7f8e2693fad3c50ca90a910324fc27bd182042979111256ff0c60fc"
    assert sha256(gzip.decompress(packed)) == digest
    assert digest in (DATA / "ATTRIBUTION.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "rows", "digest"),
    [
        ("EURUSD_M1", 28767, "9283e0000323ddb4091be16afbd3ca03fe5c181e9e4b48ceb0b4c888c7ed28cb"),
        ("GBPUSD_M1", 28764, "a258a688d61a5a5a1a3edd0617a528a2ee1404405c6bbc970c917047935c2499"),
    ],
)
def test_the_minutes_print_as_the_source_file_again(file: str, rows: int, digest: str) -> None:
    packed = packaged_bars(file)
    assert (packed.digits, packed.minutes, len(packed.rows)) == (5, 1, rows)
    assert sha256(as_csv(packed.rows)) == digest


def test_gold_is_four_whole_weeks_of_five_minutes() -> None:
    packed = packaged_bars("XAUUSD_M5")
    assert (packed.digits, packed.minutes, len(packed.rows)) == (2, 5, 5490)
    text = "\n".join(",".join(map(str, row)) for row in packed.rows)
    digest = "6dc0c521ce1124d6dbdf93d2d71857d699de3f52dc91afd49a2eee50bf2365c9"
    assert sha256(text.encode("ascii")) == digest


def test_packed_bars_unpack_to_the_same() -> None:
    rows = [BarRow(29_368_800, 5, 9, 1, 3, 40, 2), BarRow(29_371_680, 9, 9, 2, 2, 7, 0)]
    assert unpack(pack(rows, digits=5, minutes=1)) == (5, 1, rows)


def test_what_does_not_fit_is_refused_instead_of_wrapped() -> None:
    rows = [BarRow(0, 100, 100, 100, 100, 1, 0), BarRow(1, 40_100, 40_100, 40_100, 40_100, 1, 0)]
    with pytest.raises(OverflowError):
        pack(rows, digits=5, minutes=1)


def test_all_of_it_is_small() -> None:
    sizes = [
        len(entry.read_bytes())
        for folder in ("bars", "ticks", "specs")
        for entry in (DATA / folder).iterdir()
    ]
    assert sum(sizes) < MAX_BYTES


def test_the_maker_is_importable_and_needs_a_source(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FileNotFoundError):
        main(tmp_path)
