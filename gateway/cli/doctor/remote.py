"""The door for other machines: where it listens, for whom, and with which key."""

from __future__ import annotations

import datetime
import errno
import ipaddress
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ea_bridge.sockets import bind_address
from gateway.cli.doctor.finding import Finding, ok, problem, warning
from gateway.client.pin import pin_of
from gateway.config import RemoteApi
from gateway.rpc.remote import names_of
from gateway.rpc.remote_listening import certificate_file

SOON = datetime.timedelta(days=14)
"""A certificate that ends within that should be renewed."""
NAME = "remote"


def examine(settings: RemoteApi, home: Path, *, runs: bool) -> Finding:
    """See what ``[api.remote]`` opens.

    Args:
        settings: of that section.
        home: of the gateway.
        runs: the gateway runs, and holds the port.

    """
    if not settings.listen:
        return ok(NAME, "off: API and bridge listen on 127.0.0.1 and ::1 only")
    if not runs and (complaint := _unbindable(settings)) is not None:
        return complaint
    place = f"https://{names_of(settings)[0]}:{settings.port}, for {', '.join(settings.allow)}"
    file = certificate_file(settings, home)
    if not settings.certificate and not file.exists():
        return ok(NAME, f"{place}; the first start makes its certificate")
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return problem(NAME, f"{file} is no certificate in PEM", "see [api.remote] certificate")
    left = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    if left < SOON:
        renew = "renew it, and restart the gateway" if settings.certificate else "restart it"
        return warning(NAME, f"the certificate {file} ends in {max(left.days, 0)} days", renew)
    return ok(NAME, f"{place}; pin {pin_of(found.public_bytes(Encoding.DER))}")


def _unbindable(settings: RemoteApi) -> Finding | None:
    v4 = ipaddress.ip_address(settings.listen).version == 4  # IPv4
    family = socket.AF_INET if v4 else socket.AF_INET6
    try:
        bind_address(family, settings.listen, settings.port).close()
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            none = f"{settings.listen} is no address of this machine"
            return problem(NAME, none, "correct [api.remote] listen, or wait for the network")
        taken = f"port {settings.port} cannot be had on {settings.listen}"
        return problem(NAME, taken, "end the program that has it, or set [api.remote] port")
    return None
