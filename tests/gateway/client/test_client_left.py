"""Programs that leave a subscription by ``break``, as they do with any iterator."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest
from scripted_gateway import TOKEN, ScriptedGateway

from gateway.client import GatewayClient, SyncGatewayClient

# a task that is destroyed while it is pending is an error; a slow step, on a busy machine, is none
HEAD = """
import logging
from gateway.client import SyncGatewayClient
logging.getLogger("asyncio").setLevel(logging.ERROR)
"""
WITH = """
with SyncGatewayClient(url, token) as client:
    for event in client.subscribe("orders"):
        print(event.seq)
        break
"""
WITHOUT = """
client = SyncGatewayClient(url, token)
for event in client.subscribe("orders"):
    print(event.seq)
    break
"""
TWICE = """
with SyncGatewayClient(url, token) as client:
    kept = client.subscribe("orders")
    print(next(kept).seq)
    for event in client.subscribe("orders"):
        print(event.seq)
        break
"""
RAISED = """
try:
    with SyncGatewayClient(url, token) as client:
        for event in client.subscribe("orders"):
            print(event.seq)
            raise KeyError
except KeyError:
    pass
"""
ASYNC = """
import asyncio
from gateway.client import GatewayClient

async def main():
    async with GatewayClient(url, token) as client:
        async for event in client.subscribe("orders"):
            print(event.seq)
            break

asyncio.run(main())
"""


def run(program: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user would."""
    head = HEAD + f"url, token = {url!r}, {TOKEN!r}\n"
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", head + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.parametrize("program", [WITH, WITHOUT, TWICE, RAISED, ASYNC])
async def test_a_program_that_breaks_ends_without_a_word(
    program: str, gateway: ScriptedGateway
) -> None:
    """Nothing on stderr: no task that was destroyed while it was pending, no open socket."""
    running = asyncio.ensure_future(asyncio.to_thread(run, program, gateway.url))
    subscriptions = 2 if program is TWICE else 1
    for _ in range(subscriptions):
        await gateway.joined.get()
        await gateway.publish("orders")
    ended = await running
    assert ended.stderr == ""
    assert len(ended.stdout.splitlines()) == subscriptions


async def test_the_connection_ends_with_the_loop_that_was_left(gateway: ScriptedGateway) -> None:
    """While the client goes on: a program that subscribes and breaks for ever has one at most."""

    def first(client: SyncGatewayClient) -> int:
        return next(event.seq for event in client.subscribe("orders"))

    with SyncGatewayClient(gateway.url, TOKEN) as client:
        for _ in range(3):
            listening = asyncio.ensure_future(asyncio.to_thread(first, client))
            socket = await gateway.joined.get()
            await gateway.publish("orders")
            assert await listening
            gc.collect()
            assert await asyncio.wait_for(gateway.left.get(), 60) is socket


async def test_the_same_of_the_async_client(gateway: ScriptedGateway) -> None:
    """Its connection is closed soon after the ``break``, and not only with the client."""
    async with GatewayClient(gateway.url, TOKEN) as client:

        async def first() -> int:
            async for event in client.subscribe("orders"):
                return event.seq
            raise AssertionError

        listening = asyncio.ensure_future(first())
        await gateway.joined.get()
        await gateway.publish("orders")
        assert await listening
        gc.collect()
        await asyncio.wait_for(gateway.left.get(), 60)
