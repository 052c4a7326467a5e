"""Whatever bytes come, a connection reads them or says that the peer broke the protocol."""

from __future__ import annotations

import itertools

from bridge_parts import LiveSession, Pair
from hypothesis import given, settings
from hypothesis import strategies as st

from ea_bridge import commands
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.connection import DAEMON, PENDING, TERMINAL, Connection, ConversationRole
from ea_bridge.protocol.errors import RemoteProtocolError

TRAFFIC = (
    m.Hb(q=3, n=1, tcur=1, tgmt=2),
    m.Ack(id=1),
    m.Res(id=1, ok=True, part=0, last=False),
    m.Ticks(d=[(1, 1_764_000_000_000, "1.1", "1.2", 0.0, 0, 6)] * 3, q=1),
    m.Trade(op="add", q=2),
    m.Lost(start=9),
)
ORDERS = (
    m.Hb(ack=3, n=1),
    m.Cmd(id=1, op="tick_get", params=commands.SymbolParams(symbol="EURUSD")),
    m.Cmd(id=2, op="watch", params=commands.WatchParams(symbol="XAUUSD", ticks=True)),
)
AWAITED = (
    m.Hb(n=1),
    m.Verify(code="12345678"),
    m.Verify(code="00000000"),
)
APPROVING = (
    m.Pending(user_code="BCDF-GHJK", url="https://example.org/approve", expires_s=600),
    m.Hb(n=1),
    m.Pending(
        user_code="BCDF-GHJK",
        url="https://example.org/approve",
        expires_s=590,
        error="wrong_code",
        tries_left=4,
    ),
    m.Denied(code="refused", reason="no", retry_ms=5000),
)
SPICE = st.sampled_from(
    [b"\n", b'"', b"{", b"}", b"[", b",", b"\\", b"\xff", b"NaN", b"1e999", b"-"]
)


def listener(role: ConversationRole) -> Connection:
    pair = Pair()
    pair.shake_hands()
    return pair.ends[role]


def waiting(role: ConversationRole) -> Connection:
    """One end of a conversation about a machine that waits for approval."""
    connection = Connection(role)
    connection.state = PENDING
    return connection


def feed(connection: Connection, data: bytes, cuts: list[int]) -> list[m.Message]:
    """Read it in pieces; nothing but RemoteProtocolError may come out."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    heard: list[m.Message] = []
    try:
        for start, end in itertools.pairwise(edges):
            heard += connection.receive_data(data[start:end])
    except RemoteProtocolError as error:
        heard += error.received
    return heard


def mutate(lines: bytearray, data: st.DataObject) -> bytes:
    """Change a few bytes here and there."""
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        width = data.draw(st.integers(0, 4))
        lines[at : at + width] = data.draw(st.one_of(SPICE, st.binary(max_size=3)))
    return bytes(lines)


cuts = st.lists(st.integers(0, 10_000), max_size=8)


@given(st.binary(max_size=300), cuts, st.sampled_from(ConversationRole), st.booleans())
@settings(max_examples=200)
def test_arbitrary_bytes_are_read_or_refused(data, cuts, role, greeted):
    """From strangers and from those who were let in."""
    feed(listener(role) if greeted else Connection(role), data, cuts)


@given(st.data(), cuts, st.sampled_from(ConversationRole))
@settings(max_examples=250)
def test_mutated_traffic_is_read_or_refused(data, cuts, role):
    """Valid lines with bytes changed, taken out, put in."""
    sender = listener(role.peer)
    lines = bytearray(
        b"".join(sender.send(each) for each in (ORDERS if role is TERMINAL else TRAFFIC))
    )
    feed(listener(role), mutate(lines, data), cuts)


@given(st.data(), cuts, st.sampled_from(ConversationRole))
@settings(max_examples=150)
def test_mutated_talk_of_a_machine_that_waits_is_read_or_refused(data, cuts, role):
    """Codes and what is said about them."""
    sender = waiting(role.peer)
    said = APPROVING if role is TERMINAL else AWAITED
    lines = bytearray(b"".join(sender.send(each) for each in said))
    for message in feed(waiting(role), mutate(lines, data), cuts):
        assert not isinstance(message, m.Verify) or len(message.code) == 8


@given(st.data(), cuts)
@settings(max_examples=150)
def test_a_session_survives_mutated_traffic(data, cuts):
    """What a connection lets through may still be a lie; no lie raises anything."""
    live = LiveSession()
    lines = bytearray(b"".join(live.peer.send(message) for message in TRAFFIC))
    for message in feed(live.session.connection, mutate(lines, data), cuts):
        live.session.handle([message])


@given(st.lists(st.sampled_from(TRAFFIC[:3]), max_size=10), cuts)
@settings(max_examples=100)
def test_good_traffic_is_heard_whole_however_it_is_cut(messages, cuts):
    """Nothing is lost, doubled or reordered."""
    sender = listener(TERMINAL)
    data = b"".join(sender.send(message) for message in messages)
    assert feed(listener(DAEMON), data, cuts) == messages
