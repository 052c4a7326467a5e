"""Stop-limit orders that the gateway keeps, while its ledger cannot be written, or not be read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from contingent_parts import LIMIT, Stand, place, quiet, reach, until
from scripted_terminal import Scene

from ea_bridge.errors import OutcomeUnknown
from ea_bridge.model import TradeResult
from gateway import errors
from gateway.app import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.storage.reserve import Reserve
from gateway.storage.store import CommitUnsure, DiskFull, Store, StoreError
from gateway.trading.contingent.service import ContingentOrders
from gateway.trading.journal import OrderLog, SqliteJournal, Stage
from gateway.trading.journal.journal import encode_result
from gateway.trading.reconcile.service import Reconciler


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


async def test_what_a_kill_may_bring_back_is_unknown_until_the_disk_works(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of a held order has failed, and the log may have it: nobody is told that nothing
    was done, and who asks again is not served twice; then it is found out.
    """
    journal = stand.scene.guarded.journal
    assert isinstance(journal, SqliteJournal)
    reconciler = Reconciler(journal._log, "mt5-a", lambda: stand.scene.guarded)
    fail_writes(stand, monkeypatch, CommitUnsure("broken"))
    for is_repeated in (False, True):
        with pytest.raises(errors.OrderUnresolved) as told:
            await place(stand, client_order_id="a")
        data = told.value.data
        assert (data["outcome"], data["client_order_id"]) == ("unknown", "a")
        assert data.get("duplicate", False) is is_repeated
    await reconciler._round()
    assert (await stand.scene.ask("get_order", client_order_id="a"))["outcome"] == "unknown"
    monkeypatch.undo()
    assert await stand.scene.ask("get_orders") == []
    await reconciler._round()
    known = await stand.scene.ask("get_order", client_order_id="a")
    assert (known["outcome"], known["reconciled"]) == ("not_sent", True)
    assert (await place(stand, client_order_id="a"))["duplicate"] is False


async def test_a_held_order_that_a_kill_has_brought_back_is_told(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is there and the end of its request is not: it was told that nothing was ever sent
    under its id, and would trade.
    """

    async def end(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(OrderLog, "end", end)
    with pytest.raises(RuntimeError, match="killed"):
        await place(stand, client_order_id="a", sl=1.08)
    monkeypatch.undo()
    stand.stop()
    stand.start()
    told = await stand.scene.ask("get_order", client_order_id="a")
    assert (told["outcome"], told["reconciled"], told["method"]) == ("done", True, "place_order")
    [order] = told["now"]["orders"]
    assert told["params"]["price"] == str(order["price_open"])
    assert told["result"]["order"]["order"] == order["ticket"]


async def test_a_held_order_that_a_kill_has_brought_back_is_answered(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for it again had been told that it was not sent where new orders are kept out
    by now: the terminal is away, or trading is halted; and it would trade all the same.
    """

    async def end(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(OrderLog, "end", end)
    with pytest.raises(RuntimeError, match="killed"):
        await place(stand, client_order_id="a")
    monkeypatch.undo()
    stand.stop()
    stand.start()
    [held] = await stand.scene.ask("get_orders")
    session, stand.scene.session = stand.scene.session, None
    receipts = await asyncio.gather(*(place(stand, client_order_id="a") for _ in range(2)))
    assert {one["order"]["order"] for one in receipts} == {held["ticket"]}
    stand.scene.session = session
    known = await stand.scene.ask("get_order", client_order_id="a")
    assert (known["outcome"], known["params"]["type"]) == ("done", "buy_stop_limit")
    with pytest.raises(errors.ClientOrderIdConflict):
        await place(stand, client_order_id="a", volume=0.2)


@pytest.mark.parametrize("is_sent", [False, True])
async def test_a_held_order_outlasts_a_journal_that_cannot_be_read(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, is_sent: bool
) -> None:
    """Its limit order may have been sent, and nobody knows for a moment: it is not told to be
    refused, and once the journal is read it is sent, or was, once.
    """
    ticket = (await place(stand, client_order_id="a"))["order"]["order"]
    journal = stand.scene.guarded.journal
    assert isinstance(journal, SqliteJournal)
    if is_sent:
        stand.refusals = [OutcomeUnknown("order_send", 700, acked=True, reason="lost")]
        reach(stand)
        await until(lambda: journal._log.doubtful(stand.account))
        [lost] = journal._log.doubtful(stand.account)
        result = TradeResult(retcode=10009, order=stand.place(price=LIMIT))
        receipt = encode_result({"order": {"order": result.order}})
        lost.sends[0].stage, lost.sends[0].result = Stage.DONE, result
        assert await journal._log.settle(lost, Stage.DONE, receipt)
    failed: list[str] = []
    one = stand.ledger.reader.one

    def fail(sql: str, *args: Any) -> Any:
        if "FROM orders" in sql and len(failed) < 3:
            failed.append(sql)
            raise StoreError("broken")
        return one(sql, *args)

    monkeypatch.setattr(stand.ledger.reader, "one", fail)
    reach(stand)
    stand.keeper._tasks.hurry()
    await until(lambda: len(failed) == 3)
    await quiet(stand)
    [order] = stand.orders.values()
    assert len(stand.sent) == 1
    known = await stand.scene.ask("get_order_info", ticket=ticket)
    assert (known["state"], known["became"]) == ("placed", order.ticket)


async def test_a_change_that_a_kill_may_bring_back_is_unknown(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is a cancel: the order waits as it was, and may be gone after a kill."""
    ticket = (await place(stand, client_order_id="a"))["order"]["order"]
    fail_writes(stand, monkeypatch, CommitUnsure("broken"))
    changes: dict[str, dict[str, Any]] = {"modify_order": {"price": 1.0861}, "cancel_order": {}}
    for method, more in changes.items():
        with pytest.raises(errors.OrderUnresolved):
            await stand.scene.ask(method, ticket=ticket, client_order_id=method, **more)
    monkeypatch.undo()
    [left] = await stand.scene.ask("get_orders")
    assert left["ticket"] == ticket


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

    def fail(*_: object) -> None:
        raise StoreError("broken")

    monkeypatch.setattr(stand.keeper, "known", fail)
    told = await stand.scene.ask("get_order", client_order_id="a")
    assert (told["outcome"], told["now"]) == ("done", None)
    assert told["result"]["order"]["order"] == ticket


async def test_a_broken_disk_leaves_no_terminal_without_its_held_orders(
    mt4: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails the start of a daemon that cannot read them; later they are there already, so that
    neither who asks nor a terminal that links meets an error.
    """
    stand, is_broken = Stand(mt4, tmp_path), False
    ticket = (await place(stand, client_order_id="a"))["order"]["order"]
    stand.close()
    whole = Store.all

    def broken(store: Store, sql: str, *values: Any) -> list[Any]:
        if is_broken and "contingent" in sql:
            raise StoreError("the disk reports errors")
        return whole(store, sql, *values)

    monkeypatch.setattr(Store, "all", broken)
    config = Config.model_validate({"api": {"port": 0}, "bridge": {"port": 0}})
    with Home(tmp_path, config.secrets.key_file) as home:
        async with Gateway(home, config).run():
            pass
        gateway = Gateway(home, config)
        async with gateway.run():
            is_broken = True
            keeper = gateway.trading.state("mt5-a").contingent
            assert isinstance(keeper, ContingentOrders)
            assert keeper.past(ticket) is None
            assert [one.ticket for one in keeper.counted_for(stand.account)] == [ticket]
        with pytest.raises(StoreError, match="the disk reports errors"):
            async with Gateway(home, config).run():
                pass
