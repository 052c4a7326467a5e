"""Connection that a test can lose, for :mod:`gateway.trading.kill_switch.disconnects`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Line:
    """A connection, which calls what is to be called once it is gone."""

    tid: str = "A1b2C3d4E5f6"
    on_gone: list[Callable[[], None]] = field(default_factory=list)
    is_gone: bool = False
    closed: tuple[int, str] | None = None
    """With what it was closed."""

    def end(self, code: int, reason: str) -> None:
        """Close it."""
        self.closed = (code, reason)
        self.lose()

    def lose(self) -> None:
        """Be over."""
        self.is_gone = True
        for act in self.on_gone:
            act()
