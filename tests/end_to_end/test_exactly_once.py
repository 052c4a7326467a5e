"""No order is doubled and none is lost, whatever dies: the promise, by trying to break it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from exactly_once_rig import rig
from simulation.run import POINTS, plan
from simulation.verdict import Verdict

from ea_bridge.emulator import link as conversation
from ea_bridge.endpoint import link

Record = Callable[[str, object], None]
pytestmark = pytest.mark.xdist_group("e2e-exactly-once")


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let terminals come back at once, and say little."""
    monkeypatch.setattr(link, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(link, "LAST_RETRY_S", 0.1)
    monkeypatch.setattr(conversation, "PULSE_S", 0.1)  # nobody here listens to prices


def wrong_of(verdict: Verdict) -> str:
    """Return what was wrong or is unknown to the last: whole lines, which pytest does not cut."""
    kinds = ("doubled", "missing", "wrong", "broken", "unresolved", "lost")
    return "\n".join(f"{kind}: {one}" for kind in kinds for one in getattr(verdict, kind))


@pytest.mark.parametrize(
    "orders",
    [
        pytest.param(2_000, marks=pytest.mark.timeout(600)),
        pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
    ],
)
async def test_exactly_once(
    tmp_path: Path,
    orders: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    record_testsuite_property: Record,
) -> None:
    """Bots that retry at random; a daemon killed at every point and in between; a terminal that
    cuts, crashes, forgets, loses results and rewrites comments: every order is executed once or
    not at all, and everybody is told which."""
    caplog.set_level(logging.ERROR)
    hurry(monkeypatch)
    seed = 4
    dice = random.Random(seed)  # noqa: S311 (a run, not a secret)
    async with rig(tmp_path, orders=orders, seed=seed) as one:
        verdict = await one.live(plan(dice, orders, 110))
    print(verdict, one.figures)
    record_testsuite_property(f"exactly once, {orders} orders", f"{verdict}; {one.figures}")
    assert verdict.is_right, wrong_of(verdict)
    assert set(POINTS) <= set(one.figures.points)


@pytest.mark.timeout(600)
async def test_equal_orders_without_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_testsuite_property: Record
) -> None:
    """The same with a fault in every third order, a broker that rewrites every comment and
    terminals that forget: equal orders can be told apart by little, and none is unknown at the
    end. Of those that cannot be told apart at all as many are told to be done as were executed."""
    hurry(monkeypatch)
    seed = 5
    dice = random.Random(seed)  # noqa: S311 (a run, not a secret)
    async with rig(tmp_path, orders=400, seed=seed, orders_a_fault=3, is_rough=True) as one:
        verdict = await one.live(plan(dice, 400, 130))
    print(verdict, one.figures)
    record_testsuite_property("exactly once, without tags", f"{verdict}; {one.figures}")
    assert verdict.is_right, wrong_of(verdict)
