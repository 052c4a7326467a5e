"""The judge of a subscriber's connection: whether it ends with its token."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import cast

import pytest

from ea_bridge.token import new_token

from .expiries import Expiries
from .stream_judge import StreamRecord
from .stream_session import AWAKE_S, REVOKED_WITHIN_S, ListenedTerminal, StreamSession
from .stream_truth import TerminalTruth

PING = b"\x89\x00"
PINGS_EVERY_S = 15.0


class Scene:
    """A connection of a subscriber whose token is revoked, on a clock that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.record, token = 1000.0, StreamRecord(), new_token()
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now_s)
        clock = SimpleNamespace(steps=0, wall_ns=lambda: 0)
        expiries = Expiries(clock)  # type: ignore[arg-type]  # it asks for no more than the time
        truth = cast(TerminalTruth, None)  # nobody subscribes to anything
        listened = ListenedTerminal("main", {"main": token}, {}, expiries, truth)
        self.session = StreamSession("test", listened, token, 1, 1, {}, self.record)
        self.session.wire.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    def listen(self, seconds: float, *, pings: bool) -> None:
        """Let time pass, in which the gateway pings or nothing comes."""
        until_s, ping_s = self.now_s + seconds, self.now_s + PINGS_EVERY_S
        while self.now_s < until_s:
            self.now_s += 0.25
            if pings and self.now_s >= ping_s:
                ping_s += PINGS_EVERY_S
                self.session.wire.data_received(PING)
            self.session.check_revoked()


@pytest.fixture(name="scene")
async def make_scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return a connection that was opened."""
    return Scene(monkeypatch)


async def test_a_connection_that_goes_on_is_noticed(scene: Scene) -> None:
    """Though no event comes: the gateway still pings."""
    scene.listen(60.0, pings=True)
    assert scene.record.wrong == []
    scene.session.note_revoked()
    scene.listen(REVOKED_WITHIN_S + AWAKE_S + 2 * PINGS_EVERY_S, pings=True)

    assert "is still served" in scene.record.wrong[0]


def frame(*texts: str) -> bytes:
    payload = (texts[0] if len(texts) == 1 else f"[{','.join(texts)}]").encode()
    return bytes((0x81, 126)) + len(payload).to_bytes(2, "big") + payload


async def test_events_in_one_frame_are_taken_one_by_one(scene: Scene) -> None:
    """Where the subscriber has asked for that; else it is noticed, as is anything else in it."""
    event = json.dumps(
        {"method": "event", "params": {"channel": "a", "terminal": "b", "epoch": ""}}
    )
    asking = asyncio.ensure_future(scene.session.join_events(is_on=True))
    await asyncio.sleep(0)
    scene.session.wire.data_received(frame(event, event))
    assert len(scene.record.wrong) == 2  # of each that nobody has subscribed to it
    scene.session.wire.data_received(frame('{"id":1,"result":{"features":["coalesce"]}}'))
    await asking
    scene.session.wire.data_received(frame(event, '{"method":"heartbeat"}'))
    assert "such a frame has events alone" in scene.record.wrong[2]
    asking = asyncio.ensure_future(scene.session.join_events(is_on=False))
    await asyncio.sleep(0)
    scene.session.wire.data_received(frame('{"id":2,"result":{"features":["coalesce"]}}'))
    await asking
    assert "said hello with" in scene.record.wrong[-1]
    scene.session._may_join = False
    scene.session.wire.data_received(frame(event, event))
    assert "nobody has asked for it" in scene.record.wrong[-3]


async def test_a_connection_over_which_nothing_comes_is_not_served(scene: Scene) -> None:
    """Half of it is gone, so that the end cannot come either; he finds out by the silence."""
    scene.listen(5.0, pings=False)
    scene.session.note_revoked()
    scene.session.wire.data_received(PING)  # it was under way
    scene.listen(60.0, pings=False)

    assert scene.record.wrong == []


async def test_what_lay_there_unread_is_no_service(scene: Scene) -> None:
    """A subscriber who read nothing for a while reads then what came before the end."""
    scene.session.note_revoked()
    scene.session.wire.is_paused = True
    scene.listen(60.0, pings=False)
    scene.session.wire.is_paused, scene.session.wire.resumed_s = False, scene.now_s
    scene.session.wire.data_received(PING)
    scene.listen(60.0, pings=False)

    assert scene.record.wrong == []
