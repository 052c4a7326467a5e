"""Trust of a home in its console: keys, records and leases, verified without writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.auth.console_book import ConsoleSource
from gateway.credentials.device import DeviceKey, open_device
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.keyset import open_keyset
from gateway.credentials.lease import Lease, open_lease
from gateway.credentials.record import Record, open_record
from gateway.credentials.secrets import SecretBox, SecretsError
from gateway.home.home_console import HomeConsole, noted_console
from gateway.storage.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConsoleTrust:
    """Keys, records and leases that a home has from its console."""

    root: str = ""
    """Of the console that it believes, ``mgr1_...``; empty before the first contact."""
    did: str = ""
    """Id of this machine; empty before the first start."""
    device: DeviceKey | None = None
    """``None`` where it cannot be opened."""
    console: HomeConsole | None = None
    """As the home has noted it; ``None`` if it makes its own tokens."""
    records: Mapping[str, Record] = field(default_factory=dict)
    leases: Mapping[str, Lease] = field(default_factory=dict)
    """Both by the token's id, those alone that verify."""


def read_console_trust(store: Store, box: SecretBox | None, now_s: int) -> ConsoleTrust:
    """Read what a home has from its console.

    Args:
        store: of the home.
        box: opens the device's key; ``None`` if it cannot be had.
        now_s: seconds since 1970.

    """
    did, device = _device(store, box)
    source, console = ConsoleSource(store), noted_console(store)
    root, published = source.root(), source.published()
    if root is None:
        return ConsoleTrust(did=did, device=device, console=console)
    try:
        keys = open_keyset(published.key_set, root)
    except EnvelopeError:
        return ConsoleTrust(source.root_text, did, device, console)
    rows = store.all("SELECT tid, lease FROM console_tokens WHERE lease IS NOT NULL")
    record_keys, lease_keys = keys.keys_for("rec", now_s), keys.keys_for("lease", now_s)
    return ConsoleTrust(
        source.root_text,
        did,
        device,
        console,
        _verified(
            {record.tid: record.envelope for record in published.records},
            lambda envelope: open_record(envelope, record_keys),
        ),
        _verified(
            {row["tid"]: row["lease"] for row in rows},
            lambda envelope: open_lease(envelope, lease_keys),
        ),
    )


def _device(store: Store, box: SecretBox | None) -> tuple[str, DeviceKey | None]:
    row = store.one("SELECT did FROM device")
    if row is None:  # opening it would make it
        return "", None
    try:
        return row["did"], None if box is None else open_device(store, box)
    except SecretsError:
        return row["did"], None


def _verified(envelopes: Mapping[str, str], opened: Callable[[str], T]) -> dict[str, T]:
    found = {}
    for tid, envelope in envelopes.items():
        try:
            found[tid] = opened(envelope)
        except EnvelopeError:
            continue
    return found
