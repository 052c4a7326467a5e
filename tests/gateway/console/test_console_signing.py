"""The console's keys: a root that is pinned, operational keys that come and go."""

from __future__ import annotations

import asyncio

import pytest
from console_fixtures import Clock, Machine, approve, offer, person
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, update

from gateway.console.database.model import SigningKey
from gateway.console.service import Console
from gateway.console.signing import Signing
from gateway.credentials.envelope import EnvelopeError, open_envelope
from gateway.credentials.keyset import DAY_S, KEY_DAYS, OVERLAP_DAYS, KeySet, open_keyset
from gateway.credentials.secrets import SecretBox, SecretsError


async def published(console: Console) -> KeySet:
    """Return the newest set, verified."""
    return open_keyset(await console.signing.key_set(), await console.signing.root())


@pytest.mark.alike
async def test_what_is_signed_verifies_against_the_pinned_root(console: Console, clock: Clock):
    """For kinds that operational keys sign; the set is signed by the root alone."""
    keys = await published(console)
    envelope = await console.signing.sign("state", {"v": 1})

    assert open_envelope(envelope, "state", keys.keys_for("state", clock.now)) == {"v": 1}
    assert keys.keys_for("keys", clock.now) == {}
    with pytest.raises(EnvelopeError):
        open_keyset(await console.signing.key_set(), Ed25519PrivateKey.generate().public_key())


@pytest.mark.alike
async def test_a_key_is_renewed_before_it_ends(console: Console, clock: Clock):
    """A fortnight before; the old one stays in the set until its end, the root stays."""
    root = await console.signing.root()
    first = await published(console)
    clock.forward((KEY_DAYS - OVERLAP_DAYS) * DAY_S)
    await console.cleanup()
    unchanged = await published(console)
    clock.forward(1)
    await console.cleanup()
    both = await published(console)
    clock.forward(OVERLAP_DAYS * DAY_S)
    await console.rotate_keys()
    last = await published(console)

    assert unchanged == first
    assert [key.kid for key in both.keys] == ["op1", "op2"]
    assert both.ver == first.ver + 1
    assert [key.kid for key in last.keys] == ["op2", "op3"]
    assert (await console.signing.root()) == root


async def test_a_rotated_key_signs_at_once(console: Console, clock: Clock):
    """What the old one signed still counts."""
    before = await console.signing.sign("state", {"v": 1})
    kid = await console.rotate_keys()
    after = await console.signing.sign("state", {"v": 2})
    keys = (await published(console)).keys_for("state", clock.now)

    assert after.split(".")[2] == kid
    assert open_envelope(before, "state", keys) == {"v": 1}
    assert open_envelope(after, "state", keys) == {"v": 2}


@pytest.mark.alike
async def test_a_removed_key_counts_no_more(console: Console, clock: Clock):
    """It may be stolen: what it signed, or signs, is refused; so does a set without it say."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    before = await console.signing.sign("state", {"v": 1})
    await console.rotate_keys(remove_old=True)
    keys = await published(console)

    assert [key.kid for key in keys.keys] == ["op2"]
    with pytest.raises(EnvelopeError):
        open_envelope(before, "state", keys.keys_for("state", clock.now))
    assert (await offer(console, machine)).lease(token.tid) is not None


async def test_a_key_made_by_a_wrong_clock_is_replaced(console: Console, clock: Clock):
    """It would begin in the future for everybody else."""
    clock.forward(-365 * DAY_S)
    await console.cleanup()
    keys = (await published(console)).keys_for("state", clock.now)

    envelope = await console.signing.sign("state", {"v": 1})
    assert open_envelope(envelope, "state", keys) == {"v": 1}


async def test_rotations_at_once_make_a_row_of_keys(console: Console):
    """None is lost, and the version of the set only grows."""
    kids = await asyncio.gather(*(console.rotate_keys() for _ in range(8)))
    keys = await published(console)

    assert sorted(kids) == sorted(f"op{number}" for number in range(2, 10))
    assert keys.ver == 9
    assert len(keys.keys) == 9


async def test_no_second_root_is_made(console: Console, clock: Clock):
    """It would make an end of every token: the console stops instead."""
    async with console.db.begin() as session:
        await session.execute(delete(SigningKey).where(SigningKey.kid == "root"))

    with pytest.raises(SecretsError):
        await Signing(console.db, console.box, clock).prepare()
    with pytest.raises(SecretsError):
        await console.signing.root()


@pytest.mark.alike
async def test_keys_open_with_their_box_and_in_their_place_alone(console: Console, clock: Clock):
    """Neither with another key nor in another's row."""
    async with console.db.session() as session:
        sealed = (await session.get_one(SigningKey, "root")).private_key
    with pytest.raises(SecretsError):
        await Signing(console.db, SecretBox(b"x" * 32), clock).sign("state", {"v": 1})
    async with console.db.begin() as session:
        one = update(SigningKey).where(SigningKey.kid == "op1")
        await session.execute(one.values(private_key=sealed))
    with pytest.raises(SecretsError):
        await console.signing.sign("state", {"v": 1})


async def test_a_root_may_come_from_elsewhere(console: Console, clock: Clock):
    """For a new database; an old one keeps the root it has."""
    root, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    async with console.db.begin() as session:
        await session.execute(delete(SigningKey))
    signing = Signing(console.db, console.box, clock)
    await signing.prepare(root)
    await signing.prepare(other)

    assert await signing.root() == root.public_key()
