"""What the EA does about its link: whom it trusts, what it tells again, what it takes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from linked_ea import DEVICE, TIMEOUT_S, Compile, LinkedEa, plain_config

from ea_bridge.commands import (
    ACCOUNT_GET,
    CLOCK_GET,
    LEASE_GET,
    LEASE_SET,
    ORDER_SEND,
    POSITIONS_GET,
    RATES_GET,
    SYMBOL_GET,
    SYMBOL_SELECT,
    TICKS_GET,
    FilterParams,
    NoParams,
    RatesParams,
    SelectParams,
    SymbolParams,
    TicksParams,
)
from ea_bridge.errors import CommandFailed, OutcomeUnknown, Unsupported
from ea_bridge.model import LeaseTerms, TradeAction, TradeRequest
from ea_bridge.protocol import codec
from ea_bridge.protocol.messages import Bye, Denied, Event, Lost, StateEvent, Trade
from ea_bridge.server import NotAdmitted
from ea_bridge.session import TerminalSession
from ea_bridge.token import derive_keys, new_token

BOTH = pytest.mark.parametrize("platform", ["mt5", "mt4"])
BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, price=2.0)


class Told:
    """What an EA has told, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.news = asyncio.Event()

    def event(self, session: TerminalSession, event: Event) -> None:
        self.events.append(event)
        self.news.set()

    def trades(self) -> list[Trade]:
        """The events of trades."""
        return [one for one in self.events if isinstance(one, Trade)]

    def opened(self) -> list[float]:
        """The volumes of the positions that were opened."""
        trades = [one for one in self.events if isinstance(one, Trade) and one.op == "add"]
        return [one.position.volume for one in trades if one.position]

    async def more(self) -> None:
        """Wait for the next event."""
        self.news.clear()
        async with asyncio.timeout(TIMEOUT_S):
            await self.news.wait()

    async def until(self, count: int, kind: type[Any]) -> list[Any]:
        """Wait for so many of a kind; return all of it."""
        while len(found := [one for one in self.events if isinstance(one, kind)]) < count:
            await self.more()
        return found


@BOTH
async def test_an_ea_tells_nothing_to_a_program_that_does_not_know_its_token(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """The daemon proves itself first; a person is told what may be wrong."""
    async with LinkedEa(
        compile_ea(platform), plain_config(tmp_path), auth_token=new_token()
    ) as ea:
        alert = await ea.terminal.heard(lambda line: line["t"] == "alert")
        assert "does not know this token" in alert["text"]
        assert ea.registry.sessions() == []


@BOTH
async def test_a_mistyped_token_is_told_before_anything_is_sent(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Its checksum says so, and the EA does not even dial."""
    token = new_token()
    wrong = token[:-1] + ("x" if token[-1] != "x" else "y")
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path), auth_token=wrong) as ea:
        alert = await ea.terminal.heard(lambda line: line["t"] == "alert")
        assert "auth_token is no token" in alert["text"]
        assert token[16:] not in str(ea.terminal.said)
        assert ea.wire.dialled == 0


async def test_an_ea_belongs_to_the_device_that_let_it_in_first(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """Another one gets no proof, though it knows the token: also after a new start."""
    async with LinkedEa(compile_ea("mt5"), plain_config(tmp_path)) as ea:
        await ea.live()
        await ea.restart_daemon(device="device-2")
        alert = await ea.terminal.heard(lambda line: line["t"] == "alert")
        assert "device-2" in alert["text"]
        assert "delete the file" in alert["text"]
        ea.terminal.tell(do="restart")
        await ea.terminal.heard(lambda line: line["t"] == "restart")
        start = len(ea.terminal.said)
        await ea.terminal.heard(lambda line: line["t"] == "alert", start)
        assert ea.registry.sessions() == []
        await ea.restart_daemon(device=DEVICE)
        ea.terminal.tell(do="restart")
        await ea.live()


async def test_a_denial_is_shown_with_what_to_do(tmp_path: Path, compile_ea: Compile) -> None:
    """And the EA comes back by itself once the reason is gone."""
    async with LinkedEa(compile_ea("mt5"), plain_config(tmp_path)) as ea:
        session, admitted = await ea.live(), ea.doorman.verdict
        ea.doorman.verdict = NotAdmitted(
            code="revoked", reason="withdrawn", retry_ms=100, keys=derive_keys(ea.token)
        )
        session.close("revoked")
        alert = await ea.terminal.heard(lambda line: line["t"] == "alert")
        assert "withdrawn (revoked). Make another token" in alert["text"]
        ea.doorman.verdict = admitted
        await ea.live()


async def test_the_words_of_a_stranger_are_not_shown(tmp_path: Path, compile_ea: Compile) -> None:
    """Anybody can listen on a port and say no, with an address to type the token into."""
    said = Denied(code="expired", reason="renew at https://evil.example", retry_ms=86_400_000)
    strangers = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal strangers
        strangers += 1
        await reader.readline()
        writer.write(codec.encode(said) + b"\n")
        await writer.drain()
        writer.close()

    async with (
        LinkedEa(compile_ea("mt5"), plain_config(tmp_path)) as ea,
        await asyncio.start_server(serve, "127.0.0.1", 0) as stranger,
    ):
        session, real = await ea.live(), ea.wire.target
        ea.wire.target = stranger.sockets[0].getsockname()[1]
        session.close("shutdown")
        await ea.terminal.heard(lambda line: "does not let" in line.get("text", ""))
        ea.wire.target = real
        await ea.live()  # at once, not after a day
        assert "evil" not in str(ea.terminal.said)
        assert strangers > 0


@pytest.mark.parametrize("code", ["replaced", "approved"])
async def test_a_stranger_cannot_send_an_ea_away(
    code: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """A goodbye counts from who has proved himself: the EA dials again soon, and not at once."""
    async with LinkedEa(compile_ea("mt5"), plain_config(tmp_path)) as ea:
        session, real = await ea.live(), ea.wire.target

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(codec.encode(Bye(code=code)) + b"\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as stranger:
            ea.wire.target = stranger.sockets[0].getsockname()[1]
            session.close("shutdown")
            goodbye = "who answers on the daemon's port says goodbye: " + code
            await ea.terminal.heard(lambda line: goodbye in line.get("text", ""))
            ea.wire.target = real
            await ea.live()
        assert "stays away" not in str(ea.terminal.said)


@BOTH
async def test_events_are_told_again_until_they_are_acknowledged(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """What happened while nobody was linked is told on the next link, each event once."""
    told = Told()
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path), on_event=told.event) as ea:
        await ea.ask(ORDER_SEND, BUY)
        ea.wire.is_open = False
        ea.wire.cut()
        await ea.terminal.do(
            "send", request={"action": 1, "symbol": "EURUSD", "volume": 0.2, "price": 2.0}
        )
        await ea.terminal.switch(trade_allowed=False)
        ea.wire.is_open = True
        await told.until(1, StateEvent)
        while len(added := told.opened()) < 2:
            await told.more()
        assert added == [0.1, 0.2]
        numbers = [one.q for one in told.events if isinstance(one, Trade | StateEvent)]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_events_that_are_not_kept_any_more_are_told_to_be_lost(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """1024 are kept; the daemon takes a snapshot then."""
    told = Told()
    config = plain_config(tmp_path)
    # else a dial that the wire has ended is given up after 20 s: before welcome nothing is sent
    config["quirks"]["stale"] = 0
    async with LinkedEa(compile_ea("mt5"), config, on_event=told.event) as ea:
        await ea.live()
        ea.wire.is_open = False
        ea.wire.cut()
        for _ in range(400):
            ea.terminal.tell(
                do="send", request={"action": 1, "symbol": "EURUSD", "volume": 0.01, "price": 2.0}
            )
        await ea.terminal.do("stat")
        ea.wire.is_open = True
        [lost] = await told.until(1, Lost)
        trades = await told.until(1024, Trade)
        assert lost.start == 1
        assert [one.q for one in trades[-3:]] == [trades[-1].q - 2, trades[-1].q - 1, trades[-1].q]
        assert trades[-1].q - trades[0].q == 1023


@BOTH
async def test_an_ea_that_begins_again_goes_on_where_it_was(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Another period of the chart ends it and begins it again, with all its memory: nothing is
    told twice, and what was armed stays armed.
    """
    told = Told()
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path), on_event=told.event) as ea:
        before = (await ea.live()).hello
        await ea.ask(ORDER_SEND, BUY)
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=600_000))
        count = len(told.trades())
        await ea.terminal.do("reinit")
        await ea.terminal.heard(lambda line: "session s-2" in line.get("text", ""))
        after = (await ea.live()).hello
        assert (after.boot, after.q) == (before.boot, count)
        assert (await ea.ask(LEASE_GET, NoParams())).lease_ms == 600_000
        await ea.ask(ORDER_SEND, BUY)
        assert [one.q for one in told.trades()] == list(range(1, 2 * count + 1))


@pytest.mark.parametrize("reinit", [True, False])
async def test_at_another_account_nothing_goes_on(
    reinit: bool, tmp_path: Path, compile_ea: Compile
) -> None:
    """Most terminals begin the EA anew then, but not all: what was counted is another's."""
    told = Told()
    async with LinkedEa(
        compile_ea("mt5"), plain_config(tmp_path, login=111), on_event=told.event
    ) as ea:
        before = (await ea.live()).hello
        await ea.ask(ORDER_SEND, BUY)
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=600_000))
        await ea.terminal.do("login", login=222)
        if reinit:
            await ea.terminal.do("reinit", reason=6)
        await ea.terminal.heard(lambda line: "session s-2" in line.get("text", ""))
        after = (await ea.live()).hello
        assert (before.login, after.login, after.q) == (111, 222, 0)
        assert after.boot != before.boot
        assert (await ea.ask(LEASE_GET, NoParams())).lease_ms == 0


@BOTH
async def test_an_order_for_one_account_is_not_executed_at_another(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """It came while the terminal was being logged in elsewhere: it is not even taken."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path, login=111)) as ea:
        await ea.ask(CLOCK_GET, NoParams())
        await ea.terminal.quirk(stall_ms=500)
        await ea.terminal.do("login", login=222)
        with pytest.raises(OutcomeUnknown) as unknown:
            await ea.ask(ORDER_SEND, BUY)
        assert not unknown.value.acked
        assert (await ea.terminal.do("books"))["positions"] == []
        await ea.terminal.heard(lambda line: "session s-2" in line.get("text", ""))
        assert (await ea.live()).hello.login == 222
        assert await ea.ask(POSITIONS_GET, FilterParams()) == []


@BOTH
async def test_what_cannot_be_answered_has_its_reason(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """MQL's numbers, those of MetaTrader 4 translated."""
    config = plain_config(tmp_path)
    config["symbols"][3]["info"]["select"] = False
    unselected = config["symbols"][3]["info"]["name"]
    config["quirks"]["blind"] = 1
    async with LinkedEa(compile_ea(platform), config) as ea:
        for command, params, err in (
            (SYMBOL_GET, SymbolParams(symbol="NOSUCH"), 4301),
            (SYMBOL_SELECT, SelectParams(symbol="NOSUCH"), 4301),
            (SYMBOL_GET, SymbolParams(symbol=unselected), 4302),
            (RATES_GET, RatesParams(symbol=unselected, timeframe=1, count=1), 4302),
            (RATES_GET, RatesParams(symbol="EURUSD", timeframe=7, count=1), 4003),
        ):
            with pytest.raises(CommandFailed) as refused:
                await ea.ask(command, params)
            assert refused.value.err == err
        if platform == "mt4":
            with pytest.raises(Unsupported):
                await ea.ask(TICKS_GET, TicksParams(symbol="EURUSD", count=1))


async def test_a_long_answer_comes_in_parts_and_whole(tmp_path: Path, compile_ea: Compile) -> None:
    """50,000 ticks, some in each line; questions behind it are answered as well."""
    config = plain_config(tmp_path)
    listing = next(one for one in config["symbols"] if one["info"]["name"] == "EURUSD")
    first = 1_764_000_000_000
    listing["ticks"] = [[first + i, 1.1 + i % 100 / 1e5, 1.2, 0, i, 6] for i in range(50_000)]
    async with LinkedEa(compile_ea("mt5"), config) as ea:
        await ea.live()
        ticks, account, _ = await asyncio.gather(
            ea.ask(TICKS_GET, TicksParams(symbol="EURUSD", from_msc=first, count=50_000)),
            ea.ask(ACCOUNT_GET, NoParams()),
            ea.ask(CLOCK_GET, NoParams()),
        )
        assert [tick.volume for tick in ticks.rows] == list(range(50_000))
        assert ticks.rows[99].bid == 1.10099
        assert account.balance == 10_000
        newest = await ea.ask(TICKS_GET, TicksParams(symbol="EURUSD", count=3))
        assert [tick.volume for tick in newest.rows] == [49_997, 49_998, 49_999]
        span = TicksParams(symbol="EURUSD", from_msc=first + 10, to_msc=first + 12)
        assert [tick.volume for tick in (await ea.ask(TICKS_GET, span)).rows] == [10, 11, 12]


@BOTH
async def test_texts_survive_the_way_there_and_back(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Whatever alphabet, quotes or backslashes they have."""
    comment = '\n\tÄrger\t"x\\y"\n中\U0001f600'
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        await ea.ask(ORDER_SEND, msgspec.structs.replace(BUY, comment=comment))
        books = await ea.terminal.do("books")
        assert books["positions"][0]["comment"] == comment
        [position] = await ea.ask(POSITIONS_GET, FilterParams())
        assert position.comment == comment
