"""Receipts of closes on a netting account whose position has turned round."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ea_bridge.model import DealEntry

from . import receipts

OPENED, TURNED, CLOSED = 101, 102, 103
"""Orders; the first one is the position's identifier, and its ticket until it turns round."""


def tickets(order: int, *, is_open: bool) -> set[int]:
    """Return by which tickets a receipt of an order may name its position."""
    entries = {OPENED: DealEntry.IN, TURNED: DealEntry.INOUT, CLOSED: DealEntry.OUT}
    deals = [
        SimpleNamespace(ticket=number, order=one, position_id=OPENED, entry=entry)
        for number, (one, entry) in enumerate(entries.items())
    ]
    position = SimpleNamespace(identifier=OPENED)
    broker: Any = SimpleNamespace(
        terms=SimpleNamespace(platform="mt5", hedging=False),
        books=SimpleNamespace(
            holdings={TURNED: SimpleNamespace(position=position)} if is_open else {}
        ),
        history_deals=lambda ticket=None, position=None: [
            one for one in deals if ticket in (None, one.order)
        ],
    )
    executed: Any = SimpleNamespace(request=None, result=SimpleNamespace(order=order))
    return set(receipts._later(executed, broker))


@pytest.mark.parametrize("order", [TURNED, CLOSED])
def test_a_position_that_has_turned_round_is_named_by_its_ticket_of_then(order: int) -> None:
    """Not by the one that it had before; once it is closed, by its identifier as well."""
    assert tickets(order, is_open=True) == {TURNED}
    assert tickets(order, is_open=False) == {TURNED, OPENED}
