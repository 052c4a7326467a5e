"""The daemon's own link before the console's own routes: both halves keep the same contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from approval_fixtures import last_post
from console_fixtures import Clock, person

from ea_bridge.protocol.handshake import auth_message, client_proof
from ea_bridge.protocol.messages import Auth, Hello
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import Admitted, CodeRejected, ConsoleChallenge, Waiting
from ea_bridge.token import parse_token
from gateway.auth.console_clock import Clocks
from gateway.auth.gate import Gate
from gateway.console.service import Console
from gateway.console_link import LinkTimings, StoppedCounts, Uplink
from gateway.credentials.lease import Tier
from gateway.errors import Unauthorized
from gateway.home.home import Home

CNONCE, SNONCE = "ab" * 32, "cd" * 32


async def until(check: Callable[[], object]) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("ending", ["token", "device", "user"])
async def test_from_first_contact_to_the_end(
    tmp_path: Path, console: Console, clock: Clock, address: str, ending: str
) -> None:
    """Approved by the code of the mail, used, ended, and the console told so."""
    ann = await person(console)
    token, info = await console.tokens.create(ann.id, "MT5-Live", platform="mt5")
    clocks = Clocks(lambda: float(clock()), lambda: float(clock()), lambda: 0.0)
    with Home(tmp_path / "daemon", now_s=clock) as home:
        book = home.console(clocks=clocks)
        gate = Gate(book.book, home.device.did, book.now_s, leases=book.leases)
        uplink = Uplink(
            address,
            device=home.device,
            console=book,
            gate=gate,
            registry=TerminalRegistry(lambda: 0),
            version="0.1.0",
            count=lambda tids: StoppedCounts(ws=len(tids)),
            clocks=clocks,
            pace=LinkTimings(
                retry_s=0.1, max_retry_s=0.2, gap_s=0.01, reopen_s=0.05, max_reopen_s=0.1
            ),
        )
        running = asyncio.create_task(uplink.run())
        try:
            await _approve(uplink, console, token, home.device.did)
            caller = gate.admit(token)
            gate.recheck(caller, Tier.FULL)
            await until(lambda: uplink.status().connected)

            if ending == "token":
                await console.tokens.revoke(ann.id, info.tid)
            elif ending == "device":
                await console.devices.revoke(ann.id, home.device.did)
            else:
                await console.users.disable(ann.id)
            reasons = {"token": "revoked", "device": "device_revoked", "user": "account_disabled"}
            await until(lambda: _reason(gate, token) == reasons[ending])
            with pytest.raises(Unauthorized):
                gate.recheck(caller)
            async with asyncio.timeout(60):
                while True:
                    told = await console.events.confirmation(ann.id, did=home.device.did)
                    if told and told[0].stopped_at_ms is not None:
                        break
                    await asyncio.sleep(0.02)
            assert told[0].closed_ws == 1
        finally:
            running.cancel()
            await asyncio.wait([running])


async def _approve(uplink: Uplink, console: Console, token: str, did: str) -> None:
    hello = Hello(
        proto="1-1",
        tid=parse_token(token),
        cnonce=CNONCE,
        boot="b",
        platform="mt5",
        login=5001234,
        server="Demo-Server",
        company="A Broker",
    )
    challenge = await uplink.enroller.fetch_challenge(hello, SNONCE)
    assert isinstance(challenge, ConsoleChallenge)
    message = auth_message(hello.tid, bytes.fromhex(CNONCE), bytes.fromhex(SNONCE), did)
    auth = Auth(proof=client_proof(token, message).hex())
    waiting = await uplink.enroller.prove(challenge, auth)
    assert isinstance(waiting, Waiting)
    outcome = asyncio.create_task(uplink.enroller.outcome(waiting))
    assert isinstance(await uplink.enroller.verify(waiting, "00000000"), CodeRejected)
    code = (await last_post(console)).code
    assert isinstance(await uplink.enroller.verify(waiting, code), Admitted)
    assert isinstance(await asyncio.wait_for(outcome, 60), Admitted)


def _reason(gate: Gate, token: str) -> str:
    try:
        gate.admit(token)
    except Unauthorized as refused:
        return str(refused.data["reason"])
    return ""
