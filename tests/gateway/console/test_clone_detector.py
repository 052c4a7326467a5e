"""A machine that answers from two places: each who has approved it decides for himself."""

from __future__ import annotations

import pytest
from approval_fixtures import posts
from console_fixtures import Machine, approve, person

from gateway.console.service import Console

pytestmark = pytest.mark.alike


async def test_nobody_decides_for_another(console: Console):
    """Who copied a machine may have it approved for his account: that lifts nothing of hers."""
    ann, thief = await person(console), await person(console, "thief")
    machine = Machine()
    _, hers = await console.tokens.create(ann.id, "A")
    _, his = await console.tokens.create(thief.id, "B")
    await approve(console, hers, machine)
    await approve(console, his, machine)
    await console.clones.alarm(machine.did, "203.0.113.7", "198.51.100.9")
    assert await console.clones.held(machine.did) == {hers.tid, his.tid}

    await console.clones.resume(thief.id, machine.did)

    assert await console.clones.held(machine.did) == {hers.tid}
    assert await console.clones.suspended(thief.id) == {}
    assert list(await console.clones.suspended(ann.id)) == [machine.did]


async def test_a_second_alarm_warns_only_those_who_have_decided(console: Console):
    """The others know it already."""
    ann, bob = await person(console), await person(console, "bob")
    machine = Machine()
    for user in (ann, bob):
        _, token = await console.tokens.create(user.id, "A")
        await approve(console, token, machine)
    for _ in range(2):
        await console.clones.alarm(machine.did, "203.0.113.7", "198.51.100.9")
    assert len(await posts(console, "device-copied")) == 2
    await console.clones.resume(bob.id, machine.did)
    assert list(await console.clones.suspended(ann.id)) == [machine.did]
