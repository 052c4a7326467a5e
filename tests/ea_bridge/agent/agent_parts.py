"""Package in memory: the functions of ``MetaTrader5`` over an emulated terminal.

Enough of them for an agent, with faults that the real one has. Calls are made by the agent's
thread alone, as the real package wants it; a call from another one is a failure.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from unittest.mock import patch

from bridge_parts import DEVICE, MemoryAuthorizer
from msgspec.structs import replace
from product import Product, Running, daemon, until

from ea_bridge import commands
from ea_bridge.agent import AgentLink, AgentTerminal
from ea_bridge.commands import Command
from ea_bridge.emulator.command_handler import UNKNOWN_SYMBOL, Failed
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import TradeRequest
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.messages import Event
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import BridgeServer
from ea_bridge.session import SessionCallbacks, TerminalSession

SUCCESS, NO_CONNECTION = (1, "Success"), (-10004, "No IPC connection")


class Rows(list[Any]):
    """What stands for an array of numpy."""

    def tolist(self) -> list[Any]:
        return list(self)


class MemoryPackage:
    """Package over an emulated terminal.

    A test plans what is to go wrong: ``before`` and ``after`` are called around each function.
    """

    def __init__(self, machine: EmulatedTerminal) -> None:
        self.machine = machine
        self.is_there = True
        """There is a terminal to connect to."""
        self.before: Callable[[str], None] = lambda name: None
        self.after: Callable[[str, Any], Any] = lambda name, result: result
        self.calls: list[str] = []
        self.login: int | None = None
        """Of the account that somebody has logged in to."""
        self._error: tuple[int, str] = SUCCESS
        self._is_connected = False
        self._owner: int | None = None

    def last_error(self) -> tuple[int, str]:
        return self._error

    def initialize(self, **_: Any) -> bool:
        self._is_connected = self.is_there
        self._error = SUCCESS if self.is_there else (-10005, "IPC timeout")
        return self.is_there

    def shutdown(self) -> bool:
        self._is_connected = False
        return True

    def fail(self, code: int, text: str = "planned") -> None:
        """Have the function fail that ``after`` is called for: it returns ``None``, too."""
        self._error = (code, text)

    def _call(self, name: str, ask: Callable[[], Any]) -> Any:
        here = threading.get_ident()
        self._owner = self._owner or here
        assert here == self._owner, "two threads call the package"
        self.calls.append(name)
        self._error = SUCCESS
        self.before(name)
        if not (self._is_connected and self.is_there):
            self._is_connected = False
            self._error = NO_CONNECTION
            return None
        try:
            result = ask()
        except Failed as failed:
            self._error = (-4 if failed.err == UNKNOWN_SYMBOL else -1, str(failed))
            return None
        return self.after(name, result)

    def _answer(self, command: commands.Command[Any, Any], **params: Any) -> Any:
        self.machine.pulse()  # time has gone on
        return self.machine.handler.answer(command.op, command.params(**params))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self, f"_{name}")
        return lambda *args, **named: self._call(name, lambda: function(*args, **named))

    def _account_info(self) -> Any:
        account = self._answer(commands.ACCOUNT_GET)
        return account if self.login is None else replace(account, login=self.login)

    def _terminal_info(self) -> Any:
        return self._answer(commands.TERMINAL_GET)

    def _symbols_get(self, group: str | None = None) -> Any:
        names = self._answer(commands.SYMBOLS_GET, group=group)
        return tuple(self._symbol_info(entry.name) for entry in names)

    def _symbol_info(self, symbol: str) -> Any:
        return self._answer(commands.SYMBOL_GET, symbol=symbol)

    def _symbol_info_tick(self, symbol: str) -> Any:
        return self._answer(commands.TICK_GET, symbol=symbol)

    def _symbol_select(self, symbol: str, enable: bool = True) -> bool:
        asked = self._answer(commands.SYMBOL_SELECT, symbol=symbol, enable=enable)
        return bool(asked.select == enable)

    def _market_book_add(self, symbol: str) -> bool:
        self._answer(commands.BOOK_GET, symbol=symbol)
        return True

    def _market_book_release(self, symbol: str) -> bool:
        return True

    def _market_book_get(self, symbol: str) -> Any:
        book = self._answer(commands.BOOK_GET, symbol=symbol)
        entries = [
            SimpleNamespace(type=e.type, price=e.price, volume=int(e.volume), volume_dbl=e.volume)
            for e in book
        ]
        return tuple(sorted(entries, key=lambda entry: -entry.price))

    def _rates(self, **params: Any) -> Rows:
        bars = self._answer(commands.RATES_GET, **params).rows
        return Rows(tuple(getattr(b, name) for name in b.__struct_fields__) for b in bars)

    def _copy_rates_from(self, symbol: str, timeframe: int, to_s: int, count: int) -> Rows:
        return self._rates(symbol=symbol, timeframe=timeframe, to_s=to_s, count=count)

    def _copy_rates_from_pos(self, symbol: str, timeframe: int, start: int, count: int) -> Rows:
        return self._rates(symbol=symbol, timeframe=timeframe, start=start, count=count)

    def _copy_rates_range(self, symbol: str, timeframe: int, from_s: int, to_s: int) -> Rows:
        return self._rates(symbol=symbol, timeframe=timeframe, from_s=from_s, to_s=to_s)

    def _ticks(self, **params: Any) -> Rows:
        ticks = self._answer(commands.TICKS_GET, **params).rows
        return Rows(
            (t.time_msc // 1000, t.bid, t.ask, t.last, t.volume, t.time_msc, t.flags, 0.0)
            for t in ticks
        )

    def _copy_ticks_from(self, symbol: str, from_s: int, count: int, flags: int) -> Rows:
        return self._ticks(symbol=symbol, from_msc=from_s * 1000, count=count, flags=flags)

    def _copy_ticks_range(self, symbol: str, from_s: int, to_s: int, flags: int) -> Rows:
        span = {"from_msc": from_s * 1000, "to_msc": to_s * 1000}
        return self._ticks(symbol=symbol, flags=flags, **span)

    def _orders_get(self, **named: Any) -> Any:
        return tuple(self._answer(commands.ORDERS_GET, **named))

    def _positions_get(self, **named: Any) -> Any:
        return tuple(self._answer(commands.POSITIONS_GET, **named))

    def _history_orders_get(self, *span: int, **named: Any) -> Any:
        return tuple(self._answer(commands.HISTORY_ORDERS_GET, **_span(span), **named))

    def _history_deals_get(self, *span: int, **named: Any) -> Any:
        return tuple(self._answer(commands.HISTORY_DEALS_GET, **_span(span), **named))

    def _order_check(self, request: dict[str, Any]) -> Any:
        return self._answer(commands.ORDER_CHECK, **checked(request))

    def _order_send(self, request: dict[str, Any]) -> Any:
        return self._answer(commands.ORDER_SEND, **checked(request))

    def _order_calc_margin(self, action: int, symbol: str, volume: float, price: float) -> Any:
        return self._answer(
            commands.ORDER_CALC_MARGIN, type=action, symbol=symbol, volume=volume, price=price
        ).value

    def _order_calc_profit(
        self, action: int, symbol: str, volume: float, opened: float, closed: float
    ) -> Any:
        params = {"price_open": opened, "price_close": closed}
        return self._answer(
            commands.ORDER_CALC_PROFIT, type=action, symbol=symbol, volume=volume, **params
        ).value


def _span(span: tuple[int, ...]) -> dict[str, int]:
    assert len(span) in (0, 2)
    assert all(0 <= bound < 2**31 for bound in span), "dates have 32 bits"
    return dict(zip(("from_s", "to_s"), span, strict=False))


def checked(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request whose fields have the very types that the package demands."""
    kinds: Struct = TradeRequest(action=0)
    for name, value in request.items():
        assert type(value) is type(getattr(kinds, name)), f"{name}={value!r}"
        assert not isinstance(value, str) or len(value) <= 28, f"{name} is too long"
    return request


@asynccontextmanager
async def linked_agent(
    product: Product,
    name: str,
    module: Any,
    folder: Path,
    machine: EmulatedTerminal,
    connect: Mapping[str, Any] | None = None,
) -> AsyncIterator[Running]:
    """Run an agent with a package, linked as a terminal of a daemon."""
    token, _ = product.home.issuer.create(name)
    port = int(product.ready.bridge.rpartition(":")[2])

    def utc_s() -> float:
        return machine.handler.clock().tgmt

    async with AgentTerminal(module, folder, connect=connect, utc_s=utc_s) as terminal:
        link: Any = AgentLink(terminal, "127.0.0.1", port, token, seed=1)
        async with running_link(link):
            await product.live(name)
            linked = product.terminals[name] = Running(name, token, machine, link)
            yield linked


@asynccontextmanager
async def running_link(link: AgentLink) -> AsyncIterator[AgentLink]:
    """Keep a link running."""
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        link.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def agent_product(folder: Path, **terminal: Any) -> AsyncIterator[Product]:
    """Run a daemon and one terminal, ``main``, behind an agent and a package in memory."""
    machine = build_terminal(**terminal)
    async with daemon(folder / "home") as product:
        package = MemoryPackage(machine)
        async with linked_agent(product, "main", package, folder, machine):
            yield product
            await product.close_clients()
            product.terminals.clear()


def fresh_drop_in() -> Any:
    """Return a copy of the drop-in with a state of its own: a process has one as a rule."""
    name = "gateway.client.mt5"

    def take() -> dict[str, Any]:
        own = [one for one in sys.modules if one == name or one.startswith(f"{name}.")]
        return {one: sys.modules.pop(one) for one in own}

    before = take()
    try:
        return importlib.import_module(name)
    finally:
        take()
        sys.modules.update(before)


@asynccontextmanager
async def chained_product(folder: Path, **terminal: Any) -> AsyncIterator[Product]:
    """Run a daemon and one terminal, ``main``, behind the drop-in and a second gateway.

    Daemon, agent, drop-in, gateway, emulated terminal.
    """
    machine = build_terminal(**terminal)
    async with daemon(folder / "far") as far, daemon(folder / "near") as near:
        await far.link("far", machine)
        with patch.dict(os.environ, MT_GATEWAY_URL=(far.ready.rpc or "").removesuffix("/rpc")):
            connect = {"password": far.main.token}
            async with linked_agent(near, "main", fresh_drop_in(), folder, machine, connect):
                yield near
                await near.close_clients()
                near.terminals.clear()


class Hold:
    """Call of the package that is held up until it is released."""

    def __init__(self) -> None:
        self._begun, self._released = threading.Event(), threading.Event()

    def wait(self) -> None:
        """Be held up; called in the agent's thread."""
        self._begun.set()
        self._released.wait()

    async def begun(self) -> None:
        await until(self._begun.is_set)

    def release(self) -> None:
        self._released.set()


class Bench:
    """A bridge's end and an agent, which can be begun anew with what it has on the disk.

    Attributes:
        package: what the agent calls.
        flags: what the daemon took the terminal's switches to be, one after another.
        events: what the terminal told.

    """

    def __init__(self, folder: Path, **terminal: Any) -> None:
        self.machine = build_terminal(**terminal)
        self.package = MemoryPackage(self.machine)
        self.flags: list[tuple[bool | None, bool | None, bool | None]] = []
        self.events: list[Event] = []
        self.registry = TerminalRegistry(now_ms=lambda: 1_764_000_000_000)
        self._folder = folder
        self._authorizer = MemoryAuthorizer()
        self._token = self._authorizer.issue("demo")
        self._server = BridgeServer(
            self._authorizer,
            self.registry,
            device_id=DEVICE,
            callbacks=SessionCallbacks(
                on_event=lambda _, event: self.events.append(event),
                on_change=lambda session: self.flags.append(
                    (session.broker, session.autotrading, session.trade_allowed)
                ),
            ),
            port=0,
        )
        self._bridge, self._agent = AsyncExitStack(), AsyncExitStack()
        self.link: AgentLink
        self.terminal: AgentTerminal

    async def __aenter__(self) -> Self:
        await self._bridge.enter_async_context(self._server)
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()
        await self._bridge.aclose()

    async def start(self, package: MemoryPackage | None = None) -> None:
        """Begin an agent, and wait until it is linked."""
        self.package = package or self.package
        self.terminal = AgentTerminal(self.package, self._folder)
        await self._agent.enter_async_context(self.terminal)
        self.link = AgentLink(self.terminal, "127.0.0.1", self._server.port, self._token)
        await self._agent.enter_async_context(running_link(self.link))
        await self.live()

    async def stop(self) -> None:
        """End it."""
        await self._agent.aclose()

    async def live(self, *, but_not: TerminalSession | None = None) -> TerminalSession:
        """Wait for a session whose flags are known, another one than ``but_not``."""

        def found() -> list[TerminalSession]:
            sessions = self.registry.sessions()
            return [one for one in sessions if one is not but_not and one.broker is not None]

        await until(lambda: bool(found()))
        return found()[0]

    def hold(self, function: str) -> Hold:
        """Hold the next call of a function up."""
        hold, package = Hold(), self.package

        def before(name: str) -> None:
            if name == function:
                package.before = lambda _: None
                hold.wait()

        package.before = before
        return hold

    async def waits_for_its_turn(self) -> None:
        """Wait until the agent has a command that its thread has not begun."""
        await until(lambda: self.terminal._thread._jobs.qsize() > 0)

    async def ask(self, command: Command[Any, Any], params: Any = None, **options: Any) -> Any:
        """Ask the terminal."""
        session = await self.live()
        given = command.params() if params is None else params
        return await session.request(command, given, **options)
