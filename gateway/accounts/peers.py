"""Who can tell of a registered account: the terminal that is logged in to it, or a peer of the
bridge that can log in to any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ea_bridge.commands import LOGIN_CHECK
from ea_bridge.errors import BridgeError, CommandFailed
from ea_bridge.model.login import AUTH_FAILED, CheckedLogin, LoginParams
from ea_bridge.registry import TerminalRegistry
from ea_bridge.session import SessionState, TerminalSession

LOGIN_S = 30.0
"""Until then a peer must have logged in; the first login to a server downloads its symbols."""
MAX_WAITING = 8
"""Logins that wait for one peer, which does one at a time."""


class LoginError(Exception):
    """A login was not opened; the message says what to do."""


class LoginRefused(LoginError):
    """The trade server does not know the login, or not with that password."""


class LoginUntried(LoginError):
    """Nobody could try it, or the trade server did not answer."""


class Peers:
    """The live terminals, by what they can do for an owner.

    A password goes to terminals of the same owner only: those with whose token it was sent, or
    with another of the same person.

    Args:
        registry: the live terminals.
        owner_of: whose a token is, by its id.

    """

    def __init__(self, registry: TerminalRegistry, owner_of: Callable[[str], str]) -> None:
        self._registry = registry
        self._owner_of = owner_of
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    def logged_in(self, owner: str, login: int, server: str) -> str | None:
        """Return the name of a terminal that is logged in to an account, and answers."""
        wanted = (login, server.casefold())
        for session in self._live(owner):
            if (session.hello.login, session.hello.server.casefold()) == wanted:
                return session.terminal
        return None

    async def check(self, owner: str, preferred: str, params: LoginParams) -> CheckedLogin:
        """Log in to an account, and return it.

        Args:
            owner: whose terminals may be asked.
            preferred: the name of the one that is asked if it can.

        Raises:
            LoginRefused: login and password do not fit.
            LoginUntried: nobody could try it.

        """
        able = [one for one in self._live(owner) if LOGIN_CHECK.needs in one.caps]
        if not able:
            raise LoginUntried("no terminal that can log in is linked")
        session = next((one for one in able if one.terminal == preferred), able[0])
        name = session.terminal
        if self._waiting.get(name, 0) >= MAX_WAITING:
            raise LoginUntried("too many logins wait")
        self._waiting[name] = self._waiting.get(name, 0) + 1
        try:
            async with self._turns.setdefault(name, asyncio.Lock()):
                opened = await _log_in(session, params)
        finally:
            self._waiting[name] -= 1
        if opened.login != params.login:
            raise LoginUntried("another account was opened")
        return opened

    def _live(self, owner: str) -> list[TerminalSession]:
        return [
            one
            for one in self._registry.sessions()
            if one.state is SessionState.READY and self._owner_of(one.hello.tid) == owner
        ]


async def _log_in(session: TerminalSession, params: LoginParams) -> CheckedLogin:
    try:
        return await session.request(LOGIN_CHECK, params, timeout_s=LOGIN_S)
    except CommandFailed as failed:
        if failed.err == AUTH_FAILED:
            raise LoginRefused("the server refused login or password") from None
        raise LoginUntried(f"the login could not be tried ({failed.err})") from None
    except BridgeError:
        raise LoginUntried("the terminal did not answer") from None
