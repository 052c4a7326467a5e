"""Events as rows: what a person wants to see of each kind, in the order of its worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gateway.cli.output import visible

if TYPE_CHECKING:
    from gateway.client import Event

Facts = Mapping[str, Any]
Look = Literal["text", "number", "money"]
MAX_VALUE = 120
"""Characters of an event of which nothing better is known."""


@dataclass(frozen=True, slots=True)
class Column:
    """One fact of an event."""

    name: str
    keys: tuple[str, ...] = ()
    """The members that may hold it: the first that is there. The name, if there are none."""
    look: Look = "text"
    is_rising: bool = False
    """It is worth a colour whether it went up or down."""

    def value(self, facts: Facts) -> Any:
        """Return it; ``None`` if nobody says."""
        return next(
            (found for key in self.keys or (self.name,) if (found := facts.get(key)) is not None),
            None,
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """Events that have the same columns."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Event], Iterable[Facts]]
    """What an event says, one for each thing that it tells of."""


def number(name: str, *keys: str, rising: bool = False) -> Column:
    """Return the column of a price, a volume, a count."""
    return Column(name, keys, "number", rising)


def money(name: str, *keys: str) -> Column:
    """Return the column of a sum."""
    return Column(name, keys, "money")


def clock(ms: int) -> str:
    """Return a moment as the clock of this machine shows it."""
    return f"{time.strftime('%H:%M:%S', time.localtime(ms / 1000))}.{ms % 1000:03d}"


def kind_of(event: Event) -> Kind:
    """Return the kind of an event; that of no other kind shows what there is."""
    if event.type not in ("snapshot", "update"):
        return NOTES
    return KINDS.get(event.channel.partition(":")[0].partition(".")[0], NOTES)


def cells(kind: Kind, facts: Facts) -> list[str]:
    """Return a row as texts."""
    return [shown(column, column.value(facts)) for column in kind.columns]


def shown(column: Column, value: Any) -> str:
    """Return a value as its column shows it; empty for what is not there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and column.look != "text":
        return f"{value:,.2f}" if column.look == "money" else _plain(value)
    return visible(str(value))


def _plain(value: float) -> str:
    """Return a number without an exponent: a spread is small, and no 6e-05 to a person."""
    text = f"{value:.10g}"
    return f"{value:.10f}".rstrip("0") if "e" in text else text


def line(event: Event) -> str:
    """Return an event as one line."""
    kind = kind_of(event)
    told = " | ".join(_pairs(kind, facts) for facts in kind.rows(event)) or "none"
    # a line goes into a file, where nobody knows its day any more
    at = time.localtime(event.ts / 1000)
    when = f"{time.strftime('%Y-%m-%d', at)} {clock(event.ts)} {time.strftime('%z', at)}"
    return f"{when} {visible(event.channel)} {event.seq} {event.type} {told}"


def _pairs(kind: Kind, facts: Facts) -> str:
    named = zip(kind.columns, cells(kind, facts), strict=True)
    return " ".join(f"{column.name}={text}" for column, text in named if text)


def brief(data: Any) -> str:
    """Return what an event of no known kind says, without what is null."""
    if isinstance(data, dict):
        text = " ".join(f"{key}={brief(data[key])}" for key in data if data[key] is not None)
    elif isinstance(data, list):
        text = f"[{len(data)}]"
    else:
        text = str(data)
    text = visible(text)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


# --- the kinds ------------------------------------------------------------------------------


def _whole(event: Event) -> Iterator[Facts]:
    yield event.data


def _tick(event: Event) -> Iterator[Facts]:
    bid, ask = event.data.get("bid"), event.data.get("ask")
    spread = None if bid is None or ask is None else round(ask - bid, 10)
    yield {**event.data, "spread": spread}


def _book(event: Event) -> Iterator[Facts]:
    best: dict[str, Any] = {"symbol": event.data["symbol"], "levels": len(event.data["levels"])}
    for side, pick in (("buy", max), ("sell", min)):
        levels = [level for level in event.data["levels"] if level["type"].startswith(side)]
        if levels:
            nearest = pick(levels, key=lambda level: level["price"])
            best |= {f"{side}_price": nearest["price"], f"{side}_volume": nearest["volume"]}
    yield best


def _nouns(noun: str) -> Callable[[Event], Iterator[Facts]]:
    def rows(event: Event) -> Iterator[Facts]:
        if noun in event.data:
            yield {"op": event.data["op"], **event.data[noun]}
        elif f"{noun}s" in event.data:
            for item in event.data[f"{noun}s"]:
                yield {"op": "there", **item}
        else:  # an outcome that was found out
            known = event.data.get("result") or {}
            yield {
                "op": event.data["op"],
                "ticket": known.get("order"),
                "symbol": known.get("symbol"),
                "state": event.data["outcome"],
                "comment": event.data["client_order_id"],
            }

    return rows


def _pnl(event: Event) -> Iterator[Facts]:
    positions = event.data["positions"]
    yield {
        "positions": len(positions),
        "profit": sum(position["profit"] for position in positions),
        "swap": sum(position["swap"] for position in positions),
    }


def _note(event: Event) -> Iterator[Facts]:
    yield {"channel": event.channel, "type": event.type, "told": brief(event.data)}


_SYMBOL, _TICKET = Column("symbol"), Column("ticket")
_STOPS = (number("sl"), number("tp"))
KINDS = {
    "tick": Kind(
        "ticks",
        (
            _SYMBOL,
            number("bid", rising=True),
            number("ask", rising=True),
            number("spread"),
            number("last"),
            number("volume"),
        ),
        _tick,
    ),
    "bar": Kind(
        "bars",
        (
            _SYMBOL,
            Column("timeframe"),
            number("open"),
            number("high"),
            number("low"),
            number("close", rising=True),
            number("ticks", "tick_volume"),
            Column("closed"),
        ),
        _whole,
    ),
    "book": Kind(
        "books",
        (
            _SYMBOL,
            number("bid", "buy_price", rising=True),
            number("bid volume", "buy_volume"),
            number("ask", "sell_price", rising=True),
            number("ask volume", "sell_volume"),
            number("levels"),
        ),
        _book,
    ),
    "orders": Kind(
        "orders",
        (
            Column("op"),
            _TICKET,
            _SYMBOL,
            Column("side", ("type",)),
            number("volume", "volume_initial"),
            number("price", "price_open", "price_current"),
            Column("state"),
            *_STOPS,
            Column("comment"),
        ),
        _nouns("order"),
    ),
    "positions": Kind(
        "positions",
        (
            Column("op"),
            _TICKET,
            _SYMBOL,
            Column("side", ("type",)),
            number("volume"),
            number("price", "price_open"),
            money("profit"),
            *_STOPS,
            Column("comment"),
        ),
        _nouns("position"),
    ),
    "deals": Kind(
        "deals",
        (
            _TICKET,
            _SYMBOL,
            Column("side", ("type",)),
            number("volume"),
            number("price"),
            Column("entry"),
            money("profit"),
            money("commission"),
            Column("comment"),
        ),
        _nouns("deal"),
    ),
    "account": Kind(
        "account",
        (
            Column("login"),
            money("balance"),
            money("equity"),
            money("profit"),
            money("margin"),
            money("free", "margin_free"),
            Column("currency"),
        ),
        _whole,
    ),
    "pnl": Kind("pnl", (number("positions"), money("profit"), money("swap")), _pnl),
    "terminal": Kind(
        "terminal",
        (
            Column("event"),
            Column("state"),
            Column("login"),
            Column("server"),
            Column("broker", ("broker_connected",)),
            Column("autotrading"),
            Column("paper"),
        ),
        _whole,
    ),
    "heartbeat": Kind("heartbeat", (Column("sign", ("",)),), lambda _: ({"": "alive"},)),
}
NOTES = Kind("notes", (Column("channel"), Column("type"), Column("told")), _note)
