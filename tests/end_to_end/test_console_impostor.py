"""Somebody between daemon and console who understands what is said, and says what he likes.

TLS would keep him out; this is what holds without it. Nothing that is forged, old, repeated or
out of its order is believed, and nothing of it ends the link.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import middleman
from fault_scene import BUY, reason, refused, scene
from product import until

from ea_bridge.emulator.machine import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal

Json = dict[str, Any]
pytestmark = pytest.mark.xdist_group("e2e-console-impostor")


@pytest.fixture(scope="module")
def machine() -> EmulatedTerminal:
    """One terminal for all tests: to make one takes seconds."""
    return build_terminal()


async def test_an_old_answer_does_not_bring_a_revoked_token_back(
    tmp_path: Path, machine: EmulatedTerminal
) -> None:
    """Each answer is signed, and so it can be kept and said again: an older one is refused."""
    async with middleman() as between, scene(tmp_path, between, machine) as here:
        old = next(one for one in reversed(between.answers) if one["tokens"][0]["lease"])
        listener = await here.daemon.ws(here.main.token)
        between.alter_sync = lambda answer: old
        between.alter_push = lambda text: [text] if '"evt"' in text else []
        await here.ann.revoke(here.main.token)
        assert (await listener.closed())[0] == 4506
        client = await here.daemon.http(here.main.token)
        seen = len(between.answers)
        await until(lambda: len(between.answers) >= seen + 3)
        assert await reason(client) == "revoked"
        assert "is refused" in here.daemon.uplink.status().problem
        between.honest()
        await until(lambda: not here.daemon.uplink.status().problem)
        assert await reason(client) == "revoked"


async def test_a_swallowed_event_stops_trades_until_it_is_known(
    tmp_path: Path, machine: EmulatedTerminal
) -> None:
    """The heartbeats tell how many there are: who misses one does not trade on."""
    async with middleman() as between, scene(tmp_path, between, machine) as here:
        client = await here.daemon.http(here.main.token)
        answer = between.answers[-1]
        other = await here.ann.make_token("other")
        between.alter_push = lambda text: [] if '"evt"' in text else [text]
        between.alter_sync = lambda _: answer
        await here.change()
        await until(lambda: here.daemon.uplink.status().tokens[-1].reason == "missed_event")
        error = await refused(client, "place_order", **BUY)
        assert (error.data["reason"], error.data["tier"]) == ("missed_event", "read")
        await client.call("get_account_info")
        between.honest()
        await here.settled()
        await here.ann.revoke(other)


async def test_nothing_that_is_forged_or_said_twice_is_believed(
    tmp_path: Path, machine: EmulatedTerminal
) -> None:
    """Altered, cut, another's, garbage, in any order: the token goes on, the link too."""
    async with middleman() as between, scene(tmp_path, between, machine) as here:
        await here.change()
        await until(lambda: any('"evt"' in text for text in between.pushed))
        event = next(text for text in between.pushed if '"evt"' in text)
        envelope = json.loads(event)["e"]
        lies = [
            *(_altered(envelope, at) for at in range(5, len(envelope), 9)),
            envelope[:-1],
            envelope + "A",
            "",
            "mge1.x.y.z",
        ]
        client = await here.daemon.http(here.main.token)
        for lie in lies:
            await between.push(json.dumps({"t": "evt", "e": lie}))
        for _ in range(3):  # what is genuine, again and again
            await between.push(event)
        await client.call("get_account_info")
        for text in ("", "[]", '{"t":"evt"}', '{"t":"no"}', "\x00" * 100, '{"t":"hb","seq":-1}'):
            await between.push(text)
            await here.settled()
        assert (await client.call("place_order", **BUY))["order"]
        state = here.daemon.uplink.status().tokens
        assert [one.tier for one in state] == ["full"]


def _altered(envelope: str, at: int) -> str:
    other = "A" if envelope[at] != "A" else "B"
    return envelope[:at] + other + envelope[at + 1 :]


async def test_altered_answers_are_refused_whole(
    tmp_path: Path, machine: EmulatedTerminal
) -> None:
    """Whatever in an answer is altered: no token gets a right by it, and a true one heals."""
    async with middleman() as between, scene(tmp_path, between, machine) as here:
        client = await here.daemon.http(here.main.token)
        genuine = between.answers[-1]
        for lie in _lies(genuine):
            between.alter_sync = lambda _, lie=lie: lie
            seen = len(between.answers)
            here.daemon.uplink._link.wake()
            await until(lambda seen=seen: len(between.answers) > seen + 1)
            known = {one.tid for one in here.daemon.uplink.status().tokens}
            assert known <= {here.daemon.uplink.status().tokens[0].tid}
            between.honest()
            await here.settled()
            await client.call("get_account_info")


def _lies(genuine: Json) -> list[Json]:
    offer = genuine["tokens"][0]
    stranger = offer | {"tid": "A" * 12}
    return [
        genuine | {"tokens": []},
        genuine | {"tokens": [stranger]},
        genuine | {"tokens": [offer, stranger]},
        genuine | {"tokens": [offer | {"lease": _altered(offer["lease"], 60)}]},
        genuine | {"tokens": [offer | {"record": _altered(offer["record"], 60)}]},
        genuine | {"tokens": [offer | {"record": offer["lease"], "lease": offer["record"]}]},
        genuine | {"tokens": [offer | {"server_key": "AAAA"}]},
        genuine | {"state": _altered(genuine["state"], 60)},
        genuine | {"state": genuine["keys"], "keys": genuine["state"]},
        genuine | {"keys": _altered(genuine["keys"], 60)},
        genuine | {"root": "mgr1_" + "A" * 43},
        genuine | {"server_time": genuine["server_time"] + 10**9},
        genuine | {"server_time": 0},
        {},
    ]
