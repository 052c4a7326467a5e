"""``audit``: the trail of what was done, looked at and given out."""

from __future__ import annotations

import asyncio
import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ea_bridge.host import wall_ms
from gateway.cli.home import home_in_use
from gateway.cli.output import CliError, known_failures, utc_minute, visible
from gateway.cli.token import ConfigFile, HomeOption, Json

if TYPE_CHECKING:
    from gateway.audit import TrailVerdict
    from gateway.audit.archive import Part
    from gateway.audit.checkpoint import Checkpoint
    from gateway.audit.verify import Signatures
    from gateway.credentials.daemon_api import TrailTold
    from gateway.credentials.device import DeviceKey
    from gateway.storage.store import Store


From = Annotated[
    int, typer.Option("--from", min=1, help="The first row; those before it are left out.")
]
Archives = Annotated[
    list[Path] | None,
    typer.Option(
        exists=True, dir_okay=False, help="A file of audit archive, too; repeatable, oldest first."
    ),
]
ARCHIVES = "audit-archive"
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
    archive: Archives = None,
    home: HomeOption = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """See that no row of the audit trail was changed, inserted, swapped or removed.

    Exit code 1: one was. A gateway may run meanwhile. A console is asked what it was told of it.
    """
    from gateway.audit import verify as look

    place = home or home_in_use()
    with _trail(place) as store:
        # the checkpoint first: what is written meanwhile comes after it
        known, problems = _checkpoint(place, checkpoint, store)
        problems += [problem for problem in (_mark_problem(place, store),) if problem]
        problems += _archive_problems(store, archive or ())
        head = None if known is None else known.head
        verdict = look(store, head, start=start, signatures=_signatures(place))
        begin = begin_row(store)
        is_signed = _device(place) is not None
        proof = prove(place, config) if is_signed else Proof()
        said = testimony(place, config, store) if is_signed else None
    problems += [proof.problem] if proof.problem else []
    problems += [said.problem] if said is not None and said.problem else []
    facts = _facts(place, verdict, known, problems) | {
        "archived": begin,
        "key_not_tried": proof.not_tried,
        "console": None if said is None else asdict(said),
    }
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
    from gateway.audit.archive import line_of

    wanted = frozenset(event or ())
    with _trail(home or home_in_use()) as store:
        for row in rows(store, start):
            entry = row["entry"].decode(errors="replace")
            if wanted and _event_of(entry) not in wanted:
                continue
            # as it was signed, in whatever encoding the terminal is
            sys.stdout.buffer.write(line_of(row["n"], row["hash"], row["entry"]))


def archive(
    older_than: Annotated[str, typer.Argument(help="Such as 90d or 52w; also 12h.")],
    *,
    to: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Folder of the file; audit-archive in the home if absent."
        ),
    ] = None,
    home: HomeOption = None,
    config: ConfigFile = None,
) -> None:
    """Move the oldest rows of the audit trail into a file, where they can still be verified.

    The trail begins after them from then on, with a checkpoint that is signed. A gateway may run
    meanwhile. The database does not shrink: the room is used again.
    """
    from gateway.audit import archive as archives
    from gateway.audit import begin_of
    from gateway.credentials.issuer import parse_duration

    place = home or home_in_use()
    folder = to or place / ARCHIVES
    with _trail(place) as store:
        archives.take_out(store)  # what an interrupted one has left
        before_ms = wall_ms() - parse_duration(older_than) * 1000
        begin, last = begin_of(store).n, archives.last_before(store, before_ms)
        if last <= begin:
            sys.stdout.write(f"{place}: no row is older than {older_than}\n")
            return
        file = folder / f"audit-{begin + 1:09}-{last:09}.jsonl"
        part = _written(store, file, last)
        _mark(place, config, store, part, file)
        rows = archives.take_out(store)
    sys.stdout.write(f"{place}: {rows} rows up to {last} are in {file}\n")


# --- opening -------------------------------------------------------------------------------


@contextmanager
def _trail(home: Path) -> Iterator[Store]:
    """Open the ledger of a home; what is wrong with it becomes a complaint."""
    from gateway.home.ledger import open_ledger_store
    from gateway.storage.ledger import DATABASE

    try:
        is_there = (home / DATABASE).exists()
    except OSError as error:
        raise CliError(
            f"{home}: {error.strerror}; run this as the gateway's user, with its --home"
        ) from error
    if not is_there:
        raise CliError(f"there is no {DATABASE} in {home}: no gateway has run there yet")
    try:
        with closing(open_ledger_store(home)) as store:
            yield store
    except known_failures() as error:
        raise CliError(str(error)) from error


def _checkpoint(
    home: Path, file: Path | None, trail: Store
) -> tuple[Checkpoint | None, list[str]]:
    """Return the checkpoint, or the copy of one that is gone, and what is wrong."""
    from gateway.audit import check_end
    from gateway.audit import checkpoint as checkpoints

    known: Checkpoint | None = None
    problems: list[str] = []
    copy: Checkpoint | None = None
    with _believing(home) as found:
        if found is None:
            return None, []  # commands alone have written: nobody has signed anything
        store, did = found
        try:
            known = checkpoints.read_checkpoint(file or home / checkpoints.FILE, did)
            copy = checkpoints.copied_checkpoint(store, did)
        except checkpoints.BadCheckpoint as error:
            problems.append(str(error))
        if known is None and not problems and (problem := checkpoints.missing(trail, copy)):
            problems.append(problem)
        if known is not None and copy is not None:
            faults = check_end(trail, copy.head)
            problems += [f"by the copy of it: {fault.text}" for fault in faults if copy != known]
    return known or copy, problems


def _signatures(home: Path) -> Signatures | None:
    """Return what reads the signatures within the trail of a home."""
    from gateway.audit.checkpoint import signatures

    did = _device(home)
    return None if did is None else signatures(did)


def _device(home: Path) -> str | None:
    """Return the id of a home's device; ``None`` where there is none yet."""
    with _believing(home) as found:
        return None if found is None else found[1]


@contextmanager
def _believing(home: Path) -> Iterator[tuple[Store, str] | None]:
    """Yield the database of a home's tokens, and the id of its device; ``None`` before there is
    one.
    """
    from gateway.home.home import MIGRATIONS
    from gateway.storage.store import DATABASE, Store

    if not (home / DATABASE).exists():
        yield None
        return
    with closing(Store(home, MIGRATIONS)) as store:
        row = store.one("SELECT did FROM device")
        yield None if row is None else (store, str(row["did"]))


def _event_of(entry: str) -> str | None:
    try:
        name = json.loads(entry).get("event")
    except (ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None


def begin_row(store: Store) -> int:
    """Return up to which row a trail is archived."""
    from gateway.audit import begin_of

    return begin_of(store).n


def _mark_problem(home: Path, store: Store) -> str:
    """Return what is wrong with the mark with which the trail begins."""
    from gateway.audit.checkpoint import check_begin

    did = _device(home)
    if did is None:
        return "the trail was archived, but no gateway has run here" if begin_row(store) else ""
    return check_begin(store, did)


def _archive_problems(store: Store, files: Sequence[Path]) -> list[str]:
    from gateway.audit.archive import ArchiveError, check_files

    try:
        if files:
            check_files(store, files)
    except ArchiveError as error:
        return [str(error)]
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}") from error
    return []


def _written(store: Store, file: Path, last: int) -> Part:
    from gateway.audit.archive import ArchiveError, make_folder, write_file

    try:
        make_folder(file.parent)
        return write_file(store, file, last)
    except ArchiveError as error:
        raise CliError(f"nothing was archived: {error}") from error
    except OSError as error:
        where = error.filename or file
        raise CliError(f"nothing was archived: {where}: {error.strerror}") from error


def _mark(home: Path, config: Path | None, store: Store, part: Part, file: Path) -> None:
    """Let the trail begin after what was written; if that fails the file goes."""
    from gateway.audit.archive import ArchiveError, is_marked, mark
    from gateway.audit.checkpoint import signed
    from gateway.audit.recorder import entry_of
    from gateway.config import load_for
    from gateway.home.home import Home

    try:
        settings = load_for(home, config)
        with Home(home, settings.secrets) as opened:
            text = signed(opened.device, part.end, wall_ms())
        entry = entry_of(
            "audit_archived", actor="cli", first=part.begin.n + 1, last=part.end.n, file=file.name
        )
        mark(store, part, text, entry)
    except BaseException as error:
        if not is_marked(store, part):  # else it was interrupted when all was done
            file.unlink(missing_ok=True)
        if isinstance(error, ArchiveError):
            raise CliError(f"nothing was archived: {error}") from error
        if isinstance(error, known_failures()):
            raise CliError(str(error)) from error
        raise


# --- telling -------------------------------------------------------------------------------


def _facts(
    home: Path, verdict: TrailVerdict, known: Checkpoint | None, problems: Sequence[str]
) -> dict[str, Any]:
    faults = [{"row": fault.n, "kind": fault.kind, "text": fault.text} for fault in verdict.faults]
    faults += [{"row": 0, "kind": "checkpoint", "text": problem} for problem in problems]
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
    if facts["archived"]:
        lines.append(f"it begins after row {facts['archived']}: those up to it are archived")
    lines += [f"  {fault['text']}" for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"  and {len(faults) - SHOWN} more; --json lists them")
    known = facts["checkpoint"]
    if known is not None:
        when = utc_minute(known["time_ms"] / 1000)
        lines.append(f"signed up to row {known['row']} on {when}: a cut before it would show")
    else:
        lines.append("there is no checkpoint: that rows at the end are gone might not show")
    if facts["key_not_tried"]:
        lines.append(f"whose signatures these are was not looked at: {facts['key_not_tried']}")
    said = facts["console"]
    if said is not None and said["not_asked"]:
        lines.append(f"the console was not asked: {said['not_asked']}")
    elif said is not None:
        told = "of nothing yet" if said["row"] is None else f"of rows up to {said['row']}"
        lines.append(f"the console at {said['url']} was told {told}")
    lines.append(f"head {facts['hash']}")
    return "\n".join(visible(line) for line in lines)


@dataclass(frozen=True, slots=True)
class Testimony:
    """Answer of the console on the trail."""

    url: str
    row: int | None = None
    """The newest that it has been told of; ``None``: of none, or it was not asked."""
    problem: str = ""
    """What does not go together with the trail."""
    not_asked: str = ""
    """Why nobody can tell."""


@dataclass(frozen=True, slots=True)
class _Rows:
    store: Store

    def archived(self) -> int:
        from gateway.audit import begin_of

        return begin_of(self.store).n

    def hash_at(self, n: int) -> bytes | None:
        from gateway.audit import hash_of

        return hash_of(self.store, n)


def testimony(home: Path, config_file: Path | None, trail: Store) -> Testimony | None:
    """Ask the console of a home; ``None`` where there is none.

    Args:
        home: with a database.
        config_file: as with ``serve``.
        trail: the ledger's.

    """
    from gateway.config import load_for
    from gateway.console_link.http import ConsoleFailure
    from gateway.console_link.witness import contradiction
    from gateway.home.home import Home
    from gateway.home.home_console import console_of

    url = ""
    failures: tuple[type[Exception], ...] = (*known_failures(), ConsoleFailure)
    try:
        settings = load_for(home, config_file)
        # before the secrets: a home without a console asks for no passphrase
        url = settings.console.url or _noted(home)
        if not url:
            return None
        with Home(home, settings.secrets) as opened:
            console = console_of(opened.store, settings.console)
            device = opened.device
        url = url if console is None else console.url or url
        told = asyncio.run(_ask(url, device))
    except failures as error:
        return Testimony(url, not_asked=str(error))
    problem = contradiction(told, device, _Rows(trail))
    return Testimony(url, row=_row(told, device), problem=problem)


def _noted(home: Path) -> str:
    """Return the console that a home has noted, without opening its secrets."""
    from contextlib import closing

    from gateway.home.home import MIGRATIONS
    from gateway.home.home_console import noted_console
    from gateway.storage.store import Store

    with closing(Store(home, MIGRATIONS)) as store:
        console = noted_console(store)
    return "" if console is None else console.url


async def _ask(url: str, device: DeviceKey) -> TrailTold:
    from gateway.auth.console_clock import Clocks
    from gateway.console_link.http import ConsoleHttp
    from gateway.console_link.witness import ask

    async with ConsoleHttp(url, device, Clocks()) as http:
        return await ask(http)


def _row(told: TrailTold, device: DeviceKey) -> int | None:
    from gateway.credentials.device import open_head
    from gateway.credentials.envelope import EnvelopeError
    from gateway.credentials.keyset import public_key

    try:
        return open_head(told.newest, public_key(device.public)).n if told.newest else None
    except EnvelopeError:
        return None


class Proof(NamedTuple):
    """Result of the check of the key."""

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
    from gateway.cli.doctor.key import examine
    from gateway.cli.output import known_failures
    from gateway.config import load_for
    from gateway.credentials.device import open_device
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
