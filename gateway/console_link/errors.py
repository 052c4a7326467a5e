"""Errors between daemon and console; each message says what to do.

* ConsoleFailure
    * Unreachable: no connection, or no answer in time.
    * Untrusted: the certificate, or what was signed, is not what this gateway believes.
    * InvalidResponse: an answer that no console gives.
    * ConsoleRefused: the console said no, with a word for programs.
"""

from __future__ import annotations


class ConsoleFailure(Exception):
    """Base class; catch it, don't raise it."""


class ConsoleUnreachable(ConsoleFailure):
    """There is no way to the console now."""


class ConsoleUntrusted(ConsoleFailure):
    """Somebody answers who is not the console that this gateway believes."""


class InvalidResponse(ConsoleFailure):
    """The answer is none of a console of this version."""


class ConsoleRefused(ConsoleFailure):
    """The console's answer is an error.

    Args:
        status: of HTTP.
        word: the console's, for programs; ``""`` if it gave none.
        message: what to do.
        body: the members of the answer.

    """

    def __init__(self, status: int, word: str, message: str, body: dict[str, object]) -> None:
        super().__init__(f"the console answers {status} {word}: {message}")
        self.status = status
        self.word = word
        self.body = body
