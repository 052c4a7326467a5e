"""``notify``: try the notifications of a home, and seal their secrets."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.audit_notes import note_in
from gateway.cli.home import default_home
from gateway.cli.output import CliError, known_failures
from gateway.cli.process import keep_memory_private
from gateway.cli.token import ConfigFile, HomeOption

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.home.home import Home
    from gateway.notify.transports import Transport

MAX_SECRET = 16_384
"""Characters; Apprise may have several URLs."""


def send_test(*, home: HomeOption = None, config: ConfigFile = None) -> None:
    """Send a test to each place that is configured, and tell what came of it.

    The gateway need not run. Exit code 1: one of them did not take it.
    """
    from gateway.app.notify import transports_of
    from gateway.notify.secrets import NotifySecrets

    with _opened(home, config) as (opened, settings):
        secrets = NotifySecrets(opened.store, opened.box)
        transports = transports_of(settings, opened.folder, secrets)
    if not transports:
        raise CliError("nothing is configured: see [notify] in config.example.toml")
    failed = asyncio.run(_try(transports))
    if settings.notify.mail_to and settings.smtp.mode == "outbox":
        sys.stdout.write('mail: written to the outbox only: set mode = "smtp" in [smtp]\n')
    if not settings.notify.events:
        sys.stdout.write("[notify] events is empty: of nothing else you will be told\n")
    if failed:
        raise typer.Exit(1)


async def _try(transports: Mapping[str, Transport]) -> bool:
    """Send a test by each; return whether one failed."""
    from ea_bridge import host
    from gateway.notify.notes import Note
    from gateway.notify.transports import NotTaken

    note = Note(
        id=host.token_urlsafe(12),
        event="test",
        time=host.wall_ms(),
        terminal=None,
        title="Test",
        text="This is a test of the notifications of mt-gateway.",
    )
    failed = False
    for name, transport in transports.items():
        try:
            await transport.send([note])
        except NotTaken as error:
            failed = True
            sys.stderr.write(f"mt-gateway: {name}: {error}\n")
        else:
            sys.stdout.write(f"{name}: sent\n")
    return failed


def secret(
    name: Annotated[
        Literal["webhook", "ntfy", "telegram", "apprise"],
        typer.Argument(
            help="webhook: the key of its signatures. ntfy: an access token. telegram: the bot's "
            "token. apprise: its URLs."
        ),
    ],
    *,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read it from standard input, to its end.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the one that is there.")
    ] = False,
    home: HomeOption = None,
    config: ConfigFile = None,
) -> None:
    """Seal a secret in the home. It is asked for; for the webhook Enter alone makes one.

    A gateway that runs uses it from its next start on.
    """
    from gateway.notify.secrets import NotifySecrets

    # before the secret is in it
    keep_memory_private()
    given = "" if forget else _given(name, from_stdin=stdin)
    made = not (given or forget)
    if made:
        if name != "webhook":
            raise CliError("nothing was given, and nothing changed (--forget deletes one)")
        given = _new_secret()
    with _opened(home, config) as (opened, _):
        NotifySecrets(opened.store, opened.box).set(name, given)
    event = "notify_secret_removed" if forget else "notify_secret_set"
    note_in(home or default_home(), event, object=name)
    sys.stdout.write(f"{name}: {'forgotten' if forget else 'sealed'}\n")
    if made:
        sys.stdout.write(f"give this key to the receiver, it is not shown again: {given}\n")


def _given(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        text = sys.stdin.read(MAX_SECRET + 1)
    elif sys.stdin.isatty():
        text = getpass(f"Secret of {name}: ")
    else:
        raise CliError("no terminal to ask for the secret; give --stdin", 2)
    text = text.strip()
    # beyond ASCII or with spaces it would break a header or an address, far from here
    is_one_word = text.isascii() and len(text.split()) <= 1 and text.isprintable()
    if len(text) > MAX_SECRET or not (is_one_word or name == "apprise"):
        raise CliError(f"this is no secret of {name}; nothing was changed")
    return text


def _new_secret() -> str:
    from ea_bridge import host

    return host.token_urlsafe(32)


@contextmanager
def _opened(home: Path | None, config_file: Path | None) -> Iterator[tuple[Home, Config]]:
    """Open a home; what is wrong with it, or with its configuration, becomes a complaint."""
    from gateway.config import load_for
    from gateway.home.home import Home

    place = home or default_home()
    try:
        settings = load_for(place, config_file)
        with Home(place, settings.secrets) as opened:
            yield opened, settings
    except OSError as error:
        raise CliError(f"{error.filename or place}: {error.strerror}") from error
    except known_failures() as error:
        raise CliError(str(error)) from error
