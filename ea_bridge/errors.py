"""Errors of a request to a terminal.

* BridgeError
    * NotSent: the terminal never had it, or it was only a question: asking again is safe
    * TerminalBusy: not sent, since too much is on the way already
    * Unsupported: not sent, since this terminal cannot do it
    * CommandTimeout: a question was not answered in time; asking again is safe
    * CommandFailed: the terminal answered no
    * ResultTooLarge: the answer to a question is over the limit; ask for less
    * OutcomeUnknown: a trade was written and its result is not known: reconcile, never resend
"""

from __future__ import annotations


class BridgeError(Exception):
    """Base class; catch it, don't raise it."""


class NotSent(BridgeError):
    """The terminal is not connected, or was lost before it could answer a question."""


class TerminalBusy(BridgeError):
    """So many commands are in flight, or so many bytes unsent, that this one was not sent."""


class Unsupported(BridgeError):
    """The terminal lacks the capability that the command needs."""

    def __init__(self, op: str, capability: str) -> None:
        super().__init__(f"the terminal cannot do {op}: it lacks {capability!r}")
        self.capability = capability


class CommandTimeout(BridgeError):
    """A question was not answered in time.

    ``busy`` says that the terminal had announced to be held up, and still is.
    """

    def __init__(self, op: str, timeout_s: float, *, busy: bool = False) -> None:
        super().__init__(f"{op} was not answered in {timeout_s:g} s")
        self.timeout_s = timeout_s
        self.busy = busy


class CommandFailed(BridgeError):
    """The terminal answered no.

    ``err`` is an MQL run-time error (:data:`~ea_bridge.commands.TERMINAL_ERRORS`) or 0,
    ``retcode`` a :class:`~ea_bridge.model.TradeRetcode` or 0, ``msg`` the EA's words, cut to 256
    characters: for logs, not for programs.
    """

    def __init__(self, op: str, err: int, retcode: int = 0, msg: str = "") -> None:
        super().__init__(f"{op} failed: err {err}, retcode {retcode}")
        self.err = err
        self.retcode = retcode
        self.msg = msg[:256]


class ResultTooLarge(BridgeError):
    """The answer is over the limit."""

    def __init__(self, op: str, limit: int) -> None:
        super().__init__(f"the answer to {op} exceeds {limit} bytes")
        self.limit = limit


class OutcomeUnknown(BridgeError):
    """A trade was written and its result is not known.

    ``acked`` says that the terminal had taken it. Without that it may still have arrived: what
    the kernel has accepted can't be taken back, so we don't claim that it was not sent.
    """

    def __init__(self, op: str, command_id: int, *, acked: bool, reason: str) -> None:
        taken = "taken" if acked else "not confirmed"
        super().__init__(f"{op} (command {command_id}, {taken}): {reason}")
        self.command_id = command_id
        self.acked = acked
