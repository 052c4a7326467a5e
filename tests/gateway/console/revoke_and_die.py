"""Revoke what the arguments name, and be killed the moment the console has done so."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from console_fixtures import CHEAP, Clock

from gateway.config import ConsoleServer, Secrets
from gateway.console.service import open_console
from gateway.console.settings import ConsoleSettings


async def main(home: str, url: str, what: str, user_id: str, which: str) -> None:
    """Open the console of a home, revoke, die."""
    settings = ConsoleSettings(
        console_server=ConsoleServer(database=url), secrets=Secrets(store="file")
    )
    async with open_console(Path(home), settings, Clock(), costs=CHEAP) as console:
        match what:
            case "token":
                await console.tokens.revoke(user_id, which)
            case "device":
                await console.devices.revoke(user_id, which)
            case "user":
                await console.users.disable(user_id)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
