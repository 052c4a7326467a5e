"""``audit``: the trail of what was done, looked at and given out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.complaint import Complaint, known_failures
from gateway.cli.home import home_in_use
from gateway.cli.token import HomeOption, Json

if TYPE_CHECKING:
    from gateway.audit import Verdict
    from gateway.auth.checkpoint import Checkpoint
    from gateway.store import Store

From = Annotated[
    int, typer.Option("--from", min=1, help="The first row; those before it are left out.")
]
SHOWN = 10
"""Faults that are printed for people; --json has more."""


def verify(
    *,
    start: From = 1,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A copy of audit.checkpoint that lay elsewhere; the home's own if absent.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: Json = False,
) -> None:
    """See that no row of the audit trail was changed, inserted, swapped or removed.

    Exit code 1: one was. A gateway may run meanwhile.
    """
    from gateway.audit import verify as look

    place = home or home_in_use()
    with _trail(place) as store:
        # the checkpoint first: what is written meanwhile comes after it
        known, problem = _checkpoint(place, checkpoint)
        verdict = look(store, None if known is None else known.head, start=start)
    facts = _facts(place, verdict, known, problem)
    sys.stdout.write((json.dumps(facts, indent=2) if as_json else _text(facts)) + "\n")
    if not facts["intact"]:
        raise typer.Exit(1)


def export(
    *,
    start: From = 1,
    event: Annotated[
        list[str] | None, typer.Option(help="Only of that name, such as order; repeatable.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Print the audit trail, one JSON object a line: n, hash and entry.

    Each hash is SHA-256 over "mgaud1", the hash before (32 zero bytes before the first), n (8
    bytes, big-endian) and SHA-256 of the entry's text as it stands in the line. Nothing is checked
    here; verify does that.
    """
    from gateway.audit import rows

    wanted = frozenset(event or ())
    with _trail(home or home_in_use()) as store:
        for row in rows(store, start):
            entry = row["entry"].decode(errors="replace")
            if wanted and _event_of(entry) not in wanted:
                continue
            line = f'{{"n":{row["n"]},"hash":"{row["hash"].hex()}","entry":{entry}}}\n'
            sys.stdout.write(line)


# --- opening -------------------------------------------------------------------------------


@contextmanager
def _trail(home: Path) -> Iterator[Store]:
    """Open the ledger of a home; what is wrong with it becomes a complaint."""
    from gateway.app.ledger import open_ledger_store
    from gateway.ledger import DATABASE

    try:
        is_there = (home / DATABASE).exists()
    except OSError as error:
        raise Complaint(
            f"{home}: {error.strerror}; run this as the gateway's user, with its --home"
        ) from error
    if not is_there:
        raise Complaint(f"there is no {DATABASE} in {home}: no gateway has run there yet")
    try:
        with closing(open_ledger_store(home)) as store:
            yield store
    except known_failures() as error:
        raise Complaint(str(error)) from error


def _checkpoint(home: Path, file: Path | None) -> tuple[Checkpoint | None, str]:
    """Return the checkpoint and what is wrong with it; the home's own may be absent."""
    from gateway.auth.checkpoint import FILE, BadCheckpoint, read_checkpoint
    from gateway.auth.home import MIGRATIONS
    from gateway.store import DATABASE, Store

    if not (home / DATABASE).exists():
        return None, ""  # commands alone have written: nobody has signed anything
    with closing(Store(home, MIGRATIONS)) as store:
        row = store.one("SELECT did FROM device")
    if row is None:
        return None, ""
    try:
        return read_checkpoint(file or home / FILE, row["did"]), ""
    except BadCheckpoint as error:
        return None, str(error)


def _event_of(entry: str) -> str | None:
    try:
        name = json.loads(entry).get("event")
    except (ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None


# --- telling -------------------------------------------------------------------------------


def _facts(home: Path, verdict: Verdict, known: Checkpoint | None, problem: str) -> dict[str, Any]:
    faults = [{"row": one.n, "kind": one.kind, "text": one.text} for one in verdict.faults]
    if problem:
        faults.append({"row": 0, "kind": "checkpoint", "text": problem})
    return {
        "home": str(home),
        "intact": not faults,
        "rows": verdict.entries,
        "last": verdict.head.n,
        "hash": verdict.head.hash.hex(),
        "checkpoint": None if known is None else {"row": known.head.n, "time_ms": known.time_ms},
        "faults": faults,
    }


def _text(facts: dict[str, Any]) -> str:
    faults = facts["faults"]
    verdict = "intact" if facts["intact"] else "NOT as it was written"
    lines = [f"{facts['home']}: {facts['rows']} rows, the last is {facts['last']}: {verdict}"]
    lines += [f"  {fault['text']}" for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"  and {len(faults) - SHOWN} more; --json lists them")
    known = facts["checkpoint"]
    if known is not None:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known["time_ms"] / 1000))
        lines.append(f"signed up to row {known['row']} on {when}: a cut before it would show")
    else:
        lines.append("there is no checkpoint: that rows at the end are gone might not show")
    lines.append(f"head {facts['hash']}")
    return "\n".join(lines)
