"""What a session stands on, and who hears of what happens in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ea_bridge.protocol.messages import Event

from .calls import LateResult

if TYPE_CHECKING:
    from .terminal import TerminalSession


class Wire(Protocol):
    """The link below a session."""

    def write(self, data: bytes) -> None:
        """Hand bytes to the kernel, now."""

    def unsent(self) -> int:
        """Return how many bytes the kernel has not taken yet."""

    def close(self) -> None:
        """Send what is unsent, then close; cut it off where that takes too long."""


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class SessionCallbacks:
    """Who hears of what happens. All are called in the event loop and must not block."""

    on_event: Callable[[TerminalSession, Event], None] = _ignore
    on_change: Callable[[TerminalSession], None] = _ignore
    """``state``, ``broker``, ``autotrading`` or ``trade_allowed`` is another than before."""
    on_clock: Callable[[TerminalSession, int, int], None] = _ignore
    """``tcur`` and ``tgmt`` in seconds, as in :class:`~ea_bridge.model.Clock`, each second."""
    on_late_result: Callable[[TerminalSession, LateResult], None] = _ignore


@dataclass
class SessionCounters:
    """What was dropped."""

    unknown_symbol: int = 0
    """Ticks, books and bars of a symbol that was never watched."""
