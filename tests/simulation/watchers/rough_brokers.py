"""Brokers that rewrite every comment, at terminals that forget all results whenever they die.

Then nothing tells equal orders apart but what they look like and when they came.
"""

from __future__ import annotations

from ..plugins import Watcher, watcher
from ..world import World

SHARE = 0.2
"""Of the terminals, in runs in which anything fails."""


@watcher
class RoughBrokers(Watcher):
    """Makes some of the terminals rough before anything happens."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        dice = world.dice("rough brokers")
        for terminal in world.terminals.values():
            if world.options.kills_every and dice.random() < SHARE:
                terminal.be_rough()
