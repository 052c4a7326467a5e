"""Stops that follow the market, as the EA runs them: on every tick, with a daemon or without."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.model import (
    SUCCESSES,
    Position,
    PositionType,
    SymbolInfo,
    Tick,
    TradeAction,
    TradeRequest,
    Trail,
    TrailTerms,
)
from ea_bridge.simulation.broker import Broker
from ea_bridge.simulation.broker.prices import exact

RETRY_MS = 1000
"""After a refusal: a broker that is asked on every tick soon refuses everything."""

_log = logging.getLogger(__name__)


class _Running(msgspec.Struct, kw_only=True):
    """One trail; of a position that turned round on a netting account it ends."""

    trail: Trail
    is_long: bool
    retry_msc: int = 0
    login: int = 0
    server: str = ""
    """The account: another one may have a position with the same ticket."""

    @property
    def account(self) -> tuple[int, str]:
        return self.login, self.server


_decoder = msgspec.json.Decoder(list[_Running])


class RunningTrails:
    """The trails of one terminal, by the ticket of their position.

    Args:
        broker: whose positions they follow.
        path: keeps them between runs; in memory only if absent.
        account: login and server of the account that the terminal is logged in to; a trail of
            another one waits for it.
        is_settled: whether a position that is not listed has gone. It has not where the terminal
            starts, or has just found its broker: until then nothing is forgotten.

    Raises:
        OSError: the file is there and cannot be read.

    """

    def __init__(
        self,
        broker: Broker,
        path: Path | None = None,
        *,
        account: Callable[[], tuple[int, str]] = lambda: (0, ""),
        is_settled: Callable[[], bool] = lambda: True,
    ) -> None:
        self._broker = broker
        self._path = path
        self._account = account
        self._is_settled = is_settled
        self._running: dict[int, _Running] = {}
        self.reload()

    def __len__(self) -> int:
        return len(self._running)

    def set(self, terms: TrailTerms) -> Trail | None:
        """Begin, change or (without distance and break-even) end a trail.

        Returns:
            What is followed from now on; ``None`` if there is no such position.

        """
        found = self._broker.positions(ticket=terms.ticket)
        if not found:
            return None
        values = {name: getattr(terms, name) for name in terms.__struct_fields__}
        trail = Trail(symbol=found[0].symbol, **values)
        if terms.distance or terms.break_even:
            is_long = found[0].type == PositionType.BUY
            login, server = self._account()
            self._running[terms.ticket] = _Running(
                trail=trail, is_long=is_long, login=login, server=server
            )
        else:
            self._running.pop(terms.ticket, None)
        self._save()
        return trail

    def get(self, symbol: str | None = None, ticket: int | None = None) -> list[Trail]:
        """Return those of a symbol, of a position, or all."""
        return [
            running.trail
            for running, _ in self.follow()
            if symbol in (None, running.trail.symbol) and ticket in (None, running.trail.ticket)
        ]

    def on_tick(self, symbol: SymbolInfo, tick: Tick, now_msc: int) -> None:
        """Move the stops that a tick leaves behind."""
        if not (tick.bid > 0 and tick.ask > 0):  # the first tick of some brokers has no prices
            return
        for running, position in self.follow():
            if position.symbol == symbol.name and now_msc >= running.retry_msc:
                sl = better_stop(running.trail, position, symbol, tick)
                if sl is not None:
                    self._move(running, position, sl, now_msc)

    def follow(self) -> list[tuple[_Running, Position]]:
        """Return each trail with its position; forget those whose position is gone.

        What is left of a MetaTrader 4 trade after a partial close has a new ticket, and says in
        its comment where it comes from. So this is done after each trade, too.
        """
        account = self._account()
        here = {t: running for t, running in self._running.items() if running.account == account}
        found = self._positions_of(here) if here else {}
        # asked after the list was read: what it lacks may come from a broker that was just lost
        forgets = found.keys() != here.keys() and self._is_settled()
        before, self._running = self._running, {}
        followed = {}
        for ticket, running in before.items():
            if (position := found.get(ticket)) is not None:
                running.trail = replace(running.trail, ticket=position.ticket)
                self._running[position.ticket] = running
                followed[position.ticket] = (running, position)
            elif ticket not in here or not forgets:
                self._running[ticket] = running
        if before.keys() != self._running.keys():
            self._save()
        return list(followed.values())

    def _positions_of(self, trails: dict[int, _Running]) -> dict[int, Position]:
        """Return the position of each trail that has one, by the ticket that the trail has."""
        positions = {position.ticket: position for position in self._broker.positions()}
        heirs = {position.comment: position for position in positions.values()}
        found = {}
        for ticket, running in trails.items():
            # MetaTrader 4 gives what is left of a partial close a new ticket
            position = positions.get(ticket) or heirs.get(f"from #{ticket}")
            # a netting position that was turned round is another one: nobody asked to trail it
            if position is not None and (position.type == PositionType.BUY) == running.is_long:
                found[ticket] = position
        return found

    def reload(self) -> None:
        """Begin anew with what the file has, as a terminal does that was started again."""
        self._running.clear()
        if self._path is None or not self._path.exists():
            return
        try:
            read = _decoder.decode(self._path.read_bytes())
        except msgspec.MsgspecError as error:
            _log.warning("%s is damaged, so no stop is trailed: %s", self._path, error)
            return
        self._running = {running.trail.ticket: running for running in read}

    def _move(self, running: _Running, position: Position, sl: float, now_msc: int) -> None:
        request = TradeRequest(
            action=TradeAction.SLTP,
            position=position.ticket,
            magic=position.magic,
            symbol=position.symbol,
            sl=sl,
            tp=position.tp,
            type=position.type,
            comment=position.comment,
        )
        retcode = self._broker.send(request, now_msc).retcode
        if retcode in SUCCESSES:
            moves = running.trail.moves + 1
            running.trail = replace(running.trail, sl=sl, moves=moves, retcode=0)
        else:
            running.trail = replace(running.trail, retcode=retcode)
            running.retry_msc = now_msc + RETRY_MS
        self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            fresh.write_bytes(msgspec.json.encode(list(self._running.values())))
            # in one step: a terminal that is killed finds the old file or the new one
            host.replace_file(fresh, self._path)
        except OSError as error:
            _log.warning("%s is not written: %s", self._path, error)


def better_stop(trail: Trail, position: Position, symbol: SymbolInfo, tick: Tick) -> float | None:
    """Return the stop loss that a position should have by now, ``None`` if its own will do.

    It lies on the symbol's grid, never farther from the market than the one there is, and never
    nearer than the broker's stops level.
    """
    is_long = position.type == PositionType.BUY
    towards = 1 if is_long else -1
    point, size = exact(symbol.point), exact(symbol.trade_tick_size or symbol.point)
    closing = exact(tick.bid if is_long else tick.ask)
    opened, present = exact(position.price_open), exact(position.sl)
    profit = towards * (closing - opened)
    # at least a step of the grid: a smaller move would be answered with 10025
    least = max(trail.step * point, size)
    wanted: list[Decimal] = []
    if trail.distance and profit >= trail.activation * point:
        stop = _on_grid(closing - towards * trail.distance * point, size, is_long)
        # towards the market alone: a stop never gives back what it has secured
        if not present or towards * (stop - present) >= least:
            wanted.append(stop)
    if trail.break_even and profit >= trail.break_even * point:
        stop = _on_grid(opened + towards * trail.break_even_offset * point, size, is_long)
        if not present or towards * (stop - present) > 0:
            wanted.append(stop)
    # nearer than this it earns 10016; at a later tick there may be room
    room = symbol.trade_stops_level * point
    allowed = [price for price in wanted if towards * (closing - price) >= max(room, size)]
    if not allowed:
        return None
    return float(max(allowed) if is_long else min(allowed))


def _on_grid(price: Decimal, size: Decimal, is_long: bool) -> Decimal:
    """Return the nearest price of the grid that is not closer to the market."""
    return (price / size).to_integral_value(ROUND_FLOOR if is_long else ROUND_CEILING) * size
