"""The simulated terminal with a compiled EA in it, as a process that a test drives.

The market is that of an emulated terminal, so that the same prices come to both; the broker is the
simulation's own. See ``shim/machine.cpp`` for what can be commanded.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ea_bridge.emulator.factory import COMMISSION_PER_LOT
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import Tick, Timeframe

TIMEOUT_S = 60.0
PUMP_S = 0.01
BARS = {
    Timeframe.M1: 600,
    Timeframe.M5: 300,
    Timeframe.M15: 300,
    Timeframe.H1: 300,
    Timeframe.D1: 60,
}
"""How many of each timeframe the terminal has in the beginning."""
TICKS_MS, MAX_TICKS = 300_000, 5000
"""How far back its ticks reach then."""
LINE_BYTES = 2**24

Json = dict[str, Any]


class TerminalDied(Exception):
    """The process has ended where it should not have; the message is what it said last."""


def symbol_config(machine: EmulatedTerminal, name: str) -> Json:
    """Return one symbol with its recent past, for the simulation's configuration."""
    market = machine.handler.market
    info = msgspec.to_builtins(market.symbol_info(name))
    config: Json = {"info": {**info, "select": name in market.selected}}
    config["sessions"] = [list(session) for session in market.sessions(name)]
    bars = BARS if name in market.selected else {Timeframe.M1: 120}
    config["bars"] = {
        str(int(timeframe)): msgspec.to_builtins(
            market.bars(name, timeframe, start=0, count=count)
        )
        for timeframe, count in bars.items()
    }
    since = market.now_msc - TICKS_MS
    ticks = market.ticks(name, from_msc=since, to_msc=market.now_msc, count=MAX_TICKS)
    config["ticks"] = msgspec.to_builtins(ticks or [tick for tick in [market.tick(name)] if tick])
    return config


def books_config(machine: EmulatedTerminal) -> Json:
    """Return what the account of an emulated terminal holds, for the simulation to go on with."""
    desk = machine.handler
    broker, account = desk.broker, desk.broker.account()
    trades = [] if machine.platform == "mt5" else broker.closed_trades()
    money = {
        trade.order.ticket: {
            "profit": trade.profit,
            "swap": trade.swap,
            "commission": trade.commission,
        }
        for trade in trades
    }
    past = [
        {**msgspec.to_builtins(order), **money.get(order.ticket, {})}
        for order in broker.history_orders()
    ]
    orders = [msgspec.to_builtins(order) for order in broker.orders()]
    positions = [msgspec.to_builtins(one) for one in broker.positions()]
    deals = [msgspec.to_builtins(deal) for deal in broker.history_deals()]
    ledger = broker.books
    return {
        "positions": positions,
        "orders": orders,
        "past": past,
        "deals": deals,
        "balance": account.balance,
        "credit": account.credit,
        # one of each is skipped, and both terminals go on alike
        "next_order": ledger.new_order_ticket() + 1,
        "next_deal": ledger.new_deal_ticket() + 1,
    }


def terminal_config(machine: EmulatedTerminal, folder: Path) -> Json:
    """Return the configuration of a simulated terminal that begins where an emulated one is."""
    desk = machine.handler
    names = sorted(desk.market.symbols(), key=lambda name: name not in desk.market.selected)
    return {
        "account": msgspec.to_builtins(desk.broker.account()),
        "terminal": {
            **msgspec.to_builtins(desk.terminal()),
            "data_path": str(folder),
            "path": str(folder),
            "commondata_path": str(folder),
        },
        "symbols": [symbol_config(machine, name) for name in names],
        "books": books_config(machine),
        "clock_offset_ms": desk.market.now_msc - time.time_ns() // 1_000_000,
        "utc_offset_ms": desk.market.now_msc - desk.clock().tgmt * 1000,
        "commission_per_lot": COMMISSION_PER_LOT,
        "allowed": ["127.0.0.1"],
        "files": str(folder),
        "quirks": {"timer_ms": 10},
    }


@dataclass
class SimulatedTerminal:
    """A process with an EA in it.

    Args:
        program: what :func:`mql_compiler.compiled` has made.
        folder: the terminal's data folder; empty at first.
        config: see :func:`terminal_config`.
        inputs: of the EA.

    """

    program: Path
    folder: Path
    config: Json
    inputs: Json
    said: list[Json] = field(default_factory=list)
    """Everything that the EA and the terminal told, oldest first."""
    on_said: Callable[[Json], None] = lambda _: None

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self.errors = bytearray()

    # --- life ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the terminal; wait until its EA has been initialised."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.config))
        inputs = [f"{name}={value}" for name, value in self.inputs.items()]
        self._process = await asyncio.create_subprocess_exec(
            str(self.program),
            str(config),
            *inputs,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        self._tasks = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._read_errors()),
        ]
        await self.heard(lambda line: line["t"] == "init")

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def pump(self, machine: EmulatedTerminal) -> None:
        """Let the market of an emulated terminal be this one's, from now on."""
        self._tasks.append(asyncio.create_task(self._pump(machine)))

    async def stop(self) -> None:
        """End it in order (``OnDeinit``), or kill it if it will not."""
        process = self._process
        if process is None:
            return
        with suppress(ConnectionError, TerminalDied, TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                if process.returncode is None:
                    self.tell(do="quit")
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if process.stdin is not None:
            process.stdin.close()
        self._process = None
        assert process.returncode == 0, self.errors.decode()

    # --- commands --------------------------------------------------------------------------

    def tell(self, **command: Any) -> None:
        """Command something without waiting.

        Raises:
            TerminalDied: there is nobody to command any more.

        """
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            raise TerminalDied(self.errors.decode())
        process.stdin.write(json.dumps(command).encode() + b"\n")

    async def do(self, what: str, **command: Any) -> Any:
        """Command something; return the answer.

        Raises:
            TerminalDied: it did not live to answer.

        """
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self.tell(do=what, n=number, **command)
        return await asyncio.wait_for(answer, TIMEOUT_S)

    async def quirk(self, **quirks: float) -> None:
        """Let the terminal be odd; see ``Quirks`` of ``shim/world.hpp``."""
        await self.do("quirks", set=quirks)

    async def switch(self, **switches: bool) -> None:
        """Turn switches: ``connected``, ``autotrading``, ``mql_trade_allowed``,
        ``trade_allowed``, ``trade_expert``."""
        await self.do("switches", set=switches)

    async def heard(self, fits: Callable[[Json], bool], start: int = 0) -> Json:
        """Wait for the first line from ``said[start]`` on that fits."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                for line in self.said[start:]:
                    if fits(line):
                        return line
                self._check()
                self._news.clear()
                await self._news.wait()

    def prints(self) -> list[str]:
        """What the EA has printed."""
        return [line["text"] for line in self.said if line["t"] in ("print", "alert")]

    def _check(self) -> None:
        if self._process is None or (self._tasks and self._tasks[0].done()):
            raise TerminalDied(self.errors.decode() or str(self.said[-3:]))

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                said = json.loads(line)
                if said["t"] == "done":
                    answer = self._answers.pop(said["n"], None)
                    if answer is not None and not answer.done():
                        answer.set_result(said.get("d"))
                else:
                    self.said.append(said)
                    self.on_said(said)
                    self._news.set()
        finally:
            self._news.set()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(TerminalDied(self.errors.decode()))

    async def _read_errors(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(65_536):
            self.errors += data

    async def _pump(self, machine: EmulatedTerminal) -> None:
        market = machine.handler.market

        def select(line: Json) -> None:
            if line["t"] == "select":
                market.select(line["symbol"], enable=line["on"])

        self.on_said = select
        while True:
            ticks = market.advance(machine.handler._now_msc())
            self.tell(do="market", now_msc=market.now_msc, rows=rows_of(ticks))
            assert self._process is not None
            assert self._process.stdin is not None
            await self._process.stdin.drain()
            if not market.behind:
                await asyncio.sleep(PUMP_S)


def rows_of(ticks: Sequence[tuple[str, Tick]]) -> list[list[Any]]:
    """Return ticks as the simulation takes them."""
    return [
        [name, tick.time_msc, tick.bid, tick.ask, tick.last, tick.volume, tick.flags]
        for name, tick in ticks
    ]
