"""Faults of the network: resets, half-open connections, peers that read slowly or not at all."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from ..network import Weather
from ..plugins import fault
from ..sockets import SimulatedSocket
from ..terminals import TradedTerminal
from ..world import World

BOTS, DAEMON = "bots", "daemon"
LEAST_CAPACITY, MOST_CAPACITY = 16, 512
"""Bytes of an inbox that is nearly always full."""
GARBAGE = (
    b'{"t":"nobody knows"}\n',
    b'{"t":"res"}\n',
    b"\x00\n" * 64,
    b'{"t":"auth","proof":"%s"}\n' % (b"0" * 64),
)
"""Some of it is put up with, and some ends the link."""


def _links(world: World, node: str) -> list[SimulatedSocket]:
    return world.network.links(node)


def _one_of_the_bots(world: World, dice: Random) -> list[SimulatedSocket]:
    links = _links(world, BOTS)
    return [dice.choice(links)] if links else []


def _reset(world: World, links: list[SimulatedSocket]) -> None:
    for near in links:
        assert near.peer is not None
        world.network.reset(near)
        world.network.reset(near.peer)


def _lose(world: World, links: list[SimulatedSocket]) -> None:
    for near in links:
        assert near.peer is not None
        world.network.lose(near)
        world.network.lose(near.peer)


@fault("link reset")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Both ends of a terminal's link are told that it is gone."""
    _reset(world, _links(world, terminal.name))


@fault("link half open")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Nothing goes through any more, and nobody is told: the heartbeats must find out."""
    _lose(world, _links(world, terminal.name))


@fault("link garbled")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The daemon is sent a line that no EA sends, perhaps in the middle of one that it does."""
    for near in _links(world, terminal.name):
        with suppress(OSError):
            near.send(dice.choice(GARBAGE))


@fault("link stalled")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The terminal reads nothing for a while; MetaTrader does so while it shows a dialog."""
    for near in _links(world, terminal.name):
        near.stalled_until_s = world.loop.now + 10 ** dice.uniform(-2, 0.8)


@fault("link narrow")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Little goes through at a time, so that both ends have full buffers."""
    for near in _links(world, terminal.name):
        assert near.peer is not None
        for end in (near, near.peer):
            end.capacity = dice.randint(LEAST_CAPACITY, MOST_CAPACITY)


@fault("link slow")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """All that is sent takes long, up to seconds, for a while."""
    until_s = world.loop.now + dice.uniform(0.1, 5.0)
    world.network.weather[terminal.name] = Weather(until_s, 10 ** dice.uniform(-2, 0.5))


@fault("link parted")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Nothing arrives for a while, and everything after that."""
    until_s = world.loop.now + 10 ** dice.uniform(-1, 1.3)
    world.network.weather[terminal.name] = Weather(until_s)


@fault("daemon held up", weight=3)
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """The daemon gets round to nothing for a moment, and then finds everything at once."""
    until_s = world.loop.now + 10 ** dice.uniform(-3, -0.5)
    for near in world.network.of(DAEMON):
        near.stalled_until_s = until_s


@fault("bot reset")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """A bot's connection is gone, perhaps between its order and the answer."""
    _reset(world, _one_of_the_bots(world, dice))


@fault("bot half open")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Nothing goes through to a bot any more, and nobody is told."""
    _lose(world, _one_of_the_bots(world, dice))


@fault("bots slow")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """All that bots send and are sent takes long for a while."""
    until_s = world.loop.now + dice.uniform(0.05, 2.0)
    world.network.weather[BOTS] = Weather(until_s, 10 ** dice.uniform(-2, 0.0))


@fault("bots parted")
def _(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Nothing arrives at any bot for a while, and nothing from them."""
    until_s = world.loop.now + 10 ** dice.uniform(-1, 0.8)
    world.network.weather[BOTS] = Weather(until_s)
