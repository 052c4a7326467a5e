"""Peers that know a registered account: the terminal logged in to it, or one that can log in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ea_bridge.commands import LOGIN_CHECK
from ea_bridge.errors import BridgeError, CommandFailed
from ea_bridge.model.account import AUTH_FAILED, BAD_PATH, CheckedLogin, LoginParams
from ea_bridge.registry import TerminalRegistry
from ea_bridge.session import SessionState, TerminalSession

LOGIN_S = 30.0
"""Until then a peer must have logged in; the first login to a server downloads its symbols."""
MAX_WAITING = 8
"""Logins that wait for one peer, which does one at a time."""


class LoginError(Exception):
    """A login was not opened; the message says what to do."""


class CredentialsRefused(LoginError):
    """The trade server does not know the login, or not with that password."""


class LoginUntried(LoginError):
    """Nobody could try it, or the trade server did not answer."""


class PathRefused(LoginError):
    """No terminal has the program at that path, or may start it."""


class NobodyAble(LoginUntried):
    """No terminal of the owner's can log in to another account.

    Args:
        linked: whether any terminal of his is linked at all.

    """

    def __init__(self, *, linked: bool) -> None:
        super().__init__("no terminal that can log in is linked")
        self.linked = linked


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
        for session in self._live(owner):
            if _logged_in(session, login, server):
                return session.terminal
        return None

    async def check(self, owner: str, preferred: str, params: LoginParams) -> CheckedLogin:
        """Log in to an account, and return it.

        One terminal after another is asked, until one can say whether login and password fit:
        first who is logged in to the account, then the preferred one, then the others.

        Args:
            owner: whose terminals may be asked.
            preferred: the name of the caller's own.
            params: the account.

        Raises:
            CredentialsRefused: login and password do not fit.
            PathRefused: no terminal has the program that ``params`` name.
            LoginUntried: nobody could try it.

        """
        live = self._live(owner)
        able = [session for session in live if LOGIN_CHECK.needs in session.caps]
        # sorts are stable: the second one decides, the first one among equals
        able.sort(key=lambda session: session.terminal != preferred)
        able.sort(key=lambda session: not _logged_in(session, params.login, params.server))
        refused: list[LoginError] = []
        for session in able:
            try:
                return await self._ask(session, params)
            except (PathRefused, LoginUntried) as error:
                refused.append(error)
        # "try again later" is worth more than "wrong path", which another terminal may have right
        untried = [error for error in refused if isinstance(error, LoginUntried)]
        if refused:
            raise (untried or refused)[-1]
        raise NobodyAble(linked=bool(live))

    async def _ask(self, session: TerminalSession, params: LoginParams) -> CheckedLogin:
        name = session.terminal
        # a login may take half a minute, and a peer does one at a time
        if self._waiting.get(name, 0) >= MAX_WAITING:
            raise LoginUntried("too many logins wait")
        self._waiting[name] = self._waiting.get(name, 0) + 1
        try:
            async with self._turns.setdefault(name, asyncio.Lock()):
                opened = await _log_in(session, params)
        finally:
            self._waiting[name] -= 1
        # a person may have switched accounts in the terminal meanwhile
        if opened.login != params.login:
            raise LoginUntried("another account was opened")
        return opened

    def _live(self, owner: str) -> list[TerminalSession]:
        return [
            session
            for session in self._registry.sessions()
            if session.state is SessionState.READY and self._owner_of(session.hello.tid) == owner
        ]


def _logged_in(session: TerminalSession, login: int, server: str) -> bool:
    hello = session.hello
    return hello.login == login and hello.server.casefold() == server.casefold()


async def _log_in(session: TerminalSession, params: LoginParams) -> CheckedLogin:
    try:
        return await session.request(LOGIN_CHECK, params, timeout_s=LOGIN_S)
    except CommandFailed as failed:
        if failed.err == AUTH_FAILED:
            raise CredentialsRefused("the server refused login or password") from None
        if failed.err == BAD_PATH:
            raise PathRefused("the terminal may not start that program") from None
        raise LoginUntried(f"the login could not be tried ({failed.err})") from None
    except BridgeError:
        raise LoginUntried("the terminal did not answer") from None
