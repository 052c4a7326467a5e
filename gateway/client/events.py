"""Events, and a client's position on each channel: no I/O here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ea_bridge.host import wall_ms

EventType = Literal["snapshot", "update", "gap", "end", "reconnected"]


@dataclass(frozen=True, slots=True)
class Event:
    """Event on a channel."""

    channel: str
    terminal: str
    epoch: str
    seq: int
    """Counts the events of the channel, within one epoch."""
    type: EventType
    """``snapshot``: the whole state, replace yours; ``update``: what changed; ``gap``: events are
    missing, ``data`` says which; ``reconnected``: the connection was lost and is back, ``data``
    says whether anything was missed meanwhile; ``end``: the channel ended, ``data`` says why."""
    ts: int
    """When it was published, UTC milliseconds."""
    data: Any
    """A shape of :mod:`gateway.schemas`, by channel."""
    merged: int = 0
    """So many updates before this one were merged into it."""


@dataclass(slots=True)
class _Position:
    """Position of the last event of a channel."""

    terminal: str
    lossless: bool
    epoch: str
    seq: int


class Progress:
    """Positions of all channels, ``(epoch, seq)``, that notice what is missing."""

    def __init__(self) -> None:
        self._places: dict[str, _Position] = {}

    @property
    def positions(self) -> dict[str, tuple[str, int]]:
        """``(epoch, seq)`` of the last event, by channel."""
        return {name: (place.epoch, place.seq) for name, place in self._places.items()}

    def subscribed(self, entry: Mapping[str, Any], *, again: bool) -> Iterator[Event]:
        """Take one entry of ``subscribed`` of the answer to ``subscribe``.

        Args:
            again: it goes on from an earlier connection.

        """
        name, recovered = entry["channel"], entry["recovered"]
        if again:
            facts = {key: entry[key] for key in ("recovered", "reason", "replayed")}
            place = entry["epoch"], entry["seq"]
            yield Event(name, entry["terminal"], *place, "reconnected", wall_ms(), facts)
        if not recovered or name not in self._places:
            self._places[name] = _Position(
                entry["terminal"], entry["delivery"] == "lossless", entry["epoch"], entry["seq"]
            )

    def failed(self, entry: Mapping[str, Any]) -> Iterator[Event]:
        """Take one entry of ``failed``, of a channel that was there before."""
        place = self._places.pop(entry["channel"], None)
        if place is not None:
            at = place.epoch, place.seq
            yield Event(entry["channel"], place.terminal, *at, "end", wall_ms(), dict(entry))

    def event(self, params: Mapping[str, Any]) -> Iterator[Event]:
        """Take the params of an ``event``; a ``gap`` comes first where something is missing.

        Channels that were not subscribed to are passed over: the token subscribed to them over
        ``/rpc``, for whom it may concern.
        """
        name, epoch, seq = params["channel"], params["epoch"], params["seq"]
        place = self._places.get(name)
        if place is None:
            return
        missing = 0
        if params["type"] == "update":
            if epoch != place.epoch:
                yield _gap(params, {"from": None, "to": None, "reason": "epoch_changed"})
            elif (missing := max(0, seq - place.seq - 1)) and place.lossless:
                which = {"from": place.seq + 1, "to": seq - 1, "reason": "missing"}
                yield _gap(params, which)
                missing = 0
        place.epoch, place.seq = epoch, seq
        terminal, ts = params["terminal"], params["ts"]
        yield Event(name, terminal, epoch, seq, params["type"], ts, params["data"], missing)


def _gap(params: Mapping[str, Any], which: dict[str, Any]) -> Event:
    at = params["epoch"], params["seq"]
    return Event(params["channel"], params["terminal"], *at, "gap", params["ts"], which)
