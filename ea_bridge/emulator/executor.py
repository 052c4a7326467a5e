"""What an emulated terminal does with a command: answers it, and never executes a trade twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from ea_bridge import commands
from ea_bridge.commands import COMMANDS, FILE_WRITE_ERROR, MAX_RESULTS, TOO_LATE
from ea_bridge.model.login import NO_CONNECTION
from ea_bridge.protocol.messages import Cmd, Res

from .desk import INVALID_PARAMETER, NOT_SUPPORTED, Desk, Failed
from .faults import Faults
from .results import ResultsTable

MAX_PART_BYTES = 256 * 1024
"""Of a long answer in one line: a quarter of what a line may have, so that what is urgent does
not wait for long behind it. Counted in bytes, since an order is five times as long as a bar."""

_encoder = msgspec.json.Encoder()
_log = logging.getLogger(__name__)


class Crashed(Exception):
    """The terminal dies in the middle of a command; nobody is answered."""


class Executor:
    """Carries commands out.

    Args:
        desk: answers them.
        results: remembers those that trade.
        faults: when it crashes.
        watch: carries out ``watch``, which is about the link and not for the desk.

    """

    def __init__(
        self,
        desk: Desk,
        results: ResultsTable,
        faults: Faults,
        watch: Callable[[commands.WatchParams], commands.Watched],
    ) -> None:
        self._desk = desk
        self._results = results
        self._faults = faults
        self._watch = watch

    def execute(self, cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
        """Do what is asked; a trade that comes again gets the stored answer, if there is one.

        Args:
            waited_ms: how long ago the command came.

        Raises:
            Crashed: by a fault, before a trade or after it.

        """
        if not is_trade(cmd):
            self._results.asked(cmd.id)
            return self._answer(cmd)
        if cmd.id in self._results:
            stored = self._results.answer(cmd.id)
            return [] if stored is None else [stored]
        try:
            self._results.take(cmd.id)
        except OSError as error:
            _log.warning("command %d cannot be noted: %s", cmd.id, error)
            return [Res(id=cmd.id, ok=False, err=FILE_WRITE_ERROR, msg="it cannot be noted")]
        if self._faults.take("crash_before"):
            raise Crashed
        [res] = self._late(cmd) if 0 < cmd.ttl < waited_ms else self._answer(cmd)
        if self._faults.take("crash_after"):
            raise Crashed
        self._results.finish(res)
        return [res]

    def _late(self, cmd: Cmd) -> list[Res]:
        said = f"the command was to begin within {cmd.ttl} ms"
        return [Res(id=cmd.id, ok=False, err=TOO_LATE, msg=said)]

    def _answer(self, cmd: Cmd) -> list[Res]:
        try:
            return _parts(cmd.id, self._result(cmd))
        except Failed as failed:
            return [Res(id=cmd.id, ok=False, err=failed.err, msg=str(failed))]

    def _result(self, cmd: Cmd) -> Any:
        if cmd.op not in COMMANDS:
            raise Failed(NOT_SUPPORTED, "unknown command")
        match cmd.params:
            case msgspec.UnsetType():
                raise Failed(INVALID_PARAMETER, f"the params of {cmd.op} are malformed")
            case commands.WatchParams():
                return self._watch(cmd.params)
            case commands.ResultsParams():
                return self._results.look_up(_ids(cmd.params.ids))
        if cmd.op == commands.LOGIN_CHECK.op and self._faults.take("login_unreachable"):
            raise Failed(NO_CONNECTION, "the trade server does not answer")
        if cmd.op == commands.HISTORY_DEALS_GET.op and self._faults.take("deals_lag"):
            return []
        return self._desk.answer(cmd.op, cmd.params)


def is_trade(cmd: Cmd) -> bool:
    """Whether a command is acknowledged before it is executed."""
    command = COMMANDS.get(cmd.op)
    return command is not None and command.trades


def _ids(text: str) -> list[int]:
    parts = text.split(",")
    if len(parts) > MAX_RESULTS or not all(part.isascii() and part.isdigit() for part in parts):
        raise Failed(INVALID_PARAMETER, f"1 to {MAX_RESULTS} ids, with commas between them")
    return [int(part) for part in parts]


def _parts(id_: int, result: Any) -> list[Res]:
    """Return the answer; a long list in parts, each of them a list."""
    whole = _encoder.encode(result)
    if not isinstance(result, list) or len(whole) <= MAX_PART_BYTES:
        return [Res(id=id_, ok=True, d=msgspec.Raw(whole))]
    lists = [b"[" + b",".join(rows) + b"]" for rows in _fitting(map(_encoder.encode, result))]
    return [
        Res(id=id_, ok=True, d=msgspec.Raw(rows), part=part, last=part == len(lists) - 1)
        for part, rows in enumerate(lists)
    ]


def _fitting(rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Put rows together that fit into one part; one that is longer by itself is alone."""
    some: list[bytes] = []
    size = 0
    for row in rows:
        if some and size + len(row) > MAX_PART_BYTES:
            yield some
            some, size = [], 0
        some.append(row)
        size += len(row) + 1
    if some:
        yield some
