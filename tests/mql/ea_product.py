"""The whole product with a compiled EA instead of an emulated terminal.

Tests of ``tests/end_to_end`` that know no more than a :class:`Product` run with either: together
they are the suite that both terminals have to pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from linked_ea import Compile
from product import TIMEOUT_S, Product, Running, daemon
from simulated_terminal import Json, SimulatedTerminal, terminal_config
from wire import TradeFaults, Wire

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.simulation.faults import EmulatedFaults

TickFiles = Sequence[tuple[str, Path]]
"""Of symbols."""


class WireLink:
    """What a test does to a link, done to the wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def cut(self) -> None:
        """Break the link as a crash does; it comes back by itself."""
        self._wire.cut()


class Refusals:
    """What the simulated broker answers to the next requests instead of executing them."""

    def __init__(self, terminal: SimulatedTerminal) -> None:
        self._terminal = terminal
        self._planned = 0
        self._start = len(terminal.said)

    def append(self, retcode: int) -> None:
        """Plan one more."""
        self._planned += 1
        self._terminal.tell(do="script", refusals=[int(retcode)])

    def clear(self) -> None:
        """Plan none."""
        self._terminal.tell(do="script", clear=True)

    def __len__(self) -> int:
        told = self._terminal.said[self._start :]
        return self._planned - sum(line["t"] == "refused" for line in told)


class Switches:
    """The simulated terminal's switches, by the names that the emulated broker has for them."""

    _terminal: SimulatedTerminal

    def __init__(self, terminal: SimulatedTerminal) -> None:
        object.__setattr__(self, "_terminal", terminal)

    def __setattr__(self, name: str, value: bool) -> None:
        switch = {"server_autotrading": "trade_expert"}.get(name, name)
        self._terminal.tell(do="switches", set={switch: value})


@dataclass
class Script:
    """What an :class:`~ea_bridge.simulation.broker.Script` has of it."""

    refusals: Refusals


class BrokerSwitches:
    """What tests do to an emulated broker, done to the simulated one."""

    def __init__(self, terminal: SimulatedTerminal) -> None:
        self.switches = Switches(terminal)
        self.script = Script(Refusals(terminal))


@dataclass
class EaRunning(Running):
    """A terminal with an EA: ``machine`` is where its prices come from, and nothing else."""

    terminal: SimulatedTerminal
    wire: Wire


def running_ea(product: Product) -> EaRunning:
    """Return the first terminal, which has an EA."""
    main = product.main
    assert isinstance(main, EaRunning)
    return main


async def link_ea(
    stack: AsyncExitStack,
    product: Product,
    name: str,
    machine: EmulatedTerminal,
    program: Path,
    folder: Path,
    *,
    token: str = "",
    quirks: Mapping[str, float] | None = None,
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    faults: EmulatedFaults | None = None,
) -> EaRunning:
    """Start a simulated terminal with an EA, and wait until the daemon calls it ready."""
    token = token or product.home.issuer.create(name)[0]
    port = int(product.ready.bridge.rpartition(":")[2])
    wire = await stack.enter_async_context(Wire(port))
    wire.faults = None if faults is None else TradeFaults(faults)
    settings: Json = {**terminal_config(machine, folder), **(config or {})}
    settings["quirks"] |= dict(quirks or {})
    said = {"auth_token": token, "daemon_port": wire.port, **(inputs or {})}
    terminal = SimulatedTerminal(program, folder, settings, said)
    stack.push_async_callback(terminal.stop)
    await terminal.start()
    terminal.pump(machine)
    await asyncio.wait_for(product.live(name), TIMEOUT_S)
    link: Any = WireLink(wire)
    linked = EaRunning(name, token, machine, link, terminal, wire)
    product.terminals[name] = linked
    return linked


@asynccontextmanager
async def ea_product(
    folder: Path,
    program: Path,
    *,
    quirks: Mapping[str, float] | None = None,
    faults: EmulatedFaults | None = None,
    **terminal: Any,
) -> AsyncIterator[Product]:
    """Run a daemon and one terminal with an EA, ``main``.

    Args:
        folder: for the homes of both.
        program: the compiled EA.
        quirks: of the simulated terminal.
        faults: of the wire.
        terminal: options of :func:`build_terminal`, for market and account.

    """
    async with daemon(folder / "home") as running, AsyncExitStack() as stack:
        machine = build_terminal(**terminal)
        home = folder / "terminal"
        await link_ea(stack, running, "main", machine, program, home, quirks=quirks, faults=faults)
        yield running
        running.terminals.clear()


def shared_ea(
    name: str,
    platform: str = "mt5",
    *,
    ticks: Callable[[Path], TickFiles] = lambda folder: (),
    **terminal: Any,
) -> Any:
    """Return a fixture: an :func:`ea_product` that all tests of a module share.

    Args:
        name: of its folder.
        platform: ``mt5`` or ``mt4``.
        ticks: makes the files of ticks to replay, in that folder.
        terminal: other options of :func:`build_terminal`, for market and account.

    """

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def running(
        tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
    ) -> AsyncIterator[Product]:
        folder = tmp_path_factory.mktemp(name)
        options = {"platform": platform, "tick_files": ticks(folder), **terminal}
        async with ea_product(folder, compile_ea(platform), **options) as one:
            yield one

    return running
