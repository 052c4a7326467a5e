"""An EA that the daemon does not want: it tells the person, and asks ever more rarely."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from linked_ea import Compile, FastTimers, LinkedEa, plain_config

from ea_bridge.server import NotAdmitted
from ea_bridge.token import derive_keys

BOTH = pytest.mark.parametrize("platform", ["mt5", "mt4"])
SPEED = 50.0
FAST = 100.0


def waits(ea: LinkedEa) -> list[str]:
    """The times of the next try that stood on the chart, one after the other."""
    texts = [line["text"] for line in ea.terminal.said if line["t"] == "comment"]
    found = (re.search(r"next try is in (.*)\Z", text) for text in texts)
    return [one[1] for one in found if one]


def alerts(ea: LinkedEa) -> list[str]:
    """What called for a person."""
    return [line["text"] for line in ea.terminal.said if line["t"] == "alert"]


@BOTH
async def test_a_token_that_is_not_taken_is_told_on_the_chart(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """With what to do, in one alert; on the chart as long as it is so; and without hammering."""
    config = {**plain_config(tmp_path), "speed": SPEED}
    ea = LinkedEa(compile_ea(platform), config)
    ea.doorman.verdict = NotAdmitted(
        code="expired", reason="its time is over", retry_ms=5000, keys=derive_keys(ea.token)
    )
    async with ea:
        await ea.terminal.heard(lambda line: line.get("text", "").endswith("in 60 seconds"))
        assert waits(ea) == [f"{wait} seconds" for wait in (5, 10, 20, 40, 60)]
        [alert] = alerts(ea)
        assert "its time is over (expired). Make another token" in alert
        [*_, chart] = [line["text"] for line in ea.terminal.said if line["t"] == "comment"]
        assert "Make another token" in chart
    assert sum("not let this terminal in" in text for text in ea.terminal.prints()) == 1


async def test_a_displaced_ea_says_so_on_its_chart_and_stays_away_for_longer_each_time(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """Until the person has given one of the two another token."""
    config = {**plain_config(tmp_path), "speed": FAST}
    timers = partial(FastTimers, speed=FAST)
    async with LinkedEa(compile_ea("mt5"), config, timers=timers) as ea:
        session = await ea.live()
        for wait in ("5 minutes", "10 minutes"):
            session.close("replaced")
            start = len(ea.terminal.said)
            await ea.terminal.heard(lambda line: "next try" in line.get("text", ""), start)
            assert waits(ea)[-1] == wait
            if wait == "5 minutes":
                start = len(ea.terminal.said)
                session = await ea.live()
                await ea.terminal.heard(lambda line: line.get("text") == "", start)
        assert all("a token of its own" in text for text in alerts(ea))
