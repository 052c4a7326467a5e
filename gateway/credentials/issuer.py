"""The local issuer: makes tokens, and signs what is said of them.

One home folder holds both roles, issuer and daemon, but they stay apart in code: the daemon takes
what :func:`published` gives out, and believes nothing that does not verify against the pinned root
key. The root key signs the set of operational keys, an operational key signs the records. Private
keys and server keys lie sealed; of a token only derived keys are kept.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from sqlite3 import Connection
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ea_bridge import host
from ea_bridge.token import MalformedToken, derive_keys, new_token, parse_token
from gateway.errors import did_you_mean
from gateway.storage.store import Store

from .envelope import EnvelopeError
from .keyset import DAY_S, SERVER_KEYS, SigningKeys
from .record import (
    AUDIENCE,
    MAX_SECONDS,
    NAME,
    REMOTE_ALONE,
    Platform,
    Record,
    Scope,
    TradeLimits,
    checked_limits,
    open_record,
)
from .secrets import Place, SecretBox

logger = logging.getLogger(__name__)

ISSUER = "local"
MAX_OVERLAP_S = DAY_S
"""How long a replaced token may go on beside the new one."""
NO_LIMITS = TradeLimits()
NOTHING: Mapping[str, object] = MappingProxyType({})
MAX_ENDED = 1000
"""Records kept of tokens that open nothing any more; beyond that the oldest is forgotten."""

_DURATION = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": DAY_S, "w": 7 * DAY_S}


class IssuerError(ValueError):
    """The token cannot be made or found; the message says why."""


@dataclass(frozen=True)
class Published:
    """Records and keys that an issuer hands to its daemons."""

    key_set: str
    """The newest ``keys`` envelope; empty if there is none."""
    records: list[PublishedRecord]


@dataclass(frozen=True)
class PublishedRecord:
    """One token."""

    tid: str
    envelope: str
    server_key: str | None = field(repr=False)
    """Sealed, see :func:`server_key_place`; ``None`` where a console has not given it."""


def published(store: Store) -> Published:
    """Return what the issuer of a store hands out now; nothing in it is verified."""
    key_set = store.one("SELECT envelope FROM key_sets ORDER BY ver DESC")
    rows = store.all("SELECT tid, envelope, server_key FROM records")
    return Published(
        "" if key_set is None else key_set["envelope"],
        [PublishedRecord(row["tid"], row["envelope"], row["server_key"]) for row in rows],
    )


def server_key_place(tid: str) -> Place:
    """Return where a token's server key lies sealed."""
    return SERVER_KEYS.place(tid)


def recorded(store: Store, box: SecretBox) -> tuple[Record, ...]:
    """Return what :meth:`Issuer.list` does, without an issuer: nothing is made or renewed.

    Raises:
        SecretsError: a private key does not open with this box.

    """
    return _all_records(store, SigningKeys(store, box, ISSUER))


def parse_duration(text: str) -> int:
    """Return the seconds of ``90s``, ``45m``, ``12h``, ``30d`` or ``8w``.

    Raises:
        IssuerError: the text is none of these, or 0.

    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise IssuerError(f"{text!r} is no duration; write for example 12h, 30d or 8w")
    return int(match[1]) * _SECONDS[match[2]]


class Issuer:
    """Issuer that makes, lists, replaces and revokes tokens.

    Several may work on one home, in one process or in many.

    Args:
        store: with the tables of :mod:`.keyset`.
        box: seals the private keys.
        now_s: seconds since 1970.

    Raises:
        SecretsError: the private keys do not open with this box.

    """

    def __init__(
        self, store: Store, box: SecretBox, now_s: Callable[[], int] = lambda: int(host.wall_s())
    ) -> None:
        self._store = store
        self._box = box
        self._now_s = now_s
        self._keys = SigningKeys(store, box, ISSUER)
        self.on_change: Callable[[Sequence[Record]], None] = lambda _: None
        """Told of the records that took something away, or may have, once they are on the disk."""
        self.renew()

    @property
    def root(self) -> Ed25519PublicKey:
        """The key that a daemon pins."""
        return self._keys.root()

    def create(
        self,
        name: str,
        *,
        scopes: Collection[str] = (Scope.TRADE,),
        lifetime_s: int | None = None,
        platform: str | None = None,
        limits: TradeLimits = NO_LIMITS,
    ) -> tuple[str, Record]:
        """Make a token for the terminal ``name``.

        Args:
            name: 1 to 64 of ``A-Z a-z 0-9 . _ -``; one live token has it.
            scopes: of :class:`~.record.Scope`.
            lifetime_s: seconds until it expires; ``None`` for never.
            platform: ``mt4`` or ``mt5`` for a terminal of that platform alone.
            limits: of trading.

        Returns:
            The token, which nobody can find out again, and its record.

        Raises:
            IssuerError: the name is malformed or has a live token, or an argument is out of range.
            LimitsError: a record cannot carry these limits.

        """
        if not NAME.fullmatch(name):
            raise IssuerError(
                "a name has 1 to 64 letters, digits, dots, dashes or underscores, and begins with "
                "a letter or digit"
            )
        with self._store.transaction() as db:
            # under the write lock: another process may be making a token of the same name
            if any(
                record.label == name and record.is_live(self._now_s()) for record in self.list()
            ):
                raise IssuerError(
                    f"the terminal {name!r} has a token already; replace it, revoke it or use "
                    "another name"
                )
            return self._create(db, name, scopes, lifetime_s, platform, limits)

    def list(self) -> tuple[Record, ...]:
        """Return the records of all tokens there ever were, in the order of their making.

        One that was altered opens nothing, and is left out with an error in the log: it must not
        keep anybody from revoking the others.
        """
        return _all_records(self._store, self._keys)

    def revoke(self, which: str) -> tuple[Record, ...]:
        """End a token for good; a daemon notices within a quarter of a second.

        Args:
            which: the terminal's name, the token's public id, or the token itself.

        Returns:
            The records that are revoked now; of a terminal whose token is being replaced, two.

        Raises:
            IssuerError: no live token goes by that.

        """
        with self._store.transaction() as db:
            revoked = tuple(
                self._change(db, record, status="revoked") for record in self._live(which)
            )
        # behind the commit: who is told acts at once, and must not see it undone
        self.on_change(revoked)
        return revoked

    def obey(self, revoked: Mapping[str, int]) -> None:
        """Revoke tokens that were, by ids and versions, as a restored store does not know."""
        with self._store.transaction() as db:
            for record in self.list():
                if record.tid in revoked and record.status != "revoked":
                    # from the version that was seen on: an older one would count as a replay
                    known = record.model_copy(
                        update={"rec_ver": max(record.rec_ver, revoked[record.tid])}
                    )
                    self._change(db, known, status="revoked")
                    logger.warning("the token of %s was revoked before the restore", record.label)

    def replace(
        self,
        which: str,
        *,
        overlap_s: int = MAX_OVERLAP_S,
        lifetime_s: int | None = None,
        limits: Mapping[str, object] = NOTHING,
    ) -> tuple[str, Record]:
        """Make a new token for a terminal; the old one goes on for a while.

        Args:
            which: as for :meth:`revoke`.
            overlap_s: for which the old token still works; 0 revokes it at once.
            lifetime_s: of the new token; ``None`` for as long as the old one was made for.
            limits: members of :class:`~.record.TradeLimits` that are to be others than those of
                the old token; ``None`` lifts one.

        Returns:
            The new token and its record; platform, scopes and all other limits are those of the
            old one.

        Raises:
            IssuerError: no live token goes by that, or the overlap is longer than
                :data:`MAX_OVERLAP_S`.
            LimitsError: a record cannot carry these limits.

        """
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise IssuerError(f"two tokens may overlap for {MAX_OVERLAP_S // 3600} hours at most")
        with self._store.transaction() as db:
            # the newest: the other one is being replaced by it already
            *_, old = self._live(which)
            if lifetime_s is None and old.exp is not None:
                lifetime_s = old.exp - old.created_at
            changed = [self._end(db, record, overlap_s) for record in self._live(old.label)]
            made = self._create(
                db, old.label, old.scopes, lifetime_s, old.platform, _changed(old.limits, limits)
            )
        self.on_change(changed)
        return made

    def change_limits(self, which: str, limits: Mapping[str, object]) -> tuple[Record, ...]:
        """Set limits of a terminal's token; a daemon holds the very next order to them.

        Args:
            which: as for :meth:`revoke`.
            limits: members of :class:`~.record.TradeLimits`; ``None`` lifts one, what is not named
                stays.

        Returns:
            The records as they are now; of a terminal whose token is being replaced, two.

        Raises:
            IssuerError: no live token goes by that.
            LimitsError: a record cannot carry these limits.

        """
        with self._store.transaction() as db:
            changed = tuple(
                self._change(db, record, limits=_changed(record.limits, limits))
                for record in self._live(which)
            )
        self.on_change(changed)
        return changed

    def renew(self) -> None:
        """Make the keys that are missing or run out soon, and sign the records anew with them.

        Done at every start; who runs for months does it once a day.
        """
        with self._store.transaction() as db:
            # all signed anew: a signature counts no longer than its key
            if self._keys.renew(db, self._now_s()):
                for record in self.list():
                    self._write(db, record)

    # --- within a transaction --------------------------------------------------------------

    def _create(
        self,
        db: Connection,
        name: str,
        scopes: Collection[str],
        lifetime_s: int | None,
        platform: str | None,
        limits: TradeLimits,
    ) -> tuple[str, Record]:
        token, now_s = new_token(host.choice), self._now_s()
        keys = derive_keys(token)
        record = Record(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            tid=parse_token(token),
            label=name,
            platform=_platform(platform),
            rec_ver=1,
            status="active",
            created_at=now_s,
            exp=_expiry(now_s, lifetime_s),
            scopes=_scopes(scopes),
            stored_key=keys.stored_key.hex(),
            server_key_sha256=hashlib.sha256(keys.server_key).hexdigest(),
            limits=checked_limits(limits),
        )
        sealed = self._box.seal(keys.server_key, server_key_place(record.tid))
        envelope = self._keys.sign("rec", record.payload())
        db.execute("INSERT INTO records VALUES (?, ?, ?)", (record.tid, envelope, sealed))
        # kept to be listed, but not for ever: each start verifies all of them
        ended = [record.tid for record in self.list() if not record.is_live(now_s)]
        db.executemany("DELETE FROM records WHERE tid = ?", [(tid,) for tid in ended[:-MAX_ENDED]])
        return token, record

    def _end(self, db: Connection, record: Record, overlap_s: int) -> Record:
        """End a record that is replaced, now or after a while."""
        # replaced a second time: two tokens overlap, never three
        if overlap_s == 0 or record.status == "superseded":
            return self._change(db, record, status="revoked")
        end = self._now_s() + overlap_s
        exp = end if record.exp is None else min(end, record.exp)
        return self._change(db, record, status="superseded", exp=exp)

    def _change(self, db: Connection, record: Record, **changes: object) -> Record:
        changed = record.model_copy(update={**changes, "rec_ver": record.rec_ver + 1})
        self._write(db, changed)
        return changed

    def _write(self, db: Connection, record: Record) -> None:
        envelope = self._keys.sign("rec", record.payload())
        db.execute("UPDATE records SET envelope = ? WHERE tid = ?", (envelope, record.tid))

    def _live(self, which: str) -> tuple[Record, ...]:
        with suppress(MalformedToken):  # then it is a name or a public id
            which = parse_token(which)
        live = [record for record in self.list() if record.is_live(self._now_s())]
        found = [record for record in live if record.label == which]
        found = found or [record for record in live if record.tid == which]
        if not found:
            near = did_you_mean(which, [record.label for record in live]).get("did_you_mean")
            hint = f"did you mean {near[0]}?" if near else "see: mt-gateway token list"
            raise IssuerError(f"no live token goes by {which!r}; {hint}")
        return tuple(found)


def _all_records(store: Store, signing: SigningKeys) -> tuple[Record, ...]:
    """Return all records that were signed with these keys, in the order of their making."""
    keys = signing.public_keys()
    rows = store.all("SELECT tid, envelope FROM records ORDER BY rowid")
    records = (_open(row["tid"], row["envelope"], keys) for row in rows)
    return tuple(record for record in records if record is not None)


def _open(tid: str, envelope: str, keys: dict[str, Ed25519PublicKey]) -> Record | None:
    try:
        record = open_record(envelope, keys)
    except EnvelopeError as error:
        logger.error("the record of token %.12s is left out: %s", tid, error)
        return None
    # the envelope is genuine, and stands in the row of another token
    if record.tid != tid:
        logger.error("the record of token %.12s speaks of another token", tid)
        return None
    return record


def _platform(text: str | None) -> Platform | None:
    match text:
        case "mt4" | "mt5" | None:
            return text
        case _:
            raise IssuerError(f"{text!r} is no platform; there are mt4 and mt5")


def _scopes(names: Collection[str]) -> tuple[Scope, ...]:
    try:
        scopes = tuple(sorted({Scope(name) for name in names})) or (Scope.TRADE,)
    except ValueError:
        raise IssuerError(f"a scope is one of {', '.join(Scope)}") from None
    if scopes == (Scope.REMOTE,):
        raise IssuerError(REMOTE_ALONE)
    return scopes


def _changed(limits: TradeLimits, changes: Mapping[str, object]) -> TradeLimits:
    return checked_limits(limits.model_copy(update=dict(changes)))


def _expiry(now_s: int, lifetime_s: int | None) -> int | None:
    if lifetime_s is None:
        return None
    if not 0 < lifetime_s <= MAX_SECONDS - now_s:
        raise IssuerError("a token expires in the future, before the year 10000")
    return now_s + lifetime_s
