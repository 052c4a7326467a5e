"""Person at the machine, who halts trading and ends tokens by the command line.

That is another process: it writes into the databases of the home, and the daemon has to notice.
The person is quick, and acts while somebody waits for a row to be on the disk: what an order was
checked by before its row was written is out of date when its bytes would be.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from ea_bridge import host
from ea_bridge.token import parse_token
from gateway.audit import note
from gateway.cli.halt import _write
from gateway.cli.output import CliError
from gateway.credentials.issuer import IssuerError
from gateway.home.home import Home
from gateway.storage.store import StoreError
from gateway.trading.kill_switch import halts

from ..halt_rules import EVERYWHERE
from ..lives import CONFIG
from ..plugins import Watcher, fault, watcher
from .journal_watcher import JournalWatcher

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World

HALTED_S = (0.001, 1.0)
RETRY_S = 0.1


@watcher
class MachinePerson(Watcher):
    """Acts right after a commit, before whoever waits for it goes on."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.act: Callable[[str], bool] | None = None
        """What is to be done; given who asked for the command whose row is on the disk now. It
        says whether that was the moment for it."""
        self._commands = 0
        self._dice = world.dice("person")
        self._context = world.context("person")
        self._halted: set[str] = set()

    def on_commit(self, life: int, group: list[Any]) -> None:
        """Do what is to be done, if the row of a command is among what was written."""
        if self.act is None:
            return
        commands = self._journal.truth.commands
        before, self._commands = self._commands, len(commands)
        if before == self._commands:
            return
        *_, newest = commands.values()
        if self._context.run(self.act, newest.actor):
            self.act = None

    # --- halts -----------------------------------------------------------------------------

    def halt(self, _: str) -> bool:
        """Halt one terminal, or all of them, for a moment."""
        terminal = self._dice.choice((EVERYWHERE, *self.world.terminals))
        if terminal in self._halted:
            return True
        halt = halts.Halt(
            terminal=terminal,
            armed_by="cli",
            since_ms=host.wall_ms(),
            reductions=self._dice.random() < 0.8,
            by_admin=True,
        )

        def work(connection: sqlite3.Connection) -> None:
            note(connection, "kill_switch", **halts.noted("halt", halt))
            halts.arm(connection, halt)

        try:
            _write(self._home, work)
        except CliError:
            return True  # and the person was told that it has failed
        self._halted.add(terminal)
        self._journal.commands.halted(terminal, self.world.loop.now, reductions=halt.reductions)
        self._lift_in(self._dice.uniform(*HALTED_S), terminal)
        return True

    def _lift_in(self, seconds: float, terminal: str) -> None:
        self.world.loop.call_later(seconds, self._lift, terminal, context=self._context)

    def _lift(self, terminal: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            lifted = halts.lift(connection, terminal, by_admin=True)
            if lifted is not None:
                note(connection, "kill_switch", **halts.noted("resume", lifted))

        rules = self._journal.commands.halts
        rules.begin_lift(terminal)
        try:
            _write(self._home, work)
        except CliError:
            self._lift_in(RETRY_S, terminal)
        else:
            self._halted.discard(terminal)
            rules.end_lift(terminal, self.world.loop.now)

    # --- tokens ----------------------------------------------------------------------------

    def revoke(self, actor: str) -> bool:
        """End the token that asks, if it is one that lodgers trade with."""
        spare = self.world.spare_tokens
        name = next((name for name, one in spare.items() if parse_token(one) == actor), None)
        if name is None:
            return not spare
        try:
            with Home(self._home, CONFIG.secrets.key_file) as home:
                home.issuer.revoke(actor)
        except (StoreError, IssuerError):
            return True  # it cannot be, or has expired by now
        del spare[name]
        self.world.revoked(actor)
        return True

    # --- small things ----------------------------------------------------------------------

    @property
    def _home(self) -> Path:
        return self.world.folder / "home"

    @property
    def _journal(self) -> JournalWatcher:
        return next(one for one in self.world.watchers if isinstance(one, JournalWatcher))


def _person(world: World) -> MachinePerson:
    return next(one for one in world.watchers if isinstance(one, MachinePerson))


@fault("halted_by_hand", weight=2)
def halt(world: World, _: TradedTerminal, __: Random) -> None:
    """Somebody halts trading at the machine."""
    person = _person(world)
    person.act = person.halt


@fault("token_revoked")
def revoke(world: World, _: TradedTerminal, __: Random) -> None:
    """Somebody ends a token at the machine."""
    person = _person(world)
    person.act = person.revoke
