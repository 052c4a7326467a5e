"""The emulated MT4 server, as its command runs it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from ea_bridge import host
from ea_bridge.endpoint.results import FolderLock, FolderLocked
from ea_bridge.mt4_manager.emulator import EmulatedManager, ManagerLink, Population, build_manager
from ea_bridge.protocol.messages import Pending
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.token import parse_token
from gateway.options import Announce, ManagerEmulatorOptions, Mt4Ready, Ready
from gateway.storage.store import StoreError

from .emulator import freeze_gc, linked

BOOKS, RESULTS, DEVICE = "books.sqlite", "results", "device"
"""Files of its folder."""


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
    with _server(options, password) as server:
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
def _server(options: ManagerEmulatorOptions, password: str) -> Iterator[EmulatedManager]:
    """Build the server; its files are nobody else's while the context lasts."""
    faults = EmulatedFaults.parse(options.faults)
    with ExitStack() as stack:
        if (folder := options.folder) is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
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
