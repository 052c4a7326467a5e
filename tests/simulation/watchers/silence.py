"""Watcher of the dead man's switch of a terminal that one program trades on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ea_bridge.model import TradeAction

from ..command_rules import ORDER_SEND
from ..plugins import Watcher, watcher
from ..silence_rules import SilenceRules

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World

SILENT = "silent"
"""The name of the terminal."""
SWEPT = ("timer", "lease")
"""Reasons of what the audit trail says of orders that were ended, or were to be."""


class _Frame(msgspec.Struct):
    op: str = ""
    action: int = 0
    order: int = 0
    position: int = 0


_decode = msgspec.json.Decoder(_Frame).decode


@watcher
class SilenceWatcher(Watcher):
    """Judges what is ended at the terminal of which nobody asks that anything be ended."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.accuse = partial(world.invariants.broken, "silence")
        self.left: set[int] = set()
        """Tickets that the gateway has told not to have ended."""
        self._rules = SilenceRules(self.accuse)

    def open(self, *, closes: bool) -> set[int]:
        """Return the tickets of the pending orders, and where it ends them, of the positions."""
        broker = self.world.terminals[SILENT].truth.broker
        orders = {one.ticket for one in broker.orders()}
        return orders | {one.ticket for one in broker.positions()} if closes else orders

    def stage(self) -> tuple[int, int, int]:
        """Return what is another value after each call, each link and each start of a daemon."""
        world = self.world
        return self._rules.calls, len(world.terminals[SILENT].links), world.daemons.present

    def after_life_begins(self, life: int, ready: Any) -> None:
        """Take that timers begin anew."""
        self._rules.begins(self.world.loop.now)

    def before_ask(self, terminal: TradedTerminal, message: Any, life: int) -> None:
        """Take what the program asks, or somebody with its token."""
        if terminal.name == SILENT and isinstance(message, dict):
            self._rules.asks(message)

    def on_answer(self, terminal: TradedTerminal, message: Any, answer: Any, life: int) -> None:
        """Take that it was heard."""
        if terminal.name == SILENT and isinstance(message, dict):
            world = self.world
            self._rules.answered(message, answer, world.asked_s, world.loop.now)

    def on_frame_to_terminal(self, terminal: TradedTerminal, data: bytes) -> None:
        """Judge what is ended."""
        if terminal.name != SILENT or b'"op":"order_send"' not in data:
            return
        for line in data.splitlines():
            frame = _decode(line)
            ends = frame.action == TradeAction.REMOVE or frame.position
            if frame.op == ORDER_SEND and ends:
                self._rules.ends(str(frame.order or frame.position), self.world.loop.now)

    def on_note(self, entry: Any) -> None:
        """Take what was told not to have ended."""
        is_ours = entry["event"] == "kill_switch" and entry.get("terminal") == SILENT
        if is_ours and entry.get("reason") in SWEPT:
            self.left.update(entry.get("failed") or ())

    def at_end(self) -> None:
        """See that the EA has done nothing by itself while the daemon was there all the time."""
        terminal = self.world.terminals.get(SILENT)
        if terminal is not None and terminal.truth.own and not self.world.options.kills_every:
            self.accuse(f"the EA has ended {terminal.truth.own} by itself")
