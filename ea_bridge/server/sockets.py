"""Socket options of each operating system.

An EA can't switch off Nagle's algorithm, so it waits for our ACK before it sends its next short
line; with delayed ACKs that is 40 ms. So we acknowledge at once, each system in its own way.
"""

from __future__ import annotations

import contextlib
import socket
import sys

from ea_bridge.loopback import BACKLOG, bind_loopback

SEND_BUFFER = 64 * 1024
"""Bytes that may lie unread in the kernel; the default of megabytes hides a peer that is stuck."""


def listen(port: int) -> list[socket.socket]:
    """Return listening sockets on 127.0.0.1 and [::1], on the same port; 0 takes a free one.

    Raises:
        OSError: the port is taken, on either address.

    """
    sockets = bind_loopback(port)
    try:
        for listener in sockets:
            listener.listen(BACKLOG)
            listener.setblocking(False)
    except OSError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def tune(connection: socket.socket) -> None:
    """Prepare an accepted connection."""
    # commands are short lines: Nagle would hold each back until the one before is acknowledged
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if sys.platform == "win32":
        _acknowledge_each_segment(connection)


if sys.platform == "linux":

    def set_quickack(connection: socket.socket) -> None:
        """Acknowledge the next segment at once; the kernel forgets it, so after every receive."""
        # the peer may have closed in the meantime, which the transport will find out by itself
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

else:

    def set_quickack(connection: socket.socket) -> None:
        """Do nothing: where it can be had at all, :func:`tune` has set it for good."""


if sys.platform == "win32":
    import ctypes
    import logging

    SIO_TCP_SET_ACK_FREQUENCY = 0x98000017

    def _acknowledge_each_segment(connection: socket.socket) -> None:
        """Call ``WSAIoctl`` itself, as Python's ``ioctl`` knows three codes only."""
        frequency, returned = ctypes.c_int(1), ctypes.c_ulong(0)
        failed = ctypes.windll.ws2_32.WSAIoctl(
            ctypes.c_size_t(connection.fileno()),
            ctypes.c_ulong(SIO_TCP_SET_ACK_FREQUENCY),
            ctypes.byref(frequency),
            ctypes.sizeof(frequency),
            None,
            0,
            ctypes.byref(returned),
            None,
            None,
        )
        if failed:
            logging.getLogger(__name__).info("this Windows does not let us set the ACK frequency")
