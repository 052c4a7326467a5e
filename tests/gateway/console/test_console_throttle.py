"""How often a password may be tried."""

from __future__ import annotations

import asyncio

import pytest
from console_fixtures import IP, Clock
from sqlalchemy import select

from gateway.console.database.model import Throttle as Row
from gateway.console.errors import SignInRefused
from gateway.console.service import Console
from gateway.console.sign_ins import PER_MINUTE
from gateway.credentials.passwords import delay_s

ANN = "ann@example.com"


def test_the_waits_grow_to_a_quarter_of_an_hour():
    """0, 0, 0, 1, 2, 4 ... 900 s, whatever the count."""
    waits = [delay_s(failures) for failures in range(1, 16)]

    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert delay_s(10**12) == 900


@pytest.mark.alike
async def test_each_failure_makes_the_next_try_wait(console: Console, clock: Clock):
    """Until the wait is over; a try that comes too early is not counted."""
    for failures in range(1, 20):
        await console.throttle.count(ANN, IP)
        if delay_s(failures):
            with pytest.raises(SignInRefused) as refused:
                await console.throttle.count(ANN, "198.51.100.1")
            assert refused.value.wait_s == delay_s(failures)
        assert await console.throttle.failures(ANN) == failures
        clock.forward(delay_s(failures))


async def test_a_hundred_tries_at_once_are_counted_exactly(console: Console, clock: Clock):
    """As many get through as one after the other would: four, then one a wait."""
    for number in range(3):
        tries = [console.throttle.count(ANN, f"2001:db8:{i:x}::1") for i in range(100)]
        done = await asyncio.gather(*tries, return_exceptions=True)
        passed = [result for result in done if result is None]

        assert len(passed) == (4 if number == 0 else 1)
        assert all(isinstance(result, SignInRefused) for result in done if result is not None)
        clock.forward(delay_s(await console.throttle.failures(ANN)))
    assert await console.throttle.failures(ANN) == 6


@pytest.mark.alike
async def test_after_a_hundred_failures_only_a_reset_helps(console: Console, clock: Clock):
    """However long one waits, and though old counts are forgotten otherwise."""
    for _ in range(100):
        await console.throttle.count(ANN, IP)
        clock.forward(900)
    for wait_s in (0, 86_400, 400 * 86_400):
        clock.forward(wait_s)
        async with console.db.begin() as session:
            await console.throttle.cleanup(session)
        with pytest.raises(SignInRefused):
            await console.throttle.count(ANN, IP)
    async with console.db.begin() as session:
        await console.throttle.discard(session, ANN)

    await console.throttle.count(ANN, IP)


@pytest.mark.alike
async def test_success_forgets_the_failures(console: Console, clock: Clock):
    """Of that account."""
    for _ in range(4):
        await console.throttle.count(ANN, IP)
    clock.forward(1)
    await console.throttle.count(ANN, IP)
    await console.throttle.succeeded(ANN)

    assert await console.throttle.failures(ANN) == 0
    await console.throttle.count(ANN, IP)


@pytest.mark.alike
async def test_an_address_has_twenty_tries_a_minute(console: Console, clock: Clock):
    """For whatever accounts; an IPv6 customer's whole network is one address."""
    for number in range(PER_MINUTE):
        await console.throttle.count(f"user{number}@example.com", f"2001:db8::{number:x}")
    with pytest.raises(SignInRefused) as refused:
        await console.throttle.count(ANN, "2001:db8::ffff")
    await console.throttle.count(ANN, "2001:db8:0:1::1")

    assert refused.value.wait_s == 60
    clock.forward(60)
    await console.throttle.count(ANN, "2001:db8::ffff")


@pytest.mark.alike
async def test_a_clock_that_is_set_back_locks_nobody_out(console: Console, clock: Clock):
    """For longer than the wait itself."""
    for _ in range(5):
        clock.forward(2)
        await console.throttle.count(ANN, IP)
    clock.forward(-365 * 86_400)
    with pytest.raises(SignInRefused) as refused:
        await console.throttle.count(ANN, IP)
    assert refused.value.wait_s <= 2

    clock.forward(365 * 86_400 + 2)
    await console.throttle.count(ANN, IP)


async def test_what_was_typed_as_an_account_is_not_kept(console: Console):
    """It may be a password that went into the wrong field."""
    await console.throttle.count("my secret passphrase", "not an address")
    async with console.db.session() as session:
        keys = (await session.scalars(select(Row.key))).all()

    assert len(keys) == 2
    assert "my secret passphrase" not in repr(keys)


@pytest.mark.alike
async def test_old_counts_are_forgotten(console: Console, clock: Clock):
    """After a day."""
    await console.throttle.count(ANN, IP)
    clock.forward(86_401)
    async with console.db.begin() as session:
        await console.throttle.cleanup(session)

    assert await console.throttle.failures(ANN) == 0
