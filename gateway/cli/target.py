"""Target of a command: the gateway named by options, the environment, or a home."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, TypeVar

import typer

from gateway.cli.home import URL, home_in_use, is_same, known, running
from gateway.cli.output import CliError

TOKEN = "MT_GATEWAY_TOKEN"  # noqa: S105 (a variable's name)

Url = Annotated[
    str | None,
    typer.Option(
        help=f"Of the gateway, such as http://127.0.0.1:7400; {URL} if neither this nor --home is "
        "given."
    ),
]
AuthToken = Annotated[
    str | None, typer.Option(envvar=TOKEN, show_envvar=True, help="Opens one terminal.")
]
Home = Annotated[
    Path | None,
    typer.Option(
        help="Home folder of the gateway; without any of these serve's default home, else a "
        "running demo's."
    ),
]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway, and the token to show it."""

    url: str
    auth_token: str | None = field(repr=False)
    home: Path | None = None
    """Where it runs; ``None``: only its URL is known."""

    @property
    def token(self) -> str:
        """The token.

        Raises:
            CliError: none was found.

        """
        if self.auth_token is None:
            raise CliError(
                f"no token: set {TOKEN}, or give --auth-token (mt-gateway token create --name "
                "NAME makes one, or the console if there is one)"
            )
        if not (self.auth_token.isascii() and self.auth_token.isprintable()):
            raise CliError("the token has characters that no token has: copy it again", 2)
        return self.auth_token


def find_target(url: str | None, auth_token: str | None, home: Path | None) -> Target:
    """Return the gateway that is meant; see :mod:`gateway.cli.home`.

    Raises:
        CliError: it does not run, the URL is none, or URL and home are two gateways'.

    """
    # --home beats the environment: the variable may be of another day
    named = url or (os.environ.get(URL) if home is None else None)
    if named is not None:
        _check(named)
    if named is not None and home is None:
        place = next((folder for folder, found in known() if is_same(named, found.url)), None)
        return Target(named, auth_token, place)
    place = home or home_in_use()
    found = running(place)
    if found is None:
        raise CliError(_none_runs(place))
    if named is not None and not is_same(named, found.url):
        raise CliError(f"--url {named} is not the gateway in {place}, which is {found}", 2)
    return Target(named or found.url, auth_token or found.auth_token, place)


def _none_runs(place: Path) -> str:
    others = [f"; {other} runs in {home}: --home {quote(str(home))}" for home, other in known()]
    start = f"start one with mt-gateway demo, or set {URL} and {TOKEN}"
    return f"no gateway runs in {place}{others[0] if others else ': ' + start}"


def _check(url: str) -> None:
    from gateway.client.protocol import parse_address

    try:
        parse_address(url)
    except ValueError as error:
        raise CliError(str(error), 2) from error


def run_async(conversation: Coroutine[Any, Any, R]) -> R:
    """Run a conversation with the gateway to its end.

    Raises:
        CliError: there was no answer. Errors that the gateway answered with pass through.

    """
    with closing(conversation):  # Ctrl+C may come before it has begun
        import asyncio

        from gateway.client.errors import NoAnswer

        try:
            return asyncio.run(conversation)
        except ValueError as error:  # what was typed cannot be sent
            raise CliError(str(error), 2) from error
        except NoAnswer as failure:
            hint = " It may have been executed: look before you repeat it."
            told = f"{failure}{hint if failure.outcome == 'unknown' else ''}"
            raise CliError(told) from failure
