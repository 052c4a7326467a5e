"""How a token ends, and who hears of it."""

from __future__ import annotations

import asyncio

import pytest
from gate_house import House, delivered, reason

from ea_bridge.token import parse_token
from gateway.auth import gate as module
from gateway.credentials.keyset import DAY_S


async def test_a_token_ends_exactly_at_its_expiry(house: House) -> None:
    """The second named in the record is the first that is refused."""
    token, caller = house.admit(lifetime_s=60)
    house.now += 59
    house.gate.recheck(caller)
    house.gate.admit(token)
    house.now += 1
    assert reason(lambda: house.gate.recheck(caller)) == "expired"
    assert reason(lambda: house.gate.admit(token)) == "expired"


async def test_an_expiry_is_told_once(house: House) -> None:
    """So that connections that say nothing end too."""
    _, caller = house.admit(lifetime_s=60)
    house.gate.expire()
    await delivered()
    assert house.changes == []
    house.now += 60
    for _ in range(3):
        house.gate.expire()
    await delivered()
    assert house.changes == [(caller.tid, "expired")]


async def test_a_revocation_is_seen_at_once(house: House) -> None:
    """By the very next check, and told to all who listen."""
    token, caller = house.admit()
    house.home.issuer.revoke("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    assert reason(lambda: house.gate.admit(token)) == "revoked"
    await delivered()
    assert house.changes == [(caller.tid, "revoked")]


async def test_a_revocation_by_another_process_is_seen_at_once(house: House) -> None:
    """Nothing but the database connects the two."""
    _, caller = house.admit()
    house.gate.recheck(caller)
    house.revoke_elsewhere("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"


async def test_a_silent_connection_hears_of_a_revocation(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch looks by itself, without any call."""
    monkeypatch.setattr(module, "POLL_S", 0.001)
    token, _ = house.admit()
    told = asyncio.get_running_loop().create_future()
    house.gate.on_change(lambda tid, why: told.set_result((tid, why)))
    watching = asyncio.create_task(house.gate.watch())
    house.home.issuer.revoke("demo")
    assert await told == (parse_token(token), "revoked")
    watching.cancel()


async def test_listeners_are_called_from_the_loop(house: House) -> None:
    """Never from inside a check: it may stand in the middle of writing an order."""
    _, caller = house.admit()
    house.home.issuer.revoke("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    assert house.changes == []
    await delivered()
    assert len(house.changes) == 1


async def test_who_looks_for_endings_is_not_left_waiting(house: House) -> None:
    """What looks by itself tells before it returns: until then events would still go out."""
    token, _ = house.admit()
    house.home.issuer.revoke("demo")
    house.gate.expire()
    assert house.changes == [(parse_token(token), "revoked")]
    await delivered()
    assert len(house.changes) == 1


async def test_a_listener_that_fails_keeps_no_other_from_hearing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Each ends what is its own."""
    heard: list[str] = []
    house.gate.on_change(lambda tid, why: [][0])
    house.gate.on_change(lambda tid, why: heard.append(why))
    house.admit()
    house.home.issuer.revoke("demo")
    house.gate.expire()
    assert heard == ["revoked"]
    assert "was not ended" in caplog.text


async def test_a_listener_can_leave(house: House) -> None:
    """What it gets back ends it."""
    heard: list[str] = []
    leave = house.gate.on_change(lambda tid, why: heard.append(tid))
    leave()
    house.admit()
    house.home.issuer.revoke("demo")
    house.gate.refresh()
    await delivered()
    assert heard == []
    assert len(house.changes) == 1


async def test_other_tokens_go_on(house: House) -> None:
    """A revocation ends one token."""
    house.admit("one")
    _, other = house.admit("two")
    house.home.issuer.revoke("one")
    house.gate.recheck(other)
    await delivered()
    assert len(house.changes) == 1


async def test_replacing_a_token_cuts_nobody_off(house: House) -> None:
    """The old one goes on until the overlap ends, then it ends."""
    old_token, old = house.admit()
    new_token_, _ = house.home.issuer.replace("demo", overlap_s=3600)
    house.gate.recheck(old)
    house.gate.admit(old_token)
    new = house.gate.admit(new_token_)
    assert new.terminal == old.terminal
    await delivered()
    assert house.changes == []
    house.now += 3600
    house.gate.expire()
    assert reason(lambda: house.gate.recheck(old)) == "expired"
    house.gate.recheck(new)
    await delivered()
    assert house.changes == [(old.tid, "expired")]


async def test_new_keys_of_the_issuer_change_nothing_for_callers(house: House) -> None:
    """The records are signed anew, the rights are the same."""
    _, caller = house.admit()
    house.now += 80 * DAY_S
    house.home.issuer.renew()
    house.gate.recheck(caller)
    await delivered()
    assert house.changes == []


async def test_a_signature_counts_as_long_as_its_key(house: House) -> None:
    """Without a renewal everything ends with the key; with one it goes on."""
    token, _ = house.admit()
    house.now += 90 * DAY_S
    assert reason(lambda: house.gate.admit(token)) == "lease_expired"
    house.home.issuer.renew()
    house.gate.admit(token)


async def test_the_watch_has_the_issuer_renew_its_keys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once an hour, so that a daemon that runs for months goes on."""
    monkeypatch.setattr(module, "POLL_S", 0.001)
    renewed = asyncio.Event()
    watching = asyncio.create_task(house.gate.watch(renewed.set))
    await asyncio.sleep(0.01)
    house.monotonic += module.RENEW_S - 1
    await asyncio.sleep(0.01)
    assert not renewed.is_set()
    house.monotonic += 1
    await asyncio.wait_for(renewed.wait(), 60)
    watching.cancel()
