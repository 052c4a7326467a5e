"""``mt-gateway agent`` as a process, beside a terminal that the drop-in stands for."""

from __future__ import annotations

from pathlib import Path

from product import Product, daemon
from programs import program

from ea_bridge.commands import ORDER_SEND, RESULTS_GET, ResultsParams
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.model import TradeAction, TradeRequest, TradeRetcode
from ea_bridge.session import TerminalSession

PACKAGE = "from gateway.client.mt5 import *\n"
BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, type=0)


def session_of(product: Product) -> TerminalSession:
    session = product.gateway.registry.get("main")
    assert session is not None
    return session


async def test_the_command_links_trades_and_remembers(tmp_path: Path) -> None:
    """What it has executed it knows after a crash; SIGTERM ends it; the token is in no line."""
    (tmp_path / "MetaTrader5.py").write_text(PACKAGE)
    async with daemon(tmp_path / "far") as far, daemon(tmp_path / "near") as near:
        machine = build_terminal()
        await far.link("far", machine)
        token, _ = near.home.issuer.create("main")
        (tmp_path / "token").write_text(f"{token}\n")
        words = (
            *("agent", "--bridge", near.ready.bridge, "--folder", str(tmp_path / "agent")),
            *("--auth-token-file", str(tmp_path / "token"), "--verbose"),
        )
        environment = {
            "PYTHONPATH": str(tmp_path),
            "MT_GATEWAY_URL": (far.ready.rpc or "").removesuffix("/rpc"),
            "MT_GATEWAY_TOKEN": far.main.token,
        }
        async with program(*words, **environment) as agent:
            ready = await agent.ready()
            assert (ready["bridge"], ready["terminal"]) == (near.ready.bridge, token[4:16])
            await near.live("main")
            session = session_of(near)
            number = session.new_command_id()
            result = await session.request(ORDER_SEND, BUY, command_id=number)
            assert result.retcode == TradeRetcode.DONE
            await agent.kill()
        async with program(*words, **environment) as agent:
            await agent.ready()
            await near.live("main", but_not=session)
            session = session_of(near)
            [known] = await session.request(RESULTS_GET, ResultsParams(ids=str(number)))
            assert known.result == result
            assert await session.request(ORDER_SEND, BUY, command_id=number) == result
            await agent.end()
            assert token not in agent.log
            assert far.main.token not in agent.log
    tickets = [position.ticket for position in machine.handler.broker.positions()]
    assert tickets.count(result.position) == 1
