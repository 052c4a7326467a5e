"""The fields of ``SymbolInfo`` that follow from the present quote and the day so far."""

from __future__ import annotations

import msgspec

from ea_bridge.model import SymbolInfo, Tick

from .span import Span


def quoted(spec: SymbolInfo, tick: Tick, day: Span | None, closed_points: int) -> SymbolInfo:
    """Return a specification with its quote.

    ``session_open`` is the day's first bid and ``session_close`` the last one before the day
    (``closed_points``, 0 if unknown); ``price_change`` is the change from it in percent.
    """
    scale = 10**spec.digits
    closed = closed_points / scale
    info = msgspec.structs.replace(
        spec,
        time=tick.time_msc // 1000,
        bid=tick.bid,
        ask=tick.ask,
        last=tick.last,
        spread=round((tick.ask - tick.bid) * scale),
        session_close=closed,
        price_change=round((tick.bid - closed) / closed * 100, 4) if closed else 0.0,
    )
    if day is None:
        return msgspec.structs.replace(
            info, bidhigh=tick.bid, bidlow=tick.bid, askhigh=tick.ask, asklow=tick.ask,
            session_open=0.0,
        )  # fmt: skip
    return msgspec.structs.replace(
        info,
        bidhigh=day.high / scale,
        bidlow=day.low / scale,
        askhigh=day.ask_high / scale,
        asklow=day.ask_low / scale,
        session_open=day.open / scale,
    )
