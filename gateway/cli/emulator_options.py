"""The options of an emulated terminal: its account, and how its broker treats it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.output import CliError

StopsLevel = Annotated[
    int | None,
    typer.Option(min=0, help="Points that stops and pending orders keep from the market."),
]
FreezeLevel = Annotated[
    int | None,
    typer.Option(min=0, help="Points around the market in which nothing can be changed."),
]
Execution = Annotated[
    Literal["market", "instant"] | None,
    typer.Option(help="instant: at the asked price within deviation, or a requote."),
]
Requotes = Annotated[
    int, typer.Option(min=0, max=10_000, help="How many of the next orders are requoted.")
]
PartialFill = Annotated[
    float | None,
    typer.Option(metavar="LOTS", help="The most that one fill gets; ioc takes a part of it."),
]
Latency = Annotated[
    int,
    typer.Option(metavar="MS", min=0, max=60_000, help="How long an order takes to the broker."),
]
Live = Annotated[bool, typer.Option("--live", help="The account says that its money is real.")]
Balance = Annotated[float, typer.Option(min=0, max=1e12, help="Of a new account, in USD.")]
Leverage = Annotated[int | None, typer.Option(min=1, max=10_000, help="100 is 1:100.")]
Login = Annotated[int | None, typer.Option(min=1, max=2**31 - 1, help="Of the account.")]
Password = Annotated[str | None, typer.Option(help='Of the account; "emulator" if absent.')]
Folder = Annotated[
    Path | None,
    typer.Option(help="Keeps the account between runs; in memory only if absent."),
]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(metavar="ORIGIN", help="A web page that may call: http://127.0.0.1:8000."),
]
DEPOSIT = 10_000.0


def checked_lots(lots: float | None) -> float | None:
    """Return what ``--partial-fill`` gave.

    Raises:
        CliError: it is nothing that can be filled.

    """
    if lots is not None and not 0 < lots < 1e6:
        raise CliError(f"--partial-fill {lots}: give lots above 0, as 0.05", 2)
    return lots


def checked_origins(origins: list[str] | None) -> tuple[str, ...]:
    """Return what ``--allow-origin`` gave.

    Raises:
        CliError: one is no origin.

    """
    from pydantic import TypeAdapter, ValidationError

    from gateway.config import Origins

    try:
        return TypeAdapter(Origins).validate_python(origins or ())
    except ValidationError:
        given = " ".join(origins or ())
        raise CliError(
            f"--allow-origin {given}: give scheme, host and port, as http://127.0.0.1:8000", 2
        ) from None
