"""One run of simulated days, from its seed to what there is to say of it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import product_patches as hand_in
from .async_sqlite import on_the_loop
from .audit_trail import AuditTrail
from .calendar import DAY_S
from .growth import Growth
from .incidents import Incidents
from .intervals import Intervals, drawn_keys
from .world import DaysWorld, Options

MEMORY = Path("/dev/shm")  # noqa: S108  # only a folder of our own in it, by mkdtemp
LOOK_S = 6 * 3600
"""Between two looks of the operator, who archives what is older than two of them."""
QUIET_LOOK_S = 600
"""Between two looks at whether anybody trades now."""


@dataclass
class Run:
    """A run, and all that looks on.

    Attributes:
        options: what it is made from.
        world: in which it happens.

    """

    options: Options
    world: DaysWorld
    incidents: Incidents
    audit_trail: AuditTrail
    growth: Growth
    intervals: Intervals = field(default_factory=Intervals)
    begun_cpu_s: float = field(default_factory=time.process_time)

    async def live(self) -> None:
        """Let the days pass, and look at everything at the end."""
        world = self.world
        await world.settle_in()
        world.rights.calm()
        living = [world.loop.create_task(bot.trade()) for bot in world.bots.values()]
        living += [world.loop.create_task(one) for one in (self.incidents.go_on(), self._rest())]
        begun_s, lasts_s = world.true_s(), self.options.days * DAY_S
        every_s = min(LOOK_S, lasts_s / 8)
        while world.true_s() - begun_s < lasts_s and not any(one.done() for one in living):
            await asyncio.wait(living, timeout=every_s, return_when=asyncio.FIRST_COMPLETED)
            self.audit_trail.archive(2 * every_s)
            self._look()
        for task in living:
            task.cancel()
            await asyncio.wait((task,))
            if not task.cancelled() and (error := task.exception()) is not None:
                world.accuse(f"a task has failed: {error!r}")
        self._look()
        executed = {id_ for bot in world.bots.values() for id_ in bot.executed}
        if left := self.audit_trail.find(executed):
            world.accuse(f"executed, and neither in the trail nor in its archive: {sorted(left)}")
        self.growth.judge()

    def _look(self) -> None:
        self.audit_trail.look()
        self.growth.look()
        self.world.look_at_records()

    async def _rest(self) -> None:
        """Let the product look more rarely while nobody trades."""
        while True:
            self.intervals.be_quiet(self.world.days.is_quiet())
            await asyncio.sleep(QUIET_LOOK_S)

    def report(self) -> dict[str, Any]:
        """Return what there is to say of it."""
        world, bots = self.world, self.world.bots.values()
        return {
            "seed": self.options.seed,
            "days": round((world.true_s() - world.rights.begun_s) / DAY_S, 3),
            "steps": world.loop.steps,
            "trace": world.trace.close(),
            "cpu_s": round(time.process_time() - self.begun_cpu_s, 1),
            "calls": sum(bot.calls for bot in bots),
            "trades": sum(bot.trades for bot in bots),
            "served": world.rights.served,
            "refused": world.rights.refused,
            "tokens": len(world.rights.tokens),
            "reached": dict(sorted(self.reached().items())),
            "incidents": dict(sorted(self.incidents.counts.items())),
            "growth": self.growth.looks[:1] + self.growth.looks[-1:],
            "faults": world.faults,
        }

    def reached(self) -> Counter[str]:
        """Return what of the rules of days was looked at, and how often: none says nothing."""
        world, bots = self.world, self.world.bots.values()
        found: Counter[str] = Counter(
            {
                "machines approved": sum(bot.approvals for bot in bots),
                "leases renewed": world.rights.renewed,
                "trail archived": len(self.audit_trail.files),
                "trail verified": self.audit_trail.verified,
                "checkpoints": self.audit_trail.checkpoints,
                "records of old keys verified": world.signed_records.verified,
                "records of removed keys refused": world.signed_records.refused,
                "refused as the market is closed": sum(bot.closed_market for bot in bots),
                "weekends passed": int(world.true_s() > world.days.weekend[1]),
                "broker's clocks changed": int(world.days.has_changed(world.rights.begun_s)),
            }
        )
        for bot in bots:
            found.update({f"{rule} refused": n for rule, n in bot.limits.refused.items()})
            found.update({f"{rule} renewed": n for rule, n in bot.limits.renewed.items()})
        found.update({f"refused as {reason}": n for reason, n in world.rights.reasons.items()})
        return found


def run_here(options: Options) -> dict[str, Any]:
    """Make a run in this process; return what there is to say of it."""
    folder = Path(tempfile.mkdtemp(prefix="days-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        world = DaysWorld(options, folder)
        asyncio.set_event_loop(world.loop)
        run = Run(options, world, Incidents(world), AuditTrail(world), Growth(world))
        hand_in.date_answers()
        with ExitStack() as stack:
            for one in (
                world.disk,
                run.intervals,
                drawn_keys(),
                on_the_loop(world.loop, world.dice("console threads")),
                world.rights.watching(),
            ):
                stack.enter_context(one)
            living = world.loop.create_task(run.live(), context=world.context("people"))
            world.loop.run_until_complete(living)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return run.report()
