"""A terminal that comes back logged in to another account."""

from __future__ import annotations

from pathlib import Path

from product import daemon, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.host import boot_ms


async def test_the_clock_of_the_broker_before_is_forgotten(tmp_path: Path) -> None:
    """What it showed is wrong for the other one: in this case by years."""
    async with daemon(tmp_path) as running:
        first = await running.link("main", build_terminal(seed=1))
        clock = running.gateway.trading.clocks.of("main")
        await until(lambda: clock.shown_ms(boot_ms()) is not None)
        await running.unplug()
        clock.see(1_000_000_000, boot_ms())
        beats, seen_ms = running.gateway.registry, list[int | None]()
        beats.subscribe(lambda _: seen_ms.append(clock.shown_ms(boot_ms())))
        await running.link("main", build_terminal(seed=2), token=first.token)
        assert seen_ms[0] is None
