"""Faults of a slow terminal: it is held up before an order, or answers long after it.

What is answered later than anybody waits is worth having all the same: a second after an answer
has come to the daemon that asked, the order has its end.
"""

from __future__ import annotations

import json
from random import Random

from ea_bridge.model import SUCCESSES
from ea_bridge.protocol.messages import Cmd, Res
from gateway.trading.journal.intents import ENDS
from gateway.trading.results import is_final
from gateway.trading.terminal import was_refused

from ..plugins import fault
from ..terminals import TradedTerminal
from ..world import World
from .ea_failures import answer_next

STALLS_MS = (500, 4_000, 8_000, 20_000)
"""Orders are given five or ten seconds to begin, and all that are asked wait for ten. After eight
an order is too late while its link is there still."""
LATE_MS = (1_000, 9_000, 11_000, 14_000)
FOR_S = 0.5
"""So long orders that come are held up."""
TAKEN_S = 1.0
"""After an answer has come."""
AWAKE_S = 0.1
"""So late a timer may be where nothing has slept or was held up."""


@fault("held_up")
def hold_up(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The terminal is held up before the orders of the next moment."""
    faults = terminal.machine.faults
    faults.stall_ms = dice.choice(STALLS_MS)
    world.loop.call_later(FOR_S, setattr, faults, "stall_ms", 0)


@fault("answers_late")
def answer_late(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The next order is answered long after it was carried out."""
    late_ms = dice.choice(LATE_MS)

    def delay(cmd: Cmd, answer: list[Res]) -> list[Res]:
        faults = terminal.machine.faults
        faults.delay_result_ms = late_ms
        world.loop.call_soon(setattr, faults, "delay_result_ms", 0)
        scene = (world.daemons.present, len(terminal.links))
        seconds = late_ms / 1000 + TAKEN_S
        if all(map(_tells_an_end, answer)):
            _look_in(seconds, world, terminal, cmd.id, scene)
        return answer

    answer_next(terminal, delay)


def _tells_an_end(answer: Res) -> bool:
    """Whether an answer says what became of its order; a broken connection leaves that open."""
    if not answer.ok:
        return was_refused(answer.err, answer.retcode)
    retcode = json.loads(bytes(answer.d))["retcode"]
    return retcode in SUCCESSES or is_final(retcode)


def _look_in(
    seconds: float,
    world: World,
    terminal: TradedTerminal,
    command_id: int,
    scene: tuple[int, int],
    was_silent: bool = False,
) -> None:
    """Look later whether the answer was taken; later still if the machine sleeps until then: an
    answer that came meanwhile is read when it wakes, and not before this look. Likewise while
    nothing comes on the link: the answer is held up like all else.
    """
    loop = world.loop
    due_s, slept_s = loop.time() + seconds, loop.slept_s

    def look() -> None:
        # also where it woke right before: what came meanwhile takes its time
        if loop.slept_s > slept_s or loop.time() - due_s > AWAKE_S:
            _look_in(TAKEN_S, world, terminal, command_id, scene)
        elif (is_silent := _is_silent(world, terminal)) or was_silent:
            _look_in(TAKEN_S, world, terminal, command_id, scene, is_silent)
        else:
            _look(world, terminal, command_id, scene)

    world.loop.call_later(seconds, look)


def _is_silent(world: World, terminal: TradedTerminal) -> bool:
    """Whether nothing has come on the terminal's link for so long that the answer cannot have."""
    if world.daemons.death.done():
        return False
    sessions = world.daemons.gateway.registry.sessions()
    silences = [one.silence_s for one in sessions if one.terminal == terminal.name]
    return any(silence_s >= TAKEN_S for silence_s in silences)


def _look(world: World, terminal: TradedTerminal, command_id: int, scene: tuple[int, int]) -> None:
    """See that the answer was taken, if the link has lasted until it came."""
    if scene != (world.daemons.present, len(terminal.links)) or world.daemons.death.done():
        return
    gateway = world.daemons.gateway
    # the link may have ended without a next one yet
    if terminal.name not in {session.terminal for session in gateway.registry.sessions()}:
        return
    log = gateway.trading.reconcile.log
    for intent in log._unresolved.values():
        for send in intent.sends:
            if send.command_id == command_id and send.stage not in ENDS:
                world.invariants.broken("late answer", f"command {command_id} is {send.stage}")
