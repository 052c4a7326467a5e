"""The rules of the link's certificates."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from link_fixtures import House, until
from scripted_console import ScriptedConsole

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


# --- TLS ---------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context with a certificate for a name, and that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, pem


@pytest.mark.parametrize(
    ("name", "is_known", "problem"),
    [
        ("localhost", True, ""),
        ("localhost", False, "certificate"),
        ("other.example", True, "certificate"),
    ],
)
async def test_the_certificate_is_checked(
    tmp_path: Path, name: str, is_known: bool, problem: str
) -> None:
    """Its name, and who vouches for it."""
    server, pem = certificate(tmp_path, name)
    console = ScriptedConsole()
    house = House(tmp_path / "home", console)
    token = console.create()
    tls = ssl.create_default_context(cafile=str(pem)) if is_known else None
    async with console.served(tls=server):
        url = f"https://localhost:{console.port}"
        async with house.running(url, tls=tls) as uplink:  # the port is known now
            if problem:
                await until(lambda: problem in uplink.status().problem)
                assert console.syncs == []
            else:
                await until(lambda: house.reason(token) == "" and uplink.status().connected)
    house.home.close()


async def test_a_console_without_tls_is_told_from_one_with(
    house: House, console: ScriptedConsole
) -> None:
    """Where https is wanted nothing else is spoken."""
    async with house.running(console.url.replace("http", "https")) as uplink:
        await until(lambda: "TLS" in uplink.status().problem)
    assert console.syncs == []
