"""Power cuts of a terminal's computer: the end of its file of results is lost."""

from __future__ import annotations

from pathlib import Path
from random import Random

from ..plugins import fault
from ..terminals import TradedTerminal
from ..world import World

LOST_NOTES = (0, 1, 1, 2, 3, 8)
"""So many of the last notes the system had not written yet."""
TORN = 0.3
MAX_TORN_BYTES = 20


@fault("terminal_power_cut", weight=4)
def cut_power(world: World, terminal: TradedTerminal, dice: Random) -> None:
    """Let the terminal die with what its system had not written to the disk: now, or before or
    after the broker has carried out the next trade."""

    def lose_end() -> None:
        terminal.before_death = lambda: None
        _cut_end(world.folder / terminal.name, dice)

    terminal.before_death = lose_end
    faults = terminal.machine.faults
    when = dice.choice(("now", "crash_before", "crash_after", "crash_after"))
    if when == "now":
        terminal.machine.restart(lose_results=False)
        terminal.link.cut()
    else:
        faults.lose_memory = 0
        setattr(faults, when, getattr(faults, when) + 1)


def _cut_end(file: Path, dice: Random) -> None:
    """Cut the last notes off a file; the last one that is kept may be torn."""
    if not file.exists():
        return
    notes = file.read_bytes().splitlines(keepends=True)
    kept = b"".join(notes[: max(0, len(notes) - dice.choice(LOST_NOTES))])
    torn = dice.randrange(MAX_TORN_BYTES) if dice.random() < TORN else 0
    file.write_bytes(kept[: max(0, len(kept) - torn)])
