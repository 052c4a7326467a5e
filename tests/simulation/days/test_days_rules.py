"""Rules of the simulated days, each of them broken once."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.credentials.lease import Tier

from ..clocks import WEEKENDS_S, utc_s
from ..dice import Dice
from ..loop import SimulatedLoop
from ..network import Network
from ..trace import Trace
from .async_sqlite import LoopExecutor
from .calendar import TradingDays
from .daily_limits import MAX_LOSS, MAX_ORDERS, Books, DailyLimits
from .growth import grown
from .key_rotation import SignedRecords
from .rights import GRACE_S, MARGIN_S, OFFLINE_S, Rights

SPRING = WEEKENDS_S[1]
NOON_S = float(utc_s(2026, 6, 4, 12))
"""Of a Thursday."""
QUIET = Books(1, 0.0)


@dataclass
class Clock:
    """Stand-in of a world: its time, and a list of what was found wrong."""

    now_s: float = NOON_S
    faults: list[str] = field(default_factory=list)

    def true_s(self) -> float:
        """Return the true time."""
        return self.now_s

    def accuse(self, said: str) -> None:
        """Take what is wrong."""
        self.faults.append(said)


def rights_of(clock: Clock) -> Rights:
    """Return rights in which token ``t`` is approved, and all runs."""
    world: Any = clock
    rights = Rights(world)
    rights.good("t")
    rights.calm()
    rights.granted("t", 900)
    return rights


# --- rights ------------------------------------------------------------------------------------


def test_good_token_must_be_served_when_all_runs() -> None:
    """A refusal is a fault once console and daemon have run for a while, not before."""
    clock = Clock()
    rights = rights_of(clock)

    clock.now_s += GRACE_S - 1
    rights.judge("t", Tier.FULL, clock.now_s, "revoked")
    assert clock.faults == []

    clock.now_s += 2
    rights.judge("t", Tier.FULL, clock.now_s, "revoked")
    assert len(clock.faults) == 1


@pytest.mark.parametrize("tier", [Tier.FULL, Tier.REDUCE, Tier.READ])
def test_no_tier_is_served_after_its_time_without_a_lease(tier: Tier) -> None:
    """Each tier has an end of its own after that of the lease."""
    clock = Clock()
    rights = rights_of(clock)
    rights.cut()

    ends_s = NOON_S + 900 + OFFLINE_S[tier] + MARGIN_S
    rights.judge("t", tier, ends_s - 1, None)
    assert clock.faults == []
    rights.judge("t", tier, ends_s + 1, None)
    assert "its lease ended" in clock.faults[0]


def test_lease_lets_work_go_on_while_the_console_is_away() -> None:
    """The lease that the daemon holds counts then."""
    clock = Clock()
    rights = rights_of(clock)
    clock.now_s += GRACE_S + 1
    rights.synced()
    rights.cut()

    rights.judge("t", Tier.FULL, clock.now_s + MARGIN_S + 1, "lease_expired")
    rights.judge("t", Tier.FULL, NOON_S + 901, "lease_expired")

    assert len(clock.faults) == 1


def test_expired_and_ended_tokens_are_not_served() -> None:
    """An expiry counts by itself, an end as soon as the daemon has heard the console."""
    clock = Clock()
    rights = rights_of(clock)
    rights.good("u", 60)
    rights.granted("u", 9000)
    rights.judge("u", Tier.READ, NOON_S + 60 + MARGIN_S + 1, None)
    assert "it had expired" in clock.faults.pop()

    rights.ended("t")
    rights.judge("t", Tier.READ, NOON_S + 5, None)
    assert clock.faults == []
    clock.now_s += 10
    rights.synced()
    rights.judge("t", Tier.READ, NOON_S + 12, None)
    assert "it was ended" in clock.faults[0]


# --- days and their limits ---------------------------------------------------------------------


def limits_at(now_s: float = NOON_S) -> DailyLimits:
    """Return the limits of a bot."""
    return DailyLimits(TradingDays(lambda: now_s, WEEKENDS_S[0]))


def test_days_begin_at_the_brokers_midnight_in_each_season() -> None:
    """New York's close: 22:00 UTC before the Sunday in March, 21:00 after it."""
    days = TradingDays(lambda: NOON_S, SPRING)
    friday, monday = utc_s(2027, 3, 12, 22), utc_s(2027, 3, 15, 21)

    for midnight in (friday, monday):
        assert days.day(midnight) == days.day(midnight - 1) + 1
        assert days.from_midnight_s(midnight - 5) == 5
    assert days.utc_s(int(days.broker_s(monday)) * 1000) == monday


def test_one_order_too_many_of_a_day_is_found() -> None:
    """The next day has as many again."""
    limits = limits_at()
    for _ in range(MAX_ORDERS):
        assert limits.executed(NOON_S, QUIET, QUIET) == ""

    assert "of a day was executed" in limits.executed(NOON_S, QUIET, QUIET)
    assert limits.executed(NOON_S + 86_400, QUIET, QUIET) == ""


def test_order_that_is_refused_too_soon_is_found() -> None:
    """A day that is not full yet refuses none: neither on that day nor on the next."""
    limits, data = limits_at(), {"rule": "max_orders_per_day"}
    for _ in range(MAX_ORDERS + 1):
        limits.asked(NOON_S)

    assert limits.judge_refusal(data, NOON_S, QUIET, QUIET) == ""
    assert "were asked for" in limits.judge_refusal(data, NOON_S + 86_400, QUIET, QUIET)


def test_loss_of_another_day_is_found() -> None:
    """The loss by which an order was refused must be in the books of its day, to the cent."""
    limits, lost = limits_at(), Books(1, MAX_LOSS + 3)
    data = {"rule": "max_daily_loss", "value": MAX_LOSS + 3}

    assert limits.judge_refusal(data, NOON_S, lost, lost) == ""
    assert "refused for a loss" in limits.judge_refusal(data, NOON_S, QUIET, QUIET)
    assert limits.judge_refusal(data, NOON_S, QUIET, Books(2, 0.0)) == ""  # prices have moved
    assert "the day had lost" in limits.executed(NOON_S, lost, lost)


def test_limit_that_is_free_again_is_counted() -> None:
    """On the day after one on which it refused."""
    limits, lost = limits_at(), Books(1, MAX_LOSS + 3)
    limits.judge_refusal({"rule": "max_daily_loss", "value": MAX_LOSS + 3}, NOON_S, lost, lost)

    limits.executed(NOON_S + 86_400, QUIET, QUIET)

    assert limits.renewed == {"max_daily_loss": 1}


# --- keys, growth, threads ---------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """A token as the console offers it."""

    tid: str
    record: str


@dataclass(frozen=True)
class Offered:
    """Answer of a console to a sync."""

    tokens: tuple[Offer, ...]


def test_record_of_an_old_key_has_to_verify_until_it_is_removed() -> None:
    """A record that does not verify is a fault where its key was kept."""
    clock = Clock()
    world: Any = clock
    records = SignedRecords(world)
    offered: Any = Offered((Offer("t", "v1.rec.k1.e30.AAAA"),))
    nobody: Any = None
    records.took_over(nobody, offered)
    records.rotated(remove_old=False)
    keys = {"k1": Ed25519PrivateKey.generate().public_key()}

    assert list(records.problems(keys, NOON_S)) == []  # the daemon has not heard of it yet
    assert "which was kept" in next(iter(records.problems(keys, NOON_S + 10)))
    records.rotated(remove_old=True)
    assert list(records.problems(keys, NOON_S + 10)) == []
    assert records.refused == 2


def test_what_grows_from_one_half_to_the_other_is_found() -> None:
    """Of tasks a few more are none; a log of a database has a bound of its own."""
    steady = [{"tasks": 20, "trades": 0}] * 4

    assert grown(steady) == []
    assert "tasks grows" in grown([*steady, *[{"tasks": 60, "trades": 0}] * 4])[0]
    assert "a.db-wal" in grown([*steady, {"tasks": 20, "trades": 0, "a.db-wal": 9 << 20}])[0]


def test_executor_works_on_the_loop() -> None:
    """Submitted work is done a drawn time later, and its error told."""
    dice = Dice(1)
    loop = SimulatedLoop(dice("threads"), dice("turns"))
    Network(loop, dice("network"), Trace())

    def fail(_: int) -> str:
        raise KeyError("none")

    async def submit(executor: Executor) -> list[Any]:
        begun_s = loop.now
        wrapped = [asyncio.wrap_future(executor.submit(work, 1)) for work in (str, fail)]
        results = await asyncio.gather(*wrapped, return_exceptions=True)
        return [*results, loop.now > begun_s]

    text, error, is_later = loop.run_until_complete(submit(LoopExecutor(loop, dice("work"))))

    assert (text, type(error), is_later) == ("1", KeyError, True)
