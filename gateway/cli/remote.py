"""``remote``: what programs of other machines need to know of this gateway."""

from __future__ import annotations

import sys

from gateway.cli.home import default_home
from gateway.cli.output import CliError
from gateway.cli.token import ConfigFile, HomeOption


def pin(*, home: HomeOption = None, config: ConfigFile = None) -> None:
    """Print the pin of the gateway's key, by which clients on other machines know it.

    It is the SHA-256 of the public key, as curl's --pinnedpubkey takes it. Carry it over by a way
    that nobody can change; who takes another pin talks to somebody else.
    """
    from gateway.config import ConfigError, load_for
    from gateway.rpc.remote_listening import certificate_file, read_pin

    folder = home or default_home()
    try:
        settings = load_for(folder, config).api.remote
        file = certificate_file(settings, folder)
        if not settings.certificate and not file.exists():
            raise CliError(
                f"there is no certificate in {folder} yet: set [api.remote] in its config.toml, "
                "and start the gateway, which makes it"
            )
        sys.stdout.write(f"{read_pin(file)}\n")
    except ConfigError as error:
        raise CliError(str(error)) from error
