"""Calls of link_oco that cross: an order is in one link, and what was refused leaves none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from contingent_parts import Stand, quiet, until

from gateway import errors
from gateway.audit import Audit
from gateway.background import RetryingTasks
from gateway.trading.contingent import oco
from gateway.trading.contingent.oco import OcoLinks
from gateway.trading.contingent.records import ContingentBook, OcoLink, OpenRows
from gateway.trading.state import NullContingentOrders


async def link(stand: Stand, *tickets: int) -> Any:
    """Link orders."""
    return await stand.scene.ask("link_oco", tickets=list(tickets))


async def at_once(*calls: Any) -> tuple[list[Any], list[BaseException]]:
    """Make calls that cross; return what they are answered, and how they fail."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    failed = [one for one in answers if isinstance(one, BaseException)]
    return [one for one in answers if not isinstance(one, BaseException)], failed


def book_of(stand: Stand, terminal: str) -> ContingentBook[OcoLink]:
    """Return a terminal's links as another run of the daemon would read them."""
    at_start = OpenRows(stand.ledger)
    return ContingentBook(stand.ledger, terminal, "oco", OcoLink, Audit(stand.ledger), at_start)


def on_disk(stand: Stand) -> list[set[int]]:
    """Return the orders of each link that another run of the daemon would go on with."""
    links = book_of(stand, "mt5-a").open().values()
    return [{one.ticket for one in each.orders} for each in links]


async def test_two_links_that_share_an_order(stand: Stand) -> None:
    """The first is made; the other is refused, and is not on the disk either: another run of the
    daemon would cancel its orders when one of them ends."""
    first, second, third = (stand.place() for _ in range(3))
    [made], [refused] = await at_once(link(stand, first, second), link(stand, second, third))
    assert isinstance(refused, errors.InvalidParams)
    assert refused.data["outcome"] == "not_sent"
    assert refused.data["linked"] == [one["ticket"] for one in made["orders"]]
    assert on_disk(stand) == [{first, second}]
    stand.stop()
    stand.start()
    stand.fill(first)
    await quiet(stand)
    assert list(stand.orders) == [third]


async def test_the_same_link_twice_at_once(stand: Stand) -> None:
    """Both are told of one link, and there is no other, over or not."""
    first, second = stand.place(), stand.place()
    made, failed = await at_once(link(stand, first, second), link(stand, second, first))
    assert (failed, len({one["id"] for one in made})) == ([], 1)
    assert len(await stand.scene.ask("get_oco_links", past=10)) == 1
    assert on_disk(stand) == [{first, second}]


async def test_no_more_links_at_once_than_there_may_be(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are being written count."""
    monkeypatch.setattr(oco, "MAX_LINKS", 1)
    tickets = [stand.place() for _ in range(4)]
    made, failed = await at_once(link(stand, *tickets[:2]), link(stand, *tickets[2:]))
    assert (len(made), len(failed), len(on_disk(stand))) == (1, 1, 1)


async def test_a_link_by_another_terminal_of_the_account(stand: Stand) -> None:
    """It may be away, and then nobody would act on that: each keeps its own."""
    first, second = (stand.place() for _ in range(2))
    book = book_of(stand, "mt5-b")
    tasks = RetryingTasks()
    others = OcoLinks(
        book,
        tasks,
        NullContingentOrders(),
        lambda _: stand.scene.guarded,
        lambda _: stand.scene.state,
        lambda: stand.scene.now_ms,
    )
    theirs = await others.link(stand.scene.guarded, "t", [first, second])
    tasks.stop()
    ours = await link(stand, first, second)
    assert (ours["state"], ours["id"] != theirs.id) == ("active", True)
    assert on_disk(stand) == [{first, second}]
    stand.fill(first)
    await until(lambda: not stand.orders)
