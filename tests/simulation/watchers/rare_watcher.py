"""Watcher that counts the rare: what the runs of a campaign must have come to, all together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from logging import LogRecord
from typing import TYPE_CHECKING, Any

from gateway.storage.ledger import Ledger
from gateway.trading.requests import is_tagged

from ..plugins import Watcher, watcher
from ..rare_points import (
    ANSWERED,
    IN_LOG,
    SESSION_ENDED,
    SESSION_ENDS,
    WEBSOCKET_CLOSED,
    WEBSOCKET_ENDS,
    presumed_in,
    said_in,
)

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World

LATE = "terminal %s: command %d (%s) has ended after all: %s"
LEAP_MS = 1000
"""Further than that no two entries of the trail are apart by chance."""
_OPEN = "SELECT stage, count(*) FROM orders WHERE stage IN ('journaled', 'unknown') GROUP BY stage"


@watcher
class RareWatcher(Watcher):
    """Counts what it can tell from outside; see :mod:`simulation.rare_points`."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._count = world.sometimes
        self._late: set[int] = set()
        """Commands whose answers came late."""
        self._clock: tuple[str, int, int] | None = None
        """Boot, UTC and steady milliseconds of the last entry of the trail."""

    def on_ledger(self, life: int, ledger: Ledger) -> None:
        """Count with what a life begins; see each time its log is put back into the file."""
        stages = {row[0] for row in ledger.reader.all(_OPEN)}
        if stages:
            self._count("restart with open orders")
        if "journaled" in stages:
            self._count("restart with orders under way")
        checkpoint = ledger._writer.checkpoint
        watched = partial(self._checkpoint, ledger, checkpoint)
        ledger._writer.checkpoint = watched  # type: ignore[method-assign]  # to see each

    def _checkpoint(self, ledger: Ledger, checkpoint: Callable[[], int]) -> int:
        self._count("checkpoint")
        if ledger._waiting or ledger._handed:
            self._count("checkpoint while somebody writes")
        return checkpoint()

    def on_point(self, life: int, point: str) -> None:
        """Count the points that a life comes to."""
        self._count(f"point {point}")

    def after_life_ends(self, life: int, cause: str) -> None:
        """Count the cause of death of a life of the daemon."""
        self._count(f"killed at {cause}")

    def on_commit(self, life: int, group: list[Any]) -> None:
        """Count commits for more than one."""
        if len(group) > 1:
            self._count("group of several writes")

    def on_record(self, record: LogRecord) -> None:
        """Count what is logged."""
        text, words = record.msg, record.args
        point = IN_LOG.get(text)
        if isinstance(words, tuple):
            if text == SESSION_ENDED:
                point = SESSION_ENDS.get(str(words[2]))
            elif text == WEBSOCKET_CLOSED:
                point = WEBSOCKET_ENDS.get(int(str(words[1])))
            elif text == LATE:
                self._late.add(int(str(words[1])))
        if point is not None:
            self._count(point)

    def on_note(self, entry: Any) -> None:
        """Count what the audit trail tells, and how orders were found out."""
        point = said_in(entry)
        if point is not None:
            self._count(point)
        for presumed in presumed_in(entry):
            self._count(presumed)
        self._see_clock(entry)
        is_found = entry["event"] == "order" and entry.get("reconciled")
        if is_found and entry["state"] == "done" and not entry.get("settlement"):
            terminal = self.world.terminals.get(entry["terminal"])
            for send in entry["sends"]:
                if terminal is not None and send["state"] == "done" and "presumed" not in send:
                    self._see_found(terminal, send["command_id"], send.get("order"))

    def _see_found(self, terminal: TradedTerminal, command_id: int, ticket: int | None) -> None:
        machine = terminal.machine
        if command_id in self._late:
            self._count("found out by a late answer")
        elif machine._results.state(command_id) == "done":
            self._count("found out by the table of results")
        elif ticket is not None:
            broker = machine.handler.broker
            is_open = broker.positions(None, ticket) or broker.orders(None, ticket)
            found = is_open or broker.history_orders(ticket=ticket)
            self._count("found out by what is open" if is_open else "found out in history")
            has_tag = any(is_tagged(one.comment) for one in found)
            self._count("found out by its tag" if has_tag else "found out without a tag")

    def _see_clock(self, entry: Any) -> None:
        boot, wall_ms, steady_ms = entry["boot"], entry["ts"], entry["mono_us"] // 1000
        if self._clock is not None and self._clock[0] == boot:
            went_ms, passed_ms = wall_ms - self._clock[1], steady_ms - self._clock[2]
            if went_ms < passed_ms - LEAP_MS:
                self._count("wall clock went back")
                if self.world.daemons.gateway.trading.reconcile.log._running:
                    self._count("wall clock went back under an order")
            elif went_ms > passed_ms + LEAP_MS:
                self._count("wall clock leapt")
        self._clock = (boot, wall_ms, steady_ms)

    def on_answer(self, terminal: TradedTerminal, message: Any, answer: Any, life: int) -> None:
        """Count the errors that bots are answered, and what they are told twice."""
        for one in answer if isinstance(answer, list) else [answer]:
            error = one.get("error")
            if error is not None:
                self._see_error(error.get("data") or {})
            elif isinstance(one["result"], dict) and one["result"].get("duplicate") is True:
                self._count("replay answered from the journal")

    def _see_error(self, data: Any) -> None:
        name = data.get("name")
        if name in ANSWERED:
            self._count(ANSWERED[name])
        if name == "order_unresolved" and data.get("duplicate"):
            self._count("retry refused as unknown")
        if data.get("reason") == "disk_full":
            self._count("refused for want of room")
