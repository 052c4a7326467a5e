"""``bench rpc``, ``ws``, ``fanout``, ``ingest`` and ``history``, and all of them together.

Daemon, terminal and this program, which plays the clients, run in processes of their own. Paths
take turns, round by round, and the medians are told. A bare echo of lines, in Python and asyncio
too, is measured beside the calls: the least that they could cost.

The bar chart is SVG, for documents: no script, no fonts of its own, legible on dark and light.
"""

from __future__ import annotations

import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from gateway.cli.bench.clients import (
    HttpLoadClient,
    LineTransport,
    LoadClient,
    WsLoadClient,
    alone,
    crowded,
    hear,
)
from gateway.cli.output import CliError

READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 5.0


def cpu_s(pid: int) -> float | None:
    """Return how long a process has computed so far; ``None`` where the system does not tell."""
    # Wine shows its programs the /proc of Linux, whose process ids are not theirs
    if sys.platform == "win32":
        return None
    try:
        told = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return None
    user, system = told.rpartition(")")[2].split()[11:13]  # its name may hold spaces
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(arguments: tuple[str, ...], **environment: str) -> Iterator[dict[str, Any]]:
    """Run a command until it is ready, and no longer than the context."""
    process = subprocess.Popen(  # noqa: S603  # this program itself
        (sys.executable, "-m", "gateway", *arguments),
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
    )
    # readline has no time-out: a process that never gets ready is killed, and it returns
    gives_up = threading.Timer(READY_WITHIN_S, process.kill)
    gives_up.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        gives_up.cancel()
        if not line:
            raise CliError(f"mt-gateway {arguments[0]} did not start; its complaint stands above")
        yield {**json.loads(line), "pid": process.pid}
    finally:
        gives_up.cancel()
        process.terminate()
        try:
            # read to the end: a full pipe would keep it from ending
            process.communicate(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def percentile(taken: Sequence[float], of: float) -> float:
    """Return the value that so many percent of the others do not exceed (nearest rank)."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of / 100))]


ROW, LEFT, WIDTH, RIGHT = 24, 190, 420, 90


def bars_svg(title: str, bars: Mapping[str, float]) -> str:
    """Return a chart of horizontal bars, in their order."""
    longest = max(bars.values(), default=0.0) or 1.0
    height = ROW * (len(bars) + 2)
    rows = [
        _row(index, name, value, WIDTH * value / longest)
        for index, (name, value) in enumerate(bars.items())
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" '
            f'height="{height}" font-family="sans-serif" font-size="13">',
            f'<rect width="100%" height="{height}" fill="#fff"/>',
            f'<text x="12" y="{ROW}" font-weight="bold">{escape(title)}</text>',
            *rows,
            "</svg>\n",
        )
    )


def _row(index: int, name: str, value: float, length: float) -> str:
    y = ROW * (index + 2)
    return (
        f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LEFT}" y="{y - 13}" width="{length:.1f}" height="16" fill="#2f6fab"/>'
        f'<text x="{LEFT + length + 6:.1f}" y="{y}">{value:,.0f}</text>'
    )


AT_ONCE = 64
WARM_UP = 300
YEAR_MS = 365 * 86_400_000
READERS = 100
PER_S = 50_000
PING = b'{"jsonrpc":"2.0","method":"ping","id":@}'
ACCOUNT = b'{"jsonrpc":"2.0","method":"get_account_info","id":@}'
SUBSCRIBE = '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"channels":["%s"]}}'
SETTLE_S = 1.0
"""From the subscriptions to the first measurement: the terminal begins with a backlog."""

Facts = dict[str, Any]


@dataclass
class Scene:
    """A daemon that runs, with a linked terminal."""

    port: int
    token: str
    pid: int


@contextmanager
def scene(folder: Path, *terminal: str) -> Iterator[Scene]:
    """Run a daemon and a terminal of the bench while the context lasts."""
    with running(("bench", "daemon", "--home", str(folder))) as daemon:
        link = ("bench", "terminal", "--bridge", str(daemon["bridge"]), *terminal)
        with running(link, MT_GATEWAY_TOKEN=daemon["auth_token"]):
            port = int(daemon["rpc"].rpartition(":")[2].partition("/")[0])
            yield Scene(port, daemon["auth_token"], daemon["pid"])


@dataclass
class CallPath:
    """A kind of call, and its measurements of each round."""

    name: str
    client: LoadClient
    text: bytes
    pid: int
    p50_ms: list[float]
    p99_ms: list[float]
    per_s: list[float]
    cpu_us: list[float]

    def round(self, calls: int) -> None:
        """Measure one round."""
        taken = alone(self.client, self.text, max(50, calls // 10))
        self.p50_ms.append(percentile(taken, 50))
        self.p99_ms.append(percentile(taken, 99))
        before = cpu_s(self.pid)
        self.per_s.append(crowded(self.client, self.text, calls, AT_ONCE))
        after = cpu_s(self.pid)
        if before is not None and after is not None:
            self.cpu_us.append((after - before) * 1e6 / calls)

    def facts(self) -> Facts:
        """Return the medians."""
        return {
            "p50_ms": round(statistics.median(self.p50_ms), 3),
            "p99_ms": round(statistics.median(self.p99_ms), 3),
            "per_s": round(statistics.median(self.per_s)),
            "cpu_us": round(statistics.median(self.cpu_us), 1) if self.cpu_us else None,
        }


def calls(folder: Path, kinds: tuple[str, ...], rounds: int, count: int) -> Facts:
    """Measure ``ping`` and ``get_account_info`` by ``rpc``, ``ws`` or both, beside the echo."""
    with ExitStack() as stack:
        place = stack.enter_context(scene(folder / "calls"))
        echo = stack.enter_context(running(("bench", "echo")))
        paths = [_path("echo", LineTransport(echo["port"]), PING, echo["pid"])]
        for kind in kinds:
            for name, text in (("ping", PING), ("get_account_info", ACCOUNT)):
                client: LoadClient = (
                    WsLoadClient(place.port, place.token)
                    if kind == "ws"
                    else HttpLoadClient(place.port, place.token, AT_ONCE)
                )
                paths.append(_path(f"{kind} {name}", client, text, place.pid))
        for path in paths:
            stack.enter_context(closing(path.client))
            crowded(path.client, path.text, WARM_UP, AT_ONCE)
        for number in range(rounds):
            # whoever comes second finds a warmer machine: they take turns at that too
            for path in paths if number % 2 == 0 else paths[::-1]:
                path.round(count)
    facts = {path.name: path.facts() for path in paths}
    for name, told in facts.items():
        # round by round: what else the machine does hits both alike
        path = next(path for path in paths if path.name == name)
        pairs = zip(path.p50_ms, paths[0].p50_ms, strict=True)
        told["p50_to_echo"] = round(statistics.median(a / b for a, b in pairs), 2)
    return facts


def _path(name: str, client: LoadClient, text: bytes, pid: int) -> CallPath:
    return CallPath(name, client, text, pid, [], [], [], [])


def fanout(folder: Path, rounds: int, seconds: float) -> Facts:
    """Measure readers of all ticks of a flood."""
    with scene(folder / "fanout", "--per-s", str(PER_S)) as place, ExitStack() as stack:
        readers = [
            stack.enter_context(closing(WsLoadClient(place.port, place.token)))
            for _ in range(READERS)
        ]
        for reader in readers:
            reader.ask((SUBSCRIBE % "tick:EURUSD").encode())
        hear(readers, SETTLE_S)
        per_s, cpu_us, missing, closed = [], [], 0, 0
        for _ in range(rounds):
            before = cpu_s(place.pid)
            heard = hear(readers, seconds)
            after = cpu_s(place.pid)
            per_s.append(heard.events / heard.seconds)
            missing, closed = missing + heard.missing, closed + heard.closed
            if before is not None and after is not None and heard.events:
                cpu_us.append((after - before) * 1e6 / heard.events)
    return {
        "readers": READERS,
        "ticks_per_s": PER_S,
        "deliveries_per_s": round(statistics.median(per_s)),
        "cpu_us": round(statistics.median(cpu_us), 4) if cpu_us else None,
        "merged": missing,
        "closed": closed,
    }


def ingest(folder: Path, rounds: int, seconds: float) -> Facts:
    """Measure a terminal that sends as much as is read, and a ping beside it."""
    with (
        scene(folder / "ingest", "--per-s", "0") as place,
        closing(WsLoadClient(place.port, place.token)) as asking,
        closing(WsLoadClient(place.port, place.token)) as reader,
    ):
        alone(asking, PING, WARM_UP)
        reader.ask((SUBSCRIBE % "tick.100ms:EURUSD").encode())
        hear([reader], SETTLE_S)
        per_s, taken, cpu_us = [], [], []
        for _ in range(rounds):
            first, begun_s, before = _ticks_taken(reader), time.perf_counter(), cpu_s(place.pid)
            while time.perf_counter() - begun_s < seconds:
                taken += alone(asking, PING, 20)
            ticks = _ticks_taken(reader) - first
            per_s.append(ticks / (time.perf_counter() - begun_s))
            after = cpu_s(place.pid)
            if before is not None and after is not None and ticks:
                cpu_us.append((after - before) * 1e6 / ticks)
    return {
        "ticks_per_s": round(statistics.median(per_s)),
        "cpu_us": round(statistics.median(cpu_us), 3) if cpu_us else None,
        "ping_ms": {f"p{of}": round(percentile(taken, of), 3) for of in (50, 99)},
    }


def _ticks_taken(reader: WsLoadClient) -> int:
    """Return how many ticks the terminal had sent at the newest one that has come."""
    found = 0
    until_s = time.perf_counter() + 0.3  # what has waited is read first
    while not found or time.perf_counter() < until_s:
        for message in reader.messages():
            volume = json.loads(message).get("params", {}).get("data", {}).get("volume")
            found = volume or found
    return found


def history(folder: Path, rounds: int, _: float) -> Facts:
    """Measure a year of M1 bars, page by page."""
    with (
        scene(folder / "history") as place,
        closing(WsLoadClient(place.port, place.token)) as asking,
    ):
        seconds, computed_s, count = [], [], 0
        for _round in range(rounds):
            begun_s, cursor, count = time.perf_counter(), None, 0
            before = cpu_s(place.pid)
            while True:
                params = _span(cursor)
                request = {"jsonrpc": "2.0", "id": 1, "method": "get_history_prices"}
                answer = json.loads(asking.ask(json.dumps(request | {"params": params}).encode()))
                count += len(answer["result"]["bars"])
                cursor = answer["result"]["next_cursor"]
                if cursor is None:
                    break
            seconds.append(time.perf_counter() - begun_s)
            after = cpu_s(place.pid)
            if before is not None and after is not None:
                computed_s.append(after - before)
    return {
        "bars": count,
        "seconds": round(statistics.median(seconds), 3),
        "cpu_s": round(statistics.median(computed_s), 3) if computed_s else None,
    }


def _span(cursor: str | None) -> Facts:
    to_ms = 1_780_000_000_000 // 60_000 * 60_000
    span = {"symbol": "EURUSD", "timeframe": "M1", "from": to_ms - YEAR_MS, "to": to_ms}
    return span | {"limit": 10_000} | ({} if cursor is None else {"cursor": cursor})


def measure(what: str, rounds: int, folder: Path | None) -> Facts:
    """Measure one part, or ``all``; nothing stays on the disk."""
    parts: dict[str, Callable[[Path], Facts]] = {
        "rpc": lambda made: calls(made, ("rpc",), rounds, 3000),
        "ws": lambda made: calls(made, ("ws",), rounds, 6000),
        "calls": lambda made: calls(made, ("ws", "rpc"), rounds, 4000),
        "fanout": lambda made: fanout(made, rounds, 2.0),
        "ingest": lambda made: ingest(made, rounds, 2.0),
        "history": lambda made: history(made, rounds, 0.0),
    }
    names = ("calls", "fanout", "ingest", "history") if what == "all" else (what,)
    with tempfile.TemporaryDirectory(prefix="mt-gateway-bench-", dir=folder) as made:
        return {name: parts[name](Path(made)) for name in names}


def table(facts: Facts) -> str:
    """Return the figures for people."""
    lines: list[str] = []
    for part, told in facts.items():
        if part in ("rpc", "ws", "calls"):
            head = f"{'calls':24}{'p50 ms':>9}{'p99 ms':>9}{'to echo':>9}{'calls/s':>10}"
            lines.append(f"{head}{'CPU us':>9}   ({AT_ONCE} under way but for the milliseconds)")
            for name, row in told.items():
                cpu = "-" if row["cpu_us"] is None else f"{row['cpu_us']:.1f}"
                lines.append(
                    f"{name:24}{row['p50_ms']:9.3f}{row['p99_ms']:9.3f}{row['p50_to_echo']:9.2f}"
                    f"{row['per_s']:10}{cpu:>9}"
                )
        else:
            lines.append(f"{part:10}" + ", ".join(f"{k} {v}" for k, v in told.items()))
    return "\n".join(lines)


def chart(facts: Facts) -> str:
    """Return a picture of the time that calls take."""
    parts = (facts.get(part, {}) for part in ("rpc", "ws", "calls"))
    bars = {name: told["p50_ms"] * 1000 for part in parts for name, told in part.items()}
    return bars_svg("Median time of a call alone, microseconds", bars)
