"""A halt under load: nothing new is sent once it is known, and how soon it is quiet.

It records its figures as properties of the test suite, too:
``pytest --long -n 0 tests/end_to_end/test_halt_speed.py --junitxml=FILE``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from halt_rig import rig, summary

Record = Callable[[str, object], None]
pytestmark = pytest.mark.xdist_group("e2e-safety")


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_how_soon_it_is_quiet(tmp_path: Path, record_testsuite_property: Record) -> None:
    """With 200 orders a second, by a request or by the command line: every order that is sent
    once the halt is known is refused with it; after its end they are let through again."""
    async with rig(tmp_path, orders_per_s=200) as one:
        for way, number in (("request", 300), ("command", 60)):
            trials = [await one.trial(way) for _ in range(number)]
            record_testsuite_property(f"halt by {way}", summary(trials))
            print(f"halt by {way:8} {summary(trials)}")
            assert [trial.passed for trial in trials if trial.passed] == []
