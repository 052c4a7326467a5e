"""Held orders are sent once, whatever fails or crashes on the way."""

from __future__ import annotations

import asyncio
from sqlite3 import Connection
from typing import Any

import pytest
from contingent_parts import BUY, LIMIT, PRICE, SPREAD, Stand, place, quiet, reach, until
from msgspec.structs import replace

from ea_bridge.errors import OutcomeUnknown
from gateway import errors
from gateway.trading.journal import AccountKey


async def test_a_refusal_for_good_ends_it(stand: Stand) -> None:
    """Triggered and refused is rejected, and says why; nothing is sent again."""
    ticket = (await place(stand))["order"]["order"]
    stand.refusals = [10019]
    for points in (0, -50, 0, 10):
        reach(stand, points)
        await quiet(stand)
    assert len(stand.sent) == 1
    known = await stand.scene.ask("get_order_info", ticket=ticket)
    assert known["state"] == "rejected"
    assert known["comment"].endswith("[insufficient_margin]")


async def test_a_limit_that_the_market_has_passed_waits(stand: Stand) -> None:
    """The broker takes no limit order beyond the market (10015), and none is sent into one: it
    follows once the market is back, under an id of its own."""
    await place(stand)
    stand.refusals = [10015]
    reach(stand)
    await quiet(stand)
    stand.tick(1.0855)
    stand.tick(round(LIMIT - SPREAD, 5))
    await quiet(stand)
    assert len(stand.sent) == 1, "nothing is sent while the ask is at the limit or below"
    stand.tick(round(LIMIT - SPREAD + 0.00001, 5))
    await quiet(stand)
    assert len(stand.sent) == 2
    ids = {one.comment for one in stand.sent}
    assert len(ids) == 2
    assert [one.price_open for one in stand.orders.values()] == [LIMIT]


async def test_what_passes_is_tried_again(stand: Stand) -> None:
    """A busy terminal, a closed market: not taken, and sent again."""
    await place(stand)
    stand.refusals = [10024, 10018]
    reach(stand)
    await quiet(stand)
    assert (len(stand.sent), len(stand.orders)) == (3, 1)


async def test_an_unknown_outcome_is_never_sent_again(stand: Stand) -> None:
    """Neither by ticks nor by a restart: the journal is asked for the attempt's id."""
    ticket = (await place(stand))["order"]["order"]
    stand.refusals = [OutcomeUnknown("order_send", 700, acked=True, reason="lost")]
    reach(stand)
    await until(lambda: stand.sent)
    for _ in range(3):
        reach(stand, 5)
        stand.keeper._tasks.hurry()
        await stand.ledger.write(lambda _: None)
    with pytest.raises(errors.DeadlineExceeded):
        await stand.scene.ask("cancel_order", ticket=ticket, ttl_ms=50)
    stand.stop()
    stand.start()
    reach(stand, 5)
    stand.keeper._tasks.hurry()
    await stand.ledger.write(lambda _: None)
    assert len(stand.sent) == 1
    [listed] = await stand.scene.ask("get_orders")
    assert listed["emulated"] is True, "it is listed for as long as nobody knows"


async def test_a_crash_after_the_answer(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit order is there and the held order's end is not written: after the restart the
    journal answers for the attempt, and no second one is sent."""
    ticket = (await place(stand))["order"]["order"]
    crashes: list[object] = []

    async def crash(held: object, *_: object) -> None:
        crashes.append(held)
        await asyncio.Future()

    monkeypatch.setattr(stand.keeper._held, "end", crash)
    reach(stand)
    await until(lambda: crashes)
    stand.stop()
    await stand.ledger.write(lambda _: None)
    stand.start()
    await until(lambda: not stand.keeper.orders())
    assert len(stand.sent) == 1
    known = await stand.scene.ask("get_order_info", ticket=ticket)
    assert known["became"] == next(iter(stand.orders))


async def test_a_crash_before_the_send(stand: Stand) -> None:
    """The attempt is on the disk and nothing was sent: after the restart it is."""
    await place(stand)
    stand.scene.script.on_the_way = stand.stop
    stand.scene.revoked = errors.TerminalDisconnected()
    reach(stand)
    await quiet(stand)
    assert stand.sent == []
    stand.scene.revoked = None
    stand.scene.script.on_the_way = lambda: None
    stand.start()
    reach(stand)
    await quiet(stand)
    assert (len(stand.sent), len(stand.orders)) == (1, 1)


async def test_it_outlives_the_daemon(stand: Stand) -> None:
    """With its number, and watched over again; numbers are never used twice."""
    ticket = (await place(stand))["order"]["order"]
    await stand.scene.ask("cancel_order", ticket=(await place(stand))["order"]["order"])
    stand.stop()
    stand.scene.watched.clear()
    stand.start()
    assert [one["ticket"] for one in await stand.scene.ask("get_orders")] == [ticket]
    assert stand.scene.watched == {"EURUSD"}
    assert (await place(stand))["order"]["order"] == ticket + 2
    reach(stand)
    await quiet(stand)
    assert len(stand.orders) == 2


async def test_a_price_that_was_passed_while_nobody_looked(stand: Stand) -> None:
    """When the terminal is back the present price decides."""
    await place(stand)
    stand.scene.disconnect()
    reach(stand)
    await quiet(stand)
    stand.quote = (1.085, 1.08512)
    stand.scene.session = stand.scene.script
    stand.scene.connect(stand.keeper)
    await quiet(stand)
    assert stand.sent == []
    stand.quote = (PRICE, PRICE + SPREAD)
    stand.scene.connect(stand.keeper)
    await quiet(stand)
    assert len(stand.sent) == 1


async def test_a_login_elsewhere_while_it_is_triggered(stand: Stand) -> None:
    """The terminal is logged in elsewhere before the limit order is sent: that account gets none,
    and its own gets one when the terminal is back.
    """
    await place(stand)
    script, account, hello = stand.scene.script, stand.account, stand.scene.hello
    tick = script.answers["tick_get"]

    def log_in(login: int) -> None:
        stand.account = AccountKey(login, account.server)
        stand.scene.hello = script.hello = replace(hello, login=login)

    def switch(params: object) -> Any:
        log_in(777)
        return tick(params)

    script.answers["tick_get"] = switch
    reach(stand)
    await quiet(stand)
    assert stand.sent == []
    script.answers["tick_get"] = tick
    log_in(hello.login)
    stand.scene.connect(stand.keeper)
    await quiet(stand)
    assert (len(stand.sent), len(stand.orders)) == (1, 1)


@pytest.mark.parametrize("obstacle", ["halted", "offline"])
async def test_one_whose_end_a_kill_kept_from_the_journal_is_known(
    stand: Stand, obstacle: str
) -> None:
    """Its caller asks again, and must not hear that it was not sent: it waits, and may trade."""
    first = await place(stand, client_order_id="a")
    await stand.ledger.write(lambda connection: connection.execute("DELETE FROM orders"))
    stand.stop()
    stand.start()
    if obstacle == "halted":
        await stand.scene.ask("set_trading_enabled", enabled=False)
    else:
        stand.scene.session = None
    again = await place(stand, client_order_id="a")
    assert again["order"]["order"] == first["order"]["order"]
    assert len(stand.keeper._held) == 1


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("place_order", BUY | {"type": "sell_stop_limit", "price": 1.08, "stoplimit": 1.081}),
        ("place_order", BUY | {"magic": 7}),
        ("place_order", {"symbol": "EURUSD", "type": "buy", "volume": 0.1}),
        ("close_all_positions", {}),
    ],
)
async def test_another_request_is_none_that_a_kill_kept_from_the_journal(
    stand: Stand, method: str, params: dict[str, Any], *, is_old: bool
) -> None:
    """It is refused as everywhere; who asks for the same has his order all the same."""
    first = await place(stand, client_order_id="a")
    await lose_the_journal(stand, is_old=is_old)
    with pytest.raises(errors.ClientOrderIdConflict) as refused:
        await stand.scene.ask(method, **params, client_order_id="a")
    assert refused.value.data["outcome"] == "not_sent"
    assert refused.value.data["original"]["method"] == "place_order"
    again = await place(stand, client_order_id="a")
    assert again["order"]["order"] == first["order"]["order"]
    assert stand.sent == []


@pytest.mark.parametrize("change", [{"volume": 0.2}, {"price": 1.088}, {"comment": "other"}])
async def test_a_request_that_differs_a_little_is_another(
    stand: Stand, change: dict[str, Any]
) -> None:
    """What was asked for is kept with the order, which may have been changed since."""
    first = await place(stand, client_order_id="a")
    ticket = first["order"]["order"]
    await stand.scene.ask("modify_order", ticket=ticket, price=1.088, client_order_id="m")
    await lose_the_journal(stand)
    with pytest.raises(errors.ClientOrderIdConflict):
        await place(stand, client_order_id="a", **change)
    told = await stand.scene.ask("get_order", client_order_id="a")
    assert told["params"]["price"] == "1.087"
    assert (await place(stand, client_order_id="a"))["order"]["order"] == ticket


async def lose_the_journal(stand: Stand, *, is_old: bool = False) -> None:
    """Start again without the journal's rows; of an old order its request is not kept."""

    def lose(connection: Connection) -> None:
        connection.execute("DELETE FROM sends")
        connection.execute("DELETE FROM orders")
        if is_old:
            connection.execute("UPDATE contingent SET body = json_remove(body, '$.asked')")

    await stand.ledger.write(lose)
    stand.stop()
    stand.start()


@pytest.mark.parametrize("platform", ["mt4", "mt5"])
async def test_the_ledger_is_read_for_held_orders_where_there_may_be_some(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    """MetaTrader 5 has its own; and the journal is read once for each call."""
    hello = replace(stand.scene.hello, platform=platform)
    stand.scene.hello = stand.scene.script.hello = hello
    read: list[str] = []
    one = stand.ledger.reader.one

    def counted(sql: str, *args: Any) -> Any:
        read.append(sql.split("FROM ")[1].split()[0])
        return one(sql, *args)

    monkeypatch.setattr(stand.ledger.reader, "one", counted)
    buy: dict[str, Any] = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": 1.0}
    await stand.scene.ask("place_order", **buy, client_order_id="a")
    assert read.count("contingent") == (platform == "mt4")
    assert read.count("orders") == 1
