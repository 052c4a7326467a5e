"""Tokens: what opens, what does not, and what ends the moment it is revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import websockets
from commands import create_token, run, running
from product import Product, Refused, WsClient, open_http, open_ws, product, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.token import new_token

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-tokens")]

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
TOKEN_REVOKED, AUTH_FAILED = 4506, 4501


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A daemon with a terminal."""
    async with product(tmp_path_factory.mktemp("tokens") / "home") as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clients_closed(gateway: Product) -> AsyncIterator[None]:
    """Each test has clients of its own."""
    yield
    await gateway.close_clients()


async def http_answer(url: str, authorization: str | None) -> tuple[int, Any]:
    """Call a method over /rpc; return the HTTP status and the reason in the error."""
    headers = {} if authorization is None else {"Authorization": authorization}
    request = {"jsonrpc": "2.0", "id": 1, "method": "get_account_info"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(url, json=request) as response,
    ):
        return response.status, (await response.json()).get("error")


async def command(*arguments: str) -> str:
    """Run a command in another process, with this loop going on; return what it printed."""
    done = await asyncio.to_thread(run, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def mistyped(token: str) -> str:
    """The token with one character changed."""
    return token[:12] + ("a" if token[12] != "a" else "b") + token[13:]


@pytest.mark.parametrize("kind", ["missing", "malformed", "unknown", "no bearer"])
async def test_a_token_that_does_not_open(gateway: Product, kind: str) -> None:
    """A wrong token is 401 on both doors, with the reason; a typing error is called one."""
    token = {"malformed": mistyped(gateway.main.token), "unknown": new_token()}.get(kind)
    given = {"missing": None, "no bearer": f"Basic {gateway.main.token}"}.get(
        kind, f"Bearer {token}"
    )
    status, error = await http_answer(gateway.ready.rpc or "", given)
    reason = "malformed" if kind == "no bearer" else kind
    assert (status, error["code"], error["data"]["reason"]) == (401, -32001, reason)
    if token is None:
        return
    with pytest.raises(websockets.InvalidStatus) as refused:
        await open_ws(gateway.ready.ws or "", token)
    assert refused.value.response.status_code == 401
    socket = WsClient(await websockets.connect(gateway.ready.ws or "", proxy=None))
    with pytest.raises(Refused) as said:
        await socket.call("hello", auth_token=token)
    assert (said.value.code, said.value.data["reason"]) == (-32001, kind)
    assert (await socket.closed())[0] == AUTH_FAILED
    await socket.close()


async def test_a_token_for_reading_does_not_trade(gateway: Product) -> None:
    """A token with the scope ``read`` asks and listens, and is refused whatever trades."""
    token, _ = gateway.home.issuer.create("reader", scopes=("read",))
    await gateway.link("reader", build_terminal(), token=token)
    for client in (await gateway.http(token), await gateway.ws(token)):
        assert await client.call("get_symbols")
        await client.call("subscribe", channels=["positions"])
        for method, params in (("place_order", BUY), ("close_position", {"ticket": 1})):
            with pytest.raises(Refused) as refused:
                await client.call(method, **params)
            assert (refused.value.code, refused.value.data["scope"]) == (-32003, "trade")
            assert refused.value.data["outcome"] == "not_sent"
    assert (await client.call("get_server_info"))["scopes"] == ["read"]


@pytest.mark.parametrize("by_header", [True, False], ids=["header", "hello"])
async def test_a_revoked_token_ends_everything(gateway: Product, by_header: bool) -> None:
    """Revoked by another process: open connections are closed with 4506, the terminal's link is
    cut and stays away, and nobody is let in again. Other tokens do not notice."""
    name = f"revoked-{by_header}"
    token, _ = gateway.home.issuer.create(name)
    terminal = await gateway.link(name, build_terminal(), token=token)
    socket, other = await gateway.ws(token, by_header=by_header), await gateway.ws()
    client = await gateway.http(token)
    await socket.call("subscribe", channels=["tick:EURUSD"])
    await client.call("get_account_info")
    told = await command("token", "revoke", name, "--home", str(gateway.home.folder))
    assert told.startswith("revoked: ")
    assert await socket.closed() == (TOKEN_REVOKED, "revoked")
    await until(lambda: gateway.gateway.registry.get(name) is None)
    await until(lambda: not terminal.link.ready.is_set())
    status, error = await http_answer(gateway.ready.rpc or "", f"Bearer {token}")
    assert (status, error["data"]["reason"]) == (401, "revoked")
    await other.call("get_account_info")
    terminal.link.stop()


async def test_a_token_that_expires_ends_everything(gateway: Product) -> None:
    """When the time of a token is over it is as if it were revoked, and the reason says which."""
    machine = build_terminal()  # what takes long on a busy machine comes before the time runs
    token, _ = gateway.home.issuer.create("short", lifetime_s=8)
    terminal = await gateway.link("short", machine, token=token)
    socket = await gateway.ws(token)
    await socket.call("get_account_info")
    assert await socket.closed() == (TOKEN_REVOKED, "expired")
    await until(lambda: gateway.gateway.registry.get("short") is None)
    facts = gateway.gateway.registry.facts("short")
    assert facts is not None
    assert facts.reason == "expired", "the goodbye to the EA says it too"
    status, error = await http_answer(gateway.ready.rpc or "", f"Bearer {token}")
    assert (status, error["data"]["reason"]) == (401, "expired")
    terminal.link.stop()


async def test_a_replaced_token(gateway: Product) -> None:
    """A token that is replaced without overlap ends; the terminal comes back with the new one."""
    folder = str(gateway.home.folder)
    old, _ = gateway.home.issuer.create("moved")
    terminal = await gateway.link("moved", build_terminal(), token=old)
    socket = await gateway.ws(old)
    new = (await command("token", "replace", "moved", "--overlap", "0s", "--home", folder)).strip()
    assert (await socket.closed())[0] == TOKEN_REVOKED
    terminal.link.stop()
    await gateway.link("moved", terminal.machine, token=new)
    assert await (await gateway.http(new)).call("get_account_info")


async def test_daemon_and_terminals_in_processes_of_their_own(tmp_path: Path) -> None:
    """``serve``, ``token create`` and two ``emulator``s: one daemon, four processes, each token
    opens its own terminal; ``token revoke`` ends one of them and not the other."""
    config = tmp_path / "config.toml"
    config.write_text('[api]\nport = 0\n[bridge]\nport = 0\n[secrets]\nstore = "file"\n')
    home = tmp_path / "home"
    served = running(tmp_path / "serve.txt", "serve", "--home", str(home), "--config", str(config))
    with served as daemon:
        ready = daemon.ready
        assert set(ready) == {"event", "rpc", "ws", "bridge", "home", "config", "live_page"}
        tokens = {name: create_token(home, name) for name in ("mt5", "mt4")}
        terminals = [
            running(
                tmp_path / f"{name}.txt",
                *("emulator", "--bridge", ready["bridge"], "--platform", name, "--seed", "3"),
                MT_GATEWAY_TOKEN=token,
            )
            for name, token in tokens.items()
        ]
        with terminals[0] as first, terminals[1] as second:
            assert {"event", "bridge", "terminal"} == set(first.ready) == set(second.ready)
            sockets = {}
            for name, token in tokens.items():
                async with open_http(ready["rpc"], token) as client:
                    status = await client.call("get_ea_status")
                    assert (status["terminal"], status["platform"]) == (name, name)
                    receipt = await client.call("place_order", **BUY)
                    assert receipt["order"]["state"] == "filled"
                sockets[name] = await open_ws(ready["ws"], token)
                await sockets[name].call("subscribe", channels=["tick:EURUSD", "positions"])
                assert len((await sockets[name].event("positions"))["data"]["positions"]) == 1
            await command("token", "revoke", "mt4", "--home", str(home))
            assert (await sockets["mt4"].closed())[0] == TOKEN_REVOKED
            assert await sockets["mt5"].call("get_account_info")
            await sockets["mt5"].close()
            await sockets["mt4"].close()
            assert first.process.poll() is None
            assert daemon.process.poll() is None
            for one in (first, second, daemon):
                one.end()
        for log in (first.log, second.log, daemon.log):
            assert "Traceback" not in log.read_text()
            assert not any(token in log.read_text() for token in tokens.values())
