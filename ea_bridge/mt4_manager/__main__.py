"""Manager peer beside ``mtmanapi.dll`` on Windows: ``python -m ea_bridge.mt4_manager``."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.endpoint.link import LinkRefused, PeerLink
from ea_bridge.endpoint.results import FolderLock, FolderLocked
from ea_bridge.mt4_manager.endpoint import ManagerConversation
from ea_bridge.protocol.messages import Pending
from ea_bridge.token import MalformedToken, parse_token

from .peer.library import LibraryError
from .peer.manager_peer import ManagerPeer
from .peer.records import DEFAULT_ENCODING, TextCodec

_log = logging.getLogger("ea_bridge.mt4_manager")


class Misuse(Exception):
    """The program was called wrongly; the message says what to do."""


def main(words: list[str] | None = None) -> int:
    """Run the peer until it is interrupted or refused; return its exit code."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    args = _parser().parse_args(words)
    try:
        asyncio.run(_run(args))
    except (Misuse, FolderLocked, LibraryError, LinkRefused, OSError) as error:
        _log.error("%s", error)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ea_bridge.mt4_manager",
        description="Connects MetaTrader 4's Manager API to the daemon.",
    )
    parser.add_argument("--library", type=Path, required=True, help="mtmanapi64.dll")
    parser.add_argument("--port", type=int, required=True, help="of the daemon's bridge")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument(
        "--token-file", required=True, help="holds the manager's token; - reads standard input"
    )
    parser.add_argument(
        "--home", type=Path, required=True, help="folder of what became of commands; keep it"
    )
    parser.add_argument(
        "--encoding", default=DEFAULT_ENCODING, help="of the server's texts (%(default)s)"
    )
    parser.add_argument(
        "--no-pumping", action="store_true", help="one connection to the server, no margins list"
    )
    return parser


async def _run(args: argparse.Namespace) -> None:
    host = _loopback(args.host)
    token = _token(args.token_file)
    codec = _codec(args.encoding)
    args.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # before the table is read: two peers with one table would both say "never taken"
    claim = FolderLock(args.home)
    try:
        peer = ManagerPeer(args.library, args.home, codec, pumps=not args.no_pumping)
        pin = DevicePin(args.home / "device")

        def converse(on_ready: Callable[[], None]) -> ManagerConversation:
            def ready() -> None:
                _log.info("linked to the daemon on port %d", args.port)
                on_ready()

            return ManagerConversation(peer, token, pin, ready, _waits)

        link = PeerLink(converse, host, args.port)
        await _until_stopped(peer, link)
    finally:
        claim.release()


async def _until_stopped(peer: ManagerPeer, link: PeerLink[ManagerConversation]) -> None:
    linking = asyncio.create_task(link.run())
    looking_after = asyncio.create_task(peer.supervise())
    if sys.platform != "win32":  # there Ctrl+C is all there is, and comes as KeyboardInterrupt
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, linking.cancel)
    try:
        await asyncio.wait((linking,))
    finally:
        linking.cancel()
        looking_after.cancel()
        await asyncio.wait((linking, looking_after))
        # after the link: what was taken is finished, and its result is kept for the next link
        await peer.close()
    if not linking.cancelled():
        linking.result()


def _waits(_: Pending) -> None:
    """Do nothing: the log has told it."""


def _loopback(host: str) -> str:
    try:
        # an address, not a name: ``localhost`` may be made to mean another machine
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise Misuse(
        f"{host} is no loopback address: the manager's password crosses this link in the clear, "
        f"so the daemon runs on this machine, or at the other end of an SSH tunnel"
    )


def _token(file: str) -> str:
    text = sys.stdin.readline() if file == "-" else Path(file).read_text("ascii", "replace")
    token = text.strip()
    try:
        parse_token(token)
    except MalformedToken as error:
        source = "standard input" if file == "-" else file
        raise Misuse(f"{source} holds no token: {error}") from None
    return token


def _codec(name: str) -> TextCodec:
    try:
        return TextCodec(name)
    except LookupError:
        raise Misuse(f"there is no encoding {name}; name one as cp1251 or utf-8") from None


if __name__ == "__main__":
    sys.exit(main())
