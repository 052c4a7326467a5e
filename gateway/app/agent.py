"""The agent beside a terminal, as its command runs it."""

from __future__ import annotations

from collections.abc import Callable

from ea_bridge.agent import AgentLink, AgentTerminal, import_package
from ea_bridge.endpoint.link import linked
from ea_bridge.endpoint.results import FolderLock, FolderLocked
from ea_bridge.protocol.messages import Pending
from ea_bridge.token import parse_token
from gateway.app import freeze_gc
from gateway.options import AgentOptions, Announce, Ready
from gateway.storage.store import StoreError


async def run_agent(
    options: AgentOptions, announce: Announce, on_pending: Callable[[Pending], None]
) -> None:
    """Run an agent until cancelled; it dials once its terminal is there, until it is let in.

    Args:
        options: what it is.
        announce: called once it is linked.
        on_pending: called when this machine waits for approval.

    Raises:
        PackageMissing: MetaTrader5 is not installed.
        StoreError: another agent has the folder.
        OSError, UnicodeDecodeError: the folder, or a file in it, cannot be used.
        LinkRefused: the daemon does not take the token.
        MalformedToken: the token was mistyped.

    """
    tid = parse_token(options.auth_token)
    package = import_package()
    # an agent for each token: what one has executed the other would not know
    folder = options.folder / tid
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = FolderLock(folder)
    except FolderLocked as error:
        raise StoreError(str(error)) from error
    try:
        async with AgentTerminal(
            package, folder, connect=_connect(options), logins=options.logins
        ) as terminal:
            link = AgentLink(
                terminal,
                options.bridge_host,
                options.bridge_port,
                options.auth_token,
                on_pending=on_pending,
            )
            async with linked(link) as running:
                freeze_gc()
                bridge = f"{options.bridge_host}:{options.bridge_port}"
                announce(Ready(bridge=bridge, terminal=tid))
                await running
    finally:
        lock.release()


def _connect(options: AgentOptions) -> dict[str, object]:
    """Return the options of the package's ``initialize``, which refuses what is ``None``."""
    if options.program is None:
        return {}
    return {"path": options.program, "portable": options.portable}
