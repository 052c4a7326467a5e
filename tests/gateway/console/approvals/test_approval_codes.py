"""The codes of a request: enough chance, kept as they must be, good for one request."""

from __future__ import annotations

from collections import Counter

import pytest

from gateway.console.approvals.requests import LETTERS, Codes, new_codes
from gateway.console.users import hashing_pool
from gateway.credentials.passwords import CODE_COST, Passwords


@pytest.fixture
def codes():
    """Hashed with what a console runs with."""
    pool = hashing_pool()
    yield Codes(Passwords(pool, b"p" * 32, CODE_COST))
    pool.close()


def test_codes_have_the_bits_that_are_claimed():
    """8 of 20 letters, 8 digits, 256 bits; every letter and digit comes up at every place."""
    made = [new_codes() for _ in range(2000)]
    for place in range(8):
        letters = Counter(codes.user_code.replace("-", "")[place] for codes in made)
        digits = Counter(codes.ecode[place] for codes in made)
        assert set(letters) == set(LETTERS)
        assert set(digits) == set("0123456789")
    assert len(LETTERS) == 20
    assert all(len(codes.ecode) == 8 and len(codes.link) == 43 for codes in made)
    assert len({codes.link for codes in made}) == len({codes.user_code for codes in made}) == 2000


async def test_codes_are_kept_with_argon2id(codes: Codes):
    """19 MiB, two passes, a salt each time; the link, which nobody can guess, as SHA-256."""
    made = new_codes()
    first, second = await codes.hashes("r1", made), await codes.hashes("r1", made)
    for kept in (first.user_code, first.ecode):
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first.user_code != second.user_code
    assert first.link == second.link


async def test_a_code_fits_its_request_alone(codes: Codes):
    """However it is typed; a hash that was moved to another request fits nothing."""
    made = new_codes()
    kept = await codes.hashes("r1", made)
    plain = made.user_code.replace("-", "")
    for typed in (made.user_code, made.user_code.lower(), f" {plain} ", " ".join(plain)):
        assert await codes.fits(kept.user_code, "r1", typed)
    for rid, typed in (
        ("r2", made.user_code),
        ("r1", made.ecode),
        ("r1", plain[:-1]),
        ("r1", ""),
        ("r1", plain + "B"),
    ):
        assert not await codes.fits(kept.user_code, rid, typed)
    assert not await codes.fits("no hash", "r1", made.user_code)
