"""Stop-limit orders that the gateway keeps, while its ledger cannot be written, or not be read."""

from __future__ import annotations

from typing import Any

import pytest
from contingent_parts import Stand, place

from gateway import errors
from gateway.reserve import Reserve
from gateway.store import DiskFull, StoreError


def fail_writes(stand: Stand, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let nothing be written to the ledger that somebody waits for."""

    async def write(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(stand.ledger, "write", write)


async def refused(stand: Stand, method: str, **params: Any) -> dict[str, Any]:
    """Ask for something that cannot be written; return the data of its error."""
    with pytest.raises(errors.InternalError) as told:
        await stand.scene.ask(method, **params)
    data = told.value.data
    assert (data["outcome"], data["client_order_id"]) == ("not_sent", params["client_order_id"])
    return data


@pytest.mark.parametrize("is_full", [True, False])
async def test_what_cannot_be_written_was_not_done(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    """Callers are told so, and may ask again under the same id; all is as it was."""
    fail_writes(stand, monkeypatch, DiskFull("full") if is_full else StoreError("broken"))
    with pytest.raises(errors.InternalError) as told:
        await place(stand, client_order_id="a")
    assert told.value.data["outcome"] == "not_sent"
    assert told.value.data.get("reason") == ("disk_full" if is_full else None)
    assert bool(told.value.data.get("retryable")) is is_full
    monkeypatch.undo()
    assert await stand.scene.ask("get_orders") == []

    ticket = (await place(stand, client_order_id="a"))["order"]["order"]
    fail_writes(stand, monkeypatch, DiskFull("full") if is_full else StoreError("broken"))
    await refused(stand, "modify_order", ticket=ticket, price=1.0861, client_order_id="m")
    await refused(stand, "cancel_order", ticket=ticket, client_order_id="c")
    monkeypatch.undo()
    [left] = await stand.scene.ask("get_orders")
    assert left["ticket"] == ticket
    await stand.scene.ask("cancel_order", ticket=ticket, client_order_id="c")
    assert await stand.scene.ask("get_orders") == []


async def test_a_given_up_reserve_is_for_what_takes_risk_away(stand: Stand) -> None:
    """To hold an order is new risk, and refused until the reserve is whole; to cancel is not."""
    ticket = (await place(stand, client_order_id="a"))["order"]["order"]
    stand.ledger._reserve = Reserve(stand.ledger.reader.path.parent, 1)
    with pytest.raises(errors.InternalError) as told:
        await place(stand, client_order_id="b")
    assert told.value.data["reason"] == "disk_full"
    assert (await stand.scene.ask("cancel_order", ticket=ticket))["changed"] is True
    assert stand.ledger._reserve.keep()
    assert (await place(stand, client_order_id="b"))["order"]["order"] > ticket


async def test_what_became_of_an_order_is_told_though_held_ones_cannot_be_read(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has failed in between: what is there now is left out."""
    ticket = (await place(stand, client_order_id="a"))["order"]["order"]

    def fail(_: str) -> None:
        raise StoreError("broken")

    monkeypatch.setattr(stand.keeper, "known", fail)
    told = await stand.scene.ask("get_order", client_order_id="a")
    assert (told["outcome"], told["now"]) == ("done", None)
    assert told["result"]["order"]["order"] == ticket
