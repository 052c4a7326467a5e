"""Results of commands: stored, so that a peer makes no change twice; sent in parts if long.

A command is noted as taken before it is executed, and as done with its answer after. The last ones
are kept, in memory and, where there is a path, in a file, so that they outlive the peer. The file
has a note a line, the newest of an id counts::

    {"from":731}                               of smaller ids nothing is known but what follows
    {"id":731}                                 taken
    {"id":731,"res":{"t":"res","id":731,...}}  done

A last line without an end was being written when the peer died: its command was not executed yet,
or its result not told. Any other line that cannot be read means that the file is not what was
written, and then all of it counts as lost. Answers may tell of people (a manager's new users), so
nobody but its owner may read it.

A power cut takes the last notes with it, unless each was synced. So a table that was read from a
file of which that is not known says of no command that it was never taken, where that was asked of
the peer before: it begins anew at the next question.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from ea_bridge import host
from ea_bridge.commands import FILE_WRITE_ERROR, TOO_LATE
from ea_bridge.model import History
from ea_bridge.model.struct import Page
from ea_bridge.protocol.messages import Cmd, Counter, Res

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


_log = logging.getLogger(__name__)


LINES_PER_RESULT = 8
"""Of the file, before it is written anew with what still counts."""

State = Literal["absent", "taken", "done", "forgotten"]


class _Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the file."""

    start: Counter | None = msgspec.field(default=None, name="from")
    id: Counter | None = None
    res: Res | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Note)


class ResultStore:
    """Store of the last commands that a peer has taken and that change something, by their ids.

    Args:
        path: keeps them between runs; in memory only if absent.
        room: how many are kept.
        durable: what was taken is on the disk before it is executed, and not only on its way
            there: it outlives the machine too.

    Raises:
        OSError: the file is there and cannot be read.

    """

    def __init__(self, path: Path | None = None, *, room: int, durable: bool = False) -> None:
        self._path = path
        self._room = room
        self._durable = durable
        self._taken: OrderedDict[int, Res | None] = OrderedDict()
        self._horizon: int | None = None
        self._lines = 0
        self._load()

    def __contains__(self, command_id: int) -> bool:
        return command_id in self._taken

    def asked(self, command_id: int) -> None:
        """Note the id of a question; a table without a horizon takes this id as its horizon.

        A question gets its id when it is written, so whatever this peer may have executed on an
        earlier link, and has forgotten, has a smaller one.
        """
        if self._horizon is None:
            self._horizon = command_id
            try:
                self._append(_Note(start=command_id))
            except OSError as error:
                _log.warning("%s is not written: %s", self._path, error)

    def take(self, command_id: int) -> None:
        """Note a command that is about to be executed.

        Raises:
            OSError: it could not be noted, so it must not be executed.

        """
        # on the disk first: a peer that dies in between has not executed it, and says so
        self._append(_Note(id=command_id))
        self._keep(command_id, None)
        if self._lines > LINES_PER_RESULT * self._room:
            self._write_anew()

    def finish(self, res: Res) -> None:
        """Note the answer to a command that was taken."""
        # in memory first: the command is done, whether the disk takes its result or not
        self._keep(res.id, res)
        try:
            self._append(_Note(id=res.id, res=res))
        except OSError as error:
            _log.warning("the result of command %d is not written: %s", res.id, error)

    def answer(self, command_id: int) -> Res | None:
        """Return the answer to a command that was taken; ``None`` where it is not known."""
        return self._taken[command_id]

    def state(self, command_id: int) -> State:
        """Say what is known of a command; see :class:`~ea_bridge.commands.StoredResult`."""
        if command_id in self._taken:
            return "taken" if self._taken[command_id] is None else "done"
        is_covered = self._horizon is not None and command_id >= self._horizon
        return "absent" if is_covered else "forgotten"

    def reload(self) -> None:
        """Begin anew with what the file has, as a peer does that was started again."""
        self._clear()
        self._load()

    def lose(self) -> None:
        """Forget everything, and delete the file."""
        self._clear()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _keep(self, command_id: int, res: Res | None) -> None:
        self._taken[command_id] = res
        if len(self._taken) > self._room:
            oldest, _ = self._taken.popitem(last=False)
            if self._horizon is not None:  # else what is missing may be older than that
                self._horizon = max(self._horizon, oldest + 1)

    def _clear(self) -> None:
        self._taken.clear()
        self._horizon = None
        self._lines = 0

    # --- the file --------------------------------------------------------------------------

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        *lines, torn = self._path.read_bytes().split(b"\n")
        try:
            for line in lines:
                self._read(_decoder.decode(line))
        except msgspec.MsgspecError as error:
            _log.warning("%s is damaged, so its results are forgotten: %s", self._path, error)
            self.lose()
            return
        self._lines = len(lines)
        if not self._durable:
            self._horizon = None  # what was taken last may be missing
        if torn:  # the next note would be appended to half a line
            self._write_anew()

    def _read(self, note: _Note) -> None:
        if note.start is not None:
            self._horizon = note.start
        if note.id is not None:
            self._keep(note.id, note.res)

    def _append(self, note: _Note) -> None:
        if self._path is None:
            return
        is_new = not self._lines
        with open(self._path, "ab", opener=_private) as file:
            file.write(_encoder.encode(note) + b"\n")
            self._settle(file)
        if is_new:
            self._settle_folder(self._path.parent)
        self._lines += 1

    def _settle(self, file: BinaryIO) -> None:
        if self._durable:
            file.flush()
            os.fsync(file.fileno())

    def _settle_folder(self, folder: Path) -> None:
        """Have the file's place in its folder on the disk; Windows sees to that by itself."""
        if self._durable and os.name == "posix":
            opened = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)

    def _write_anew(self) -> None:
        """Write what counts into a new file, and put it into the place of the old."""
        if self._path is None:
            return
        notes = [] if self._horizon is None else [_Note(start=self._horizon)]
        notes += [_Note(id=id_, res=res) for id_, res in self._taken.items()]
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            with open(fresh, "wb", opener=_private) as file:
                file.writelines(_encoder.encode(note) + b"\n" for note in notes)
                self._settle(file)
            host.replace_file(fresh, self._path)
            self._settle_folder(self._path.parent)
        except OSError as error:
            _log.warning("%s is not written anew, so it grows: %s", self._path, error)
        else:
            self._lines = len(notes)


def _private(path: str, flags: int) -> int:
    # from the first byte on: a chmod afterwards would leave a moment for others to look
    return os.open(path, flags, 0o600)


def execute_once(
    cmd: Cmd, results: ResultStore, waited_ms: float, carry_out: Callable[[Cmd], list[Res]]
) -> list[Res]:
    """Carry out a command once; a repeated one returns the stored answer, if there is one.

    It is noted as taken before it begins; where that cannot be, it is refused. What comes later
    than its ``ttl`` is refused too.

    Args:
        waited_ms: how long ago the command came.
        carry_out: does it and answers; nothing where it does not know how it ended. What it
            raises leaves the command taken.
    """
    if cmd.id in results:
        stored = results.answer(cmd.id)
        return [] if stored is None else [stored]
    try:
        results.take(cmd.id)
    except OSError as error:
        _log.warning("command %d cannot be noted: %s", cmd.id, error)
        return [Res(id=cmd.id, ok=False, err=FILE_WRITE_ERROR, msg="it cannot be noted")]
    # taken first, refused as late after: asked again it is refused again, and never begun
    answer = _late(cmd) if 0 < cmd.ttl < waited_ms else carry_out(cmd)
    # none: nobody knows how it ended, and it stays taken
    if len(answer) == 1:
        results.finish(answer[0])
    return answer


def parse_ids(text: str, most: int) -> list[int] | None:
    """Read ids with commas between them; ``None`` if it is something else, or over ``most``."""
    ids = text.split(",")
    # ``isdigit`` alone would take a superscript, of which ``int`` makes no number
    if len(ids) > most or not all(id_.isascii() and id_.isdigit() for id_ in ids):
        return None
    return [int(id_) for id_ in ids]


def _late(cmd: Cmd) -> list[Res]:
    said = f"the command was to begin within {cmd.ttl} ms"
    return [Res(id=cmd.id, ok=False, err=TOO_LATE, msg=said)]


# --- long answers ----------------------------------------------------------------------------

MAX_PART_BYTES = 256 * 1024
"""Of a long answer in one line: a quarter of what a line may have, so that what is urgent does
not wait for long behind it. Counted in bytes, since an order is five times as long as a bar."""


def split_result(command_id: int, result: Any) -> list[Res]:
    """Return an answer's messages: a long list, page or history in parts of the same kind."""
    whole = _encoder.encode(result)
    if len(whole) > MAX_PART_BYTES:
        if isinstance(result, Page):
            return _cut(command_id, result.rows, b'{"total":%d,"rows":[' % result.total, b"]}")
        if isinstance(result, History):
            tail = b'],"missing":%b}' % _encoder.encode(result.missing)
            return _cut(command_id, result.rows, b'{"rows":[', tail)
        if isinstance(result, list):
            return _cut(command_id, result, b"[", b"]")
    return [Res(id=command_id, ok=True, d=msgspec.Raw(whole))]


def _cut(command_id: int, rows: Iterable[Any], head: bytes, tail: bytes) -> list[Res]:
    lists = [head + b",".join(some) + tail for some in _fitting(map(_encoder.encode, rows))]
    last = len(lists) - 1
    return [
        Res(id=command_id, ok=True, d=msgspec.Raw(text), part=part, last=part == last)
        for part, text in enumerate(lists)
    ]


def _fitting(rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Put rows together that fit into one part; one that is longer by itself is alone."""
    some: list[bytes] = []
    size = 0
    for row in rows:
        if some and size + len(row) > MAX_PART_BYTES:
            yield some
            some, size = [], 0
        some.append(row)
        size += len(row) + 1
    yield some


# --- one peer in one folder -------------------------------------------------------------------


class FolderLocked(Exception):
    """Another process has the folder."""


class FolderLock:
    """Lock that holds a folder until this process ends, however it ends.

    Two peers with one table of results would each not know what the other has executed, and say
    of it that it never was.

    Args:
        folder: there already.

    Raises:
        FolderLocked: another process has it.
        OSError: nothing can be written there.

    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "claim").open("ab")
        try:
            if sys.platform == "win32":
                self._file.seek(0)
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                # the system lets go of it with the process: no lock is left behind by a crash
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise FolderLocked(f"another peer runs with {folder}") from error

    def release(self) -> None:
        """Let the next one have it."""
        self._file.close()
