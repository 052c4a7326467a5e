"""Open a market: packaged data, a user's ticks and trading hours become sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from ea_bridge.simulation.clock import left_out
from ea_bridge.simulation.specs import Listing, load_listings, unlisted

from .endless import endless_tape
from .hours import MONDAY, WEEK, hours_of
from .market import Market
from .sources import ModelledSource, PlayedOnce, RepeatedTape, Spliced, TickSource, WithoutMinutes
from .tape import Tape, TickFileError, digits_in, packaged_tape, tape_from
from .tiles import Tiles

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
    packaged ones without a jump where they begin anew (:func:`.endless.endless_tape`). What is
    older, and every other symbol, is made from bars, moved by whole weeks so that weekdays and
    hours hold; older prices are shifted by a constant so that they meet the first recorded tick.

    Args:
        start_msc: the present in broker milliseconds.
        seed: of everything that is not recorded.
        sessions: ``real``: the tables of :mod:`.hours`, and no ticks outside them. ``always``:
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
    hours = {name: hours_of(one.hours, always=weekends) for name, one in listings.items()}
    tiles = _tiles(seed, weekends=weekends)
    if any(name not in tiles for name in listings):
        tiles = Tiles(listings, seed, weekends=weekends)
    played = _played(tapes, start_msc) if flat_out else {}
    # one seam for all tapes: while they play, their symbols have recorded ticks and no others
    seam = min((one.first_minute for one in played.values()), default=_monday(start_msc))
    sources: dict[str, TickSource] = {}
    for name in listings:
        make_tile, key = partial(tiles.tile, name), f"{seed}/{name}"
        if name not in tapes:
            sources[name] = ModelledSource(make_tile, key)
            continue
        past = ModelledSource(make_tile, key, meeting=(seam, tapes[name].first.bid))
        present = played[name] if flat_out else RepeatedTape(tapes[name], hours[name])
        sources[name] = Spliced(past, present, seam)
    if not flat_out:  # a recording is played as it is
        gaps = left_out(FIRST_YEAR)
        sources = {name: WithoutMinutes(source, gaps) for name, source in sources.items()}
    specs = {name: replace(one.info, **changes or {}) for name, one in listings.items()}
    return Market(
        specs, start_msc=start_msc, sources=sources, hours=hours, seed=seed, tapes=played
    )


@lru_cache(maxsize=4)
def _tiles(seed: int, *, weekends: bool) -> Tiles:
    """Return the tiles of the packaged symbols, shared by all markets that want the same: each
    takes tenths of a second to make, and never changes.
    """
    return Tiles(load_listings(), seed, weekends=weekends)


def _user_tapes(listings: dict[str, Listing], tick_files: TickFiles) -> dict[str, Tape]:
    """Read a user's files; list their symbols if nobody has."""
    tapes: dict[str, Tape] = {}
    for symbol, path in tick_files:
        if symbol in tapes:
            raise TickFileError(f"{path}: {symbol} has a file already: {tapes[symbol].name}")
        if symbol not in listings:
            listings[symbol] = unlisted(symbol, digits_in(path))
        tapes[symbol] = tape_from(path, listings[symbol].info.digits)
    return tapes


def _packaged_tapes(listings: Mapping[str, Listing], *, endless: bool) -> dict[str, Tape]:
    tape = endless_tape if endless else packaged_tape
    return {name: tape(one.tape, one.info.digits) for name, one in listings.items() if one.tape}


def _played(tapes: Mapping[str, Tape], start_msc: int) -> dict[str, PlayedOnce]:
    last_msc = max(tape.last.time_msc for tape in tapes.values())
    weeks = (start_msc - last_msc) // _WEEK_MS
    return {name: PlayedOnce(tape, weeks) for name, tape in tapes.items()}


def _monday(msc: int) -> int:
    minute = msc // 60_000
    return minute - (minute - MONDAY) % WEEK
