"""EAs of an earlier version, at some of the simulated terminals."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from ea_bridge.commands import SURE_ABSENT
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import Hello

SHARE = 0.5
"""Of the terminals."""


def is_earlier(seed: int, name: str) -> bool:
    """Whether a terminal of a run has an EA of an earlier version."""
    return Random(f"{seed} earlier EA {name}").random() < SHARE  # noqa: S311 (a run, not a secret)


def make_earlier(machine: EmulatedTerminal) -> None:
    """Have a terminal call a command absent that a power cut has taken out of its table, and not
    announce that it knows better.
    """
    results, reload, hello = machine._results, machine._results.reload, machine.hello

    def believe_the_file() -> None:
        results._durable = True  # so that it is taken for whole
        try:
            reload()
        finally:
            results._durable = False

    def say_less(tid: str, cnonce: str) -> Hello:
        said = hello(tid, cnonce)
        return replace(said, caps=",".join(sorted(parse_caps(said.caps) - {SURE_ABSENT})))

    results.reload = believe_the_file  # type: ignore[method-assign]  # as its version does
    machine.hello = say_less  # type: ignore[method-assign]  # as its version does
