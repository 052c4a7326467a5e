"""Base of the generated methods, and the types of their params."""

from __future__ import annotations

import enum
import uuid
from abc import ABC, abstractmethod
from datetime import datetime
from decimal import Decimal
from typing import Any, Final


def new_client_order_id() -> str:
    """Return a ``client_order_id`` that nobody has used.

    Make it once for an order, before the first try: sent again under the same id, a request is
    recognised and not executed twice.
    """
    return f"py-{uuid.uuid4().hex}"


Number = Decimal | float | str
"""A price or a volume. A decimal or a string travels exactly as it is written."""
Time = datetime | int | str
"""A moment: a datetime with its time zone, UTC milliseconds, or ISO 8601 with an offset."""


class Omitted(enum.Enum):
    """The type of :data:`OMITTED`."""

    TOKEN = "omitted"  # noqa: S105 (an enum's member)

    def __repr__(self) -> str:
        return "OMITTED"


OMITTED: Final = Omitted.TOKEN
"""The param is not sent: the gateway's default holds. ``None`` is sent, as null."""


class MethodsBase(ABC):
    """Base of the typed methods; a client adds :meth:`call`."""

    @abstractmethod
    async def call(self, method: str, /, **params: Any) -> Any:
        """Call a method by its name and return its result."""

    async def _call(self, method: str, **params: Any) -> Any:
        # a trailing underscore keeps a name off Python's keywords: from_
        given = {name.rstrip("_"): value for name, value in params.items() if value is not OMITTED}
        return await self.call(method, **given)


def order_id(given: str | Omitted | None) -> str:
    """Return the caller's own id of an order, or a new one."""
    return new_client_order_id() if given is OMITTED or given is None else given
