"""When symbols trade."""

from __future__ import annotations

import pytest
from market_parts import DAY, HOUR, MINUTE, SATURDAY, WEDNESDAY

from ea_bridge.model import DayOfWeek
from ea_bridge.simulation.clock import SessionSpan, hours_of

FRIDAY_NIGHT = WEDNESDAY + 2 * DAY + 11 * HOUR + 57 * MINUTE
MONDAY = WEDNESDAY + 4 * DAY + 12 * HOUR


def test_forex_closes_on_friday_and_opens_on_monday() -> None:
    hours = hours_of("fx")
    assert hours.is_open(FRIDAY_NIGHT - 1)
    assert not hours.is_open(FRIDAY_NIGHT)
    assert not hours.is_open(SATURDAY)
    assert not hours.is_open(MONDAY - 1)
    assert hours.is_open(MONDAY)


def test_metals_rest_for_an_hour_at_midnight() -> None:
    hours = hours_of("metals")
    midnight = WEDNESDAY + 12 * HOUR
    assert hours.is_open(midnight - 1)
    assert not hours.is_open(midnight)
    assert hours.next_open(midnight) == midnight + HOUR


def test_the_next_opening_is_now_or_the_beginning_of_a_session() -> None:
    hours = hours_of("fx")
    assert hours.next_open(WEDNESDAY + 17) == WEDNESDAY + 17
    assert hours.next_open(FRIDAY_NIGHT) == MONDAY
    assert hours.next_open(SATURDAY + 17) == MONDAY


@pytest.mark.parametrize("kind", ["fx", "metals", "crypto"])
def test_always_means_every_minute_of_the_week(kind: str) -> None:
    hours = hours_of(kind, always=True)  # type: ignore[arg-type]
    assert all(hours.is_open(WEDNESDAY + n * HOUR) for n in range(168))


def test_crypto_trades_at_weekends() -> None:
    assert hours_of("crypto").is_open(SATURDAY)


def test_sessions_are_told_as_metatrader_tells_them() -> None:
    """A day, and from when to when in seconds of it."""
    sessions = hours_of("fx").sessions
    assert SessionSpan(DayOfWeek.FRIDAY, 0, 86_220) in sessions
    assert not [one for one in sessions if one.day == DayOfWeek.SUNDAY]
