"""Tokens in the place of others: what they take over, and how long they live."""

from __future__ import annotations

import pytest
from console_fixtures import FINGERPRINT, Machine, approve, offer, person

from gateway.console.errors import Invalid
from gateway.console.service import Console

HOUR_S = 3600


@pytest.mark.alike
async def test_a_new_token_takes_over_the_machines_of_the_one_before(console: Console):
    """Those that are approved, with their terminal, and at once; not one that was revoked."""
    ann, desk, lost = await person(console), Machine(), Machine("lost")
    _, old = await console.tokens.create(ann.id, "A")
    for machine in (desk, lost):
        await approve(console, old, machine)
    await console.devices.revoke(ann.id, lost.did)
    _, new = await console.tokens.replace(ann.id, old.tid)

    told = await offer(console, desk)
    (device,) = told.record(new.tid).devices
    assert (device.did, device.status, device.terminal_fp) == (desk.did, "approved", FINGERPRINT)
    assert told.lease(new.tid) is not None
    assert told.tokens[new.tid].server_key is not None
    assert told.lease(old.tid) is not None, "both work"
    assert new.tid not in (await offer(console, lost)).tokens
    (line,) = await console.terminals.lines_of(new)
    assert (line.state, line.did) == ("unused", desk.did), "no terminal has come with it"


@pytest.mark.parametrize("lifetime_s", [59, 3650 * 24 * HOUR_S + 1])
async def test_a_lifetime_beyond_its_bounds_is_refused(console: Console, lifetime_s: int):
    """Of a new token, and of one in another's place; one that never ends has none."""
    ann = await person(console)
    _, token = await console.tokens.create(ann.id, "A", lifetime_s=60)
    with pytest.raises(Invalid):
        await console.tokens.create(ann.id, "B", lifetime_s=lifetime_s)
    with pytest.raises(Invalid):
        await console.tokens.replace(ann.id, token.tid, lifetime_s=lifetime_s)
    _, same = await console.tokens.replace(ann.id, token.tid)
    _, own = await console.tokens.replace(ann.id, same.tid, lifetime_s=5 * HOUR_S)
    _, never = await console.tokens.replace(ann.id, own.tid, lifetime_s=None)
    assert [token.exp and token.exp - token.created_at for token in (same, own, never)] == [
        *(60, 5 * HOUR_S),
        None,
    ]
