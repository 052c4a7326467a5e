"""What became of a change whose answer did not come: found out, answered, and never done twice."""

from __future__ import annotations

from typing import Any

import pytest
from deposit_scene import (  # noqa: F401 (fixtures)
    balance,
    deposit,
    linked_house,
    running_house,
    states,
)
from manager_house import ManagerHouse
from product import until

from ea_bridge.commands import StoredResult
from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.model import ReturnCode
from gateway.mt4_manager import changes
from gateway.mt4_manager import changes as finder_module
from gateway.mt4_manager.journal import Entry, new_tag

DONE = ("cut_unacked", "cut_after_ack", "cut_after_result", "lose_result", "crash_after")
"""Faults after which the server has done it."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@pytest.mark.parametrize("fault", DONE)
async def test_what_was_done_is_answered(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """By the caller who waits, or by whoever repeats the request; once."""
    monkeypatch.setattr(changes, "CHANGE_S", 0.5 if fault == "lose_result" else 20.0)
    before = balance(house)
    setattr(house.server.faults, fault, 1)
    first = await deposit(house, f"done-{fault}")
    assert first.status == 200, first
    again = await deposit(house, f"done-{fault}")
    assert again.body == first.body
    assert balance(house) == before + 10
    assert states(house, f"done-{fault}") == "done"


@pytest.mark.parametrize("fault", ["", "cut_after_ack"])
async def test_a_user_is_made_once_and_not_kept(house: ManagerHouse, fault: str) -> None:
    """Whoever asks again is shown him as he is by then. The gateway's ledger knows his login and
    that is all: who he is and where he lives stays with the server, in all files of the home.
    """
    name = f"Planted {fault or 'plainly'}"
    who = {"group": "demoforex", "name": name, "password": "Secret12", "leverage": 100}
    key = {"Idempotency-Key": f"user-{fault}"}
    count = len(house.server.books.accounts)
    if fault:
        setattr(house.server.faults, fault, 1)
    made = await house.ask("POST", "users/", who, headers=key)
    assert made.status == 201, made
    user = made.body["user"]
    assert user["name"] == name
    moved = await house.ask("PUT", f"users/{user['login']}", {"city": "Plantville"})
    assert moved.body["user"]["city"] == "Plantville"
    again = await house.ask("POST", "users/", who, headers=key)
    assert again.status == 201
    assert again.body["user"] == moved.body["user"]
    assert len(house.server.books.accounts) == count + 1
    files = [one for one in house.product.home.folder.rglob("*") if one.is_file()]
    assert [one.name for one in files if b"Plant" in one.read_bytes()] == []


@pytest.mark.parametrize("fault", ["cut_before_ack", "crash_before"])
async def test_what_was_not_done_is_done_once_it_is_asked_for_again(
    house: ManagerHouse, fault: str
) -> None:
    """The caller is told that nothing was done; under the same key it then is."""
    before = balance(house)
    setattr(house.server.faults, fault, 1)
    first = await deposit(house, f"not-{fault}")
    assert first.status == 503
    assert "not done" in first.detail
    assert balance(house) == before
    assert states(house, f"not-{fault}") == "not_sent"
    assert (await deposit(house, f"not-{fault}")).status == 200
    assert (await deposit(house, f"not-{fault}")).status == 200
    assert balance(house) == before + 10


async def test_a_booking_is_found_by_its_tag(house: ManagerHouse) -> None:
    """The peer died over it and has lost its memory: the comment of the booking tells."""
    before = balance(house)
    house.server.faults.crash_after = house.server.faults.lose_memory = 1
    first = await deposit(house, "by-tag")
    assert first.status == 200
    assert first.body["order"] == house.server.books.last_order
    assert balance(house) == before + 10


async def test_a_timeout_of_the_server_leaves_it_open(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``RET_TRADE_TIMEOUT`` is no refusal: the tag tells whether it was done, here that it was
    not, and there that it was.
    """
    real = house.server.trades.transact

    for was_done in (False, True):

        def timing_out(params: Any, was_done: bool = was_done) -> Any:
            if was_done:
                real(params)
            raise CommandRefused("no answer in time", retcode=ReturnCode.TRADE_TIMEOUT)

        before = balance(house)
        monkeypatch.setitem(house.server._answers, "trade_transaction", timing_out)
        answered = await deposit(house, f"timeout-{was_done}")
        assert answered.status == (200 if was_done else 503)
        assert balance(house) == before + (10 if was_done else 0)


@pytest.fixture
def silent(house: ManagerHouse, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The server takes bookings, and neither makes them nor says so; they are collected here."""
    taken: list[Any] = []

    def timing_out(params: Any) -> Any:
        taken.append(params)
        raise CommandRefused("no answer in time", retcode=ReturnCode.TRADE_TIMEOUT)

    monkeypatch.setitem(house.server._answers, "trade_transaction", timing_out)
    monkeypatch.setattr(changes, "FIND_S", 0.1)
    return taken


async def test_the_clock_of_the_wall_gives_nothing_up(
    house: ManagerHouse, silent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A booking that the server may be at work on stays open when our clock is set forward; what
    it then makes is found, and is not made again.
    """
    finder, before = house.manager.changes.finder, balance(house)
    monkeypatch.setattr(finder_module, "SETTLE_S", 60.0)
    assert (await deposit(house, "wall")).status == 504
    real_ms = finder._now_ms
    monkeypatch.setattr(finder, "_now_ms", lambda: real_ms() + 3_600_000)
    for _ in range(2):
        assert await finder.look() == 1
        assert states(house, "wall") == "unknown"
    house.server.trades.transact(silent[0])
    assert await finder.look() == 0
    assert (await deposit(house, "wall")).status == 200
    assert len(silent) == 1
    assert balance(house) == before + 10


async def test_the_last_look_is_through_all_there_is(
    house: ManagerHouse, silent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our clock was years ahead when the booking was sent: it is not where it would be."""
    finder, before = house.manager.changes.finder, balance(house)
    made_ms = 4_000_000_000_000
    monkeypatch.setattr(finder_module, "SETTLE_S", 60.0)
    monkeypatch.setattr(house.manager.changes, "_now_ms", lambda: made_ms)
    assert (await deposit(house, "years")).status == 504
    house.server.trades.transact(silent[0])
    assert await finder.look() == 1
    monkeypatch.setattr(finder_module, "SETTLE_S", 0.0)
    assert await finder.look() == 0
    assert (await deposit(house, "years")).status == 200
    assert balance(house) == before + 10


async def test_an_account_that_is_gone_keeps_no_other_back(
    house: ManagerHouse, silent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its booking nothing can be found out: a person has to look. The next one is found."""
    finder = house.manager.changes.finder
    monkeypatch.setattr(finder_module, "SETTLE_S", 60.0)
    who = {"group": "demoforex", "name": "Ann Example", "password": "Secret12", "leverage": 100}
    made = await house.ask("POST", "users/", who)
    login, key = made.body["user"]["login"], {"Idempotency-Key": "gone"}
    path, body = f"accounts/{login}/deposit", {"amount": 10}
    assert (await house.ask("POST", path, body, headers=key)).status == 504
    assert (await deposit(house, "stays")).status == 504
    house.server.trades.transact(silent[1])
    gone = await house.ask(
        "POST", "admin/users/group-op", {"command": "delete", "logins": [login]}
    )
    assert gone.status == 200
    assert await finder.look() == 1
    assert (states(house, "gone"), states(house, "stays")) == ("unknown", "done")
    monkeypatch.setattr(finder_module, "SETTLE_S", 0.0)
    assert await finder.look() == 0
    assert states(house, "gone") == "lost"


@pytest.mark.parametrize(("peer", "next_one"), [("a" * 64, "b" * 64), ("", "")])
async def test_another_peer_does_not_know_what_the_first_has_done(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch, peer: str, next_one: str
) -> None:
    """The machine of the peer is lost with the answer; the one that takes its place has never
    seen the command, and remembers well: so the booking is looked for. Peers that do not tell
    who they are may be others each time.
    """
    results, before = house.server.results, balance(house)
    monkeypatch.setattr(house.server, "fingerprint", peer)
    first_link = house.manager.registry.get("mt4")
    assert first_link is not None
    first_link.close("shutdown")
    await house.begin_anew()
    session = house.manager.registry.get("mt4")
    assert session is not None
    stood_by = session.new_command_id()  # so it has seen older commands
    monkeypatch.setattr(house.server, "fingerprint", next_one)
    lose = results.lose

    def lose_and_take_over() -> None:
        lose()
        results.asked(stood_by)

    monkeypatch.setattr(results, "lose", lose_and_take_over)
    monkeypatch.setattr(results, "reload", lambda: None)
    house.server.faults.crash_after = house.server.faults.lose_memory = 1
    first = await deposit(house, f"other-{peer[:1]}")
    assert first.status == 200
    assert balance(house) == before + 10
    house.server.faults.crash_after = 1
    lost = await house.ask("PUT", "users/100001", {"city": "Oslo"})
    assert lost.status == 504


async def test_nobody_can_tell_of_other_changes(house: ManagerHouse) -> None:
    """A peer that died over the change of a user: the operator is told to look, and nothing is
    sent anew.
    """
    house.server.faults.crash_after = house.server.faults.lose_memory = 1
    key = {"Idempotency-Key": "lost"}
    for _ in range(2):
        lost = await house.ask("PUT", "users/100001", {"city": "Oslo"}, headers=key)
        assert lost.status == 504
        assert "look at the record" in lost.detail
    assert states(house, "lost") == "lost"


async def test_what_may_be_on_its_way_is_not_given_up(house: ManagerHouse) -> None:
    """That the peer has not seen a command says nothing while the link stands that it was written
    to; on the next link it does.
    """
    journal, finder = house.manager.journal, house.manager.changes.finder
    session = house.manager.registry.get("mt4")
    assert session is not None
    entry = Entry(
        key="on-its-way",
        tag=new_tag(),
        fingerprint=b"f",
        operator="admin",
        operation="deposit",
        op="trade_transaction",
        facts={"login": 100_001},
        command_id=session.new_command_id(),
        link=finder.link_of(session),
        created_ms=1_800_000_000_000,
    )
    begun = await journal.begin(entry)
    assert await finder.look() == 1
    assert journal.get(begun.id).is_open
    session.close("shutdown")
    await house.begin_anew()
    await until(lambda: states(house, "on-its-way") == "not_sent")


async def test_an_answer_of_whoever_came_meanwhile_is_not_taken(
    house: ManagerHouse, silent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question what became of a booking was for the peer that was there; another one has come
    before it was written, and has never seen that.
    """
    finder, session = house.manager.changes.finder, house.manager.registry.get("mt4")
    assert session is not None
    ask = finder._results
    monkeypatch.setattr(finder_module, "SETTLE_S", 60.0)
    assert (await deposit(house, "meanwhile")).status == 504
    entry = house.manager.journal.find("admin", "meanwhile")
    assert entry is not None

    async def others(entries: Any) -> Any:
        if session.end_reason:
            return {}  # what looks by itself, on the new link, is told nothing yet
        session.close("shutdown")
        await house.begin_anew()
        return {one.command_id: StoredResult(id=one.command_id, state="absent") for one in entries}

    monkeypatch.setattr(finder, "_results", others)
    monkeypatch.setattr(finder_module, "_is_peer_of", lambda *_: True)
    monkeypatch.setattr(finder, "link_of", lambda _: "another")
    assert await finder.look() == 1
    assert states(house, "meanwhile") == "unknown"
    monkeypatch.setattr(finder, "_results", ask)
    house.server.trades.transact(silent[0])
    await finder.look()
    assert states(house, "meanwhile") == "done"
