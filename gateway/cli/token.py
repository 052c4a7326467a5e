"""``token``: the secrets that open terminals, and the limits of each."""

from __future__ import annotations

import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from gateway.cli.audit_notes import note_in
from gateway.cli.home import default_home
from gateway.cli.output import CliError, known_failures, utc_minute
from gateway.credentials.record import Scope

if TYPE_CHECKING:
    from gateway.credentials.issuer import Issuer
    from gateway.credentials.record import Record, TradeLimits
NONE = "none"
"""Lifts a limit."""


def _option(name: str, words: str) -> Any:
    return typer.Option(name, help=words, metavar="LIMIT")


MaxLot = Annotated[str | None, _option("--max-lot", "Lots of one order, such as 0.5.")]
MaxOpenLots = Annotated[
    str | None,
    _option("--max-open-lots", "Lots of all positions and pending orders of the account."),
]
MaxOrders = Annotated[
    str | None, _option("--max-orders-per-minute", "New orders in any 60 seconds, such as 30.")
]
MaxDailyLoss = Annotated[
    str | None,
    _option(
        "--max-daily-loss",
        "Loss of the broker's day, in the account's currency, at which new orders stop.",
    ),
]
Collar = Annotated[
    str | None,
    _option(
        "--collar-bps",
        "How far an order's prices may lie from the last tick: 100 is one percent.",
    ),
]
Symbols = Annotated[
    str | None,
    _option("--allowed-symbols", "The only symbols that may be traded: EURUSD,XAUUSD."),
]


HomeOption = Annotated[
    Path | None, typer.Option(help="Home folder of the gateway; if absent as with serve.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        exists=True,
        dir_okay=False,
        help="Settings file; if absent config.toml of the home.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Which = Annotated[str, typer.Argument(help="Name of the terminal, or id of the token.")]
Expires = Annotated[
    str | None, typer.Option(help="After 90s, 45m, 12h, 30d or 8w; never if absent.")
]

_NOW = "Shown this once: it is not stored. Put it into the EA's input and into MT_GATEWAY_TOKEN."


def create(
    *,
    name: Annotated[str, typer.Option(help="Of the terminal; one token each.")],
    expires: Expires = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may be used for; trade, which includes read, if absent."),
    ] = None,
    platform: Annotated[
        Literal["mt4", "mt5"] | None, typer.Option(help="For a terminal of that platform alone.")
    ] = None,
    max_lot: MaxLot = None,
    max_open_lots: MaxOpenLots = None,
    max_orders_per_minute: MaxOrders = None,
    max_daily_loss: MaxDailyLoss = None,
    collar_bps: Collar = None,
    allowed_symbols: Symbols = None,
    home: HomeOption = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Make a token for a terminal. The token alone goes to stdout.

    A LIMIT that is not given is none: those of config.toml and of a registered account count in
    any case, and 0 allows nothing.
    """
    from gateway.credentials.record import TradeLimits

    given = GivenLimits(
        max_lot, max_open_lots, max_orders_per_minute, max_daily_loss, collar_bps, allowed_symbols
    ).read()
    with _issuer(home, config) as issuer:
        token, record = issuer.create(
            name,
            scopes=scope or (Scope.TRADE,),
            lifetime_s=_seconds(expires),
            platform=platform,
            limits=TradeLimits(**given),
        )
    # behind the block: the note opens the ledger by itself, and a failure leaves none
    _note(home, "token_created", record)
    _show_token(token, record, as_json=as_json)


def replace(
    which: Which,
    *,
    expires: Annotated[
        str | None,
        typer.Option(help="After 90s, 45m, 12h, 30d or 8w; as long as the old one if absent."),
    ] = None,
    overlap: Annotated[
        str, typer.Option(help="How long the old token still works; 0s ends it at once.")
    ] = "24h",
    max_lot: MaxLot = None,
    max_open_lots: MaxOpenLots = None,
    max_orders_per_minute: MaxOrders = None,
    max_daily_loss: MaxDailyLoss = None,
    collar_bps: Collar = None,
    allowed_symbols: Symbols = None,
    home: HomeOption = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Make a new token for a terminal whose old one ends soon.

    It has the rights and limits of the old one; a LIMIT that is given is set instead, and none
    lifts it.
    """
    given = GivenLimits(
        max_lot, max_open_lots, max_orders_per_minute, max_daily_loss, collar_bps, allowed_symbols
    ).read()
    with _issuer(home, config) as issuer:
        # no duration is 0 elsewhere: a token that lives for no time is a mistake
        overlap_s = 0 if overlap in ("0", "0s") else _seconds(overlap) or 0
        token, record = issuer.replace(
            which, overlap_s=overlap_s, lifetime_s=_seconds(expires), limits=given
        )
    _note(home, "token_replaced", record, which=which, overlap_s=overlap_s)
    _show_token(token, record, as_json=as_json)


def set_limits(
    which: Which,
    *,
    max_lot: MaxLot = None,
    max_open_lots: MaxOpenLots = None,
    max_orders_per_minute: MaxOrders = None,
    max_daily_loss: MaxDailyLoss = None,
    collar_bps: Collar = None,
    allowed_symbols: Symbols = None,
    home: HomeOption = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Set limits of a token. A running gateway has them at once.

    A LIMIT that is not given stays; none lifts it, and 0 allows nothing. Those of config.toml and
    of a registered account count in any case: of all the strictest.
    """
    given = GivenLimits(
        max_lot, max_open_lots, max_orders_per_minute, max_daily_loss, collar_bps, allowed_symbols
    ).read()
    if not given:
        raise CliError("no limit is given; mt-gateway token limits --help lists them")
    with _issuer(home, config) as issuer:
        changed = issuer.change_limits(which, given)
    for record in changed:
        _note(home, "token_limits", record)
    if as_json:
        sys.stdout.write(json.dumps([_facts(record) for record in changed], indent=2) + "\n")
        return
    for record in changed:
        sys.stdout.write(f"{record.label} ({record.tid}): {limit_words(record.limits)}\n")


def list_tokens(
    *, home: HomeOption = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """List all tokens there ever were; the secrets themselves are not stored."""
    with _issuer(home, config) as issuer:
        records = issuer.list()
    if as_json:
        sys.stdout.write(json.dumps([_facts(record) for record in records], indent=2) + "\n")
        return
    rows: list[tuple[str, ...]] = [
        ("NAME", "ID", "SCOPES", "PLATFORM", "CREATED", "EXPIRES", "STATE", "LIMITS")
    ]
    rows += [_row(record) for record in records]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def revoke(
    which: Which, *, home: HomeOption = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """End a token for good. A running gateway cuts its connections at once."""
    from gateway.storage.store import DiskFull

    try:
        revoked = _revoked(which, home, config)
    except CliError as complaint:
        # who revokes cannot wait until somebody has made room
        if not isinstance(complaint.__cause__, DiskFull):
            raise
        revoked = _revoked(which, home, config)  # the home had kept some room, and gave it up
    for record in revoked:
        _note(home, "token_revoked", record)
    if as_json:
        sys.stdout.write(json.dumps([_facts(record) for record in revoked], indent=2) + "\n")
        return
    for record in revoked:
        sys.stdout.write(f"revoked: {record.label} ({record.tid})\n")


def _revoked(which: str, home: Path | None, config: Path | None) -> tuple[Record, ...]:
    with _issuer(home, config) as issuer:
        return issuer.revoke(which)


@contextmanager
def _issuer(home: Path | None, config_file: Path | None) -> Iterator[Issuer]:
    """Open the issuer of a home; what is wrong with it becomes a complaint."""
    from gateway.config import load_for
    from gateway.home.home import Home
    from gateway.home.home_console import console_of

    place = home or default_home()
    try:
        settings = load_for(place, config_file)
        with Home(place, settings.secrets) as opened:
            if (console := console_of(opened.store, settings.console)) is not None:
                where = f": {console.url}" if console.url else ""
                raise CliError(
                    f"this gateway takes its tokens from its console{where}; they are made and "
                    "revoked on its pages"
                )
            yield opened.issuer
    except OSError as error:
        raise CliError(f"{error.filename or place}: {error.strerror}") from error
    except known_failures() as error:
        raise CliError(str(error)) from error


def _note(home: Path | None, event: str, record: Record, **fields: Any) -> None:
    note_in(
        home or default_home(),
        event,
        object=record.tid,
        terminal=record.label,
        scopes=sorted(record.scopes),
        platform=record.platform,
        expires=record.exp,
        limits=record.limits.model_dump(mode="json", exclude_none=True),
        **fields,
    )


def _seconds(duration: str | None) -> int | None:
    from gateway.credentials.issuer import parse_duration

    return None if duration is None else parse_duration(duration)


def _show_token(token: str, record: Record, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"auth_token": token, **_facts(record)}) + "\n")
        return
    sys.stderr.write(f"Token of the terminal {record.label}. {_NOW}\n")
    sys.stdout.write(token + "\n")


def _facts(record: Record) -> dict[str, Any]:
    return {
        "terminal": record.label,
        "tid": record.tid,
        "scopes": sorted(record.scopes),
        "platform": record.platform,
        "created": record.created_at * 1000,
        "expires": None if record.exp is None else record.exp * 1000,
        "state": _state(record),
        "limits": record.limits.model_dump(mode="json"),
    }


def _row(record: Record) -> tuple[str, ...]:
    return (
        record.label,
        record.tid,
        ",".join(sorted(record.scopes)),
        record.platform or "any",
        utc_minute(record.created_at),
        "never" if record.exp is None else utc_minute(record.exp),
        _state(record),
        limit_words(record.limits),
    )


def _state(record: Record) -> str:
    if record.status in ("active", "superseded") and not record.is_live(int(time.time())):
        return "expired"
    return record.status


# --- limits -----------------------------------------------------------------------------------


class GivenLimits(NamedTuple):
    """Options of limits as they were typed; ``None`` for one that was not."""

    max_lot: str | None
    max_open_lots: str | None
    max_orders_per_min: str | None
    max_daily_loss: str | None
    collar_bps: str | None
    allowed_symbols: str | None

    def read(self) -> dict[str, Any]:
        """Return what was typed as members of a record's limits; ``None`` for what is lifted.

        Raises:
            CliError: names the option that cannot be read, and what to write.

        """
        return {
            name: _read(name, text) for name, text in self._asdict().items() if text is not None
        }


def limit_words(limits: TradeLimits) -> str:
    """Return limits in the words of their options; ``none`` if there are none."""
    told = {name: getattr(limits, name) for name in GivenLimits._fields}
    parts = [f"{_word(name)} {_text(value)}" for name, value in told.items() if value is not None]
    return "; ".join(parts) or NONE


def _read(name: str, text: str) -> Any:
    from gateway.credentials.record import LimitsError, read_count, read_number, read_symbols

    if text.strip().lower() == NONE:
        return None
    readers: dict[str, Callable[[str], Any]] = {
        "max_orders_per_min": read_count,
        "collar_bps": read_count,
        "allowed_symbols": read_symbols,
    }
    try:
        return readers.get(name, read_number)(text)
    except LimitsError as error:
        raise CliError(f"--{_word(name)} {text!r}: {error}, or none for no limit") from None


def _word(name: str) -> str:
    return name.replace("per_min", "per_minute").replace("_", "-")


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
