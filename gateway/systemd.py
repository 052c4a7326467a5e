"""Messages to systemd, where it runs the gateway as a unit of ``Type=notify``; else nothing.

They are lines of text in a datagram to the socket that ``NOTIFY_SOCKET`` names, see sd_notify(3).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.background import background

logger = logging.getLogger(__name__)


def notify(message: str) -> None:
    """Tell systemd something, such as ``READY=1``; never raises and never waits."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):  # an abstract name: it lies in no file system
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), address)
    except OSError as error:
        logger.warning("systemd was not told %s: %s", message.partition("\n")[0], error)


def watchdog_s() -> float | None:
    """Return how often systemd wants to hear of this process: half of what it waits for.

    ``None`` where it does not wait, or for another process.
    """
    wanted, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or not int(wanted) or pid not in ("", str(os.getpid())):
        return None
    return int(wanted) / 2_000_000


@asynccontextmanager
async def told(status: str) -> AsyncIterator[None]:
    """Tell systemd that the gateway is ready, that its loop turns, and at the end that it stops.

    Args:
        status: for ``systemctl status``; one line.

    """
    notify(f"READY=1\nSTATUS={status}")
    try:
        async with background(_pat(watchdog_s())):
            yield
    finally:
        notify("STOPPING=1")


async def _pat(every_s: float | None) -> None:
    # from the loop and not from a thread: a loop that hangs trades nothing, and has to be ended
    while every_s is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(every_s)
