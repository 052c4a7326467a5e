"""Recorder of the audit trail: a call costs microseconds and waits for nothing.

An entry is one row, as the JSON that is hashed. Every entry has ``ts`` (UTC milliseconds),
``mono_us`` (a clock that no person sets, to tell how much later one thing was than another),
``boot`` (which run of which program) and ``event``. Beside them stand what fits: ``actor`` (id of
a token, ``cli`` or ``daemon``), ``terminal``, ``object`` (what it was done to), ``outcome``,
``reason``, ``address`` (of another machine that called), and facts of the event.

No secret goes in: whoever records leaves them out, and as a second line of defence values under
names that only secrets have are taken out here, and so is what looks like a token.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import orjson

from ea_bridge import host
from gateway.storage.store import StoreError

from .table import append

if TYPE_CHECKING:
    from gateway.storage.ledger import Ledger  # with asyncio, which a command that halts needs not

MAX_TEXT = 512
"""Characters of one text."""
MAX_ITEMS = 64
"""Of one list or object."""
MAX_DEPTH = 4
MAX_ENTRY = 8192
"""Bytes of an entry; a larger one keeps its head alone."""
REMOVED = "[removed]"

_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|bearer|authorization|cookie|^(auth_?)?token$|^ticket_text$|private"
    r"|^kek$|^code$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"mgt_[0-9A-Za-z]{13,}|eyJ[\w-]+\.[\w-]+\.[\w-]+|mtg\.(ticket|bearer)\.[A-Za-z0-9_=-]+"
)
_TOKEN_MARKS = (b"mgt_", b"eyJ", b"mtg.")
"""One of them stands in all that :data:`_SECRET_TEXT` takes out."""
_PLAIN = frozenset({str, int, float, bool, type(None)})
_HEAD = ("ts", "mono_us", "boot", "event", "actor", "terminal", "object", "outcome", "reason")


def encode(entry: Mapping[str, Any]) -> bytes:
    """Return an entry's bytes: sorted keys, no spaces, nothing secret, of bounded size.

    Never raises for what a value is: what is no JSON is written as text.
    """
    if not any(map(_is_secret, entry)):
        plain = {
            name: value if type(value) in _PLAIN else _cleaned(name, value)
            for name, value in entry.items()
        }
        body = _json(plain)
        # nearly always, and it costs half: so short that no text of it is to be cut, and nothing
        # in it looks like a token
        if len(body) <= MAX_TEXT and not any(mark in body for mark in _TOKEN_MARKS):
            return body
    body = _json({name: _cleaned(name, value) for name, value in entry.items()})
    if len(body) <= MAX_ENTRY:
        return body
    # what it was and who did it fits always; how much was left out is said
    head = {name: _cleaned(name, entry[name]) for name in _HEAD if name in entry}
    return _json({**head, "left_out_bytes": len(body)})


def _json(entry: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        text = json.dumps(entry, default=str, sort_keys=True, separators=(",", ":"))
        return text.encode("ascii")


def _cleaned(name: str, value: Any, depth: int = 0) -> Any:
    if _is_secret(name):
        return REMOVED
    if type(value) is str:
        return _text(value)
    if value is None or isinstance(value, int | float):
        return value
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        items = list(value.items())[:MAX_ITEMS]
        return {_text(str(key)): _cleaned(str(key), item, depth + 1) for key, item in items}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_cleaned("", item, depth + 1) for item in list(value)[:MAX_ITEMS]]
    return _text(str(value))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _text(text: str) -> str:
    if "mgt_" in text or "eyJ" in text or "mtg." in text:
        text = _SECRET_TEXT.sub(REMOVED, text)
    return text[:MAX_TEXT]


OFTEN = 10
"""Events of one kind that are each noted, in :data:`OFTEN_S`; of more their number is."""
OFTEN_S = 60.0
HOUR_S = 3600.0
MAX_KINDS = 4096
"""Counted at a time; of more kinds nothing is left out."""

Kind = tuple[str, str | None, str | None, str | None, str | None]
"""Event, outcome, reason, actor, and the address of an actor who was let in."""

logger = logging.getLogger(__name__)


class Audit:
    """Recorder of what is done, into the ledger.

    Args:
        ledger: where to; ``None`` keeps nothing, for parts that run without one.

    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger
        self.boot = new_boot()
        """Names this run of the program."""
        self._often = Sampler(OFTEN, OFTEN_S)
        self._hourly = Sampler(1, HOUR_S)

    def record(self, event: str, **fields: Any) -> None:
        """Note an event with the ledger's next group; never raises and never waits.

        Args:
            event: what happened, such as ``kill_switch``.
            fields: as in :mod:`~gateway.audit.recorder`; those that are ``None`` are left out.

        """
        if self._ledger is None:
            return
        try:
            self._ledger.write_soon(partial(_append, entry=_entry(event, self.boot, fields)))
        except StoreError as error:
            logger.error("not in the audit trail: %s: %s", event, error)

    def record_with(self, connection: Connection, event: str, **fields: Any) -> None:
        """Note an event in the transaction of work that the ledger does: both or neither.

        Args:
            connection: of that work; see :meth:`gateway.storage.ledger.Ledger.write`.
            event: what happened.
            fields: as with :meth:`record`.

        """
        if self._ledger is not None:
            append(connection, _entry(event, self.boot, fields))

    async def written(self) -> None:
        """Wait until all that was recorded is on the disk.

        Raises:
            StoreError: it could not be written.

        """
        if self._ledger is not None:
            await self._ledger.write(_nothing)

    # --- what comes in floods ----------------------------------------------------------------

    def often(self, event: str, **fields: Any) -> None:
        """Note what may come in floods: the first ten of a kind in a minute, then a count.

        Args:
            event: such as ``access_refused``.
            fields: as with :meth:`record`. ``outcome``, ``reason`` and ``actor`` make the kind, so
                that an actor whom nobody has checked does not belong there; name it ``object``.

        """
        self._sample(self._often, None, event, fields)

    def once_an_hour(self, event: str, **fields: Any) -> None:
        """Note what goes on and on, such as a bot that shows its token with each call.

        Its ``address`` makes the kind, too: a stolen token must not hide behind its owner's bot.
        """
        self._sample(self._hourly, fields.get("address"), event, fields)

    def count_left_out(self, *, at_end: bool = False) -> None:
        """Note how many of a flood were left out, where it is over; to be called now and then."""
        for sampler in (self._often, self._hourly):
            for (event, outcome, reason, actor, address), more in sampler.over(all_of_them=at_end):
                facts = {"outcome": outcome, "reason": reason, "actor": actor, "address": address}
                self.record(event, more=more, **facts)

    def _sample(
        self, sampler: Sampler, address: str | None, event: str, fields: dict[str, Any]
    ) -> None:
        given = fields.get  # asked with each call over /rpc
        kind = (event, given("outcome"), given("reason"), given("actor"), address)
        left_out = sampler.take(kind)
        if left_out is not None:
            self.record(event, more_before=left_out or None, **fields)


@dataclass(slots=True)
class _Window:
    ends_s: float
    taken: int = 0
    left_out: int = 0


class Sampler:
    """Sampler: the first few of each kind pass, those that follow within a time are counted.

    Args:
        limit: how many pass in each time.
        window_s: the time.
        monotonic_s: seconds that only grow.

    """

    def __init__(
        self,
        limit: int,
        window_s: float,
        monotonic_s: Callable[[], float] = host.monotonic_s,
    ) -> None:
        self._limit = limit
        self._window_s = window_s
        self._monotonic_s = monotonic_s
        self._windows: dict[Kind, _Window] = {}

    def take(self, kind: Kind) -> int | None:
        """Return whether one more of a kind is to be noted.

        Returns:
            How many of it were left out in the time before, if it is; ``None`` if it is not.

        """
        now_s = self._monotonic_s()
        window, left_out = self._windows.get(kind), 0
        if window is None and len(self._windows) >= MAX_KINDS:
            return 0
        if window is None or now_s >= window.ends_s:
            left_out = 0 if window is None else window.left_out
            window = self._windows[kind] = _Window(now_s + self._window_s)
        if window.taken < self._limit:
            window.taken += 1
            return left_out
        window.left_out += 1
        return None

    def over(self, *, all_of_them: bool = False) -> list[tuple[Kind, int]]:
        """Forget the times that are over.

        Args:
            all_of_them: also those that are not: nothing comes any more.

        Returns:
            The kinds of which some were left out, and how many.

        """
        now_s = self._monotonic_s()
        over = [
            kind for kind, window in self._windows.items() if all_of_them or now_s >= window.ends_s
        ]
        counts = [(kind, self._windows.pop(kind).left_out) for kind in over]
        return [(kind, left_out) for kind, left_out in counts if left_out]


def note(connection: Connection, event: str, **fields: Any) -> None:
    """Note an event in a transaction of the ledger's file, for a command that writes once.

    Args:
        connection: of :meth:`gateway.storage.store.Store.transaction`.
        event: what happened.
        fields: as with :meth:`Audit.record`.

    """
    append(connection, _entry(event, new_boot(), fields))


def new_boot() -> str:
    """Return a name for one run of a program."""
    return host.token_urlsafe(6)


def entry_of(event: str, **fields: Any) -> bytes:
    """Return the row that :func:`note` would add, for whoever adds it with something else."""
    return _entry(event, new_boot(), fields)


def _entry(event: str, boot: str, fields: dict[str, Any]) -> bytes:
    entry = {name: value for name, value in fields.items() if value is not None}
    entry["ts"] = host.wall_ms()
    entry["mono_us"] = host.monotonic_ns() // 1000
    entry["boot"] = boot
    entry["event"] = event
    return encode(entry)


def _append(connection: Connection, *, entry: bytes) -> None:
    append(connection, entry)


def _nothing(_: Connection) -> None:
    """Write nothing: what was put into the queue before is written with it, or was before."""
