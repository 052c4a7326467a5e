"""Protocol of a live terminal: the bridge's session, or one of paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.messages import Hello
from ea_bridge.session import DEFAULT_TIMEOUT_S, SessionState

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


class TradingSession(Protocol):
    """The part of :class:`~ea_bridge.session.TerminalSession` that is used beyond the bridge."""

    @property
    def terminal(self) -> str:
        """Its name."""

    @property
    def id(self) -> str:
        """Of this link."""

    @property
    def hello(self) -> Hello:
        """Its own description."""

    @property
    def caps(self) -> frozenset[str]:
        """Its capabilities beyond the least."""

    @property
    def state(self) -> SessionState:
        """Ready, stale or disconnected."""

    @property
    def broker(self) -> bool | None:
        """It is connected to its broker."""

    @property
    def autotrading(self) -> bool | None:
        """Its AutoTrading button is on."""

    @property
    def trade_allowed(self) -> bool | None:
        """The account may trade."""

    @property
    def round_trip_s(self) -> float | None:
        """Of the last heartbeat."""

    @property
    def silence_s(self) -> float:
        """Seconds since it said something."""

    def symbol_of(self, sym: int) -> str:
        """Return the symbol of an index in its events."""

    def new_command_id(self) -> int:
        """Return an id that no command ever had."""

    async def request(
        self,
        command: Command[P, R],
        params: P,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        ttl_ms: int | None = None,
        before_write: Callable[[], None] | None = None,
        command_id: int | None = None,
        on_written: Callable[[], None] | None = None,
        on_ack: Callable[[], None] | None = None,
    ) -> R:
        """Ask, and wait for the answer; see :meth:`.PeerSession.request`."""


def round_trip_ms(session: TradingSession | None) -> float | None:
    """Return the round trip of the last heartbeat; ``None`` while the terminal is offline."""
    seconds = None if session is None else session.round_trip_s
    return None if seconds is None else round(seconds * 1000, 3)
