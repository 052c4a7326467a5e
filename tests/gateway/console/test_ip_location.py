"""Where an address is, in words."""

from __future__ import annotations

import pytest

from gateway.console.activity import place_of


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "this computer"),
        ("127.8.9.1", "this computer"),
        ("::1", "this computer"),
        ("::ffff:127.0.0.1", "this computer"),
        ("192.168.1.7", "a private network (192.168.1.7)"),
        ("10.0.0.1", "a private network (10.0.0.1)"),
        ("172.31.255.255", "a private network (172.31.255.255)"),
        ("172.32.0.0", "address 172.32.0.0"),
        ("100.64.0.1", "a private network (100.64.0.1)"),
        ("fe80::1%eth0", "a private network (fe80::1)"),
        ("fd00::1", "a private network (fd00::1)"),
        ("203.0.113.7", "address 203.0.113.7"),
        ("::ffff:203.0.113.7", "address 203.0.113.7"),
        ("2001:db8::1", "address 2001:db8::1"),
        ("", "an unknown place"),
        ("unix:", "an unknown place"),
        ("<script>", "an unknown place"),
    ],
)
def test_places(address: str, place: str):
    """Said as far as the address itself says it."""
    assert place_of(address) == place
