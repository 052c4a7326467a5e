"""A manager's commands: carried out once, answered from the table after that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ea_bridge.commands import FILE_WRITE_ERROR, TOO_LATE, NoParams, ResultsParams
from ea_bridge.endpoint.results import ResultStore
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager.endpoint import CommandRefused, ManagerExecutor, ResultUnknown
from ea_bridge.mt4_manager.model import Transacted, TransactionParams
from ea_bridge.protocol.messages import Cmd, Res

BOOKING = TransactionParams(cmd=6, orderby=1, price=1.0)


class FakeCommandHandler:
    """Books, or fails as it is told to."""

    def __init__(self) -> None:
        self.booked: list[str] = []
        self.fault: Exception | None = None

    def answer(self, op: str, _: Struct) -> Any:
        self.booked.append(op)
        if self.fault is not None:
            raise self.fault
        return Transacted(order=len(self.booked))


class Bench:
    def __init__(self, path: Path | None = None, room: int = 4) -> None:
        self.handler = FakeCommandHandler()
        self.executor = ManagerExecutor(self.handler, ResultStore(path, room=room))

    def book(self, command_id: int, **others: Any) -> list[Res]:
        cmd = Cmd(id=command_id, op="trade_transaction", params=BOOKING, ttl=100)
        return self.executor.execute(cmd, **others)

    def ask(self, op: str, params: Any) -> Res:
        [res] = self.executor.execute(Cmd(id=1, op=op, params=params))
        return res

    def look_up(self, *ids: int) -> list[commands.StoredManagerResult]:
        params = ResultsParams(ids=",".join(map(str, ids)))
        res = self.ask("results_get", params)
        return msgspec.json.decode(res.d, type=list[commands.StoredManagerResult])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_booking_that_comes_again_is_not_made_again(bench: Bench):
    """It gets the first answer."""
    assert bench.book(7) == bench.book(7)
    assert bench.handler.booked == ["trade_transaction"]


def test_a_refusal_is_remembered_too(bench: Bench):
    """What was refused is not booked when the reason is gone."""
    bench.handler.fault = CommandRefused("no money", retcode=134)
    first = bench.book(7)
    bench.handler.fault = None

    assert bench.book(7) == first
    assert (first[0].ok, first[0].retcode, first[0].msg) == (False, 134, "no money")
    [stored] = bench.look_up(7)
    assert (stored.state, stored.ok, stored.retcode) == ("done", False, 134)


def test_a_peer_that_dies_over_a_booking_answers_nobody(bench: Bench):
    """Neither then nor when it comes again; it stays taken."""
    bench.handler.fault = ResultUnknown("died")

    assert bench.book(7) == []
    bench.handler.fault = None
    assert bench.book(7) == []
    assert bench.handler.booked == ["trade_transaction"]
    assert [one.state for one in bench.look_up(7)] == ["taken"]


def test_a_booking_that_fails_by_our_fault_may_have_been_made(bench: Bench):
    """The code says so, now and when it comes again."""
    bench.handler.fault = RuntimeError("secret")

    [res] = bench.book(7)
    bench.handler.fault = None

    assert (res.ok, res.err, res.retcode) == (False, 4024, 128)
    assert "secret" not in res.msg
    assert bench.book(7) == [res]
    assert bench.handler.booked == ["trade_transaction"]


def test_a_booking_that_waited_too_long_is_not_made(bench: Bench):
    """Not then and not later."""
    [late] = bench.book(7, waited_ms=101)

    assert late.err == TOO_LATE
    assert bench.book(7, waited_ms=0) == [late]
    assert bench.handler.booked == []
    assert bench.book(8, waited_ms=100)[0].ok


def test_a_booking_that_cannot_be_noted_is_not_made(tmp_path: Path):
    """It could be made twice."""
    bench = Bench(tmp_path / "gone" / "results")

    [res] = bench.book(7)

    assert (res.ok, res.err) == (False, FILE_WRITE_ERROR)
    assert bench.handler.booked == []


def test_a_peer_that_died_over_a_booking_does_not_make_it_again(tmp_path: Path):
    """The file says that it was taken."""
    path = tmp_path / "results"
    ResultStore(path, room=4).take(7)

    bench = Bench(path)

    assert bench.book(7) == []
    assert bench.handler.booked == []


def test_what_is_told_of_a_command_depends_on_how_far_the_table_reaches(bench: Bench):
    """Done with its answer, absent, or forgotten."""
    bench.ask("results_get", ResultsParams(ids="5"))  # id 1: the table begins there
    for command_id in (3, 4, 5, 6, 7):
        bench.book(command_id)

    stored = bench.look_up(0, 3, 4, 7, 8)

    states = [one.state for one in stored]
    assert states == ["forgotten", "forgotten", "done", "done", "absent"]
    assert msgspec.json.decode(stored[3].d, type=Transacted).order == 5


@pytest.mark.parametrize("ids", ["", "1,", "-1", "1,x", "\u0661", ",".join(["1"] * 257)])
def test_ids_that_are_none_are_refused(bench: Bench, ids: str):
    """With the error of a wrong parameter."""
    assert bench.ask("results_get", ResultsParams(ids=ids)).err == 4003


def test_what_is_no_command_is_not_handed_on(bench: Bench):
    """Unknown to us, or malformed."""
    assert bench.ask("fly", msgspec.UNSET).err == 4014
    assert bench.ask("ping", msgspec.UNSET).err == 4003
    assert bench.handler.booked == []


def test_a_question_that_fails_is_answered(bench: Bench):
    """Without a word of what failed; it can be asked again."""
    bench.handler.fault = RuntimeError("secret")

    res = bench.ask("ping", NoParams())

    assert (res.ok, res.err) == (False, 4024)
    assert "secret" not in res.msg


def test_a_booking_is_on_the_disk_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A table that has to outlive the machine waits for the disk, at each note."""
    synced: list[bytes] = []
    path = tmp_path / "results"
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.read_bytes()))

    table = ResultStore(path, room=4, durable=True)
    table.take(7)

    # the file, and its place in the folder once
    assert synced == [b'{"id":7}\n'] * (1 if sys.platform == "win32" else 2)
    table.take(8)
    assert synced[-1] == b'{"id":7}\n{"id":8}\n'
    assert synced.count(synced[-1]) == 1


def test_a_table_that_was_synced_tells_what_was_never_taken(tmp_path: Path):
    """Also to the next run of the peer."""
    table = ResultStore(tmp_path / "results", room=4, durable=True)
    table.asked(5)
    table.take(7)

    again = ResultStore(tmp_path / "results", room=4, durable=True)

    assert [again.state(one) for one in (4, 5, 6, 7, 8)] == [
        *("forgotten", "absent", "absent", "taken", "absent")
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="there the folder's rights count")
def test_nobody_else_may_read_what_was_done(tmp_path: Path):
    """A new user's name is in the answer; the file that is written anew is as private."""
    path = tmp_path / "results"
    bench = Bench(path, room=1)
    for command_id in range(1, 10):
        bench.book(command_id)
        assert path.stat().st_mode & 0o077 == 0
