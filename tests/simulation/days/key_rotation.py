"""Signing keys of the console over simulated days: what old keys have signed.

A record that was signed before the console got a new key verifies to the end of its key, unless
the old keys were removed: then it does not, as soon as the daemon has heard of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.auth.console_snapshot import ConsoleSnapshot
from gateway.credentials.daemon_api import Synced
from gateway.credentials.envelope import EnvelopeError, key_id
from gateway.credentials.record import open_record

if TYPE_CHECKING:
    from .world import DaysWorld

MAX_KEPT = 40
"""Records that are looked at again, each of another token or key."""


class SignedRecords:
    """Records that the daemon has taken over, and the keys that signed them.

    Attributes:
        verified, refused: how many looks at a record of an old key found it to verify, or not.

    """

    def __init__(self, world: DaysWorld) -> None:
        self._world = world
        self._offers: ConsoleSnapshot | None = None
        """Where the daemon of now takes things over."""
        self._kept: dict[tuple[str, str], str] = {}
        self._old: dict[str, float] = {}
        """Keys that are not the newest, and since when."""
        self._removed: dict[str, float] = {}
        self.verified = self.refused = 0

    def took_over(self, offers: ConsoleSnapshot, synced: Synced) -> None:
        """Keep what a daemon has just taken over."""
        self._offers = offers
        for offer in synced.tokens:
            self._kept[offer.tid, key_id(offer.record)] = offer.record
        while len(self._kept) > MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))

    def rotated(self, *, remove_old: bool) -> None:
        """Note that the console has a new key since now."""
        for kid in {kid for _, kid in self._kept}:
            self._old.setdefault(kid, self._world.true_s())
            if remove_old:
                self._removed.setdefault(kid, self._world.true_s())

    def look(self, synced_s: float) -> None:
        """See what of it verifies by the keys that the daemon knows now.

        Args:
            synced_s: when it has last taken over what the console said.

        """
        if self._offers is not None:
            now_s = int(self._offers._clock.now_s())
            for said in self.problems(self._offers._book.keys("rec", now_s), synced_s):
                self._world.accuse(said)

    def problems(self, keys: Mapping[str, Ed25519PublicKey], synced_s: float) -> Iterable[str]:
        """Return what verifies and should not, or should and does not, in words."""
        for (tid, kid), record in self._kept.items():
            if self._old.get(kid, synced_s) >= synced_s:
                continue
            try:
                open_record(record, keys)
                is_verified = True
            except EnvelopeError:
                is_verified = False
            self.verified += is_verified
            self.refused += not is_verified
            if kid in self._removed and is_verified and self._removed[kid] < synced_s - 1:
                yield f"a record of {tid} verifies by key {kid}, which was removed"
            elif kid not in self._removed and not is_verified:
                yield f"a record of {tid} does not verify by key {kid}, which was kept"
