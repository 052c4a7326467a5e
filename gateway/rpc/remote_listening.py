"""Listening for other machines, as ``[api.remote]`` configures it: socket, certificate and pin."""

from __future__ import annotations

import errno
import ipaddress
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ea_bridge.sockets import bind_address
from gateway.client.pin import pin_of
from gateway.config import ConfigError, RemoteApi
from gateway.http.certificate import (
    CERTIFICATE,
    CertificateError,
    own_certificate,
    server_context,
)
from gateway.rpc.remote import RemoteListening, names_of


def listen_remote(settings: RemoteApi, home: Path) -> RemoteListening | None:
    """Bind the address of ``[api.remote]``; ``None`` where nothing is configured.

    Args:
        settings: of the section.
        home: the folder of the gateway that is about to run; files may be relative to it.

    Raises:
        ConfigError: certificate or key cannot be used, the port is taken, or the address is none
            of this machine; the message says what to do.

    """
    if not settings.listen:
        return None
    address = ipaddress.ip_address(settings.listen)
    if settings.certificate:
        certificate, key = home / settings.certificate, home / settings.key_file
    else:
        names = [name.strip("[]") for name in names_of(settings)]
        certificate, key = own_certificate(home, names)
    context, pin = server_context(certificate, key), read_pin(certificate)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # IPv4
    try:
        sock = bind_address(family, settings.listen, settings.port)
    except OSError as error:
        raise _unbindable(settings, error) from error
    return RemoteListening(settings, sock, context, pin)


def _unbindable(settings: RemoteApi, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(
            f"[api.remote] listen: {settings.listen} is no address of this machine: correct it, "
            "or start the gateway again once the network is there"
        )
    return ConfigError(
        f"[api.remote] port: {settings.port} cannot be had on {settings.listen}: end the program "
        "that has it, or set another port (0: a free one)"
    )


def read_pin(certificate: Path) -> str:
    """Return the pin of a certificate's key.

    Raises:
        CertificateError: the file holds none.

    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        raise CertificateError(f"{certificate}: there is no certificate in PEM") from None
    return pin_of(found.public_bytes(Encoding.DER))


def certificate_file(settings: RemoteApi, home: Path) -> Path:
    """Return where the certificate of a home lies, or will lie."""
    return home / (settings.certificate or CERTIFICATE)
