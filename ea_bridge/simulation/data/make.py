"""Make the packaged market data from the files that it comes from.

``python -m ea_bridge.simulation.data.make SOURCE`` reads ``SOURCE/ticks`` and ``SOURCE/bars`` (see
``ATTRIBUTION.md`` for where those files come from) and writes ``ticks`` and ``bars`` here. The
rows that result have the digests that the tests know; the bytes depend on zlib's version.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ea_bridge.simulation.market.minute_bars import BarRow, pack

_WEEK_S = 604_800
_GOLD_BEHIND_BROKER_S = 3 * 3600
"""The XAUUSD file is in UTC; brokers were three hours ahead in May 2026."""
_GOLD_FROM_S = 1_777_852_800
"""Monday 2026-05-04: four whole weeks whose last price is near the first."""


def main(source: Path) -> None:
    """Write every packaged file."""
    here = Path(__file__).parent
    ticks = (source / "ticks" / "EURUSD_2019-01-01_ticks.csv").read_bytes()
    (here / "ticks" / "EURUSD.csv.gz").write_bytes(gzip.compress(ticks, 9, mtime=0))
    for symbol in ("EURUSD", "GBPUSD"):
        rows = list(_mt5_rows(source / "bars" / f"{symbol}_M1_2025-11.csv.gz"))
        (here / "bars" / f"{symbol}_M1.gz").write_bytes(pack(rows, digits=5, minutes=1))
    gold = list(_gold_rows(source / "bars" / "XAUUSD_M5_2026.csv.gz"))
    (here / "bars" / "XAUUSD_M5.gz").write_bytes(pack(gold, digits=2, minutes=5))


def _mt5_rows(path: Path) -> Iterator[BarRow]:
    for row in _read(path):
        minute, volume = int(row["time"]) // 60, int(row["tick_volume"])
        yield BarRow(minute, *_prices(row, 5), volume, int(row["spread"]))


def _gold_rows(path: Path) -> Iterator[BarRow]:
    """Yield four weeks, in the broker's time and rounded to the specification's two digits."""
    for row in _read(path):
        time_s = int(datetime.fromisoformat(row["time"]).timestamp()) + _GOLD_BEHIND_BROKER_S
        if _GOLD_FROM_S <= time_s < _GOLD_FROM_S + 4 * _WEEK_S:
            # the file has no spread: this is the one of the captured specification
            yield BarRow(time_s // 60, *_prices(row, 2), int(row["volume"]), 10)


def _prices(row: dict[str, str], digits: int) -> tuple[int, int, int, int]:
    opened, high, low, close = (
        round(float(row[name]) * 10.0**digits) for name in ("open", "high", "low", "close")
    )
    return opened, high, low, close


def _read(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        yield from csv.DictReader(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
