"""Records of the past that are found by their time, and by numbers in them.

A terminal is asked for the deals of one order after each of its fills. Were all deals looked
through for them, an account that has traded for long would get slower with every trade.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, ValuesView
from itertools import count
from typing import Generic, TypeVar

R = TypeVar("R")


class Archive(Mapping[int, R], Generic[R]):
    """Records by their tickets, in the order in which they came.

    Args:
        time_s: when a record is of.
        numbers: by which it can be found as well, each under a name.

    """

    def __init__(self, time_s: Callable[[R], int], **numbers: Callable[[R], int]) -> None:
        self._time_s = time_s
        self._number_of = numbers
        self._records: dict[int, R] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self._came = count()
        self._in_time: list[tuple[int, int, int]] = []
        self._by_number: dict[str, defaultdict[int, dict[int, None]]] = {
            name: defaultdict(dict) for name in numbers
        }

    def __getitem__(self, ticket: int) -> R:
        return self._records[ticket]

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def values(self) -> ValuesView[R]:
        """All of them; as a dict's they can be gone through from the newest as well."""
        return self._records.values()

    def put(self, ticket: int, record: R) -> None:
        """Take a record, or another one in the place of one that is there."""
        if ticket in self._records:
            self._forget(ticket)
        self._records[ticket] = record
        place = self._places[ticket] = (self._time_s(record), next(self._came))
        insort(self._in_time, (*place, ticket))
        for name, number_of in self._number_of.items():
            self._by_number[name][number_of(record)][ticket] = None

    def _forget(self, ticket: int) -> None:
        record = self._records[ticket]
        del self._in_time[bisect_left(self._in_time, (*self._places[ticket], ticket))]
        for name, number_of in self._number_of.items():
            self._by_number[name][number_of(record)].pop(ticket)

    def within(self, from_s: int | None, to_s: int | None) -> list[R]:
        """Return the records of a span of time, both ends included, oldest first."""
        first = 0 if from_s is None else bisect_left(self._in_time, (from_s,))
        last = None if to_s is None else bisect_right(self._in_time, (to_s + 1,))
        return [self._records[ticket] for _, _, ticket in self._in_time[first:last]]

    def with_number(self, name: str, number: int) -> list[R]:
        """Return the records that have a number, in the order in which they came."""
        return [self._records[ticket] for ticket in self._by_number[name].get(number, ())]
