"""Replica of a list that a terminal holds: its orders, its positions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, Protocol, TypeVar

from gateway.errors import Overloaded

from .context import SingleFlight

MAX_ITEMS = 10_000
"""Open orders or positions of one account."""
MAX_CHANGES = 10_000
"""Changes while the terminal is being asked for the list."""


class Ticketed(Protocol):
    """Anything with a ticket."""

    @property
    def ticket(self) -> int:
        """MetaTrader's number of it."""


T = TypeVar("T", bound=Ticketed)


class Replica(Generic[T]):
    """Copy of a list: what the terminal last said, plus every change since.

    While the list is being asked for changes go on arriving, before and after the moment that
    the answer shows. All of them are applied on top of it once more: a change names the whole
    object, so the last one of each ticket decides, whichever side of the answer it was on.

    Args:
        fetch: ask the terminal for the whole list.

    """

    def __init__(self, fetch: Callable[[], Awaitable[Iterable[T]]]) -> None:
        self._fetch = fetch
        self._items: dict[int, T] | None = None
        self._changes: list[tuple[int, T | None]] | None = None
        self._outdated = False
        self.refresh = SingleFlight(self._refresh)
        """Asks for the list anew.

        Raises:
            GatewayError: the terminal did not tell.

        """

    @property
    def items(self) -> dict[int, T] | None:
        """By ticket; ``None`` when the list is not known."""
        return self._items

    async def prime(self) -> None:
        """Ask for the list unless it is known.

        Raises:
            GatewayError: the terminal did not tell.

        """
        if self._items is None:
            await self.refresh()

    def discard(self) -> None:
        """Discard the list; an answer that is on its way may be too old as well."""
        self._items = None
        self._outdated = True

    def change(self, op: str, item: T) -> None:
        """Apply ``add``, ``change`` or ``remove``."""
        kept = None if op == "remove" else item
        if self._changes is not None and len(self._changes) <= MAX_CHANGES:
            self._changes.append((item.ticket, kept))
        if self._items is not None:
            _apply(self._items, item.ticket, kept)
            if len(self._items) > MAX_ITEMS:
                self._items = None

    async def _refresh(self) -> None:
        # discard() may come while the answer is on its way: what it brings is old then, ask again
        self._outdated = True
        while self._outdated:
            self._outdated = False
            self._items = await self._copy()

    async def _copy(self) -> dict[int, T]:
        self._changes = []
        try:
            items = {item.ticket: item for item in await self._fetch()}
            if len(self._changes) > MAX_CHANGES:
                raise Overloaded("The terminal changes too fast to be copied", retry_after_ms=1000)
            for ticket, kept in self._changes:
                _apply(items, ticket, kept)
            return items
        finally:
            self._changes = None


def _apply(items: dict[int, T], ticket: int, kept: T | None) -> None:
    if kept is None:
        items.pop(ticket, None)
    else:
        items[ticket] = kept
