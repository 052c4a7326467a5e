"""The tables of ``tail``: one for each kind of event, the newest row last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.table import Table
from rich.text import Text

from gateway.cli.event_rows import Column, Kind, clock, kind_of, shown

if TYPE_CHECKING:
    from gateway.client import Event

KEPT = 200
"""Rows of a kind: more than a screen is high."""
HEAD = 4
"""Lines of a table beside its rows: its title, its columns, a rule, a space."""
GAP = 3
"""Between two columns."""
SPARE = 2
"""Lines of the screen that stay free: for what has no room, and for the cursor."""
MARGIN = 4
"""Columns at the right that stay free: what the screen echoes of Ctrl+C must not begin a line."""
_WORDS = {
    **dict.fromkeys(("buy", "filled", "done", "in", "add", "ready"), "green"),
    **dict.fromkeys(("sell", "rejected", "disconnected"), "red"),
    **dict.fromkeys(("canceled", "expired", "remove", "out", "not_sent"), "bright_black"),
    **dict.fromkeys(("placed", "started", "partial", "settled", "update"), "yellow"),
}
"""Colours of words; of a side the first part counts: ``buy_limit``."""


@dataclass(slots=True)
class _Heap:
    """The rows of one kind."""

    kind: Kind
    rows: deque[list[Text]] = field(default_factory=lambda: deque(maxlen=KEPT))
    events: int = 0
    merged: int = 0
    newest: int = 0
    """Counts the events of all kinds up to its own last one."""
    last: dict[tuple[str, str], Any] = field(default_factory=dict)
    """The last value of each rising column, by symbol."""


class Board:
    """Board on the screen; it draws itself as high as the screen is."""

    def __init__(self) -> None:
        self._heaps: dict[str, _Heap] = {}
        self.events = 0
        """So many were taken."""

    def add(self, event: Event) -> None:
        """Take an event."""
        self.events += 1
        kind = kind_of(event)
        heap = self._heaps.setdefault(kind.name, _Heap(kind))
        heap.events += 1
        heap.newest = self.events
        heap.merged += event.merged
        for facts in kind.rows(event):
            row = [Text(clock(event.ts), style="bright_black")]
            symbol = str(facts.get("symbol"))
            for column in kind.columns:
                value = column.value(facts)
                style = _style(column, value, heap.last.get((symbol, column.name)))
                row.append(Text(shown(column, value), style=style))
                if column.is_rising and value is not None:
                    heap.last[symbol, column.name] = value
            heap.rows.append(row)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the newest rows of each kind: a screen full of all."""
        narrow = options.update(width=max(options.max_width - MARGIN, 1), height=None)
        yield from console.render(Group(*self._tables(console.height, narrow.max_width)), narrow)

    def _tables(self, height: int, width: int) -> Iterator[RenderableType]:
        if not self._heaps:
            yield Text("waiting for events; Ctrl+C ends", style="bright_black")
        shares = self._shares(height - SPARE)
        for name, count in shares.items():
            yield _table(self._heaps[name], count, width)
            yield Text()
        hidden = [name for name in self._heaps if name not in shares]
        if hidden:
            yield Text(f"no room for: {', '.join(hidden)}", style="bright_black")

    def _shares(self, height: int) -> dict[str, int]:
        """Return how many rows of each kind are drawn: what one does not need others have.

        Where not all have room those are drawn that had an event last.
        """
        most = max(height // (HEAD + 1), 1)
        drawn = sorted(self._heaps.values(), key=lambda heap: -heap.newest)[:most]
        left, shares = height, {}
        for nth, heap in enumerate(sorted(drawn, key=lambda heap: len(heap.rows))):
            fair = left // (len(drawn) - nth) - HEAD
            shares[heap.kind.name] = max(1, min(len(heap.rows), fair))
            left -= shares[heap.kind.name] + HEAD
        return {name: shares[name] for name in self._heaps if name in shares}


def _table(heap: _Heap, count: int, width: int) -> Table:
    merged = f", {heap.merged} merged" if heap.merged else ""
    plural = "" if heap.events == 1 else "s"
    title = Text.assemble((heap.kind.name, "bold"), f"  {heap.events} event{plural}{merged}")
    rows = list(heap.rows)[-count:]
    heads = ["time", *(column.name for column in heap.kind.columns)]
    fit = _fitting([[Text(head) for head in heads], *rows], width)
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    looks = ["text", *(column.look for column in heap.kind.columns)]
    for head, look in zip(heads[:fit], looks[:fit], strict=True):
        side: JustifyMethod = "left" if look == "text" else "right"
        table.add_column(head, justify=side, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*row[:fit])
    return table


def _fitting(rows: list[list[Text]], width: int) -> int:
    """Return how many columns have room whole; those at the right are worth the least."""
    fit, used = 0, 0
    for column in zip(*rows, strict=True):
        used += max(cell.cell_len for cell in column) + (GAP if fit else 0)
        if used > width:
            break
        fit += 1
    return max(fit, 1)


def _style(column: Column, value: Any, before: Any) -> str:
    if value is None:
        return ""
    if column.is_rising and before is not None and value != before:
        return "green" if value > before else "red"
    if column.look == "money" and column.name == "profit" and value:
        return "green" if value > 0 else "red"
    if isinstance(value, str):
        return _WORDS.get(value) or _WORDS.get(value.partition("_")[0], "")
    return ""
