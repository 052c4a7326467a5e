"""Ends of orders that were unknown, as streams told them: one order has one end.

Subscribers hear of them at different times: a slow one hears that an order was not sent when the
others have long heard that it was sent again, and is done. So ends are compared in the order in
which the daemon told them, whoever hears them and when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

NOT_SENT = "not_sent"


@dataclass(frozen=True)
class ToldEnd:
    """How an order has ended, as one event says.

    Attributes:
        terminal: whose channel told it.
        life: of the daemon.
        epoch: of the channel, as a subscriber is told it: its last part counts.
        seq: of the event.
        outcome: of the order.
        is_by_hand: whether a person has settled the order.

    """

    terminal: str
    life: int
    epoch: str
    seq: int
    outcome: str
    is_by_hand: bool = False

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands among all that was told of one terminal's channel."""
        return self.life, int(self.epoch.rpartition(".")[2]), self.seq

    def excludes(self, later: ToldEnd) -> bool:
        """Whether an order that had ended so cannot have ended otherwise later.

        What was not sent may be sent again; an end stays, unless a person has settled the order.
        """
        return self.outcome not in (NOT_SENT, later.outcome) and not later.is_by_hand

    def contradicts(self, other: ToldEnd) -> bool:
        """Whether no order can have had both; which one is the later is known at one terminal."""
        if self.terminal != other.terminal:
            return self.excludes(other) and other.excludes(self)
        earlier, later = sorted((self, other), key=lambda one: one.place)
        return earlier.excludes(later)


class SettledEnds:
    """All ends that were told in a run, by ``client_order_id``."""

    def __init__(self) -> None:
        self._told: dict[str, list[ToldEnd]] = {}
        self._roots: dict[str, tuple[int, str]] = {}
        """Life and epoch from which on the numbers of an epoch count, where it is not its own."""

    def __len__(self) -> int:
        """Return of how many orders ends were told."""
        return len(self._told)

    def add(self, client_order_id: str, end: ToldEnd) -> ToldEnd | None:
        """Take an end; return one that was told and contradicts it."""
        end = self._counted(end)
        told = self._told.setdefault(client_order_id, [])
        if end in told:
            return None  # another subscriber has heard it before
        contradicting = next((one for one in told if one.contradicts(end)), None)
        told.append(end)
        return contradicting

    def goes_on(self, epoch: str, earlier: str, life: int) -> None:
        """Take that the numbers of an epoch go on from those of one of an earlier life."""
        root = self._roots.get(earlier, (life, earlier))
        self._roots[epoch] = root
        for other, known in self._roots.items():
            if known[1] == epoch:
                self._roots[other] = root
        for told in self._told.values():
            told[:] = dict.fromkeys(map(self._counted, told))

    def _counted(self, end: ToldEnd) -> ToldEnd:
        """Return an end as told in the epoch from which on its number counts."""
        life, epoch = self._roots.get(end.epoch, (end.life, end.epoch))
        return replace(end, life=life, epoch=epoch)

    def of(self, client_order_id: str) -> Sequence[ToldEnd]:
        """Return all that was told of an order."""
        return self._told.get(client_order_id, [])

    def last(self) -> Mapping[str, str]:
        """Return the last outcome of each order, but of those that were not sent."""
        ends = ((id_, _last(told)) for id_, told in self._told.items())
        return {id_: end.outcome for id_, end in ends if end.outcome != NOT_SENT}


def _last(told: list[ToldEnd]) -> ToldEnd:
    """Return the last of one order's ends.

    Where two terminals of an account told some, a person's word is the later one, and that an
    order was not sent the earlier one.
    """
    newest = {one.terminal: one for one in sorted(told, key=lambda one: one.place)}
    return max(newest.values(), key=lambda one: (one.is_by_hand, one.outcome != NOT_SENT))
