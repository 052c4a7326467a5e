"""Executor of a manager peer: it answers commands, and makes no change twice."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import msgspec

from ea_bridge.endpoint.chunking import split_result
from ea_bridge.endpoint.idempotency import ResultStore, execute_once, parse_ids
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.commands import (
    MANAGER_COMMANDS,
    MAX_RESULT_IDS,
    RESULTS_GET,
    ResultsParams,
    StoredResult,
)
from ea_bridge.mt4_manager.model import ReturnCode
from ea_bridge.protocol.messages import Cmd, Res

INVALID_PARAMETER = 4003
NOT_SUPPORTED = 4014
INTERNAL_ERROR = 4024

_log = logging.getLogger(__name__)


class CommandRefused(Exception):
    """A command was not carried out, for certain unless the code is ``TRADE_TIMEOUT``,
    ``TRADE_ACCEPTED`` or ``TRADE_PROCESS``. The message is for the wire.

    Args:
        said: why.
        retcode: the Manager API's return code; 0 where the API was not asked.
        err: one of :data:`~ea_bridge.commands.TERMINAL_ERRORS` where it was not.

    """

    def __init__(self, said: str, *, retcode: int = 0, err: int = 0) -> None:
        super().__init__(said)
        self.retcode = retcode
        self.err = err


class ResultUnknown(Exception):
    """A command was begun, and the peer died over it: nobody is answered."""


class ManagerCommandHandler(Protocol):
    """Handler of single commands: the library's peer, or the emulator."""

    def answer(self, op: str, params: Struct) -> Any:
        """Return the result of a command, as :data:`MANAGER_COMMANDS` declares it.

        Raises:
            CommandRefused: it was not carried out; with ``TRADE_TIMEOUT`` it may have been.
            ResultUnknown: the peer died over it.

        """


class ManagerExecutor:
    """Executor of a manager's commands, one at a time.

    Args:
        handler: knows how.
        results: remembers those that change something.

    """

    def __init__(self, handler: ManagerCommandHandler, results: ResultStore) -> None:
        self._handler = handler
        self._results = results

    def execute(self, cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
        """Do what is asked; a change that comes again gets the stored answer, if there is one.

        Nothing is returned where nothing is known.

        Args:
            waited_ms: how long ago the command came.

        """
        if not is_change(cmd):
            self._results.asked(cmd.id)
            return self._answer(cmd)
        return execute_once(cmd, self._results, waited_ms, self._answer)

    def _answer(self, cmd: Cmd) -> list[Res]:
        try:
            return split_result(cmd.id, self._result(cmd))
        except CommandRefused as no:
            return [Res(id=cmd.id, ok=False, err=no.err, retcode=no.retcode, msg=str(no))]
        except ResultUnknown as error:
            _log.error("what became of command %d (%s) is not known: %s", cmd.id, cmd.op, error)
        except Exception:
            _log.exception("command %d (%s) failed", cmd.id, cmd.op)
            # a change may have been made: the code is that of one whose outcome is open
            retcode = int(ReturnCode.TRADE_TIMEOUT) if is_change(cmd) else 0
            said = "the peer has failed"
            return [Res(id=cmd.id, ok=False, err=INTERNAL_ERROR, retcode=retcode, msg=said)]
        return []

    def _result(self, cmd: Cmd) -> Any:
        if cmd.op not in MANAGER_COMMANDS:
            raise CommandRefused("unknown command", err=NOT_SUPPORTED)
        if isinstance(cmd.params, msgspec.UnsetType):
            raise CommandRefused(f"the params of {cmd.op} are malformed", err=INVALID_PARAMETER)
        if cmd.op == RESULTS_GET.op and isinstance(cmd.params, ResultsParams):
            ids = parse_ids(cmd.params.ids, MAX_RESULT_IDS)
            if ids is None:
                said = f"1 to {MAX_RESULT_IDS} ids, with commas between them"
                raise CommandRefused(said, err=INVALID_PARAMETER)
            return [self._known(command_id) for command_id in ids]
        return self._handler.answer(cmd.op, cmd.params)

    def _known(self, command_id: int) -> StoredResult:
        state = self._results.state(command_id)
        res = self._results.answer(command_id) if state == "done" else None
        if res is None:
            return StoredResult(id=command_id, state=state)
        return StoredResult(
            id=command_id, state=state, ok=res.ok, d=res.d, err=res.err, retcode=res.retcode
        )


def is_change(cmd: Cmd) -> bool:
    """Whether a command is acknowledged before it is executed, and executed once."""
    command = MANAGER_COMMANDS.get(cmd.op)
    return command is not None and command.trades
