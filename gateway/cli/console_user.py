"""``console-user``: what only somebody at the console's own machine may do for its users."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.home import default_console_home, own_folder
from gateway.cli.output import CliError, known_failures
from gateway.cli.process import keep_memory_private
from gateway.cli.token import ConfigFile

Email = Annotated[str, typer.Argument(help="Address with which the person signs in.")]
ConsoleHome = Annotated[Path | None, typer.Option("--home", help="Of the console.")]


def second_factor_off(
    email: Email, *, home: ConsoleHome = None, config: ConfigFile = None
) -> None:
    """Switch off the second factor of somebody who has lost phone, passkeys and codes.

    For an administrator without another one; an administrator does it for others on the page
    Users. The person is signed out everywhere and told by mail. The console may run meanwhile.
    """
    # before the key of the console's secrets is in it
    keep_memory_private()
    place = home or own_folder(default_console_home())
    try:
        was_on = asyncio.run(_second_factor_off(place, config, email))
    except OSError as error:
        raise CliError(f"{error.filename or place}: {error.strerror}") from error
    except known_failures() as error:
        raise CliError(str(error)) from error
    if not was_on:
        raise CliError(f"{email} has no second factor; nothing was changed")
    sys.stdout.write(f"second factor off: {email}\n")
    sys.stdout.write("All sessions of the account have ended; the console mails the person.\n")


async def _second_factor_off(home: Path, config_file: Path | None, email: str) -> bool:
    """Switch it off; return whether it was on.

    Raises:
        CliError: there is no such console or user, or the database cannot be opened.
        ConfigError, SecretsError: the message says what to do.

    """
    from gateway.config import load_for
    from gateway.console.database import DatabaseError
    from gateway.console.service import open_console
    from gateway.console.settings import ConsoleSettings

    settings = ConsoleSettings.of(load_for(home, config_file))
    try:
        await _demand_console(home, settings.console_server.database)
        async with open_console(home, settings) as console:
            user = await console.users.by_email(email)
            if user is None:
                raise CliError(f"nobody has an account with the address {email}")
            return await console.second_factors.take_off(user.id, by="command")
    except DatabaseError as error:
        raise CliError(str(error)) from error


async def _demand_console(home: Path, configured: str) -> None:
    """Refuse a place without a console: to open it would make one."""
    from gateway.console.database import open_database
    from gateway.console.database.engine import FILE
    from gateway.console.secret_keys import current_key

    missing = CliError(f"there is no console in {home} yet")
    if not configured and not (home / FILE).exists():
        raise missing
    url = configured or f"sqlite:///{home / FILE}"
    async with open_database(url) as db, db.session() as session:
        if await current_key(session) is None:
            raise missing
