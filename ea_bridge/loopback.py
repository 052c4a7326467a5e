"""Sockets to listen with: both loopback addresses, on one port."""

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
