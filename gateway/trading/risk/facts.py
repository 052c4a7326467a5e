"""What the terminal says of the account while an order is judged.

Facts are asked for anew for each order. Where many orders are judged at once, those who come while
an answer is on its way take that answer: a hundred parallel orders cost one question. Each answer
knows the moment at which it was asked for, so that :mod:`.reservations` can tell what it may not
show yet.

A fact that could not be had is kept as the error that it met: the check that needs it raises it,
and so refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ea_bridge.model import Account, Order, Position
from gateway.errors import GatewayError

Need = Literal[
    "account", "positions", "orders", "brought", "tick", "margin", "risk", "worth", "allowed"
]
"""``brought``: what the day's deals brought. ``worth``: of one lot, by symbol. ``risk``: what the
order would lose at its stop loss. ``allowed``: the broker's names of the symbols that may be
traded."""
SHARED: tuple[Need, ...] = ("account", "positions", "orders", "brought")
"""Facts of the account, the same for everybody who asks."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was learnt for one order; each member raises the error that its question met."""

    asked: int
    """The moment before the first question, as :mod:`.reservations` counts them."""
    _values: Mapping[Need, Any]

    def has(self, need: Need) -> bool:
        """Whether that was asked for."""
        return need in self._values

    @property
    def account(self) -> Account:
        """The account."""
        value: Account = self._get("account")
        return value

    @property
    def positions(self) -> list[Position]:
        """All that are open."""
        value: list[Position] = self._get("positions")
        return value

    @property
    def orders(self) -> list[Order]:
        """All that wait."""
        value: list[Order] = self._get("orders")
        return value

    def number(self, need: Need) -> float:
        """One of the sums."""
        value: float = self._get(need)
        return value

    @property
    def worth(self) -> Mapping[str, float]:
        """What a lot of each symbol is worth now."""
        value: Mapping[str, float] = self._get("worth")
        return value

    @property
    def allowed(self) -> frozenset[str]:
        """The broker's names of the symbols that may be traded."""
        value: frozenset[str] = self._get("allowed")
        return value

    @property
    def tick_ms(self) -> int:
        """When the last tick came; milliseconds of the broker's clock."""
        value: int = self._get("tick")
        return value

    def _get(self, need: Need) -> Any:
        value = self._values[need]
        if isinstance(value, GatewayError):
            raise again(value)
        return value


@dataclass
class _Flight:
    """A question whose answer is on its way."""

    asked: int
    answer: asyncio.Task[Any]


class Flights:
    """The shared questions of one terminal.

    Args:
        moment: tells when it is, as :mod:`.reservations` counts.

    """

    def __init__(self, moment: Callable[[], int]) -> None:
        self._moment = moment
        self._flights: dict[Need, _Flight] = {}

    def earliest(self) -> int:
        """Return the moment of the oldest facts that who asks now can get."""
        moment = self._moment()
        if not self._flights:
            return moment
        return min(moment, *(one.asked for one in self._flights.values()))

    async def ask(self, need: Need, question: Callable[[], Awaitable[Any]]) -> tuple[int, Any]:
        """Return when it was asked and the answer, or the error that the question met.

        Joins a question that is on its way; it goes on for the others if one of them leaves.
        """
        flight = self._flights.get(need)
        if flight is None:
            task = asyncio.ensure_future(attempt(question()))
            flight = self._flights[need] = _Flight(self._moment(), task)
            task.add_done_callback(lambda _: self._flights.pop(need, None))
        return flight.asked, await asyncio.shield(flight.answer)


def again(error: GatewayError) -> GatewayError:
    """Return an error of its own for one of those who share it: its data will say whose it is."""
    return type(error)(error.message, **error.data)


async def attempt(question: Awaitable[T]) -> T | GatewayError:
    """Return the answer, or the error that it met."""
    try:
        return await question
    except GatewayError as error:
        return error
