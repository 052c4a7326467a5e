"""The door for other machines: who gets in by ``[api.remote]``, and who does not."""

from __future__ import annotations

import asyncio
import base64
import getpass
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
import websockets
from commands import create_token, run, running
from external_programs import needed
from product import TIMEOUT_S, Product, Refused, daemon, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.sockets import bind_address
from ea_bridge.token import parse_token
from gateway.auth.tickets import SUBPROTOCOL as TICKET
from gateway.client import ConnectionLost, GatewayClient, Unreachable
from gateway.client.pin import pinned_context
from gateway.config import ConfigError, RemoteApi
from gateway.credentials.record import Scope
from gateway.errors import Unauthorized
from gateway.http import tls_listener
from gateway.http.certificate import KEY, own_certificate, server_context
from gateway.http.tls_listener import TlsListener
from gateway.rpc.authentication import BEARER, SUBPROTOCOL
from gateway.rpc.remote_listening import listen_remote, read_pin

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("e2e-remote"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has all of 127.0.0.0/8"),
]

ALLOWED, FOREIGN = "127.0.0.2", "127.0.0.3"
REMOTE = {"listen": "127.0.0.1", "allow": ["127.0.0.1", "127.0.0.2/32"], "hosts": ["gw.test"]}
ALWAYS = 1000
"""More often than a test lasts."""
OTHER_PIN = "sha256//" + "A" * 43 + "="


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A gateway with a terminal whose token may come from elsewhere, and one whose may not."""
    folder = tmp_path_factory.mktemp("remote")
    async with daemon(folder, origins=["https://page.test"], remote=REMOTE) as made:
        token, _ = made.home.issuer.create("far", scopes=(Scope.TRADE, Scope.REMOTE))
        await made.link("far", build_terminal(seed=1), token=token)
        await made.link("near", build_terminal(seed=2))
        yield made


def url_of(gateway: Product) -> str:
    assert gateway.ready.remote is not None
    return gateway.ready.remote.removesuffix("/rpc")


def port_of(gateway: Product) -> int:
    return urlsplit(url_of(gateway)).port or 0


def context_of(gateway: Product) -> ssl.SSLContext:
    return pinned_context(gateway.ready.remote_pin or "")


async def ask(
    gateway: Product, path: str = "/rpc", method: str = "POST", token: str = "", **headers: str
) -> tuple[int, str]:
    """Send a request from the allowed address; return the status and the body."""
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}}
    bearer = {"Authorization": f"Bearer {token or gateway.main.token}"}
    connector = aiohttp.TCPConnector(local_addr=(ALLOWED, 0), ssl=context_of(gateway))
    body = ping if method == "POST" else None
    async with (
        aiohttp.ClientSession(connector=connector, headers=bearer | headers) as session,
        session.request(method, url_of(gateway) + path, json=body) as answer,
    ):
        return answer.status, await answer.text()


def stream(
    gateway: Product, token: str = "", subprotocols: list[websockets.Subprotocol] | None = None
) -> websockets.connect:
    """Open /ws from the allowed address."""
    return websockets.connect(
        f"wss{url_of(gateway).removeprefix('https')}/ws",
        local_addr=(ALLOWED, 0),
        ssl=context_of(gateway),
        proxy=None,
        subprotocols=subprotocols,
        additional_headers={"Authorization": f"Bearer {token}"} if token else {},
    )


TRANSPORTS: tuple[Literal["http"], Literal["ws"]] = ("http", "ws")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_pinned_client_trades_from_elsewhere(
    gateway: Product, transport: Literal["http", "ws"]
) -> None:
    """Calls, streams and orders go as they do on the machine itself."""
    client = GatewayClient(
        url_of(gateway), gateway.main.token, transport=transport, pin=gateway.ready.remote_pin
    )
    async with client, asyncio.timeout(TIMEOUT_S):
        order_id = f"remote-{transport}"
        asked = {"symbol": "EURUSD", "side": "buy", "volume": 0.1, "client_order_id": order_id}
        receipt = await client.call("place_order", **asked)
        again = await client.call("place_order", **asked)
        assert receipt["order"]["state"] == "filled"
        assert again["order"]["order"] == receipt["order"]["order"], "asked for twice, made once"
        async for event in client.subscribe("tick:EURUSD"):
            assert event.data["bid"] > 0
            break
        # a long answer, so that TLS has more to write than fits at once
        assert len(await client.call("get_symbols")) > 0


class Recorder(asyncio.Protocol):
    """Server that keeps what it is told, and hangs up."""

    def __init__(self, heard: bytearray) -> None:
        self._heard = heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport

    def data_received(self, data: bytes) -> None:
        self._heard.extend(data)
        self._wire.close()


async def test_who_has_another_key_is_shown_no_token(tmp_path: Path) -> None:
    """The client ends the connection before it says a word."""
    heard, files = bytearray(), own_certificate(tmp_path, ["127.0.0.1"])
    server = await asyncio.get_running_loop().create_server(
        lambda: Recorder(heard), "127.0.0.1", 0, ssl=server_context(*files)
    )
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for kind in TRANSPORTS:
            async with GatewayClient(url, "mgt_secret", transport=kind, pin=OTHER_PIN) as client:
                with pytest.raises(Unreachable, match="another key") as caught:
                    await client.call("place_order", client_order_id="x")
            assert caught.value.outcome == "not_sent"
        # without a pin somebody has to vouch for the certificate
        async with GatewayClient(url, "mgt_secret") as client:
            with pytest.raises(Unreachable, match="vouches"):
                await client.call("ping")
        assert heard == b""
        # that was no accident: with its own pin it hears the token
        async with GatewayClient(url, "mgt_secret", pin=read_pin(files[0])) as client:
            with pytest.raises(ConnectionLost):
                await client.call("ping")
        assert b"Bearer mgt_secret" in heard
    with pytest.raises(ValueError, match="https"):
        GatewayClient("http://127.0.0.1:7400", "mgt_secret", pin=OTHER_PIN)
    with pytest.raises(ValueError, match="remote pin"):
        GatewayClient("https://127.0.0.1:7400", "mgt_secret", pin="sha256//short")


async def test_a_certificate_that_cannot_be_read_is_another_key(tmp_path: Path) -> None:
    """OpenSSL takes versions that nobody else does; the client's errors stay its own."""
    heard, (certificate, key) = bytearray(), own_certificate(tmp_path, ["127.0.0.1"])
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    third, fifth = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04"  # as X.509 counts them
    certificate.write_text(ssl.DER_cert_to_PEM_cert(der.replace(third, fifth)))
    server = await asyncio.get_running_loop().create_server(
        lambda: Recorder(heard), "127.0.0.1", 0, ssl=server_context(certificate, key)
    )
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for kind in TRANSPORTS:
            async with GatewayClient(url, "mgt_secret", transport=kind, pin=OTHER_PIN) as client:
                with pytest.raises(Unreachable, match="another key") as caught:
                    await client.call("place_order", client_order_id="x")
            assert caught.value.outcome == "not_sent"
    assert heard == b""


async def test_a_token_needs_the_scope_remote(gateway: Product) -> None:
    """By whatever way it is shown; on the machine itself it works as before."""
    near = gateway.terminals["near"].token
    status, text = await ask(gateway, token=near)
    assert (status, json.loads(text)["error"]["data"]["reason"]) == (401, "not_remote")
    admin, _ = gateway.home.issuer.create("boss", scopes=(Scope.ADMIN,))
    assert (await ask(gateway, token=admin))[0] == 401, "no other scope includes it"
    async with GatewayClient(gateway.ready.rpc or "", near) as local:
        ticket = (await local.call("get_ws_ticket"))["ticket"]
    shown = {"bearer": near}, {"token": near}, {"ticket": ticket}
    for way in shown:
        assert await refused_at_ws(gateway, **way) == 401
    async with stream(gateway) as socket:
        hello = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"auth_token": near}}
        await socket.send(json.dumps(hello))
        answer = json.loads(await socket.recv())
        assert answer["error"]["data"]["reason"] == "not_remote"
    assert (await (await gateway.http(near)).call("ping")) is not None


async def test_trail_and_console_are_told_from_where(
    gateway: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address by itself: whoever has stolen a token does not hide behind its owner's bot."""
    noted: list[tuple[str, str, str]] = []
    monkeypatch.setattr(
        gateway.gateway._web._authenticator,
        "_note_login",
        lambda tid, way, reason, agent: noted.append((way, reason, agent)),
    )
    token, _ = gateway.home.issuer.create("watched", scopes=(Scope.READ, Scope.REMOTE))
    near, tid = gateway.terminals["near"].token, parse_token(token)
    async with GatewayClient(gateway.ready.rpc or "", token) as local:
        await local.call("ping")
    for _ in range(2):
        assert (await ask(gateway, token=token, **{"User-Agent": "bot/1"}))[0] == 200
    async with stream(gateway) as socket:
        hello = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"auth_token": token}}
        await socket.send(json.dumps(hello))
        await socket.recv()
    assert (await ask(gateway, token=near, **{"User-Agent": "bot/1"}))[0] == 401
    assert noted[1:] == [
        *(("http", "", f"{ALLOWED}, bot/1"),) * 2,
        ("ws", "", ALLOWED),
        ("http", "not_remote", f"{ALLOWED}, bot/1"),
    ]
    assert not noted[0][2].startswith("127.")
    await gateway.gateway.audit.written()
    rows = gateway.gateway.ledger.reader.all("SELECT entry FROM audit")
    trail = [json.loads(row["entry"]) for row in rows]
    granted = [one for one in trail if one["event"] == "access_granted" and one["actor"] == tid]
    assert [one.get("address") for one in granted] == [None, ALLOWED]
    refused = [one for one in trail if one.get("reason") == "not_remote"]
    assert {one["address"] for one in refused} == {ALLOWED}


async def refused_at_ws(
    gateway: Product, bearer: str = "", token: str = "", ticket: str = ""
) -> int:
    """Return the status that refuses a handshake."""
    told = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    login = f"{BEARER}{told}" if token else f"{TICKET}{ticket}"
    protocols = [websockets.Subprotocol(name) for name in (SUBPROTOCOL, login)]
    with pytest.raises(websockets.InvalidStatus) as caught:
        await stream(gateway, bearer, None if bearer else protocols)
    return caught.value.response.status_code


async def test_calls_and_streams_are_all_there_is(gateway: Product) -> None:
    """No page, no document, no figures and no REST, for whatever token."""
    for path in (
        *("/", "/ui", "/ui/ws", "/healthz", "/openrpc.json", "/asyncapi.json", "/metrics"),
        *("/api/accounts", "/accounts", "/reference", "/hooks/x"),
    ):
        assert (await ask(gateway, path, "GET"))[0] == 404, path
    assert (await ask(gateway, "/ui/rpc"))[0] == 404


async def test_web_pages_and_other_names_are_refused(gateway: Product) -> None:
    """Not even a page that may call on the machine itself; a name that was rebound neither."""
    assert (await ask(gateway))[0] == 200
    assert (await ask(gateway, Host=f"gw.test:{port_of(gateway)}"))[0] == 200
    for host in ("gw.test", f"evil.test:{port_of(gateway)}", f"localhost:{port_of(gateway)}"):
        assert (await ask(gateway, Host=host))[0] == 421, host
    for origin in ("https://page.test", "https://evil.test", "null", url_of(gateway)):
        assert (await ask(gateway, Origin=origin))[0] == 403, origin
    assert (await ask(gateway, **{"Sec-Fetch-Site": "same-origin"}))[0] == 403


async def first_bytes(gateway: Product, address: str, data: bytes, most: int = -1) -> bytes:
    """Return what comes back for some bytes until the gateway closes, or so many of it."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port_of(gateway), local_addr=(address, 0)
    )
    try:
        writer.write(data)
        async with asyncio.timeout(TIMEOUT_S):
            return await reader.read(most)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_other_addresses_and_plain_http_get_nothing(gateway: Product) -> None:
    """An address that is not listed sees no TLS; who speaks HTTP sees no HTTP."""
    hello = client_hello(ssl.TLSVersion.TLSv1_2)
    assert await first_bytes(gateway, ALLOWED, hello, 1) == b"\x16", "a handshake begins"
    assert await first_bytes(gateway, FOREIGN, hello) == b""
    request = b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert b"HTTP" not in await first_bytes(gateway, ALLOWED, request)


def client_hello(version: ssl.TLSVersion) -> bytes:
    """Return the first bytes of a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    shaking = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="gw.test")
    with pytest.raises(ssl.SSLWantReadError):
        shaking.do_handshake()
    return outgoing.read()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_before_1_2_is_refused(gateway: Product) -> None:
    """The handshake ends with an alert, not with a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", port_of(gateway), ssl=context)


async def test_a_slow_handshake_ends(gateway: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing is cut, and never counts as a connection."""
    monkeypatch.setattr(tls_listener, "HANDSHAKE_S", 0.05)
    assert await first_bytes(gateway, ALLOWED, b"") == b""
    assert await first_bytes(gateway, ALLOWED, b"\x16\x03\x01") == b""


async def test_a_flood_of_handshakes_keeps_nobody_out(gateway: Product) -> None:
    """The oldest make room; programs on this machine do not even notice."""
    crowd = []
    try:
        for _ in range(2 * tls_listener.MAX_HANDSHAKES):
            one = socket.create_connection(("127.0.0.1", port_of(gateway)))
            crowd.append(one)
        assert (await ask(gateway))[0] == 200
        near = gateway.terminals["near"].token
        assert (await (await gateway.http(near)).call("ping")) is not None
    finally:
        for one in crowd:
            one.close()


async def test_a_flood_from_elsewhere_does_not_hold_the_loop_up(tmp_path: Path) -> None:
    """Between two that are turned away everything else has its turn."""
    context = server_context(*own_certificate(tmp_path, ["127.0.0.1"]))
    sock = bind_address(socket.AF_INET, "127.0.0.1", 0)
    listener = TlsListener(sock, context, lambda _: False, asyncio.Protocol)
    listener.start()
    crowd, seen = [socket.create_connection(sock.getsockname()) for _ in range(50)], set()
    try:
        while listener.turned_away < len(crowd):
            seen.add(listener.turned_away)
            await asyncio.sleep(0)
        assert len(seen) > len(crowd) / 2
    finally:
        for one in crowd:
            one.close()
        await listener.stop()


async def test_a_slow_reader_gets_a_long_answer_whole(gateway: Product) -> None:
    """It counts as unread until it is read, as on the machine itself; what does not is cut off
    at the end of the connection."""
    door = gateway.gateway._web._remote
    assert door is not None
    bars = {"symbol": "EURUSD", "timeframe": "M1", "count": 10_000}
    call = {"jsonrpc": "2.0", "id": 1, "method": "get_ohlc", "params": bars}
    body = json.dumps(call).encode()
    head = (
        f"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{port_of(gateway)}\r\n"
        f"Authorization: Bearer {gateway.main.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port_of(gateway)))
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=context_of(gateway), server_hostname="gw.test", limit=1024
    )
    try:
        writer.write(head.encode() + body)
        await until(lambda: bool(door.connections._stalled))
        (slow,) = door.connections._stalled
        assert slow.transport is not None
        assert not slow.transport.is_closing()
        assert slow.unread > 200_000, "of a megabyte, of which a client takes half"
        async with asyncio.timeout(TIMEOUT_S):
            (length,) = (
                int(line.split()[1])
                for line in (await reader.readuntil(b"\r\n\r\n")).splitlines()
                if line.lower().startswith(b"content-length")
            )
            told = json.loads(await reader.readexactly(length))
        await until(lambda: not door.connections._stalled)
    finally:
        writer.close()
        await writer.wait_closed()
    assert len(told["result"]["bars"]) == 10_000


async def test_connections_of_this_machine_are_counted_apart(tmp_path: Path) -> None:
    """Where the door for others is full it says so; the other door takes everybody."""
    async with daemon(tmp_path, remote=REMOTE | {"max_connections": 2}) as made:
        token, _ = made.home.issuer.create("far", scopes=(Scope.READ, Scope.REMOTE))
        await made.link("far", build_terminal(seed=3), token=token)
        async with stream(made, token) as first, stream(made, token):
            assert (await ask(made))[0] == 503
            async with GatewayClient(made.ready.rpc or "", token) as local:
                await local.call("ping")
            # a revoked token loses what it has open elsewhere, too
            made.home.issuer.revoke("far")
            await asyncio.wait_for(first.wait_closed(), TIMEOUT_S)
            assert first.close_code == 4506
        await until(lambda: made.gateway._web.open_websockets == 0)


async def test_a_served_gateway_keeps_its_key(tmp_path: Path) -> None:
    """The command prints the pin that the gateway told; a restart, with other names, keeps it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    text = (
        '[api]\nport = 0\n[bridge]\nport = 0\n[secrets]\nstore = "file"\n[api.remote]\nport = 0\n'
    )
    text += 'listen = "127.0.0.1"\nallow = ["127.0.0.1"]\n'
    (home / "config.toml").write_text(text)
    token = create_token(home, "far", "--scope", "read", "--scope", "remote")
    none = run("remote", "pin", "--home", str(home))
    assert (none.returncode, "start the gateway" in none.stderr) == (1, True)
    with running(tmp_path / "log", "serve", "--home", str(home), kind=subprocess.Popen) as first:
        pin = first.ready["remote_pin"]
        assert run("remote", "pin", "--home", str(home)).stdout == f"{pin}\n"
        doctor = json.loads(run("doctor", "--home", str(home), "--json").stdout)
        (told,) = [finding for finding in doctor if finding["name"] == "remote"]
        assert (told["verdict"], pin in told["found"]) == ("ok", True)
        assert (home / KEY).stat().st_mode & 0o777 == 0o600
        # uvloop has a TLS of its own
        for transport in TRANSPORTS:
            url = first.ready["remote"].removesuffix("/rpc")
            async with GatewayClient(url, token, transport=transport, pin=pin) as client:
                for _ in range(3):
                    assert await client.call("ping")
                assert len(json.dumps(await client.call("rpc.discover"))) > 100_000
        with pytest.raises(Unauthorized):
            async with GatewayClient(url, token[:-1] + "x", pin=pin) as client:
                await client.call("ping")
    (home / "config.toml").write_text(text + 'hosts = ["gw.test"]\n')
    with running(tmp_path / "log", "serve", "--home", str(home), kind=subprocess.Popen) as second:
        assert second.ready["remote_pin"] == pin
    os.chmod(home / KEY, 0o644)
    refused = run("serve", "--home", str(home))
    assert (refused.returncode != 0, "chmod 600" in refused.stderr) == (True, True)


async def test_who_cannot_listen_is_told_which_setting_it_is(tmp_path: Path) -> None:
    """The ports of the others are not to with_outcome."""
    with pytest.raises(ConfigError, match=r"listen: 192\.0\.2\.1 is no address"):
        listen_remote(RemoteApi(listen="192.0.2.1", allow=("127.0.0.1",)), tmp_path)
    with bind_address(socket.AF_INET, "127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port: {port} cannot be had on 127\.0\.0\.1"):
            listen_remote(RemoteApi(listen="127.0.0.1", port=port, allow=("::1",)), tmp_path)


# --- a terminal elsewhere: the tunnel of docs/remote.md ------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "remote.md"
SSHD = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
PasswordAuthentication no
UsePAM no
StrictModes no
AllowTcpForwarding yes
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def ssh_server(folder: Path) -> Iterator[tuple[str, ...]]:
    """Run OpenSSH's server for one key; yields the options with which a client logs in."""
    # it starts itself anew for each connection, by its full path
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or needed("sshd")
    for name in ("host", "user"):
        make = (needed("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
        subprocess.run(make, check=True)
    if os.geteuid() == 0:  # Debian makes it when the service starts
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    (folder / "sshd").write_text(SSHD.format(port=port, folder=folder))
    with subprocess.Popen((program, "-D", "-e", "-f", folder / "sshd")) as server:
        try:
            yield (
                *("-F", "none", "-p", str(port), "-i", str(folder / "user")),
                *("-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"),
                *("-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "ConnectionAttempts=60"),
            )
        finally:
            server.terminate()


@contextmanager
def tunnel(login: tuple[str, ...], port: int, bridge: str) -> Iterator[None]:
    """Run the page's command, with other ports, until the block is left."""
    [command] = re.findall(r"^ssh -N .*-L 7401:127\.0\.0\.1:7401 .*$", PAGE.read_text(), re.M)
    program, *words, _ = shlex.split(command.replace("7401:127.0.0.1:7401", f"{port}:{bridge}"))
    target = f"{getpass.getuser()}@127.0.0.1"
    with subprocess.Popen((needed(program), *words, *login, target)) as client:
        try:
            yield
        finally:
            # as if the network were gone: nobody says goodbye
            client.kill()


async def refused_by_proof(gateway: Product, bridge: str) -> None:
    """Link a terminal that has a token's id and not its secret, until it was refused."""
    token, _ = gateway.home.issuer.create("liar")
    machine = build_terminal(seed=5, faults=EmulatedFaults(wrong_proof=ALWAYS))
    linking = asyncio.create_task(gateway.link("liar", machine, token=token, bridge=bridge))
    await until(lambda: machine.faults.wrong_proof < ALWAYS)
    with pytest.raises(Refused) as caught:
        await (await gateway.http(token)).call("get_account_info")
    assert caught.value.code == 1002
    assert not linking.done()
    linking.cancel()


@pytest.mark.long
async def test_a_terminal_by_ssh(gateway: Product, tmp_path: Path) -> None:
    """It proves its token through the tunnel, and who has another one is refused. A tunnel that
    breaks leaves an order unknown until it is back; then it is found, and was made once."""
    bridge, port = gateway.ready.bridge, free_port()
    machine = build_terminal(seed=4)
    with ssh_server(tmp_path) as login:
        with tunnel(login, port, bridge):
            linked = await gateway.link("away", machine, bridge=f"127.0.0.1:{port}")
            await refused_by_proof(gateway, f"127.0.0.1:{port}")
            client = await gateway.http(linked.token)
            asked = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
            receipt = await client.call("place_order", **asked, client_order_id="ssh-1")
            assert receipt["order"]["state"] == "filled"
            first = gateway.gateway.registry.get("away")
            machine.faults.delay_result_ms = 60_000
            placing = asyncio.create_task(
                client.call("place_order", **asked, client_order_id="ssh-2")
            )
            await until(lambda: len(machine.handler.broker.positions()) == 2)
        with pytest.raises(Refused) as caught:
            await placing
        assert (caught.value.code, caught.value.data["outcome"]) == (2102, "unknown")
        machine.faults.delay_result_ms = 0
        with tunnel(login, port, bridge):
            await gateway.live("away", but_not=first)
            await gateway.settled("away", "EURUSD")
            found = await client.call("place_order", **asked, client_order_id="ssh-2")
            assert (found["duplicate"], found["order"]["state"]) == (True, "filled")
            assert len(await client.call("get_positions")) == 2
