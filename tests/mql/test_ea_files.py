"""What the EA does about files of its own that another program, or another EA, holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from linked_ea import Compile, LinkedEa, plain_config

from ea_bridge.commands import (
    LEASE_SET,
    ORDER_SEND,
    POSITIONS_GET,
    TRAIL_SET,
    TRAILS_GET,
    FilterParams,
)
from ea_bridge.model import (
    LeaseTerms,
    OrderType,
    TradeAction,
    TradeRequest,
    TradeRetcode,
    TrailTerms,
)
from ea_bridge.token import parse_token

BOTH = pytest.mark.parametrize("platform", ["mt5", "mt4"])
BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, price=2.0)
LIMIT = TradeRequest(
    action=TradeAction.PENDING,
    symbol="EURUSD",
    volume=0.1,
    price=1.0,
    type=OrderType.BUY_LIMIT,
)
SECOND = "on another chart of this terminal already"


def file_of(ea: LinkedEa, folder: Path, name: str) -> Path:
    """Return the path of a file that the EA keeps for its token."""
    return folder / "Files" / "TerminalGateway" / f"{parse_token(ea.token)}-{name}"


def sign_of(ea: LinkedEa, age_s: float) -> dict[str, float]:
    """Return the global variable with which an EA of the same token has said that it works."""
    return {f"TerminalGateway.{parse_token(ea.token)}": time.time() - age_s}


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file as a virus scanner does: for itself alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        flock(file, LOCK_EX)
        yield


@BOTH
@pytest.mark.parametrize("name", ["results.jsonl", "trails.jsonl", "device.txt"])
async def test_a_file_that_is_held_for_a_moment_ends_nothing(
    platform: str, name: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """The EA stays on its chart, says so, dials nobody, and links when the file is free."""
    ea = LinkedEa(compile_ea(platform), plain_config(tmp_path))
    async with AsyncExitStack() as stack:
        with held(file_of(ea, tmp_path, name)):
            await stack.enter_async_context(ea)
            await ea.terminal.heard(lambda line: line == {"t": "init", "rc": 0})
            await ea.terminal.heard(lambda line: name in line.get("text", ""))
            assert ea.wire.dialled == 0
        assert (await ea.ask(ORDER_SEND, BUY)).retcode == TradeRetcode.DONE


@BOTH
async def test_stops_and_the_lease_go_on_while_a_file_is_held(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """An EA that begins again, as with another period of its chart, knows what it has to do."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        ticket = (await ea.ask(ORDER_SEND, BUY)).position
        await ea.ask(ORDER_SEND, LIMIT)
        [position] = await ea.ask(POSITIONS_GET, FilterParams())
        await ea.ask(TRAIL_SET, TrailTerms(ticket=ticket, distance=100))
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=2000))
        with held(file_of(ea, tmp_path, "trails.jsonl")):
            await ea.terminal.do("reinit")
            await ea.terminal.heard(lambda line: "trails.jsonl" in line.get("text", ""))
            bid = position.price_open + 0.0020
            ea.terminal.tell(do="tick", symbol="EURUSD", bid=bid, ask=bid + 0.0001)
            books = await ea.terminal.do("books")
            while books["orders"] or books["positions"][0]["sl"] != pytest.approx(bid - 0.0010):
                books = await ea.terminal.do("books")
        await ea.terminal.heard(lambda line: "session s-2" in line.get("text", ""))
        [trail] = await ea.ask(TRAILS_GET, FilterParams())
        assert (trail.ticket, trail.sl) == (ticket, pytest.approx(bid - 0.0010))


@BOTH
async def test_a_second_ea_with_the_same_token_is_refused(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Who holds the file works, and says so once a second in a variable of the terminal."""
    config = plain_config(tmp_path)
    ea = LinkedEa(compile_ea(platform), config)
    config["variables"] = sign_of(ea, 1)
    with held(file_of(ea, tmp_path, "results.jsonl")):
        async with ea:
            await ea.terminal.heard(lambda line: line == {"t": "init", "rc": 1})
            await ea.terminal.heard(lambda line: SECOND in line.get("text", ""))


async def test_a_second_ea_ends_when_it_sees_the_first(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """One that had waited for the file, which another EA of the terminal has got."""
    config = plain_config(tmp_path)
    ea = LinkedEa(compile_ea("mt5"), config)
    config["variables"] = sign_of(ea, 60)
    with held(file_of(ea, tmp_path, "results.jsonl")):
        async with ea:
            await ea.terminal.heard(lambda line: line == {"t": "init", "rc": 0})
            await ea.terminal.do("variables", set=sign_of(ea, 0))
            await ea.terminal.heard(lambda line: SECOND in line.get("text", ""))
            await ea.terminal.heard(lambda line: line["t"] == "deinit")


async def test_a_timer_that_is_refused_is_asked_for_again(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """Without one the EA could do nothing, and would be gone for good."""
    config = plain_config(tmp_path)
    config["quirks"]["timer_refused"] = 3
    async with LinkedEa(compile_ea("mt5"), config) as ea:
        await ea.live()
