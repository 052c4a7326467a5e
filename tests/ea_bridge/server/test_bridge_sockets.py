"""What the operating system is told about our sockets."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys

import pytest

from ea_bridge import sockets


@pytest.fixture
def closing():
    with contextlib.ExitStack() as stack:
        yield lambda opened: [stack.enter_context(each) for each in opened]


def test_both_families_share_a_free_port(closing):
    """127.0.0.1 and [::1]; no address that others could reach."""
    names = [each.getsockname()[:2] for each in closing(sockets.listen(0))]
    assert [host for host, _ in names] == ["127.0.0.1", "::1"]
    assert len({port for _, port in names}) == 1


def test_a_taken_port_is_an_error(closing):
    """When it was asked for by number."""
    taken = closing(sockets.listen(0))[0].getsockname()[1]
    with pytest.raises(OSError, match=f"port {taken}") as refused:
        sockets.listen(taken)
    assert refused.value.errno == errno.EADDRINUSE


def test_connections_are_tuned_for_short_lines(closing):
    """Nothing is held back, and little can pile up unread in the kernel."""
    ours, theirs = socket.socketpair() if sys.platform == "win32" else _tcp_pair(closing)
    sockets.tune(ours)
    sockets.set_quickack(ours)
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    # Linux doubles the size to count its own bookkeeping
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * sockets.SEND_BUFFER
    theirs.close()
    ours.close()
    sockets.set_quickack(ours)


def _tcp_pair(closing) -> tuple[socket.socket, socket.socket]:
    listener = closing(sockets.listen(0))[0]
    listener.setblocking(True)
    theirs = closing([socket.create_connection(listener.getsockname())])[0]
    return closing([listener.accept()[0]])[0], theirs
