"""Passwords: which are good enough, what they cost, what is kept of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters

from gateway.console.errors import TooBusy, WeakPassword
from gateway.console.users import check_password, hashing_pool
from gateway.credentials.passwords import (
    CODE_COST,
    MAX_HASHING,
    MAX_WAITING,
    PASSWORD_COST,
    Cost,
    HashingPool,
    Passwords,
    _fits_nothing,
)

CHEAP = Cost(8, 1, 1)
GOOD = "correct horse battery staple"


@pytest.fixture
def pool() -> Iterator[HashingPool]:
    """Threads that hash."""
    pool = hashing_pool()
    yield pool
    pool.close()


async def test_a_password_costs_what_the_standard_asks_for(pool: HashingPool):
    """Argon2id, 64 MiB, 3 passes, 4 lanes; codes 19 MiB, 2 passes, 1 lane."""
    stored = await Passwords(pool, b"p" * 32).hash(GOOD)
    code = await Passwords(pool, b"p" * 32, CODE_COST).hash("12345678")

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert code.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert Cost(65_536, 3, 4) == PASSWORD_COST


async def test_nothing_is_cut_off_and_nothing_is_folded(pool: HashingPool):
    """Each character counts, up to the longest."""
    passwords = Passwords(pool, b"p" * 32, CHEAP)
    longest = "ä" * 255 + "b"
    stored = await passwords.hash(longest)

    assert (await passwords.verify(stored, longest)).ok
    for other in (
        longest[:-1] + "c",
        longest[:-1],
        longest + "b",
        longest.upper(),
        longest.replace("ä", "a\u0308"),
        longest + "\x00",
    ):
        assert not (await passwords.verify(stored, other)).ok


async def test_each_hash_has_its_salt_and_needs_the_pepper(pool: HashingPool):
    """With another one, or with what is in the database alone, nothing fits."""
    passwords = Passwords(pool, b"p" * 32, CHEAP)
    one, two = await passwords.hash(GOOD), await passwords.hash(GOOD)

    assert one != two
    assert not (await Passwords(pool, b"q" * 32, CHEAP).verify(one, GOOD)).ok


@pytest.mark.parametrize("stored", [None, "", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"])
async def test_what_is_no_hash_fits_nothing(pool: HashingPool, stored: str | None):
    """Also not the password of nobody."""
    passwords = Passwords(pool, b"p" * 32, CHEAP)

    for password in (GOOD, "", "nobody"):
        assert not (await passwords.verify(stored, password)).ok


def test_nobody_costs_what_everybody_costs():
    """A name that does not exist is not told by the time."""
    nobody = extract_parameters(_fits_nothing(PASSWORD_COST))

    assert nobody == extract_parameters(PasswordHasher().hash("x"))


async def test_a_cheaper_hash_is_outdated(pool: HashingPool):
    """So that it is made anew at the next login."""
    stored = await Passwords(pool, b"p" * 32, CHEAP).hash(GOOD)
    now = Passwords(pool, b"p" * 32, Cost(16, 1, 1))

    assert (await now.verify(stored, GOOD)).is_outdated
    assert not (await now.verify(await now.hash(GOOD), GOOD)).is_outdated
    assert not (await now.verify(stored, "wrong")).is_outdated


async def test_two_hash_at_a_time_fifty_wait_others_are_told(pool: HashingPool):
    """Memory is bounded; who gives up while it runs makes no room for a third."""
    go, running, most = threading.Event(), list[int](), list[int]()

    def work() -> None:
        running.append(1)
        most.append(len(running))
        go.wait(30)
        running.pop()

    asked = [asyncio.create_task(pool.run(work)) for _ in range(MAX_HASHING + MAX_WAITING)]
    while len(running) < MAX_HASHING:  # noqa: ASYNC110 (threads set no asyncio.Event)
        await asyncio.sleep(0.001)
    with pytest.raises(TooBusy):
        await pool.run(work)
    asked[0].cancel()
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await pool.run(work)
    go.set()
    await asyncio.gather(*asked, return_exceptions=True)

    assert max(most) <= MAX_HASHING
    await pool.run(work)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "elevenchars",
        "x" * 257,
        "passwordpassword",
        "Password1234",
        "P@ssw0rd2026!",
        "123456789012",
        "qwertyuiop123",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabc",
        "iloveyou12345",
        "letmein-letmein",
        "mt-gateway-2026",
        "MetaTrader5!!!",
        "ann.smith@example.com",
        "AnnSmith1990!",
        "example.com2026",
        "zxcvbnmasdfghjkl",
        "1q2w3e4r5t6y",
        "admin-admin-admin",
        "trading forex bitcoin",
        "changeme1234!",
        "09876543210987",
        " " * 20,
        "!!!!!!!!????????",
    ],
)
def test_what_is_guessed_first_is_refused(password: str):
    """Famous words, rows of keys, one's own name, with whatever digits around."""
    with pytest.raises(WeakPassword):
        check_password(password, "ann.smith@example.com", "Ann Smith")


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "gR7#kq2Lw9!z",
        "fünf grüne Gläser",
        "пять зелёных стаканов",
        "五个绿色的玻璃杯在桌子上面",
        "my dragon eats purple hats",
        "x7" + "Zk9!mQ2@" * 31 + "abcdef",
        "tralala hopsasa 77",
    ],
)
def test_anything_else_is_good(password: str):
    """No rules of composition: any script, spaces, no capitals."""
    check_password(password, "ann.smith@example.com", "Ann Smith")
