"""Leases: for a live token of an active user on an approved machine, for a quarter of an hour."""

from __future__ import annotations

import asyncio

import pytest
from console_fixtures import Clock, Machine, approve, events, offer, person

from gateway.console.service import Console
from gateway.credentials.event import open_state
from gateway.credentials.lease import LEASE_S


@pytest.mark.alike
async def test_a_lease_names_all_on_which_it_stands(console: Console, clock: Clock):
    """Token, device, and the versions of the record that comes along."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)

    told = await offer(console, machine)
    lease, record = told.lease(token.tid), told.record(token.tid)
    assert lease is not None
    assert (lease.tid, lease.did, lease.rec_ver) == (token.tid, machine.did, record.rec_ver)
    assert lease.dev_ver == record.devices[0].dev_ver
    assert (lease.iat, lease.exp) == (clock.now, clock.now + LEASE_S)


@pytest.mark.alike
async def test_a_lease_ends_with_its_token(console: Console, clock: Clock):
    """Not a second later; an expired token gets none, and its record says why."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A", lifetime_s=1000)
    await approve(console, token, machine)
    clock.forward(900)
    last = (await offer(console, machine)).lease(token.tid)
    clock.forward(100)
    over = await offer(console, machine)

    assert last is not None
    assert last.exp == token.exp
    assert over.lease(token.tid) is None
    assert over.record(token.tid).state(clock.now) == "expired"


@pytest.mark.alike
async def test_a_disabled_user_has_no_lease(console: Console):
    """On no machine; enabled again, all goes on with a higher epoch."""
    await person(console, "root", admin=True)
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    before = (await offer(console, machine)).lease(token.tid)
    await console.users.disable(ann.id)
    disabled = await offer(console, machine)
    await console.users.enable(ann.id)
    after = (await offer(console, machine)).lease(token.tid)

    assert disabled.lease(token.tid) is None
    assert disabled.record(token.tid).status == "disabled"
    assert before is not None
    assert after is not None
    assert after.epoch > before.epoch
    assert after.rec_ver > disabled.record(token.tid).rec_ver
    assert [event.type for event in await events(console, machine)] == [
        "device.approved",
        "user.disabled",
        "user.enabled",
    ]


@pytest.mark.alike
async def test_the_end_of_the_last_lease_is_known_when_it_is_revoked(
    console: Console, clock: Clock
):
    """Should the machine never hear of it, it stops by then."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    lease = (await offer(console, machine)).lease(token.tid)
    clock.forward(60)
    await console.tokens.revoke(ann.id, token.tid)

    (line,) = await console.events.confirmation(ann.id, tid=token.tid)
    assert lease is not None
    assert (line.ends_by, line.stopped_at_ms, line.asked_at) == (lease.exp, None, clock.now)


async def test_no_lease_outlives_a_revocation_unseen(console: Console):
    """Asked for at the same time: there is none, or the end of it is in the event."""
    ann, machine = await person(console), Machine()
    for number in range(20):
        _, token = await console.tokens.create(ann.id, f"T{number}")
        await approve(console, token, machine)
        told, _ = await asyncio.gather(
            offer(console, machine), console.tokens.revoke(ann.id, token.tid)
        )
        (line,) = await console.events.confirmation(ann.id, tid=token.tid)
        lease = told.lease(token.tid)
        record = told.record(token.tid)
        assert (lease is None) == (record.status == "revoked")
        assert lease is None or line.ends_by == lease.exp


async def test_no_lease_outlives_the_user_unseen(console: Console):
    """The same for an account that is disabled meanwhile."""
    await person(console, "root", admin=True)
    for number in range(10):
        user, machine = await person(console, f"user{number}"), Machine()
        _, token = await console.tokens.create(user.id, "A")
        await approve(console, token, machine)
        told, _ = await asyncio.gather(offer(console, machine), console.users.disable(user.id))
        (line,) = await console.events.confirmation(user.id, did=machine.did)
        lease = told.lease(token.tid)
        assert lease is None or (line.ends_by == lease.exp and lease.epoch == 1)


@pytest.mark.alike
async def test_the_state_lists_what_a_machine_may_know(console: Console):
    """Revoked tokens too, and the number of the last event."""
    ann, machine = await person(console), Machine()
    tids = []
    for name in ("A", "B"):
        _, token = await console.tokens.create(ann.id, name)
        tids.append(token.tid)
        await approve(console, token, machine)
    await console.tokens.create(ann.id, "C")
    await console.tokens.revoke(ann.id, tids[0])

    made = await console.offers.make(machine.did)
    told = await offer(console, machine)
    state = open_state(made.state, told.keys.keys_for("state", console.now_s()))
    assert (state.did, state.seq, set(state.tids)) == (machine.did, 3, set(tids))


@pytest.mark.alike
async def test_a_machine_that_nobody_knows_is_offered_nothing(console: Console):
    """But the keys, and an empty state."""
    told = await offer(console, Machine())

    assert told.tokens == {}
