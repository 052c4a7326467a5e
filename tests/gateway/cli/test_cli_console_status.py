"""What a person is told of the console, in words."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gateway.cli.status import allowance, console_link
from gateway.schemas import ConsoleInfo

NOW = 1_800_000_000_000
"""2027-01-15 08:00:00 UTC."""
HOUR = 3_600_000
WELL = {
    "url": "https://console.example.com",
    "connected": True,
    "last_sync": NOW - 42_000,
    "problem": None,
    "clock_suspect": False,
    "tier": "full",
    "tier_reason": None,
    "tier_ends": NOW + 858_000,
    "lease_ends": NOW + 858_000,
    "device": "a" * 52,
    "device_words": "a-b-c-d",
}


def console(**changes: Any) -> ConsoleInfo:
    """Return a console that is well but for these facts."""
    return cast(ConsoleInfo, WELL | changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "in step, asked 42 s ago"),
        ({"connected": False}, "in step, though without its stream, asked 42 s ago"),
        ({"last_sync": None}, "in step, not asked yet"),
        (
            {"problem": "https://console.example.com does not answer: see whether it runs"},
            "not in step since 2027-01-15 07:59 UTC, 42 s ago: does not answer: "
            "see whether it runs",
        ),
        (
            {"problem": "start a terminal", "last_sync": NOW - 50 * HOUR},
            "not in step since 2027-01-13 06:00 UTC, 2 days ago: start a terminal",
        ),
        (
            {"problem": "start a terminal", "last_sync": NOW - 3 * HOUR},
            "not in step since 2027-01-15 05:00 UTC, 3 h ago: start a terminal",
        ),
        (
            {"problem": "start a terminal", "last_sync": None},
            "not reached since the gateway started: start a terminal",
        ),
    ],
)
def test_the_link(changes: dict[str, Any], told: str) -> None:
    """In step, or since when not and what to do."""
    assert console_link(console(**changes), NOW) == f"https://console.example.com: {told}"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "all that the token may do; without the console until 2027-01-15 08:14 UTC"),
        (
            {"tier": "reduce", "tier_reason": "lease_expired", "tier_ends": NOW + HOUR},
            "only closing, cancelling and tightening stops until 2027-01-15 09:00 UTC: "
            "the console was not reached for too long",
        ),
        (
            {"tier": "read", "tier_reason": "missed_event", "tier_ends": NOW + 20 * HOUR},
            "only reading until 2027-01-16 04:00 UTC: the console's newest word is being fetched",
        ),
        (
            {"tier": "none", "tier_reason": "device_revoked", "tier_ends": None},
            "nothing: device_revoked",
        ),
    ],
)
def test_what_is_allowed(changes: dict[str, Any], told: str) -> None:
    """By the tier, until when, and why."""
    assert allowance(console(**changes)) == told
