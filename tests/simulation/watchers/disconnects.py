"""Watcher of cancel on disconnect, at a terminal on which such programs alone trade."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ea_bridge.model import TradeAction
from gateway.storage.ledger import Ledger
from gateway.trading.requests import TAG_LENGTH

from ..command_rules import ORDER_SEND
from ..disconnect_rules import DisconnectRules
from ..plugins import Watcher, watcher

if TYPE_CHECKING:
    from logging import LogRecord

    from ..terminals import TradedTerminal
    from ..world import World

LEAVING = "leaving"
"""The name of the terminal."""
_ARMED = "SELECT name FROM armed WHERE terminal = ?"
_FIRES = "has fallen silent"
"""In what the gateway logs when it begins to carry out a rule."""
_SESSION = "session "
"""How the name of a rule begins that waits for a lost connection; its session's follows."""


class _Frame(msgspec.Struct):
    op: str = ""
    action: int = 0
    order: int = 0
    position: int = 0


_decode = msgspec.json.Decoder(_Frame).decode


@watcher
class DisconnectWatcher(Watcher):
    """Judges what is cancelled at the terminal of which nobody asks that anything be ended."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.accuse = partial(world.invariants.broken, "disconnects")
        self.left: dict[int, float] = {}
        """When the gateway has told last that an order has not ended, by its ticket."""
        self.rules = DisconnectRules(self.accuse, self._tag_of, self._is_kept)

    def stage(self) -> tuple[int, int]:
        """Return what is another value after each link and each start of a daemon."""
        world = self.world
        return len(world.terminals[LEAVING].links), world.daemons.present

    def _tag_of(self, ticket: int) -> str:
        maker = self.world.terminals[LEAVING].truth.makers.get(ticket)
        return "" if maker is None else maker.request.comment[:TAG_LENGTH]

    def _is_kept(self, name: str) -> bool:
        kept = self.world.daemons.gateway.trading.kill_switch.disconnects.armed(LEAVING)
        return any(one.session == name for one in kept)

    def on_ledger(self, life: int, ledger: Ledger) -> None:
        """Take that all connections are lost, and what is armed waits anew."""
        if LEAVING in self.world.terminals:
            names = {row[0] for row in ledger.reader.all(_ARMED, LEAVING)}
            found = {one.removeprefix(_SESSION) for one in names}
            orders = self.world.terminals[LEAVING].truth.broker.orders()
            self.rules.begins(self.world.loop.now, found, [order.ticket for order in orders])

    def after_life_ends(self, life: int, cause: str) -> None:
        """Take that all connections are lost."""
        self.rules.dies(self.world.loop.now)

    def on_record(self, record: LogRecord) -> None:
        """Take what is there when a rule is begun to be carried out."""
        if _FIRES not in str(record.msg) or LEAVING not in self.world.terminals:
            return
        orders = self.world.terminals[LEAVING].truth.broker.orders()
        disconnects = self.world.daemons.gateway.trading.kill_switch.disconnects
        for firing, _ in disconnects._firing.values():
            if firing.armed.terminal == LEAVING:
                self.rules.fires(firing.armed.session, orders, self.world.loop.now)

    def on_frame_to_terminal(self, terminal: TradedTerminal, data: bytes) -> None:
        """Judge what is cancelled."""
        if terminal.name != LEAVING or b'"op":"order_send"' not in data:
            return
        for line in data.splitlines():
            frame = _decode(line)
            if frame.op != ORDER_SEND:
                continue
            if frame.action == TradeAction.REMOVE:
                self.rules.ends(frame.order, self.world.loop.now)
            elif frame.position:
                self.accuse(f"position {frame.position} is ended, and only orders are to be")

    def on_note(self, entry: Any) -> None:
        """Take what was told not to have ended."""
        is_ours = entry["event"] == "kill_switch" and entry.get("terminal") == LEAVING
        if is_ours and entry.get("reason") in ("disconnect", "lease"):
            self.left |= dict.fromkeys(entry.get("failed") or (), self.world.loop.now)

    def at_end(self) -> None:
        """See that the EA has done nothing by itself while the daemon was there all the time."""
        terminal = self.world.terminals.get(LEAVING)
        if terminal is not None and terminal.truth.own and not self.world.options.kills_every:
            self.accuse(f"the EA has ended {terminal.truth.own} by itself")
