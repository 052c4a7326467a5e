"""Executor of an emulated terminal: it answers commands, and executes no trade twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from ea_bridge import commands
from ea_bridge.commands import COMMANDS, MAX_RESULTS, TOO_LATE, StoredResult
from ea_bridge.endpoint.results import (
    LINES_PER_RESULT,
    ResultStore,
    execute_once,
    parse_ids,
    split_result,
)
from ea_bridge.model import History, TradeResult, TradeRetcode
from ea_bridge.model.account import NO_CONNECTION
from ea_bridge.protocol.messages import Cmd, Res
from ea_bridge.simulation.faults import EmulatedFaults

from .command_handler import INVALID_PARAMETER, NOT_SUPPORTED, CommandHandler, Failed

MAX_LINES = LINES_PER_RESULT * MAX_RESULTS
"""Of the file, before it is written anew with what still counts."""

_result_decoder = msgspec.json.Decoder(TradeResult)


class TradeResultStore(ResultStore):
    """Store of the last commands that trade which a terminal has taken, by their ids.

    Args:
        path: keeps them between runs; in memory only if absent.

    Raises:
        OSError: the file is there and cannot be read.

    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path, room=MAX_RESULTS)

    def look_up(self, ids: Iterable[int]) -> list[StoredResult]:
        """Say what is known of each command."""
        return [self._known(command_id) for command_id in ids]

    def _known(self, command_id: int) -> StoredResult:
        state = self.state(command_id)
        res = self.answer(command_id) if state == "done" else None
        if res is None:
            return StoredResult(id=command_id, state=state)
        return StoredResult(
            id=command_id, state=state, result=_result(res), err=res.err, retcode=res.retcode
        )


def _result(res: Res) -> TradeResult | None:
    """Return what ``OrderSend`` answered; ``None`` of a refusal, and of another command."""
    try:
        return _result_decoder.decode(res.d) if res.ok else None
    except msgspec.MsgspecError:
        return None


HISTORY = frozenset({commands.RATES_GET.op, commands.TICKS_GET.op})
"""Commands whose data the terminal may have to load first: none is begun for nobody."""


class Crashed(Exception):
    """The terminal dies in the middle of a command; nobody is answered."""


class TerminalExecutor:
    """Executor of commands: answers each, a trade that comes again with its stored answer.

    Args:
        handler: answers them.
        results: remembers those that trade.
        faults: when it crashes.
        watch: carries out ``watch``, which is about the link and not for the handler.
        keep: writes the books, before anybody is told what was done.

    """

    def __init__(
        self,
        handler: CommandHandler,
        results: TradeResultStore,
        faults: EmulatedFaults,
        watch: Callable[[commands.WatchParams], commands.Watched],
        keep: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._results = results
        self._faults = faults
        self._watch = watch
        self._keep = keep

    def execute(self, cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
        """Do what is asked; a trade that comes again gets the stored answer, if there is one.

        Args:
            waited_ms: how long ago the command came.

        Raises:
            Crashed: by a fault, before a trade or after it.

        """
        if not is_trade(cmd):
            # from this id on the table knows of everything that was taken
            self._results.asked(cmd.id)
            if cmd.op in HISTORY and cmd.ttl and waited_ms > cmd.ttl:
                said = f"the command was to begin within {cmd.ttl} ms"
                return [Res(id=cmd.id, ok=False, err=TOO_LATE, msg=said)]
            return self._answer(cmd)
        return execute_once(cmd, self._results, waited_ms, self._trade)

    def _trade(self, cmd: Cmd) -> list[Res]:
        if self._faults.take("crash_before"):
            raise Crashed
        # 10012 is an answer of OrderSend alone
        may_stay_open = cmd.op == commands.ORDER_SEND.op
        if may_stay_open and self._faults.take("open_before"):
            return split_result(cmd.id, TradeResult(retcode=TradeRetcode.TIMEOUT))
        answer = self._answer(cmd)
        # on the disk before the answer: what was told must not be forgotten
        self._keep()
        if self._faults.take("crash_after"):
            raise Crashed
        if may_stay_open and self._faults.take("open_after"):
            return split_result(cmd.id, TradeResult(retcode=TradeRetcode.TIMEOUT))
        return answer

    def _answer(self, cmd: Cmd) -> list[Res]:
        try:
            return split_result(cmd.id, self._result(cmd))
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
                ids = parse_ids(cmd.params.ids, MAX_RESULTS)
                if ids is None:
                    said = f"1 to {MAX_RESULTS} ids, with commas between them"
                    raise Failed(INVALID_PARAMETER, said)
                return self._results.look_up(ids)
        if cmd.op == commands.LOGIN_CHECK.op and self._faults.take("login_unreachable"):
            raise Failed(NO_CONNECTION, "the trade server does not answer")
        # right after a fill a real terminal may not have the deal in its history yet
        if cmd.op == commands.HISTORY_DEALS_GET.op and self._faults.take("deals_lag"):
            return []
        answer = self._handler.answer(cmd.op, cmd.params)
        if isinstance(answer, History) and self._faults.take("history_loading"):
            return History(rows=answer.rows[len(answer.rows) // 2 :], missing="loading")
        return answer


def is_trade(cmd: Cmd) -> bool:
    """Whether a command is acknowledged before it is executed."""
    command = COMMANDS.get(cmd.op)
    return command is not None and command.trades
