"""The daemon, as its command runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from gateway.auth.home import Home
from gateway.config import Config, find, load
from gateway.options import Announce, Ready, ServeOptions

from .daemon import Gateway
from .emulator import settle


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

    def tell(ready: Ready) -> None:
        announce(replace(ready, config=None if file is None else str(file)))

    return _serve(Home(options.home, config.secrets), config, tell)


async def _serve(opened: Home, config: Config, announce: Announce) -> None:
    with opened as home:
        async with Gateway(home, config).run() as ready:
            settle()
            announce(ready)
            await asyncio.Future()
