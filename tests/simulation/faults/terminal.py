"""Faults of a terminal and its link, as the emulator knows them."""

from __future__ import annotations

from functools import partial
from random import Random

from ..plugins import fault
from ..terminals import CRASHES, CUTS, OPEN_ENDS, OTHERS, TradedTerminal
from ..world import World


def _misbehave(kind: str, _: World, terminal: TradedTerminal, dice: Random) -> None:
    terminal.misbehave(kind, dice)


for _kind in (*CUTS, *CRASHES, *OPEN_ENDS, *OTHERS):
    fault(_kind, weight=2 if _kind in CUTS else 1)(partial(_misbehave, _kind))
