"""The emulated terminal, as its command and the demo run it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from ea_bridge.emulator.conditions import TerminalFiles
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.endpoint.link import PeerLink
from ea_bridge.endpoint.results import FolderLock, FolderLocked
from ea_bridge.protocol.messages import Pending
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.simulation.market import parse_ticks_option
from ea_bridge.token import parse_token
from gateway.options import Announce, EmulatorOptions, Ready
from gateway.storage.store import StoreError


async def run_emulator(
    options: EmulatorOptions, announce: Announce, on_pending: Callable[[Pending], None]
) -> None:
    """Run an emulated terminal until cancelled; it dials until the daemon lets it in.

    Args:
        options: what it is.
        announce: called once it is linked.
        on_pending: called when this machine waits for approval.

    Raises:
        TickFileError: a file of ticks is malformed.
        UnknownFault: there is no fault of a name.
        BooksUnreadable: the account that was kept is damaged.
        StoreError: another one has the folder.
        OSError: the folder, or a file in it, cannot be used.
        LinkRefused: the daemon does not take the token.
        MalformedToken: the token was mistyped.

    """
    tid = parse_token(options.auth_token)
    with terminal_in(options) as machine:
        link = EmulatedLink(
            machine,
            options.bridge_host,
            options.bridge_port,
            options.auth_token,
            seed=options.seed,
            on_pending=on_pending,
        )
        async with linked(link) as running:
            freeze_gc()
            announce(Ready(bridge=f"{options.bridge_host}:{options.bridge_port}", terminal=tid))
            await running


@contextmanager
def terminal_in(options: EmulatorOptions) -> Iterator[EmulatedTerminal]:
    """Build the terminal; its folder is nobody else's while the context lasts."""
    with ExitStack() as stack:
        kept = None
        if options.folder is not None:
            kept = kept_in(options.folder, options.platform, options.seed)
            try:
                stack.callback(FolderLock(options.folder).release)
            except FolderLocked as error:
                raise StoreError(str(error)) from error
        yield build_terminal(
            platform=options.platform,
            speed=options.speed,
            seed=options.seed,
            sessions=options.sessions,
            faults=faults_of(options.latency_ms, options.faults),
            tick_files=[parse_ticks_option(text) for text in options.ticks],
            conditions=options.conditions,
            kept=kept,
        )


def faults_of(latency_ms: int, words: Iterable[str] = ()) -> EmulatedFaults:
    """Return what goes wrong; an order that takes long has to wait for its turn.

    Raises:
        UnknownFault: there is no fault of a name.

    """
    faults = EmulatedFaults.parse(words)
    faults.stall_ms = faults.stall_ms or latency_ms
    return faults


def kept_in(folder: Path, platform: str, seed: int) -> TerminalFiles:
    """Return where a terminal keeps what is of it alone; makes the folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return TerminalFiles(folder=folder, name=f"{platform}-{seed}")


@asynccontextmanager
async def linked(link: EmulatedLink | PeerLink[Any]) -> AsyncIterator[asyncio.Task[None]]:
    """Keep a terminal, or a manager's peer, linked while the context lasts; entered once it is.

    Yields:
        What ends when it gives up.

    """
    running = asyncio.create_task(link.run())
    ready = asyncio.create_task(link.ready.wait())
    try:
        await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield running
    finally:
        ready.cancel()
        link.stop()
        running.cancel()
        await asyncio.wait((running, ready))


def freeze_gc() -> None:
    """Let the garbage collector never look again at what stands now."""
    gc.collect()
    gc.freeze()
