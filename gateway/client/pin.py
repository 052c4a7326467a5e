"""Pin of a server's key: for a gateway on another machine whose certificate signs itself.

The pin takes the place of authorities and host names: whoever holds the key is the gateway, and
nobody else. It is checked at the end of the TLS handshake, before a byte of the token is sent.

It is the SHA-256 of the public key (SubjectPublicKeyInfo), written as curl's option
``--pinnedpubkey`` takes it. A new certificate for the same key has the same pin.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
import ssl
from typing import Any, Final

PREFIX: Final = "sha256//"
_PIN: Final = re.compile(r"sha256//[A-Za-z0-9+/]{43}=", re.ASCII)


class WrongPin(ssl.SSLCertVerificationError):
    """The server has another key than the one that is pinned."""


def pin_of(certificate: bytes) -> str:
    """Return the pin of the key in a certificate (DER): ``sha256//...``, as curl writes it."""
    # late: a program without a pin need not load it
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_der_x509_certificate(certificate).public_key()
    told = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PREFIX + base64.b64encode(hashlib.sha256(told).digest()).decode()


@functools.lru_cache(maxsize=8)
def pinned_context(pin: str) -> ssl.SSLContext:
    """Return a context whose handshakes fail unless the server has the pinned key.

    Raises:
        ValueError: this is no pin.

    """
    if not _PIN.fullmatch(pin):
        raise ValueError("a pin looks like sha256//...: mt-gateway remote pin prints it")

    def check(certificate: bytes | None) -> None:
        try:
            found = "" if certificate is None else pin_of(certificate)
        except Exception:  # who answers chooses the bytes: OpenSSL takes some that cannot be read
            found = ""
        if not hmac.compare_digest(found, pin):
            raise WrongPin("the server has another key than the one that is pinned")

    class PinnedObject(ssl.SSLObject):
        """TLS of asyncio."""

        def do_handshake(self) -> None:
            super().do_handshake()
            check(self.getpeercert(binary_form=True))

    class PinnedSocket(ssl.SSLSocket):
        """TLS of sockets that block."""

        def do_handshake(self, *args: Any, **options: Any) -> None:
            super().do_handshake(*args, **options)
            check(self.getpeercert(binary_form=True))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # the pin says who it is: neither a name nor an authority has to
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslobject_class = PinnedObject
    context.sslsocket_class = PinnedSocket
    return context
