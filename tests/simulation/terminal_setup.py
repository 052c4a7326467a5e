"""Terminals of the simulated world: how each is built, and whose account it is logged in to.

Most are traded on by bots of all kinds together. In some runs there is another one, with an
account that bots of one kind have for themselves: what they are promised is about the account as a
whole, and can be judged exactly where nobody else trades it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal

from .clocks import Calendar
from .earlier_ea import is_earlier, make_earlier
from .prices import drawn_market
from .shared_account import another, sharing
from .terminals import KINDS

PARTNERS: Mapping[str, str] = {"hedging-2": "hedging"}
"""Terminals that are logged in to the account of another one, by name."""
NAMES = (*KINDS, *PARTNERS)
LONE_SHARE = 0.5
"""Of the runs: there is a terminal that bots of one kind have for themselves."""
LOGINS = 1_000_000


def names_of(seed: int, lone: Sequence[str], chosen: str = "") -> tuple[str, ...]:
    """Return the names of the terminals of a run.

    Args:
        seed: of the run.
        lone: those of which it may have one.
        chosen: that which it has; empty: it is drawn.

    """
    if chosen:
        return (*NAMES, chosen)
    dice = Random(f"{seed} cast")  # noqa: S311 (a run, not a secret)
    return (*NAMES, dice.choice(lone)) if lone and dice.random() < LONE_SHARE else NAMES


def terms_of(name: str, seed: int) -> Mapping[str, Any]:
    """Return how a terminal is built."""
    if name in KINDS:
        return KINDS[name]
    dice = Random(f"{seed} {name}")  # noqa: S311 (a run, not a secret)
    return KINDS[dice.choice(sorted(KINDS))]


def new_machine(
    name: str,
    seed: int,
    folder: Path,
    others: Mapping[str, EmulatedTerminal],
    calendar: Calendar,
) -> EmulatedTerminal:
    """Return a terminal, to be called in its own context.

    Args:
        name: of the terminal.
        seed: of the run.
        folder: for its results.
        others: those that there are already.
        calendar: the clocks of its broker and its PC.

    """
    machine = _built(name, seed, folder / name, others, calendar)
    if is_earlier(seed, name):
        make_earlier(machine)
    return machine


def _built(
    name: str,
    seed: int,
    results: Path,
    others: Mapping[str, EmulatedTerminal],
    calendar: Calendar,
) -> EmulatedTerminal:
    if name in PARTNERS:
        return another(others[PARTNERS[name]], results)
    machine = build_terminal(
        seed=(seed + len(others)) % LOGINS,
        sessions=calendar.sessions,
        clock=calendar.brokers[name],
        pc_s=calendar.pc_of(name).time_gmt_s,
        results_file=results,
        new_market=partial(drawn_market, seed, name, rests=calendar.sessions == "real"),
        **terms_of(name, seed),
    )
    return sharing(machine, results) if name in PARTNERS.values() else machine
