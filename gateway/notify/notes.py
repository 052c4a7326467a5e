"""Notes: what happened, in words for a person and in figures for a program.

Made of rows of the audit trail and of events of the streams. Texts of others (a reason, a symbol)
are printable and short in a note, and nothing in it is ever taken for an address.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.config import NotifyEvent

MAX_TEXT = 200
"""Characters of a text of others."""
MAX_ORDERS = 1000
"""Orders under way whose symbol and volume are remembered."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    id: str
    """The same however often it is sent."""
    event: str
    time: int
    """UTC milliseconds."""
    terminal: str | None
    title: str
    text: str
    data: dict[str, Any] = {}
    """Figures, by names that stay."""


def clean(value: object) -> str:
    """Return a text of others in one line that moves no cursor and ends no header."""
    text = str(value)[:MAX_TEXT]
    return "".join(char if char.isprintable() else " " for char in text).strip()


class TrailNotes:
    """Notes of the rows of the audit trail.

    Args:
        home: names this gateway in ids, so that two gateways never share one.

    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._orders: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        """What was asked for, by terminal and ``client_order_id``, until it has ended."""

    def of_row(self, n: int, row: Mapping[str, Any]) -> Note | None:
        """Return the note of a row; ``None``: nobody is told of such rows."""
        made: tuple[NotifyEvent, str, str, dict[str, Any]] | None = None
        match row.get("event"):
            case "order":
                made = self._order(row)
            case "call_refused" if row.get("reason") == "risk_limit":
                made = _limit(row)
            case "kill_switch":
                made = _halt(row)
        if made is None:
            return None
        event, title, text, data = made
        terminal = row.get("terminal")
        return Note(
            id=f"{self._home}-{n}",
            event=event,
            time=row["ts"],
            terminal=terminal,
            title=title,
            text=text,
            data=data,
        )

    def _order(
        self, row: Mapping[str, Any]
    ) -> tuple[NotifyEvent, str, str, dict[str, Any]] | None:
        key = (str(row.get("terminal")), str(row.get("object")))
        state = row.get("state")
        if state == "journaled":
            self._orders[key] = {name: row.get(name) for name in ("symbol", "volume", "paper")}
            if len(self._orders) > MAX_ORDERS:
                self._orders.popitem(last=False)
            return None
        asked = self._orders.get(key, {})
        if state != "unknown":
            self._orders.pop(key, None)
        sends = row.get("sends") or [{}]
        data = {
            "client_order_id": clean(row.get("object")),
            "state": state,
            "symbol": asked.get("symbol"),
            "volume": asked.get("volume"),
            "retcode": sends[-1].get("retcode"),
            "paper": bool(asked.get("paper")),
        }
        what = f"{_described(asked)} ({data['client_order_id']}) at {clean(row.get('terminal'))}"
        if state == "unknown":
            return (
                "order_unknown",
                "Order unknown",
                f"{what}: nobody can tell yet whether the broker has executed it. "
                "The gateway goes on looking; see get_order.",
                data,
            )
        if row.get("reconciled") or row.get("settlement"):
            return (
                "order_unknown",
                "Unknown order found out",
                f"{what}: it is {clean(state)}.",
                data,
            )
        if state == "rejected":
            code = f" (retcode {data['retcode']})" if data["retcode"] else ""
            return (
                "order_rejected",
                "Order rejected",
                f"{what}: the broker refused it{code}.",
                data,
            )
        return None


def _described(asked: Mapping[str, Any]) -> str:
    paper = "Paper order" if asked.get("paper") else "Order"
    volume = f" of {asked['volume']:g}" if asked.get("volume") else ""
    symbol = f" {clean(asked['symbol'])}" if asked.get("symbol") else ""
    return f"{paper}{volume}{symbol}"


def _limit(row: Mapping[str, Any]) -> tuple[NotifyEvent, str, str, dict[str, Any]]:
    data = {name: row.get(name) for name in ("rule", "limit", "value", "client_order_id")}
    told = f"{clean(row.get('rule'))}: limit {row.get('limit')}, value {row.get('value')}"
    more = f" ({row['more_before']} more before)" if row.get("more_before") else ""
    place = clean(row.get("terminal"))
    return "limit_hit", "Limit hit", f"An order at {place} was not sent. {told}{more}", data


_HALTS = {
    "halt": "Trading halted",
    "resume": "Trading resumed",
    "disconnect": "Swept: a program was lost",
    "timer": "Swept: a countdown ran out",
    "lease": "Swept by the terminal itself",
    "account": "Not swept: another account",
}


def _halt(row: Mapping[str, Any]) -> tuple[NotifyEvent, str, str, dict[str, Any]]:
    cause = str(row.get("reason"))
    data: dict[str, Any] = {"cause": cause, "by": row.get("actor"), "said": row.get("said")}
    data |= {name: len(row.get(name) or ()) for name in ("cancelled", "closed", "failed")}
    place = clean(row.get("terminal"))
    parts = [f"{place}, by {clean(row.get('actor'))}"]
    if row.get("said"):
        parts.append(clean(row["said"]))
    if cause not in ("halt", "resume"):
        parts.append(
            f"{data['cancelled']} orders cancelled, {data['closed']} positions closed, "
            f"{data['failed']} failed"
        )
    return "halt", _HALTS.get(cause, "Kill switch"), ": ".join(parts), data


# --- streams and links -----------------------------------------------------------------------


def fill(note_id: str, terminal: str, event: Mapping[str, Any], time: int) -> Note | None:
    """Return the note of an event on ``deals``, or, from MetaTrader 4, on ``positions``."""
    deal = event.get("deal")
    if deal is not None:
        if deal["symbol"] is None:  # money was paid in or out
            return None
        verb = {"in": "opened", "out": "closed"}.get(deal["entry"], "dealt")
        found, price, profit = deal, deal["price"], None if verb == "opened" else deal["profit"]
        names = ["ticket", "order", "position_id", "type", "entry"]
    else:
        verb = {"add": "opened", "remove": "closed"}.get(str(event.get("op")), "")
        if not verb:
            return None
        # how it was closed is in the history: what was seen of it last is no close's price
        found, profit = event["position"], None
        price = found["price_open"] if verb == "opened" else None
        names = ["ticket", "identifier", "type"]
    data = {name: found.get(name) for name in (*names, "symbol", "volume", "paper")}
    data |= {"price": price, "profit": profit}
    paper = " on paper" if found["paper"] else ""
    text = f"{clean(terminal)}: {verb}{paper}: "
    text += f"{clean(found['type'])} {found['volume']:g} {clean(found['symbol'])}"
    text += "" if price is None else f" at {price}"
    text += "" if profit is None else f", profit {profit:.2f}"
    return Note(
        id=note_id,
        event="order_filled",
        time=time,
        terminal=terminal,
        title="Order filled",
        text=text,
        data=data,
    )


RELEASED_PCT = 105.0
"""A margin call is over when the level is above this part of the broker's, in percent."""


class MarginWatch:
    """Watch over one account's margin: tells once when it reaches the broker's margin call."""

    def __init__(self) -> None:
        self._is_called = False

    def look(
        self, note_id: str, terminal: str, account: Mapping[str, Any], time: int
    ) -> Note | None:
        """Return the note of an account's money, if it has just come to a margin call."""
        in_money = account["margin_so_mode"] == "money"
        level = account["margin_free"] if in_money else account["margin_level"]
        call = account["margin_so_call"]
        if level is None or level > call * RELEASED_PCT / 100:
            self._is_called = False
        if level is None or level > call or self._is_called:
            return None
        self._is_called = True
        unit = "of free margin" if in_money else "%"
        return Note(
            id=note_id,
            event="margin_call",
            time=time,
            terminal=terminal,
            title="Margin call",
            text=f"{clean(terminal)}: margin at {level:.2f} {unit}, the broker calls at {call:g}, "
            f"and closes positions at {account['margin_so_so']:g}",
            data={"level": level, "call": call, "stop_out": account["margin_so_so"]},
        )
