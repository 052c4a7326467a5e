"""Template of a hook: how the JSON of an alert becomes an order.

The alert's message, as its owner types it on TradingView, is one JSON object::

    {"symbol": "{{ticker}}", "side": "{{strategy.order.action}}", "time": "{{time}}"}

``id`` names the alert where several of one bar are meant to be different orders; ``volume``,
``sl`` and ``tp`` are read where the template says so. A member that the template does not use is
refused: it was meant, and an order without it would be another one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.credentials.alert import Number

MAX_SYMBOLS: Final = 200
MAX_AGE_S: Final = 60 * 86_400
"""Of an alert's bar: a bar of a month is a month old. What is older may have been forgotten here,
and would be taken for a new one."""
MAX_AHEAD_S: Final = 86_400
_SYMBOL: Final = r"^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$"
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,24})?", re.ASCII)
_DECIMALS: Final = 10
_MEMBERS: Final = frozenset({"symbol", "side", "time", "id", "volume", "sl", "tp"})
Symbol = Annotated[str, Field(pattern=_SYMBOL)]


class HookTemplate(BaseModel):
    """Template of one hook, as it is kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    symbols: dict[Symbol, Symbol] = Field(default_factory=dict, max_length=MAX_SYMBOLS)
    """The broker's symbols by TradingView's."""
    mapped_only: bool = False
    """Refuse symbols that are not in the list; else they are taken as they are."""
    sizing: Literal["volume", "risk", "alert"] = "volume"
    """``volume``: so many lots. ``risk``: so many percent of the equity are lost at the stop loss.
    ``alert``: the alert says the lots."""
    size: Number | None = None
    sl: Literal["none", "percent", "alert"] = "none"
    """``percent``: so far from the market's price. ``alert``: the alert says a price."""
    sl_pct: Number | None = None
    tp: Literal["none", "percent", "alert"] = "none"
    tp_pct: Number | None = None
    deadline_s: int = Field(default=30, ge=5, le=300)
    """An alert that the machine has not begun by then is not carried out."""
    tradingview_only: bool = False
    """Take alerts from the addresses that TradingView has published alone."""
    dry_run: bool = True

    @model_validator(mode="after")
    def _is_whole(self) -> HookTemplate:
        if (self.size is None) != (self.sizing == "alert"):
            raise ValueError("size")
        for mode, distance in ((self.sl, self.sl_pct), (self.tp, self.tp_pct)):
            if (distance is None) == (mode == "percent"):
                raise ValueError("distance")
        if self.sizing == "risk" and self.sl == "none":
            raise ValueError("risk")
        return self


class BadAlert(Exception):
    """Refusal of an alert's message.

    Args:
        message: what is wrong with it, for who wrote it.

    """


@dataclass(frozen=True)
class AlertDraft:
    """An alert that was read: the order that it asks for."""

    symbol: str
    side: Literal["buy", "sell"]
    bar_ms: int
    name: str
    """The alert's own id; may be empty."""
    volume: str | None
    risk_pct: str | None
    sl: str | None
    sl_pct: str | None
    tp: str | None
    tp_pct: str | None

    def aid(self, hook_id: str) -> str:
        """Return the ``client_order_id``: the same for the same alert, however often it comes."""
        # as JSON, so that no text can move from one part into another
        parts = [hook_id, self.name, self.symbol, self.side, self.bar_ms]
        digest = hashlib.sha256(json.dumps(parts).encode())
        return f"tv-{digest.hexdigest()[:40]}"

    @property
    def words(self) -> str:
        """The order in words."""
        size = f"{self.volume} lots" if self.volume is not None else f"risk {self.risk_pct}%"
        parts = [f"{self.side} {self.symbol}, {size}"]
        parts += [f"stop loss {self.sl}"] if self.sl else []
        parts += [f"stop loss {self.sl_pct}% away"] if self.sl_pct else []
        parts += [f"take profit {self.tp}"] if self.tp else []
        parts += [f"take profit {self.tp_pct}% away"] if self.tp_pct else []
        return ", ".join(parts)[:200]


def read_alert(template: HookTemplate, body: bytes, now_s: int) -> AlertDraft:
    """Read the message of an alert by a hook's template.

    Raises:
        BadAlert: it says no order, or another one than the template makes.

    """
    given = _parse(body)
    unknown = given.keys() - _MEMBERS
    if unknown:
        raise BadAlert(f"There is no member {min(unknown)[:40]!r}: {', '.join(sorted(_MEMBERS))}.")
    for member, mode in (("volume", template.sizing), ("sl", template.sl), ("tp", template.tp)):
        if member in given and mode != "alert":
            raise BadAlert(f"This hook sets {member} itself: take it out of the message.")
    side = str(_needed(given, "side")).lower()
    if side not in ("buy", "sell"):
        raise BadAlert("side must be buy or sell.")
    name = given.get("id", "")
    if not isinstance(name, str) or len(name) > 200:
        raise BadAlert("id must be a text of at most 200 characters.")
    return AlertDraft(
        symbol=_symbol(template, given),
        side="buy" if side == "buy" else "sell",
        bar_ms=_bar_ms(given, now_s),
        name=name,
        volume=template.size if template.sizing == "volume" else _volume(template, given),
        risk_pct=template.size if template.sizing == "risk" else None,
        sl=_price(given, "sl", template.sl),
        sl_pct=template.sl_pct,
        tp=_price(given, "tp", template.tp),
        tp_pct=template.tp_pct,
    )


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        # decimals, so that 1.0850 stays what was written; members twice would say two things
        given = json.loads(
            body.decode(),
            object_pairs_hook=_once_each,
            parse_float=Decimal,
            parse_constant=_no_number,
        )
    except (ValueError, ArithmeticError, RecursionError):
        raise BadAlert("The message is no JSON object, or says something twice.") from None
    if not isinstance(given, dict):
        raise BadAlert("The message must be one JSON object.")
    return {name: value for name, value in given.items() if value is not None}


def _once_each(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in members}) < len(members):
        raise ValueError
    return dict(members)


def _no_number(_: str) -> None:
    raise ValueError


def _needed(given: Mapping[str, Any], name: str) -> Any:
    if name not in given:
        raise BadAlert(f"{name} is missing.")
    return given[name]


def _symbol(template: HookTemplate, given: Mapping[str, Any]) -> str:
    symbol = _needed(given, "symbol")
    if not isinstance(symbol, str) or not re.fullmatch(_SYMBOL, symbol):
        raise BadAlert("symbol must be 1 to 64 plain letters.")
    if symbol not in template.symbols and template.mapped_only:
        raise BadAlert(f"{symbol} is not in the hook's list of symbols.")
    return template.symbols.get(symbol, symbol)


def _bar_ms(given: Mapping[str, Any], now_s: int) -> int:
    time = _needed(given, "time")
    if isinstance(time, str):
        try:
            moment = datetime.fromisoformat(time)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise BadAlert('time must be like 2026-11-23T14:00:00Z: write "{{time}}".')
        bar_ms = int(moment.timestamp() * 1000)
    elif isinstance(time, int) and not isinstance(time, bool):
        bar_ms = time
    else:
        raise BadAlert('time must be like 2026-11-23T14:00:00Z: write "{{time}}".')
    # what came longer ago than alerts are kept could be told again, and would be a new order
    if not -MAX_AGE_S * 1000 <= bar_ms - now_s * 1000 <= MAX_AHEAD_S * 1000:
        raise BadAlert("time is more than 60 days ago, or in the future.")
    return bar_ms


def _volume(template: HookTemplate, given: Mapping[str, Any]) -> str | None:
    if template.sizing == "alert":
        return _number(given, "volume")
    return None


def _price(given: Mapping[str, Any], name: str, mode: str) -> str | None:
    return _number(given, name) if mode == "alert" else None


def _number(given: Mapping[str, Any], name: str) -> str:
    value = _needed(given, name)
    is_text = isinstance(value, str) and _NUMBER.fullmatch(value) is not None
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    number = Decimal(value) if is_text or is_number else Decimal(0)
    # bounded before it is written out: 1e999999999 is a short text and a long number
    if number <= 0 or not -_DECIMALS <= number.adjusted() < 12:
        raise BadAlert(f"{name} must be a number above 0.")
    # what a chart computes has more digits than any symbol: 1.0850000000000001
    return format(round(number, _DECIMALS), "f")
