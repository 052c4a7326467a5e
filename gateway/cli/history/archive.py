"""Files of past prices: a folder a server, symbol and timeframe; a year of bars or a day of ticks
a file, with a sidecar beside it.

::

    Broker-Server/EURUSD/M1/2025.parquet           bars that opened in the year, by UTC
    Broker-Server/EURUSD/M1/2025.parquet.json      its sidecar: span, rows, complete, source
    Broker-Server/EURUSD/ticks/2025-03-14.parquet  ticks of the day

A file is written under another name, synced and renamed, and its sidecar after it: whatever kills
the writer, a file under its own name is whole. One without a sidecar of its size is pulled again.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Protocol, Self
from urllib.parse import quote

from ea_bridge import host
from gateway.client.history import (
    BAR_COLUMNS,
    TICK_COLUMNS,
    Column,
    arrow_batch,
    arrow_schema,
    needed,
)
from gateway.schemas.enums import Timeframe

DAY_MS = 86_400_000
MINUTES = {"M": 1, "H": 60, "D": 1440, "W": 7 * 1440, "MN": 31 * 1440}
STALE_S = 3600.0
"""After that long an unfinished file was left behind by a pull that was killed."""
UNFINISHED = ".part"
NOT_OVER = "not_over"
"""Reason of a file whose time had not passed when it was written: the next pull writes it anew."""
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{d}{n}" for d in ("COM", "LPT") for n in range(10))}
"""Names that are no files on Windows."""


@dataclass(frozen=True, slots=True)
class RowKind:
    """Kind of the rows that are pulled, and the format in which they are kept."""

    timeframe: Timeframe | None
    """``None``: ticks."""
    form: str
    """``parquet`` or ``csv``."""

    @property
    def folder(self) -> str:
        """Name of the folder below the symbol's."""
        return self.timeframe or "ticks"

    @property
    def columns(self) -> Mapping[str, Column]:
        """Columns of a row."""
        return BAR_COLUMNS if self.timeframe else TICK_COLUMNS

    @property
    def period_ms(self) -> int:
        """How long a row may change after its time: a bar forms as long as its period."""
        if self.timeframe is None:
            return 60_000  # the broker's clock may be behind ours a little
        letters = self.timeframe.rstrip("0123456789")
        number = self.timeframe.removeprefix(letters)
        return MINUTES[letters] * (1 if letters == "MN" else int(number)) * 60_000


@dataclass(frozen=True, slots=True)
class PricePart:
    """A year of bars or a day of ticks, as far as it is asked for; both ends included, in UTC
    milliseconds."""

    name: str
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Source:
    """Source of the prices."""

    server: str
    """The broker's server, as MetaTrader names it."""
    company: str
    platform: str
    program: str
    """``mt-gateway`` with its version."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Facts about a file, kept beside it."""

    symbol: str
    timeframe: str | None
    first_ms: int
    last_ms: int
    rows: int
    size: int
    """Of the file, in bytes."""
    complete: bool
    """It has all that the broker has of the span."""
    reason: str | None
    """Why not: ``max_bars``, ``terminal_error`` or ``not_over``."""
    pulled_ms: int
    source: Source

    @property
    def has_holes(self) -> bool:
        """Rows are missing, not only those that are yet to come."""
        return not self.complete and self.reason != NOT_OVER

    def to_json(self) -> str:
        """Return its text; moments are ISO 8601."""
        told = asdict(self)
        for name in ("first", "last", "pulled"):
            told[name] = _iso(told.pop(f"{name}_ms"))
        return json.dumps(told, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Sidecar | None:
        """Read one; ``None`` if there is none, or one that we did not write."""
        try:
            told = json.loads(path.read_text("utf-8"))
            for name in ("first", "last", "pulled"):
                told[f"{name}_ms"] = _ms(datetime.fromisoformat(told.pop(name)))
            return cls(**told | {"source": Source(**told["source"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


class Pages(Protocol):
    """:class:`gateway.client.history.HistoryReader`, as far as it is needed here."""

    complete: bool
    reason: str | None

    def pages(self) -> AsyncIterator[list[Any]]: ...


class PriceArchive:
    """Files of one symbol's bars or ticks.

    Args:
        root: the folder in which the servers' folders lie.
        symbol: the broker's name.
        kind: what is kept.
        source: where it comes from.
        exact: a file has what is asked for and no more; else it grows to what was ever asked for.

    Raises:
        ImportError: the format needs pyarrow, which is not installed.

    """

    def __init__(
        self, root: Path, symbol: str, kind: RowKind, source: Source, *, exact: bool = False
    ) -> None:
        if kind.form == "parquet":
            arrow_schema(kind.columns)
        self.root = root
        self.folder = root / folder_name(source.server) / folder_name(symbol) / kind.folder
        self.symbol = symbol
        self._kind = kind
        self._source = source
        self._exact = exact

    def path(self, part: PricePart) -> Path:
        """Return the file of a part."""
        return self.folder / f"{part.name}.{self._kind.form}"

    def sidecar(self, part: PricePart) -> Sidecar | None:
        """Return what is known of a part's file; ``None``: there is none that is whole."""
        path = self.path(part)
        known = Sidecar.read(_sidecar_path(path))
        with suppress(OSError):
            if known is not None and path.stat().st_size == known.size:
                return known
        return None

    def is_there(self, part: PricePart, known: Sidecar | None) -> bool:
        """Whether a part need not be pulled."""
        if known is None or not known.complete:
            return False
        if self._exact:
            return (known.first_ms, known.last_ms) == (part.first_ms, part.last_ms)
        return known.first_ms <= part.first_ms and part.last_ms <= known.last_ms

    def span(self, part: PricePart, known: Sidecar | None) -> tuple[int, int]:
        """Return what is to be pulled: with what the file has, so that it only ever grows."""
        if known is None or self._exact:
            return part.first_ms, part.last_ms
        return min(known.first_ms, part.first_ms), max(known.last_ms, part.last_ms)

    async def write(
        self,
        part: PricePart,
        span: tuple[int, int],
        history: Pages,
        advance: Callable[[int], None],
        check: Callable[[], Awaitable[None]],
    ) -> Sidecar:
        """Write a part's file and its sidecar; return what the file has then.

        Args:
            part: the part.
            span: what the history holds.
            history: what is written.
            advance: is told the time of the last row of each page.
            check: raises if what came must not be kept.

        """
        known, now_ms = self.sidecar(part), time.time_ns() // 1_000_000
        with _NewFile(self.path(part), self._kind) as file:
            async for page in history.pages():
                file.add(page)
                if page:
                    advance(page[-1]["time"])
            await check()
            if known and not history.complete and not self._holds(part, known, file):
                # the terminal has lost what it once had; the file has not
                return replace(known, complete=False, reason=history.reason)
            file.finish()
        is_over = span[1] + self._kind.period_ms < now_ms
        sidecar = Sidecar(
            symbol=self.symbol,
            timeframe=self._kind.timeframe,
            first_ms=span[0],
            last_ms=span[1],
            rows=file.rows,
            size=file.size,
            complete=history.complete and is_over,
            reason=history.reason or (None if is_over else NOT_OVER),
            pulled_ms=now_ms,
            source=self._source,
        )
        _write_sidecar(self.path(part), sidecar)
        return sidecar

    def _holds(self, part: PricePart, known: Sidecar, file: _NewFile) -> bool:
        """Whether a new file has at least what the known one has: it begins and ends no later and
        no earlier, and has no fewer rows."""
        if not known.rows:
            return True
        if file.rows < known.rows or file.first_ms is None or file.last_ms is None:
            return False
        first_ms, last_ms = _ends(self.path(part), self._kind)
        return file.first_ms <= first_ms and last_ms <= file.last_ms

    def join(self, parts: Sequence[tuple[PricePart, Sidecar]], out: Path) -> None:
        """Write one file of all parts, and its sidecar."""
        with _NewFile(out, self._kind) as file:
            for part, _ in parts:
                file.add_file(self.path(part))
            file.finish()
        known = [sidecar for _, sidecar in parts]
        worst = next((one for one in known if one.has_holes), known[-1])
        joined = replace(
            worst,
            first_ms=known[0].first_ms,
            last_ms=known[-1].last_ms,
            rows=sum(one.rows for one in known),
            size=file.size,
            pulled_ms=known[-1].pulled_ms,
        )
        _write_sidecar(out, joined)


def parts_of(first_ms: int, last_ms: int, kind: RowKind) -> Iterator[PricePart]:
    """Yield the parts of a span: years, or days of ticks, by UTC."""
    day = _moment(first_ms).date()
    while (begin_ms := _ms(datetime(day.year, day.month, day.day, tzinfo=UTC))) <= last_ms:
        if kind.timeframe is None:
            name, following = day.isoformat(), day + timedelta(days=1)
        else:
            name, following = f"{day.year}", date(day.year + 1, 1, 1)
        end_ms = _ms(datetime(following.year, following.month, following.day, tzinfo=UTC))
        yield PricePart(name, max(begin_ms, first_ms), min(end_ms - 1, last_ms))
        day = following


def folder_name(name: str) -> str:
    """Return a name of a broker's as one of a folder, on every system, within its parent."""
    told = quote(name[:100], safe=" #&+()'")
    if told.startswith(".") or told.split(".")[0].upper() in _DEVICES:
        told = f"%{ord(told[0]):02X}{told[1:]}"
    # Windows drops them at the end
    if told.endswith((".", " ")):
        told = f"{told[:-1]}%{ord(told[-1]):02X}"
    return told or "%"


class _NewFile:
    """File that gets its name when it is whole; leaving the block before takes it away."""

    def __init__(self, path: Path, kind: RowKind) -> None:
        self.rows = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        """Times of the first and last row that were added."""
        self.size = 0
        """Known when it is finished."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        # two pulls at a time write two files: the last one that is whole stays
        self._draft = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
        self._file = self._draft.open("wb")
        self._content = (_Parquet if kind.form == "parquet" else _Csv)(self._file, kind)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # a writer that is left open complains of the closed file later, on the terminal
        with suppress(OSError, ValueError):
            self._content.finish()
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows."""
        self._content.add(rows)
        self.rows += len(rows)
        if rows:
            self.first_ms = rows[0]["time"] if self.first_ms is None else self.first_ms
            self.last_ms = rows[-1]["time"]

    def add_file(self, path: Path) -> None:
        """Write the rows of a file of the same kind."""
        self._content.add_file(path)

    def finish(self) -> None:
        """Sync it, and give it its name."""
        self._content.finish()
        self._file.flush()
        self.size = self._file.tell()
        os.fsync(self._file.fileno())
        self._file.close()
        host.replace_file(self._draft, self._path)


class _Csv:
    """CSV with a head; moments are ISO 8601, what is null is empty."""

    def __init__(self, file: IO[bytes], kind: RowKind) -> None:
        self._file = file
        self._columns = kind.columns
        self._write([list(self._columns)])

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows."""
        kinds = self._columns.items()
        self._write([_csv_value(row[name], kind) for name, kind in kinds] for row in rows)

    def add_file(self, path: Path) -> None:
        """Copy a file without its head."""
        with path.open("rb") as part:
            part.readline()
            shutil.copyfileobj(part, self._file)

    def finish(self) -> None:
        """Nothing is left to write."""

    def _write(self, rows: Iterable[Sequence[object]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.write(text.getvalue().encode())


class _Parquet:
    """Parquet, a row group a page."""

    def __init__(self, file: IO[bytes], kind: RowKind) -> None:
        self._parquet = needed("pyarrow.parquet")
        self._schema = arrow_schema(kind.columns)
        self._writer = self._parquet.ParquetWriter(file, self._schema, compression="zstd")

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows."""
        if rows:
            self._writer.write_batch(arrow_batch(rows, self._schema))

    def add_file(self, path: Path) -> None:
        """Copy a file's row groups."""
        with self._parquet.ParquetFile(path) as part:
            for group in range(part.num_row_groups):
                self._writer.write_table(part.read_row_group(group))

    def finish(self) -> None:
        """Write the footer; the file stays open."""
        self._writer.close()


def _ends(path: Path, kind: RowKind) -> tuple[int, int]:
    """Return the times of a file's first and last row; it has rows."""
    if kind.form == "parquet":
        with needed("pyarrow.parquet").ParquetFile(path) as file:
            groups = 0, file.num_row_groups - 1
            pages = [file.read_row_group(one, columns=["time"])["time"] for one in groups]
        return _ms(pages[0][0].as_py()), _ms(pages[1][-1].as_py())
    with path.open(encoding="utf-8", newline="") as text:
        rows = csv.DictReader(text)
        first = last = next(rows)
        for row in rows:
            last = row
    ends = [_ms(datetime.fromisoformat(row["time"])) for row in (first, last)]
    return ends[0], ends[1]


def _csv_value(value: Any, kind: Column) -> object:
    if kind == "utc":
        return _iso(value)
    return _iso(value).removesuffix("Z") if kind == "wall" else value


def _write_sidecar(path: Path, sidecar: Sidecar) -> None:
    place = _sidecar_path(path)
    draft = place.with_name(f"{place.name}.{os.getpid()}{UNFINISHED}")
    try:
        draft.write_text(sidecar.to_json(), "utf-8")
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _sidecar_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _sweep(folder: Path) -> None:
    """Remove what pulls that were killed have left; one that still runs keeps its own."""
    for draft in folder.glob(f"*{UNFINISHED}"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > STALE_S:
                draft.unlink()


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def _iso(ms: int) -> str:
    return _moment(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
