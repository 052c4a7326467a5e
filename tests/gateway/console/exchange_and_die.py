"""Exchange the key of a console, and be killed before a row is written."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.config import ConsoleServer, Secrets
from gateway.console.secret_keys import exchange_console_key
from gateway.console.settings import ConsoleSettings


async def main(home: str, url: str, row: str) -> None:
    """Die before row number ``row``, counted from 0."""
    settings = ConsoleSettings(
        console_server=ConsoleServer(database=url), secrets=Secrets(store="file")
    )
    left = int(row)

    def at_row() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    await exchange_console_key(Path(home), settings, at_row=at_row)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
