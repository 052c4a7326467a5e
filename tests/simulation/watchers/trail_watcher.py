"""Watcher of the audit trail, at each start of the daemon and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..plugins import Watcher, watcher
from ..trail_rules import TrailRules

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World


@watcher
class TrailWatcher(Watcher):
    """The trail verifies, and has every command that a terminal was to carry out."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._rules = TrailRules(world.invariants)
        self._commands: set[int] = set()

    def after_life_begins(self, life: int, ready: Any) -> None:
        """Verify what was added since the last start."""
        self._rules.look(self.world.daemons.gateway.ledger.reader)

    def on_command(self, terminal: TradedTerminal, command: Any) -> None:
        """Note what has come to a terminal."""
        if command.op == "order_send":
            self._commands.add(command.id)

    def at_end(self) -> None:
        """Verify all of it."""
        gateway = self.world.daemons.gateway
        store = gateway.ledger.reader
        self._rules.look_at_all(store, gateway._home)
        self._rules.look_for(store, self._commands)
