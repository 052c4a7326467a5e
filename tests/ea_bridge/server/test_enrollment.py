"""The rules of a first contact, until the console has judged the proof; over real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from bridge_parts import KEYS, TOKEN, FakeTimers, TestEa, make_hello
from console_parts import ConsoleBridge, ScriptedConsole, console_bridge

from ea_bridge.protocol import messages as m
from ea_bridge.protocol.errors import WrongProof
from ea_bridge.protocol.handshake import answer_challenge
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import (
    MAX_ENROLLMENTS,
    Admitted,
    BridgeServer,
    NotAdmitted,
    Relay,
    listener,
)
from ea_bridge.server.enrollment import BUSY_RETRY_MS, ENROLLMENT_RETRY_MS, REST_S
from ea_bridge.token import derive_keys, new_token, parse_token

WRONG = m.Auth(proof="00" * 32)
TID = parse_token(TOKEN)


@pytest.fixture
def console() -> ScriptedConsole:
    return ScriptedConsole(TOKEN, approved=True)


@pytest.fixture
async def far(console: ScriptedConsole, timers: FakeTimers) -> AsyncIterator[ConsoleBridge]:
    """A bridge whose console knows the token, and whose clock stands still."""
    async with console_bridge(console, timers=timers) as bridge:
        yield bridge


async def denied(far: ConsoleBridge, hello: m.Hello, auth: m.Auth = WRONG) -> m.Denied:
    """Lead the handshake with that proof and return the refusal."""
    ea = await far.dial()
    ea.say(hello)
    await ea.hear(m.Challenge)
    ea.say(auth)
    refusal = await ea.hear(m.Denied)
    assert await ea.closed_by_daemon()
    return refusal


async def test_a_token_of_an_approved_machine_is_welcomed_at_once(far, console):
    """The console proves itself to the EA and checks its proof; the daemon had no key of it."""
    ea, session = await far.join()
    assert console.asked == ["fetch_challenge", "prove"]
    assert (session.terminal, session.state) == ("demo", "ready")
    assert far.heard.kinds() == ["connected"]
    ea.say(m.StateEvent(broker=True, q=1))
    await far.heard.until(lambda: far.heard.events)


async def test_a_token_that_is_known_here_is_not_introduced(far, console):
    """The console is asked once."""
    await far.join()
    await far.join()
    assert console.asked == ["fetch_challenge", "prove"]


async def test_the_proof_fits_this_daemon_alone(console, timers):
    """The device's id is in it: what a squatter gets from the console is of no use to another."""
    console.device = "device-2"
    async with console_bridge(console, timers=timers) as far:
        console.device = "device-1"
        ea = await far.dial()
        hello = make_hello()
        ea.say(hello)
        with pytest.raises(WrongProof):
            answer_challenge(TOKEN, hello, await ea.hear(m.Challenge))


async def test_a_wrong_proof_and_an_unknown_token_get_the_same_answers(far):
    """A challenge, then the same refusal, and a while to wait."""
    wrong = await denied(far, make_hello())
    unknown = await denied(far, make_hello(tid="0" * 12))
    assert wrong == unknown
    assert (wrong.code, wrong.retry_ms) == ("unknown", ENROLLMENT_RETRY_MS)
    assert far.registry.sessions() == []


async def test_an_ea_with_an_unknown_token_finds_out_first(far, console):
    """What the console sends for it fits nothing: the EA leaves, and no proof gets anywhere."""
    ea = await far.dial()
    hello = make_hello(tid="0" * 12)
    ea.say(hello)
    with pytest.raises(WrongProof):
        answer_challenge(TOKEN, hello, await ea.hear(m.Challenge))
    ea.say(m.Bye(code="proof"))
    assert await ea.closed_by_daemon()
    assert console.asked == ["fetch_challenge"]


@pytest.mark.parametrize("step", ["fetch_challenge", "prove"])
async def test_a_console_that_takes_14_s_is_waited_for(far, console, timers, step):
    """A handshake through it may take 15 s."""
    console.hold.clear()
    ea = await far.dial()
    hello = make_hello()
    ea.say(hello)
    await console.until_asked("fetch_challenge")
    if step == "prove":
        console.hold.set()
        challenge = await ea.hear(m.Challenge)
        console.hold.clear()
        ea.say(answer_challenge(TOKEN, hello, challenge))
        await console.until_asked("fetch_challenge", "prove")
    timers.advance(14)
    console.hold.set()
    if step == "fetch_challenge":
        ea.say(answer_challenge(TOKEN, hello, await ea.hear(m.Challenge)))
    assert await ea.hear(m.Welcome)
    timers.advance(2)
    assert far.registry.get("demo") is not None


@pytest.mark.parametrize("step", ["fetch_challenge", "prove"])
async def test_a_console_that_takes_16_s_is_not(far, console, timers, step):
    """The terminal is told to try later, and nobody goes on asking for it."""
    console.hold.clear()
    ea = await far.dial()
    hello = make_hello()
    ea.say(hello)
    await console.until_asked("fetch_challenge")
    if step == "prove":
        console.hold.set()
        challenge = await ea.hear(m.Challenge)
        console.hold.clear()
        timers.advance(10)
        ea.say(answer_challenge(TOKEN, hello, challenge))
        await console.until_asked("fetch_challenge", "prove")
        timers.advance(6)
    else:
        timers.advance(16)
    refusal = await ea.hear(m.Denied)
    assert (refusal.code, refusal.retry_ms) == ("busy", ENROLLMENT_RETRY_MS)
    assert await ea.closed_by_daemon()
    await console.until_cancelled()


async def test_an_ea_that_takes_too_long_for_its_proof_is_cut_off(far, timers):
    """Without a word: it has proved nothing yet."""
    ea = await far.dial()
    ea.say(make_hello())
    await ea.hear(m.Challenge)
    timers.advance(16)
    assert await ea.closed_by_daemon()


async def test_a_link_that_is_lost_asks_no_more(far, console):
    """Its question to the console is given up."""
    console.hold.clear()
    ea = await far.dial()
    ea.say(make_hello())
    await console.until_asked("fetch_challenge")
    await ea.hang_up()
    await console.until_cancelled()


async def test_a_goodbye_while_the_console_is_asked_wants_no_answer(far, console, caplog):
    """It may even come with the hello."""
    console.hold.clear()
    ea = await far.dial()
    ea.say(make_hello(), m.Bye(code="shutdown"))
    assert await ea.closed_by_daemon()
    console.hold.set()
    assert (await far.join())[1].state == "ready"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_strangers_make_the_console_little_work(far, console):
    """Of a hundred at once a few are introduced; a terminal that is known here comes in."""
    console.book[TID] = Admitted(keys=KEYS, terminal="known")
    console.hold.clear()
    strangers = [await far.dial() for _ in range(listener.MAX_UNAUTHENTICATED)]
    for number in range(100):
        stranger = strangers[number] if number < len(strangers) else await far.dial()
        stranger.say(make_hello(tid=f"{number:012}"))
        if number < MAX_ENROLLMENTS:
            await console.until_asked(*["fetch_challenge"] * (number + 1))
        else:
            refusal = await stranger.hear(m.Denied)
            assert (refusal.code, refusal.retry_ms) == ("busy", BUSY_RETRY_MS)
    assert (await far.join())[1].terminal == "known"
    assert console.asked == ["fetch_challenge"] * MAX_ENROLLMENTS


async def test_strangers_are_introduced_only_so_often(far, console, timers):
    """One that led to nothing keeps its place for a while."""
    for number in range(MAX_ENROLLMENTS):
        await denied(far, make_hello(tid=f"{number:012}"))
    ea = await far.dial()
    ea.say(make_hello())
    assert (await ea.hear(m.Denied)).code == "busy"
    assert len(console.asked) == 2 * MAX_ENROLLMENTS
    timers.advance(REST_S)
    assert await far.join()


async def test_terminals_that_are_let_in_leave_their_place_at_once(far, console):
    """Whoever starts ten terminals on a new machine is no stranger."""
    for _ in range(MAX_ENROLLMENTS + 2):
        token = new_token()
        console.keys[parse_token(token)] = derive_keys(token)
        await far.join(token)


async def test_a_flood_of_connections_does_not_push_out_who_is_introduced(
    far, console, monkeypatch
):
    """They are few; the flood pushes out its own."""
    monkeypatch.setattr(listener, "MAX_UNAUTHENTICATED", 2)
    console.hold.clear()
    ea = await far.dial()
    hello = make_hello()
    ea.say(hello)
    await console.until_asked("fetch_challenge")
    strangers = [await far.dial() for _ in range(3)]
    assert await strangers[0].closed_by_daemon()
    console.hold.set()
    ea.say(answer_challenge(TOKEN, hello, await ea.hear(m.Challenge)))
    assert await ea.hear(m.Welcome)


@pytest.mark.parametrize("step", ["fetch_challenge", "prove"])
async def test_a_way_to_the_console_that_fails_is_logged(far, console, caplog, step):
    """The terminal may try later; the bridge goes on."""
    console.failing.add(step)
    ea = await far.dial()
    hello = make_hello()
    ea.say(hello)
    if step == "prove":
        ea.say(answer_challenge(TOKEN, hello, await ea.hear(m.Challenge)))
    assert (await ea.hear(m.Denied)).code == "busy"
    assert "no route to the console" in caplog.text
    console.failing.clear()
    assert await far.join()


async def test_what_is_said_before_any_proof_is_told_as_it_is(far, console):
    """No way to the console: the terminal tries again when the authorizer says so."""
    console.refusal = NotAdmitted(code="busy", reason="the console is offline", retry_ms=15_000)
    ea = await far.dial()
    ea.say(make_hello())
    assert await ea.hear(m.Denied) == m.Denied(
        code="busy", reason="the console is offline", retry_ms=15_000
    )


async def test_a_record_that_does_not_fit_the_proof_lets_nobody_in(far, console, monkeypatch):
    """The console says yes; the keys that the daemon has from it say no."""
    other = Admitted(keys=type(KEYS)(b"1" * 32, b"2" * 32), terminal="demo")
    monkeypatch.setattr(console, "_learn", lambda tid, terminal: other)
    ea = await far.introduced()
    assert (await ea.hear(m.Denied)).code == "unknown"
    assert far.registry.sessions() == []


async def test_a_record_that_is_not_in_the_book_lets_nobody_in(far, console, monkeypatch):
    """The authorizer has the last word, as always."""
    monkeypatch.setattr(
        console, "_learn", lambda tid, terminal: Admitted(keys=KEYS, terminal=terminal)
    )
    ea = await far.introduced()
    assert (await ea.hear(m.Denied)).code == "busy"
    assert far.registry.sessions() == []


async def test_revoking_ends_a_contact_too(far, console):
    """By the token, whose terminal nobody knows yet."""
    console.hold.clear()
    ea = await far.dial()
    ea.say(make_hello())
    await console.until_asked("fetch_challenge")
    assert far.server.close_token("0" * 12, "revoked") == 0
    assert far.server.close_token(TID, "revoked") == 1
    assert await ea.hear(m.Bye) == m.Bye(code="revoked")
    await console.until_cancelled()


async def test_stopping_ends_contacts_too(far, console):
    """No task is left when it returns."""
    console.hold.clear()
    ea = await far.dial()
    ea.say(make_hello())
    await console.until_asked("fetch_challenge")
    before = asyncio.all_tasks()
    await far.server.stop()
    assert console.cancelled == 1
    assert await ea.hear(m.Bye) == m.Bye(code="shutdown")
    assert len(asyncio.all_tasks()) < len(before)


class Forgetful:
    """A authorizer that would relay, had anybody told it how."""

    def admit(self, hello: m.Hello) -> Relay:
        return Relay()


async def test_without_a_way_to_the_console_the_token_is_unknown(registry: TerminalRegistry):
    """The same steps as for any token that nobody knows."""
    async with BridgeServer(Forgetful(), registry, device_id="device-1", port=0) as server:
        ea = await TestEa.dial(server.port)
        ea.say(make_hello())
        await ea.hear(m.Challenge)
        ea.say(WRONG)
        refusal = await ea.hear(m.Denied)
        assert (refusal.code, refusal.retry_ms) == ("unknown", 5000)
        await ea.hang_up()


async def test_an_ea_that_breaks_the_protocol_meanwhile_is_cut_off(far, console):
    """Nothing but a goodbye may come before the challenge."""
    console.hold.clear()
    ea = await far.dial()
    ea.say(make_hello())
    await console.until_asked("fetch_challenge")
    ea.write(b'{"t":"hb"}\n')
    assert await ea.closed_by_daemon()
    await console.until_cancelled()
