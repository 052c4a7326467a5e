"""Assembly of a market: packaged data, a user's ticks and trading hours become sources.

A recording that merely begins anew jumps from its last price to its first, and stands still where
nobody quoted. So the pauses of a packaged one are shortened, and every second time its prices are
mirrored: they begin where it ended and end where it began. All prices are recorded ones or their
mirror image, in their order and with their spreads; nothing is made up in between.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from ea_bridge.model import TickFlag
from ea_bridge.simulation.clock import MONDAY, WEEK, Hours, hours_of, left_out
from ea_bridge.simulation.specs import SymbolListing, load_listings, unlisted

from .market import Market
from .minute_bars import Tiles
from .sources import ModelledSource, PlayedOnce, RepeatedTape, Spliced, TickSource, WithoutMinutes
from .tape import HEADER, RecordedTick, Tape, TickFileError, digits_in, packaged_tape, tape_from

Sessions = Literal["always", "real"]
TickFiles = Sequence[tuple[str, Path]]

FIRST_YEAR = 2020
"""Of the history."""
_WEEK_MS = WEEK * 60_000


def open_market(
    *,
    start_msc: int,
    seed: int = 0,
    sessions: Sessions = "always",
    flat_out: bool = False,
    tick_files: TickFiles = (),
    changes: Mapping[str, Any] | None = None,
) -> Market:
    """Return a market of the packaged symbols and of those in ``tick_files``.

    A symbol with recorded ticks replays them in the present week (:class:`.RepeatedTape`), the
    packaged ones without a jump where they begin anew (:func:`.opening.endless_tape`). What is
    older, and every other symbol, is made from bars, moved by whole weeks so that weekdays and
    hours hold; older prices are shifted by a constant so that they meet the first recorded tick.

    Args:
        start_msc: the present in broker milliseconds.
        seed: of everything that is not recorded.
        sessions: ``real``: the tables of :mod:`.clock`, and no ticks outside them. ``always``:
            every symbol trades around the clock, so that a first try on a Saturday meets no
            closed market; Saturdays and Sundays repeat the Thursdays and Fridays before them.
            Quiet times of the working week stay quiet (gold at midnight).
        flat_out: recorded ticks are played once, as fast as the market is asked, and drive time.
            All of them are moved by the same number of weeks, so that the last one is the newest
            possible that is not after ``start_msc``.
        tick_files: symbol and file of a user's recorded ticks. They replace the packaged ones of
            their symbol; flat out they alone are played.
        changes: to the specification of every symbol.

    Raises:
        TickFileError: a file cannot be read, or a line is wrong, or two are of one symbol.

    """
    listings = load_listings()
    tapes = _user_tapes(listings, tick_files)
    if not (flat_out and tapes):
        tapes = {**_packaged_tapes(listings, endless=not flat_out), **tapes}
    weekends = sessions == "always"
    hours = {name: hours_of(listing.hours, always=weekends) for name, listing in listings.items()}
    tiles = _tiles(seed, weekends=weekends)
    # a user's symbol is not among the tiles that all markets share
    if any(name not in tiles for name in listings):
        tiles = Tiles(listings, seed, weekends=weekends)
    played = _played(tapes, start_msc) if flat_out else {}
    # one seam for all tapes: while they play, their symbols have recorded ticks and no others
    seam = min((source.first_minute for source in played.values()), default=_monday(start_msc))
    sources: dict[str, TickSource] = {}
    for name in listings:
        make_tile, key = partial(tiles.tile, name), f"{seed}/{name}"
        if name not in tapes:
            sources[name] = ModelledSource(make_tile, key)
            continue
        past = ModelledSource(make_tile, key, meeting=(seam, tapes[name].first.bid))
        present = played[name] if flat_out else _repeated(tapes[name], hours[name])
        sources[name] = Spliced(past, present, seam)
    if not flat_out:  # a recording is played as it is
        gaps = left_out(FIRST_YEAR)
        sources = {name: WithoutMinutes(source, gaps) for name, source in sources.items()}
    specs = {name: replace(listing.info, **changes or {}) for name, listing in listings.items()}
    return Market(
        specs, start_msc=start_msc, sources=sources, hours=hours, seed=seed, tapes=played
    )


@lru_cache(maxsize=4)
def _tiles(seed: int, *, weekends: bool) -> Tiles:
    """Return the tiles of the packaged symbols, shared by all markets that want the same: each
    takes tenths of a second to make, and never changes.
    """
    return Tiles(load_listings(), seed, weekends=weekends)


@lru_cache(maxsize=8)
def _repeated(tape: Tape, hours: Hours) -> RepeatedTape:
    """Return a tape that is repeated, shared by all markets that want the same: what its minutes
    amount to takes a moment to add up, and never changes.
    """
    return RepeatedTape(tape, hours)


def _user_tapes(listings: dict[str, SymbolListing], tick_files: TickFiles) -> dict[str, Tape]:
    """Read a user's files; list their symbols if nobody has."""
    tapes: dict[str, Tape] = {}
    for symbol, path in tick_files:
        if symbol in tapes:
            raise TickFileError(f"{path}: {symbol} has a file already: {tapes[symbol].name}")
        if symbol not in listings:
            listings[symbol] = unlisted(symbol, digits_in(path))
        tapes[symbol] = tape_from(path, listings[symbol].info.digits)
    return tapes


def _packaged_tapes(listings: Mapping[str, SymbolListing], *, endless: bool) -> dict[str, Tape]:
    tape = endless_tape if endless else packaged_tape
    return {
        name: tape(listing.tape, listing.info.digits)
        for name, listing in listings.items()
        if listing.tape
    }


def _played(tapes: Mapping[str, Tape], start_msc: int) -> dict[str, PlayedOnce]:
    last_msc = max(tape.last.time_msc for tape in tapes.values())
    weeks = (start_msc - last_msc) // _WEEK_MS
    return {name: PlayedOnce(tape, weeks) for name, tape in tapes.items()}


def _monday(msc: int) -> int:
    minute = msc // 60_000
    return minute - (minute - MONDAY) % WEEK


LONGEST_PAUSE_MS = 1500
"""Longer ones are shortened to this, and then stretched a little to whole minutes."""
_MINUTE_MS = 60_000


@lru_cache(maxsize=8)
def endless_tape(name: str, digits: int) -> Tape:
    """Return packaged ticks that can be played end to end, from each Monday on."""
    recorded = packaged_tape(name, digits)
    rows = [row for minute in recorded.busy_minutes() for row in recorded.read(minute)]
    first_msc = recorded.first_minute * _MINUTE_MS
    lines = [HEADER, *(_line(row, digits) for row in forth_and_mirrored(rows, first_msc))]
    data = b"\n".join(lines) + b"\n"
    return Tape(f"{name}.csv, endless", lambda: io.BytesIO(data), digits)


def forth_and_mirrored(rows: Sequence[RecordedTick], first_msc: int) -> Iterator[RecordedTick]:
    """Yield ticks and then their mirror image, in a time that a week is a multiple of.

    Args:
        rows: recorded ticks.
        first_msc: when the first of them comes, on a full minute.

    """
    pauses = [min(b.time_msc - a.time_msc, LONGEST_PAUSE_MS) for a, b in pairwise(rows)]
    # the last tick stands for a moment too, before the mirror's first
    reached = [0, *accumulate((*pauses, LONGEST_PAUSE_MS))]
    half_ms = _half_ms(reached[-1])
    mirror = rows[-1].bid + rows[0].ask
    # flags of the mirror's ticks are made anew: what rose in the recording falls in it
    before: RecordedTick | None = None
    for turn, at_msc in enumerate((first_msc, first_msc + half_ms)):
        for row, past in zip(rows, reached, strict=False):
            bid, ask = (row.bid, row.ask) if not turn else (mirror - row.ask, mirror - row.bid)
            made = RecordedTick(at_msc + past * half_ms // reached[-1], bid, ask, row.flags)
            yield made._replace(flags=_changed(before, made)) if turn else made
            before = made


def _half_ms(least_ms: int) -> int:
    """Return the least whole number of minutes of which a week is an even multiple."""
    minutes = -(-least_ms // _MINUTE_MS)
    # forth and back must fit into a week, or the tape would jump each Monday
    while WEEK % (2 * minutes):
        minutes += 1
    return minutes * _MINUTE_MS


def _changed(before: RecordedTick | None, row: RecordedTick) -> int:
    if before is None:
        return int(TickFlag.BID | TickFlag.ASK)
    bid = TickFlag.BID if row.bid != before.bid else 0
    return int(bid | (TickFlag.ASK if row.ask != before.ask else 0))


def _line(row: RecordedTick, digits: int) -> bytes:
    bid, ask = (f"{price / 10**digits:.{digits}f}" for price in (row.bid, row.ask))
    return f"{row.time_msc},{bid},{ask},{row.flags}".encode("ascii")
