"""Endpoints 9 to 34: users, money, trades, groups, symbols, mail; each against the emulated
server, whose books tell whether it was done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from manager_house import ManagerHouse, open_house

from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.commands import TRADE_RECORDS_REQUEST, USER_RECORDS_REQUEST
from gateway.mt4_manager import ManagerError, OperatorRole, PeerSilent, RateExceeded
from gateway.mt4_manager.link import Link

ANN = {"group": "demoforex", "name": "Ann Example", "password": "Secret12", "leverage": 100}
ALL_TIME = {"from": 0, "to": 2**31 - 1}

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    async with open_house(tmp_path_factory.mktemp("records") / "home") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def house(running: ManagerHouse) -> ManagerHouse:
    """Linked and connected."""
    await running.begin_anew()
    return running


async def new_user(house: ManagerHouse, **fields: Any) -> int:
    """Make a user; return his login."""
    made = await house.ask("POST", "users/", ANN | fields, role=OperatorRole.OPERATOR)
    assert made.status == 201, made
    login: int = made.body["user"]["login"]
    return login


async def book(house: ManagerHouse, login: int, how: str, **body: Any) -> Any:
    """Book money; return the answer."""
    return await house.ask("POST", f"accounts/{login}/{how}", body, role=OperatorRole.OPERATOR)


async def level(house: ManagerHouse, login: int) -> Any:
    """Return how an account stands."""
    return await house.get(f"accounts/{login}/margin", role=OperatorRole.READ)


def fits(record: Any, type_: Any) -> None:
    """Fail unless a record has all members of its structure and no others."""
    wanted = {one.name for one in msgspec.structs.fields(type_)}
    assert set(record) - {"status"} == wanted - {"status"}
    msgspec.convert({k: v for k, v in record.items() if k in wanted}, type_, strict=True)


# --- users -------------------------------------------------------------------------------------


async def test_a_user_is_made_read_and_changed(house: ManagerHouse) -> None:
    """What is not named stays; passwords are never told."""
    login = await new_user(house, email="ann@example.com", comment="VIP")
    user = (await house.get(f"users/{login}"))["user"]
    fits(user, mt4.UserRecord)
    assert (user["name"], user["email"], user["balance"]) == ("Ann Example", "ann@example.com", 0)
    changed = await house.ask("PUT", f"users/{login}", {"leverage": 200, "city": "Riga"})
    assert changed.status == 200
    after = changed.body["user"]
    assert after == user | {"leverage": 200, "city": "Riga", "timestamp": after["timestamp"]}
    given = {"password": "Another34", "investor": True}
    done = await house.ask("PUT", f"users/{login}/password", given)
    assert done.body == {"status": "ok", "message": "Password changed"}
    told = str([await house.get(f"users/{login}"), changed.body])
    assert "Secret12" not in told
    assert "Another34" not in told


async def test_users_by_filter_and_page(house: ManagerHouse) -> None:
    """Filters and paging travel to the server; ``total`` counts all that fit."""
    login = await new_user(house, name="Zoe Unusual")
    found = await house.get("users/?search=zoe%20unus")
    assert (found["total"], [one["login"] for one in found["users"]]) == (1, [login])
    everybody = await house.get("users")  # all of them; the slash may be left out
    assert everybody["total"] == len(everybody["users"])
    assert (await house.get("users/"))["users"] == everybody["users"]
    trades = await house.get("trades/open")
    assert trades["total"] == len(trades["trades"])
    page = await house.get("users/?offset=2&limit=3")
    assert page["users"] == everybody["users"][2:5]
    assert (page["total"], page["offset"], page["limit"]) == (everybody["total"], 2, 3)
    demo = await house.get("users/?group=demo*&enable=1&limit=100000")
    wanted = [u for u in everybody["users"] if u["group"].startswith("demo") and u["enable"]]
    assert demo["users"] == wanted
    assert (await house.get("users/?offset=1000000"))["users"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "users/999999", None),
        ("PUT", "users/999999", {"leverage": 10}),
        ("PUT", "users/999999/password", {"password": "Secret12"}),
        ("POST", "accounts/999999/deposit", {"amount": 1}),
        ("GET", "accounts/999999/margin", None),
        ("GET", "groups/nosuch", None),
        ("GET", "groups/demo*", None),
        ("GET", "symbols/NOSUCH", None),
        ("GET", "symbols/NOSUCH/price", None),
        ("PUT", "admin/trades/999999999/modify", {"comment": "x"}),
        ("POST", "admin/trades/delete", {"orders": [999999999]}),
        ("POST", "admin/mail", {"logins": [999999], "subject": "a", "body": "b"}),
        ("POST", "admin/users/group-op", {"command": "enable", "logins": [999999]}),
    ],
)
async def test_what_there_is_not(house: ManagerHouse, method: str, path: str, body: Any) -> None:
    """It is a 404, with words that say so."""
    answered = await house.ask(method, path, body)
    assert answered.status == 404
    assert "there is no such" in answered.detail.lower()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users/", ANN | {"password": "short"[:4]}),
        ("users/", ANN | {"group": "no-such-group"}),
        ("users/", ANN | {"balance": 100}),
        ("users/", {k: v for k, v in ANN.items() if k != "leverage"}),
        ("accounts/100001/deposit", {"amount": 0}),
        ("accounts/100001/deposit", {"amount": -5}),
        ("accounts/100001/deposit", {"amount": 0.001}),
        ("accounts/100001/deposit", {"amount": "5"}),
        ("accounts/100001/deposit", {"amount": 1, "comment": "x" * 22}),
        ("accounts/100001/withdraw", {"amount": 1e10}),
        ("accounts/100001/credit", {"amount": 0}),
        ("accounts/100001/credit", {"amount": 5}),
        ("accounts/100001/credit", {"amount": -5, "expiration": 1_900_000_000}),
        ("trades/history/100001", {"from": 10, "to": 5}),
        ("trades/history/100001", {"to": 5}),
        ("admin/trades/delete", {"orders": []}),
        ("admin/users/group-op", {"command": "setgroup", "logins": [100001]}),
        ("admin/users/group-op", {"command": "enable", "logins": [100001], "leverage": 5}),
        ("admin/users/group-op", {"command": "explode", "logins": [100001]}),
        ("accounts/0/deposit", {"amount": 1}),
        ("accounts/abc/deposit", {"amount": 1}),
    ],
)
async def test_what_cannot_be(house: ManagerHouse, path: str, body: Any) -> None:
    """It is a 422 with a list of what is wrong, and the books do not change."""
    before = await house.get("accounts/100001/margin")
    answered = await house.ask("POST", path, body)
    assert answered.status == 422, answered
    assert all({"type", "loc", "msg"} == set(one) for one in answered.detail)
    after = await house.get("accounts/100001/margin")
    assert after["balance"] == before["balance"]


# --- money -------------------------------------------------------------------------------------


async def test_money_in_and_out(house: ManagerHouse) -> None:
    """A deposit and a withdrawal are bookings in the history, with the operator's comment."""
    login = await new_user(house)
    paid_in = await book(house, login, "deposit", amount=250.25, comment="card 4711")
    assert paid_in.status == 200
    order = paid_in.body["order"]
    assert paid_in.body == {"status": "ok", "order": order, "login": login, "amount": 250.25}
    paid_out = await book(house, login, "withdraw", amount=50)
    assert paid_out.body["amount"] == -50
    assert (await level(house, login))["balance"] == 200.25
    history = await house.ask("POST", f"trades/history/{login}", ALL_TIME, role=OperatorRole.READ)
    booked = history.body["trades"]
    assert [one["profit"] for one in booked] == [250.25, -50]
    assert [one["cmd"] for one in booked] == [6, 6]
    assert booked[0]["comment"].startswith("card 4711 #")
    assert len(booked[0]["comment"]) <= 31


async def test_credit_is_given_and_taken_away(house: ManagerHouse) -> None:
    """It counts as balance for the margin, and not as the user's own money."""
    login = await new_user(house)
    await book(house, login, "deposit", amount=100)
    given = await book(house, login, "credit", amount=30, expiration=1_900_000_000)
    assert given.status == 200
    assert (await level(house, login))["balance"] == 130
    user = (await house.get(f"users/{login}"))["user"]
    assert (user["balance"], user["credit"]) == (100, 30)
    too_much = await book(house, login, "credit", amount=-31)
    assert too_much.status == 409
    taken = await book(house, login, "credit", amount=-30)
    assert taken.body["amount"] == -30
    assert (await level(house, login))["balance"] == 100


async def test_more_than_there_is(house: ManagerHouse) -> None:
    """A withdrawal beyond the free margin is a 409, and nothing was booked."""
    login = await new_user(house)
    refused = await book(house, login, "withdraw", amount=0.01)
    assert refused.status == 409
    assert "RET_TRADE_NO_MONEY (134)" in refused.detail
    assert (await level(house, login))["balance"] == 0


async def test_a_key_belongs_to_one_request(house: ManagerHouse) -> None:
    """The same request under the same key is answered and not done again; another one is refused,
    whoever asks.
    """
    login = await new_user(house)
    key = {"Idempotency-Key": f"payment {login}".replace(" ", "-")}
    path, body = f"accounts/{login}/deposit", {"amount": 10, "comment": "once"}
    first = await house.ask("POST", path, body, headers=key)
    again = await house.ask("POST", path, dict(reversed(body.items())), headers=key)
    assert (again.status, again.body) == (200, first.body)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    for other_path, other in (
        (path, body | {"amount": 11}),
        (f"accounts/{login}/withdraw", body),
        (f"accounts/{login + 1}/deposit", body),
    ):
        refused = await house.ask("POST", other_path, other, headers=key)
        assert refused.status == 422
        assert refused.detail[0]["type"] == "key_reused"
    assert (await level(house, login))["balance"] == 10
    for wrong in ("", "two words", "x" * 129):
        sent = {"Idempotency-Key": wrong}
        assert (await house.ask("POST", path, body, headers=sent)).status == 422


async def test_what_was_refused_may_be_tried_again_under_its_key(house: ManagerHouse) -> None:
    """Nothing was done: the money has come meanwhile, and now it is."""
    login = await new_user(house)
    key = {"Idempotency-Key": f"payout-{login}"}
    path = f"accounts/{login}/withdraw"
    assert (await house.ask("POST", path, {"amount": 5}, headers=key)).status == 409
    await book(house, login, "deposit", amount=5)
    assert (await house.ask("POST", path, {"amount": 5}, headers=key)).status == 200
    assert (await house.ask("POST", path, {"amount": 5}, headers=key)).status == 200
    assert (await level(house, login))["balance"] == 0


async def test_margins(house: ManagerHouse) -> None:
    """Of one, of all, of a group, of those at a level: the same numbers."""
    everybody = await house.get("accounts/margins")
    assert (
        everybody["total"]
        == len(everybody["margins"])
        == everybody["limit"] - (everybody["limit"] - everybody["total"])
    )
    one = next(one for one in everybody["margins"] if one["margin"] > 0)
    fits(one, mt4.MarginLevel)
    alone = await level(house, one["login"])
    fits(alone, mt4.MarginLevel)
    assert {**alone, "equity": 0, "margin_free": 0, "margin_level": 0} == {
        "status": "ok",
        **one,
        "equity": 0,
        "margin_free": 0,
        "margin_level": 0,
    }
    group = await house.get(f"accounts/margins?group={one['group']}")
    assert {each["group"] for each in group["margins"]} == {one["group"]}
    fine = await house.get("accounts/margins?level_type=0&limit=2")
    assert len(fine["margins"]) == 2


# --- trades ------------------------------------------------------------------------------------


async def test_open_trades_and_lookup(house: ManagerHouse) -> None:
    """All, of one account, by number, by group: the same trades."""
    opened = await house.get("trades/open", role=OperatorRole.READ)
    trade = opened["trades"][0]
    fits(trade, mt4.TradeRecord)
    of_one = await house.get(f"trades/open/{trade['login']}", role=OperatorRole.READ)
    assert trade["order"] in [one["order"] for one in of_one["trades"]]
    of_symbol = await house.get(f"trades/open?symbol={trade['symbol']}")
    assert {one["symbol"] for one in of_symbol["trades"]} == {trade["symbol"]}
    named = {"orders": [trade["order"], 2**31 - 1, trade["order"]]}
    found = await house.ask("POST", "admin/trades/lookup", named, role=OperatorRole.READ)
    assert found.body["total"] == 1
    assert found.body["trades"][0]["order"] == trade["order"]
    masks = {"group": "*", "open_only": True}
    by_group = await house.ask("POST", "admin/trades/by-group?limit=100000", masks)
    assert {one["order"] for one in by_group.body["trades"]} == {
        one["order"] for one in opened["trades"]
    }


async def test_a_trade_is_changed_and_deleted(house: ManagerHouse) -> None:
    """With its booking goes the money, unless only the record is meant."""
    login = await new_user(house)
    orders = [
        (await book(house, login, "deposit", amount=amount)).body["order"] for amount in (10, 20)
    ]
    changed = await house.ask("PUT", f"admin/trades/{orders[0]}/modify", {"profit": 15.5})
    assert changed.status == 200
    fits(changed.body, mt4.TradeRecord)
    assert changed.body["profit"] == 15.5
    assert (await level(house, login))["balance"] == 35.5
    gone = await house.ask("POST", "admin/trades/delete", {"orders": [orders[1]]})
    assert gone.body == {"status": "ok", "total": 1}
    assert (await level(house, login))["balance"] == 15.5
    record = {"orders": [orders[0]], "fix_balance": False}
    assert (await house.ask("POST", "admin/trades/delete", record)).status == 200
    assert (await level(house, login))["balance"] == 15.5
    empty = await house.ask("PUT", f"admin/trades/{orders[0]}/modify", {"fix_balance": True})
    assert empty.status == 422


# --- groups, symbols, server -------------------------------------------------------------------


async def test_groups_symbols_prices_and_the_server(house: ManagerHouse) -> None:
    """Records as the server tells them, without the secrets that it keeps."""
    groups = await house.get("groups/", role=OperatorRole.READ)
    group = await house.get("groups/demoforex", role=OperatorRole.READ)
    fits(group, mt4.GroupRecord)
    assert {k: v for k, v in group.items() if k != "status"} in groups["groups"]
    assert "smtp_password" not in str(groups)
    online = await house.get("groups/online", role=OperatorRole.READ)
    assert online["total"] == len(online["online"]) > 0
    fits(online["online"][0], mt4.OnlineRecord)
    symbols = await house.get("symbols/?symbol=EUR*", role=OperatorRole.READ)
    assert {one["symbol"][:3] for one in symbols["symbols"]} == {"EUR"}
    for name in ("EURUSD", "%23US%2030:cash"):
        symbol = await house.get(f"symbols/{name}", role=OperatorRole.READ)
        fits(symbol, mt4.SymbolRecord)
    price = await house.get("symbols/EURUSD/price", role=OperatorRole.READ)
    fits(price, mt4.SymbolPrice)
    assert 0 < price["bid"] <= price["ask"]
    fits(await house.get("server/config"), mt4.ServerConfig)


# --- mail and groups of users ------------------------------------------------------------------


async def test_mail_goes_to_each_once(house: ManagerHouse) -> None:
    """However often he is named."""
    mail = {"logins": [100_001, 100_002, 100_001], "subject": "Hello", "body": "Line\nLine"}
    sent = await house.ask("POST", "admin/mail", mail, role=OperatorRole.OPERATOR)
    assert sent.body == {"status": "ok", "total": 2}
    assert house.server.mails[-1].subject == "Hello"


async def test_one_thing_done_to_many(house: ManagerHouse) -> None:
    """Disable, enable, leverage, group: to all or to none; to delete takes an administrator."""
    logins = [await new_user(house) for _ in range(2)]

    async def do(command: str, *, role: OperatorRole = OperatorRole.OPERATOR, **more: Any) -> Any:
        body = {"command": command, "logins": logins, **more}
        return await house.ask("POST", "admin/users/group-op", body, role=role)

    async def of_all(member: str) -> set[Any]:
        return {(await house.get(f"users/{one}"))["user"][member] for one in logins}

    assert (await do("disable")).body == {"status": "ok", "total": 2}
    assert await of_all("enable") == {0}
    await do("enable")
    assert await of_all("enable") == {1}
    await do("leverage", leverage=33)
    assert await of_all("leverage") == {33}
    await do("setgroup", group="real-usd")
    assert await of_all("group") == {"real-usd"}
    assert (await do("setgroup", group="nosuch")).status == 422
    refused = await do("delete")
    assert refused.status == 403
    await book(house, logins[1], "deposit", amount=5)
    funded = await do("delete", role=OperatorRole.ADMIN)
    said = f"Account {logins[1]} has balance 5.00: close and withdraw that first"
    assert (funded.status, funded.detail) == (409, said)
    await book(house, logins[1], "withdraw", amount=5)
    assert (await do("delete", role=OperatorRole.ADMIN)).status == 200
    assert (await house.ask("GET", f"users/{logins[0]}")).status == 404


@pytest.mark.parametrize("says", [PeerSilent(), RateExceeded(1.0)])
async def test_a_refusal_stays_one_though_nobody_explains_it(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch, says: ManagerError
) -> None:
    """The change was refused; that the peer is silent after that is none of its outcome."""
    login, ask = await new_user(house), Link.ask
    await book(house, login, "deposit", amount=5)

    async def explain_nothing(link: Link, command: Any, *args: Any, **more: Any) -> Any:
        if command in (TRADE_RECORDS_REQUEST, USER_RECORDS_REQUEST):
            raise says
        return await ask(link, command, *args, **more)

    monkeypatch.setattr(Link, "ask", explain_nothing)
    delete, trades = {"command": "delete", "logins": [login]}, {"orders": [999_999]}
    for path, body in (("users/group-op", delete), ("trades/delete", trades)):
        assert (
            await house.ask("POST", f"admin/{path}", body, role=OperatorRole.ADMIN)
        ).status == 422
