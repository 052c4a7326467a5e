"""An answer that the console gave once, given again by somebody in between."""

from __future__ import annotations

from aiohttp import web
from link_fixtures import House, until
from scripted_console import ScriptedConsole

from ea_bridge.token import parse_token


async def test_an_old_answer_is_refused(house: House, console: ScriptedConsole) -> None:
    """Each question carries a nonce of its own, and the state is signed with it."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "")
        [*_, last] = console.syncs
        kept = console.synced(0, last.nonce)

        async def again(_: web.Request) -> web.StreamResponse:
            return web.json_response(kept)

        console.extra["POST", "/v1/daemon/sync"] = again
        await console.push(console.event("token.updated", parse_token(token)))
        await until(lambda: "another question" in uplink.status().problem)
        del console.extra["POST", "/v1/daemon/sync"]
        await until(lambda: uplink.status().problem == "")
    nonces = [sync.nonce for sync in console.syncs]
    assert "" not in nonces
    assert len(set(nonces)) == len(nonces)
