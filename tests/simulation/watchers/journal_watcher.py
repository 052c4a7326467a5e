"""Watcher of the money path: the ledger, what terminals are sent, and what callers are told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.storage.ledger import Ledger

from ..command_rules import COMMAND, CommandRules, Scene
from ..halt_rules import EVERYWHERE
from ..ledger_truth import LedgerTruth
from ..ledger_watch import LedgerWatch
from ..plugins import Watcher, watcher
from ..told_rules import ToldRules, check_found

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World


SWITCH = "set_trading_enabled"


@watcher
class JournalWatcher(Watcher):
    """Rules about rows, commands and answers, each judged at the moment at which it counts."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        invariants, sometimes = world.invariants, world.sometimes
        self.truth = LedgerTruth()
        has_expired = world.expiries.has_expired
        self.commands = CommandRules(self.truth, invariants, sometimes, has_expired)
        self.told = ToldRules(invariants, sometimes, lambda: world.disk.has_failed)

    def on_ledger(self, life: int, ledger: Ledger) -> None:
        """See every transaction of a new ledger."""
        world, path = self.world, ledger.reader.path
        self.truth.is_durable = lambda: world.disk.is_synced(path)
        LedgerWatch(
            ledger,
            self.truth,
            world.invariants,
            sometimes=world.sometimes,
            is_durable=self.truth.is_durable,
            is_dead=lambda: world.loop.is_dead(life),
            on_note=partial(world.watch, "on_note"),
            unfailing=world.disk.unfailing,
        )

    def after_life_begins(self, life: int, ready: Any) -> None:
        """See that all is there that earlier lives have committed."""
        self.commands.halts.begin_life()
        self.truth.check_kept(self.world.daemons.gateway.ledger.reader, self.world.invariants)

    def at_end(self) -> None:
        """See once more that all is there."""
        self.truth.check_kept(self.world.daemons.gateway.ledger.reader, self.world.invariants)

    def on_frame_to_terminal(self, terminal: TradedTerminal, data: bytes) -> None:
        """Judge what a terminal is sent."""
        self.commands.written(terminal.name, data, self._scene(terminal))

    def on_bytes_to_bot(self, data: bytes) -> None:
        """Judge what a manager's peer is sent; see that what was found out is on the disk."""
        if data.startswith(COMMAND):
            self.commands.written_to_manager(data, self.world.daemons.present)
        else:
            check_found(data, self.truth, self.world.invariants)

    def on_command(self, terminal: TradedTerminal, command: Any) -> None:
        """Judge what a terminal is about to carry out."""
        if command.op == "order_send":
            self.commands.executed(terminal.name, command.id, self._scene(terminal))

    def _scene(self, terminal: TradedTerminal) -> Scene:
        world = self.world
        return Scene(world.daemons.present, terminal.account, len(terminal.links), world.loop.now)

    def before_ask(self, terminal: TradedTerminal, message: Any, life: int) -> None:
        """See who is about to lift a halt."""
        for one in _lifts(message):
            self.commands.halts.begin_lift(_halted(terminal, one), one["id"])

    def on_answer(self, terminal: TradedTerminal, message: Any, answer: Any, life: int) -> None:
        """Compare an answer with earlier ones."""
        world = self.world
        self.told.answered(terminal.account, message, answer, life, world.asked_s, world.loop.now)
        for one in _lifts(message):
            self.commands.halts.end_lift(_halted(terminal, one), world.loop.now, one["id"])
        if isinstance(message, dict) and message["method"] == SWITCH and "result" in answer:
            params = message["params"]
            if not params["enabled"]:
                self.commands.halted(
                    _halted(terminal, message),
                    world.asked_s,
                    reductions=params.get("reductions", True),
                    is_enabled=answer["result"]["trading_enabled"],
                )

    def on_revoked(self, tid: str) -> None:
        """From now on nothing is done for that token."""
        self.commands.revoked(tid)


def _lifts(message: Any) -> list[Any]:
    """Return the calls of a message that lift a halt."""
    calls = message if isinstance(message, list) else [message]
    return [one for one in calls if one["method"] == SWITCH and one["params"]["enabled"]]


def _halted(terminal: TradedTerminal, message: Any) -> str:
    """Return what a call of the kill switch is about."""
    return EVERYWHERE if message["params"].get("everywhere") else terminal.name
