"""Prices of the emulated server where nobody sets them: the emulator's own market."""

from __future__ import annotations

from manager_bench import NOW_S, PASSWORD

from ea_bridge.commands import SymbolParams
from ea_bridge.mt4_manager.commands import SYMBOL_INFO_GET
from ea_bridge.mt4_manager.emulator import Population, build_manager
from ea_bridge.mt4_manager.model import SymbolPrice
from ea_bridge.protocol.messages import Cmd
from ea_bridge.simulation.market import open_market


def test_they_are_the_markets_and_move_with_the_clock():
    """What a terminal with the same seed is told, at the same moment of the server's clock."""
    now_s = [NOW_S]
    manager = build_manager(
        password=PASSWORD, population=Population(users=0), now_s=lambda: now_s[0], seed=5
    )
    manager.connected = True
    market = open_market(start_msc=NOW_S * 1000, seed=5)
    for name in tuple(market.selected):
        market.select(name, enable=name == "EURUSD")

    def price() -> SymbolPrice:
        params = SymbolParams(symbol="EURUSD")
        [res] = manager.executor.execute(Cmd(id=1, op=SYMBOL_INFO_GET.op, params=params))
        return SYMBOL_INFO_GET.decoder.decode(res.d)

    told = []
    for _ in range(3):
        tick, info = market.tick("EURUSD"), market.symbol_info("EURUSD")
        assert tick is not None
        one = price()
        assert (one.bid, one.ask) == (tick.bid, tick.ask)
        assert (one.high, one.low) == (info.bidhigh, info.bidlow)
        assert one.low <= one.bid <= one.high
        told.append(one.bid)
        now_s[0] += 600
        while market.now_msc < now_s[0] * 1000:
            market.advance(now_s[0] * 1000)
    assert len(set(told)) > 1
