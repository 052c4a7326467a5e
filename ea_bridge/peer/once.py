"""Carries out what changes something at most once, whatever is sent again."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ea_bridge.commands import FILE_WRITE_ERROR, TOO_LATE
from ea_bridge.protocol.messages import Cmd, Res

from .results import ResultsTable

_log = logging.getLogger(__name__)


def once(
    cmd: Cmd, results: ResultsTable, waited_ms: float, carry_out: Callable[[Cmd], list[Res]]
) -> list[Res]:
    """Carry a command out, unless it was taken before: then the stored answer counts, and nothing
    is returned where there is none.

    It is noted as taken before it begins; where that cannot be, it is refused. What comes later
    than its ``ttl`` is refused too.

    Args:
        waited_ms: how long ago the command came.
        carry_out: does it and answers; nothing where it does not know how it ended. What it
            raises leaves the command taken.

    """
    if cmd.id in results:
        stored = results.answer(cmd.id)
        return [] if stored is None else [stored]
    try:
        results.take(cmd.id)
    except OSError as error:
        _log.warning("command %d cannot be noted: %s", cmd.id, error)
        return [Res(id=cmd.id, ok=False, err=FILE_WRITE_ERROR, msg="it cannot be noted")]
    answer = _late(cmd) if 0 < cmd.ttl < waited_ms else carry_out(cmd)
    if len(answer) == 1:
        results.finish(answer[0])
    return answer


def ids_of(text: str, most: int) -> list[int] | None:
    """Read ids with commas between them; ``None`` if it is something else, or over ``most``."""
    ids = text.split(",")
    if len(ids) > most or not all(one.isascii() and one.isdigit() for one in ids):
        return None
    return [int(one) for one in ids]


def _late(cmd: Cmd) -> list[Res]:
    said = f"the command was to begin within {cmd.ttl} ms"
    return [Res(id=cmd.id, ok=False, err=TOO_LATE, msg=said)]
