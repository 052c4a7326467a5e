"""A gateway that starts, perhaps with a home from a backup, before its console has said a word."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from link_fixtures import House, until
from scripted_console import ScriptedConsole

from gateway.auth.caller import Caller
from gateway.credentials.lease import Tier
from gateway.errors import Forbidden


async def vouched(house: House, console: ScriptedConsole) -> Caller:
    """Return a caller whose token has a lease, as the gateway ends."""
    token = console.create()
    async with house.running():
        await until(lambda: house.reason(token) == "")
        return house.gate.admit(token)


async def test_before_the_first_word_only_reads_are_served(
    house: House, console: ScriptedConsole
) -> None:
    """Its lease may be a backup's, and the token revoked since: here it was."""
    caller = await vouched(house, console)
    asked, answers = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        asked.set()
        await answers.wait()
        return web.Response(status=503)

    console.fault = console.stream_fault = wait
    async with house.running():
        await asyncio.wait_for(asked.wait(), 60)
        house.gate.recheck(caller, Tier.READ)
        with pytest.raises(Forbidden, match="only reading is allowed") as refused:
            house.gate.recheck(caller, Tier.REDUCE)
        data = refused.value.data
        assert (data["reason"], data["tier"]) == ("console_unasked", "read")
        assert (data["retryable"], data["retry_after_ms"] > 0) == (True, True)
        console.fault = console.stream_fault = None
        console.revoke(caller.tid)
        answers.set()
        await until(lambda: house.gate.allowance(caller.tid).reason == "revoked")


async def test_a_console_that_cannot_be_reached_leaves_it_to_the_lease(
    house: House, console: ScriptedConsole
) -> None:
    """Once that is known, all goes on as while it is silent."""
    caller = await vouched(house, console)

    async def fail(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    console.fault = console.stream_fault = fail
    async with house.running():
        await until(lambda: house.gate.allowance(caller.tid).tier is Tier.FULL)
