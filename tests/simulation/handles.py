"""Handles of the simulated loop: callbacks to be run, with nothing in them that costs."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import SimulatedLoop

LIFE: contextvars.ContextVar[int] = contextvars.ContextVar("life", default=0)
"""Which life of a daemon something belongs to; 0 is all that outlives them."""


class Handle:
    """A callback to be run; as :class:`asyncio.Handle`."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "loop")

    def __init__(
        self,
        loop: SimulatedLoop,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self.loop = loop
        self.callback: Any = callback
        self.args: Any = args
        # an empty one is false
        self.context = contextvars.copy_context() if context is None else context
        self.is_cancelled = False

    def cancel(self) -> None:
        """Don't run it."""
        self.is_cancelled = True
        self.callback = self.args = None

    def cancelled(self) -> bool:
        """Whether it will not be run for that."""
        return self.is_cancelled

    _cancelled = property(cancelled)

    @property
    def life(self) -> int:
        """Return the life that it belongs to."""
        return self.context.get(LIFE, 0)


class Timer(Handle):
    """A callback to be run later."""

    __slots__ = ("_when", "is_due")

    def __init__(
        self,
        loop: SimulatedLoop,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
        when: float,
    ) -> None:
        super().__init__(loop, callback, args, context)
        self._when = when
        self.is_due = False

    def cancel(self) -> None:
        """Don't run it."""
        if not self.is_cancelled:
            if not self.is_due:
                self.loop.note_cancelled_timer()
            super().cancel()

    def when(self) -> float:
        """Return when it is due, by the loop's time."""
        return self._when
