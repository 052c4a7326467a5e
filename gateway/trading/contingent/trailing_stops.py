"""Stops that follow the market: the terminal's EA moves them by itself.

Nothing of it is kept here. A trail only ever tightens, so a caller that may only reduce may begin
one; but to loosen or to end one takes the right to trade.
"""

from __future__ import annotations

from ea_bridge import commands
from ea_bridge.model import Position, SymbolInfo, Trail, TrailTerms
from gateway.credentials.lease import Tier
from gateway.errors import (
    GatewayError,
    InvalidParams,
    InvalidStops,
    PositionNotFound,
    TerminalDisconnected,
    Timeout,
)
from gateway.trading.terminal import GuardedTerminal

CAPABILITY = "trail"


async def begin(terminal: GuardedTerminal, terms: TrailTerms) -> Trail:
    """Let the stop of a position follow from now on, in place of what it did before.

    Raises:
        MethodNotSupported: the terminal's EA cannot do it.
        InvalidParams: neither a distance nor a break-even, or numbers that contradict each other.
        InvalidStops: nearer to the market than the broker allows.
        PositionNotFound: there is no such position (any more).

    """
    try:
        _check(terms)
        if not terminal.can(CAPABILITY):
            raise terminal.not_supported(CAPABILITY)
        terminal.require(Tier.REDUCE)
        position = await _position(terminal, terms.ticket)
        _check_level(terms, await terminal.symbol(position.symbol))
        present = await _present(terminal, terms.ticket)
    except GatewayError as error:
        error.data.setdefault("outcome", "not_sent")
        raise
    loosens = present is not None and _loosens(present, terms)
    return await _instruct(terminal, terms, Tier.FULL if loosens else Tier.REDUCE)


async def end(terminal: GuardedTerminal, ticket: int) -> Trail | None:
    """Let the stop of a position stay where it is; return what it did, ``None`` for nothing.

    Raises:
        MethodNotSupported: the terminal's EA cannot do it.

    """
    try:
        terminal.require(Tier.FULL)
        present = await _present(terminal, ticket)
    except GatewayError as error:
        error.data.setdefault("outcome", "not_sent")
        raise
    if present is None:
        return None
    try:
        await _instruct(terminal, TrailTerms(ticket=ticket), Tier.FULL)
    except PositionNotFound:
        return None  # it ended with its position a moment ago
    return present


async def running(
    terminal: GuardedTerminal, symbol: str | None = None, ticket: int | None = None
) -> list[Trail]:
    """Return what follows the market now."""
    params = commands.FilterParams(symbol=symbol, ticket=ticket)
    return await terminal.request(commands.TRAILS_GET, params)


async def _present(terminal: GuardedTerminal, ticket: int) -> Trail | None:
    found = await running(terminal, ticket=ticket)
    return found[0] if found else None


async def _instruct(terminal: GuardedTerminal, terms: TrailTerms, tier: Tier) -> Trail:
    was_linked = terminal.session is not None
    try:
        return await terminal.instruct(commands.TRAIL_SET, terms, tier)
    except GatewayError as error:
        # it may have been taken, with the answer lost on the way; saying it again is safe
        is_open = was_linked and isinstance(error, (Timeout, TerminalDisconnected))
        error.data["outcome"] = "unknown" if is_open else "not_sent"
        raise


async def _position(terminal: GuardedTerminal, ticket: int) -> Position:
    found = await terminal.request(commands.POSITIONS_GET, commands.FilterParams(ticket=ticket))
    if not found:
        raise PositionNotFound(ticket=ticket)
    return found[0]


def _check(terms: TrailTerms) -> None:
    faults = []
    if not (terms.distance or terms.break_even):
        faults.append({"field": "distance", "reason": "give a distance, a break_even, or both"})
    faults += [
        {"field": name, "reason": "only with a distance"}
        for name in ("step", "activation")
        if getattr(terms, name) and not terms.distance
    ]
    if terms.break_even_offset and not terms.break_even:
        faults.append({"field": "break_even_offset", "reason": "only with a break_even"})
    elif terms.break_even and terms.break_even_offset >= terms.break_even:
        reason = "must be less than break_even: the stop would be beyond the market"
        faults.append({"field": "break_even_offset", "reason": reason})
    if faults:
        raise InvalidParams(errors=faults)


def _check_level(terms: TrailTerms, info: SymbolInfo) -> None:
    """Refuse a stop that the broker would refuse each time."""
    level = info.trade_stops_level
    gap = terms.break_even - terms.break_even_offset
    for name, room in (("distance", terms.distance), ("break_even", gap)):
        if getattr(terms, name) and room < level:
            raise InvalidStops(field=name, stops_level_points=level, points=room)


def _loosens(present: Trail, wanted: TrailTerms) -> bool:
    """Whether what is wanted may leave a stop where what there is would have moved it."""

    def later(before: int, after: int) -> bool:
        return bool(before) and (not after or after > before)

    return (
        later(present.distance, wanted.distance)
        or (bool(present.distance) and wanted.activation > present.activation)
        or (bool(present.distance) and wanted.step > present.step)
        or later(present.break_even, wanted.break_even)
        or (bool(present.break_even) and wanted.break_even_offset < present.break_even_offset)
    )
