"""Machines: approved by each user for himself, revoked, allowed to ask again."""

from __future__ import annotations

import pytest
from console_fixtures import Clock, Machine, approve, events, offer, person

from gateway.console.errors import NotFound
from gateway.console.ids import uid_hash
from gateway.console.service import Console
from gateway.console.user_info import locked_user
from gateway.credentials.device import device_words


@pytest.mark.alike
async def test_an_approved_machine_is_in_the_record(console: Console):
    """With its key, and a version that grows; the machine is told."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)

    told = await offer(console, machine)
    (device,) = told.record(token.tid).devices
    assert (device.did, device.status, device.approved_by) == (machine.did, "approved", "link")
    assert [event.type for event in await events(console, machine)] == ["device.approved"]
    (shown,) = await console.devices.list(ann.id)
    assert (shown.status, shown.words) == ("approved", device_words(machine.did))
    assert shown.tids == (token.tid,)


@pytest.mark.alike
async def test_a_revoked_machine_gets_no_lease_for_any_token(console: Console):
    """The user's other machines go on, and learn the new records."""
    ann, bad, good = await person(console), Machine("bad"), Machine("good")
    tokens = [(await console.tokens.create(ann.id, name))[1] for name in ("A", "B")]
    for token in tokens:
        await approve(console, token, bad)
        await approve(console, token, good)
    before = await offer(console, bad)
    told = len(await events(console, good))
    await console.devices.revoke(ann.id, bad.did)
    await console.devices.revoke(ann.id, bad.did)

    there, here = await offer(console, bad), await offer(console, good)
    for token in tokens:
        assert there.lease(token.tid) is None
        assert there.tokens[token.tid].server_key is None
        assert here.lease(token.tid) is not None
        states = {device.did: device for device in there.record(token.tid).devices}
        assert (states[bad.did].status, states[good.did].status) == ("revoked", "approved")
        old = {device.did: device for device in before.record(token.tid).devices}
        assert states[bad.did].dev_ver > old[bad.did].dev_ver
    last = (await events(console, bad))[-1]
    assert (last.type, last.tid, last.uid_hash) == ("device.revoked", None, uid_hash(ann.id))
    assert [event.type for event in (await events(console, good))[told:]] == ["token.updated"] * 2


@pytest.mark.alike
async def test_each_user_decides_for_himself(console: Console):
    """A machine that one has revoked goes on with the tokens of another."""
    ann, bob, machine = await person(console), await person(console, "bob"), Machine()
    _, hers = await console.tokens.create(ann.id, "A")
    _, his = await console.tokens.create(bob.id, "A")
    await approve(console, hers, machine)
    await approve(console, his, machine)
    await console.devices.revoke(ann.id, machine.did)

    told = await offer(console, machine)
    assert told.lease(hers.tid) is None
    assert told.lease(his.tid) is not None
    assert [device.status for device in await console.devices.list(bob.id)] == ["approved"]


@pytest.mark.alike
async def test_another_users_machine_is_not_there(console: Console):
    """To nobody who has not approved it; nothing changes."""
    ann, bob, machine = await person(console), await person(console, "bob"), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)

    for act in (console.devices.get, console.devices.revoke, console.devices.forget):
        with pytest.raises(NotFound):
            await act(bob.id, machine.did)
        with pytest.raises(NotFound):
            await act(bob.id, "a" * 52)
    assert await console.devices.list(bob.id) == []
    assert (await offer(console, machine)).lease(token.tid) is not None


@pytest.mark.alike
async def test_a_forgotten_machine_is_asked_about_again(console: Console):
    """Until then a revoked one stays revoked; once approved its version has grown."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    with pytest.raises(NotFound):
        await console.devices.forget(ann.id, machine.did)
    await console.devices.revoke(ann.id, machine.did)
    async with console.db.session() as session:
        revoked = await console.devices.status(session, ann.id, machine.did)
    await console.devices.forget(ann.id, machine.did)
    async with console.db.session() as session:
        forgotten = await console.devices.status(session, ann.id, machine.did)

    assert (revoked, forgotten) == ("revoked", None)
    told = await offer(console, machine)
    assert told.lease(token.tid) is None
    assert [device.status for device in told.record(token.tid).devices] == ["pending"]
    assert (await events(console, machine))[-1].type == "token.updated"
    await approve(console, token, machine)
    assert (await offer(console, machine)).lease(token.tid) is not None


async def test_approving_one_token_approves_no_other(console: Console):
    """The machine is known; a token that never was used on it is not told to it."""
    ann, machine = await person(console), Machine()
    _, one = await console.tokens.create(ann.id, "A")
    _, other = await console.tokens.create(ann.id, "B")
    await approve(console, one, machine)

    assert set((await offer(console, machine)).tokens) == {one.tid}
    async with console.db.begin() as session:
        await locked_user(session, ann.id)
        assert await console.leases.make(session, other.tid, machine.did) is None


@pytest.mark.alike
async def test_a_machine_that_speaks_is_online(console: Console, clock: Clock):
    """For a minute; what it says of itself is cut and made printable."""
    ann, machine = await person(console), Machine("x" * 300 + "\n\x00")
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    online = (await console.devices.get(ann.id, machine.did)).is_online
    clock.forward(60)
    shown = await console.devices.get(ann.id, machine.did)
    await console.devices.heard(machine.did, "203.0.113.9")
    again = await console.devices.get(ann.id, machine.did)

    assert (online, shown.is_online, again.is_online) == (True, False, True)
    assert shown.hostname == "x" * 255
    assert again.ip == "203.0.113.9"
