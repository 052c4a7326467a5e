"""What a daemon tells of the past, over real HTTP: signed, bounded, told again without harm."""

from __future__ import annotations

import json

import pytest
from console_fixtures import FINGERPRINT, Clock, approve, person
from daemon_fixtures import Daemon

from gateway.console.service import Console
from gateway.credentials.daemon_api import (
    MAX_BODY_BYTES,
    MAX_LINES,
    History,
    LoginReport,
    RunReport,
    TerminalDescription,
)

pytestmark = pytest.mark.alike

PATH = "/v1/daemon/history"
LONG = "\N{GREEK CAPITAL LETTER OMEGA}" * 128


def _history(tid: str, at: int, lines: int) -> History:
    facts = TerminalDescription(
        platform="mt5", login=2**62, server=LONG, company=LONG, fp=FINGERPRINT, version=LONG
    )
    return History(
        boot="b" * 16,
        runs=tuple(
            RunReport(
                run=f"{'b' * 16}.s-{n}", tid=tid, began=at, ended=at, reason=LONG, terminal=facts
            )
            for n in range(lines)
        ),
        logins=tuple(
            LoginReport(
                line=f"{'b' * 16}.l{n}", tid=tid, way="ws", agent=LONG, first=at, last=at, count=1
            )
            for n in range(lines)
        ),
    )


async def test_history_is_taken_signed_and_once(console: Console, daemon: Daemon, clock: Clock):
    """Told again it is answered alike and adds nothing; unsigned, or signed by nobody known, it is
    refused."""
    ann = await person(console)
    _, token = await console.tokens.create(ann.id, "A")
    told = _history(token.tid, clock.now, 2)
    assert (await daemon.call("POST", PATH, told)).status == 404
    await approve(console, token, daemon.machine)
    unsigned = daemon.signed("POST", PATH, b"other")
    assert (await daemon.call("POST", PATH, told, unsigned)).status == 401
    assert await console.logins.list(ann.id) == []
    for _ in range(2):
        answer = await daemon.call("POST", PATH, told)
        assert (answer.status, answer.body) == (200, {"noted": True})
    assert len(await console.logins.list(ann.id)) == len(await console.reports.list(ann.id)) == 2


async def test_a_full_report_fits_and_a_fuller_one_is_refused(
    console: Console, daemon: Daemon, clock: Clock
):
    """As long as a daemon may make its texts."""
    ann = await person(console)
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, daemon.machine)
    told = json.loads(_history(token.tid, clock.now, 1).model_dump_json())
    line = {**told["logins"][0], "agent": "bot"}
    for count, status in ((MAX_LINES, 200), (MAX_LINES + 1, 400)):
        lines = [{**line, "line": f"b.l{count}n{n}"} for n in range(count)]
        body = json.dumps({"boot": "b", "logins": lines}).encode()
        assert len(body) < MAX_BODY_BYTES
        assert (await daemon.call("POST", PATH, body)).status == status
    assert len(await console.logins.list(ann.id, limit=200)) == MAX_LINES
