"""Both loopback addresses on one port, or none."""

from __future__ import annotations

import errno
import socket

import pytest

from ea_bridge import sockets
from ea_bridge.sockets import FREE_PORT_TRIES, bind_loopback


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_port_taken_on_either_address_is_refused(family: socket.AddressFamily, host: str):
    """Another program on the second address would get the tokens of whoever calls localhost."""
    with socket.socket(family) as squatter:
        squatter.bind((host, 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(OSError, match=f"Errno {errno.EADDRINUSE}.* 'port {port}'"):
            bind_loopback(port)


@needs_ipv6
def test_nothing_stays_bound_when_the_second_address_is_taken(monkeypatch: pytest.MonkeyPatch):
    """The socket of the first is closed."""
    real, bound = sockets.bind_address, []

    def second_is_taken(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRINUSE, "taken")
        bound.append(real(family, host, port))
        return bound[-1]

    monkeypatch.setattr(sockets, "bind_address", second_is_taken)
    with pytest.raises(OSError, match="no port is free"):
        bind_loopback(0)
    assert len(bound) == FREE_PORT_TRIES
    assert {sock.fileno() for sock in bound} == {-1}


def test_without_ipv6_one_address_is_enough(monkeypatch: pytest.MonkeyPatch):
    """A machine that lacks the family goes on with IPv4."""
    real = socket.socket

    def lacking(family: int = -1, *args: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return real(family, *args)

    monkeypatch.setattr(socket, "socket", lacking)
    (only,) = bind_loopback(0)
    assert only.getsockname()[0] == "127.0.0.1"
    only.close()
