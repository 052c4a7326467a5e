"""Somebody between daemon and console who understands what is said, and says what he likes.

TLS would keep him out; this is what holds without it. Nothing that is forged, old, repeated or
out of its order is believed, and nothing of it ends the link.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from fault_proxy import Middleman, middleman
from fault_scene import BUY, Scene, reason, refused, scene
from product import until

from ea_bridge.emulator.factory import build_terminal

Json = dict[str, Any]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("e2e-console-impostor"),
]


@dataclass
class Stage:
    """A scene with an impostor in it."""

    between: Middleman
    scene: Scene


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Console, impostor and daemon, for all tests here."""
    folder = tmp_path_factory.mktemp("impostor")
    async with middleman() as between, scene(folder, between, build_terminal()) as one:
        yield Stage(between, one)


@pytest.fixture
def between(stage: Stage) -> Middleman:
    """The impostor."""
    return stage.between


@pytest_asyncio.fixture(loop_scope="module")
async def here(stage: Stage) -> AsyncIterator[Scene]:
    """Each test has a terminal of its own."""
    async with stage.scene.act() as one:
        yield one


def offer(answer: Json, tid: str) -> Json:
    """Return what an answer to ``sync`` says of a token; empty if nothing."""
    return next((one for one in answer["tokens"] if one["tid"] == tid), {})


async def test_an_old_answer_does_not_bring_a_revoked_token_back(
    between: Middleman, here: Scene
) -> None:
    """Each answer is signed, and so it can be kept and said again: an older one is refused."""
    tid = here.lease.tid
    old = next(one for one in reversed(between.answers) if offer(one, tid).get("lease"))
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
    between.restore()
    await until(lambda: not here.daemon.uplink.status().problem)
    assert await reason(client) == "revoked"


async def test_a_swallowed_event_stops_trades_until_it_is_known(
    between: Middleman, here: Scene
) -> None:
    """The heartbeats tell how many there are: who misses one does not trade on."""
    client = await here.daemon.http(here.main.token)
    answer = between.answers[-1]
    other = await here.ann.make_token("other")
    between.alter_push = lambda text: [] if '"evt"' in text else [text]
    between.alter_sync = lambda _: answer
    await here.change()
    await until(lambda: here.lease.reason == "missed_event")
    error = await refused(client, "place_order", **BUY)
    assert (error.data["reason"], error.data["tier"]) == ("missed_event", "read")
    await client.call("get_account_info")
    between.restore()
    await here.settled()
    await here.ann.revoke(other)


async def test_nothing_that_is_forged_or_said_twice_is_believed(
    between: Middleman, here: Scene
) -> None:
    """Altered, cut, another's, garbage, in any order: the token goes on, the link too."""
    between.pushed.clear()
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
    assert here.lease.tier == "full"


def _altered(envelope: str, at: int) -> str:
    other = "A" if envelope[at] != "A" else "B"
    return envelope[:at] + other + envelope[at + 1 :]


def _instead(lie: Json, _answer: Json) -> Json:
    return lie


async def _heard_twice(between: Middleman, here: Scene) -> None:
    """Have the daemon ask, until it has been answered twice."""
    seen = len(between.answers)
    here.daemon.uplink._link.wake()
    await until(lambda: len(between.answers) > seen + 1)


async def test_altered_answers_are_refused_whole(between: Middleman, here: Scene) -> None:
    """Whatever in an answer is altered: no token gets a right by it, and a true one heals."""
    client = await here.daemon.http(here.main.token)
    genuine, before = between.answers[-1], _tids(here)
    for lie in _lies(genuine, here.lease.tid):
        between.alter_sync = partial(_instead, lie)
        await _heard_twice(between, here)
        assert _tids(here) <= before
        between.restore()
        await here.settled()
        await client.call("get_account_info")


def _tids(here: Scene) -> set[str]:
    return {one.tid for one in here.daemon.uplink.status().tokens}


def _lies(genuine: Json, tid: str) -> list[Json]:
    mine = offer(genuine, tid)
    stranger = mine | {"tid": "A" * 12}
    return [
        genuine | {"tokens": []},
        genuine | {"tokens": [stranger]},
        genuine | {"tokens": [mine, stranger]},
        genuine | {"tokens": [mine | {"lease": _altered(mine["lease"], 60)}]},
        genuine | {"tokens": [mine | {"record": _altered(mine["record"], 60)}]},
        genuine | {"tokens": [mine | {"record": mine["lease"], "lease": mine["record"]}]},
        genuine | {"tokens": [mine | {"server_key": "AAAA"}]},
        genuine | {"state": _altered(genuine["state"], 60)},
        genuine | {"state": genuine["keys"], "keys": genuine["state"]},
        genuine | {"keys": _altered(genuine["keys"], 60)},
        genuine | {"root": "mgr1_" + "A" * 43},
        genuine | {"server_time": genuine["server_time"] + 10**9},
        genuine | {"server_time": 0},
        {},
    ]
