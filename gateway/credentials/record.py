"""The token record, with scopes and limits: an envelope of kind ``rec`` that the issuer signs."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .envelope import EnvelopeError, Kind, open_envelope


class Scope(enum.StrEnum):
    """Use that a token is for: ``trade`` includes ``read``; ``admin`` includes both. ``remote``
    stands beside one of them, and lets programs of other machines use the token; none includes it.
    """

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"
    REMOTE = "remote"


IMPLIED: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.TRADE: frozenset({Scope.READ, Scope.TRADE}),
    Scope.ADMIN: frozenset({Scope.READ, Scope.TRADE, Scope.ADMIN}),
    Scope.REMOTE: frozenset({Scope.REMOTE}),
}
"""What holding a scope amounts to."""
REMOTE_ALONE: Final = "The scope remote stands beside read, trade or admin."


AUDIENCE: Final = "mtgw-daemon"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""Of a new token. Older ones may begin with a dash, and then look like options of commands."""
MAX_SECONDS = 253_402_300_799
"""The end of the year 9999."""

Platform = Literal["mt4", "mt5"]
Status = Literal["active", "revoked", "disabled", "superseded"]
State = Literal["active", "expired", "revoked", "disabled", "superseded"]
HexKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
First = Annotated[int, Field(ge=1, le=1)]
"""The only version there is; a newer one is refused."""
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Lots = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,8})?$")]
"""A decimal number as text: an envelope carries no floats."""


class Signed(BaseModel):
    """Base of what envelopes carry: strict; a member that we don't know yet is ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


SignedT = TypeVar("SignedT", bound=Signed)
_NOUNS: dict[Kind, str] = {
    "rec": "record",
    "lease": "lease",
    "evt": "event",
    "state": "state",
    "alert": "alert",
    "call": "call",
}


class TradeLimits(Signed):
    """Bounds that the issuer sets; whoever runs the daemon may only tighten them."""

    max_lot: Lots | None = None
    max_open_lots: Lots | None = None
    max_orders_per_min: Count | None = None
    allowed_symbols: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    max_daily_loss: Lots | None = None
    collar_bps: Count | None = None


class Offline(Signed):
    """Times that something stays allowed once the issuer is silent and the lease has ended."""

    reduce_s: Count = 3600
    """Cancel, close, reduce."""
    readonly_s: Count = 14_400
    """Read and listen."""


class Device(Signed):
    """A machine that the token may be used from."""

    did: str
    pub: str
    terminal_fp: str = ""
    dev_ver: Annotated[int, Field(ge=1)]
    status: Literal["pending", "approved", "revoked"]
    approved_at: Seconds | None = None
    approved_by: str = ""


class Record(Signed):
    """A token's rights. Times are seconds since 1970, ``exp`` is exclusive.

    Neither the token nor anything that could open the gateway is in it: ``stored_key`` checks a
    holder and makes none.
    """

    v: First
    iss: str
    aud: Literal["mtgw-daemon"]
    tid: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{12}$")]
    uid_hash: str = ""
    """Whose token it is, where the issuer has users."""
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    """Name of the terminal that the token is for; one live token has it."""
    platform: Platform | None
    """The platform that the token is for; ``None`` leaves it open."""
    rec_ver: Annotated[int, Field(ge=1, le=2**53)]
    """Grows with each change; an older record than one already seen is refused."""
    status: Status
    """``superseded``: replaced by a newer token, good until ``exp``."""
    created_at: Seconds
    exp: Seconds | None
    scopes: Annotated[
        tuple[Annotated[Scope, Field(strict=False)], ...], Field(strict=False, min_length=1)
    ]
    stored_key: HexKey
    server_key_sha256: HexKey
    strict_terminal: bool = True
    limits: TradeLimits = TradeLimits()
    offline: Offline = Offline()
    devices: Annotated[tuple[Device, ...], Field(strict=False)] = ()

    def payload(self) -> dict[str, Any]:
        """Return the bytes that are signed."""
        return self.model_dump(mode="json")

    def state(self, now_s: int) -> State:
        """Return what has become of the token at a time; ``active`` and ``superseded`` work."""
        if self.status in ("active", "superseded") and self.exp is not None and now_s >= self.exp:
            return "expired"
        return self.status

    def is_live(self, now_s: int) -> bool:
        """Whether the token opens anything at a time."""
        return self.state(now_s) in ("active", "superseded")


def open_signed(
    model: type[SignedT],
    kind: Kind,
    envelope: str,
    keys: Mapping[str, Ed25519PublicKey],
) -> SignedT:
    """Verify an envelope, and read its payload.

    Raises:
        EnvelopeError: it is not one of that kind from these keys, or lacks a member.

    """
    payload = open_envelope(envelope, kind, keys)
    try:
        return model.model_validate(payload)
    except ValidationError:
        noun = _NOUNS.get(kind, "payload")
        raise EnvelopeError(f"the {noun} lacks a member or has one of a wrong type") from None


def open_record(envelope: str, keys: Mapping[str, Ed25519PublicKey]) -> Record:
    """Verify a ``rec`` envelope; errors as of :func:`open_signed`."""
    return open_signed(Record, "rec", envelope, keys)


MAX_SYMBOLS = 200
MAX_SYMBOL = 32
MAX_LIMITS_BYTES = 4_000
"""Of all limits as JSON: a record has to fit into an envelope."""

_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,8})?", re.ASCII)
_THOUSANDS: Final = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class LimitsError(ValueError):
    """No record can carry these limits; the message says why, and what to write instead."""


def read_number(text: str) -> Lots:
    """Return lots or money as a record has them; a comma is a decimal point, too.

    Raises:
        LimitsError: it is no decimal number from 0 on, or nobody can tell how large it is: 1,000
            is one to some and a thousand to others.

    """
    # refused rather than guessed: ten lots for one would be real money
    if _THOUSANDS.fullmatch(text.strip()):
        raise LimitsError("write a number such as 0.5, or 1000 without a comma")
    number = text.strip().replace(",", ".")
    if not _NUMBER.fullmatch(number):
        raise LimitsError("write a number such as 0.5")
    return number


def read_count(text: str) -> Count:
    """Return a whole number from 0 on; raises :class:`LimitsError` for anything else."""
    if not _COUNT.fullmatch(text.strip()):
        raise LimitsError("write a whole number such as 30")
    return int(text)


def read_symbols(text: str) -> tuple[str, ...]:
    """Return the symbols between commas, each once.

    Raises:
        LimitsError: there is none, are too many, or one has too many letters.

    """
    symbols = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    return _checked_symbols(symbols)


def checked_limits(limits: TradeLimits) -> TradeLimits:
    """Return limits that a record can carry.

    Raises:
        LimitsError: one is out of range, or they are too long together.

    """
    try:
        # model_copy checks nothing: limits that came that way are looked at here
        limits = TradeLimits.model_validate(limits.model_dump(warnings=False))
    except ValidationError:
        raise LimitsError("a limit is out of range") from None
    if limits.allowed_symbols is not None:
        _checked_symbols(limits.allowed_symbols)
    # not orjson: as in an envelope a letter beyond ASCII takes six bytes
    if len(json.dumps(limits.model_dump())) > MAX_LIMITS_BYTES:
        raise LimitsError("these symbols have too many letters; name fewer")
    return limits


def _checked_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if not symbols:
        # on a form it looked like a field that is left empty, which allows all
        raise LimitsError("name at least one symbol such as EURUSD")
    if len(symbols) > MAX_SYMBOLS or any(
        not 0 < len(symbol) <= MAX_SYMBOL or not symbol.isprintable() for symbol in symbols
    ):
        raise LimitsError(
            f"name at most {MAX_SYMBOLS} symbols of at most {MAX_SYMBOL} characters, "
            "with commas between"
        )
    return symbols
