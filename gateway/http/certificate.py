"""TLS certificates of a server: its context, and a certificate that signs itself."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ea_bridge import host
from gateway.config import ConfigError

CERTIFICATE: Final = "remote-certificate.pem"
KEY: Final = "remote-key.pem"
COMMON_NAME: Final = "mt-gateway"
LIFETIME: Final = datetime.timedelta(days=3650)
RENEW_BEFORE: Final = datetime.timedelta(days=60)
SLACK: Final = datetime.timedelta(days=1)
"""Clocks of other machines may go wrong by that."""
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of 1.3 are all good."""


class CertificateError(ConfigError):
    """The certificate or its key cannot be used; the message names the file and the way out."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a listener needs; TLS 1.2 is the oldest that it speaks.

    Raises:
        CertificateError: the files cannot be used.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    for file in (certificate, key):
        if not os.access(file, os.R_OK):
            raise CertificateError(f"{file}: cannot be read; see [api.remote] in config.toml")
    if os.name == "posix" and key.stat().st_mode & 0o077:
        raise CertificateError(f"{key}: others can read it; run: chmod 600 {key}")
    try:
        # a password would be asked for on the terminal, and a service has none
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError, OSError):
        raise CertificateError(
            f"{certificate} and {key}: are no certificate and its key in PEM, without a password"
        ) from None
    return context


def _no_password() -> bytes:
    raise ValueError("the key has a password")


def own_certificate(folder: Path, names: Collection[str]) -> tuple[Path, Path]:
    """Return certificate and key of a home; the key is made once.

    The certificate is made again where it names others than those asked for, or ends soon. One
    process at a time may call this: the one that holds the home.

    Args:
        folder: the home.
        names: host names and addresses that clients use.

    Raises:
        CertificateError: a file that is there cannot be read.
        OSError: one cannot be written.

    """
    certificate, key_file = folder / CERTIFICATE, folder / KEY
    if not key_file.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        _write(
            key_file,
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{key_file}: is no key of ours; move it away, and pin the new one")
    if not _holds(certificate, key, names):
        _write(certificate, _signed(key, names).public_bytes(serialization.Encoding.PEM))
    return certificate, key_file


def _holds(certificate: Path, key: ec.EllipticCurvePrivateKey, names: Collection[str]) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    now = _now()
    return (
        found.public_key() == key.public_key()
        and list(said) == list(_alternatives(names))
        and found.not_valid_after_utc - now > RENEW_BEFORE
    )


def _signed(key: ec.EllipticCurvePrivateKey, names: Collection[str]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        # a client that trusts it must not trust others in its name
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _now() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(host.wall_ms() / 1000, datetime.UTC)


def _alternatives(names: Collection[str]) -> Iterator[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            yield x509.DNSName(name)


def _write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read; whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    host.replace_file(fresh, path)
