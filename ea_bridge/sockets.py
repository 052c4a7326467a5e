"""Sockets of the daemon: both loopback addresses on one port, options of each operating system.

An EA can't switch off Nagle's algorithm, so it waits for our ACK before it sends its next short
line; with delayed ACKs that is 40 ms. So we acknowledge at once, each system in its own way.
"""

from __future__ import annotations

import errno
import socket
import sys

from ea_bridge.host import new_socket

BACKLOG = 128
"""Connections that wait to be accepted, and that asyncio accepts in one turn of its loop, before
ours are counted. With 1024 a flood took every file descriptor of a program that may open 1024
(asyncio then logs each failed accept), and whoever is no part of the flood waited longer, too."""
FREE_PORT_TRIES = 16
_NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}


def bind_loopback(port: int) -> list[socket.socket]:
    """Bind ``127.0.0.1`` and ``[::1]``; not yet listening.

    Both or neither: another program on the second address would get the tokens of clients that
    connect to ``localhost``. A machine without IPv6 has one address.

    Args:
        port: 0 takes one that is free on both.

    Raises:
        OSError: the port is taken, on either address; ``filename`` names the port.

    """
    for _ in range(FREE_PORT_TRIES):
        first = bind_address(socket.AF_INET, "127.0.0.1", port)
        try:
            second = bind_address(socket.AF_INET6, "::1", first.getsockname()[1])
        except OSError as exc:
            if exc.errno in _NO_SUCH_FAMILY:
                return [first]
            first.close()
            if port or exc.errno != errno.EADDRINUSE:
                raise
        else:
            return [first, second]
    raise OSError(errno.EADDRINUSE, "no port is free on both loopback addresses")


def bind_address(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """Bind one address, so that no other program can share it.

    Raises:
        OSError: it is taken, or the machine lacks it; ``filename`` names the port.

    """
    sock = new_socket(family)
    try:
        if sys.platform == "win32":
            # there SO_REUSEADDR would let another program take over a port in use
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # here it only means that a daemon that has just ended does not keep the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, f"port {port}") from error
    return sock


# --- connections of terminals -----------------------------------------------------------------

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
        try:  # noqa: SIM105 - after each read of each link
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except OSError:
            pass  # the peer has closed meanwhile, which the transport will find out by itself

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
