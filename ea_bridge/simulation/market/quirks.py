"""What some brokers' ticks look like, around any source: for tests of what must survive it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ea_bridge.model import Tick

from .sources import TickSource
from .span import Span

_MINUTE_MS = 60_000


class CoarseStamps:
    """Stamps fall back to whole steps of ``grain_ms``, so that many ticks share one.

    Raises:
        ValueError: a minute is no whole number of steps.

    """

    def __init__(self, source: TickSource, grain_ms: int) -> None:
        if not 0 < grain_ms <= _MINUTE_MS or _MINUTE_MS % grain_ms:
            raise ValueError(f"{grain_ms} ms don't divide a minute")
        self._source = source
        self._grain_ms = grain_ms

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`.sources.TickSource`."""
        grain = self._grain_ms
        return [
            msgspec.structs.replace(tick, time_msc=tick.time_msc - tick.time_msc % grain)
            for tick in self._source.ticks(minute)
        ]

    def span(self, minute: int, minutes: int) -> Span | None:
        """See :class:`.sources.TickSource`."""
        return self._source.span(minute, minutes)


class ZeroQuote:
    """One more tick at ``at_msc`` with bid and ask of 0, before others of that stamp.

    Some brokers send such a one first after a subscription. It is part of no bar.
    """

    def __init__(self, source: TickSource, at_msc: int) -> None:
        self._source = source
        self._tick = Tick(at_msc, 0.0, 0.0)

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`.sources.TickSource`."""
        ticks = self._source.ticks(minute)
        at_msc = self._tick.time_msc
        if at_msc // _MINUTE_MS != minute:
            return ticks
        earlier = [tick for tick in ticks if tick.time_msc < at_msc]
        return [*earlier, self._tick, *ticks[len(earlier) :]]

    def span(self, minute: int, minutes: int) -> Span | None:
        """See :class:`.sources.TickSource`."""
        return self._source.span(minute, minutes)
