"""Audit trail over simulated days: archived now and then, and verified as a whole."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ea_bridge.host import wall_ms
from gateway.audit import begin_of, check_end, head_of, verify
from gateway.audit import rows as rows_of
from gateway.audit.archive import (
    ArchiveError,
    check_files,
    last_before,
    lines,
    make_folder,
    mark,
    take_out,
    write_file,
)
from gateway.audit.checkpoint import (
    FILE,
    BadCheckpoint,
    check_begin,
    copied_checkpoint,
    read_checkpoint,
    signatures,
    signed,
)
from gateway.audit.recorder import entry_of
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store
from gateway.storage.store import Store

if TYPE_CHECKING:
    from .world import DaysWorld


class AuditTrail:
    """Operator of the audit trail of a daemon's home: archives it, and verifies it.

    Attributes:
        files: the archive, oldest first.

    """

    def __init__(self, world: DaysWorld) -> None:
        self._world = world
        self._home = world.folder / "home"
        self.files: list[Path] = []
        self.verified = 0
        """How often the whole trail was verified."""
        self.checkpoints = 0
        """How often the newest was another than at the look before."""
        self._checkpoint = 0

    def archive(self, older_s: float) -> None:
        """Move what is older to a file, as ``mt-gateway audit archive`` does."""
        self._world.context("operator").run(self._archive, older_s)

    def _archive(self, older_s: float) -> None:
        with closing(open_ledger_store(self._home)) as store:
            take_out(store)
            begin = begin_of(store).n
            last = last_before(store, wall_ms() - int(older_s * 1000))
            if last <= begin:
                return
            file = self._home / "audit-archive" / f"audit-{begin + 1:09}-{last:09}.jsonl"
            make_folder(file.parent)
            part = write_file(store, file, last)
            with Home(self._home, self._world.daemons.config.secrets) as home:
                text = signed(home.device, part.end, wall_ms())
            mark(store, part, text, entry_of("audit_archived", actor="cli", file=file.name))
            take_out(store)
            self.files.append(file)

    def look(self) -> None:
        """Verify the trail, with all that was signed of it, and the archive."""
        self._world.context("operator").run(self._look)

    def _look(self) -> None:
        with (
            closing(open_ledger_store(self._home)) as store,
            Home(self._home, self._world.daemons.config.secrets) as home,
        ):
            for said in self._problems(store, home):
                self._world.accuse(f"the audit trail: {said}")
        self.verified += 1

    def _problems(self, store: Store, home: Home) -> list[str]:
        did, found = home.device.did, list[str]()
        try:
            kept = read_checkpoint(self._home / FILE, did)
            copy = copied_checkpoint(home.store, did)
        except BadCheckpoint as error:
            return [str(error)]
        head = None if kept is None else kept.head
        if head is not None and head.n != self._checkpoint:
            self._checkpoint, self.checkpoints = head.n, self.checkpoints + 1
        found += [one.text for one in verify(store, head, signatures=signatures(did)).faults]
        if copy is not None:
            found += [f"by the copy: {one.text}" for one in check_end(store, copy.head)]
        if problem := check_begin(store, did):
            found.append(problem)
        if self.files:
            try:
                check_files(store, self.files)
            except ArchiveError as error:
                found.append(str(error))
        return found

    def find(self, ids: set[str]) -> set[str]:
        """Return those ids of orders that neither the trail nor the archive knows."""
        return self._world.context("operator").run(self._find, ids)

    def _find(self, ids: set[str]) -> set[str]:
        left = set(ids)
        with closing(open_ledger_store(self._home)) as store:
            count = begin_of(store).n
            for file in self.files:
                left -= {_id_of(row.entry) for row in lines(file)}
            for row in rows_of(store, count + 1):
                left.discard(_id_of(row["entry"]))
                count += 1
            if count != head_of(store).n:
                said = f"{count} rows in archive and trail, and the last is {head_of(store).n}"
                self._world.accuse(said)
        return left


def _id_of(entry: bytes) -> str:
    told = json.loads(entry)
    return str(told.get("object", "")) if told.get("event") == "order" else ""
