"""How often passwords may be tried, and requests made."""

from __future__ import annotations

import pytest

from gateway.mt4_manager import RateExceeded, access
from gateway.mt4_manager.access import FailedLogins, Rate


class Time:
    """A clock that a test sets."""

    s = 100.0

    def now(self) -> float:
        return self.s


def wait_s(tries: FailedLogins, name: str) -> float:
    """Fail as often as it goes; return how long to wait then."""
    while not (told := tries.failed(name)):
        pass
    return told


def test_wrong_passwords_are_told_to_wait() -> None:
    """Four at once, then 1, 2, 4 s and so on between two; who comes too early waits no longer."""
    time = Time()
    tries = FailedLogins(time.now)
    for _ in range(4):
        assert not tries.failed("ann")
    for wait in (1, 2, 4, 8):
        assert tries.failed("ann") == wait
        time.s += wait - 0.01
        assert tries.failed("ann") == pytest.approx(0.01)
        time.s += 0.011
        assert not tries.failed("ann")
    assert not tries.failed("bob")  # nobody's failures are another's


def test_a_right_password_begins_anew() -> None:
    """Whatever went before."""
    tries = FailedLogins(Time().now)
    assert wait_s(tries, "ann") == 1
    tries.succeeded("ann")
    assert not tries.failed("ann")


def test_names_are_not_remembered_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tries many names makes us forget the one that was tried longest ago."""
    monkeypatch.setattr(access, "MAX_FAILED_NAMES", 3)
    tries = FailedLogins(Time().now)
    for name in ("ann", "b", "c", "d"):
        wait_s(tries, name)
    assert len(tries._failed) == 3
    assert not tries.failed("ann")


def test_requests_have_a_pace() -> None:
    """A burst, then so many a second; each operator has his own."""
    time = Time()
    rate = Rate(2.0, 3, time.now)
    for _ in range(3):
        rate.take("ann")
    with pytest.raises(RateExceeded) as refused:
        rate.take("ann")
    assert refused.value.wait_s == pytest.approx(0.5)
    rate.take("bob")
    time.s += 0.5
    rate.take("ann")
    time.s += 100
    for _ in range(3):
        rate.take("ann")
    with pytest.raises(RateExceeded):
        rate.take("ann")


def test_no_pace_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as come; 0 a second is none at all. What is remembered is bounded."""
    free = Rate(None, 1, Time().now)
    for _ in range(1000):
        free.take("ann")
    with pytest.raises(RateExceeded):
        Rate(0.0, 1, Time().now).take("ann")
    monkeypatch.setattr(access, "MAX_RATED_NAMES", 2)
    rate = Rate(1.0, 1, Time().now)
    for name in "abcd":
        rate.take(name)
    assert len(rate._limiter._buckets) == 2
