"""Daemon of the command ``serve``."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from gateway import systemd
from gateway.app import freeze_gc
from gateway.background import background
from gateway.config import Config, find, load, zeros
from gateway.home.home import Home
from gateway.home.terminals_file import telling_of_terminals
from gateway.options import Announce, Ready, ServeOptions
from gateway.storage.reserve import Reserve, keep_up
from gateway.storage.store import DiskFull

from .daemon import Gateway

logger = logging.getLogger(__name__)


def run_serve(options: ServeOptions, announce: Announce) -> Coroutine[Any, Any, None]:
    """Open the home, and return what runs the daemon until cancelled.

    The home is opened by the call itself, before a loop runs: a person may be asked for a
    passphrase, and the keyring may have to be waited for.

    Raises:
        ConfigError, StoreError, SecretsError: the message says what to do.
        OSError: a port is taken; raised by what is returned.

    """
    file = find(options.home, options.config)
    config = Config() if file is None else load(file)

    for line in zeros(config):
        logger.warning("%s", line)

    def tell(ready: Ready) -> None:
        announce(replace(ready, config=None if file is None else str(file)))

    reserve = Reserve(options.home)
    try:
        home = Home(options.home, config.secrets)
    except DiskFull:
        # with what was given up there may be room enough to close positions
        home = Home(options.home, config.secrets)
    return _serve(home, config, reserve, tell)


async def _serve(opened: Home, config: Config, reserve: Reserve, announce: Announce) -> None:
    with opened as home:
        async with background(keep_up(reserve)):
            gateway = Gateway(home, config, reserve=reserve)
            with telling_of_terminals(gateway.registry, home.folder):
                async with gateway.run() as ready:
                    freeze_gc()
                    announce(ready)
                    async with systemd.told(f"serves {ready.rpc} and {ready.bridge}"):
                        await gateway.until_drained()
                        # the same bounded end that Ctrl+C has
                        signal.raise_signal(signal.SIGTERM)
                        await asyncio.Future()
