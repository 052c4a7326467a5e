"""Lists from the library, whole and for pages.

A method that gives a list gives nothing at all both where the list is empty and where the server
did not answer. So an empty one is believed only if the server answers a ping right after.

The daemon asks for a long list page by page, and the library knows no pages: so what the first
page was cut from is kept for a while for those that follow, who then see one and the same list,
and the server is not asked for all of its users fifty times.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.model.struct import Struct

from .connection import ServerConnection, demand
from .library import Interface

SNAPSHOT_S = 30.0
"""So long pages are cut from one list."""

R = TypeVar("R", bound=ctypes.Structure)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """List that pages are cut from."""

    interface: Interface
    question: Struct
    records: list[Any]
    until_s: float


class ListReader:
    """Reader of lists, which keeps the last one for the pages that are cut from it.

    Args:
        connection: to the trade server.
        clock: seconds that only grow.

    """

    def __init__(
        self, connection: ServerConnection, clock: Callable[[], float] = host.monotonic_s
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._snapshot: _Snapshot | None = None

    def ask(self, method: str, kind: type[R], *arguments: Any, count: int = 0) -> list[R]:
        """Return what a method gives; the arguments as of :meth:`.Interface.list`.

        Raises:
            Refused: the server did not answer.

        """
        direct = self._connection.direct()
        found = direct.list(method, kind, *arguments, count=count)
        if not found:
            demand(direct, "Ping")
        return found

    def for_page(self, wanted: Struct, fetch: Callable[[], list[R]]) -> list[R]:
        """Return the list that a page is cut from: a fresh one for the first page.

        Args:
            wanted: what is asked, the page's ``offset`` and ``limit`` among it.
            fetch: gets the whole of what is asked.

        Raises:
            Refused: the server did not answer.

        """
        interface, now_s = self._connection.direct(), self._clock()
        question = replace(wanted, offset=0, limit=None)
        known, self._snapshot = self._snapshot, None
        if (
            _offset(wanted)
            and known is not None
            and known.interface is interface
            and known.question == question
            and now_s < known.until_s
        ):
            self._snapshot = known
            return known.records
        found = fetch()
        if len(found) > len(window(wanted, found)) + _offset(wanted):
            self._snapshot = _Snapshot(interface, question, found, now_s + SNAPSHOT_S)
        return found

    def discard_expired(self) -> None:
        """Let go of a list that nobody asks more of; call it now and then."""
        if self._snapshot is not None and self._clock() >= self._snapshot.until_s:
            self._snapshot = None


def window(wanted: Any, rows: list[R]) -> list[R]:
    """Return the rows of a page."""
    end = None if wanted.limit is None else wanted.offset + wanted.limit
    return rows[wanted.offset : end]


def _offset(wanted: Any) -> int:
    offset: int = wanted.offset
    return offset
