"""The session of a manager peer: its own commands, pages in parts, larger bounds."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest
from bridge_parts import Live, Pair, make_hello, raw

from ea_bridge import commands
from ea_bridge.errors import CommandFailed, NotSent, OutcomeUnknown, TerminalBusy
from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.session import MAX_MANAGER_IN_FLIGHT, ManagerCallbacks, ManagerSession
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.connection import DAEMON, TERMINAL, Connection
from ea_bridge.session import LateResult

DEPOSIT = mt4.TransactionParams(cmd=6, orderby=7, price=1.0)


class LiveManager(Live):
    """A manager's session on a wire in memory, and its peer's end."""

    session: ManagerSession

    def __init__(self) -> None:
        pair = Pair()
        pair.ends[TERMINAL] = Connection(
            TERMINAL, commands=c.MANAGER_COMMANDS, max_line=c.MAX_LINE_TO_MANAGER
        )
        pair.shake_hands()
        pair.ends[DAEMON].max_line_to_peer = c.MAX_LINE_TO_MANAGER
        super().__init__(pair.ends[TERMINAL])
        self.changes: list[bool | None] = []
        self.late: list[LateResult] = []
        self.session = ManagerSession(
            terminal="mt4",
            generation=1,
            id="s-1",
            hello=make_hello(role="manager"),
            connection=pair.ends[DAEMON],
            wire=self.wire,
            timers=self.timers,
            command_ids=itertools.count(100),
            callbacks=ManagerCallbacks(
                on_change=lambda session: self.changes.append(session.broker),
                on_late_result=lambda _, late: self.late.append(late),
            ),
        )


@pytest.fixture
def live() -> LiveManager:
    return LiveManager()


def page(total: int, *logins: int) -> msgspec.Raw:
    return raw({"total": total, "rows": [{"login": login} for login in logins]})


async def test_a_page_in_parts_is_one_page(live: LiveManager):
    """Rows in the order they came, with the total that every part says."""
    asked, cmd = await live.ask(c.USERS_REQUEST, mt4.UsersFilter())
    live.say(m.Res(id=cmd.id, ok=True, d=page(3, 1, 2), last=False))
    live.say(m.Res(id=cmd.id, ok=True, d=page(3, 3), part=1))

    answer = await asked
    assert answer.total == 3
    assert [one.login for one in answer.rows] == [1, 2, 3]


async def test_parts_that_speak_of_two_lists_are_unreadable(live: LiveManager):
    """It changed between them: no page that never was."""
    asked, cmd = await live.ask(c.USERS_REQUEST, mt4.UsersFilter())
    live.say(m.Res(id=cmd.id, ok=True, d=page(3, 1, 2), last=False))
    live.say(m.Res(id=cmd.id, ok=True, d=page(4, 3), part=1))

    with pytest.raises(CommandFailed):
        await asked


async def test_rows_can_be_taken_as_they_came(live: LiveManager):
    """For who hands 100,000 of them on: the same op, another type for the rows."""
    as_is = commands.Command("margins_get", mt4.MarginsFilter, mt4.Page[msgspec.Raw])
    asked, cmd = await live.ask(as_is, mt4.MarginsFilter())
    live.say(m.Res(id=cmd.id, ok=True, d=page(2, 1, 2)))

    assert [bytes(one) for one in (await asked).rows] == [b'{"login":1}', b'{"login":2}']


async def test_params_cross_whole_though_they_are_long(live: LiveManager):
    """Thousands of logins, records within records: an EA's buffer would not hold that."""
    logins = list(range(1, mt4.MAX_LOGINS + 1))
    params = mt4.GroupOpParams(command=4, logins=logins, newgroup="vip-usd")
    _, cmd = await live.ask(c.USERS_GROUP_OP, params)
    assert cmd.params == params

    change = mt4.UserUpdate(login=7, change=mt4.UserChange(name="Ünï", id="AB 1", enable=0))
    _, cmd = await live.ask(c.USER_RECORD_UPDATE, change)
    assert cmd.params == change
    live.session.end("over")


async def test_a_change_that_was_written_and_not_answered_is_unknown(live: LiveManager):
    """A question is not: it can be asked again."""
    deposit, cmd = await live.ask(c.TRADE_TRANSACTION, DEPOSIT)
    question, _ = await live.ask(c.PING, commands.NoParams())
    live.say(m.Ack(id=cmd.id))
    live.session.end("the link was lost")

    with pytest.raises(OutcomeUnknown) as caught:
        await deposit
    assert (caught.value.command_id, caught.value.acked) == (cmd.id, True)
    with pytest.raises(NotSent):
        await question


async def test_a_result_after_the_deadline_is_told_as_late(live: LiveManager):
    """Its caller was told that the outcome is unknown."""
    deposit, cmd = await live.ask(c.TRADE_TRANSACTION, DEPOSIT, timeout_s=1)
    live.timers.advance(1)
    with pytest.raises(OutcomeUnknown):
        await deposit
    live.say(m.Res(id=cmd.id, ok=True, d=raw({"order": 5})))

    assert [(one.command_id, one.result.order) for one in live.late] == [(cmd.id, 5)]


async def test_a_refusal_carries_the_apis_code(live: LiveManager):
    """And nothing is left in flight."""
    deposit, cmd = await live.ask(c.TRADE_TRANSACTION, DEPOSIT)
    live.say(m.Res(id=cmd.id, ok=False, retcode=134, msg="no money"))

    with pytest.raises(CommandFailed) as caught:
        await deposit
    assert caught.value.retcode == mt4.ReturnCode.TRADE_NO_MONEY
    assert live.session.in_flight == 0


async def test_the_heartbeat_tells_whether_the_server_is_there(live: LiveManager):
    """Each change once."""
    for broker in (False, False, True, False):
        live.say(m.Hb(broker=broker))

    assert live.changes == [False, True, False]
    assert live.session.broker is False


async def test_commands_in_flight_are_bounded(live: LiveManager):
    """As many as one ``results_get`` can ask about."""
    assert MAX_MANAGER_IN_FLIGHT == c.MAX_RESULT_IDS
    asked = [
        (await live.ask(c.PING, commands.NoParams()))[0] for _ in range(MAX_MANAGER_IN_FLIGHT)
    ]
    with pytest.raises(TerminalBusy):
        await live.session.request(c.PING, commands.NoParams())
    live.session.end("over")
    await asyncio.gather(*asked, return_exceptions=True)


async def test_what_a_terminal_tells_means_nothing_here(live: LiveManager):
    """Events are a terminal's: a manager peer that sends some is not believed, and lives on."""
    live.say(m.StateEvent(broker=True), m.Lost(start=1))

    assert live.session.broker is None
    assert live.session.end_reason == ""


def test_secrets_are_not_in_the_words_of_params():
    """What is logged of a command has no password."""
    told = repr(
        [
            mt4.ConnectParams(server="s:1", login=1, password="Secret123"),
            mt4.NewUser(group="g", name="n", leverage=1, password="Secret123"),
            mt4.PasswordParams(login=1, password="Secret123"),
        ]
    )
    assert "Secret123" not in told
