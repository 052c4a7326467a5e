"""An emulated terminal whose clock a test drives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ea_bridge import commands
from ea_bridge.emulator.executor import TradeResultStore
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import History, OrderFilling, OrderType, TradeAction, TradeRequest
from ea_bridge.protocol import messages as m
from ea_bridge.simulation.broker import Broker, load_demo, terms_of
from ea_bridge.simulation.clock import BrokerZone
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.simulation.market import open_market
from ea_bridge.simulation.specs import default_account

WEDNESDAY = 1_795_003_200_000
"""Wednesday, the 18th of November 2026, midnight on the broker's clock."""
EURUSD = "EURUSD"


class Bench:
    """The terminal, its market, its broker, its clock."""

    def __init__(
        self,
        platform: str = "mt5",
        *,
        flat_out: bool = False,
        results: Path | None = None,
        ticks: Path | None = None,
    ) -> None:
        self.now_msc = WEDNESDAY + 10 * 3_600_000
        self.market = open_market(
            start_msc=self.now_msc,
            flat_out=flat_out,
            tick_files=() if ticks is None else [(EURUSD, ticks)],
        )
        for name in self.market.symbols():
            self.market.select(name, enable=name in (EURUSD, "GBPUSD"))  # others take time to load
        if flat_out:
            self.now_msc = self.market.now_msc
        terms = terms_of(default_account(), platform="mt4" if platform == "mt4" else "mt5")
        self.broker = Broker(self.market, default_account(), terms)
        load_demo(self.broker, self.market, self.now_msc)
        self.faults = EmulatedFaults()
        self.terminal = EmulatedTerminal(
            self.market,
            self.broker,
            platform,
            now_msc=lambda: self.now_msc,
            utc_s=lambda: BrokerZone().to_utc_ms(self.now_msc) // 1000,
            faults=self.faults,
            results=TradeResultStore(results),
        )
        self._ids = 0

    def ask(self, command: commands.Command[Any, Any], **params: Any) -> list[m.Res]:
        """Give a command and return its answer, in parts."""
        self._ids += 1
        return self.again(self._ids, command, **params)

    def again(self, id_: int, command: commands.Command[Any, Any], **params: Any) -> list[m.Res]:
        """Give a command under a known id."""
        cmd = m.Cmd(id=id_, op=command.op, params=command.params(**params))
        return self.terminal.execute(cmd)

    def result(self, command: commands.Command[Any, Any], **params: Any) -> Any:
        """Give a command and return what it answers, whole."""
        answer = self.ask(command, **params)
        assert all(part.ok for part in answer), answer
        decoded = [msgspec.json.decode(part.d, type=command.result) for part in answer]
        if len(decoded) == 1:
            return decoded[0]
        if isinstance(decoded[0], History):
            return History(rows=[row for part in decoded for row in part.rows])
        return [row for part in decoded for row in part]

    def pulse(self, seconds: float = 0.0) -> list[m.Message]:
        """Let time pass, and return what the terminal tells."""
        self.now_msc += round(seconds * 1000)
        messages, more = self.terminal.pulse()
        while more:
            further, more = self.terminal.pulse()
            messages += further
        return messages

    def buy(self, volume: float = 0.1) -> Any:
        """Buy at market."""
        return self.result(
            commands.ORDER_SEND,
            action=TradeAction.DEAL,
            symbol=EURUSD,
            volume=volume,
            type=OrderType.BUY,
            type_filling=OrderFilling.IOC,
        )

    def buy_request(self) -> TradeRequest:
        """What :meth:`buy` asks."""
        return TradeRequest(
            action=TradeAction.DEAL,
            symbol=EURUSD,
            volume=0.1,
            type=OrderType.BUY,
            type_filling=OrderFilling.IOC,
        )


def rows(messages: list[m.Message]) -> list[tuple[Any, ...]]:
    """The ticks in messages."""
    return [row for one in messages if isinstance(one, m.Ticks) for row in one.d]


def trades(messages: list[m.Message]) -> list[m.Trade]:
    """The trade events in messages."""
    return [one for one in messages if isinstance(one, m.Trade)]
