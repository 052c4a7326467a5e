"""``history pull``: past prices, copied from a terminal to files.

A pull that was killed, or whose terminal was lost, goes on where it stopped: run it again.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from gateway.cli.output import CliError, visible
from gateway.cli.target import AuthToken, Home, Target, Url, find_target, run_async

if TYPE_CHECKING:
    from gateway.cli.history.archive import PriceArchive, PricePart, RowKind, Sidecar, Source
    from gateway.client import GatewayClient, HistoryReader
    from gateway.errors import GatewayError

FORMATS = ("parquet", "csv")
TIMEOUT_S = 120.0
"""For a page: MetaTrader 5 can take 45 seconds to load its ticks."""


@dataclass(frozen=True, slots=True)
class Request:
    """Request of the person at the command line."""

    symbol: str
    kind: RowKind
    first_ms: int
    last_ms: int
    out: Path
    is_file: bool
    """One file of all, and no folder with a file a part."""


def pull(
    symbol: Annotated[str, typer.Argument(help="EURUSD ...")],
    *,
    from_: Annotated[
        str, typer.Option("--from", help="First time: 2025-01-01, or 2025-01-01T08:30Z.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="FILE.parquet or FILE.csv; or a folder: a file a year of bars or day of ticks."
        ),
    ],
    to: Annotated[
        str | None, typer.Option(help="Last time, a day to its end; now if absent.")
    ] = None,
    timeframe: Annotated[str, typer.Option(help="M1, M5, H1, D1 ...")] = "M1",
    ticks: Annotated[
        bool, typer.Option("--ticks", help="Ticks, not bars; MetaTrader 4 keeps none.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option("--format", help="Of the files in a folder: parquet if absent, or csv."),
    ] = None,
    url: Url = None,
    auth_token: AuthToken = None,
    home: Home = None,
) -> None:
    """Copy the bars or ticks of a symbol to files; run again, it goes on where it stopped.

    Parquet needs: pip install 'mt-gateway[data]'. Exit code 1: some of it is missing.
    """
    request = _request(symbol, None if ticks else timeframe, from_, to, out, form)
    target = find_target(url, auth_token, home)

    from gateway.errors import GatewayError

    try:
        has_all = run_async(_pull(target, request))
    except GatewayError as error:
        raise CliError(_explained(error)) from error
    except ImportError as error:
        raise CliError(str(error)) from error
    except OSError as error:
        raise CliError(f"{error.filename or out}: {error.strerror or error}") from error
    if not has_all:
        raise typer.Exit(1)


def _request(
    symbol: str, timeframe: str | None, from_: str, to: str | None, out: Path, form: str | None
) -> Request:
    """Read what was typed.

    Raises:
        CliError: it cannot be meant.

    """
    from gateway.cli.history.archive import RowKind
    from gateway.schemas.enums import Timeframe

    suffix = out.suffix.lower().removeprefix(".")
    is_file = suffix in FORMATS and not out.is_dir()
    chosen = suffix if is_file else form or "parquet"
    if chosen not in FORMATS or (is_file and form not in (None, chosen)):
        raise CliError(f"--format {form}: give parquet or csv, and a file of that name", 2)
    frames = get_args(Timeframe.__value__)
    if timeframe is not None and timeframe.upper() not in frames:
        raise CliError(f"--timeframe {timeframe}: give one of {' '.join(frames)}", 2)
    frame = None if timeframe is None else cast("Timeframe", timeframe.upper())
    last_ms = _now_ms() if to is None else _moment(to, "--to", is_end=True)
    first_ms = _moment(from_, "--from")
    if first_ms > min(last_ms, _now_ms()):
        raise CliError(f"--from {from_}: is after the last time", 2)
    # of the time to come there is nothing: files of it would have to be pulled again
    last_ms = min(last_ms, _now_ms())
    return Request(symbol, RowKind(frame, chosen), first_ms, last_ms, out, is_file)


def _moment(text: str, option: str, *, is_end: bool = False) -> int:
    """Return UTC milliseconds; a day alone is its first one, or its last."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CliError(f"{option} {text}: give it as 2025-01-01 or 2025-01-01T08:30Z", 2) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return ms + 86_399_999 if is_end and ":" not in text and "T" not in text else ms


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _explained(error: GatewayError) -> str:
    """Return what a person can do about it."""
    meant = error.data.get("did_you_mean") or []
    hint = f" Did you mean {' or '.join(map(str, meant))}?" if meant else ""
    again = " Run the same command again: it goes on where it stopped." if error.retryable else ""
    return f"{error.message}{hint}{again}"


async def _pull(target: Target, request: Request) -> bool:
    """Pull all parts, and tell of it; return whether nothing is missing."""
    from gateway.cli.history.archive import PriceArchive, parts_of
    from gateway.client import GatewayClient

    async with GatewayClient(target.url, target.token, timeout_s=TIMEOUT_S) as client:
        source = await _source(client)
        symbol = (await client.get_symbol_info(request.symbol))["name"]
        root = request.out
        if request.is_file:
            root = request.out.with_name(f"{request.out.name}.parts")
        archive = PriceArchive(root, symbol, request.kind, source, exact=request.is_file)
        found: list[tuple[PricePart, Sidecar]] = []
        with _progress(request, visible(symbol)) as advance:
            for part in parts_of(request.first_ms, request.last_ms, request.kind):
                known = archive.sidecar(part)
                if known is None or not archive.is_there(part, known):
                    known = await _pull_part(client, archive, part, source, request, advance)
                advance(part.last_ms)
                found.append((part, known))
    if request.is_file:
        archive.join(found, request.out)
    holes = [(part, known) for part, known in found if known.has_holes]
    _tell(request, symbol, sum(known.rows for _, known in found), archive, holes)
    if request.is_file and not holes:
        # where there are holes they stay: the same command asks for these alone
        shutil.rmtree(root)
    return not holes


async def _pull_part(
    client: GatewayClient,
    archive: PriceArchive,
    part: PricePart,
    source: Source,
    request: Request,
    advance: Callable[[int], None],
) -> Sidecar:
    kind = request.kind
    span = archive.span(part, archive.sidecar(part))
    history: HistoryReader[Any]
    if kind.timeframe is None:
        history = client.tick_history(archive.symbol, span[0], to=span[1])
    else:
        history = client.history(archive.symbol, span[0], to=span[1], timeframe=kind.timeframe)

    async def check() -> None:
        """A terminal can log in to another broker meanwhile, whose prices are others."""
        if await _source(client) != source:
            raise CliError(
                f"the terminal is not on {visible(source.server)} any more: {part.name} was not "
                "written; run the same command again when it is"
            )

    return await archive.write(part, span, history, advance, check)


async def _source(client: GatewayClient) -> Source:
    from gateway import __version__
    from gateway.cli.history.archive import Source

    status = await client.get_ea_status()
    if status["server"] is None or status["platform"] is None:
        raise CliError("the terminal has never been linked: start it, with its EA")
    return Source(
        server=status["server"],
        company=status["company"] or "",
        platform=status["platform"],
        program=f"mt-gateway {__version__}",
    )


def _tell(
    request: Request,
    symbol: str,
    rows: int,
    archive: PriceArchive,
    holes: list[tuple[PricePart, Sidecar]],
) -> None:
    noun = f"bars of {request.kind.timeframe}" if request.kind.timeframe else "ticks"
    place = request.out if request.is_file else archive.folder
    sys.stdout.write(f"{visible(symbol)}: {rows} {noun} in {place}\n")
    for part, known in holes:
        why = "the terminal met an error; its log may say why"
        if known.reason == "max_bars":
            why = "the terminal keeps no more (Tools > Options > Charts: Max bars in chart)"
        sys.stderr.write(f"mt-gateway: {part.name} is not complete: {why}\n")


@contextmanager
def _progress(request: Request, symbol: str) -> Iterator[Callable[[int], None]]:
    """Show a bar on a screen; yields what is told the time up to which all is pulled."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}% {task.fields[day]}", markup=False),
        TimeRemainingColumn(),
    )
    total = max(1, request.last_ms - request.first_ms)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(symbol, total=total, day="")

        def advance(until_ms: int) -> None:
            day = datetime.fromtimestamp(until_ms / 1000, UTC).date().isoformat()
            progress.update(task, completed=until_ms - request.first_ms, day=day)

        yield advance
