"""Tokens of the console that are suspended, and resumed."""

from __future__ import annotations

import pytest
from console_fixtures import Machine, approve, offer, person

from gateway.console.errors import Taken
from gateway.console.service import Console


@pytest.mark.alike
async def test_a_suspended_token_opens_nothing_until_it_is_resumed(console: Console):
    """Its leases are worth nothing any more."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    given = (await offer(console, machine)).lease(token.tid)
    await console.tokens.suspend(ann.id, token.tid)
    suspended = await offer(console, machine)
    await console.tokens.resume(ann.id, token.tid)
    resumed = await offer(console, machine)

    assert given is not None
    assert suspended.record(token.tid).status == "disabled"
    assert suspended.lease(token.tid) is None
    assert resumed.record(token.tid).status == "active"
    again = resumed.lease(token.tid)
    assert again is not None
    assert again.epoch > given.epoch


@pytest.mark.alike
async def test_a_resumed_token_needs_its_name(console: Console):
    """Another one may have it by now."""
    ann = await person(console)
    _, first = await console.tokens.create(ann.id, "A")
    await console.tokens.suspend(ann.id, first.tid)
    await console.tokens.create(ann.id, "A")

    with pytest.raises(Taken):
        await console.tokens.resume(ann.id, first.tid)


async def test_a_token_is_resumed_beside_the_one_that_it_replaces(console: Console):
    """That has its name, too, and works until the overlap is over."""
    ann = await person(console)
    _, old = await console.tokens.create(ann.id, "A")
    _, new = await console.tokens.replace(ann.id, old.tid)
    await console.tokens.suspend(ann.id, new.tid)

    assert (await console.tokens.resume(ann.id, new.tid)).is_live
    assert (await console.tokens.get(ann.id, old.tid)).is_live
