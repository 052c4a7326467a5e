"""The rules of the door, over real sockets."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

import pytest
from bridge_parts import DEVICE, KEYS, TOKEN, make_hello, raw

from ea_bridge import commands
from ea_bridge.model import Tick
from ea_bridge.protocol import codec
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.errors import WrongProof
from ea_bridge.protocol.handshake import answer_challenge
from ea_bridge.server import Admitted, BridgeServer, NotAdmitted, link, listener
from ea_bridge.token import new_token, parse_token

EURUSD = commands.SymbolParams(symbol="EURUSD")
WRONG = m.Auth(proof="00" * 32)


async def test_a_terminal_is_welcomed_and_asked(bridge):
    """After the mutual proof a command reaches the EA with its params, and comes back."""
    ea, session = await bridge.join()
    asked = asyncio.create_task(session.request(commands.TICK_GET, EURUSD))
    cmd = await ea.hear(m.Cmd)
    assert cmd.params == EURUSD
    ea.say(m.Res(id=cmd.id, ok=True, d=raw([1, 1.5, 1.6])))
    assert await asked == Tick(1, 1.5, 1.6)
    assert (session.terminal, session.generation, session.state) == ("demo", 0, "ready")
    assert bridge.heard.kinds() == ["connected"]


async def test_welcome_says_what_the_ea_must_know(bridge):
    """Times, window, and the last event that we have."""
    ea = await bridge.dial()
    welcome = await ea.greet(q=7)
    assert (welcome.hb_ms, welcome.dead_ms, welcome.ack, welcome.window) == (1000, 15000, 7, 512)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_loopback_addresses_answer_on_one_port(bridge, host):
    """So that no other program can take the one that we leave."""
    ea = await bridge.dial(host)
    assert await ea.greet()


async def test_a_port_that_is_half_taken_is_not_used(authorizer, registry):
    """Whoever holds [::1] on our port would get those who dial localhost."""
    with socket.socket(socket.AF_INET6) as squatter:
        squatter.bind(("::1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        server = BridgeServer(authorizer, registry, device_id=DEVICE, port=port)
        with pytest.raises(OSError, match=f"port {port}") as refused:
            await server.start()
        assert refused.value.errno == errno.EADDRINUSE


async def test_the_daemon_proves_itself_first(bridge):
    """An EA with another token than it claims finds out before it says anything."""
    ea = await bridge.dial()
    hello = make_hello()
    ea.say(hello)
    challenge = await ea.hear(m.Challenge)
    assert challenge.device == DEVICE
    with pytest.raises(WrongProof):
        answer_challenge(new_token(), hello, challenge)


async def denied(bridge, hello: m.Hello, auth: m.Auth | None = None) -> m.Denied:
    """Lead the handshake as ``hello`` wants it and return the refusal."""
    ea = await bridge.dial()
    ea.say(hello)
    challenge = await ea.hear(m.Challenge)
    ea.say(auth or answer_challenge(TOKEN, hello, challenge))
    refusal = await ea.hear(m.Denied)
    assert await ea.closed_by_daemon()
    return refusal


async def test_a_wrong_proof_and_an_unknown_token_get_the_same_answers(bridge):
    """A challenge, then the same refusal: nobody finds out which tokens exist."""
    wrong = await denied(bridge, make_hello(), WRONG)
    unknown = await denied(bridge, make_hello(tid="0" * 12), WRONG)
    assert wrong == unknown
    assert wrong.code == "unknown"
    assert bridge.registry.sessions() == []


async def test_a_replayed_handshake_is_denied(bridge):
    """The daemon's nonce is new each time."""
    ea = await bridge.dial()
    hello = make_hello()
    ea.say(hello)
    auth = answer_challenge(TOKEN, hello, await ea.hear(m.Challenge))
    assert (await denied(bridge, hello, auth)).code == "unknown"


async def test_the_holder_of_a_revoked_token_is_told_so(bridge, authorizer):
    """After both proofs; without the right one it looks like any unknown token."""
    authorizer.verdicts[parse_token(TOKEN)] = NotAdmitted(
        code="revoked", reason="revoked at noon", retry_ms=60_000, keys=KEYS
    )
    told = await denied(bridge, make_hello())
    assert told == m.Denied(code="revoked", reason="revoked at noon", retry_ms=60_000)
    assert (await denied(bridge, make_hello(), WRONG)).code == "unknown"


async def test_a_token_that_is_revoked_during_the_handshake_does_not_get_in(bridge, authorizer):
    """The authorizer is asked again once the proof was right."""
    for verdict, code in (
        (NotAdmitted(code="revoked", reason="just now", keys=KEYS), "revoked"),
        (Admitted(keys=type(KEYS)(b"1" * 32, b"2" * 32), terminal="demo"), "unknown"),
    ):
        authorizer.verdicts[parse_token(TOKEN)] = Admitted(keys=KEYS, terminal="demo")
        ea = await bridge.dial()
        hello = make_hello()
        ea.say(hello)
        challenge = await ea.hear(m.Challenge)
        authorizer.verdicts[parse_token(TOKEN)] = verdict
        ea.say(answer_challenge(TOKEN, hello, challenge))
        assert (await ea.hear(m.Denied)).code == code


@pytest.mark.parametrize("changes", [{"proto": "2-3"}, {"link": "service"}])
async def test_what_we_do_not_speak_is_denied(bridge, changes):
    """Another version, another kind of link."""
    ea = await bridge.dial()
    ea.say(make_hello(**changes))
    assert (await ea.hear(m.Denied)).code == "proto"


@pytest.mark.parametrize(
    "said",
    [
        b"GET /rpc HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b'{"t":"auth","proof":"' + b"0" * 64 + b'"}\n',
        b'{"t":"hb"}\n',
        b"{" * 5000,
        b"{}\n" * 10,
        b"#5\nhello",
    ],
    ids=["get", "post", "tls", "auth first", "heartbeat", "too long", "garbage", "blob"],
)
async def test_strangers_are_cut_off(bridge, said):
    """At once, without an answer, and the daemon goes on."""
    stranger = await bridge.dial()
    stranger.write(said)
    assert await stranger.closed_by_daemon()
    await bridge.join()


@pytest.mark.parametrize(
    "said",
    [
        b'{"t":"hello"}\n' * 10,
        b"garbage\n" * 10,
        b'{"t":"ticks","d":[[0,1764000000000,"NaN","1.2",0,0,6]]}\n{"t":"hb"}\n' * 10,
        b'{"t":"bye","code":"' + b"x" * 2**21,
        b'{"t":"auth","proof":"' + b"0" * 64 + b'"}\n',
    ],
    ids=["bad hellos", "garbage", "NaN prices", "2 MiB", "a second auth"],
)
async def test_a_terminal_that_breaks_the_protocol_is_cut_off(bridge, said):
    """Though it was admitted; its end is told, and it may come again."""
    ea, session = await bridge.join()
    ea.write(said)
    assert await ea.closed_by_daemon()
    assert session.end_reason == "the terminal broke the protocol"
    assert bridge.heard.kinds()[-1] == "disconnected"
    await bridge.join()


async def test_events_before_the_garbage_still_count(bridge, caplog):
    """Though so many came that they would have been acknowledged at once."""
    ea, session = await bridge.join()
    events = [m.StateEvent(broker=True, q=q) for q in range(1, 400)]
    lines = b"".join(ea.connection.send(event) for event in events)
    ea.write(lines + b"garbage\n" * 10)
    assert await ea.closed_by_daemon()
    assert bridge.heard.events == events
    assert session.end_reason == "the terminal broke the protocol"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_result_before_the_garbage_still_counts(bridge):
    """It came in the same data as what ended the link."""
    ea, session = await bridge.join()
    asked = asyncio.create_task(session.request(commands.TICK_GET, EURUSD))
    cmd = await ea.hear(m.Cmd)
    result = ea.connection.send(m.Res(id=cmd.id, ok=True, d=raw([1, 1.5, 1.6])))
    ea.write(result + b"garbage\n" * 10)
    assert await asked == Tick(1, 1.5, 1.6)


@pytest.mark.parametrize("said", [b"", b'{"t":"hel'], ids=["nothing", "half a line"])
async def test_who_does_not_greet_in_time_is_cut_off(bridge, monkeypatch, said):
    """Silence and half a line are the same."""
    monkeypatch.setattr(link, "HELLO_S", 0.01)
    stranger = await bridge.dial()
    stranger.write(said)
    assert await stranger.closed_by_daemon()


async def test_who_does_not_prove_itself_in_time_is_cut_off(bridge, monkeypatch):
    """After the challenge the clock starts anew."""
    monkeypatch.setattr(link, "AUTH_S", 0.01)
    ea = await bridge.dial()
    ea.say(make_hello())
    await ea.hear(m.Challenge)
    assert await ea.closed_by_daemon()


async def test_a_bye_in_the_same_data_as_hello_wants_no_answer(bridge, caplog):
    """An EA that changes its mind is no error."""
    ea = await bridge.dial()
    ea.say(make_hello(), m.Bye(code="shutdown"))
    assert await ea.closed_by_daemon()
    await bridge.join()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_connections_without_proof_are_bounded(bridge, monkeypatch):
    """The oldest makes room, so nobody who floods the port can keep a terminal from coming in."""
    _, session = await bridge.join()
    monkeypatch.setattr(listener, "MAX_UNAUTHENTICATED", 2)
    strangers = [await bridge.dial() for _ in range(3)]
    assert await strangers[0].closed_by_daemon()
    assert await (await bridge.dial()).greet()
    assert await strangers[1].closed_by_daemon()
    assert session.end_reason == "replaced"
    assert await strangers[2].greet()


async def test_a_stranger_makes_room_for_a_terminal_where_all_is_full(bridge, monkeypatch):
    """The bound on all connections does not help whoever floods the port either."""
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 1)
    stranger = await bridge.dial()
    assert await (await bridge.dial()).greet()
    assert await stranger.closed_by_daemon()


async def test_connections_are_bounded(bridge, monkeypatch):
    """In all, admitted ones included."""
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 1)
    await bridge.join()
    late = await bridge.dial()
    assert (await late.hear(m.Denied)).code == "busy"


async def test_logs_hold_no_secrets(bridge, caplog):
    """Neither tokens nor keys nor proofs."""
    with caplog.at_level(logging.DEBUG):
        ea, _ = await bridge.join()
        await denied(bridge, make_hello(), WRONG)
        ea.write(b"garbage\n" * 10)
        await ea.closed_by_daemon()
    assert "session s-1" in caplog.text
    secrets = (TOKEN, TOKEN[16:48], KEYS.stored_key.hex(), KEYS.server_key.hex(), "0" * 64)
    assert not [secret for secret in secrets if secret in caplog.text]
    assert "\\x" not in repr(KEYS)


async def test_a_hello_that_is_no_text_is_an_unreadable_line(bridge, caplog):
    """A stranger could fill the log with tracebacks, thousands a second."""
    caplog.set_level(logging.DEBUG)
    for odd in (b'"\xff":1', b'"\\ud800\xff":1', b'"a":1,"b\xfe":{}'):
        ea = await bridge.dial()
        line = codec.encode(make_hello())
        ea.write(line[:-1] + b"," + odd + b"}\n")
        await ea.greet()  # one such line is put up with, and says nothing
        await ea.hang_up()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR or one.exc_info]


@pytest.mark.parametrize("name", ["server", "ea", "currency"])
async def test_a_name_that_steers_a_screen_is_not_taken(bridge, name):
    """It would be shown to people, and stand in logs."""
    for evil in ("a\x1b]0;PWN\x07", "a\nINFO all is well", "a\x7f"):
        ea = await bridge.dial()
        ea.write(codec.encode(make_hello(**{name: evil})) + b"\n")
        ea.say(make_hello())
        await ea.hear(m.Challenge)  # to the second
        await ea.hang_up()


async def test_a_failure_of_ours_ends_the_link_in_one_line(bridge, monkeypatch, caplog):
    """Whatever a stranger finds, the loop writes no traceback, and other links live on."""
    other, session = await bridge.join()

    def fail(line, kind):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(codec, "count_unknown", fail)
    ea = await bridge.dial()
    ea.say(make_hello())
    assert await ea.closed_by_daemon()
    (told,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert told.getMessage() == "a link of terminal '' ended: we failed with ZeroDivisionError"
    assert told.exc_info is None
    other.say(m.Hb())
    assert session.state == "ready"


async def test_last_words_begin_no_new_line_of_the_log(bridge, caplog):
    """Neither before the welcome nor after it."""
    caplog.set_level(logging.INFO)
    for join in (bridge.dial, bridge.join):
        there = await join()
        ea = there[0] if isinstance(there, tuple) else there
        ea.say(m.Bye(code="x\u2028\x85\x9b31m evil"))
        assert await ea.closed_by_daemon()
    assert caplog.text.count("evil") == 2
    assert not set("\u2028\x85\x9b") & set(caplog.text)
