"""Recorded ticks in a CSV file: checked once, then read minute by minute, never whole.

The header is ``time_msc,bid,ask,flags``: milliseconds of the broker's wall clock, prices,
a :class:`~ea_bridge.model.TickFlag` mask. Times never fall; the ask is not below the bid. A file
may do without the column ``flags``: each of its ticks then says that bid and ask changed.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ea_bridge.model import TickFlag
from ea_bridge.simulation.clock import DAY

from .bars import MinuteTile, PriceSpan

HEADER = b"time_msc,bid,ask,flags"
HEADER_WITHOUT_FLAGS = HEADER.removesuffix(b",flags")
MAX_LINE_BYTES = 256
MAX_TAPE_DAYS = 93
"""From the first tick to the last: what lies between costs memory for each minute."""
_LAST_TIME_MSC = 4_102_444_800_000
"""The year 2100."""
_MAX_POINTS = 2**30
_MAX_FLAGS = 2**16
_BOTH_PRICES = TickFlag.BID | TickFlag.ASK
_LINE = re.compile(
    rb"(\d{1,14}),(\d{1,10})(?:\.(\d{1,10}))?,(\d{1,10})(?:\.(\d{1,10}))?(?:,(\d{1,5}))?"
)


class TickFileError(ValueError):
    """The file is not what it should be; the message names file, line and reason."""


class RecordedTick(NamedTuple):
    """One recorded tick; prices in points."""

    time_msc: int
    bid: int
    ask: int
    flags: int


class Tape:
    """Ticks of one symbol, indexed by the minute.

    Args:
        name: of the file, for messages.
        open_file: opens it for reading; it is opened anew for every minute that is read.
        digits: of the symbol's prices; the file's prices have no more.

    Raises:
        TickFileError: it cannot be read, or a line is wrong.

    """

    def __init__(self, name: str, open_file: Callable[[], BinaryIO], digits: int) -> None:
        self.name = name
        self.digits = digits
        self._open_file = open_file
        self._offsets: dict[int, tuple[int, int, int]] = {}
        """By minute: where its first line begins, how many lines, how many bytes."""
        self._spans: dict[int, PriceSpan] = {}
        self.rows = 0
        try:
            with open_file() as lines:
                self._index(lines)
        except OSError as error:
            raise TickFileError(f"{name}: {error.strerror or error}") from error
        if not self.rows:
            raise TickFileError(f"{name}: no ticks in it")
        self.first_minute = next(iter(self._offsets))
        self.last_minute = next(reversed(self._offsets))
        self.first, self.last = self.read(self.first_minute)[0], self.read(self.last_minute)[-1]

    @property
    def minutes(self) -> int:
        """From the first tick's minute to the last one's, both counted."""
        return self.last_minute - self.first_minute + 1

    def read(self, minute: int) -> list[RecordedTick]:
        """Return the ticks of a minute, in the order of the file.

        Raises:
            TickFileError: the file has changed since it was checked.

        """
        if minute not in self._offsets:
            return []
        offset, lines, size = self._offsets[minute]
        with self._open_file() as file:
            file.seek(offset)
            # by the bytes that the index knows: what was appended since is not seen
            chunk = file.read(size).splitlines()
        if len(chunk) != lines:
            raise TickFileError(f"{self.name}: it has changed")
        return [self._row(line, f"{self.name}: changed") for line in chunk]

    def span(self, minute: int) -> PriceSpan | None:
        """Return what happened in a minute."""
        return self._spans.get(minute)

    def busy_minutes(self) -> list[int]:
        """Return the minutes that have ticks, in order."""
        return list(self._offsets)

    def _index(self, lines: BinaryIO) -> None:
        header = lines.readline(MAX_LINE_BYTES)
        self._header = _checked_header(header, self.name)
        offset, before = len(header), 0
        # bounded: a file without a line's end would be read into memory whole
        for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES), b""), 2):
            where = f"{self.name}, line {number}"
            row = self._row(line.rstrip(b"\r\n"), where)
            self._check_time(row.time_msc, before, where)
            self._note(row, offset, len(line))
            offset, before = offset + len(line), row.time_msc

    def _row(self, line: bytes, where: str) -> RecordedTick:
        time_msc, bid, bid_part, ask, ask_part, flags = _fields(line, self._header, where)
        # rounding would make prices that nobody quoted
        if len(bid_part) > self.digits or len(ask_part) > self.digits:
            raise TickFileError(f"{where}: a price has more than {self.digits} digits")
        row = RecordedTick(
            int(time_msc),
            int(bid + bid_part.ljust(self.digits, b"0")),
            int(ask + ask_part.ljust(self.digits, b"0")),
            int(flags) if flags else _BOTH_PRICES,
        )
        if not 0 < row.bid <= row.ask < _MAX_POINTS:
            raise TickFileError(f"{where}: bid and ask must be prices, the ask not below the bid")
        if row.flags >= _MAX_FLAGS:
            raise TickFileError(f"{where}: flags of {row.flags} are no tick flags")
        return row

    def _check_time(self, time_msc: int, before: int, where: str) -> None:
        if time_msc < before:
            raise TickFileError(f"{where}: {time_msc} is earlier than the line before")
        if not 0 < time_msc < _LAST_TIME_MSC:
            raise TickFileError(f"{where}: time_msc must be milliseconds since 1970")
        if self._offsets:
            first = next(iter(self._offsets))
            if time_msc // 60_000 - first >= MAX_TAPE_DAYS * DAY:
                raise TickFileError(
                    f"{where}: more than {MAX_TAPE_DAYS} days after the first tick"
                )

    def _note(self, row: RecordedTick, offset: int, size: int) -> None:
        minute = row.time_msc // 60_000
        start, lines, total = self._offsets.get(minute, (offset, 0, 0))
        self._offsets[minute] = (start, lines + 1, total + size)
        self._spans[minute] = _grown(self._spans.get(minute), row)
        self.rows += 1


def tile_of(tape: Tape, weeks: int, slots: list[tuple[int, int]]) -> MinuteTile:
    """Return a tile in which each slot shows a minute of the tape."""
    tile = MinuteTile(weeks, tape.digits)
    for slot, minute in slots:
        span = tape.span(minute)
        if span is not None:
            tile.put_span(slot, span)
    return tile


@lru_cache(maxsize=8)
def packaged_tape(name: str, digits: int) -> Tape:
    """Return packaged ticks; they are held in memory, once for all markets."""
    packed = files("ea_bridge.simulation") / "data" / "ticks" / f"{name}.csv.gz"
    data = gzip.decompress(packed.read_bytes())
    return Tape(f"{name}.csv", lambda: io.BytesIO(data), digits)


def tape_from(path: Path, digits: int) -> Tape:
    """Return the ticks of a user's file.

    Raises:
        TickFileError: it cannot be read, or a line is wrong.

    """
    return Tape(str(path), lambda: path.open("rb"), digits)


def parse_ticks_option(text: str) -> tuple[str, Path]:
    """Read ``SYMBOL=FILE``, or ``FILE`` whose name begins with the symbol.

    The symbol is what stands before the first underscore, or before ``.csv``:
    ``EURUSD_2019-01-01_ticks.csv`` and ``EURUSD.r.csv`` are of EURUSD and EURUSD.r.

    Raises:
        TickFileError: there is no symbol or no file in it.

    """
    symbol, equals, file = text.partition("=")
    if not equals:
        file = text
        symbol = Path(file).name.removesuffix(".csv").split("_")[0]
    if not symbol or not file:
        raise TickFileError(f"{text!r}: write SYMBOL=FILE")
    return symbol, Path(file)


def digits_in(path: Path) -> int:
    """Return how many decimals the prices of a file's first tick have.

    Raises:
        TickFileError: it cannot be read, or the line is wrong.

    """
    try:
        with path.open("rb") as lines:
            header = _checked_header(lines.readline(MAX_LINE_BYTES), str(path))
            line = lines.readline(MAX_LINE_BYTES).rstrip(b"\r\n")
    except OSError as error:
        raise TickFileError(f"{path}: {error.strerror or error}") from error
    _, _, bid_part, _, ask_part, _ = _fields(line, header, f"{path}, line 2")
    return max(len(bid_part), len(ask_part))


def _checked_header(line: bytes, name: str) -> bytes:
    header = line.strip()
    if header not in (HEADER, HEADER_WITHOUT_FLAGS):
        wanted = f"{HEADER_WITHOUT_FLAGS.decode()} or {HEADER.decode()}"
        raise TickFileError(f"{name}, line 1: the header must be {wanted}")
    return header


def _fields(line: bytes, header: bytes, where: str) -> tuple[bytes, ...]:
    """Return time, bid and its decimals, ask and its decimals, flags; empty is what is absent."""
    match = _LINE.fullmatch(line)
    if match is None or (match[6] is not None) != (header == HEADER):
        shown = line[:60].decode("ascii", "backslashreplace")
        raise TickFileError(f"{where}: not {header.decode()}: {shown!r}")
    return match.groups(b"")


def _grown(span: PriceSpan | None, row: RecordedTick) -> PriceSpan:
    bid, ask = row.bid, row.ask
    if span is None:
        return PriceSpan(bid, bid, bid, bid, 1, ask - bid, ask, ask)
    return PriceSpan(
        span.open,
        max(span.high, bid),
        min(span.low, bid),
        bid,
        span.volume + 1,
        min(span.spread, ask - bid),
        max(span.ask_high, ask),
        min(span.ask_low, ask),
    )
