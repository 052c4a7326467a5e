"""Terminal of ``mt-gateway bench``: answers at once, and sends as many ticks as are wanted.

The emulator computes a market, which would be measured as well. This one repeats a prepared line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import msgspec

from ea_bridge import commands, host, model
from ea_bridge.protocol.connection import READY, TERMINAL, Connection
from ea_bridge.protocol.handshake import NONCE_BYTES, SPAN, answer_challenge
from ea_bridge.protocol.messages import Challenge, Cmd, Hb, Hello, Message, Res, Welcome
from ea_bridge.simulation.specs import default_account, load_specs
from ea_bridge.token import parse_token

SYMBOL = "EURUSD"
SERVER = "Bench"
LINE_TICKS = 32
FLOOD_LINES = 32
"""In one write, where as many ticks are sent as are read."""
PUMP_S = 0.001
"""Between two looks at how many ticks are due."""
MINUTE_S = 60
PART_BARS = 2000
"""In one line of a long answer."""
ROW = '[1,@,"1.{bid:05}","1.{ask:05}",{last},6]'


def tick_line() -> bytes:
    """Return a line of ticks: ``@`` is for the stamp, ``#`` for the number of the last one."""
    rows = [ROW.format(bid=14_000 + n, ask=14_004 + n, last="0.0,0") for n in range(LINE_TICKS)]
    rows[-1] = rows[-1].replace("0.0,0", "1.5,#")
    return f'{{"t":"ticks","d":[{",".join(rows)}]}}\n'.encode()


class BenchTerminal(asyncio.Protocol):
    """One link to the daemon.

    Args:
        token: opens it.
        per_s: ticks a second, while they are watched; 0: as many as are read.

    """

    def __init__(self, token: str, per_s: float) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._token = token
        self._per_s = per_s
        self._connection = Connection(TERMINAL)
        self._account = default_account()
        self._line = tick_line()
        self._sent = 0
        self._begun_s: float | None = None
        self._is_paused = False
        self._pumping: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        self._transport = cast("asyncio.Transport", transport)
        self._hello = Hello(
            proto=SPAN,
            tid=parse_token(self._token),
            cnonce=host.token_hex(NONCE_BYTES),
            boot=host.token_hex(4),
            platform="mt5",
            login=self._account.login,
            server=self._account.server or SERVER,
            caps="ticks",
        )
        self._say(self._hello)

    def data_received(self, data: bytes) -> None:
        """Answer what is asked."""
        for message in self._connection.receive_data(data):
            match message:
                case Challenge():
                    self._say(answer_challenge(self._token, self._hello, message))
                case Welcome():
                    self.ready.set_result(None)
                case Cmd():
                    self._obey(message)
                case Hb():
                    now_s = time.time()
                    self._say(Hb(n=message.n, tcur=round(now_s), tgmt=round(now_s)))

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._pumping is not None:
            self._pumping.cancel()
        if not self.over.done():
            self.over.set_result(None)

    def pause_writing(self) -> None:
        """Send no ticks: those before are not read yet."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on with them."""
        self._is_paused = False

    def _say(self, message: Message) -> None:
        if self._connection.state is READY or not self.ready.done():
            self._transport.write(self._connection.send(message))

    def _obey(self, cmd: Cmd) -> None:
        if cmd.op == commands.RATES_GET.op:
            self._tell_bars(cmd.id, cast("commands.RatesParams", cmd.params))
            return
        answer = self._answer(cmd)
        if answer is None:
            self._say(Res(id=cmd.id, ok=False, err=4014))
        else:
            self._say(Res(id=cmd.id, ok=True, d=_raw(answer)))

    def _answer(self, cmd: Cmd) -> Any:
        now_s = round(time.time())
        match cmd.params:
            case commands.WatchParams(symbol=symbol, ticks=ticks):
                self._watch(wanted=ticks)
                return commands.Watched(sym=1, symbol=symbol, digits=5)
            case commands.SymbolsParams():
                return [model.SymbolName(name=SYMBOL)]
            case commands.SymbolParams() if cmd.op == commands.TICK_GET.op:
                return model.Tick(now_s * 1000, 1.14, 1.14004, 0.0, 0, 6)
            case commands.SymbolParams() if cmd.op == commands.SYMBOL_GET.op:
                return load_specs()[SYMBOL]
            case _:
                return {
                    commands.ACCOUNT_GET.op: self._account,
                    commands.TERMINAL_GET.op: model.Terminal(connected=True, trade_allowed=True),
                    commands.CLOCK_GET.op: model.Clock(tcur=now_s, tgmt=now_s, tlocal=now_s),
                    commands.POSITIONS_GET.op: [],
                    commands.ORDERS_GET.op: [],
                }.get(cmd.op)

    def _tell_bars(self, id_: int, params: commands.RatesParams) -> None:
        first, last = params.from_s or 0, params.to_s or round(time.time())
        first = -(-first // MINUTE_S) * MINUTE_S
        times = range(first, last + 1, MINUTE_S)
        if params.count:
            times = times[: params.count] if params.from_s else times[-params.count :]
        bars = [model.Bar(at, 1.14, 1.15, 1.13, 1.145, 60, 4) for at in times]
        starts = range(0, max(len(bars), 1), PART_BARS)
        for part, start in enumerate(starts):
            rows = bars[start : start + PART_BARS]
            told = _raw(model.History(rows=rows))
            is_last = part == len(starts) - 1
            self._say(Res(id=id_, ok=True, d=told, part=part, last=is_last))

    def _watch(self, *, wanted: bool) -> None:
        if not wanted:
            self._begun_s = None
        elif self._begun_s is None:
            self._begun_s, self._sent = time.perf_counter(), 0
            self._pump()

    def _pump(self) -> None:
        if self._begun_s is None:
            return
        line = self._line.replace(b"@", str(round(time.time() * 1000)).encode())
        if not self._per_s:
            for _ in range(0 if self._is_paused else 4):
                self._sent += FLOOD_LINES * LINE_TICKS
                lines = line * FLOOD_LINES
                self._transport.write(lines.replace(b"#", str(self._sent).encode()))
        else:
            due = int((time.perf_counter() - self._begun_s) * self._per_s)
            while self._sent + LINE_TICKS <= due and not self._is_paused:
                self._sent += LINE_TICKS
                self._transport.write(line.replace(b"#", str(self._sent).encode()))
        pause_s = PUMP_S if self._per_s or self._is_paused else 0.0
        self._pumping = asyncio.get_running_loop().call_later(pause_s, self._pump)


def _raw(answer: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(answer))


class LineEcho(asyncio.Protocol):
    """Line by line, what came goes back: the least that a server of calls can do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._unread = b""

    def data_received(self, data: bytes) -> None:
        """Answer each line alone."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._transport.write(line + b"\n")


async def run_bench_terminal(
    token: str, bridge: str, per_s: float, ready: Callable[[], None]
) -> None:
    """Link to a daemon, and go on until it is gone; ``ready`` is called once it is linked."""
    host_name, _, port = bridge.rpartition(":")
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(
        lambda: BenchTerminal(token, per_s), host_name, int(port)
    )
    await link.ready
    ready()
    await link.over


async def run_echo(ready: Callable[[int], None]) -> None:
    """Echo lines on a free port of loopback, until cancelled; ``ready`` is told the port."""
    server = await asyncio.get_running_loop().create_server(LineEcho, "127.0.0.1", 0)
    async with server:
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()
