"""The emulated terminal and the emulated MT4 server, as their commands and the demo run them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ea_bridge import host
from ea_bridge.emulator.conditions import TerminalFiles
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.endpoint.link import linked
from ea_bridge.endpoint.results import FolderLock, FolderLocked
from ea_bridge.mt4_manager.emulator import EmulatedManager, ManagerLink, Population, build_manager
from ea_bridge.protocol.messages import Pending
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.simulation.market import parse_ticks_option
from ea_bridge.token import parse_token
from gateway.app import freeze_gc
from gateway.options import Announce, EmulatorOptions, ManagerEmulatorOptions, Mt4Ready, Ready
from gateway.storage.store import StoreError

BOOKS, RESULTS, DEVICE = "books.sqlite", "results", "device"
"""Files of its folder."""


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


async def run_manager_emulator(
    options: ManagerEmulatorOptions, announce: Announce, on_pending: Callable[[Pending], None]
) -> None:
    """Run an emulated MT4 server until cancelled; its peer dials until the daemon lets it in.

    Args:
        options: what it is.
        announce: called once it is linked.
        on_pending: called when this machine waits for approval.

    Raises:
        UnknownFault: there is no fault of a name.
        LinkRefused: the daemon does not take the token.
        MalformedToken: the token was mistyped.
        StoreError: another one has the folder, or its books cannot be read.
        OSError: the folder cannot be used.

    """
    tid = parse_token(options.auth_token)
    password = options.password or host.token_urlsafe(12)
    bridge = f"{options.bridge_host}:{options.bridge_port}"
    with _manager_in(options, password) as server:
        link = ManagerLink(
            server,
            options.bridge_host,
            options.bridge_port,
            options.auth_token,
            seed=options.seed,
            on_pending=on_pending,
        )
        async with linked(link) as running:
            freeze_gc()
            mt4 = Mt4Ready(server=server.server, login=server.login, password=password)
            announce(Ready(bridge=bridge, terminal=tid, mt4=mt4))
            await running


@contextmanager
def _manager_in(options: ManagerEmulatorOptions, password: str) -> Iterator[EmulatedManager]:
    """Build the server; its files are nobody else's while the context lasts."""
    faults = EmulatedFaults.parse(options.faults)
    with ExitStack() as stack:
        if (folder := options.folder) is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                # before the books are opened: two would overwrite each other's
                stack.callback(FolderLock(folder).release)
            except FolderLocked as error:
                raise StoreError(str(error)) from error
        try:
            server = build_manager(
                password=password,
                population=Population(users=options.users),
                seed=options.seed,
                faults=faults,
                books_file=folder and folder / BOOKS,
                results_file=folder and folder / RESULTS,
                device_file=folder and folder / DEVICE,
            )
        except sqlite3.Error as error:
            raise StoreError(f"the books in {folder} cannot be read: {error}") from error
        stack.callback(server.close)
        yield server


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
