"""Revocations under load: console, daemon and clients in processes of their own, terminals here.

One :class:`Rig` runs rounds. In each, several tokens have their terminals linked, hundreds of
WebSockets open, half of which nobody reads, and bots that place orders; then somebody clicks.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from console_site import Person
from demo_process import clean_environment
from product import TIMEOUT_S
from revocation_figures import Trial
from revocation_parts import ADMIN, OWNER
from warm_process import Running, start_warm

from ea_bridge.commands import ORDER_SEND
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink, LinkRefused
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Cmd, Pending, Res
from ea_bridge.token import parse_token

Json = dict[str, Any]
HERE = Path(__file__).parent
CHANNELS = [f"tick:{symbol}" for symbol in ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD")]
HANGS_AFTER_S = 60.0
WARM_S = 1.0
"""From the first orders to the click, so that all are busy."""


class Part:
    """A process that answers lines of JSON."""

    def __init__(self, process: Running) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def ask(self, line: str) -> Json:
        """Say a line and return what comes back."""
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()
            return await self.answer()

    async def answer(self) -> Json:
        """Return the next line that it says."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), HANGS_AFTER_S)
        assert line, "a part has ended"
        said: Json = json.loads(line)
        return said

    async def do(self, what: str, **arguments: Any) -> Json:
        """Have the crowd do something."""
        return await self.ask(json.dumps({"do": what, **arguments}))


class Ledger:
    """The orders that a terminal was told to send: the truth, whatever anybody else says."""

    def __init__(self, machine: EmulatedTerminal) -> None:
        self.machine = machine
        self.taken: dict[int, float] = {}
        """When each came, by its magic."""
        self._execute = machine.execute
        machine.execute = self._note  # type: ignore[method-assign]  # to listen at the source

    def _note(self, cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
        if cmd.op == ORDER_SEND.op:
            self.taken[cmd.params.magic] = time.monotonic()  # type: ignore[union-attr]  # decoded by its op
        return self._execute(cmd, waited_ms=waited_ms)


@dataclass
class Seat:
    """A token with all that hangs on it."""

    ledger: Ledger
    token: str
    link: EmulatedLink
    running: asyncio.Task[None]

    @property
    def tid(self) -> str:
        """The token's id."""
        return parse_token(self.token)


@dataclass(frozen=True)
class Size:
    """How much load there is."""

    tokens: int
    sockets: int
    """In all; half of them do not read."""
    orders_per_s: float
    speed: float
    """Of the markets."""


class Rig:
    """See :func:`rig`."""

    def __init__(
        self,
        size: Size,
        daemon: Part,
        crowd: Part,
        bridge: str,
        owner: Person,
        admin: Person,
    ) -> None:
        self._size = size
        self._daemon, self._crowd = daemon, crowd
        self._bridge = bridge
        self.owner, self._admin = owner, admin
        speed = size.speed
        self._ledgers = [
            Ledger(build_terminal(speed=speed, seed=n, netting=True)) for n in range(size.tokens)
        ]
        self._round = 0

    async def tokens(self) -> list[Trial]:
        """Revoke one token after the other, while the others go on."""
        seats = await self._seats()
        trials = []
        for n, seat in enumerate(seats):
            trials.append(await self._click("token", [seat], self._revoke(seat)))
            left = (await self._crowd.do("count"))["open"]
            expected = self._each * (len(seats) - n - 1)
            if left != expected:
                trials[-1].wrong.append(f"{left} instead of {expected} others are still open")
        return trials

    async def user(self) -> list[Trial]:
        """Disable the account that all tokens belong to."""
        seats = await self._seats()
        me = await self.owner.ask("GET", "/me")
        user_id = me["user"]["id"]

        async def disable() -> None:
            await self._admin.ask("POST", f"/users/{user_id}/disable")

        await self._admin.step_up()
        trial = await self._click("user", seats, disable)
        await self._admin.ask("POST", f"/users/{user_id}/enable")
        await self.owner.sign_in()
        for seat in seats:
            await self.owner.revoke(seat.token)
        return [trial]

    async def device(self) -> list[Trial]:
        """Revoke the machine."""
        seats = await self._seats()
        [device] = (await self.owner.ask("GET", "/devices"))["devices"]
        path = f"/devices/{device['did']}"

        async def revoke() -> None:
            await self.owner.ask("POST", f"{path}/revoke")

        trial = await self._click("device", seats, revoke)
        await self.owner.step_up()
        for seat in seats:
            await self.owner.revoke(seat.token)
        await self.owner.ask("POST", f"{path}/forget")
        return [trial]

    # --- a round -----------------------------------------------------------------------------

    @property
    def _each(self) -> int:
        return self._size.sockets // self._size.tokens

    async def _seats(self) -> list[Seat]:
        self._round += 1
        await self.owner.step_up()
        seats = [
            await self._seat(ledger, f"t{self._round}-{n}")
            for n, ledger in enumerate(self._ledgers)
        ]
        readers = self._each // 2
        for seat in seats:
            ledger = seat.ledger
            ledger.taken.clear()
            await self._crowd.do(
                "open",
                token=seat.token,
                readers=self._each - readers,
                stalled=readers,
                channels=CHANNELS,
            )
        for seat in seats:
            rate = self._size.orders_per_s / len(seats)
            await self._crowd.do("trade", token=seat.token, per_s=rate)
            await self._crowd.do("plug", token=seat.token)
        return seats

    async def _seat(self, ledger: Ledger, name: str) -> Seat:
        token = await self.owner.make_token(name)
        asked: asyncio.Queue[Pending] = asyncio.Queue()
        host, _, port = self._bridge.rpartition(":")
        link = EmulatedLink(ledger.machine, host, int(port), token, on_pending=asked.put_nowait)
        running = asyncio.create_task(link.run())
        ready = asyncio.create_task(link.ready.wait())
        asking = asyncio.create_task(asked.get())
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.wait((ready, asking), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                await self.owner.approve(token, asking.result().user_code)
            asking.cancel()
            await ready
        return Seat(ledger, token, link, running)

    def _revoke(self, seat: Seat) -> Callable[[], Awaitable[None]]:
        async def revoke() -> None:
            await self.owner.revoke(seat.token)

        return revoke

    async def _click(
        self, kind: str, seats: Sequence[Seat], click: Callable[[], Awaitable[None]]
    ) -> Trial:
        before = await self._crowd.do("count")
        await asyncio.sleep(WARM_S)
        after = await self._crowd.do("count")
        clicked_s = time.monotonic()
        await click()
        showing = asyncio.create_task(self._shown(kind, seats, clicked_s))
        reports = {seat.tid: await self._crowd.do("report", token=seat.token) for seat in seats}
        notes = {seat.tid: await self._daemon.ask(seat.tid) for seat in seats}
        confirmed = await showing
        for seat in seats:
            seat.link.stop()
            seat.running.cancel()
            await asyncio.wait([seat.running])
            if not seat.running.cancelled() and seat.running.exception() is not None:
                assert isinstance(seat.running.exception(), LinkRefused)
        taken = [at for seat in seats for at in seat.ledger.taken.values()]
        told: dict[str, int] = {}
        for report in reports.values():
            for outcome in report["orders"].values():
                told[outcome] = told.get(outcome, 0) + 1
        any_note = next(iter(notes.values()))
        gate_s = any_note["gate_s"]
        trial = Trial(
            kind=kind,
            open=after["open"],
            events_per_s=(after["events"] - before["events"]) / (after["now_s"] - before["now_s"]),
            ended=sum(note["dead"] for note in notes.values()),
            last_byte=max(one["last_byte_s"] for one in reports.values()) - clicked_s,
            last_order=max(taken, default=clicked_s) - clicked_s,
            gate=gate_s - clicked_s,
            heard_to_gate=gate_s - any_note["heard_s"],
            gate_to_dead=max(note["dead_s"] for note in notes.values()) - gate_s,
            confirmed=confirmed,
            orders=told,
        )
        for seat in seats:
            trial.wrong += _broken_rules(seat, reports[seat.tid], notes[seat.tid], self._each)
        return trial

    async def _shown(self, kind: str, seats: Sequence[Seat], clicked_s: float) -> float:
        """Wait until the console shows that a token has stopped."""
        if kind == "user":
            return 0.0  # its owner cannot look any more
        await self.owner.stopped(seats[0].token)
        return time.monotonic() - clicked_s


def _broken_rules(seat: Seat, report: Json, note: Json, opened: int) -> list[str]:
    """Say what should not have been, of one token."""
    taken = seat.ledger.taken
    told = {int(magic): outcome for magic, outcome in report["orders"].items()}
    missing = [
        magic for magic, outcome in told.items() if outcome == "done" and magic not in taken
    ]
    sneaked = [
        magic
        for magic in taken
        if told.get(magic, "no answer").endswith(("not_sent", "rejected"))
        or told.get(magic, "").startswith("unauthorized")
    ]
    rules = {
        "connections are still open": report["still_open"] == 0,
        "not all connections ended in the gateway": note["dead"] == opened,
        f"closed with {report['codes']}": set(report["codes"]) <= {4506},
        "an order was written after the gate": note["order_s"] <= note["gate_s"],
        f"an event was made {report['newest_ms'] - note['gate_ms']} ms after the gate": (
            report["newest_ms"] <= note["gate_ms"]
        ),
        f"orders that were done are not in the EA's ledger: {missing}": not missing,
        f"orders that were refused are in the EA's ledger: {sneaked}": not sneaked,
        "no order was done": "done" in told.values(),
    }
    return [wrong for wrong, holds in rules.items() if not holds]


@asynccontextmanager
async def rig(folder: Path, size: Size) -> AsyncIterator[Rig]:
    """Start all parts."""
    async with AsyncExitStack() as stack:
        console = await _part(stack, "revocation_parts.py", "console", str(folder / "console"))
        place = await console.answer()
        where = (str(folder / "home"), place["url"], place["root"])
        daemon = await _part(stack, "revocation_parts.py", "daemon", *where)
        doors = await daemon.answer()
        crowd = await _part(stack, "revocation_crowd.py", doors["ws"], doors["rpc"])
        http = await stack.enter_async_context(aiohttp.ClientSession())
        admin = await Person(place["url"], http, ADMIN).sign_in()
        owner = await Person(place["url"], http, OWNER).sign_in()
        yield Rig(size, daemon, crowd, doors["bridge"], owner, admin)


async def _part(stack: AsyncExitStack, script: str, *arguments: str) -> Part:
    process = await start_warm(
        sys.executable,
        str(HERE / script),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=clean_environment() | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])},
        limit=2**26,
    )

    async def end() -> None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    stack.push_async_callback(end)
    return Part(process)


async def bench(folder: Path, size: Size, rounds: Sequence[str]) -> list[Trial]:
    """Run rounds and return their trials."""
    trials = []
    async with rig(folder, size) as one:
        for kind in rounds:
            trials += await getattr(one, kind)()
    return trials
