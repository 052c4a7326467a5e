"""Location of an IP address, in words. Nobody is asked: no lookup leaves this machine."""

from __future__ import annotations

import ipaddress


def place_of(address: str) -> str:
    """Return ``this computer``, ``a private network (192.168.1.7)`` or ``address 203.0.113.7``.

    What an address alone does not say is not guessed: a city from a table would be wrong for
    just those whom it should warn.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "an unknown place"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return "this computer"
    if _is_private(ip):
        return f"a private network ({ip})"
    return f"address {ip}"


_PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",  # carriers' and overlay networks
        "fc00::/7",
        "fe80::/10",
    )
)


def _is_private(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(ip in net for net in _PRIVATE)
