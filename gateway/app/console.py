"""The console, as its command runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gateway.config import load_for
from gateway.console import server
from gateway.console.database import DatabaseError
from gateway.console.settings import ConsoleSettings
from gateway.options import ConsoleOptions, ConsoleReady
from gateway.storage.store import StoreError


async def run_console(options: ConsoleOptions, announce: Callable[[ConsoleReady], None]) -> None:
    """Run the console until cancelled.

    Raises:
        ConfigError, SecretsError, StoreError: the message says what to do.
        OSError: the port is taken.

    """
    config = load_for(options.home, options.config)
    settings = ConsoleSettings.of(config)
    if options.port is not None:
        pages = settings.console_server.model_copy(update={"port": options.port})
        settings = replace(settings, console_server=pages)
    try:
        await server.run_console(options.home, settings, announce)
    except DatabaseError as error:
        raise StoreError(str(error)) from error
