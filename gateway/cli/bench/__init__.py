"""``bench``: what the gateway costs, measured here and now.

Absolute figures are this machine's and this minute's. What can be compared are ratios between
lines of one run: rounds of one path and the other take turns.
"""

from __future__ import annotations

import asyncio
import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gateway.cli.bench.paths import cpu_s, percentile, running
from gateway.cli.home import default_home
from gateway.cli.output import CliError
from gateway.cli.process import loop_factory, run_until_stopped
from gateway.cli.run import say_ready
from gateway.cli.token import Json
from gateway.client import GatewayClient

SYMBOL = "EURUSD"
VOLUME = 0.01


class Bot:
    """Bot that buys and sells in turn, on a netting account, so that nothing piles up.

    Args:
        url: of the gateway.
        token: opens the terminal.

    """

    def __init__(self, url: str, token: str) -> None:
        self._client = GatewayClient(url, token, transport="ws")
        self._is_buying = False

    async def alone(self, orders: int) -> list[float]:
        """Send one order after the other; return their milliseconds."""
        return [await self._order() for _ in range(orders)]

    async def crowded(self, orders: int, at_once: int) -> tuple[list[float], float]:
        """Keep so many orders under way; return their milliseconds, and orders a second."""
        taken: list[float] = []
        left = iter(range(orders))
        begun_s = time.perf_counter()
        await asyncio.gather(*(self._work(left, taken) for _ in range(at_once)))
        return taken, orders / (time.perf_counter() - begun_s)

    async def leave(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _work(self, left: Iterator[int], taken: list[float]) -> None:
        for _ in left:
            taken.append(await self._order())  # noqa: PERF401  # the workers share the list

    async def _order(self) -> float:
        self._is_buying = not self._is_buying
        side: Literal["buy", "sell"] = "buy" if self._is_buying else "sell"
        begun_s = time.perf_counter()
        await self._client.place_order(symbol=SYMBOL, side=side, volume=VOLUME)
        return (time.perf_counter() - begun_s) * 1000


@contextmanager
def scene(folder: Path, *, journal: bool) -> Iterator[dict[str, Any]]:
    """Run both while the context lasts.

    Args:
        folder: the daemon's home.
        journal: whether its orders are journaled.

    Yields:
        What the daemon says of itself: ``rpc``, ``auth_token`` and so on; and its ``pid``.

    Raises:
        CliError: one of them does not start.

    """
    bare = () if journal else ("--without-journal",)
    with running(("bench", "daemon", "--home", str(folder), *bare)) as daemon:
        # its market flows at a tenth of the pace: what is measured are orders, not ticks
        terminal = ("emulator", "--bridge", daemon["bridge"], "--netting", "--speed", "0.1")
        # the token by the environment: arguments are seen by every user of the machine
        with running((*terminal, "--json"), MT_GATEWAY_TOKEN=daemon["auth_token"]):
            yield daemon


@dataclass
class MeasuredPath:
    """Measurements of one path, round by round. Times are in milliseconds."""

    alone_ms: list[list[float]] = field(default_factory=list)
    """Of orders with nothing else under way: one list a round."""
    crowded_ms: list[float] = field(default_factory=list)
    """Of orders with many under way."""
    per_s: list[float] = field(default_factory=list)
    """Orders a second with many under way: one a round."""
    cpu_ms: float | None = None
    """What the daemon computes for an order, on the mean; ``None`` where nobody can tell."""

    @property
    def p50_ms(self) -> float:
        """The median of all orders alone."""
        return percentile(self._all_alone, 50)

    def facts(self) -> dict[str, Any]:
        """Return the figures of this path."""
        alone = self._all_alone
        return {
            "alone_ms": {f"p{of}": round(percentile(alone, of), 3) for of in (50, 90, 99)},
            "crowded_ms": {
                f"p{of}": round(percentile(self.crowded_ms, of), 3) for of in (50, 90, 99)
            },
            "orders_per_s": round(statistics.median(self.per_s), 1),
            "cpu_ms": None if self.cpu_ms is None else round(self.cpu_ms, 3),
        }

    @property
    def _all_alone(self) -> list[float]:
        return [order_ms for taken in self.alone_ms for order_ms in taken]


def added_ms(journaled: MeasuredPath, bare: MeasuredPath) -> float:
    """Return what the journal adds to the median order alone: the median over the rounds."""
    # round by round: what else the machine does hits both paths of a round alike
    pairs = zip(journaled.alone_ms, bare.alone_ms, strict=True)
    return statistics.median(percentile(a, 50) - percentile(b, 50) for a, b in pairs)


def ratio(journaled: MeasuredPath, bare: MeasuredPath) -> float:
    """Return orders a second with the journal, to those without: the median over the rounds."""
    pairs = zip(journaled.per_s, bare.per_s, strict=True)
    return statistics.median(a / b for a, b in pairs)


def table(facts: dict[str, Any]) -> str:
    """Return the figures for people."""
    at_once = facts["at_once"]
    head = f"{'':22}{'one under way':^26}{f'{at_once} under way':^34}".rstrip()
    names = f"{'':22}{'p50 ms':>8}{'p90 ms':>9}{'p99 ms':>9}{'orders/s':>12}{'p50 ms':>10}"
    lines = [
        f"mt-gateway bench orders: market orders by /ws, {facts['rounds']} rounds, daemon and "
        "emulated terminal in processes of their own",
        f"ledger in {facts['folder']}: a write and fdatasync take {facts['sync_ms']} ms there",
        "",
        head,
        f"{names}{'p99 ms':>10}{'CPU ms':>10}",
        _row("with the journal", facts["journal"]),
        _row("without it", facts["bare"]),
        "",
        f"the journal adds {facts['journal_adds_ms']} ms to the median order; with {at_once} "
        f"under way {facts['ratio']} of the orders a second are left",
        f"the journal alone, {at_once} under way: {facts['journal_alone_per_s']} orders/s",
    ]
    return "\n".join(lines)


def _row(name: str, facts: dict[str, Any]) -> str:
    alone, crowded = facts["alone_ms"], facts["crowded_ms"]
    cpu = "-" if facts["cpu_ms"] is None else f"{facts['cpu_ms']:.2f}"
    return (
        f"{name:22}{alone['p50']:8.2f}{alone['p90']:9.2f}{alone['p99']:9.2f}"
        f"{facts['orders_per_s']:12.0f}{crowded['p50']:10.1f}{crowded['p99']:10.1f}{cpu:>10}"
    )


WARM_UP = 100
"""Orders of each path before anything is measured."""
SYNCS = 50
BLOCK = 4096

Rounds = Annotated[int, typer.Option(min=1, max=1000, help="Rounds of each path, in turn.")]
Alone = Annotated[int, typer.Option(min=1, help="Orders of a round with nothing else under way.")]
Crowded = Annotated[int, typer.Option(min=1, help="Orders of a round with many under way.")]
AtOnce = Annotated[
    int, typer.Option(min=1, max=64, help="Number of orders under way at the same time.")
]
Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        exists=True,
        file_okay=False,
        help="Folder on the disk to measure; beside the gateway's home if absent.",
    ),
]


def orders(
    *,
    rounds: Rounds = 5,
    alone: Alone = 200,
    crowded: Crowded = 1000,
    at_once: AtOnce = 64,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Measure orders with the journal, and beside it the same path without.

    A gateway, an emulated terminal and this program, which plays the bot, run in processes of
    their own. Nothing real is traded, and what is made in --dir goes at the end.
    """
    place = folder or _beside_home()
    with tempfile.TemporaryDirectory(prefix="mt-gateway-bench-", dir=place) as made:
        facts: dict[str, Any] = {
            "rounds": rounds,
            "at_once": at_once,
            "folder": str(place),
            "sync_ms": round(_sync_ms(Path(made)), 3),
        }
        facts |= _measured(Path(made), rounds, alone, crowded, at_once)
    if as_json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return

    sys.stdout.write(table(facts) + "\n")


def daemon(
    *,
    home: Annotated[Path, typer.Option(help="Made anew.")],
    without_journal: Annotated[bool, typer.Option("--without-journal")] = False,
) -> None:
    """Run the daemon of a bench."""

    def start() -> Coroutine[Any, Any, None]:
        from gateway.cli.bench.bench_daemon import run_bench_daemon

        return run_bench_daemon(
            home, lambda ready: say_ready(ready, "", as_json=True), journal=not without_journal
        )

    run_until_stopped(start, verbose=False)


Terminal = Annotated[str, typer.Option("--bridge", help="The daemon's, host:port.")]


def terminal(
    *,
    bridge: Terminal,
    per_s: Annotated[float, typer.Option(min=0, help="Ticks; 0: as many as are read.")] = 0.0,
) -> None:
    """Run the terminal of a bench; its token comes by MT_GATEWAY_TOKEN."""

    def start() -> Coroutine[Any, Any, None]:
        from gateway.cli.bench.bench_terminal import run_bench_terminal

        token = os.environ.get("MT_GATEWAY_TOKEN", "")
        return run_bench_terminal(token, bridge, per_s, lambda: _say_json({}))

    run_until_stopped(start, verbose=False)


def echo() -> None:
    """Run the echo that calls are compared with."""

    def start() -> Coroutine[Any, Any, None]:
        from gateway.cli.bench.bench_terminal import run_echo

        return run_echo(lambda port: _say_json({"port": port}))

    run_until_stopped(start, verbose=False)


def _say_json(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


PartRounds = Annotated[
    int, typer.Option("--rounds", min=1, max=1000, help="Number of rounds; medians are told.")
]
Picture = Annotated[
    Path | None, typer.Option("--svg", dir_okay=False, help="Also draw the calls' times.")
]


def _part(what: str, about: str) -> Callable[..., None]:
    def part(
        *, rounds: PartRounds = 5, folder: Dir = None, as_json: Json = False, svg: Picture = None
    ) -> None:
        from gateway.cli.bench import paths

        facts = paths.measure(what, rounds, folder or _beside_home())
        if svg is not None:
            svg.write_text(paths.chart(facts), "utf-8")
        text = json.dumps(facts, indent=2) if as_json else paths.table(facts)
        sys.stdout.write(text + "\n")

    part.__doc__ = about
    return part


rpc = _part("rpc", "Measure calls by POST /rpc, beside a bare echo of lines.")
ws = _part("ws", "Measure calls by /ws, beside a bare echo of lines.")
fanout = _part("fanout", "Measure a hundred readers of 50,000 ticks a second.")
ingest = _part("ingest", "Measure a terminal that floods with ticks, and calls beside it.")
history = _part("history", "Measure a year of M1 bars, page by page.")
all_parts = _part("all", "Measure all of these; for orders see `bench orders`.")


def _measured(folder: Path, rounds: int, alone: int, crowded: int, at_once: int) -> dict[str, Any]:
    from gateway.cli.bench.bench_daemon import journal_alone

    journaled, bare = MeasuredPath(), MeasuredPath()
    with ExitStack() as stack, asyncio.Runner(loop_factory=loop_factory()) as runner:
        bots = []
        for name, path in (("journal", journaled), ("bare", bare)):
            ready = stack.enter_context(scene(folder / name, journal=path is journaled))
            bots.append((ready, path))
        runner.run(_rounds(bots, rounds, alone, crowded, at_once))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        by_itself = runner.run(journal_alone(folder / "alone", max(crowded, 2000), at_once))
    return {
        "journal": journaled.facts(),
        "bare": bare.facts(),
        "journal_adds_ms": round(added_ms(journaled, bare), 3),
        "ratio": round(ratio(journaled, bare), 3),
        "journal_alone_per_s": round(by_itself),
    }


async def _rounds(
    scenes: list[tuple[dict[str, Any], Any]], rounds: int, alone: int, crowded: int, at_once: int
) -> None:

    bots = [
        (Bot(ready["rpc"].removesuffix("/rpc"), ready["auth_token"]), path)
        for ready, path in scenes
    ]
    for bot, _ in bots:
        await bot.alone(WARM_UP)
    before = [cpu_s(ready["pid"]) for ready, _ in scenes]
    for number in range(rounds):
        # whoever comes second finds a warmer machine: they take turns at that too
        for bot, path in bots if number % 2 == 0 else bots[::-1]:
            path.alone_ms.append(await bot.alone(alone))
            taken, per_s = await bot.crowded(crowded, at_once)
            path.crowded_ms += taken
            path.per_s.append(per_s)
    for (ready, path), computed in zip(scenes, before, strict=True):
        after = cpu_s(ready["pid"])
        if computed is not None and after is not None:
            path.cpu_ms = (after - computed) * 1000 / (rounds * (alone + crowded))
    for bot, _ in bots:
        await bot.leave()


def _beside_home() -> Path:
    """Return a folder on the disk of the home: many systems keep /tmp in memory."""
    place = default_home().parent
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"{place}: {error.strerror}; name a folder with --dir") from error
    return place


def _sync_ms(folder: Path) -> float:
    """Return how long a small write takes until it is on the disk: the median."""
    taken = []
    number = os.open(folder / "probe", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for _ in range(SYNCS):
            begun_s = time.perf_counter()
            os.write(number, bytes(BLOCK))
            getattr(os, "fdatasync", os.fsync)(number)
            taken.append((time.perf_counter() - begun_s) * 1000)
    finally:
        os.close(number)
    return sorted(taken)[SYNCS // 2]
