"""Failures that meet what they are aimed at: the next command of a kind, or lists that are read.

What takes a command of a rare kind and a failure at the same time hardly ever comes about by
chance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from ea_bridge.commands import ORDER_SEND, ORDERS_GET, POSITIONS_GET, WATCH, FilterParams
from ea_bridge.model import TradeAction, TradeRequest, TradeRetcode

from ..plugins import Watcher, fault, watcher
from ..terminals import TradedTerminal
from ..traders import crowding, lurking

if TYPE_CHECKING:
    from ..world import World


HELD_KIND = "held"
"""Limit orders that the gateway sends by itself: few of them, and nobody waits for an answer."""
KINDS: dict[str, Callable[[TradeRequest], bool]] = {
    "close": lambda one: one.action == TradeAction.DEAL and one.position > 0,
    "close_by": lambda one: one.action == TradeAction.CLOSE_BY,
    "stops": lambda one: one.action == TradeAction.SLTP,
    "change": lambda one: one.action == TradeAction.MODIFY,
    "cancel": lambda one: one.action == TradeAction.REMOVE,
    HELD_KIND: lambda one: one.action == TradeAction.PENDING and one.magic == lurking.MAGIC,
    "pending": lambda one: one.action == TradeAction.PENDING,
}
"""What is aimed at, and how it is known."""
FAILURES = (
    *("lose_result", "cut_after_ack", "crash_before", "crash_after", "open_before", "open_after"),
    *("refused", "refused", "late", ""),
)
REFUSALS = (TradeRetcode.FROZEN, TradeRetcode.REQUOTE, TradeRetcode.REJECT)
OF_ANSWERS = ("open_before", "open_before", "open_after", "late", "late", "", "")
"""Those that leave the link as it is, so that others of a crowd go on."""
UNKNOWN = ("cut_after_ack", "crash_after", "open_after", "open_before")
"""Those that leave open what became of a command."""
SOME = (1, 3, 3, 6)
"""So many commands in a row are met."""
LATE_MS = (100, 400, 1500)
LAGGING = 3
"""So many looks at the history show no deal yet."""
HELD: dict[str, int] = {ORDERS_GET.op: 3, POSITIONS_GET.op: 3, WATCH.op: 3}
"""What streams begin with: lists, and symbols to be told of; and how many answers are held."""
THIN_S = 3.0
"""So long there is little on offer, from the beginning of a sweep."""
LEAST_LOTS = 0.01


@watcher
class AimedFailures(Watcher):
    """Lets commands fail when a terminal is about to carry them out."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._aims: dict[tuple[str, str], list[tuple[str, bool]]] = {}
        """Failures of the next commands, and whether the broker rewrites their comments, by
        terminal and kind."""
        self._late: dict[tuple[str, str], int] = {}
        """How many answers of a terminal to commands of a kind are still to be read late."""
        self._thin: set[str] = set()
        """Terminals at which the next sweep finds little on offer."""
        self._crowds: dict[str, bool] = {}
        """Terminals at which crowds fail, and whether comments are rewritten there."""
        self._dice = world.dice("aims")

    def aim(self, terminal: TradedTerminal, kind: str) -> None:
        """Let the next commands of a kind fail, all in the same way or each in its own."""
        dice, count = self._dice, self._dice.choice(SOME)
        some = UNKNOWN if kind == HELD_KIND else dice.choice((FAILURES, OF_ANSWERS))
        alike, mixed = [dice.choice(some)] * count, dice.choices(some, k=count)
        failures = alike if dice.random() < 0.3 else mixed
        rewrites = dice.random() < 0.5
        self._aims[terminal.name, kind] = [(one, rewrites) for one in failures]

    def fail_crowds(self, terminal: TradedTerminal) -> None:
        """Let what crowds do fail from now on, each command in its own way."""
        self._crowds[terminal.name] = self._dice.random() < 0.85

    def hold_lists(self, terminal: TradedTerminal) -> None:
        """Let the daemon read the next lists late, together with what happens after them."""
        self._late |= {(terminal.name, op): count for op, count in HELD.items()}

    def thin_out(self, terminal: TradedTerminal) -> None:
        """Let the market have little on offer while the next sweep closes positions."""
        self._thin.add(terminal.name)

    def before_ask(self, terminal: TradedTerminal, message: Any, life: int) -> None:
        """Thin the market out if this is the sweep that was waited for."""
        if terminal.name not in self._thin or message["method"] != "close_all_positions":
            return
        self._thin.discard(terminal.name)
        script = terminal.truth.broker.script
        script.most_lots = LEAST_LOTS
        self.world.loop.call_later(THIN_S, setattr, script, "most_lots", None)

    def on_command(self, terminal: TradedTerminal, command: Any) -> None:
        """Let it fail if it is one of those."""
        if self._late.get((terminal.name, command.op)):
            self._hold(terminal, command.op, command.params)
        if command.op != ORDER_SEND.op:
            return
        if command.params.magic == crowding.MAGIC and terminal.name in self._crowds:
            self._fail(terminal, self._dice.choice(OF_ANSWERS), self._crowds[terminal.name])
        for kind, is_meant in KINDS.items():
            failures = self._aims.get((terminal.name, kind))
            if failures and is_meant(command.params):
                self._fail(terminal, *failures.pop())

    def _fail(self, terminal: TradedTerminal, failure: str, rewrites: bool) -> None:
        faults = terminal.machine.faults
        faults.rewrite_comment = max(faults.rewrite_comment, int(rewrites))
        if not failure:
            return
        if failure == "refused":
            terminal.truth.broker.script.refusals.appendleft(self._dice.choice(REFUSALS))
            return
        if failure == "late":
            faults.delay_result_ms = self._dice.choice(LATE_MS)
            self.world.loop.call_soon(setattr, faults, "delay_result_ms", 0)
            return
        if self._dice.random() < 0.2:
            faults.deals_lag = max(faults.deals_lag, LAGGING)
        setattr(faults, failure, getattr(faults, failure) + 1)
        if failure.startswith("crash"):
            faults.lose_memory = int(self._dice.random() < 0.5)

    def _hold(self, terminal: TradedTerminal, op: str, params: Any) -> None:
        if isinstance(params, FilterParams) and (params.ticket or params.symbol):
            return
        self._late[terminal.name, op] -= 1
        # what a terminal tells by itself comes some time after it was asked to
        seconds = (-0.7, 0.0) if op == WATCH.op else (-2.5, -0.3)
        until_s = self.world.loop.now + 10 ** self._dice.uniform(*seconds)
        for near in self.world.network.links(terminal.name):
            if near.peer is not None:
                near.peer.stalled_until_s = until_s

    def on_peace(self) -> None:
        """Aim at nothing any more."""
        self._aims.clear()
        self._crowds.clear()
        self._late.clear()
        self._thin.clear()


def _aimed(world: World) -> AimedFailures:
    return next(one for one in world.watchers if isinstance(one, AimedFailures))


def _aim(kind: str, world: World, terminal: TradedTerminal, _: Random) -> None:
    _aimed(world).aim(terminal, kind)


for _kind in KINDS:
    fault(f"next_{_kind}_fails", weight=2)(partial(_aim, _kind))


@fault("crowds_fail")
def _(world: World, terminal: TradedTerminal, _: Random) -> None:
    """What is done at once at a terminal fails from now on, mostly with rewritten comments."""
    _aimed(world).fail_crowds(terminal)


@fault("lists_read_late", weight=2)
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The daemon reads lists together with what has happened since, mostly after a new link."""
    _aimed(world).hold_lists(terminal)
    if dice.random() < 0.7:
        terminal.link.cut()


@fault("thin_at_sweep")
def _(world: World, terminal: TradedTerminal, _: Random) -> None:
    """The market has the least there is for each fill while positions are swept."""
    _aimed(world).thin_out(terminal)
