"""An approval request as people see it, and what can be wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.console.errors import ConsoleError, Gone

PAGE_REVIEW = "/approve/{secret}"
PAGE_NOT_ME = "/not-me/{secret}"
PAGE_REQUEST = "/requests/{rid}"
PAGE_DEVICES = "/devices"

Status = Literal["pending", "approved", "refused", "expired", "dead"]
"""``dead``: five wrong codes, or a newer request took its place."""


class WrongCode(ConsoleError):
    """The code is not the one of this request; the request stays undecided.

    Args:
        tries_left: with 0 the request is dead.

    """

    status = 403
    word = "wrong_code"

    def __init__(self, tries_left: int) -> None:
        left = {0: "No try is left: start over at the terminal.", 1: "One try is left."}
        super().__init__(
            f"That is not the code. {left.get(tries_left, f'{tries_left} tries are left.')}"
        )
        self.tries_left = tries_left


class RequestGone(Gone):
    """There is no such open request: it ran out, was decided, or is another user's."""

    def __init__(self) -> None:
        super().__init__("This request is over. Start a new one at the terminal.")


@dataclass(frozen=True)
class RequestView:
    """All that a person should look at before saying yes. Texts are a program's: escape them.

    Times are seconds since 1970.
    """

    rid: str
    user_id: str
    status: Status
    created_at: int
    expires_at: int
    tries_left: int
    tid: str
    token_name: str
    """Name of the terminal that the token is for."""
    token_hint: str
    """First and last four characters of the token's public id."""
    did: str
    device_name: str
    device_os: str
    device_version: str
    """Of the daemon."""
    device_words: str
    """To be compared with those that the daemon shows."""
    is_new_device: bool
    """``False``: the machine is known; it is this token or terminal that is new on it."""
    place: str
    """Such as ``this computer`` or ``address 203.0.113.7``."""
    platform: str
    login: int
    server: str
    company: str
    other_devices: tuple[str, ...] = ()
    """Names of machines on which the token lives already: a reason to be careful."""
    terminal_changed: bool = False
    """The token is known on this machine, but from another terminal."""
