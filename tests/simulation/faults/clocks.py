"""Faults of clocks: NTP sets them, owners set them, machines sleep, summer time comes and goes.

Daemon, bots and terminals mostly live on one PC, whose clock all of them read; the broker has its
own. What passes in sleep passes at the broker as well. Timers stand still in sleep, as on Linux,
or all of them are due when the machine wakes, as on Windows.
"""

from __future__ import annotations

from random import Random

from ..plugins import fault
from ..terminals import TradedTerminal
from ..world import World

HOUR_S = 3600


@fault("clock_slewed")
def _slew(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """NTP finds that the clock is off by milliseconds."""
    world.calendar.pc_of(terminal.name).step(_either(dice, 0.001, 0.5))


@fault("clock_stepped")
def _step(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """NTP sets the clock: it was off by seconds, or by minutes."""
    longest_s = dice.choice((5, 60, 600))
    world.calendar.pc_of(terminal.name).step(_either(dice, 0.5, longest_s))


@fault("clock_set")
def _set(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Somebody sets the clock by hours, or what was wrong is put right."""
    pc = world.calendar.pc_of(terminal.name)
    if dice.random() < 0.5:
        pc.step(-pc.ahead_s())
    else:
        pc.step(_either(dice, 600, 12 * HOUR_S))


@fault("pc_zone_changed")
def _change_zone(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The system and MetaTrader disagree about summer time, or agree again."""
    pc = world.calendar.pc_of(terminal.name)
    pc.zone_off_s = 0 if pc.zone_off_s else dice.choice((-HOUR_S, HOUR_S))


@fault("slept_without_timers")
def _sleep_without_timers(world: World, _: TradedTerminal, dice: Random) -> None:
    """The machine sleeps, and its timers stand still."""
    world.calendar.sleep(_nap_s(dice), timers_run=False)


@fault("slept_with_timers")
def _sleep_with_timers(world: World, _: TradedTerminal, dice: Random) -> None:
    """The machine sleeps, and when it wakes all that was to happen meanwhile is due."""
    world.calendar.sleep(_nap_s(dice), timers_run=True)


@fault("weekend")
def _weekend(world: World, _: TradedTerminal, dice: Random) -> None:
    """The machine sleeps over the weekend; in many of them the broker's clock is put on or back.

    There is one at most in a run; where there is none, or no more, it sleeps for a moment.
    """
    timers_run = dice.random() < 0.5
    world.calendar.sleep(world.calendar.weekend_s() or dice.random(), timers_run=timers_run)


def _either(dice: Random, least_s: float, most_s: float) -> float:
    return dice.choice((-1, 1)) * dice.uniform(least_s, most_s)


def _nap_s(dice: Random) -> float:
    """Mostly a moment: the market goes on, and has to be made up for."""
    return dice.uniform(1, dice.choice((5, 10, 20, 20, 60, 180)))
