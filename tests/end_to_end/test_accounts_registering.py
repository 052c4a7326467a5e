"""Accounts are registered with a password that was tried, and held safe from then on."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from accounts_house import SEED_EXAMPLE, AccountsHouse, open_house
from product import daemon

from ea_bridge.emulator.conditions import KnownLogin
from gateway.auth.caller import Scope

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


async def test_the_published_example_is_answered_as_published(house: AccountsHouse) -> None:
    """Every member of the example's answer, and no other; the password is in none."""
    made = await house.ask("POST", "accounts", SEED_EXAMPLE)
    assert made.status == 201
    assert isinstance(made.body.pop("id"), int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.body.pop("created_at"))
    assert made.body == {
        "name": "Live Trading Account",
        "broker": "MetaQuotes",
        "login": 12345678,
        "server": "MetaQuotes-Demo",
        "is_live": False,
        "is_active": True,
        "allowed_symbols": ["EURUSD", "GBPUSD"],
        "max_lot_size": 0.1,
        "risk_pct": 0.01,
        "auto_trade_enabled": True,
        "paper_trade_enabled": False,
        "mt5_path": "",
        "account_type": "USD",
    }


async def test_what_is_left_out_is_as_documented(house: AccountsHouse) -> None:
    """The least request has the documented defaults."""
    least = {
        name: SEED_EXAMPLE[name] for name in ("name", "broker", "login", "password", "server")
    }
    made = await house.register(least)
    assert made["allowed_symbols"] == []
    assert (made["max_lot_size"], made["risk_pct"]) == (0.1, 0.01)
    assert made["auto_trade_enabled"]
    assert not made["is_live"]
    assert made["account_type"] == "USD"


async def test_a_login_is_registered_once(house: AccountsHouse) -> None:
    """409 in the documented words, however the server's name is written; also for two at once."""
    twice = [house.ask("POST", "accounts", SEED_EXAMPLE) for _ in range(2)]
    answers = await asyncio.gather(*twice)
    assert sorted(one.status for one in answers) == [201, 409]
    shouted = SEED_EXAMPLE | {"server": "METAQUOTES-DEMO"}
    again = await house.ask("POST", "accounts", shouted)
    assert (again.status, again.body) == (409, {"detail": "Account 12345678 already exists"})


async def test_a_deleted_login_can_be_registered_again(house: AccountsHouse) -> None:
    """As another account; the old one is gone for good, and its password with it."""
    first = await house.register(SEED_EXAMPLE)
    path = f"accounts/{first['id']}"
    assert (await house.ask("DELETE", path)).status == 204
    gone = await house.ask("GET", path)
    assert (gone.status, gone.body) == (404, {"detail": "Account not found"})
    assert (await house.ask("DELETE", path)).status == 204
    second = await house.register(SEED_EXAMPLE)
    assert second["id"] != first["id"]
    assert (await house.ask("GET", "accounts")).body == [second]
    sql = "SELECT is_active, password FROM accounts WHERE id IN (?, ?) ORDER BY id"
    rows = house.product.home.store.all(sql, first["id"], second["id"])
    assert [(row["is_active"], row["password"] is None) for row in rows] == [(0, True), (1, False)]
    assert (await house.ask("DELETE", "accounts/999")).status == 404


async def test_a_wrong_password_is_not_stored(house: AccountsHouse) -> None:
    """400, and nothing that was sent is repeated."""
    refused = await house.ask("POST", "accounts", SEED_EXAMPLE | {"password": "hunter2"})
    assert refused.status == 400
    assert "credentials" in refused.detail
    assert "hunter2" not in str(refused)
    assert (await house.ask("GET", "accounts")).body == []


async def test_what_cannot_be_tried_is_not_stored(house: AccountsHouse) -> None:
    """503 in the documented words: no such server, none that answers; nobody to ask says so, and
    what to do."""
    words = "MT5 connection failed; try again later"
    for why in ("server", "unreachable", "offline"):
        body = dict(SEED_EXAMPLE)
        if why == "server":
            body["server"] = "Nowhere-Live"
        elif why == "unreachable":
            house.machine.faults.login_unreachable = 1
        else:
            await house.unlink()
        refused = await house.ask("POST", "accounts", body)
        assert refused.status == 503
        if why == "offline":
            assert "MT5 connection failed: no terminal of yours is linked" in refused.detail
            assert "mt-gateway doctor" in refused.detail
        else:
            assert refused.body == {"detail": words}
    assert (await house.ask("GET", "accounts")).body == []


async def test_a_path_that_no_terminal_has_is_refused(house: AccountsHouse) -> None:
    """One that a terminal has is that which logs in."""
    path = "C:\\MT5\\terminal64.exe"
    refused = await house.ask("POST", "accounts", SEED_EXAMPLE | {"mt5_path": path})
    assert (refused.status, refused.detail[:9]) == (400, "mt5_path:")
    house.logins.programs = {path}
    account = await house.register(SEED_EXAMPLE | {"mt5_path": path})
    assert account["mt5_path"] == path
    other = {"mt5_path": "D:\\terminal64.exe"}
    assert (await house.ask("PATCH", f"accounts/{account['id']}", other)).status == 400
    house.logins.programs = set()


async def test_a_slow_login_holds_nobody_up(house: AccountsHouse) -> None:
    """Others are answered meanwhile; it ends with the link at the latest."""
    house.machine.faults.slow_login_ms = 60_000
    slow = asyncio.create_task(house.ask("POST", "accounts", SEED_EXAMPLE))
    for _ in range(3):
        assert (await house.ask("GET", "accounts")).status == 200
    assert not slow.done()
    await house.unlink()
    assert (await slow).status == 503


BEYOND: tuple[tuple[dict[str, object], str], ...] = (
    ({"login": 0}, "login"),
    ({"login": "12345678"}, "login"),
    ({"password": ""}, "password"),
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"broker": "x" * 101}, "broker"),
    ({"server": "x" * 201}, "server"),
    ({"max_lot_size": 0}, "max_lot_size"),
    ({"max_lot_size": 100.01}, "max_lot_size"),
    ({"risk_pct": 0}, "risk_pct"),
    ({"risk_pct": 1.01}, "risk_pct"),
    ({"mt5_path": "x" * 501}, "mt5_path"),
    ({"account_type": "EUR"}, "account_type"),
    ({"max_lots": 1}, "max_lots"),
)


async def test_the_bounds_are_those_documented(house: AccountsHouse) -> None:
    """422 with a list that names the member, and never what it held."""
    for change, where in BEYOND:
        refused = await house.ask("POST", "accounts", SEED_EXAMPLE | change)
        assert refused.status == 422, change
        [fault] = refused.detail
        assert fault["loc"] == ["body", where]
        assert set(fault) == {"loc", "msg", "type"}
    assert (await house.ask("GET", "accounts")).body == []


async def test_a_body_is_bounded(house: AccountsHouse) -> None:
    """What all symbols take is read; what would take long to find the faults of is not."""
    full = SEED_EXAMPLE | {"allowed_symbols": [f"{n:064}" for n in range(500)]}
    assert (await house.ask("POST", "accounts", full)).status == 201
    crowd = {f"member {n}": n for n in range(5_000)}
    assert (await house.ask("POST", "accounts", SEED_EXAMPLE | crowd)).status == 413


async def test_an_account_is_changed_in_part(house: AccountsHouse) -> None:
    """What is absent or null stays; an empty password keeps the old one, without a login."""
    account = await house.register(SEED_EXAMPLE)
    path = f"accounts/{account['id']}"
    house.machine.faults.login_unreachable = 99
    change = {"risk_pct": 0.5, "name": None, "password": "", "allowed_symbols": ["XAUUSD"]}
    changed = await house.ask("PATCH", path, change)
    wanted = account | {"risk_pct": 0.5, "allowed_symbols": ["XAUUSD"]}
    assert (changed.status, changed.body) == (200, wanted)
    assert (await house.ask("GET", path)).body == wanted
    assert (await house.ask("PATCH", path, {"login": 5})).status == 422
    assert (await house.ask("PATCH", "accounts/999", {})).status == 404


async def test_another_password_is_tried_before_it_is_stored(house: AccountsHouse) -> None:
    """The old one stays until the new one was found right."""
    account = await house.register(SEED_EXAMPLE)
    path = f"accounts/{account['id']}"
    assert (await house.ask("PATCH", path, {"password": "wrong"})).status == 400
    assert (await house.ask("PATCH", path, {"server": "Nowhere"})).status == 503
    known = KnownLogin(login=12345678, password="another", server="MetaQuotes-Demo")
    house.logins.known[:] = [known]
    assert (await house.ask("PATCH", path, {"password": "another"})).status == 200
    registered = house.product.gateway.accounts
    assert registered.password(registered.get("", account["id"])) == "another"


async def test_the_password_is_sealed_and_said_nowhere(
    house: AccountsHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the files of the home, in no log, in no answer."""
    caplog.set_level(logging.DEBUG)
    secret = "Sup3r-Secret-Pass"
    house.logins.known.append(KnownLogin(login=77, password=secret, server="MetaQuotes-Demo"))
    account = await house.register(SEED_EXAMPLE | {"login": 77, "password": secret})
    answers = [
        await house.ask("GET", "accounts"),
        await house.ask("PATCH", f"accounts/{account['id']}", {"password": secret}),
        await house.ask("POST", "accounts", SEED_EXAMPLE | {"password": [secret]}),
        await house.ask("POST", "accounts", SEED_EXAMPLE | {"password": secret}),
    ]
    assert [one.status for one in answers] == [200, 200, 422, 400]
    assert secret not in str(answers)
    assert secret not in caplog.text
    await house.product.gateway.ledger.write(lambda _: None)
    for file in house.product.home.folder.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


async def test_only_an_admin_may_call(house: AccountsHouse) -> None:
    """401 without a token or with a wrong one, 403 below the scope admin; all as a detail."""
    trader = house.product.home.issuer.create("trader", scopes=[Scope.TRADE])[0]
    for token, status in (("", 401), ("mgt_nonsense", 401), (trader, 403)):
        for method, path in (("GET", "accounts"), ("POST", "accounts"), ("DELETE", "accounts/1")):
            body = SEED_EXAMPLE if method == "POST" else None
            refused = await house.ask(method, path, body, token=token)
            assert refused.status == status, (token, method)
            assert isinstance(refused.detail, str)


async def test_web_pages_and_other_names_may_not_call(house: AccountsHouse) -> None:
    """The guard stands before these paths as before all others."""
    for name, value, status in (
        ("Origin", "https://evil.test", 403),
        ("Referer", "https://evil.test/", 403),
        ("Host", "evil.test", 421),
    ):
        refused = await house.ask("GET", "accounts", headers={name: value})
        assert refused.status == status
        assert isinstance(refused.detail, str)
    assert (await house.ask("PUT", "accounts")).status == 405
    assert (await house.ask("GET", "nothing")).status == 404
    assert (await house.ask("GET", f"accounts?auth_token={house.admin}")).status == 401
    assert (await house.ask("GET", "accounts/abc")).status == 422


async def test_accounts_are_there_after_a_restart(tmp_path: Path) -> None:
    """With the password, and with what limits their orders."""
    async with open_house(tmp_path / "home") as house:
        account = await house.register()
    async with daemon(tmp_path / "home") as product:
        book = product.gateway.accounts
        [again] = book.of("")
        assert (again.id, book.password(again)) == (account["id"], house.own["password"])
        found = book.registered("", account["login"], account["server"].upper())
        assert found is not None
        assert found.limits.max_lot == 0.1
        assert found.limits.allowed_symbols == {"EURUSD", "GBPUSD"}
        assert book.registered("", account["login"], "Other-Server") is None


async def test_what_is_done_to_accounts_stands_in_the_audit_trail(house: AccountsHouse) -> None:
    """Who did it to which login; never the password."""
    ledger = house.product.gateway.ledger
    await ledger.write(lambda _: None)
    row = ledger.reader.one("SELECT max(n) AS n FROM audit")
    assert row is not None
    account = await house.register(SEED_EXAMPLE)
    path = f"accounts/{account['id']}"
    await house.ask("PATCH", path, {"max_lot_size": 2.5})
    await house.ask("PATCH", path, {"password": "hunter2"})
    await house.ask("DELETE", path)
    await ledger.write(lambda _: None)
    rows = ledger.reader.all("SELECT entry FROM audit WHERE n > ?", row["n"])
    entries = [json.loads(one["entry"]) for one in rows]
    done = [one for one in entries if one["event"].startswith("account_")]
    assert [one["event"] for one in done] == [
        "account_registered",
        "account_changed",
        "account_login_failed",
        "account_deleted",
    ]
    assert done[0]["object"] == SEED_EXAMPLE["login"]
    assert done[1]["changed"] == ["max_lot_size"]
    assert {one["actor"] for one in done} == {house.admin[4:16]}
    assert "hunter2" not in str(entries)
    assert str(SEED_EXAMPLE["password"]) not in str(entries)


async def test_a_flood_of_wrong_passwords_is_counted(house: AccountsHouse) -> None:
    """The first ones are noted one by one; the trail does not grow with each."""
    ledger = house.product.gateway.ledger
    before = ledger.reader.one("SELECT coalesce(max(n), 0) AS n FROM audit")
    assert before is not None
    wrong = SEED_EXAMPLE | {"password": "hunter2"}
    for _ in range(25):
        assert (await house.ask("POST", "accounts", wrong)).status == 400
    await ledger.write(lambda _: None)
    rows = ledger.reader.all("SELECT n FROM audit WHERE n > ?", before["n"])
    assert len(rows) < 25


async def test_a_page_of_a_listed_origin_may_ask_and_call(tmp_path: Path) -> None:
    """The preflight names the methods of the path; other origins get none."""
    async with daemon(tmp_path / "home", origins=["http://127.0.0.1:5173"]) as product:
        token = product.home.issuer.create("main", scopes=[Scope.ADMIN])[0]
        url = (product.ready.rpc or "").removesuffix("/rpc") + "/api/v1/accounts"
        wants = {"Access-Control-Request-Method": "POST"}
        async with aiohttp.ClientSession() as http:
            for origin, status in (("http://127.0.0.1:5173", 204), ("http://evil.test", 403)):
                headers = wants | {"Origin": origin}
                async with http.options(url, headers=headers) as answer:
                    assert answer.status == status
                    allowed = answer.headers.get("Access-Control-Allow-Methods")
                    assert allowed == ("GET, POST" if status == 204 else None)
            headers = {"Origin": "http://127.0.0.1:5173", "Authorization": f"Bearer {token}"}
            async with http.get(url, headers=headers) as answer:
                assert (answer.status, await answer.json()) == (200, [])
                assert answer.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:5173"
