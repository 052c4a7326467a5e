"""One change that an operator asks for, and what the server's answer means for it."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ea_bridge import host
from ea_bridge.commands import TOO_LARGE, TOO_LATE, Command
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.model import ReturnCode

from .journal import State

TAG_LETTERS = string.ascii_letters + string.digits
TAG_LENGTH = 8
MAX_COMMENT = 31 - TAG_LENGTH - 2
"""Characters that a booking's comment has room for, beside `` #`` and the tag."""
UNKNOWN = frozenset(
    {ReturnCode.TRADE_TIMEOUT, ReturnCode.TRADE_ACCEPTED, ReturnCode.TRADE_PROCESS}
)
"""Refusals that leave open whether it was done; with any other it was not, as peers promise
(:class:`ea_bridge.mt4_manager.conversation.CommandRefused`)."""

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Change(Generic[P, R]):
    """A change.

    Its ``params`` are made for the tag by which a booking is found again; other changes do not
    look at it.
    """

    operator: str
    operation: str
    """Of the API, such as ``deposit``."""
    command: Command[P, R]
    params: Callable[[str], P]
    facts: Mapping[str, Any]
    """What it is about, for the journal and the audit trail: no secrets."""
    request: bytes
    """All that makes it this request and no other, secrets included and however it was written;
    only a keyed hash is kept."""
    key: str | None
    """The operator's own; without it one is made, which the answer tells where it is needed."""
    recheck: Callable[[], None]
    """Called right before the bytes are written; what it raises stops the change."""


def new_tag() -> str:
    """Return a tag that no other change has."""
    return "".join(host.choice(TAG_LETTERS) for _ in range(TAG_LENGTH))


def tagged(comment: str, tag: str) -> str:
    """Return a booking's comment with its tag."""
    return f"{comment} #{tag}".lstrip()


def meaning(retcode: int, err: int) -> State:
    """Return what a refusal says of a change."""
    if err == TOO_LATE:
        return "not_sent"
    return "unknown" if retcode in UNKNOWN or err == TOO_LARGE else "refused"
