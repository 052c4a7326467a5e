"""What stands in the place of a session on paper: what it lets through to the terminal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from scripted_answers import ACCOUNT, EURUSD
from scripted_terminal import Scene, ScriptedTerminal

from ea_bridge import commands, model
from ea_bridge.commands import COMMANDS
from ea_bridge.errors import BridgeError, CommandFailed, NotSent, Unsupported
from ea_bridge.model import TradeAction, TradeRequest
from ea_bridge.protocol.messages import Trade
from gateway.home.ledger import TABLES
from gateway.paper import BookKey, PaperAccount, PaperSession
from gateway.paper.account import LiveQuotes
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError

KEY = BookKey(1, 1_700_000_000, "broker-demo")
BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.01, type=0, type_filling=0)
CHANGES = {"order_send", "trail_set", "lease_set"}
"""Commands after which something at the terminal is not as it was."""
TICK = model.Tick(time_msc=1_790_000_000_000, bid=1.1, ask=1.1001)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """On the disk."""
    opened = Ledger(tmp_path, TABLES)
    yield opened
    opened.close()


@pytest.fixture
def real() -> ScriptedTerminal:
    """The terminal, which trades EURUSD always."""
    script = Scene().script
    script.answers |= {
        "account_get": replace(ACCOUNT, login=12345678),
        "symbol_get": lambda p: replace(EURUSD, name=p.symbol, select=True),
        "tick_get": TICK,
        "sessions_get": [model.TradeSession(day=day, from_s=0, to_s=86_400) for day in range(7)],
    }
    return script


class House:
    """A paper account on a scripted terminal, and what was told of it."""

    def __init__(self, ledger: Ledger, real: ScriptedTerminal) -> None:
        self.told: list[Any] = []
        self.account = PaperAccount(
            ledger, KEY, "mt5", now_msc=lambda: TICK.time_msc, tell=self.told.append
        )
        self.session = PaperSession(real, self.account)

    async def send(self, number: int, request: TradeRequest = BUY) -> model.TradeResult:
        """Send a trade."""
        return await self.session.request(commands.ORDER_SEND, request, command_id=number)

    async def positions(self) -> list[model.Position]:
        """What is open."""
        return await self.session.request(commands.POSITIONS_GET, commands.FilterParams())


def some(command: commands.Command[Any, Any]) -> Any:
    """Return params of a command."""
    given = {"symbol": "EURUSD", "ids": "1", "ticket": 5, "login": 1, "password": "p"}
    given |= {"server": "s", "type": 0, "volume": 0.1, "price": 1.1, "timeframe": 1}
    given |= {"price_open": 1.1, "price_close": 1.2, "action": 1, "lease_ms": 1}
    names = set(command.params.__struct_fields__)
    chosen = {name: value for name, value in given.items() if name in names}
    if command.params is model.LeaseTerms:
        chosen["action"] = "cancel_orders"
    return msgspec.convert(chosen, command.params)


@pytest.mark.parametrize("op", sorted(COMMANDS))
async def test_nothing_that_changes_anything_reaches_the_terminal(
    ledger: Ledger, real: ScriptedTerminal, op: str
) -> None:
    """Of all commands there are, also of those that it does not know."""
    house = House(ledger, real)
    before = len(real.asked)
    command: commands.Command[Any, Any] = COMMANDS[op]
    with contextlib.suppress(BridgeError, KeyError):  # refused, or the script has no answer
        await house.session.request(command, some(command))
    reached = set(real.ops()[before:])
    assert reached.isdisjoint(CHANGES)
    assert reached.isdisjoint({"positions_get", "orders_get", "history_deals_get"})
    await house.account.close()


async def test_unknown_commands_go_nowhere(ledger: Ledger, real: ScriptedTerminal) -> None:
    """A command that comes to the wire later is refused until somebody has thought of paper."""
    house = House(ledger, real)
    later = commands.Command("wipe_out", commands.NoParams, commands.CalculatedAmount)
    with pytest.raises(Unsupported):
        await house.session.request(later, commands.NoParams())
    assert "wipe_out" not in real.ops()
    await house.account.close()


async def test_a_hundred_at_once(ledger: Ledger, real: ScriptedTerminal) -> None:
    """Each is filled once, under a ticket of its own, told after it is on the disk; the next
    daemon has them all."""
    house = House(ledger, real)
    results = await asyncio.gather(*(house.send(number) for number in range(1, 101)))
    assert len({one.position for one in results}) == 100
    opened = [one.position for one in house.told if isinstance(one, Trade) and one.position]
    assert [one.ticket for one in opened] == sorted(one.position for one in results)
    assert all(one.paper for one in opened)
    await house.account.close()
    anew = House(ledger, real)
    assert await anew.positions() == await house.positions()
    stored = await anew.session.request(commands.RESULTS_GET, commands.ResultsParams(ids="7,500"))
    assert [(one.state, one.result) for one in stored] == [("done", results[6]), ("absent", None)]
    assert (await anew.send(101)).position not in {one.position for one in results}
    await anew.account.close()


async def test_what_cannot_be_written_did_not_happen(
    ledger: Ledger, real: ScriptedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: the order is refused, and the books are what the disk has."""
    house = House(ledger, real)
    kept = await house.send(1)

    async def full(_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "write", full)
        with pytest.raises(CommandFailed) as failed:
            await house.send(2)
    assert failed.value.err == commands.FILE_WRITE_ERROR
    assert [one.ticket for one in await house.positions()] == [kept.position]
    assert house.account.result_of(2) is None
    await house.account.close()


async def test_nothing_is_sent_to_books_that_could_not_be_begun(
    ledger: Ledger, real: ScriptedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails under the first deposit: the order was not sent; the next one goes."""
    house = House(ledger, real)
    write, calls = ledger.write, 0

    async def fails_second(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoreError("the disk reports errors")
        return await write(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "write", fails_second)
        with pytest.raises(NotSent):
            await house.send(1)
    kept = await house.send(2)
    assert [one.ticket for one in await house.positions()] == [kept.position]
    await house.account.close()


@pytest.mark.parametrize(
    ("currency", "names", "symbol", "needed"),
    [
        ("USD", "EURUSD", "EURUSD", []),
        ("USD", "USDJPY", "USDJPY", []),
        ("USD", "EURJPY USDJPY EURUSD", "EURJPY", ["EURUSD", "USDJPY"]),
        ("USD", "EURJPY.r USDJPY.r EURUSD", "EURJPY.r", ["EURUSD", "USDJPY.r"]),
        ("CHF", "EURJPY USDJPY USDCHF EURCHF", "EURJPY", ["EURCHF", "USDJPY", "USDCHF"]),
    ],
)
async def test_prices_that_a_trade_needs(
    real: ScriptedTerminal, currency: str, names: str, symbol: str, needed: list[str]
) -> None:
    """Its own, and those that turn its currencies into the account's, with the broker's suffix."""

    def spec(params: commands.SymbolParams) -> model.SymbolInfo:
        base, profit = params.symbol[:3], params.symbol[3:6]
        return replace(
            EURUSD,
            name=params.symbol,
            select=True,
            currency_base=base,
            currency_profit=profit,
            currency_margin=base,
        )

    real.answers["symbol_get"] = spec
    real.answers["symbols_get"] = [model.SymbolName(name=name) for name in names.split()]
    quotes = LiveQuotes(currency)
    await quotes.learn(real, symbol)
    assert quotes.needed(symbol) == (symbol, *needed)
    assert all(quotes.tick(name) == TICK for name in quotes.needed(symbol))


async def test_a_second_terminals_late_tick_is_none(real: ScriptedTerminal) -> None:
    """The newest tick stays the newest; one without prices, as after a selection, is none."""
    quotes = LiveQuotes("USD")
    await quotes.learn(real, "EURUSD")
    old = model.Tick(time_msc=TICK.time_msc - 1, bid=1.0, ask=1.0001)
    empty = model.Tick(time_msc=TICK.time_msc + 1, bid=0.0, ask=0.0)
    assert not quotes.take("EURUSD", old)
    assert not quotes.take("EURUSD", empty)
    assert quotes.tick("EURUSD") == TICK
