"""Rules of the audit trail: it verifies at every start and at the end, and lacks no command.

The product's own verifier looks: at a start at the rows since the last look, and whether the last
row of that is still what it was; at the end at all there are, with what the device has signed.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.audit import Head, TrailVerdict, verify
from gateway.audit.checkpoint import FILE, BadCheckpoint, read_checkpoint, signatures
from gateway.audit.table import begin_of
from gateway.home.home import Home
from gateway.storage.store import Store

from .invariants import Invariants

_NOTED = """
SELECT json_extract(entry, '$.command_id') FROM audit
WHERE instr(entry, '"event":"order"') AND json_extract(entry, '$.state') = 'journaled'
"""


class TrailRules:
    """The audit trail of one home.

    Args:
        invariants: told what is wrong.

    """

    def __init__(self, invariants: Invariants) -> None:
        self._invariants = invariants
        self._head: Head | None = None

    def look(self, store: Store) -> None:
        """Verify what was added since the last look.

        Args:
            store: of the ledger.

        """
        start = 1 if self._head is None else self._head.n + 1
        self._take(verify(store, self._head, start=start))

    def look_at_all(self, store: Store, home: Home) -> None:
        """Verify all there is, with what the device has signed.

        Args:
            store: of the ledger.
            home: whose device signs.

        """
        did = home.device.did
        try:
            kept = read_checkpoint(home.folder / FILE, did)
        except BadCheckpoint as error:
            self._invariants.broken("audit chain", str(error))
            return
        checkpoint = None if kept is None else kept.head
        self._take(verify(store, checkpoint, signatures=signatures(did)))

    def look_for(self, store: Store, command_ids: Collection[int]) -> None:
        """See that commands are in the trail, unless parts of it were archived.

        Args:
            store: of the ledger.
            command_ids: of those that terminals were sent.

        """
        if begin_of(store).n:
            return
        noted = {row[0] for row in store.all(_NOTED)}
        for command_id in sorted(set(command_ids) - noted)[:1]:
            said = f"command {command_id} was sent, and is not in the audit trail"
            self._invariants.broken("audit order", said)

    def _take(self, verdict: TrailVerdict) -> None:
        for fault in verdict.faults[:1]:
            self._invariants.broken("audit chain", f"{fault.kind}: {fault.text}")
        self._head = verdict.head
