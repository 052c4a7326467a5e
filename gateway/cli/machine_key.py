"""Whether the key that signs a home's audit trail is the one that the home's secrets hold.

The id of the device lies in the database as it is: whoever may write there could put his own in
its place, and sign another history with it. The private key lies sealed, and opens under its own
id alone.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import NamedTuple


class Proof(NamedTuple):
    """What was found."""

    problem: str = ""
    """Why the signatures prove nothing."""
    not_tried: str = ""
    """Why nobody can tell: the key is not to be had here."""


EXCHANGED = (
    "the machine's key in gateway.db was altered or exchanged: its signatures prove nothing"
)


def prove(home: Path, config_file: Path | None) -> Proof:
    """Open the key of a home's device as it lies there; nobody is asked for anything.

    Args:
        home: with a device.
        config_file: as with ``serve``.

    """
    from gateway.auth.device import open_device
    from gateway.cli.complaint import known_failures
    from gateway.cli.doctor.key import examine
    from gateway.config import load_for
    from gateway.credentials.secret_keys import current_key
    from gateway.credentials.secrets import SecretsError
    from gateway.home.home import MIGRATIONS
    from gateway.storage.store import Store

    try:
        settings = load_for(home, config_file)
        with closing(Store(home, MIGRATIONS)) as store:
            known = current_key(store)
            if known is None:
                return Proof(problem=EXCHANGED)  # a device is never made without
            finding, box = examine(known, settings.secrets, home)
            if box is None:
                return Proof(not_tried=finding.found)
            try:
                device = open_device(store, box)
            except (SecretsError, ValueError):
                return Proof(problem=EXCHANGED)
            row = store.one("SELECT did FROM device")
    except known_failures() as error:
        return Proof(not_tried=str(error))
    return Proof() if row is not None and row["did"] == device.did else Proof(problem=EXCHANGED)
