"""Errors of the console: a status of HTTP, a word for programs, a message for people.

::

    ConsoleError
    +-- Invalid        what was asked for is out of range            400
    |   +-- WeakPassword
    +-- LoginRefused   one text, whatever was wrong                  401
    |   +-- PasswordRefused   the same, where no address was asked for
    +-- StepUpNeeded   the password has to be given again            403
    +-- Unknown        there is none, or it is somebody else's       404
    +-- Taken          another one has the name                      409
    +-- Gone           it was used, or its time is over              410
    +-- TooMany        wait                                          429
        +-- Busy       the console itself has too much to do
"""

from __future__ import annotations


class ConsoleError(Exception):
    """Base: ``str(error)`` is for the person who asked, and says what to do."""

    status = 400
    """Of the HTTP answer."""
    word = "invalid"
    """Stable, for programs."""


class Invalid(ConsoleError):
    """An argument is out of range."""


class WeakPassword(Invalid):
    """The password is too short, too long or too well known."""

    word = "weak_password"


class SignInRefused(ConsoleError):
    """Not logged in. Nobody learns whether the account exists or which part was wrong.

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
    """The password that was asked for once more is not accepted."""

    def __init__(self, wait_s: int = 0) -> None:
        super().__init__(wait_s)
        self.args = (
            "That is not your password, or there were too many tries. Check it and try again in "
            "a moment.",
        )


class StepUpNeeded(ConsoleError):
    """The password was given too long ago for this act."""

    status = 403
    word = "step_up_needed"

    def __init__(self) -> None:
        super().__init__("Give your password again to do this.")


class NotFound(ConsoleError):
    """There is no such thing; what belongs to somebody else is not there either."""

    status = 404
    word = "not_found"


class Taken(ConsoleError):
    """Another one has the name."""

    status = 409
    word = "taken"


class Gone(ConsoleError):
    """It was used already, or its time is over."""

    status = 410
    word = "gone"


class TooMany(ConsoleError):
    """A limit is reached.

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
    """Too many passwords are being checked."""

    word = "busy"

    def __init__(self) -> None:
        super().__init__("The console is busy. Try again in a few seconds.", wait_s=5)
