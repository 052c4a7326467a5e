"""What daemons tell of the past: sessions and uses of tokens, told again and never twice."""

from __future__ import annotations

import pytest
from console_fixtures import FINGERPRINT, IP, Clock, Machine, approve, person

from gateway.console import reports
from gateway.console.pages.views import login_view
from gateway.console.service import Console
from gateway.console.tokens import TokenInfo
from gateway.credentials.daemon_api import (
    LoginReport,
    RunReport,
    TerminalDescription,
    TerminalReport,
)

DAY_S = 86_400
FACTS = TerminalDescription(
    platform="mt5", login=5012345, server="Demo", fp=FINGERPRINT, version="EA 1.0, build 4000"
)


@pytest.fixture
async def machine(console: Console) -> Machine:
    """A machine that has spoken."""
    machine = Machine()
    await machine.seen_by(console)
    return machine


async def token_on(console: Console, machine: Machine, name: str = "ann") -> TokenInfo:
    """Make a user with a token that is approved for a machine."""
    _, token = await console.tokens.create((await person(console, name)).id, "A")
    await approve(console, token, machine)
    return token


def run(token: TokenInfo, name: str, began: int, ended: int | None = None) -> RunReport:
    """Say that a terminal worked."""
    reason = "" if ended is None else "silent for too long"
    return RunReport(
        run=name, tid=token.tid, began=began, ended=ended, reason=reason, terminal=FACTS
    )


def use(token: TokenInfo, line: str, at: int, *, reason: str = "", count: int = 1) -> LoginReport:
    """Say that a program came."""
    return LoginReport(
        line=line,
        tid=token.tid,
        way="http",
        reason=reason,
        agent="bot/1\n",
        first=at,
        last=at,
        count=count,
    )


@pytest.mark.alike
async def test_sessions_are_told_for_good(console: Console, machine: Machine, clock: Clock):
    """Begin, end, why and version; told again nothing is added. What was missed while the console
    was away is all there, in its order."""
    token, now = await token_on(console, machine), clock.now
    told = [
        run(token, "b.s-1", now - 900, now - 600),
        run(token, "b.s-2", now - 500, now - 400),
        run(token, "b.s-3", now - 300),
    ]
    for _ in range(2):
        await console.reports.history(machine.did, "b", told)
    found = await console.reports.list(token.user_id)
    assert [(entry.started_at, entry.ended_at) for entry in found] == [
        (now - 300, None),
        (now - 500, now - 400),
        (now - 900, now - 600),
    ]
    assert (found[1].reason, found[1].version) == ("silent for too long", FACTS.version)
    assert (await console.tokens.get(token.user_id, token.tid)).linked_at == now - 900


async def test_a_terminal_is_live_since_its_session_began(
    console: Console, machine: Machine, clock: Clock
):
    """Not since one before a restart of the daemon, that nobody has seen end; that one was last
    heard of when it was."""
    token, before = await token_on(console, machine), clock.now
    first = TerminalReport(
        tid=token.tid, state="online", since=before, terminal=FACTS, run="b.s-1"
    )
    await console.reports.report(machine.did, [first])
    clock.forward(1000)
    again = first.model_copy(update={"run": "c.s-1", "since": clock.now - 5})
    await console.reports.report(machine.did, [again])
    await console.devices.heard(machine.did, IP)
    (line,) = await console.terminals.lines_of(token)
    assert (line.state, line.since) == ("online", clock.now - 5)
    await console.reports.history(machine.did, "c", [run(token, "c.s-1", clock.now - 5)])
    assert [entry.state for entry in await console.reports.list(token.user_id)] == [
        "online",
        "offline",
    ]


@pytest.mark.alike
async def test_what_a_daemon_left_open_is_over_when_it_starts_anew(
    console: Console, machine: Machine, clock: Clock
):
    """Even before a terminal links."""
    token = await token_on(console, machine)
    began = clock.now
    await console.reports.history(machine.did, "b", [run(token, "b.s-1", began)])
    clock.forward(500)
    await console.reports.history(machine.did, "c", [])
    (one,) = await console.reports.list(token.user_id)
    assert (one.ended_at, one.reason) == (began, reports.DAEMON_GONE)


@pytest.mark.alike
async def test_a_session_that_nobody_ended_is_over_before_the_next(
    console: Console, machine: Machine, clock: Clock
):
    """Its daemon's last words may be read when the next has begun already."""
    token, began = await token_on(console, machine), clock.now
    clock.forward(500)
    await console.reports.history(machine.did, "b", [run(token, "b.s-1", began)])
    # it was linked twice before the console was reached
    fresh = [run(token, "c.s-1", began + 300, began + 350), run(token, "c.s-2", began + 400)]
    await console.reports.history(machine.did, "c", fresh)
    *_, first, earlier = await console.reports.list(token.user_id)
    assert first.started_at == began + 300
    assert (earlier.ended_at, earlier.reason) == (first.started_at, reports.DAEMON_GONE)
    # nor before it began
    await console.reports.history(machine.did, "d", [run(token, "d.s-1", began)])
    ends = {run.ended_at for run in await console.reports.list(token.user_id)}
    assert ends == {None, began + 300, began + 350, began + 400}


@pytest.mark.alike
async def test_a_late_state_does_not_revive_a_session(
    console: Console, machine: Machine, clock: Clock
):
    """The history may be faster than the stream."""
    token, now = await token_on(console, machine), clock.now
    await console.reports.history(machine.did, "b", [run(token, "b.s-1", now - 9, now)])
    late = TerminalReport(tid=token.tid, state="online", since=now, terminal=FACTS, run="b.s-1")
    await console.reports.report(machine.did, [late])
    assert await console.reports.active(token.user_id) == []


async def test_uses_are_counted_once(console: Console, machine: Machine, clock: Clock):
    """A line grows, however often it is told; times of the future are now."""
    token = await token_on(console, machine)
    told = [use(token, "b.1", clock.now), use(token, "b.2", clock.now + 999, reason="unknown")]
    await console.logins.note(machine.did, told)
    await console.logins.note(machine.did, [use(token, "b.1", clock.now, count=7), told[1]])
    await console.logins.note(machine.did, [use(token, "b.1", clock.now, count=3)])
    refused, let_in = await console.logins.list(token.user_id)
    assert (let_in.outcome, let_in.count, let_in.agent) == (
        "ok",
        7,
        "bot/1\N{REPLACEMENT CHARACTER}",
    )
    assert (refused.outcome, refused.reason, refused.last_at) == ("refused", "unknown", clock.now)
    assert await console.logins.list(token.user_id, outcome="ok") == [let_in]
    assert await console.logins.list(token.user_id, before=refused.id) == [let_in]
    assert await console.logins.last_used(token.user_id) == {token.tid: clock.now}
    assert not await console.logins.last_used("nobody")


@pytest.mark.alike
async def test_a_machine_tells_of_its_own_users_alone(
    console: Console, machine: Machine, clock: Clock
):
    """Of a token that came up there for the first time too, where its owner trusts the machine; of
    strangers' nothing, and nobody sees another's."""
    hers, now = await token_on(console, machine), clock.now
    bob = await person(console, "bob")
    _, his = await console.tokens.create(bob.id, "B")
    _, new = await console.tokens.create(hers.user_id, "new")
    told = [use(token, f"b.{n}", now) for n, token in enumerate((hers, his, new))]
    stranger = Machine("stranger")
    await stranger.seen_by(console)
    await console.logins.note(machine.did, told)
    await console.logins.note(stranger.did, told)
    await console.reports.history(stranger.did, "b", [run(hers, "b.s-1", now)])
    assert {login.tid for login in await console.logins.list(hers.user_id)} == {hers.tid, new.tid}
    assert {login.did for login in await console.logins.list(hers.user_id)} == {machine.did}
    assert await console.logins.list(bob.id) == []
    assert await console.reports.list(hers.user_id) == []


async def test_the_history_is_bounded(
    console: Console, machine: Machine, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """In time, and in lines; refusals, which anybody can make, push nobody out who was let in."""
    monkeypatch.setattr(reports, "MAX_KEPT", 3)
    token, now = await token_on(console, machine), clock.now
    lines = [use(token, f"b.{n}", now + n) for n in range(2)]
    lines += [use(token, f"c.{n}", now, reason="unknown") for n in range(9)]
    await console.logins.note(machine.did, lines)
    sessions = [run(token, f"b.s-{n}", now - 100 + n, now - 99 + n) for n in range(5)]
    await console.reports.history(machine.did, "b", sessions)
    await console.cleanup()
    kept = await console.logins.list(token.user_id)
    assert [line.outcome for line in kept] == ["refused"] * 3 + ["ok"] * 2
    assert [entry.started_at for entry in await console.reports.list(token.user_id)] == [
        now - 96,
        now - 97,
        now - 98,
    ]
    clock.forward(31 * DAY_S)
    await console.cleanup()
    assert {login.outcome for login in await console.logins.list(token.user_id)} == {"ok"}
    clock.forward(60 * DAY_S)
    await console.cleanup()
    assert await console.logins.list(token.user_id) == []
    assert await console.reports.list(token.user_id) == []


async def test_sessions_are_read_in_pages(console: Console, machine: Machine, clock: Clock):
    """Without a gap, though several began in one second; another's line opens no page."""
    token, now = await token_on(console, machine), clock.now
    sessions = [run(token, f"b.s-{n}", now - 9, now - 8) for n in range(7)]
    await console.reports.history(machine.did, "b", sessions)
    pages = []
    before = None
    for _ in range(4):
        page = await console.reports.list(token.user_id, limit=3, before=before, tid=token.tid)
        pages += [entry.id for entry in page]
        before = page[-1].id if page else before
    assert len(pages) == len(set(pages)) == 7
    bob = await person(console, "bob")
    assert await console.reports.list(bob.id, before=pages[0]) == []


async def test_a_revoked_machine_adds_nothing(console: Console, machine: Machine, clock: Clock):
    """Whoever has it could fill the history until all else is forgotten. It may still say how the
    sessions ended that it has told of before; one that was forgotten waits to be asked about."""
    token, now = await token_on(console, machine), clock.now
    await console.reports.history(machine.did, "b", [run(token, "b.s-1", now - 9)])
    await console.logins.note(machine.did, [use(token, "b.1", now)])
    await console.devices.revoke(token.user_id, machine.did)
    for _ in range(2):
        await console.reports.history(
            machine.did, "b", [run(token, "b.s-1", now - 9, now), run(token, "b.s-2", now)]
        )
        live = TerminalReport(tid=token.tid, state="online", since=now, terminal=FACTS)
        await console.reports.report(machine.did, [live])
        await console.logins.note(
            machine.did, [use(token, "b.2", now), use(token, "b.1", now + 1)]
        )
        (only,) = await console.reports.list(token.user_id)
        assert (only.started_at, only.ended_at) == (now - 9, now)
        (line,) = await console.logins.list(token.user_id)
        assert (line.count, line.last_at) == (1, now)
        await console.devices.forget(token.user_id, machine.did)
        await console.devices.revoke(token.user_id, machine.did)


async def test_a_machine_that_is_not_approved_may_wait(
    console: Console, machine: Machine, clock: Clock
):
    """Its owner sees that; what only waited leaves nothing behind, whoever waits next."""
    token = await token_on(console, machine)
    await console.devices.revoke(token.user_id, machine.did)
    await console.devices.forget(token.user_id, machine.did)
    for fingerprint in (FINGERPRINT, "cd" * 32):
        facts = FACTS.model_copy(update={"fp": fingerprint})
        waits = TerminalReport(tid=token.tid, state="pending", since=clock.now, terminal=facts)
        await console.reports.report(machine.did, [waits])
    assert [entry.state for entry in await console.reports.list(token.user_id)] == ["pending"]
    gone = TerminalReport(tid=token.tid, state="offline", since=clock.now)
    await console.reports.report(machine.did, [gone])
    assert await console.reports.list(token.user_id) == []


@pytest.mark.alike
@pytest.mark.parametrize(
    "waiting", [FACTS, FACTS.model_copy(update={"fp": "cd" * 32, "login": 7})]
)
async def test_a_late_report_of_waiting_hides_no_session(
    console: Console, machine: Machine, clock: Clock, waiting: TerminalDescription
):
    """A session that was told stays listed, open until its own end is told: a report that was
    written while its terminal still waited may come after it, and another terminal may wait with
    its token.
    """
    token, now = await token_on(console, machine), clock.now
    await console.reports.history(machine.did, "b", [run(token, "b.s-1", now)])
    late = TerminalReport(tid=token.tid, state="pending", since=now - 5, terminal=waiting)
    await console.reports.report(machine.did, [late])
    [listed] = await console.reports.list(token.user_id)
    assert (listed.state, listed.ended_at, listed.login) == ("online", None, FACTS.login)

    clock.forward(60)
    gone = TerminalReport(
        tid=token.tid, state="offline", since=clock.now, run="b.s-1", reason="revoked"
    )
    await console.reports.report(machine.did, [gone])
    [listed] = await console.reports.list(token.user_id)
    assert (listed.state, listed.ended_at, listed.reason) == ("offline", now + 60, "revoked")


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("bot/1", "bot/1"),
        ("192.168.1.20", "192.168.1.20"),
        ("192.168.1.20, bot/1", "192.168.1.20, bot/1"),
        ("fd00::14, Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0", "fd00::14, Firefox on Linux"),
        ("KHTML, like Gecko", "KHTML, like Gecko"),
    ],
)
async def test_a_use_from_another_machine_is_shown_with_its_address(
    console: Console, machine: Machine, agent: str, shown: str
) -> None:
    token = await token_on(console, machine)
    report = LoginReport(
        line="b.1", tid=token.tid, way="http", reason="", agent=agent, first=1, last=2
    )
    await console.logins.note(machine.did, [report])
    user = await console.users.by_email("ann@example.com")
    assert user is not None
    [login] = await console.logins.list(user.id)
    assert login_view(login)["agent"] == shown
