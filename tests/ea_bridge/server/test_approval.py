"""The rules of a terminal that waits until somebody approves its machine; over real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from bridge_parts import TOKEN, FakeTimers, TestEa, make_hello
from console_parts import CODE, URL, ConsoleBridge, ScriptedConsole, console_bridge

from ea_bridge.protocol import messages as m
from ea_bridge.server import MAX_TRIES, NotAdmitted, listener
from ea_bridge.server import enrollment as contact
from ea_bridge.server.enrollment import (
    ENROLLMENT_RETRY_MS,
    GRACE_S,
    RAN_OUT_RETRY_MS,
    REFUSED_RETRY_MS,
)
from ea_bridge.token import derive_keys, new_token, parse_token

TID = parse_token(TOKEN)
NOW_MS = 1_764_000_000_000
WAITED_FOR = ("fetch_challenge", "prove", "outcome")


@pytest.fixture
def console() -> ScriptedConsole:
    return ScriptedConsole(TOKEN)


@pytest.fixture
async def far(console: ScriptedConsole, timers: FakeTimers) -> AsyncIterator[ConsoleBridge]:
    """A bridge whose console asks a person, and whose clock stands still."""
    async with console_bridge(console, timers=timers) as bridge:
        yield bridge


async def tell_alive(ea: TestEa, timers: FakeTimers, seconds: int) -> None:
    """Let time pass while the EA answers the daemon's heartbeats."""
    for _ in range(seconds):
        timers.advance(1)
        ea.say(m.Hb(n=(await ea.hear(m.Hb, skip=())).n))


async def tried(ea: TestEa, code: str) -> m.Pending:
    """Send a code that is not the right one."""
    ea.say(m.Verify(code=code))
    return await ea.hear(m.Pending)


async def test_a_machine_that_is_not_approved_gets_pending_and_nothing_else(far):
    """What a person needs, and a place among those who wait; no session."""
    ea = await far.introduced()
    assert await ea.hear(m.Pending) == m.Pending(user_code="BCDF-GHJK", url=URL, expires_s=600)
    [pending] = far.registry.pending()
    assert pending.hello.tid == TID
    assert (pending.user_code, pending.url) == ("BCDF-GHJK", URL)
    assert (pending.since_ms, pending.expires_ms) == (NOW_MS, NOW_MS + 600_000)
    assert (far.registry.sessions(), far.registry.all_facts(), far.heard.changes) == ([], [], [])


async def test_after_the_approval_the_terminal_dials_again_and_is_known(far, console):
    """It gives a fresh proof, to this daemon; the console is not asked again."""
    ea = await far.waiting()
    console.approve()
    assert await ea.hear(m.Bye) == m.Bye(code="approved")
    assert await ea.closed_by_daemon()
    assert far.registry.pending() == []
    _, session = await far.join()
    assert session.terminal == "demo"
    assert console.asked == list(WAITED_FOR)


async def test_a_person_may_say_no(far, console):
    """The terminal is told; were it to ask again soon, it would only be another mail."""
    ea = await far.waiting()
    console.refuse()
    refusal = await ea.hear(m.Denied)
    assert (refusal.code, refusal.retry_ms) == ("refused", REFUSED_RETRY_MS)
    assert await ea.closed_by_daemon()
    assert far.registry.pending() == []


async def test_a_token_that_is_revoked_meanwhile_is_told_so(far, console):
    """As the console's outcome."""
    ea = await far.waiting()
    console.refuse("revoked")
    refusal = await ea.hear(m.Denied)
    assert (refusal.code, refusal.retry_ms) == ("revoked", ENROLLMENT_RETRY_MS)


@pytest.mark.parametrize("code", ["device_pending", "refused", None], ids=str)
async def test_a_request_that_runs_out_is_made_again_after_a_while(far, console, timers, code):
    """Whatever the console calls it, and if it says nothing at all."""
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    await tell_alive(ea, timers, 600)
    if code is None:
        timers.advance(GRACE_S)
    else:
        console.refuse(code)
    refusal = await ea.hear(m.Denied)
    assert (refusal.code, refusal.retry_ms) == ("device_pending", RAN_OUT_RETRY_MS)
    assert await ea.closed_by_daemon()
    await far.waiting()
    assert console.asked == [*WAITED_FOR, *WAITED_FOR]


async def test_a_terminal_that_nobody_looks_after_asks_less_and_less(far, console, timers):
    """3 mails in the first hour, 9 on the first day: see the limits of the console."""
    asked_at, at_s = [], 0.0
    while at_s < 24 * 3600:
        asked_at.append(at_s)
        ea = await far.waiting()
        console.refuse("device_pending")
        at_s += 600 + (await ea.hear(m.Denied)).retry_ms / 1000
        await ea.closed_by_daemon()
    assert len([at for at in asked_at if at < 3600]) == 3
    assert len(asked_at) == 9
    ea = await far.waiting()
    console.approve()
    await ea.hear(m.Bye)
    console.book.clear()
    ea = await far.waiting()
    console.refuse("device_pending")
    assert (await ea.hear(m.Denied)).retry_ms == RAN_OUT_RETRY_MS


# --- codes -------------------------------------------------------------------------------


async def test_the_code_of_the_mail_approves(far, console):
    """As the page would."""
    ea = await far.waiting()
    ea.say(m.Verify(code=CODE))
    assert await ea.hear(m.Bye) == m.Bye(code="approved")
    assert await far.join()


async def test_a_wrong_code_is_told_with_the_tries_that_are_left(far, timers):
    """And how much time; then the right one is still right."""
    ea = await far.waiting()
    timers.advance(10)
    assert await tried(ea, "00000000") == m.Pending(
        user_code="BCDF-GHJK", url=URL, expires_s=590, error="wrong_code", tries_left=4
    )
    assert (await tried(ea, "00000001")).tries_left == 3
    ea.say(m.Verify(code=CODE))
    assert (await ea.hear(m.Bye)).code == "approved"


async def test_a_request_is_dead_after_its_last_try(far, console):
    """The console says so, and asking again takes long."""
    ea = await far.waiting()
    for number in range(MAX_TRIES - 1):
        assert (await tried(ea, f"{number:08}")).tries_left == MAX_TRIES - 1 - number
    ea.say(m.Verify(code="00000009"))
    refusal = await ea.hear(m.Denied)
    assert (refusal.code, refusal.retry_ms) == ("refused", REFUSED_RETRY_MS)


async def test_a_flood_of_codes_is_cut_short(far, console):
    """They are checked one by one; the right one, behind so many, comes too late."""
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    console.hold.clear()
    flood = [m.Verify(code=f"{number:08}") for number in range(100)]
    ea.say(*flood, m.Verify(code=CODE))
    refusal = await ea.hear(m.Denied)
    assert (refusal.code, refusal.retry_ms) == ("busy", ENROLLMENT_RETRY_MS)
    assert await ea.closed_by_daemon()
    assert len(console.codes) <= 1
    assert console.book == {}


async def test_a_code_that_cannot_be_checked_costs_the_request_nothing(far, console, caplog):
    """The console is out of reach for a moment: the person may try again."""
    ea = await far.waiting()
    console.failing.add("verify")
    assert (await tried(ea, CODE)).error == "busy"
    assert "no route to the console" in caplog.text
    console.failing.clear()
    ea.say(m.Verify(code=CODE))
    assert (await ea.hear(m.Bye)).code == "approved"


async def test_an_approval_on_the_page_wins_over_a_code_that_is_being_checked(far, console):
    """The terminal need not wait for what no longer matters."""
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    console.hold.clear()
    ea.say(m.Verify(code="00000000"))
    await console.until_asked(*WAITED_FOR, "verify")
    console.approve()
    assert (await ea.hear(m.Bye)).code == "approved"
    assert console.cancelled == 1


async def test_an_approval_wins_over_a_last_try_that_fails_at_the_same_moment(far, console):
    """Both are known at once: the person who approved has decided."""
    ea = await far.waiting()
    for number in range(MAX_TRIES - 1):
        await tried(ea, f"{number:08}")
    console.hold.clear()
    ea.say(m.Verify(code="00000009"))
    await console.until_asked(*WAITED_FOR, *["verify"] * MAX_TRIES)
    console.approve()
    console.hold.set()
    assert await ea.hear(m.Bye) == m.Bye(code="approved")


async def test_no_code_gets_into_the_log(far, caplog):
    """Neither a right nor a wrong one."""
    with caplog.at_level(logging.DEBUG):
        ea = await far.waiting()
        await tried(ea, "87654321")
        ea.say(m.Verify(code=CODE))
        await ea.hear(m.Bye)
    assert "a wrong code" in caplog.text
    for secret in (CODE, "87654321", TOKEN, derive_keys(TOKEN).server_key.hex()):
        assert secret not in caplog.text


# --- the link that waits -----------------------------------------------------------------


async def test_a_silent_terminal_is_not_waited_for(far, console, timers):
    """15 s, as with any other."""
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    await tell_alive(ea, timers, 30)
    assert len(far.registry.pending()) == 1
    timers.advance(15)
    assert await ea.closed_by_daemon()
    await console.until_cancelled()
    assert far.registry.pending() == []


async def test_a_link_that_is_lost_waits_no_more(far, console):
    """The console's request may go on: the next hello is another."""
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    await ea.hang_up()
    await console.until_cancelled()
    assert far.registry.pending() == []


async def test_the_newest_link_of_a_token_waits(far, console):
    """The older is told; its end does not take the newer's place away."""
    older = await far.waiting()
    newer = await far.waiting(login=456)
    assert await older.hear(m.Bye) == m.Bye(code="replaced")
    assert await older.closed_by_daemon()
    [pending] = far.registry.pending()
    assert pending.hello.login == 456
    console.approve()
    assert (await newer.hear(m.Bye)).code == "approved"


async def test_who_has_proved_nothing_replaces_nobody(far):
    """A stranger who names the token is not let in to where one waits."""
    waiting = await far.waiting()
    stranger = await far.dial()
    stranger.say(make_hello())
    await stranger.hear(m.Challenge)
    stranger.say(m.Auth(proof="00" * 32))
    assert (await stranger.hear(m.Denied)).code == "unknown"
    assert len(far.registry.pending()) == 1
    assert (await tried(waiting, "00000000")).tries_left == 4


async def test_those_who_wait_are_bounded(far, console, monkeypatch):
    """One more is told so before a mail is sent; a token that waits already may come again."""
    monkeypatch.setattr(contact, "MAX_WAITING", 2)
    tokens = [new_token() for _ in range(3)]
    console.keys = {parse_token(token): derive_keys(token) for token in tokens}
    await far.waiting(tokens[0])
    await far.waiting(tokens[1])
    asked = list(console.asked)
    late = await far.dial()
    late.say(make_hello(tid=parse_token(tokens[2])))
    assert (await late.hear(m.Denied)).code == "busy"
    assert console.asked == asked
    await far.waiting(tokens[1])


async def test_a_flood_of_connections_does_not_push_out_who_waits(far, monkeypatch):
    """It would cost another mail."""
    monkeypatch.setattr(listener, "MAX_UNAUTHENTICATED", 2)
    ea = await far.waiting()
    strangers = [await far.dial() for _ in range(4)]
    assert await strangers[0].closed_by_daemon()
    assert (await tried(ea, "00000000")).tries_left == 4


@pytest.mark.parametrize(
    "said",
    [b'{"t":"ack","id":1}\n', b'{"t":"account","d":{}}\n' * 10, b"garbage\n" * 10, b"{" * 20_000],
    ids=["ack", "bad events", "garbage", "too long"],
)
async def test_a_terminal_that_breaks_the_protocol_meanwhile_is_cut_off(far, console, said):
    """Nothing is taken from it yet but heartbeats and codes, in short lines."""
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    ea.write(said)
    assert await ea.closed_by_daemon()
    await console.until_cancelled()
    assert far.registry.pending() == []


@pytest.mark.parametrize("by", ["terminal", "token"])
async def test_revoking_ends_the_waiting_too(far, console, by):
    """By the terminal where it is known, and by the token."""
    console.terminal = "demo"
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    if by == "terminal":
        assert far.server.close_terminal("demo", "revoked") == 1
    else:
        assert far.server.close_token(TID, "revoked") == 1
    assert far.registry.pending() == []
    assert await ea.hear(m.Bye) == m.Bye(code="revoked")
    await console.until_cancelled()


async def test_stopping_says_bye_to_who_waits(far, console):
    """And leaves no task behind."""
    ea = await far.waiting()
    await console.until_asked(*WAITED_FOR)
    stopping = asyncio.create_task(far.server.stop())
    assert await ea.hear(m.Bye) == m.Bye(code="shutdown")
    await ea.hang_up()
    await stopping
    assert console.cancelled == 1
    assert far.registry.pending() == []
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.mark.parametrize("decision", ["approve", "refuse"])
async def test_a_decision_is_heard_by_who_speaks_on(far, console, decision):
    """A terminal that waits sends heartbeats: a socket that was closed at once would be reset by
    the next, and what was decided lost with what its system had not read."""
    ea = await far.waiting()
    ea.stop_reading()
    getattr(console, decision)()
    for _ in range(20):
        ea.say(m.Hb(n=1))
        await asyncio.sleep(0.002)  # so that the daemon's system has it
    assert f'"{decision.rstrip("e")}'.encode() in await ea.all_that_comes()


async def test_words_of_the_console_that_no_ea_could_read_are_not_passed_on(far, console):
    """An escape sequence in a code would be shown on somebody's terminal."""
    console.user_code = "\x1b[2J"
    ea = await far.introduced()
    assert (await ea.hear(m.Denied)).code == "busy"
    assert far.registry.pending() == []


async def test_an_outcome_that_fails_ends_the_waiting(far, console, caplog):
    """The next hello finds out what has become of it."""
    console.failing.add("outcome")
    ea = await far.waiting()
    assert await ea.hear(m.Denied) == m.Denied(
        code="busy", reason="the console cannot be asked", retry_ms=ENROLLMENT_RETRY_MS
    )
    assert "no route to the console" in caplog.text


async def test_a_refusal_may_ask_for_more_patience(far, console):
    """What the console wants is never cut short."""
    ea = await far.waiting()
    console.refuse("busy", retry_ms=3_600_000)
    assert (await ea.hear(m.Denied)).retry_ms == 3_600_000
    assert NotAdmitted(code="busy", reason="").retry_ms < ENROLLMENT_RETRY_MS
