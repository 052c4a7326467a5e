"""What the accounts API tells of an account, and what it imports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from accounts_house import SEED_EXAMPLE, AccountsHouse, open_house
from product import HttpClient

from ea_bridge.emulator.conditions import KnownLogin
from ea_bridge.emulator.factory import build_terminal

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-accounts")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AccountsHouse]:
    async with open_house(tmp_path_factory.mktemp("accounts") / "home") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def house(running: AccountsHouse) -> AccountsHouse:
    """With nothing registered."""
    await running.begin_anew()
    return running


async def test_info_comes_from_the_terminal_of_the_account(house: AccountsHouse) -> None:
    """With the documented members, and whether its sums are those of paper trading."""
    account = await house.register()
    info = (await house.ask("GET", f"accounts/{account['id']}/info")).body
    own = house.machine.handler.account()
    assert set(info) == {
        "login", "name", "server", "company", "currency", "leverage", "balance", "equity",
        "margin", "margin_free", "margin_level", "profit", "trade_mode", "paper",
    }  # fmt: skip
    assert (info["login"], info["balance"], info["trade_mode"]) == (own.login, own.balance, 0)


async def test_info_of_another_account_comes_from_a_login(house: AccountsHouse) -> None:
    """With the stored password: 502 if it is refused now, 503 if nobody can try."""
    account = await house.register(SEED_EXAMPLE)
    path = f"accounts/{account['id']}/info"
    info = await house.ask("GET", path)
    assert (info.status, info.body["login"]) == (200, SEED_EXAMPLE["login"])
    house.machine.faults.login_unreachable = 1
    assert (await house.ask("GET", path)).status == 503
    house.logins.known[:] = [KnownLogin(login=1, password="x", server="MetaQuotes-Demo")]
    assert (await house.ask("GET", path)).status == 502
    await house.unlink()
    assert (await house.ask("GET", path)).status == 503


async def test_what_needs_the_terminal_is_unavailable_without_it(house: AccountsHouse) -> None:
    """503 with what to do; also for an account that no linked terminal is logged in to."""
    other = await house.register(SEED_EXAMPLE)
    for method, end in (
        ("GET", "symbols"),
        ("GET", "history"),
        ("POST", "history/sync"),
        ("POST", "sync-orders"),
        ("POST", "sync"),
    ):
        refused = await house.ask(method, f"accounts/{other['id']}/{end}")
        assert refused.status == 503, end
        assert "12345678" in refused.detail
        assert (await house.ask(method, f"accounts/999/{end}")).status == 404


async def test_symbols_are_those_of_market_watch_or_all(house: AccountsHouse) -> None:
    """Sorted names."""
    account = await house.register()
    path = f"accounts/{account['id']}/symbols"
    watched = (await house.ask("GET", path)).body
    every = (await house.ask("GET", path + "?all_symbols=true")).body
    assert watched == sorted(house.machine.handler.market.selected)
    assert every == sorted(house.machine.handler.market.symbols())
    assert set(watched) < set(every)
    assert (await house.ask("GET", path + "?all_symbols=perhaps")).status == 422


async def test_history_has_the_deals_of_the_last_days(house: AccountsHouse) -> None:
    """With MetaTrader's names; times are UTC."""
    account = await house.register()
    path = f"accounts/{account['id']}/history"
    deals = (await house.ask("GET", path)).body
    broker = house.machine.handler.broker.history_deals(None, None, None, None)
    assert len(deals) == len(broker) > 20
    last = {one["ticket"]: one for one in deals}[broker[-1].ticket]
    assert (last["profit"], last["position_id"]) == (broker[-1].profit, broker[-1].position_id)
    client = await house.product.http()
    told = await client.call("get_history_orders", kind="deals", position=last["position_id"])
    assert last["time_msc"] in [one["time"] for one in told["deals"]]
    assert len((await house.ask("GET", path + "?days=1")).body) < len(deals)
    for days in ("0", "3651", "1.5"):
        assert (await house.ask("GET", f"{path}?days={days}")).status == 422


async def test_history_of_metatrader_4_tells_each_trade_as_two_deals(
    house: AccountsHouse,
) -> None:
    """One that opened it and one that closed it, of which alone the money is told; what is open
    has the first. Their sums are those of the closed trades, to the cent.
    """
    path, client = await _account_of_mt4(house)
    ticket, _ = await _bought(client), await _bought(client)
    waiting = {"symbol": "EURUSD", "side": "buy", "type": "limit", "volume": 0.01, "price": 0.5}
    deleted = (await client.call("place_order", **waiting))["order"]["order"]
    await client.call("cancel_order", ticket=deleted)
    before = (await house.ask("GET", path)).body
    (entered,) = [one for one in before if one["ticket"] == ticket]
    assert (entered["entry"], entered["type"], entered["profit"]) == (0, 0, 0.0)

    await client.call("close_position", ticket=ticket)
    deals = (await house.ask("GET", path)).body
    assert [one["time_msc"] for one in deals] == sorted(one["time_msc"] for one in deals)
    history = await client.call("get_history_orders", kind="positions", from_=0)
    closed = {one["position_id"]: one for one in history["positions"]}
    way_in, way_out = ([one for one in deals if one["entry"] == entry] for entry in (0, 1))
    told = {one["ticket"]: (one["profit"], one["swap"], one["commission"]) for one in way_out}
    assert told == {
        number: (one["profit"], one["swap"], one["commission"]) for number, one in closed.items()
    }
    there = {one["ticket"] for one in await client.call("get_positions")}
    assert there
    assert {one["ticket"] for one in way_in} == there | closed.keys()

    last = closed[ticket]
    ours = [one for one in deals if one["position_id"] == ticket]
    assert [(one["entry"], one["type"], one["price"], one["time_msc"]) for one in ours] == [
        (0, 0, last["price_open"], last["time"]),
        (1, 1, last["price_close"], last["time_close"]),
    ]
    recent = (await house.ask("GET", path + "?days=1")).body
    assert ticket in {one["ticket"] for one in recent}
    assert len(recent) < len(deals)


async def _account_of_mt4(house: AccountsHouse) -> tuple[str, HttpClient]:
    """Link a terminal of MetaTrader 4, and register its account; return where its past is."""
    machine = build_terminal(platform="mt4", seed=4)
    linked = await house.product.link("mt4", machine)
    own = machine.handler.account()
    # MetaTrader 4 cannot try a password: another terminal does
    house.logins.known.append(KnownLogin(login=own.login, password="x", server=own.server))
    body = SEED_EXAMPLE | {"login": own.login, "server": own.server, "password": "x"}
    account = await house.register(body)
    return f"accounts/{account['id']}/history", await house.product.http(linked.token)


async def _bought(client: HttpClient) -> int:
    receipt = await client.call("place_order", symbol="EURUSD", side="buy", volume=0.01)
    return int(receipt["order"]["position"])


async def test_an_import_of_history_is_idempotent_and_counts_to_the_cent(
    house: AccountsHouse,
) -> None:
    """Statistics are those of the closed trades, swap and commission included."""
    account = await house.register()
    path = f"accounts/{account['id']}"
    nothing = {"win_rate": 0.0, "total_pnl": 0.0, "trade_count": 0, "winning_trades": 0}
    assert (await house.ask("GET", path + "/stats")).body == nothing
    first = (await house.ask("POST", path + "/history/sync")).body
    assert first["imported"] > 0
    assert first["updated"] == 0
    again = (await house.ask("POST", path + "/history/sync")).body
    assert again == first | {"imported": 0}

    client = await house.product.http()
    history = await client.call("get_history_orders", kind="positions", **{"from": 0})
    profits = [
        sum(one[part] or 0.0 for part in ("profit", "commission", "swap", "fee"))
        for one in history["positions"]
    ]
    stats = (await house.ask("GET", path + "/stats")).body
    assert stats["trade_count"] == len(profits) == first["imported"]
    assert stats["total_pnl"] == pytest.approx(sum(profits), abs=0.005)
    assert stats["winning_trades"] == sum(profit > 0 for profit in profits)
    assert stats["win_rate"] == round(stats["winning_trades"] / len(profits), 4)
    everything = (await house.ask("POST", "accounts/sync-all")).body
    assert everything == first | {"imported": 0, "accounts_synced": 1, "errors": []}


async def test_what_was_open_is_followed_to_its_end(house: AccountsHouse) -> None:
    """An open position that was closed, a pending order that was cancelled, and what stays."""
    account = await house.register(house.own | {"allowed_symbols": []})
    path = f"accounts/{account['id']}"
    client = await house.product.http()
    receipts = [
        (await client.call("place_order", symbol="EURUSD", side="buy", volume=0.01))["order"]
        for _ in range(2)
    ]
    tick = house.machine.handler.market.tick("EURUSD")
    assert tick is not None
    low = round(tick.bid * 0.9, 5)
    limit = {"type": "limit", "side": "buy", "price": low}
    pending = (await client.call("place_order", symbol="EURUSD", volume=0.01, **limit))["order"]
    synced = (await house.ask("POST", path + "/sync")).body
    assert synced["total_checked"] == 0
    assert synced["newly_imported"] >= 3
    open_now = (await house.ask("GET", f"trades?account_id={account['id']}&is_open=true")).body
    tickets = {one["ticket"] for one in open_now}
    assert {one["position"] for one in receipts} <= tickets

    unchanged = (await house.ask("POST", path + "/sync-orders")).body
    assert unchanged["unchanged"] == unchanged["total_checked"] >= 3
    await client.call("close_position", ticket=receipts[0]["position"])
    await client.call("cancel_order", ticket=pending["order"])
    followed = (await house.ask("POST", path + "/sync-orders")).body
    assert followed == {
        "total_checked": unchanged["total_checked"],
        "positions_closed": 1,
        "orders_cancelled": 1,
        "unchanged": unchanged["total_checked"] - 2,
    }
    query = f"trades?account_id={account['id']}&limit=500"
    rows = {one["ticket"]: one for one in (await house.ask("GET", query)).body}
    closed = rows[receipts[0]["position"]]
    assert closed["closed_at"] is not None
    assert closed["order_status"] == "filled"
    assert rows[receipts[1]["position"]]["closed_at"] is None
    assert rows[pending["order"]]["order_status"] == "cancelled"
    await client.call("close_position", ticket=receipts[1]["position"])


async def test_a_month_is_summed_up_for_one_account_or_for_all(house: AccountsHouse) -> None:
    """In the account's own money, or in dollars, where cents count hundredths."""
    account = await house.register(house.own | {"account_type": "USC"})
    await house.ask("POST", f"accounts/{account['id']}/history/sync")
    query = f"trades?account_id={account['id']}&is_open=false&limit=500"
    closed = [one for one in (await house.ask("GET", query)).body if one["closed_at"]]
    month = closed[0]["closed_at"][:7]
    of_month = [one for one in closed if one["closed_at"].startswith(month)]
    year, number = month.split("-")
    period = f"year={year}&month={int(number)}"

    mine = (await house.ask("GET", f"analytics/summary?account_id={account['id']}&{period}")).body
    assert mine["total_trades"] == len(of_month) > 0
    assert mine["total_pnl"] == pytest.approx(sum(one["profit"] for one in of_month), abs=0.006)
    assert mine["winning_trades"] + mine["losing_trades"] == len(of_month)
    every = (await house.ask("GET", f"analytics/summary?{period}")).body
    assert every["total_pnl"] == pytest.approx(mine["total_pnl"] / 100, abs=0.006)

    path = f"analytics/daily?account_id={account['id']}&{period}"
    days = (await house.ask("GET", path)).body["entries"]
    assert sum(day["trades"] for day in days.values()) == len(of_month)
    assert {mine["best_day"], mine["worst_day"]} <= days.keys()
    empty = (await house.ask("GET", "analytics/summary?year=1999&month=12")).body
    assert (empty["total_trades"], empty["best_day"], empty["profit_factor"]) == (0, None, None)
    assert (await house.ask("GET", "analytics/daily?account_id=999")).status == 404


async def test_an_import_of_all_names_those_that_fail(house: AccountsHouse) -> None:
    """And does the others."""
    other = await house.register(SEED_EXAMPLE)
    await house.register()
    everything = (await house.ask("POST", "accounts/sync-all?days=365")).body
    assert everything["accounts_synced"] == 1
    assert everything["imported"] > 0
    [error] = everything["errors"]
    assert error.startswith(f"Account {other['id']} (Live Trading Account): ")


async def test_trades_are_found_by_date(house: AccountsHouse) -> None:
    """A date means all of that day, in UTC; one that there is not is refused."""
    account = await house.register()
    await house.ask("POST", f"accounts/{account['id']}/history/sync")
    query = f"trades?account_id={account['id']}&limit=500"
    every = (await house.ask("GET", query)).body
    day = every[0]["opened_at"][:10]
    of_day = [one for one in every if one["opened_at"].startswith(day)]
    assert (await house.ask("GET", f"{query}&from_date={day}&to_date={day}")).body == of_day
    assert (await house.ask("GET", f"{query}&to_date={day}T00:00:00Z")).body == [
        one for one in every if one["opened_at"] <= f"{day}T00:00:00Z"
    ]
    for bad in ("from_date=2026-02-30", "from_date=yesterday", "limit=0", "is_open=1.5"):
        assert (await house.ask("GET", f"{query}&{bad}")).status == 422, bad
    assert (await house.ask("GET", "trades")).status == 422
    assert (await house.ask("GET", "trades?account_id=999")).status == 404
