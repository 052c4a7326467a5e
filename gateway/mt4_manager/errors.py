"""Errors of the manager: what an operator does not get.

::

    ManagerError
    +-- PeerOffline     no peer is linked, or it is too busy: nothing was sent, try again later
    +-- PeerSilent      a question was not answered in time: ask again
    +-- PeerRefused     the server said no; the return code says why
    +-- ChangeUnknown   a change was sent and its outcome is not known yet: never send it anew
    +-- KeyReused       an Idempotency-Key came with another request
    +-- RateExceeded    too many requests: wait
    +-- LoginRefused    name and password do not fit, whichever it is
"""

from __future__ import annotations

from ea_bridge.mt4_manager.model import ReturnCode


class ManagerError(Exception):
    """Base; ``str(error)`` is for the operator and says what to do."""


class PeerOffline(ManagerError):
    """The peer is not linked or could not serve the request; nothing was changed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message or "The peer of the MT4 server is not linked; start it, then try again"
        )


class PeerSilent(ManagerError):
    """A question was not answered in time."""

    def __init__(self) -> None:
        super().__init__("The MT4 server did not answer in time; ask again")


class PeerRefused(ManagerError):
    """The server said no.

    Args:
        op: the command.
        retcode: of the Manager API; 0 where the command did not get as far.
        err: one of :data:`ea_bridge.commands.TERMINAL_ERRORS`, or 0.

    """

    def __init__(self, op: str, retcode: int, err: int = 0) -> None:
        name = next((code.name for code in ReturnCode if code == retcode), None)
        word = f"RET_{name} ({retcode})" if name else f"return code {retcode}, error {err}"
        super().__init__(f"The MT4 server refused {op}: {word}")
        self.op = op
        self.retcode = retcode
        self.err = err


class ChangeUnknown(ManagerError):
    """A change was sent and its outcome is not known yet.

    Args:
        key: by which its outcome can be asked for.
        is_lost: nothing finds it out any more: a person has to look at the server.

    """

    def __init__(self, key: str, *, is_lost: bool = False) -> None:
        super().__init__(
            "It was sent, and nothing tells whether the MT4 server has done it: look at the "
            "record there before you send it anew, with another Idempotency-Key"
            if is_lost
            else "It was sent, and the MT4 server has not told yet whether it was done: repeat "
            f"the same request with the header Idempotency-Key: {key}, which never does it twice"
        )
        self.key = key
        self.is_lost = is_lost


class KeyReused(ManagerError):
    """An Idempotency-Key came with another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request; take a new one")


class RateExceeded(ManagerError):
    """Too many requests.

    Args:
        wait_s: until the next one is taken.

    """

    def __init__(self, wait_s: float, message: str = "") -> None:
        super().__init__(message or "Too many requests; wait as long as Retry-After says")
        self.wait_s = wait_s


class LoginRefused(ManagerError):
    """Name and password do not fit; nobody learns which of them.

    Args:
        wait_s: so much too early it came after others that did not fit either; 0 if not.

    """

    def __init__(self, wait_s: float = 0.0) -> None:
        said = "Incorrect username or password"
        super().__init__(f"{said}, too many times; wait a while" if wait_s else said)
        self.wait_s = wait_s
