"""How soon a halt stops what is written to a terminal, while programs send orders all the time.

The gateway is a process of its own; the programs and the terminal belong to the test, so that one
clock tells when a person asked and when the last order came.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import create_token, running
from demo_process import clean_environment
from product import HttpClient, Json, WsClient, open_http, open_ws, until
from warm_process import COMMAND, start_warm

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.terminal import EmulatedTerminal

CONFIG = '[secrets]\nstore = "file"\n'
CONFIG += "[api]\nport = 0\n[bridge]\nport = 0\n[trading]\norders_per_second = 'none'\n"
PROGRAMS = 4
MAX_UNANSWERED = 16
ORDER = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.01, "price": 0.5}
QUIET_S = 0.1
"""Without an order there is none on its way any more."""


@dataclass
class Trial:
    """One halt. Milliseconds."""

    way: str
    from_request: float
    """From the request, or the start of the command, to the last order that came."""
    from_write: float
    """The same from when the command had come to its write; like the former for a request."""
    until_told: float
    """Until the request was answered, or the command had ended."""
    came: int
    """Orders between the two."""
    passed: list[Json] = field(default_factory=list)
    """Answers to orders that were sent after the halt was known, and were not refused with it."""


class Rig:
    """A gateway under load."""

    def __init__(self, home: Path, http: HttpClient, machine: EmulatedTerminal) -> None:
        self._home = home
        self._http = http
        self._arrivals: list[float] = []
        self._answers: list[tuple[float, Json]] = []
        execute = machine.execute

        def note(cmd: Any, **more: Any) -> Any:
            if cmd.op == "order_send":
                self._arrivals.append(time.time())
            return execute(cmd, **more)

        machine.execute = note  # type: ignore[method-assign]  # the clock

    async def load(self, program: WsClient, per_second: float) -> None:
        """Send orders without waiting for their answers, until cancelled.

        A machine that is too slow for so many gets fewer: no program has more than
        :data:`MAX_UNANSWERED` under way.
        """
        asked: set[asyncio.Task[None]] = set()
        due_s = time.monotonic()
        try:
            for number in itertools.count():
                if len(asked) < MAX_UNANSWERED:
                    task = asyncio.create_task(self._order(program, f"{id(program)}-{number}"))
                    asked.add(task)
                    task.add_done_callback(asked.discard)
                due_s = max(due_s + 1 / per_second, time.monotonic())
                await asyncio.sleep(due_s - time.monotonic())
        finally:
            if asked:
                await asyncio.wait(asked)

    async def _order(self, program: WsClient, client_order_id: str) -> None:
        sent_s = time.time()
        answer = await program.ask("place_order", ORDER | {"client_order_id": client_order_id})
        self._answers.append((sent_s, answer))

    async def trial(self, way: str) -> Trial:
        """Halt, see when it is quiet, and go on."""
        await self._flows()
        self._answers.clear()
        begun_s = time.time()
        if way == "request":
            await self._http.call("set_trading_enabled", enabled=False)
        else:
            await self._command("halt")
        told_s = time.time()
        state = await self._http.call("get_trading_enabled")
        since_s = state["halts"][0]["since"] / 1000 if way == "command" else begun_s
        await until(lambda: time.time() - max(told_s, *self._arrivals[-1:]) > QUIET_S)
        came = [one for one in self._arrivals if one > begun_s]
        last_s = max([begun_s, *came])
        trial = Trial(
            way,
            from_request=(last_s - begun_s) * 1000,
            from_write=max(0.0, last_s - since_s) * 1000,
            until_told=(told_s - begun_s) * 1000,
            came=len(came),
            passed=[one for at_s, one in self._answers if at_s > told_s and _code(one) != 2104],
        )
        await self._http.call("set_trading_enabled", enabled=True)
        if way == "command":
            await self._command("resume")
        return trial

    async def _flows(self) -> None:
        """Wait until orders come."""
        seen = len(self._arrivals)
        await until(lambda: len(self._arrivals) > seen + 5)

    async def _command(self, name: str) -> None:
        process = await start_warm(
            *(*COMMAND, name, "--home", str(self._home)),
            env=clean_environment(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=sys.stderr,
        )
        assert await process.wait() == 0


@asynccontextmanager
async def rig(folder: Path, orders_per_s: float) -> AsyncIterator[Rig]:
    """Run a gateway, a terminal, and programs that send so many orders together."""
    home, config = folder / "home", folder / "config.toml"
    config.write_text(CONFIG)
    token = create_token(home, "main", "--scope", "admin", "--config", str(config))
    machine = build_terminal()
    arguments = ("serve", "--home", str(home), "--config", str(config))
    with running(folder / "serve.log", *arguments) as gateway:
        ready = gateway.ready
        host, _, port = ready["bridge"].rpartition(":")
        link = EmulatedLink(machine, host, int(port), token)
        tasks = [asyncio.create_task(link.run())]
        await asyncio.wait_for(link.ready.wait(), 20)
        programs = [await open_ws(ready["ws"], token) for _ in range(PROGRAMS)]
        async with open_http(ready["rpc"], token) as http:
            one = Rig(home, http, machine)
            per_program = orders_per_s / PROGRAMS
            tasks += [asyncio.create_task(one.load(each, per_program)) for each in programs]
            try:
                yield one
            finally:
                for task in tasks[1:]:
                    task.cancel()
                await asyncio.wait(tasks[1:])
                link.stop()
                tasks[0].cancel()
                await asyncio.wait(tasks[:1])
                for program in programs:
                    await program.close()


def summary(trials: Sequence[Trial]) -> str:
    """Return the figures of trials of one way, in words."""
    return "; ".join(
        [
            f"{len(trials)} halts",
            f"to the last order {_figures([one.from_request for one in trials])}",
            f"from the write {_figures([one.from_write for one in trials])}",
            f"until told {_figures([one.until_told for one in trials])}",
            f"{sum(one.came for one in trials)} orders came between",
        ]
    )


def _figures(values: list[float]) -> str:
    cuts = statistics.quantiles([*values, values[-1]], n=100, method="inclusive")
    return f"p50 {cuts[49]:.1f} p90 {cuts[89]:.1f} p99 {cuts[98]:.1f} max {max(values):.1f} ms"


def _code(answer: Json) -> int | None:
    code: int | None = answer.get("error", {}).get("code")
    return code
