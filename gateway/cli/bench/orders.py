"""``bench orders``: what the journal costs an order, beside the same path without it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.complaint import Complaint
from gateway.cli.home import default_home
from gateway.cli.process import loop_factory, run_until_stopped
from gateway.cli.run import say_ready
from gateway.cli.token import Json

WARM_UP = 100
"""Orders of each path before anything is measured."""
SYNCS = 50
BLOCK = 4096

Rounds = Annotated[int, typer.Option(min=1, max=1000, help="Of each path, in turn.")]
Alone = Annotated[int, typer.Option(min=1, help="Orders of a round with nothing else under way.")]
Crowded = Annotated[int, typer.Option(min=1, help="Orders of a round with many under way.")]
AtOnce = Annotated[int, typer.Option(min=1, max=64, help="How many that is.")]
Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        exists=True,
        file_okay=False,
        help="On the disk that is meant; beside the gateway's home if absent.",
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

    A daemon, an emulated terminal and this program, which plays the bot, run in processes of their
    own. Nothing real is traded, and what is made in --dir goes at the end.
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
    from .figures import table

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


def _measured(folder: Path, rounds: int, alone: int, crowded: int, at_once: int) -> dict[str, Any]:
    from gateway.cli.bench.bench_daemon import journal_alone

    from .figures import Path as Measured
    from .figures import added_ms, ratio
    from .scene import scene

    journaled, bare = Measured(), Measured()
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
    from .load import Bot
    from .scene import cpu_s

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
        raise Complaint(f"{place}: {error.strerror}; name a folder with --dir") from error
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
