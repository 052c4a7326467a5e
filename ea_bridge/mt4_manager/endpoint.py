"""Peer's end of a manager link, be the trade server beside it real or emulated.

:class:`ManagerConversation` is one connection to the daemon. :class:`ManagerExecutor` answers its
commands, and makes no change twice; a :class:`ManagerCommandHandler` knows how to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from ea_bridge import host
from ea_bridge.commands import ResultsParams
from ea_bridge.endpoint.conversation import DevicePin, PeerConversation
from ea_bridge.endpoint.results import ResultStore, execute_once, parse_ids, split_result
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.commands import (
    MANAGER_COMMANDS,
    MAX_LINE_TO_MANAGER,
    MAX_RESULT_IDS,
    RESULTS_GET,
    StoredManagerResult,
)
from ea_bridge.mt4_manager.model import ReturnCode
from ea_bridge.protocol.connection import TERMINAL, Connection
from ea_bridge.protocol.handshake import SPAN
from ea_bridge.protocol.messages import Auth, Challenge, Cmd, Hb, Hello, Pending, Res, Welcome

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
            # from this id on the table knows of everything that was taken
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

    def _known(self, command_id: int) -> StoredManagerResult:
        state = self._results.state(command_id)
        res = self._results.answer(command_id) if state == "done" else None
        if res is None:
            return StoredManagerResult(id=command_id, state=state)
        return StoredManagerResult(
            id=command_id, state=state, ok=res.ok, d=res.d, err=res.err, retcode=res.retcode
        )


def is_change(cmd: Cmd) -> bool:
    """Whether a command is acknowledged before it is executed, and executed once."""
    command = MANAGER_COMMANDS.get(cmd.op)
    return command is not None and command.trades


WINDOW_MS = 300_000


class Delay:
    """Time that a message was on its way, without a clock that both ends share.

    The daemon stamps what it says by its own steady clock (:func:`ea_bridge.host.boot_ms`). The
    difference between ours and the stamp is that of the two clocks, and the time on the way. The
    least difference of the last minutes is that of the fastest message; whatever is over it is
    delay. That counts a peer that was frozen with commands unread, a tunnel that stood still, a
    computer that slept; clocks that are set, or run apart by a few seconds a day, do not matter.
    """

    def __init__(self) -> None:
        self._least: int | None = None
        self._before: int | None = None
        """Of the window before this one: a new one begins with what is known."""
        self._begun_ms = 0

    def of(self, stamp_ms: int, now_ms: int) -> int:
        """Return how many milliseconds later than the fastest a message came.

        Args:
            stamp_ms: its stamp; 0 where it has none, which tells nothing.
            now_ms: when it was read.

        """
        if not stamp_ms:
            return 0
        difference = now_ms - stamp_ms
        if self._least is None or now_ms - self._begun_ms >= WINDOW_MS:
            # a window ends: clocks that run apart would make an old least difference a false delay
            self._before, self._least, self._begun_ms = self._least, difference, now_ms
        self._least = min(self._least, difference)
        known = self._least if self._before is None else min(self._least, self._before)
        return difference - known


MAX_WELCOME_MS = 5000
"""From our proof to the daemon's welcome, which it says at once."""

_log = logging.getLogger(__name__)


class ManagerBackend(Protocol):
    """Backend of a link: the program at our end of it."""

    @property
    def boot(self) -> str:
        """Random id of the program's run; each start has a new one."""

    @property
    def name(self) -> str:
        """Name of the peer's program, with its version."""

    @property
    def fingerprint(self) -> str:
        """See ``Hello.fp``."""

    @property
    def connected(self) -> bool:
        """Whether it is logged in at the trade server."""

    def obey(self, cmd: Cmd, conversation: ManagerConversation, waited_ms: float) -> None:
        """Carry a command out, now or later, and say its answer to the conversation.

        Args:
            waited_ms: how long it has been on its way.

        """


class ManagerConversation(PeerConversation):
    """One TCP connection of a manager peer.

    Args:
        backend: what is asked.
        token: its secret.
        pin: which daemon it belongs to.
        on_ready: called when the daemon has let us in.
        on_pending: called when this machine waits for approval, and after each wrong code.

    """

    def __init__(
        self,
        backend: ManagerBackend,
        token: str,
        pin: DevicePin,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        connection = Connection(TERMINAL, commands=MANAGER_COMMANDS, max_line=MAX_LINE_TO_MANAGER)
        super().__init__(connection, token, pin, on_ready, on_pending)
        self._backend = backend
        self._delay = Delay()
        self._proved_ms = 0

    def _introduce(self, tid: str, cnonce: str) -> Hello:
        # of the trade server nothing is said: whoever answers here has not proved himself yet
        return Hello(
            proto=SPAN,
            tid=tid,
            cnonce=cnonce,
            boot=self._backend.boot,
            platform="mt4",
            role="manager",
            login=0,
            server="",
            ea=self._backend.name,
            caps="results",
            fp=self._backend.fingerprint,
        )

    def _answer_challenge(self, hello: Hello, challenge: Challenge) -> Auth:
        self._proved_ms = host.boot_ms()
        return super()._answer_challenge(hello, challenge)

    def _started(self, welcome: Welcome) -> None:
        now_ms = host.boot_ms()
        self._delay.of(welcome.sent, now_ms)
        if now_ms - self._proved_ms > MAX_WELCOME_MS:
            # what is delayed is known by what is not, and the welcome itself was
            _log.warning("the welcome came too late: the link begins anew")
            self.abort()

    def _heard(self, hb: Hb) -> None:
        self._delay.of(hb.sent, host.boot_ms())

    def _obey(self, cmd: Cmd) -> None:
        # commands that came in one read with the end of the link: nobody would hear the answer
        if self.is_cut:
            return
        self._backend.obey(cmd, self, self._delay.of(cmd.sent, host.boot_ms()))

    def _pulse(self, n: int) -> Hb | None:
        return Hb(n=n, broker=self._backend.connected)
