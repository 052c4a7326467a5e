"""Errors of the console: a status of HTTP, a word for programs, a message for people.

::

    ConsoleError
    +-- Invalid        what was asked for is out of range            400
    |   +-- WeakPassword
    +-- SignInRefused  one text, whatever was wrong                  401
    |   +-- PasswordRefused   the same, where no address was asked for
    |   +-- CodeRefused       the same, of a second factor's code
    |       +-- PasskeyRefused   the same, of a passkey
    +-- CodeNeeded     the second factor's code is missing           403
    +-- StepUpNeeded   the password has to be given again            403
    +-- NotFound       there is none, or it is somebody else's       404
    +-- Taken          another one has the name                      409
    +-- Gone           it was used, or its time is over              410
    +-- TooMany        wait                                          429
        +-- TooBusy    the console itself has too much to do
    ConsoleProblem     the request ends here                         any

Services raise a :class:`ConsoleError`, which knows nothing of requests; what reads requests raises
a :class:`ConsoleProblem`. Under ``/api/`` and ``/v1/`` both become ``{"error": word, "message":
what to do}``, elsewhere a page. What nobody expected becomes ``internal`` with a reference that
stands in the log beside the traceback; the exception's text goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


class ConsoleProblem(Exception):
    """End of a request, told to whoever sent it.

    Args:
        status: of HTTP.
        error: the stable name, for programs.
        message: what is wrong and what to do, for people; never an exception's text.
        title: heading of the page; made from the status where it is empty.
        headers: more of them.

    """

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        title: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message
        self.title = title or TITLES.get(status, "That did not work")
        self.headers = dict(headers or {})


TITLES: Final = {
    400: "That request cannot be read",
    401: "Please sign in",
    403: "That is not allowed",
    404: "There is no such page",
    405: "That is not how this page is used",
    408: "That took too long",
    409: "That has changed meanwhile",
    410: "This link is used up",
    413: "That is too much at once",
    415: "That is not the expected format",
    421: "This address is not ours",
    422: "Something is missing",
    429: "Too many tries",
    500: "Something went wrong here",
    503: "Please try again in a moment",
}


def not_found() -> ConsoleProblem:
    """Nothing of that name is the visitor's; whether it is somebody else's is not told."""
    return ConsoleProblem(404, "not_found", "There is nothing of yours at this address.")


class ConsoleError(Exception):
    """Base: ``str(error)`` is for the person who asked, and says what to do."""

    status = 400
    """Of the HTTP answer."""
    word = "invalid"
    """Stable, for programs."""


class Invalid(ConsoleError):
    """Refusal of an argument that is out of range."""


class WeakPassword(Invalid):
    """Refusal of a password that is too short, too long or too well known."""

    word = "weak_password"


class SignInRefused(ConsoleError):
    """Refusal of a sign-in. Nobody learns whether the account exists or which part was wrong.

    Args:
        wait_s: before the next try; the same for accounts that do not exist.

    """

    status = 401
    word = "login_refused"

    def __init__(self, wait_s: int = 0) -> None:
        super().__init__(
            "Email and password do not fit, or there were too many tries. Check both and try "
            "again in a moment, or reset the password."
        )
        self.wait_s = wait_s


class PasswordRefused(SignInRefused):
    """Refusal of a password that was asked for once more."""

    def __init__(self, wait_s: int = 0) -> None:
        super().__init__(wait_s)
        self.args = (
            "That is not your password, or there were too many tries. Check it and try again in "
            "a moment.",
        )


class CodeRefused(SignInRefused):
    """Refusal of a second factor's code."""

    word = "code_refused"

    def __init__(self, wait_s: int = 0) -> None:
        super().__init__(wait_s)
        self.args = (
            "That code does not fit, was used already, or there were too many tries. Wait for the "
            "next code and try again.",
        )


class PasskeyRefused(CodeRefused):
    """Refusal of a passkey.

    Args:
        is_copied: its count has not grown, as when two devices hold the same key.

    """

    word = "passkey_refused"

    def __init__(self, *, is_copied: bool = False) -> None:
        super().__init__()
        self.is_copied = is_copied
        self.args = (
            "That passkey was not accepted. Load the page again and try once more, or give a code "
            "of your app or a recovery code.",
        )


class CodeNeeded(ConsoleError):
    """Demand of a second factor's code: the password alone opens no session."""

    status = 403
    word = "code_needed"

    def __init__(self) -> None:
        super().__init__("Give a code of your authenticator app or a recovery code as well.")


class StepUpNeeded(ConsoleError):
    """Demand of the password, which was given too long ago for this act."""

    status = 403
    word = "step_up_needed"

    def __init__(self) -> None:
        super().__init__("Give your password again to do this.")


class NotFound(ConsoleError):
    """Refusal of what is not there; what belongs to somebody else is not there either."""

    status = 404
    word = "not_found"


class Taken(ConsoleError):
    """Refusal of a name that another one has."""

    status = 409
    word = "taken"


class Gone(ConsoleError):
    """Refusal of what was used already, or whose time is over."""

    status = 410
    word = "gone"


class TooMany(ConsoleError):
    """Refusal beyond a limit.

    Args:
        message: which one.
        wait_s: until it may be tried again.

    """

    status = 429
    word = "too_many"

    def __init__(self, message: str, wait_s: int = 1) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TooBusy(TooMany):
    """Refusal while too many passwords are being checked."""

    word = "busy"

    def __init__(self) -> None:
        super().__init__("The console is busy. Try again in a few seconds.", wait_s=5)
