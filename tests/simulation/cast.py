"""Terminals of the simulated world: how each is built, and whose account it is logged in to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ea_bridge.emulator.machine import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal

from .clocks import Calendar
from .prices import drawn_market
from .shared_account import another, sharing
from .terminals import KINDS

PARTNERS: Mapping[str, str] = {"hedging-2": "hedging"}
"""Terminals that are logged in to the account of another one, by name."""
NAMES = (*KINDS, *PARTNERS)
LOGINS = 1_000_000


def new_machine(
    name: str,
    seed: int,
    folder: Path,
    others: Mapping[str, EmulatedTerminal],
    calendar: Calendar,
) -> EmulatedTerminal:
    """Return a terminal, to be called in its own context.

    Args:
        name: of :data:`NAMES`.
        seed: of the run.
        folder: for its results.
        others: those that there are already.
        calendar: the clocks of its broker and its PC.

    """
    results = folder / name
    if name in PARTNERS:
        return another(others[PARTNERS[name]], results)
    machine = build_terminal(
        seed=(seed + NAMES.index(name)) % LOGINS,
        sessions=calendar.sessions,
        clock=calendar.brokers[name],
        pc_s=calendar.pc_of(name).time_gmt_s,
        results_file=results,
        new_market=partial(drawn_market, seed, name, rests=calendar.sessions == "real"),
        **KINDS[name],
    )
    return sharing(machine, results) if name in PARTNERS.values() else machine
