"""Tokens of the console: made, replaced, suspended, revoked; whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from console_fixtures import Clock, Machine, approve, events, offer, person

from ea_bridge.token import derive_keys, parse_token
from gateway.console.errors import Invalid, NotFound, Taken, TooMany
from gateway.console.service import Console
from gateway.credentials.envelope import decode64
from gateway.credentials.keyset import open_keyset
from gateway.credentials.record import TradeLimits, open_record

HOUR_S = 3600


@pytest.mark.alike
async def test_a_token_is_known_by_its_derived_keys_alone(console: Console):
    """Its record checks a holder; the offer to an approved device has the server key."""
    ann = await person(console)
    text, token = await console.tokens.create(ann.id, "MT5-Live", platform="mt5")
    machine = Machine()
    await approve(console, token, machine)

    told = await offer(console, machine)
    record, keys = told.record(token.tid), derive_keys(text)

    assert parse_token(text) == token.tid
    assert record.stored_key == keys.stored_key.hex()
    assert decode64(told.tokens[token.tid].server_key or "") == keys.server_key
    assert (record.label, record.platform, record.status) == ("MT5-Live", "mt5", "active")


@pytest.mark.alike
async def test_a_name_has_one_live_token(console: Console, clock: Clock):
    """Of one user; a revoked or expired one makes room, another user's does not matter."""
    ann, bob = await person(console), await person(console, "bob")
    _, first = await console.tokens.create(ann.id, "A", lifetime_s=HOUR_S)
    await console.tokens.create(bob.id, "A")
    with pytest.raises(Taken):
        await console.tokens.create(ann.id, "A")

    clock.forward(HOUR_S)
    _, second = await console.tokens.create(ann.id, "A")
    await console.tokens.revoke(ann.id, second.tid)
    await console.tokens.create(ann.id, "A")

    assert [
        token.status for token in await console.tokens.list(ann.id) if token.tid == first.tid
    ] == ["expired"]


async def test_a_replaced_token_goes_on_for_the_overlap(console: Console, clock: Clock):
    """Not longer. The new one has the same rights, and the life the old one was made for."""
    ann = await person(console)
    limits = TradeLimits(max_lot="0.5")
    _, old = await console.tokens.create(
        ann.id, "A", platform="mt4", scopes=("read",), lifetime_s=100 * HOUR_S, limits=limits
    )
    clock.forward(HOUR_S)
    _, new = await console.tokens.replace(ann.id, old.tid, overlap_s=HOUR_S)
    before = await console.tokens.get(ann.id, old.tid)
    clock.forward(HOUR_S)
    after = await console.tokens.get(ann.id, old.tid)

    assert (before.status, before.is_live, before.replaced_by) == ("superseded", True, new.tid)
    assert (after.status, after.is_live) == ("expired", False)
    assert (new.platform, new.scopes, new.limits) == ("mt4", ("read",), limits)
    assert new.exp == new.created_at + 100 * HOUR_S


async def test_replacing_at_once_revokes_the_old_token(console: Console):
    """And so does replacing a token that is being replaced already."""
    ann, machine = await person(console), Machine()
    _, first = await console.tokens.create(ann.id, "A")
    await approve(console, first, machine)
    _, second = await console.tokens.replace(ann.id, first.tid)
    _, third = await console.tokens.replace(ann.id, second.tid, overlap_s=0)

    states = {token.tid: token.status for token in await console.tokens.list(ann.id)}
    assert states == {first.tid: "revoked", second.tid: "revoked", third.tid: "active"}
    told = [(event.type, event.tid) for event in await events(console, machine)]
    assert told[:3] == [
        ("device.approved", first.tid),
        ("token.updated", second.tid),
        ("token.updated", first.tid),
    ]
    assert told[3] == ("token.updated", third.tid)
    assert sorted(told[4:]) == sorted(("token.revoked", ended.tid) for ended in (first, second))


@pytest.mark.alike
async def test_an_overlap_is_a_day_at_most(console: Console):
    """And not negative."""
    ann = await person(console)
    _, token = await console.tokens.create(ann.id, "A")

    for overlap_s in (-1, 24 * HOUR_S + 1):
        with pytest.raises(Invalid):
            await console.tokens.replace(ann.id, token.tid, overlap_s=overlap_s)


@pytest.mark.alike
async def test_what_has_ended_is_not_replaced(console: Console):
    """A revoked token would come back to life."""
    ann = await person(console)
    _, token = await console.tokens.create(ann.id, "A")
    await console.tokens.revoke(ann.id, token.tid)

    with pytest.raises(NotFound):
        await console.tokens.replace(ann.id, token.tid)


@pytest.mark.alike
async def test_revoking_counts_version_and_epoch_on_and_tells_the_devices(console: Console):
    """All in one; revoking again changes nothing."""
    ann, here, there = await person(console), Machine("here"), Machine("there")
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, here)
    await approve(console, token, there)
    before = await offer(console, here)
    await console.tokens.revoke(ann.id, token.tid)
    await console.tokens.revoke(ann.id, token.tid)

    after = await offer(console, here)
    lease = before.lease(token.tid)
    last = (await events(console, here))[-1]
    assert lease is not None
    assert after.record(token.tid).status == "revoked"
    assert after.tokens[token.tid].lease is after.tokens[token.tid].server_key is None
    assert (last.type, last.tid, last.rec_ver) == (
        "token.revoked",
        token.tid,
        after.record(token.tid).rec_ver,
    )
    assert last.epoch > lease.epoch
    assert after.record(token.tid).rec_ver > before.record(token.tid).rec_ver
    assert [event.type for event in await events(console, there)] == [
        "device.approved",
        "token.revoked",
    ]


async def test_limits_reach_the_record(console: Console):
    """With a new version, and the same epoch: nothing is taken away."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    before = await offer(console, machine)
    limits = TradeLimits(max_lot="0.10", allowed_symbols=("EURUSD", "Götter"), collar_bps=5)
    await console.tokens.update_limits(ann.id, token.tid, limits, strict_terminal=False)

    after = await offer(console, machine)
    record, lease, old = after.record(token.tid), after.lease(token.tid), before.lease(token.tid)
    assert (record.limits, record.strict_terminal) == (limits, False)
    assert record.rec_ver == before.record(token.tid).rec_ver + 1
    assert lease is not None
    assert old is not None
    assert lease.epoch == old.epoch


@pytest.mark.alike
async def test_limits_bind_the_token_before_too(console: Console):
    """While it works beside the new one; it alone can be bounded more, and not the new one."""
    ann, machine = await person(console), Machine()
    _, old = await console.tokens.create(ann.id, "A")
    _, other = await console.tokens.create(ann.id, "B")
    await approve(console, old, machine)
    _, new = await console.tokens.replace(ann.id, old.tid)
    tight, tighter = TradeLimits(max_lot="0.1"), TradeLimits(max_lot="0")
    await console.tokens.suspend(ann.id, old.tid)
    await console.tokens.update_limits(ann.id, new.tid, tight)
    await console.tokens.resume(ann.id, old.tid)
    before = await offer(console, machine)
    assert before.record(old.tid).limits == tight
    await console.tokens.update_limits(ann.id, old.tid, tighter)
    after = await offer(console, machine)
    assert after.record(old.tid).limits == tighter
    assert after.record(old.tid).rec_ver > before.record(old.tid).rec_ver
    known = {token.tid: token.limits for token in await console.tokens.list(ann.id)}
    assert (known[new.tid], known[other.tid]) == (tight, TradeLimits())


@pytest.mark.alike
@pytest.mark.parametrize(
    "limits",
    [
        TradeLimits.model_construct(max_lot="-1"),
        TradeLimits.model_construct(max_lot="NaN"),
        TradeLimits.model_construct(collar_bps=-1),
        TradeLimits(allowed_symbols=()),
        TradeLimits(allowed_symbols=("",)),
        TradeLimits(allowed_symbols=("EUR\nUSD",)),
        TradeLimits(allowed_symbols=("A" * 33,)),
        TradeLimits(allowed_symbols=tuple(f"S{i}" for i in range(201))),
        TradeLimits(allowed_symbols=tuple(f"{i:03}" + "Ω" * 29 for i in range(199))),
    ],
)
async def test_limits_that_no_record_can_carry_are_refused(console: Console, limits: TradeLimits):
    """Before anything is written."""
    ann = await person(console)

    with pytest.raises(Invalid):
        await console.tokens.create(ann.id, "A", limits=limits)
    assert await console.tokens.list(ann.id) == []


@pytest.mark.alike
@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "a" * 65},
        {"name": "ä"},
        {"name": "a\n"},
        {"platform": "mt6"},
        {"scopes": ()},
        {"scopes": ("root",)},
        {"lifetime_s": 0},
        {"lifetime_s": -5},
        {"lifetime_s": 10**15},
    ],
)
async def test_a_token_with_a_wrong_argument_is_refused(console: Console, wrong: dict[str, Any]):
    """Whatever the page let through."""
    ann = await person(console)
    arguments = {"name": "A", **wrong}

    with pytest.raises(Invalid):
        await console.tokens.create(ann.id, **arguments)


@pytest.mark.alike
async def test_the_largest_record_fits_into_an_envelope(console: Console):
    """All limits and symbols that are allowed, and more devices than are told."""
    ann = await person(console)
    symbols = tuple(f"{i:04}{'X' * 12}" for i in range(190))
    limits = TradeLimits(
        max_lot="999999999.99999999", allowed_symbols=symbols, max_orders_per_min=10**9
    )
    _, token = await console.tokens.create(ann.id, "L" * 64, limits=limits)
    for number in range(25):
        await approve(console, token, Machine(f"m{number}"))

    envelope = await console.records.envelope(token.tid)
    keys = open_keyset(await console.signing.key_set(), await console.signing.root())
    record = open_record(envelope, keys.keys_for("rec", console.now_s()))
    assert len(record.devices) == 20
    assert record.limits.allowed_symbols == symbols


@pytest.mark.alike
async def test_another_users_token_is_not_there(console: Console):
    """For no act, in the same words as one that never was; and nothing changes."""
    ann, bob = await person(console), await person(console, "bob")
    _, token = await console.tokens.create(ann.id, "A")
    before = await console.tokens.get(ann.id, token.tid)
    acts = [
        lambda tid: console.tokens.get(bob.id, tid),
        lambda tid: console.tokens.revoke(bob.id, tid),
        lambda tid: console.tokens.suspend(bob.id, tid),
        lambda tid: console.tokens.resume(bob.id, tid),
        lambda tid: console.tokens.replace(bob.id, tid),
        lambda tid: console.tokens.update_limits(bob.id, tid, TradeLimits()),
    ]

    for act in acts:
        said = []
        for tid in (token.tid, "0" * 12):
            with pytest.raises(NotFound) as refused:
                await act(tid)
            said.append(str(refused.value))
        assert said[0] == said[1]
    assert await console.tokens.get(ann.id, token.tid) == before
    assert await console.tokens.list(bob.id) == []


async def test_fifty_revocations_at_once_leave_no_gap(console: Console):
    """Each is counted, for each of the two devices."""
    ann, here, there = await person(console), Machine("here"), Machine("there")
    tids = []
    for number in range(50):
        _, token = await console.tokens.create(ann.id, f"T{number}")
        tids.append(token.tid)
        await approve(console, token, here)
        if number % 2:
            await approve(console, token, there)
    before = await console.events.last(here.did)
    await asyncio.gather(*(console.tokens.revoke(ann.id, tid) for tid in tids))

    for machine, count in ((here, 50), (there, 25)):
        told = await events(console, machine)
        assert [line.seq for line in told] == list(range(1, len(told) + 1))
        revoked = [line.tid for line in told if line.type == "token.revoked"]
        assert len(revoked) == len(set(revoked)) == count
    assert await console.events.last(here.did) == before + 50


async def test_users_who_share_machines_revoke_at_once(console: Console):
    """Nobody waits for the other in a circle, whatever the order."""
    machines = [Machine(f"m{number}") for number in range(4)]
    acts: list[Coroutine[Any, Any, object]] = []
    for number in range(4):
        user = await person(console, f"user{number}")
        for name in ("A", "B"):
            _, token = await console.tokens.create(user.id, name)
            for machine in machines[number:] + machines[:number]:
                await approve(console, token, machine)
            acts.append(console.tokens.revoke(user.id, token.tid))
        acts.append(console.devices.revoke(user.id, machines[-number].did))
        acts += [console.offers.make(machine.did) for machine in machines]
    await asyncio.gather(*acts)

    for machine in machines:
        told = await events(console, machine)
        assert [line.seq for line in told] == list(range(1, len(told) + 1))
        assert len([line for line in told if line.type == "token.revoked"]) == 8


@pytest.mark.alike
async def test_a_disabled_user_makes_no_tokens(console: Console):
    """Even with a page that was open."""
    await person(console, "root", admin=True)
    ann = await person(console)
    await console.users.disable(ann.id)

    with pytest.raises(Invalid):
        await console.tokens.create(ann.id, "A")


@pytest.mark.alike
async def test_live_tokens_are_bounded(console: Console, monkeypatch: pytest.MonkeyPatch):
    """A user has no more than the bound."""
    monkeypatch.setattr("gateway.console.tokens.MAX_LIVE", 2)
    ann = await person(console)
    await console.tokens.create(ann.id, "A")
    await console.tokens.create(ann.id, "B")

    with pytest.raises(TooMany):
        await console.tokens.create(ann.id, "C")


@pytest.mark.alike
async def test_old_tokens_make_room(console: Console, monkeypatch: pytest.MonkeyPatch):
    """Revoked ones that were used nowhere are forgotten; others a device may still ask for."""
    monkeypatch.setattr("gateway.console.tokens.MAX_KEPT", 2)
    ann = await person(console)
    _, used = await console.tokens.create(ann.id, "used")
    await approve(console, used, Machine())
    _, unused = await console.tokens.create(ann.id, "unused")
    await console.tokens.revoke(ann.id, used.tid)
    await console.tokens.revoke(ann.id, unused.tid)
    _, new = await console.tokens.create(ann.id, "new")

    assert {token.tid for token in await console.tokens.list(ann.id)} == {used.tid, new.tid}
    with pytest.raises(TooMany):
        await console.tokens.create(ann.id, "another")


async def test_of_tokens_of_one_name_made_at_once_one_is_made(console: Console):
    """And of replacements of one token each has its turn: one is active in the end."""
    ann = await person(console)
    made = await asyncio.gather(
        *(console.tokens.create(ann.id, "A") for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in made) == ["Taken"] * 4 + ["tuple"]

    (first,) = await console.tokens.list(ann.id)
    await asyncio.gather(
        *(console.tokens.replace(ann.id, first.tid) for _ in range(3)), return_exceptions=True
    )
    states = [token.status for token in await console.tokens.list(ann.id)]
    assert states.count("active") == 1
