"""What a terminal remembers of the trades that it was asked for, and what it can tell of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from terminal_bench import Bench

from ea_bridge import commands
from ea_bridge.commands import MAX_RESULTS, ORDER_SEND, RESULTS_GET, TOO_LATE, StoredResult
from ea_bridge.emulator.executor import MAX_LINES, Crashed, TradeResultStore
from ea_bridge.emulator.terminal import BROKER_COMMENT
from ea_bridge.model import TradeRetcode
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.handshake import parse_caps


def res(id_: int) -> m.Res:
    return m.Res(id=id_, ok=True, d=msgspec.Raw(b'{"retcode":10009,"order":%d}' % id_))


def states(table: TradeResultStore, *ids: int) -> list[str]:
    return [one.state for one in table.look_up(ids)]


def buy(bench: Bench, id_: int, *, ttl: int = 0, waited_ms: float = 0.0) -> list[m.Res]:
    """Ask for a purchase under a known id."""
    cmd = m.Cmd(id=id_, op=ORDER_SEND.op, ttl=ttl, params=bench.buy_request())
    return bench.terminal.execute(cmd, waited_ms=waited_ms)


def known(bench: Bench, *ids: int) -> list[StoredResult]:
    """Ask the terminal what became of trades."""
    cmd = m.Cmd(id=9000, op=RESULTS_GET.op, params=RESULTS_GET.params(ids=",".join(map(str, ids))))
    [answer] = bench.terminal.execute(cmd)
    assert answer.ok, answer
    return msgspec.json.decode(answer.d, type=list[StoredResult])


@pytest.fixture(params=["memory", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "results" if request.param == "file" else None


# --- the table -----------------------------------------------------------------------------


def test_a_table_tells_what_it_knows(path: Path | None):
    """Taken, then done with the result; absent only where it has begun before that id."""
    table = TradeResultStore(path)
    assert states(table, 99, 101) == ["forgotten"] * 2
    table.asked(100)
    table.take(103)
    assert states(table, 99, 100, 102, 103, 104) == [
        *("forgotten", "absent", "absent", "taken", "absent")
    ]
    table.finish(res(103))
    [done] = table.look_up([103])
    assert (done.state, done.result and done.result.order) == ("done", 103)


def test_a_table_without_a_question_calls_nothing_absent():
    """Its first trade may be older than others that an earlier run has executed."""
    table = TradeResultStore()
    table.take(100)
    assert states(table, 99, 100, 101) == ["forgotten", "taken", "forgotten"]


def test_only_the_last_ones_are_kept(path: Path | None):
    """What had to make room is forgotten, never absent."""
    table = TradeResultStore(path)
    table.asked(1)
    for id_ in range(2, 2 + MAX_RESULTS + 3):
        table.take(id_)
        table.finish(res(id_))
    assert states(table, 1, 2, 4, 5, 2 + MAX_RESULTS + 3) == [
        *("forgotten", "forgotten", "forgotten", "done", "absent")
    ]


def test_a_file_keeps_the_table(tmp_path: Path):
    """A terminal that starts again knows what it has taken, however often that was; of others
    it cannot say that it never took them: a power cut may have lost the end of the file.
    """
    table = TradeResultStore(tmp_path / "results")
    table.asked(1)
    count = MAX_LINES + 10
    for id_ in range(2, 2 + count):
        table.take(id_)
        if id_ % 5:
            table.finish(res(id_))
    ids = range(count + 10)
    expected = [
        StoredResult(id=one.id, state="forgotten") if one.state == "absent" else one
        for one in table.look_up(ids)
    ]
    assert any(one.state == "done" for one in expected)
    again = TradeResultStore(tmp_path / "results")
    assert again.look_up(ids) == expected
    again.asked(count + 20)
    assert again.look_up(ids) == expected
    assert states(again, count + 19, count + 20) == ["forgotten", "absent"]
    lines = (tmp_path / "results").read_bytes().count(b"\n")
    assert lines <= MAX_LINES + 2


def test_a_note_that_was_cut_off_was_never_made(tmp_path: Path):
    """The trade of a half-written line was not executed; the lines before it count, and those
    that come after."""
    path = tmp_path / "results"
    table = TradeResultStore(path)
    table.asked(1)
    table.take(2)
    whole = path.read_bytes()
    table.take(3)
    cut = path.read_bytes()[: len(whole) + 4]
    path.write_bytes(cut)
    table = TradeResultStore(path)
    assert states(table, 2, 3) == ["taken", "forgotten"]
    table.take(4)
    assert states(TradeResultStore(path), 2, 3, 4) == ["taken", "forgotten", "taken"]


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b'{"id":"x"}\n', b"[]\n", b"\n"])
def test_a_damaged_file_counts_as_lost(tmp_path: Path, damage: bytes):
    """It may lack anything, so nothing is called absent by it."""
    path = tmp_path / "results"
    table = TradeResultStore(path)
    table.asked(1)
    table.take(2)
    path.write_bytes(damage + path.read_bytes())
    assert states(TradeResultStore(path), 1, 2, 3) == ["forgotten"] * 3


# --- trades ----------------------------------------------------------------------------------


def test_a_trade_that_comes_again_after_a_restart_is_not_executed(tmp_path: Path):
    """It gets the answer that it had; the broker goes on and has one position."""
    bench = Bench(results=tmp_path / "results")
    first = buy(bench, 77)
    bench.terminal.restart()
    assert buy(bench, 77) == first
    assert len(bench.broker.positions()) == 1
    assert known(bench, 77)[0].state == "done"


@pytest.mark.parametrize(("fault", "positions"), [("crash_before", 0), ("crash_after", 1)])
def test_a_trade_in_which_the_terminal_died(tmp_path: Path, fault: str, positions: int):
    """All that is known is that it was taken; if it comes again it is neither executed nor
    answered."""
    bench = Bench(results=tmp_path / "results")
    setattr(bench.faults, fault, 1)
    with pytest.raises(Crashed):
        buy(bench, 77)
    bench.terminal.restart()
    assert buy(bench, 77) == []
    assert known(bench, 77)[0].state == "taken"
    assert len(bench.broker.positions()) == positions


def test_a_terminal_that_loses_its_memory_calls_no_trade_of_before_absent(tmp_path: Path):
    """Only what was asked for after its first question."""
    bench = Bench(results=tmp_path / "results")
    buy(bench, 77)
    bench.terminal.restart(lose_results=True)
    hello = bench.terminal.hello("A1b2C3d4E5f6", "0" * 64)
    assert commands.SURE_ABSENT in parse_caps(hello.caps)
    assert [one.state for one in known(bench, 77, 8999, 9001)] == ["forgotten"] * 2 + ["absent"]


def test_a_restart_is_another_run_with_the_same_account():
    """Its events begin anew, and none of before is told again."""
    bench = Bench()
    bench.pulse(1)
    bench.buy()
    before = bench.terminal.hello("A1b2C3d4E5f6", "0" * 64)
    bench.terminal.restart()
    after = bench.terminal.hello("A1b2C3d4E5f6", "0" * 64)

    assert (after.login, after.q) == (before.login, 0)
    assert after.boot != before.boot
    assert bench.terminal.link_ready(ack=0) == []
    assert len(bench.broker.positions()) == 1


def test_a_refusal_is_a_result_too():
    """Of the broker by its retcode, of the terminal by its error."""
    bench = Bench()
    bench.broker.switches.autotrading = False
    [refused] = buy(bench, 77)
    late = buy(bench, 78, ttl=100, waited_ms=101)
    assert (refused.ok, late[0].ok, late[0].err) == (True, False, TOO_LATE)
    broker_said, terminal_said = known(bench, 77, 78)
    assert broker_said.result is not None
    assert broker_said.result.retcode == TradeRetcode.CLIENT_DISABLES_AT
    assert (terminal_said.result, terminal_said.err) == (None, TOO_LATE)


def test_a_trade_whose_time_is_over_is_not_executed():
    """Not later either; one whose time is not over is."""
    bench = Bench()
    assert buy(bench, 77, ttl=100, waited_ms=101)[0].err == TOO_LATE
    assert buy(bench, 77)[0].err == TOO_LATE
    assert bench.broker.positions() == []
    assert buy(bench, 78, ttl=100, waited_ms=99)[0].ok
    assert len(bench.broker.positions()) == 1


def test_a_trade_that_cannot_be_noted_is_not_executed(tmp_path: Path):
    """A terminal that could not tell afterwards must not begin."""
    (tmp_path / "folder").mkdir()
    bench = Bench(results=tmp_path / "folder" / "results")
    (tmp_path / "folder").rmdir()
    assert buy(bench, 77)[0].err == commands.FILE_WRITE_ERROR
    assert bench.broker.positions() == []
    assert known(bench, 77)[0].state != "done"


def test_malformed_ids_are_refused():
    """With the error of invalid params."""
    bench = Bench()
    for ids in ("", "1,", "1,x", "-1", "1.5", ",".join(["1"] * 257)):
        [answer] = bench.ask(RESULTS_GET, ids=ids)
        assert (answer.ok, answer.err) == (False, 4003), ids


def test_a_broker_may_rewrite_comments():
    """So nothing can be found by them."""
    bench = Bench()
    bench.faults.rewrite_comment = 1
    params = msgspec.structs.asdict(bench.buy_request()) | {"comment": "gAAAAAAAAA"}
    bench.result(ORDER_SEND, **params)
    bench.result(ORDER_SEND, **params)
    comments = [one.comment for one in bench.broker.positions()]
    assert comments == [BROKER_COMMENT, "gAAAAAAAAA"]


def test_a_full_table_without_a_horizon_gets_none(tmp_path: Path) -> None:
    """What a power cut took may be younger than what is forgotten for want of room."""
    path = tmp_path / "results"
    table = TradeResultStore(path)
    table.asked(1)
    for command_id in range(2, MAX_RESULTS + 2):
        table.take(command_id)
    *kept, _ = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(kept))
    again = TradeResultStore(path)
    again.take(MAX_RESULTS + 50)
    again.take(MAX_RESULTS + 51)
    assert states(again, MAX_RESULTS + 1) == ["forgotten"]
    again.asked(MAX_RESULTS + 52)
    assert states(again, MAX_RESULTS + 1, MAX_RESULTS + 52) == ["forgotten", "absent"]
