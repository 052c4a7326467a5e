"""Linked orders, while the ledger cannot be written, or the terminal stops answering."""

from __future__ import annotations

import pytest
from contingent_parts import Stand, quiet

from ea_bridge.errors import CommandTimeout
from gateway import errors
from gateway.storage.store import CommitUnsure, StoreError


async def broken(*_: object, **__: object) -> None:
    """Write nothing."""
    raise StoreError("broken")


async def test_a_link_that_cannot_be_written_is_none(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller is told so; what fills then cancels nothing."""
    first, second = stand.place(), stand.place()
    monkeypatch.setattr(stand.ledger, "write", broken)
    with pytest.raises(errors.InternalError) as told:
        await stand.scene.ask("link_oco", tickets=[first, second])
    assert told.value.data["outcome"] == "not_sent"
    monkeypatch.undo()
    assert await stand.scene.ask("get_oco_links") == []
    stand.fill(first)
    await quiet(stand)
    assert list(stand.orders) == [second]


async def test_a_link_that_a_kill_may_bring_back_is_unknown(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that nothing was done; to say it again is safe, and tells."""

    async def unsure(*_: object, **__: object) -> None:
        raise CommitUnsure("broken")

    tickets = [stand.place(), stand.place()]
    monkeypatch.setattr(stand.ledger, "write", unsure)
    with pytest.raises(errors.InternalError) as told:
        await stand.scene.ask("link_oco", tickets=tickets)
    assert (told.value.data["outcome"], told.value.data["retryable"]) == ("unknown", True)
    monkeypatch.undo()
    link = await stand.scene.ask("link_oco", tickets=tickets)
    monkeypatch.setattr(stand.ledger, "write", unsure)
    with pytest.raises(errors.InternalError) as told:
        await stand.scene.ask("unlink_oco", id=link["id"])
    assert told.value.data["outcome"] == "unknown"
    monkeypatch.undo()
    assert (await stand.scene.ask("unlink_oco", id=link["id"]))["state"] == "unlinked"


async def test_a_link_that_cannot_be_taken_back_holds(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has it, and the next daemon would go by it; so does this one, also where an order
    was filled meanwhile."""
    first, second = stand.place(), stand.place()
    link = await stand.scene.ask("link_oco", tickets=[first, second])

    async def while_it_fails(*_: object, **__: object) -> None:
        stand.fill(first)
        raise StoreError("broken")

    monkeypatch.setattr(stand.ledger, "write", while_it_fails)
    with pytest.raises(errors.InternalError) as told:
        await stand.scene.ask("unlink_oco", id=link["id"])
    assert told.value.data["outcome"] == "not_sent"
    monkeypatch.undo()
    await quiet(stand)
    assert stand.orders == {}
    [ended] = await stand.scene.ask("get_oco_links", past=1)
    assert (ended["id"], ended["state"]) == (link["id"], "done")


async def test_a_terminal_that_stops_answering_undoes_no_link(stand: Stand) -> None:
    """The last look at the orders fails once the link is on the disk: it is told to be there."""
    first, second = stand.place(), stand.place()
    answers = stand.scene.script.answers
    looks = iter([answers["orders_get"], lambda _: CommandTimeout("orders_get", 5.0)])
    answers["orders_get"] = lambda params: next(looks)(params)
    link = await stand.scene.ask("link_oco", tickets=[first, second])
    assert link["state"] == "active"
    assert [one["id"] for one in await stand.scene.ask("get_oco_links")] == [link["id"]]
