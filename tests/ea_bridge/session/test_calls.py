"""What becomes of a request, whatever the terminal and the network do."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import msgspec
import pytest
from bridge_parts import LiveSession, make_hello, raw

from ea_bridge import commands, model
from ea_bridge.errors import (
    CommandFailed,
    CommandTimeout,
    NotSent,
    OutcomeUnknown,
    ResultTooLarge,
    TerminalBusy,
    Unsupported,
)
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.errors import LocalProtocolError
from ea_bridge.session import DEFAULT_TIMEOUT_S, MAX_IN_FLIGHT, MAX_LATE, MAX_UNSENT, LateResult
from ea_bridge.session.calls import TERMINAL_BOUNDS

EURUSD = commands.SymbolParams(symbol="EURUSD")
BUY = model.TradeRequest(action=1, symbol="EURUSD", volume=0.1)
FILLED = model.TradeResult(retcode=10009, deal=5, order=6)
RATES = commands.RatesParams(symbol="EURUSD", timeframe=1, start=0, count=3)


def bar(time: int) -> model.Bar:
    return model.Bar(time, 1.0, 1.0, 1.0, 1.0, 1)


def rows(count: int) -> model.History[model.Bar]:
    """So many bars, or a part of more."""
    return model.History(rows=[bar(0)] * count)


async def test_a_question_is_answered_with_the_commands_type(live):
    """The result is the struct that the command names."""
    asked, cmd = await live.ask(commands.TICK_GET, EURUSD)
    assert (cmd.op, cmd.params, cmd.ttl) == ("tick_get", EURUSD, 10_000)
    live.say(m.Res(id=cmd.id, ok=True, d=raw([1, 1.5, 1.6])))
    assert await asked == model.Tick(1, 1.5, 1.6)
    assert live.session.in_flight == 0


async def test_answers_find_their_question_in_any_order(live):
    """By id."""
    first, one = await live.ask(commands.TICK_GET, EURUSD)
    second, two = await live.ask(commands.TICK_GET, EURUSD)
    live.say(
        m.Res(id=two.id, ok=True, d=raw([2, 2.0, 2.0])),
        m.Res(id=one.id, ok=True, d=raw([1, 1.0, 1.0])),
    )
    assert [(await each).time_msc for each in (first, second)] == [1, 2]


async def test_the_terminal_may_say_no(live):
    """With MQL's error, the retcode and its words."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY)
    live.say(m.Res(id=cmd.id, ok=False, err=4756, retcode=10016, msg="x" * 1000))
    with pytest.raises(CommandFailed) as caught:
        await asked
    assert (caught.value.err, caught.value.retcode, len(caught.value.msg)) == (4756, 10016, 256)


async def test_a_list_comes_in_parts(live):
    """Counted from 0 and joined; the last one says so."""
    asked, cmd = await live.ask(commands.SYMBOLS_GET, commands.SymbolsParams())
    names = [model.SymbolName(name=name) for name in "ABC"]
    for part, last in ((0, False), (1, False), (2, True)):
        live.say(m.Res(id=cmd.id, ok=True, d=raw([names[part]]), part=part, last=last))
    assert await asked == names


async def test_a_history_comes_in_parts(live):
    """The last one says whether something is missing."""
    asked, cmd = await live.ask(commands.RATES_GET, RATES)
    for part, last in ((0, False), (1, False), (2, True)):
        some = {"rows": [bar(part)], **({"missing": "loading"} if last else {})}
        live.say(m.Res(id=cmd.id, ok=True, d=raw(some), part=part, last=last))
    assert await asked == model.History(rows=[bar(0), bar(1), bar(2)], missing="loading")


@pytest.mark.parametrize(
    ("command", "params", "answers"),
    [
        (commands.RATES_GET, RATES, [m.Res(id=100, ok=True, d=raw(rows(0)), part=1)]),
        (
            commands.RATES_GET,
            RATES,
            [
                m.Res(id=100, ok=True, d=raw(rows(0)), last=False),
                m.Res(id=100, ok=True, d=raw(rows(0))),
            ],
        ),
        (commands.RATES_GET, RATES, [m.Res(id=100, ok=True, d=raw({"a": 1}))]),
        (commands.RATES_GET, RATES, [m.Res(id=100, ok=True)]),
        (commands.TICK_GET, EURUSD, [m.Res(id=100, ok=True, d=raw([1, 1.5, 1.6]), last=False)]),
        (commands.TICK_GET, EURUSD, [m.Res(id=100, ok=True, d=raw([1, "NaN", 1.6]))]),
        (commands.ACCOUNT_GET, commands.NoParams(), [m.Res(id=100, ok=True, d=raw({}))]),
    ],
)
async def test_an_answer_that_cannot_be_read_is_a_failure(live, command, params, answers):
    """Parts out of order, parts of what is no list, another shape than promised."""
    asked, _ = await live.ask(command, params)
    live.say(*answers)
    with pytest.raises(CommandFailed) as caught:
        await asked
    assert caught.value.err == 4024


async def test_an_unreadable_answer_to_a_trade_leaves_its_outcome_unknown(live):
    """It says that something was done, not what."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY)
    live.say(m.Res(id=cmd.id, ok=True, d=raw({"retcode": "done"})))
    with pytest.raises(OutcomeUnknown):
        await asked


async def test_answers_are_bounded(live, monkeypatch):
    """An endless list ends with an error, its rest is a stray, and others can go on."""
    monkeypatch.setattr(live.session._calls, "_bounds", replace(TERMINAL_BOUNDS, answer_bytes=500))
    asked, cmd = await live.ask(commands.RATES_GET, RATES)
    for part in range(20):
        answer = raw(rows(2))
        live.say(m.Res(id=cmd.id, ok=True, d=answer, part=part, last=False))
    with pytest.raises(ResultTooLarge) as caught:
        await asked
    assert caught.value.limit == 500
    assert live.session.strays > 0
    asked, cmd = await live.ask(commands.RATES_GET, RATES)
    live.say(m.Res(id=cmd.id, ok=True, d=raw(rows(8))))
    assert len((await asked).rows) == 8


async def test_a_question_that_is_not_answered_times_out(live):
    """Asking again is safe; the late answer is only counted."""
    asked, cmd = await live.ask(commands.TICK_GET, EURUSD, timeout_s=2)
    live.timers.advance(2)
    with pytest.raises(CommandTimeout) as caught:
        await asked
    assert caught.value.timeout_s == 2
    live.say(m.Res(id=cmd.id, ok=True, d=raw([1, 1.5, 1.6])))
    assert (live.session.strays, live.heard.late) == (1, [])


@pytest.mark.parametrize("acked", [True, False])
async def test_the_time_out_of_a_trade_is_unknown(live, acked):
    """Never failed: it may have been executed."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY, timeout_s=2)
    if acked:
        live.say(m.Ack(id=cmd.id))
    live.timers.advance(2)
    with pytest.raises(OutcomeUnknown) as caught:
        await asked
    assert (caught.value.acked, caught.value.command_id) == (acked, cmd.id)


async def test_the_late_result_of_a_trade_is_reported(live):
    """So that what was unknown can be settled."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY, timeout_s=2)
    live.timers.advance(2)
    with pytest.raises(OutcomeUnknown):
        await asked
    live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
    assert live.heard.late == [LateResult(cmd.id, commands.ORDER_SEND, BUY, FILLED, None)]
    live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
    assert (len(live.heard.late), live.session.strays) == (1, 1)


async def test_a_late_refusal_of_a_trade_is_reported_too(live):
    """It did not happen: that settles it as well."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY, timeout_s=2)
    live.timers.advance(2)
    with pytest.raises(OutcomeUnknown):
        await asked
    live.say(m.Res(id=cmd.id, ok=False, retcode=10019))
    [late] = live.heard.late
    assert isinstance(late.error, CommandFailed)
    assert late.error.retcode == 10019


async def test_trades_that_are_waited_for_in_vain_are_remembered_up_to_a_bound(live):
    """The oldest is given up first."""
    ids = []
    for _ in range(MAX_LATE + 1):
        asked, cmd = await live.ask(commands.ORDER_SEND, BUY, timeout_s=0.001)
        live.timers.advance(0.001)
        with pytest.raises(OutcomeUnknown):
            await asked
        ids.append(cmd.id)
    for command_id in ids:
        live.say(m.Res(id=command_id, ok=True, d=raw(FILLED)))
    assert [late.command_id for late in live.heard.late] == ids[1:]
    assert live.session.strays == 1


async def test_a_caller_that_leaves_does_not_lose_the_result_of_its_trade(live):
    """Cancelling the task stops the waiting, not the order."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert live.session.in_flight == 0
    live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
    assert [late.result for late in live.heard.late] == [FILLED]


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_result_that_crosses_with_the_cancelling_is_reported(live, cancel_first):
    """Both in the same turn of the loop, in either order: nobody has seen the result."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY)
    if cancel_first:
        asked.cancel()
    live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert [late.result for late in live.heard.late] == [FILLED]
    assert live.session.in_flight == 0


async def test_a_caller_that_leaves_takes_its_question_along(live):
    """Its answer is a stray."""
    asked, cmd = await live.ask(commands.TICK_GET, EURUSD)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    live.say(m.Res(id=cmd.id, ok=True, d=raw([1, 1.0, 1.0])))
    assert (live.session.in_flight, live.session.strays, live.heard.late) == (0, 1, [])


@pytest.mark.parametrize("acked", [True, False])
async def test_a_trade_whose_link_dies_is_unknown(live, acked):
    """Written bytes may have arrived, acknowledged or not; we don't claim otherwise."""
    asked, cmd = await live.ask(commands.ORDER_SEND, BUY)
    if acked:
        live.say(m.Ack(id=cmd.id))
    live.session.end("the link was lost")
    with pytest.raises(OutcomeUnknown) as caught:
        await asked
    assert caught.value.acked is acked


async def test_a_question_whose_link_dies_was_not_sent(live):
    """Asking again is safe."""
    asked, _ = await live.ask(commands.TICK_GET, EURUSD)
    live.session.end("the link was lost")
    with pytest.raises(NotSent, match="the link was lost"):
        await asked


async def test_after_the_end_nothing_is_sent(live):
    """Not a byte."""
    live.session.end("the link was lost")
    with pytest.raises(NotSent):
        await live.session.request(commands.ORDER_SEND, BUY)
    assert live.wire.inbox == []


async def test_half_an_answer_makes_room_when_its_caller_leaves(live, monkeypatch):
    """What was collected for nobody does not count for the next."""
    monkeypatch.setattr(live.session._calls, "_bounds", replace(TERMINAL_BOUNDS, answer_bytes=500))
    for _ in range(5):
        asked, cmd = await live.ask(commands.RATES_GET, RATES)
        live.say(m.Res(id=cmd.id, ok=True, d=raw(rows(8)), last=False))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    asked, cmd = await live.ask(commands.RATES_GET, RATES)
    live.say(m.Res(id=cmd.id, ok=True, d=raw(rows(8))))
    assert len((await asked).rows) == 8


async def test_what_the_terminal_cannot_do_is_not_sent():
    """The capability that it lacks is named."""
    live = LiveSession(hello=make_hello(caps="ticks"))
    with pytest.raises(Unsupported) as caught:
        await live.session.request(commands.BOOK_GET, EURUSD)
    assert caught.value.capability == "book"
    assert live.wire.inbox == []


async def test_so_many_are_in_flight_and_no_more(live):
    """The next one is told at once, and there is room again after an answer."""
    asked = [await live.ask(commands.TICK_GET, EURUSD) for _ in range(MAX_IN_FLIGHT)]
    with pytest.raises(TerminalBusy):
        await live.session.request(commands.TICK_GET, EURUSD)
    assert live.wire.inbox == []
    task, cmd = asked[7]
    live.say(m.Res(id=cmd.id, ok=True, d=raw([1, 1.0, 1.0])))
    await task
    await live.ask(commands.TICK_GET, EURUSD)
    live.session.end("done")
    await asyncio.gather(*(task for task, _ in asked), return_exceptions=True)


async def test_nothing_is_queued_behind_an_ea_that_does_not_read(live):
    """The order would arrive when the market is another."""
    live.wire.backlog = MAX_UNSENT + 1
    with pytest.raises(TerminalBusy, match="does not read"):
        await live.session.request(commands.ORDER_SEND, BUY)
    assert (live.wire.inbox, live.session.in_flight) == ([], 0)


async def test_the_gate_may_stop_an_order_at_the_last_moment(live):
    """What it raises reaches the caller, and nothing was written."""

    def revoked() -> None:
        raise PermissionError("revoked")

    with pytest.raises(PermissionError):
        await live.session.request(commands.ORDER_SEND, BUY, before_write=revoked)
    assert (live.wire.inbox, live.session.in_flight) == ([], 0)


async def test_the_gate_is_asked_right_before_the_bytes_are_written(live):
    """Once, after all else has been checked."""
    seen = []
    asked, cmd = await live.ask(
        commands.ORDER_SEND, BUY, before_write=lambda: seen.append(list(live.wire.inbox))
    )
    assert seen == [[]]
    live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
    await asked


async def test_an_id_may_be_written_down_before_it_is_sent(live):
    """The command has it; and whoever sent it hears of its way, each once."""
    heard = []
    command_id = live.session.new_command_id()
    asked, cmd = await live.ask(
        commands.ORDER_SEND,
        BUY,
        command_id=command_id,
        before_write=lambda: heard.append("before"),
        on_written=lambda: heard.append("written"),
        on_ack=lambda: heard.append("acked"),
    )
    assert (cmd.id, heard) == (command_id, ["before", "written"])
    assert live.session.new_command_id() > command_id
    live.say(m.Ack(id=cmd.id), m.Ack(id=cmd.id))
    live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
    assert await asked == FILLED
    assert heard == ["before", "written", "acked"]


async def test_a_session_that_the_gate_ends_sends_no_order(live):
    """The callback may close the terminal instead of raising."""
    with pytest.raises(NotSent):
        await live.session.request(
            commands.ORDER_SEND, BUY, before_write=lambda: live.session.close("revoked")
        )
    assert live.wire.take(m.Cmd) == []


async def test_what_no_line_can_hold_is_our_own_mistake(live):
    """And leaves no trace."""
    params = commands.SymbolParams(symbol="x" * 20_000)
    with pytest.raises(LocalProtocolError):
        await live.session.request(commands.TICK_GET, params)
    nan = msgspec.structs.replace(BUY, volume=float("nan"))
    with pytest.raises(LocalProtocolError):
        await live.session.request(commands.ORDER_SEND, nan)
    assert live.session.in_flight == 0


async def test_how_long_an_order_is_worth_doing_goes_with_it(live):
    """``ttl_ms``, 0 for ever."""
    for ttl_ms in (2980, 0):
        asked, cmd = await live.ask(commands.ORDER_SEND, BUY, ttl_ms=ttl_ms)
        assert cmd.ttl == ttl_ms
        live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
        await asked


async def test_answers_to_nothing_are_counted(live):
    """An EA that lies, or that remembers another daemon."""
    live.say(m.Ack(id=5), m.Res(id=5, ok=True), m.Res(id=6, ok=False, err=1))
    assert live.session.strays == 3


async def test_one_timer_serves_all_requests(live):
    """However many are answered, no more than one timer waits, and it waits for nobody in vain."""
    before = live.timers.pending
    for _ in range(5):
        asked, cmd = await live.ask(commands.ORDER_SEND, BUY)
        live.say(m.Res(id=cmd.id, ok=True, d=raw(FILLED)))
        assert await asked == FILLED
    assert live.timers.pending == before + 1
    live.timers.advance(DEFAULT_TIMEOUT_S)
    assert live.timers.pending == before


async def test_no_timer_outlives_the_session(live):
    """It would keep all that was answered in memory for nothing."""
    await live.ask(commands.ORDER_SEND, BUY)
    live.session.end("the link was lost")
    assert live.timers.pending == 0


@pytest.mark.parametrize("timeouts_s", list(itertools.permutations((1.0, 2.0, 2.5))))
async def test_each_request_expires_in_its_own_time(live, timeouts_s):
    """Whether a shorter or a longer one was asked for before it."""
    asked = {}
    for timeout_s in timeouts_s:
        asked[timeout_s], _ = await live.ask(commands.TICK_GET, EURUSD, timeout_s=timeout_s)
    passed_s = 0.0
    for timeout_s in sorted(timeouts_s):
        live.timers.advance(timeout_s - passed_s - 0.001)
        await asyncio.sleep(0)
        assert not asked[timeout_s].done()
        live.timers.advance(0.001)
        with pytest.raises(CommandTimeout) as late:
            await asked[timeout_s]
        assert late.value.timeout_s == timeout_s
        passed_s = timeout_s


async def test_early_timers_do_not_add_up(live):
    """However many requests expire one after another, none does so much before its time."""
    live.timers.early_s = step_s = 0.0005
    began = live.timers.now
    asked = {}
    for number in range(60):
        timeout_s = 1 + 0.9 * step_s * number
        asked[timeout_s], _ = await live.ask(commands.TICK_GET, EURUSD, timeout_s=timeout_s)
    while asked:
        live.timers.advance(step_s / 5)
        await asyncio.sleep(0)
        for timeout_s in [timeout_s for timeout_s, task in asked.items() if task.done()]:
            assert isinstance(asked.pop(timeout_s).exception(), CommandTimeout)
            assert live.timers.now - began > timeout_s - 2 * step_s
