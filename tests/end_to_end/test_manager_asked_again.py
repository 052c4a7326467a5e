"""Who asks again for a change gets its one answer, whatever became of caller, link or gateway."""

from __future__ import annotations

import asyncio

import pytest
from deposit_scene import (  # noqa: F401 (fixtures)
    balance,
    deposit,
    linked_house,
    running_house,
    states,
)
from manager_house import ManagerHouse, linked, open_house
from product import until

from ea_bridge.mt4_manager.emulator import Population, build_manager
from gateway.mt4_manager import changes

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


async def test_without_a_key_the_answer_names_one(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told that nothing is known can ask again, by the key that the answer names. Here
    nobody looks, and the server's own late answer tells.
    """

    async def blind(*_: object) -> int:
        return 0

    monkeypatch.setattr(changes, "CHANGE_S", 0.2)
    monkeypatch.setattr(changes, "FIND_S", 0.1)
    monkeypatch.setattr(house.manager.changes.finder, "look", blind)
    before = balance(house)
    house.server.faults.delay_result_ms = 1000
    first = await deposit(house, "")
    assert first.status == 504
    key = first.detail.partition("Idempotency-Key: ")[2].partition(",")[0]
    assert states(house, key) == "unknown"
    await until(lambda: states(house, key) == "done")
    again = await deposit(house, key)
    assert again.status == 200
    assert again.headers["Idempotency-Replayed"] == "true"
    assert balance(house) == before + 10


async def test_what_comes_too_late_is_to_be_sent_again(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has refused nothing: it was not asked. The same key books it once."""
    before, executor = balance(house), house.server.executor
    execute = executor.execute
    monkeypatch.setattr(executor, "execute", lambda cmd, **_: execute(cmd, waited_ms=cmd.ttl + 1))
    late = await deposit(house, "late")
    assert (late.status, states(house, "late")) == (503, "not_sent")
    assert "send it again" in late.detail
    monkeypatch.undo()
    assert (await deposit(house, "late")).status == 200
    assert balance(house) == before + 10


async def test_two_at_once_with_one_key_are_one(house: ManagerHouse) -> None:
    """Both get the one answer; so do fifty."""
    before = balance(house)
    answers = await asyncio.gather(*(deposit(house, "at-once") for _ in range(50)))
    assert {one.status for one in answers} == {200}
    assert len({one.body["order"] for one in answers}) == 1
    assert balance(house) == before + 10


async def test_a_row_that_was_not_seen_in_time(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever else wrote the key first: the transaction that begins a change sees it."""
    assert (await deposit(house, "unseen")).status == 200
    before = balance(house)
    monkeypatch.setattr(house.manager.journal, "find", lambda *_: None)
    again = await deposit(house, "unseen")
    assert again.status == 200
    assert again.headers["Idempotency-Replayed"] == "true"
    assert balance(house) == before


async def test_it_goes_on_where_the_caller_has_gone(house: ManagerHouse) -> None:
    """Who hangs up loses the answer, not the change; asking again brings it."""
    before = balance(house)
    house.server.faults.delay_result_ms = 300
    hasty = asyncio.create_task(deposit(house, "hasty"))
    await until(lambda: balance(house) == before + 10)
    hasty.cancel()
    house.server.faults.delay_result_ms = 0
    again = await deposit(house, "hasty")
    assert again.status == 200
    assert balance(house) == before + 10


async def test_what_was_open_when_the_gateway_died(
    house: ManagerHouse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The next run finds it out as soon as the peer links: its row was on the disk before."""
    folder = tmp_path_factory.mktemp("died") / "home"
    server = build_manager(password="the manager's at the server", population=Population(users=3))
    async with open_house(folder, server) as first:
        before = balance(first)
        first.server.faults.delay_result_ms = 60_000
        asking = asyncio.create_task(deposit(first, "died"))
        await until(lambda: balance(first) == before + 10)
        assert states(first, "died") == "sending"
    await asyncio.gather(asking, return_exceptions=True)
    server.faults.delay_result_ms = 0
    async with open_house(folder, server, again=True) as second:
        await until(lambda: states(second, "died") == "done")
        again = await deposit(second, "died")
        assert again.status == 200
        assert again.headers["Idempotency-Replayed"] == "true"
        assert balance(second) == before + 10


async def test_a_new_link_takes_over(house: ManagerHouse) -> None:
    """While no peer is linked a change is refused and nothing is written; then it goes on."""
    session = house.manager.registry.get("mt4")
    assert session is not None
    before = balance(house)
    session.close("shutdown")
    assert house.manager.registry.get("mt4") is None
    assert (await deposit(house, "no-link")).status == 503
    assert house.manager.journal.find("admin", "no-link") is None
    async with linked(house.product, house.server, house.token):
        await house.begin_anew()
        assert (await deposit(house, "no-link")).status == 200
    assert balance(house) == before + 10
