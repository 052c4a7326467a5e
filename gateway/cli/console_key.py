"""The key of the console: the same commands as for a gateway's, on the console's database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.complaint import Complaint

if TYPE_CHECKING:
    from gateway.console.settings import ConsoleSettings
    from gateway.credentials.rotation import Exchanged


def exchange(home: Path, config_file: Path | None, to: str | None = None) -> Exchanged | None:
    """Seal everything of a console with a new key.

    Args:
        home: of the console.
        config_file: with its database, if that is not in the home.
        to: the name of another store for the new key.

    Returns:
        What was done; ``None`` if the console had no key yet, and its first one lies there now.

    Raises:
        Complaint: the database cannot be opened, or a console works on it.
        ConfigError, SecretsError: the message says what to do.

    """
    from gateway.config import load_for
    from gateway.console.database import DatabaseError
    from gateway.console.settings import ConsoleSettings

    settings = ConsoleSettings.of(load_for(home, config_file))
    if to is None and not home.is_dir():
        raise Complaint(f"there is no console in {home} yet")
    try:
        return asyncio.run(_exchange(home, settings, to))
    except DatabaseError as error:
        raise Complaint(str(error)) from error


async def _exchange(home: Path, settings: ConsoleSettings, to: str | None) -> Exchanged | None:
    from gateway.console.database import open_database
    from gateway.console.key_exchange import exchange_console_key
    from gateway.console.secret_box import current_key, open_box
    from gateway.console.service import database_url
    from gateway.credentials.key_store import store_named

    async with open_database(database_url(home, settings)) as db:
        async with db.session() as session:
            known = await current_key(session)
        if known is None and to is not None:
            await open_box(db, lambda _: store_named(to, settings.secrets, home, console=True))
            return None
    if known is not None and known.store == to:
        raise Complaint(f"the key lies in the store {to} already; a new one: secrets rotate")
    return await exchange_console_key(home, settings, to=to)
