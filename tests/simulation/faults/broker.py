"""Faults of a broker: it refuses, offers little, is slow or away, or lets no program trade."""

from __future__ import annotations

from random import Random

from ea_bridge.model import TradeRetcode

from ..plugins import fault
from ..terminals import TradedTerminal
from ..world import World

REFUSALS = (
    TradeRetcode.REQUOTE,
    TradeRetcode.REJECT,
    TradeRetcode.INVALID_FILL,
    TradeRetcode.PRICE_CHANGED,
    TradeRetcode.TOO_MANY_REQUESTS,
    TradeRetcode.FROZEN,
    TradeRetcode.ERROR,
    TradeRetcode.CONNECTION,
)
"""The last two leave open what became of it."""
SHORT_S, LONG_S = 0.05, 4.0
"""How long a switch stays off."""
OFFERED = (0.0, 0.01, 0.01, 0.02)
"""Lots that the market has for one fill."""
LEAST_LOTS = 0.01


@fault("refused", weight=2)
def refuse(_: World, terminal: TradedTerminal, dice: Random) -> None:
    """The next requests are refused, or left open, for no fault of theirs."""
    script = terminal.truth.broker.script
    script.refusals.extend(dice.choices(REFUSALS, k=dice.choice((1, 1, 3))))


@fault("little_volume")
def offer_little(_: World, terminal: TradedTerminal, dice: Random) -> None:
    """The market has not enough for the next fills."""
    terminal.truth.broker.script.volumes.extend(dice.choices(OFFERED, k=dice.choice((1, 3))))


@fault("thin_market")
def thin_out(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The market has the least there is for each fill, for a while."""
    script = terminal.truth.broker.script
    script.most_lots = LEAST_LOTS
    world.loop.call_later(dice.uniform(SHORT_S, LONG_S), setattr, script, "most_lots", None)


@fault("delayed_fill")
def delay(_: World, terminal: TradedTerminal, dice: Random) -> None:
    """The next market orders are taken at once, and filled later."""
    script = terminal.truth.broker.script
    script.delays_ms.extend(dice.randint(50, 3000) for _ in range(dice.choice((1, 2))))


@fault("broker_away")
def leave(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The terminal loses its broker for a while."""
    _turn_off(world, terminal, "connected", dice)


@fault("autotrading_off")
def stop_programs(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Somebody presses the AutoTrading button, and again."""
    _turn_off(world, terminal, "autotrading", dice)


def _turn_off(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    switches = terminal.truth.broker.switches
    setattr(switches, name, False)
    world.loop.call_later(dice.uniform(SHORT_S, LONG_S), setattr, switches, name, True)
