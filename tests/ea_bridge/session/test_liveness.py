"""Heartbeats and silence, with driven time."""

from __future__ import annotations

import asyncio

import pytest
from bridge_parts import LiveSession

from ea_bridge import commands
from ea_bridge.errors import CommandFailed, CommandTimeout, NotSent
from ea_bridge.protocol import messages as m
from ea_bridge.session import (
    DEAD_S,
    HEARTBEAT_S,
    MAX_BUSY_S,
    STALE_S,
    WINDOW,
    SessionCallbacks,
    SessionState,
)


@pytest.fixture
def beating(live):
    live.session.start()
    return live


def test_the_times_are_those_of_the_design():
    """A heartbeat a second, stale after 3, disconnected after 15."""
    assert (HEARTBEAT_S, STALE_S, DEAD_S) == (1.0, 3.0, 15.0)


def test_a_heartbeat_goes_out_each_second(beating):
    """Numbered, the first at once."""
    beating.timers.advance(2.5)
    assert [hb.n for hb in beating.wire.take(m.Hb)] == [1, 2, 3]


def test_a_heartbeat_says_which_events_have_come(beating):
    """The EA may forget them then."""
    beating.say(m.StateEvent(broker=True, q=1), m.StateEvent(broker=False, q=2))
    beating.timers.advance(1)
    assert [hb.ack for hb in beating.wire.take(m.Hb)] == [0, 2]


def test_events_are_acknowledged_before_the_window_is_full(beating):
    """At half of it, whatever the time: a burst must not stall for a heartbeat."""
    beating.wire.take(m.Hb)
    beating.say(*(m.StateEvent(broker=True, q=q) for q in range(1, WINDOW // 2)))
    assert beating.wire.take(m.Hb) == []
    beating.say(m.StateEvent(broker=True, q=WINDOW // 2))
    assert [hb.ack for hb in beating.wire.take(m.Hb)] == [WINDOW // 2]
    beating.say(m.StateEvent(broker=True, q=WINDOW // 2 + 1))
    assert beating.wire.take(m.Hb) == []


def test_three_seconds_of_silence_make_it_stale(beating):
    """Not a moment less; any message brings it back."""
    beating.timers.advance(2.9)
    assert beating.session.state is SessionState.READY
    beating.timers.advance(0.1)
    assert beating.session.state is SessionState.STALE
    beating.say(m.Hb())
    assert beating.session.state is SessionState.READY
    assert beating.heard.states[:2] == ["stale", "ready"]


def test_fifteen_seconds_of_silence_end_it(beating):
    """The link is closed and those who wait are told."""
    beating.timers.advance(14.9)
    assert beating.session.state is SessionState.STALE
    beating.timers.advance(0.1)
    assert beating.session.state is SessionState.DISCONNECTED
    assert beating.wire.closed
    assert beating.heard.states == ["stale", "disconnected"]
    assert beating.timers.pending == 0


def test_silence_is_counted_from_the_last_message(beating):
    """Also after it was stale once."""
    beating.timers.advance(4)
    beating.say(m.Hb())
    beating.timers.advance(2.9)
    beating.say(m.Hb())
    beating.timers.advance(2.9)
    assert beating.session.state is SessionState.READY
    beating.timers.advance(0.1)
    assert beating.session.state is SessionState.STALE
    beating.timers.advance(11.9)
    assert beating.session.state is SessionState.STALE
    beating.timers.advance(0.1)
    assert beating.session.state is SessionState.DISCONNECTED


def test_a_listener_may_end_a_session_that_went_stale():
    """No timer outlives it."""
    live = LiveSession(callbacks=SessionCallbacks(on_change=lambda session: session.end("stale")))
    live.session.start()
    live.timers.advance(STALE_S)
    assert live.session.end_reason == "stale"
    assert live.timers.pending == 0


async def test_a_silent_terminal_answers_no_one(beating):
    """Whoever waits longer than the link lives is told when it ends."""
    asked, _ = await beating.ask(commands.ACCOUNT_GET, commands.NoParams(), timeout_s=60)
    beating.timers.advance(DEAD_S)
    with pytest.raises(NotSent, match="silent"):
        await asyncio.wait_for(asked, 1)


def test_the_round_trip_is_measured_by_the_echo(beating):
    """Of the heartbeat that the EA names; made-up numbers don't count."""
    assert beating.session.round_trip_s is None
    beating.timers.advance(0.25)
    beating.say(m.Hb(n=1))
    assert beating.session.round_trip_s == pytest.approx(0.25)
    beating.timers.advance(0.25)
    beating.say(m.Hb(n=1), m.Hb(n=77))
    assert beating.session.round_trip_s == pytest.approx(0.25)


def test_the_flags_come_with_the_heartbeat(beating):
    """Told when they change, not each second."""
    assert beating.session.broker is None
    beating.say(m.Hb(broker=True, autotrading=False))
    beating.say(m.Hb(broker=True, autotrading=False))
    assert (beating.session.broker, beating.session.autotrading) == (True, False)
    assert beating.heard.states == ["ready"]
    beating.say(m.StateEvent(autotrading=True, trade_allowed=False, q=1))
    session = beating.session
    assert (session.broker, session.autotrading, session.trade_allowed) == (True, True, False)
    assert beating.heard.states == ["ready", "ready"]
    assert beating.heard.events == [m.StateEvent(autotrading=True, trade_allowed=False, q=1)]


def test_the_brokers_clock_is_sampled(beating):
    """For whoever estimates its offset; without stamps there is no sample."""
    beating.say(m.Hb(tcur=7200, tgmt=1), m.Hb())
    assert beating.heard.clocks == [(7200, 1)]


def test_no_heartbeat_is_piled_on_an_ea_that_does_not_read(beating):
    """The buffer stays bounded while its silence is counted."""
    beating.wire.take(m.Hb)
    beating.wire.backlog = 10**6
    beating.timers.advance(5)
    assert beating.wire.inbox == []
    assert beating.session.state is SessionState.STALE


def test_a_silence_that_was_announced_does_not_end_it(beating):
    """So long and no longer; the terminal is stale meanwhile, as with any silence."""
    beating.say(m.Busy(ms=45_000))
    beating.timers.advance(44.9)
    assert beating.session.state is SessionState.STALE
    beating.say(m.Hb())
    assert beating.session.state is SessionState.READY
    beating.timers.advance(DEAD_S)
    assert beating.session.state is SessionState.DISCONNECTED


@pytest.mark.parametrize(("said_ms", "held_s"), [(2**62, MAX_BUSY_S), (0, DEAD_S)])
def test_the_announced_silence_is_bounded(beating, said_ms, held_s):
    """By what MetaTrader can take; and it is never less than for one that says nothing."""
    beating.say(m.Busy(ms=said_ms))
    beating.timers.advance(held_s - 0.1)
    assert beating.session.state is SessionState.STALE
    beating.timers.advance(0.1)
    assert beating.session.state is SessionState.DISCONNECTED


def test_what_is_said_after_the_announcement_ends_it(beating):
    """Also in the same data: the call was short."""
    beating.say(m.Busy(ms=60_000), m.Hb())
    beating.timers.advance(DEAD_S)
    assert beating.session.state is SessionState.DISCONNECTED


def test_announcements_alone_keep_nobody_alive(beating):
    """Silence is granted for so long after the last proof that the terminal reads."""
    beating.say(m.Busy(ms=60_000), m.Busy(ms=60_000))
    beating.timers.advance(50)
    assert beating.session.state is SessionState.STALE
    beating.say(m.Busy(ms=60_000))
    beating.timers.advance(DEAD_S)
    assert beating.session.state is SessionState.DISCONNECTED


async def test_an_answer_or_an_echo_shows_that_the_terminal_reads(beating):
    """Then it may announce the next silence; a made-up answer or number is no proof."""
    beating.say(m.Busy(ms=60_000))
    beating.timers.advance(50)
    beating.say(m.Hb(n=max(hb.n for hb in beating.wire.take(m.Hb))), m.Busy(ms=60_000))
    beating.timers.advance(50)
    asked, cmd = await beating.ask(commands.CLOCK_GET, commands.NoParams())
    beating.say(m.Res(id=cmd.id, ok=False, err=4024), m.Busy(ms=60_000))
    with pytest.raises(CommandFailed):
        await asked
    beating.timers.advance(50)
    assert beating.session.state is SessionState.STALE
    beating.say(m.Res(id=77, ok=False), m.Hb(n=10**6), m.Busy(ms=60_000))
    beating.timers.advance(DEAD_S)
    assert beating.session.state is SessionState.DISCONNECTED


async def test_a_question_that_waits_for_a_held_up_terminal_learns_why(beating):
    """It times out as any other, and says that the silence was announced."""
    beating.say(m.Busy(ms=60_000))
    asked, _ = await beating.ask(commands.CLOCK_GET, commands.NoParams(), timeout_s=5)
    beating.timers.advance(5)
    with pytest.raises(CommandTimeout) as late:
        await asked
    assert late.value.busy
