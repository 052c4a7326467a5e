"""Who may say what, and when."""

from __future__ import annotations

import itertools
from typing import get_args

import msgspec
import pytest
from bridge_parts import DEVICE, KEYS, Pair, make_hello, make_welcome

from ea_bridge import commands
from ea_bridge.model import Account, Bar
from ea_bridge.protocol import codec
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.codec import MAX_GREETING, MAX_LINE_TO_DAEMON, MAX_LINE_TO_EA
from ea_bridge.protocol.connection import (
    CLOSED,
    DAEMON,
    IDLE,
    MAX_UNREADABLE,
    PENDING,
    READY,
    TERMINAL,
    TRANSITIONS,
    Connection,
    ConversationRole,
    ConversationState,
)
from ea_bridge.protocol.errors import LocalProtocolError, RemoteProtocolError
from ea_bridge.protocol.handshake import make_challenge

HELLO = make_hello()
PENDING_NOW = m.Pending(user_code="BCDF-GHJK", url="https://example.org/", expires_s=600)
SAMPLES: dict[type[m.Message], m.Message] = {
    type(sample): sample
    for sample in (
        HELLO,
        make_challenge(KEYS, HELLO, "ab" * 32, DEVICE),
        m.Auth(proof="cd" * 32),
        make_welcome(),
        PENDING_NOW,
        m.Verify(code="12345678"),
        m.Denied(code="unknown", reason="no such token", retry_ms=5000),
        m.Cmd(id=1, op="account_get", params=commands.NoParams()),
        m.Ack(id=1),
        m.Res(id=1, ok=True, d=msgspec.Raw(b"{}")),
        m.Ticks(d=[(1, 1_764_000_000_000, "1.1", "1.2", 0.0, 0, 6)]),
        m.Book(sym=1, time_msc=0, d=[]),
        m.BarEvent(sym=1, timeframe=1, d=Bar(0, 1.0, 1.0, 1.0, 1.0, 1)),
        m.Trade(op="add", q=0),
        m.AccountEvent(d=Account(login=123)),
        m.Pnl(d=[(1, 1.0, 0.0, 0.0)]),
        m.StateEvent(broker=False),
        m.Lost(start=5),
        m.Hb(),
        m.Busy(ms=60_000),
        m.Bye(code="shutdown"),
    )
}
ALL = list(itertools.product(ConversationRole, ConversationState, SAMPLES))
FORBIDDEN = [row for row in ALL if row not in TRANSITIONS]


def name(row: object) -> str:
    return getattr(row, "name", getattr(row, "__name__", ""))


def at(state: ConversationState) -> Pair:
    """Both ends of a conversation that has come so far."""
    pair = Pair()
    for end in pair.ends.values():
        end.state = state
    return pair


def test_there_is_a_sample_of_every_message():
    """So that the next two tests cover the whole table."""
    assert set(SAMPLES) == set(get_args(m.Message))


@pytest.mark.parametrize(("role", "state", "kind"), TRANSITIONS, ids=name)
def test_what_the_table_allows_can_be_said_and_heard(role, state, kind):
    """Both ends go to the state that the table names."""
    pair = at(state)
    pair.say(role, SAMPLES[kind])
    assert pair.ends[role].state is TRANSITIONS[role, state, kind]


@pytest.mark.parametrize(("role", "state", "kind"), FORBIDDEN, ids=name)
def test_what_the_table_does_not_allow_can_be_neither_said_nor_heard(role, state, kind):
    """Our own mistake is caught before it is sent, the peer's ends the conversation."""
    pair = at(state)
    with pytest.raises(LocalProtocolError, match=f"{role.name} can't say {kind.__name__}"):
        pair.ends[role].send(SAMPLES[kind])
    assert pair.ends[role].state is state
    peer, line = pair.ends[role.peer], codec.encode(SAMPLES[kind]) + b"\n"
    if state is CLOSED:
        assert peer.receive_data(line) == []
        return
    with pytest.raises(RemoteProtocolError, match=f"{role.name} can't say {kind.__name__}"):
        peer.receive_data(line)
    assert peer.state is CLOSED


def test_the_handshake_makes_both_ends_ready(pair):
    """Hello, challenge, auth, welcome, whatever way the bytes are cut."""
    pair.shake_hands()
    assert {end.state for end in pair.ends.values()} == {READY}


def test_a_second_hello_ends_the_conversation(ready):
    """Replayed or not."""
    again = Connection(TERMINAL).send(HELLO)
    with pytest.raises(RemoteProtocolError, match="TERMINAL can't say Hello when READY"):
        ready.ends[DAEMON].receive_data(again)


def test_a_device_may_wait_for_its_approval_and_stay_connected():
    """Pending holds the link open, with heartbeats and codes, until bye or denied."""
    pair = at(ConversationState.AUTHENTICATING)
    pair.say(DAEMON, SAMPLES[m.Pending])
    assert pair.ends[TERMINAL].state is PENDING
    pair.say(DAEMON, m.Hb(n=1))
    pair.say(TERMINAL, m.Hb(n=1))
    pair.say(TERMINAL, m.Verify(code="12345678"))
    pair.say(DAEMON, msgspec.structs.replace(PENDING_NOW, error="wrong_code", tries_left=4))
    pair.say(DAEMON, m.Bye(code="approved"))
    assert pair.ends[TERMINAL].state is CLOSED


def test_nobody_becomes_ready_who_has_not_just_proved_himself():
    """There is one way to READY, right behind the proof; a machine that waited dials again."""
    ways = {(row[1], row[2]) for row, state in TRANSITIONS.items() if state is READY != row[1]}
    assert ways == {(ConversationState.AUTHENTICATING, m.Welcome)}


def test_who_has_said_bye_hears_no_more(ready):
    """What the peer had on the way is discarded, garbage too."""
    daemon, terminal = ready.ends[DAEMON], ready.ends[TERMINAL]
    daemon.send(m.Bye(code="shutdown"))
    assert daemon.receive_data(terminal.send(m.Hb())) == []
    assert daemon.receive_data(b"\xff\xff\n") == []


def test_nothing_is_read_after_the_peers_bye(ready):
    """Its last word is the last."""
    daemon = ready.ends[DAEMON]
    heard = daemon.receive_data(b'{"t":"bye","code":"x"}\n{"t":"hello"}\n{"t":"hb"}\n')
    assert heard == [m.Bye(code="x")]


def test_what_was_said_before_a_violation_is_not_lost(ready):
    """The result of a trade may be among it."""
    daemon = ready.ends[DAEMON]
    with pytest.raises(RemoteProtocolError) as caught:
        daemon.receive_data(b'{"t":"ack","id":3}\n' + Connection(TERMINAL).send(HELLO))
    assert caught.value.received == [m.Ack(id=3)]
    assert daemon.state is CLOSED


def test_ten_unreadable_lines_in_a_row_end_the_conversation(ready):
    """Nine are put up with and counted."""
    daemon = ready.ends[DAEMON]
    assert daemon.receive_data(b"garbage\n" * (MAX_UNREADABLE - 1)) == []
    with pytest.raises(RemoteProtocolError, match="10 unreadable lines in a row"):
        daemon.receive_data(b"garbage\n")
    assert daemon.counters.unreadable == MAX_UNREADABLE


def test_a_good_line_makes_up_for_the_bad_ones(ready):
    """Also one of a kind that we don't know."""
    daemon = ready.ends[DAEMON]
    for good in (b'{"t":"hb"}\n', b'{"t":"dance"}\n'):
        for _ in range(3):
            daemon.receive_data(b"garbage\n" * 9 + good)
    assert (daemon.state, daemon.counters.unreadable, daemon.counters.unknown) == (READY, 54, 3)


def test_good_heartbeats_do_not_make_up_for_bad_ticks(ready):
    """An EA that lies in one kind of message only is still cut off."""
    daemon = ready.ends[DAEMON]
    lie = b'{"t":"ticks","d":[[1,1764000000000,"NaN","1.2",0,0,6]]}\n{"t":"hb"}\n'
    assert daemon.receive_data(lie * 9) == [m.Hb()] * 9
    with pytest.raises(RemoteProtocolError, match="a price is not a plain number"):
        daemon.receive_data(lie)


def test_unknown_members_of_hello_are_counted():
    """A newer EA."""
    daemon = Connection(DAEMON)
    line = Connection(TERMINAL).send(HELLO).replace(b'{"t"', b'{"colour":1,"t"')
    assert daemon.receive_data(line) == [HELLO]
    assert daemon.counters.unknown == 1


def test_a_stranger_may_not_send_long_lines():
    """The megabyte is for those who have proved who they are."""
    daemon = Connection(DAEMON)
    with pytest.raises(RemoteProtocolError, match=f"exceeds {MAX_GREETING}"):
        daemon.receive_data(b"{" * (MAX_GREETING + 1))


def test_a_line_of_two_mebibytes_ends_the_conversation(ready):
    """From a terminal that we know, too."""
    with pytest.raises(RemoteProtocolError, match=f"exceeds {MAX_LINE_TO_DAEMON}"):
        ready.ends[DAEMON].receive_data(b'{"t":"bye","code":"' + b"x" * 2**21)


def test_the_ea_reads_no_more_than_it_can_hold(ready):
    """Its limit is 16 KiB, and we keep to it."""
    long = m.Cmd(id=1, op="tick_get", params=commands.SymbolParams(symbol="x" * MAX_LINE_TO_EA))
    with pytest.raises(LocalProtocolError, match=f"exceeds {MAX_LINE_TO_EA}"):
        ready.ends[DAEMON].send(long)
    with pytest.raises(RemoteProtocolError, match=f"exceeds {MAX_LINE_TO_EA}"):
        ready.ends[TERMINAL].receive_data(b"{" * (MAX_LINE_TO_EA + 1))


def test_what_goes_to_the_ea_is_ascii(ready):
    """And what comes from it may be UTF-8."""
    cmd = m.Cmd(id=1, op="tick_get", params=commands.SymbolParams(symbol="Öl😀"))
    assert ready.ends[DAEMON].send(cmd).isascii()
    ready.say(DAEMON, cmd)
    ready.say(TERMINAL, m.Res(id=1, ok=False, msg="Öl😀"))
    assert not ready.ends[TERMINAL].send(m.Res(id=1, ok=False, msg="Öl😀")).isascii()


def test_events_are_counted_from_what_welcome_acknowledged(pair):
    """A replay is dropped, a gap is told."""
    pair.shake_hands(ack=41)
    daemon, terminal = pair.ends[DAEMON], pair.ends[TERMINAL]
    assert daemon.receive_data(terminal.send(m.StateEvent(broker=True, q=41))) == []
    pair.say(TERMINAL, m.StateEvent(broker=True, q=42))
    heard = daemon.receive_data(terminal.send(m.StateEvent(broker=True, q=44)))
    assert heard == [m.Lost(start=43, until=44), m.StateEvent(broker=True, q=44)]
    assert daemon.events.last == 44


def test_a_new_conversation_begins_idle():
    """For both sides."""
    assert {Connection(role).state for role in ConversationRole} == {IDLE}
