"""Which gateway a command talks to: from options, the environment, or a home of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from gateway.cli.complaint import Complaint
from gateway.cli.home import default_demo_home, default_home, running

URL = "MT_GATEWAY_URL"
TOKEN = "MT_GATEWAY_TOKEN"  # noqa: S105 (a variable's name)

Url = Annotated[
    str | None,
    typer.Option(envvar=URL, show_envvar=True, help="Of the gateway: http://127.0.0.1:7400."),
]
AuthToken = Annotated[
    str | None, typer.Option(envvar=TOKEN, show_envvar=True, help="Opens one terminal.")
]
Home = Annotated[
    Path | None, typer.Option(help="Of the running gateway, to find it and a demo's token.")
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
            Complaint: none was found.

        """
        if self.auth_token is None:
            raise Complaint(
                f"no token: set {TOKEN}, or give --auth-token (mt-gateway token create --name "
                "NAME makes one, or the console if there is one)"
            )
        return self.auth_token


def find_target(url: str | None, auth_token: str | None, home: Path | None) -> Target:
    """Return the gateway that is meant.

    A URL that was given decides. Without one it is the gateway that runs in ``home``, or in one
    of the default homes: ``serve``'s first, then ``demo``'s.

    Raises:
        Complaint: none runs, or the URL is none.

    """
    if url is not None:
        _check(url)
        if home is None:
            return Target(url, auth_token)
    homes = [home] if home is not None else [default_home(), default_demo_home()]
    for place in homes:
        if found := running(place):
            return Target(url or found.url, auth_token or found.auth_token, place)
    raise Complaint(
        f"no gateway runs in {' or '.join(map(str, homes))}: "
        f"start one with mt-gateway demo, or set {URL} and {TOKEN}"
    )


def _check(url: str) -> None:
    from gateway.client.address import parse_address

    try:
        parse_address(url)
    except ValueError as error:
        raise Complaint(str(error), 2) from error


def talk(conversation: Coroutine[Any, Any, R]) -> R:
    """Run a conversation with the gateway to its end.

    Raises:
        Complaint: there was no answer. Errors that the gateway answered with pass through.

    """
    with closing(conversation):  # Ctrl+C may come before it has begun
        from gateway.client import NoAnswer

        try:
            return asyncio.run(conversation)
        except NoAnswer as failure:
            hint = " It may have been executed: look before you repeat it."
            told = f"{failure}{hint if failure.outcome == 'unknown' else ''}"
            raise Complaint(told) from failure
