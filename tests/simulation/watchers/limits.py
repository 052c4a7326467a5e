"""Watcher of what a token with limits has traded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.trading.requests import tag

from ..limit_rules import LimitRules, Moment
from ..plugins import Watcher, watcher
from ..traders.limited import LIMITED

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World


@watcher
class LimitsWatcher(Watcher):
    """Judges the orders of the terminal whose token has limits, where there is one."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        terminal = world.terminals.get(LIMITED)
        if terminal is not None:
            self._rules = LimitRules(
                world.records[LIMITED].limits,
                terminal.truth.broker,
                partial(tag, *terminal.account),
                partial(world.invariants.broken, "limits"),
                world.sometimes,
            )

    def _now(self) -> Moment:
        expiries = self.world.expiries
        return Moment(self.world.loop.now, expiries.wall_s(), expiries.steps)

    def before_ask(self, terminal: TradedTerminal, message: Any, life: int) -> None:
        """Take what a bot asks for."""
        if terminal.name == LIMITED and isinstance(message, dict):
            self._rules.asks(message, self._now())

    def on_answer(self, terminal: TradedTerminal, message: Any, answer: Any, life: int) -> None:
        """Judge why a bot was refused."""
        if terminal.name == LIMITED and isinstance(message, dict):
            self._rules.answered(message, answer, self.world.asked_s, self.world.loop.now)

    def on_command(self, terminal: TradedTerminal, command: Any) -> None:
        """Judge what is carried out."""
        if terminal.name == LIMITED and command.op == "order_send":
            self._rules.arrives(command.id, command.params, self._now())

    def at_end(self) -> None:
        """Judge how many orders there were in a minute."""
        terminal = self.world.terminals.get(LIMITED)
        if terminal is not None:
            truth = terminal.truth
            self._rules.at_end(lambda one: bool(truth.tagged.get(one)))
