"""Files of ticks: the packaged real ones, and those that a user brings."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from ea_bridge.model import Tick, TickFlag

PACKAGED_SYMBOL = "EURUSD"
PACKAGED = "EURUSD_2019-01-01.csv.gz"
HEADER = ("time_msc", "bid", "ask")
MAX_TICKS = 20_000_000


class BadTickFile(ValueError):
    """The file holds no ticks; the message names file, line and what is wrong."""


def packaged_ticks() -> list[Tick]:
    """Return the packaged 10,000 real ticks of EURUSD, with their recorded times."""
    packed = files(__package__).joinpath("data", "ticks", PACKAGED).read_bytes()
    return parse_ticks(gzip.decompress(packed).decode("ascii").splitlines(), PACKAGED)


def read_ticks(path: Path) -> list[Tick]:
    """Read a CSV file (or ``.csv.gz``) with the columns ``time_msc,bid,ask[,flags]``.

    Raises:
        BadTickFile: a line is malformed, not a price, or older than the one before.
        OSError: the file cannot be read.

    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="ascii") as file:
            return parse_ticks(file, path.name)
    except (UnicodeDecodeError, gzip.BadGzipFile):
        raise BadTickFile(f"{path.name} is not a text file of ticks") from None


def parse_ticks(lines: Iterable[str], name: str) -> list[Tick]:
    """Read ticks from lines, the first of which names the columns.

    Raises:
        BadTickFile: as for :func:`read_ticks`.

    """
    ticks: list[Tick] = []
    last_msc = 0
    for number, line in enumerate(lines, start=1):
        if number == 1:
            _check_header(line, name)
            continue
        tick = _tick(line, f"{name}, line {number}")
        if tick.time_msc < last_msc:
            raise BadTickFile(f"{name}, line {number}: older than the tick before")
        last_msc = tick.time_msc
        ticks.append(tick)
        if len(ticks) > MAX_TICKS:
            raise BadTickFile(f"{name} has more than {MAX_TICKS:,} ticks; cut it into parts")
    if not ticks:
        raise BadTickFile(f"{name} has no ticks")
    return ticks


def symbol_of(path: Path) -> str:
    """Return the symbol that a file is about: its name up to ``_`` or the ending."""
    return path.name.removesuffix(".gz").removesuffix(".csv").partition("_")[0]


def _check_header(line: str, name: str) -> None:
    columns = tuple(line.strip().split(","))
    if columns[:3] != HEADER or columns[3:] not in ((), ("flags",)):
        raise BadTickFile(f"{name}, line 1: the header must be time_msc,bid,ask[,flags]")


def _tick(line: str, where: str) -> Tick:
    both = int(TickFlag.BID | TickFlag.ASK)
    try:
        stamp, bid, ask, *rest = line.strip().split(",")
        tick = Tick(int(stamp), float(bid), float(ask), flags=int(rest[0]) if rest else both)
    except (ValueError, IndexError):
        raise BadTickFile(f"{where}: not time_msc,bid,ask[,flags]") from None
    if not (math.isfinite(tick.bid) and math.isfinite(tick.ask) and 0 < tick.bid <= tick.ask):
        raise BadTickFile(f"{where}: bid and ask must be prices, the bid not above the ask")
    if not 946_684_800_000 <= tick.time_msc < 4_102_444_800_000:
        raise BadTickFile(f"{where}: time_msc must be milliseconds between 2000 and 2099")
    return tick
