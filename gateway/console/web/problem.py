"""Errors for people and programs: what they did not get, and what they can do about it.

A :class:`ConsoleProblem` ends a request. Under ``/api/`` and ``/v1/`` it becomes ``{"error": word,
"message": what to do}``, elsewhere a page. What nobody expected becomes ``internal`` with a
reference that stands in the log beside the traceback; the exception's text goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


class ConsoleProblem(Exception):
    """The request ends here.

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
