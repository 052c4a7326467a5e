"""Risk settings and the kill switch by REST: what is said there holds for every order."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from accounts_house import AccountsHouse, open_house
from product import Refused

from ea_bridge.token import parse_token
from gateway.accounts.history import Sample

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-accounts")]

DEFAULTS = {
    "drawdown_check_enabled": False,
    "max_drawdown_pct": 10.0,
    "position_limit_enabled": False,
    "max_open_positions": 5,
    "rate_limit_enabled": False,
    "rate_limit_max_trades": 3,
    "rate_limit_window_hours": 4.0,
    "hedging_allowed": True,
}
RISK = "settings/risk"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AccountsHouse]:
    async with open_house(tmp_path_factory.mktemp("accounts") / "home") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def house(running: AccountsHouse) -> AccountsHouse:
    """With nothing registered."""
    await running.begin_anew()
    return running


async def test_risk_settings_are_changed_in_part(house: AccountsHouse) -> None:
    """By PATCH or PUT, within the documented bounds; they are off at first."""
    assert (await house.ask("GET", RISK)).body == DEFAULTS
    changed = await house.ask("PATCH", RISK, {"max_open_positions": 1})
    assert (changed.status, changed.body) == (200, DEFAULTS | {"max_open_positions": 1})
    changed = await house.ask("PUT", RISK, {"hedging_allowed": False})
    wanted = DEFAULTS | {"max_open_positions": 1, "hedging_allowed": False}
    assert changed.body == wanted
    for bad in (
        {"max_drawdown_pct": 0},
        {"max_drawdown_pct": 100.5},
        {"max_open_positions": 0},
        {"rate_limit_max_trades": 0},
        {"rate_limit_window_hours": 0},
        {"hedging_allowed": "no"},
    ):
        assert (await house.ask("PATCH", RISK, bad)).status == 422, bad
    assert (await house.ask("GET", RISK)).body == wanted


async def test_limits_of_an_account_hold_from_the_next_order_on(house: AccountsHouse) -> None:
    """What is registered or changed is enforced for every token's orders at once."""
    client = await house.product.http()
    account = await house.register(
        house.own | {"allowed_symbols": [], "max_lot_size": 0.05, "risk_pct": 1}
    )
    path = f"accounts/{account['id']}"

    async def fails(symbol: str = "EURUSD", volume: float = 0.01) -> str | None:
        """Return the rule that an order breaks."""
        try:
            await client.call(
                "place_order",
                symbol=symbol,
                side="buy",
                volume=volume,
                sl=0.5,
                validate_only=True,
            )
        except Refused as refused:
            return str(refused.data.get("rule", refused.name))
        return None

    assert await fails() is None
    assert await fails(volume=0.06) is not None
    live = await house.ask("PATCH", path, {"is_live": True})
    assert (live.status, live.body["is_live"]) == (200, True)
    await house.ask("PATCH", path, {"allowed_symbols": ["GBPUSD"]})
    assert await fails() is not None
    assert await fails("GBPUSD") is None
    await house.ask("PATCH", path, {"auto_trade_enabled": False})
    assert await fails("GBPUSD") is not None
    assert (await house.ask("DELETE", path)).status == 204
    assert await fails(volume=0.06) is None


async def test_the_kill_switch_stops_orders_until_it_is_lifted(house: AccountsHouse) -> None:
    """With the documented answers; each turn stands in the log."""
    quiet = {"is_active": False, "reason": None, "activated_at": None, "activated_by": None}
    assert (await house.ask("GET", "kill-switch")).body == quiet
    reason = "High-impact news event \u2014 NFP release"
    active = await house.ask("POST", "kill-switch/activate", {"reason": reason})
    assert (active.status, active.body["is_active"], active.body["reason"]) == (200, True, reason)
    assert active.body["activated_at"].endswith("Z")
    assert (await house.ask("GET", "kill-switch")).body == active.body

    client = await house.product.http()
    with pytest.raises(Refused) as caught:
        await client.call("place_order", symbol="EURUSD", side="buy", volume=0.01)
    assert caught.value.name == "kill_switch_active"

    lifted = await house.ask("POST", "kill-switch/deactivate")
    assert (lifted.status, lifted.body) == (200, quiet)
    await house.product.gateway.ledger.write(lambda _: None)
    log = (await house.ask("GET", "kill-switch/logs")).body[:2]
    assert [line["action"] for line in log] == ["deactivated", "activated"]
    assert log[1]["reason"] == reason
    by = f"token {parse_token(house.admin)}"
    assert [line["triggered_by"] for line in log] == [by, by]
    assert log[1]["created_at"] <= log[0]["created_at"]
    assert set(log[0]) == {"id", "action", "reason", "triggered_by", "created_at"}
    assert (await house.ask("POST", "kill-switch/activate", {"reason": ""})).status == 422
    assert (await house.ask("POST", "kill-switch/activate", {"reason": "x" * 501})).status == 422


async def test_a_drawdown_halts_the_accounts_terminal_once(house: AccountsHouse) -> None:
    """Until a person lifts it; it comes again only after the account has recovered."""
    await house.register(house.own | {"allowed_symbols": []})
    followed, client = house.product.gateway.account_service, await house.product.http()
    tickets = [
        (await client.call("place_order", symbol="EURUSD", side=side, volume=0.1))["order"][
            "position"
        ]
        for side in ("buy", "sell")
    ]  # the two together lose the spread, whatever the market does

    async def is_halted() -> bool:
        await followed.look()
        state = (await house.ask("GET", "kill-switch")).body
        assert not state["is_active"] or state["activated_by"] == "drawdown"
        return bool(state["is_active"])

    rule = {"drawdown_check_enabled": True, "max_drawdown_pct": 50}
    await house.ask("PATCH", RISK, rule)
    assert not await is_halted()
    await house.ask("PATCH", RISK, {"max_drawdown_pct": 1e-9})
    assert await is_halted()
    with pytest.raises(Refused):
        await client.call("place_order", symbol="EURUSD", side="buy", volume=0.01)
    assert (await house.ask("POST", "kill-switch/deactivate")).body["is_active"] is False
    assert not await is_halted()
    await house.ask("PATCH", RISK, {"max_drawdown_pct": 50})
    assert not await is_halted()
    await house.ask("PATCH", RISK, {"max_drawdown_pct": 1e-9})
    assert await is_halted()
    for ticket in tickets:
        await client.call("close_position", ticket=ticket)


async def test_equity_history_tells_the_samples_of_the_last_hours(house: AccountsHouse) -> None:
    """Each look at the money that is due leaves one; a far past is thinned out."""
    account = await house.register()
    gateway = house.product.gateway
    await gateway.account_service.look()
    await gateway.ledger.write(lambda _: None)
    path = f"accounts/{account['id']}/equity-history"
    [point] = (await house.ask("GET", path)).body
    assert point["ts"].endswith("Z")
    assert point["balance"] == house.machine.handler.account().balance
    now_ms = gateway.account_service.services.now_ms()
    gateway.account_service.services.equity.note(
        [Sample(account["id"], now_ms - hours * 3_600_000 - 1, 2.0, 1.0) for hours in (30, 800)]
    )
    await gateway.ledger.write(lambda _: None)
    assert len((await house.ask("GET", path)).body) == 1
    assert [one["equity"] for one in (await house.ask("GET", path + "?hours=720")).body] == [
        2.0,
        point["equity"],
    ]
    for hours in ("0", "721", "x", "1&hours=2", "1&more=1"):
        assert (await house.ask("GET", f"{path}?hours={hours}")).status == 422


async def test_an_account_is_put_on_paper_by_its_registration(house: AccountsHouse) -> None:
    """From the next order on; its money, deals and trades say so, and those of the market stay
    apart. Deleted and registered anew it begins with new books."""
    client, broker = await house.product.http(), house.machine.handler.broker
    before = [one.ticket for one in broker.positions()]
    own = house.own | {"allowed_symbols": [], "max_lot_size": 1.0}
    account = await house.register(own)
    path = f"accounts/{account['id']}"
    changed = await house.ask("PATCH", path, {"paper_trade_enabled": True})
    assert (changed.status, changed.body["paper_trade_enabled"]) == (200, True)
    bought = await client.call("place_order", symbol="EURUSD", side="buy", volume=0.1)
    ticket = bought["order"]["position"]
    await client.call("close_position", ticket=ticket)
    assert (await house.ask("GET", path + "/info")).body["paper"] is True
    deals = (await house.ask("GET", path + "/history")).body
    assert [one["type"] for one in deals] == [2, 0, 1]
    assert all(one["paper"] for one in deals)
    synced = await house.ask("POST", path + "/history/sync")
    assert synced.body["imported"] == 1
    query = f"trades?account_id={account['id']}"
    assert (await house.ask("GET", query)).body == []
    [trade] = (await house.ask("GET", query + "&include_paper=true")).body
    assert (trade["ticket"], trade["is_paper_trade"]) == (ticket, True)
    assert [one.ticket for one in broker.positions()] == before
    await house.ask("DELETE", path)
    await house.register(own | {"paper_trade_enabled": True})
    history = await client.call("get_history_orders", kind="deals")
    assert [one["type"] for one in history["deals"]] == ["balance"]
