"""Rules of what the daemon may write to a terminal, and when.

A command that trades is written only when its row would survive a power cut, once, and to the
market only if it is none of paper trading. After a halt was acknowledged nothing is written that
the halt stops, and after a token's revocation was acknowledged, or its end, nothing that it has
asked for. What was written before is on its way, and nobody can stop it.

Ids of commands grow from each life of the daemon to the next, for EAs keep what they have executed
by their ids, and forget the lowest first. What is there, a position or an order, is changed by one
command at a time, for each is worked out from what the one before has left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ea_bridge.model import TradeAction
from ea_bridge.mt4_manager.commands import MANAGER_COMMANDS

from .halt_rules import Halts
from .invariants import Invariants
from .ledger_truth import Command, LedgerTruth

ORDER_SEND, TRAIL_SET = "order_send", "trail_set"
CHANGES = frozenset(op for op, command in MANAGER_COMMANDS.items() if command.trades)
"""Ops by which a manager's operators change something."""
COMMAND = b'{"t":"cmd"'
"""Beginning of a line with a command."""
AT_ONCE_S = 1.0
"""Commands that are written within so short a time of one another cannot have been given up by
whoever waits for their answers, while their link lasts."""


class Scene(NamedTuple):
    """Where and when something is written, or carried out."""

    life: int = 1
    """Of the daemon."""
    account: object = None
    """That the terminal is logged in to."""
    link: int = 1
    """How often the terminal was let in."""
    at_s: float = 0.0
    """By the loop's clock."""


SOMEWHERE = Scene()


class _Turn(NamedTuple):
    """A command that changes something, on its way."""

    command_id: int
    terminal: str
    scene: Scene

    def is_with(self, other: _Turn) -> bool:
        """Whether its answer is still waited for when another one is written after it."""
        apart_s = other.scene.at_s - self.scene.at_s
        return self.scene.life == other.scene.life and 0 <= apart_s < AT_ONCE_S


class _Line(msgspec.Struct):
    """What is looked at of any line."""

    id: int = 0
    op: str = ""


class _Frame(_Line):
    """What is looked at of a line to a terminal."""

    action: int = 0
    order: int = 0
    position: int = 0
    position_by: int = 0
    sl: float = 0.0


_decode = msgspec.json.Decoder(_Frame).decode
_decode_line = msgspec.json.Decoder(_Line).decode


class CommandRules:
    """What terminals are sent, judged as it is written and as it is carried out.

    Args:
        truth: what the ledger has committed.
        invariants: told what is wrong.
        sometimes: told of what happens seldom.
        has_expired: whether a token is over now, by the clock of the daemon's machine.

    """

    def __init__(
        self,
        truth: LedgerTruth,
        invariants: Invariants,
        sometimes: Callable[[str], None] = lambda _: None,
        has_expired: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._truth = truth
        self._invariants = invariants
        self._sometimes = sometimes
        self._has_expired = has_expired
        self.halts = Halts()
        self._revoked: set[str] = set()
        self._executed: set[int] = set()
        self._life = 0
        self._highest = self._floor = 0
        """Id of a command: the highest so far, and that of all earlier lives."""
        self._turns: defaultdict[tuple[object, int], list[_Turn]] = defaultdict(list)
        """Commands that were written and not carried out yet, by account and ticket."""
        self._tickets: dict[int, list[tuple[object, int]]] = {}
        """What each of them changes."""

    # --- what callers were told ----------------------------------------------------------------

    def halted(
        self, terminal: str, asked_s: float, *, reductions: bool, is_enabled: bool = False
    ) -> None:
        """Judge that a halt was acknowledged.

        Args:
            terminal: its name, or that of all.
            asked_s: when somebody asked for it.
            reductions: whether what reduces may go on.
            is_enabled: the answer says that the terminal may trade.

        """
        if is_enabled and not self.halts.may_be_lifted(terminal, asked_s):
            self._broken("halted", f"a halt of {terminal} was acknowledged, and is not there")
        self.halts.hold(terminal, asked_s, reductions=reductions)

    def revoked(self, tid: str) -> None:
        """A token's revocation was acknowledged to who asked for it."""
        self._revoked.add(tid)

    # --- what is written -----------------------------------------------------------------------

    def written(self, terminal: str, data: bytes, scene: Scene = SOMEWHERE) -> None:
        """Judge what the daemon hands to its socket: whole lines.

        Args:
            terminal: its name.
            data: the bytes.
            scene: where and when.

        """
        if b'"op":"order_send"' in data or b'"op":"trail_set"' in data:
            for line in data.splitlines():
                frame = _decode(line)
                if frame.op == ORDER_SEND:
                    self._judge_trade(terminal, frame, scene.life)
                    self._note_turn(terminal, frame, scene)
                elif frame.op == TRAIL_SET and self.halts.is_frozen(terminal):
                    self._broken("halted", f"command {frame.id} sets a trail of {terminal}")

    def _judge_trade(self, terminal: str, frame: _Frame, life: int) -> None:
        command_id = frame.id
        command = self._judge_row(terminal, command_id)
        self._judge_once(terminal, command_id, life)
        is_stopped = adds_risk(frame) and self.halts.is_halted(terminal)
        if is_stopped or self.halts.is_frozen(terminal):
            action = TradeAction(frame.action).name
            self._broken("halted", f"command {command_id} ({action}) is written to {terminal}")
        if command is not None and command.actor in self._revoked:
            self._broken("revoked", f"command {command_id} is written for {command.actor}")
        if command is not None and self._has_expired(command.actor):
            self._broken("expired", f"command {command_id} is written for {command.actor}")

    def _judge_once(self, peer: str, command_id: int, life: int) -> None:
        if command_id in self._truth.reached:
            self._broken("command id", f"command {command_id} is written to {peer} a second time")
        self._truth.reached.add(command_id)
        if life != self._life:
            self._life, self._floor = life, self._highest
        if command_id <= self._floor:
            said = f"command {command_id} to {peer} is not above {self._floor} of an earlier life"
            self._broken("command id", said)
        self._highest = max(self._highest, command_id)

    def _note_turn(self, terminal: str, frame: _Frame, scene: Scene) -> None:
        """Take that a command is on its way which changes what is there."""
        made = _Turn(frame.id, terminal, scene)
        tickets = {frame.order, frame.position, frame.position_by} - {0}
        self._tickets[frame.id] = keys = [(scene.account, one) for one in tickets]
        for key in keys:
            self._turns[key] = [*(one for one in self._turns[key] if one.is_with(made)), made]

    def _judge_turn(self, terminal: str, command_id: int, scene: Scene) -> None:
        """See that nobody has changed what a command is about while that was on its way."""
        for key in self._tickets.pop(command_id, ()):
            turns = self._turns.pop(key, [])
            own = next((one for one in turns if one.command_id == command_id), None)
            later = [one for one in turns if one.command_id != command_id]
            if later:
                self._turns[key] = later
            if own is None or (own.scene.life, own.scene.link) != (scene.life, scene.link):
                continue  # its link is gone, and whoever has waited for it was told so
            for one in later:
                if own.is_with(one) and turns.index(own) < turns.index(one):
                    said = f"{one.command_id} is written while {command_id} is on its way"
                    self._broken("one at a time", f"command {said}, about {key[1]} of {terminal}")

    def _judge_row(self, terminal: str, command_id: int) -> Command | None:
        command = self._truth.find(command_id)
        if command is None:
            self._broken("row first", f"command {command_id} of {terminal} has no durable row")
        elif command.is_paper:
            self._broken("on paper", f"command {command_id} is written to {terminal}")
        return command

    def executed(self, terminal: str, command_id: int, scene: Scene = SOMEWHERE) -> None:
        """Judge a trade that a terminal is about to carry out."""
        self._judge_turn(terminal, command_id, scene)
        self._judge_row(terminal, command_id)
        if command_id not in self._truth.reached:
            self._broken("command id", f"command {command_id} was never written to {terminal}")
        if command_id in self._executed:
            self._broken("command id", f"command {command_id} came to {terminal} twice")
        self._executed.add(command_id)

    def written_to_manager(self, data: bytes, life: int = 1) -> None:
        """Judge what a life of the daemon hands to the socket of a manager's peer: whole lines."""
        for line in data.splitlines():
            frame = _decode_line(line)
            if frame.op in CHANGES:
                self._judge_row("the manager", frame.id)
                self._judge_once("the manager", frame.id, life)

    def _broken(self, rule: str, text: str) -> None:
        self._invariants.broken(rule, text)


def adds_risk(frame: _Frame) -> bool:
    """Whether something may be at risk by a trade that was not before, whatever there is."""
    match frame.action:
        case TradeAction.DEAL:
            return not frame.position
        case TradeAction.PENDING | TradeAction.MODIFY:
            return True
        case TradeAction.SLTP:
            return frame.sl <= 0
    return False
