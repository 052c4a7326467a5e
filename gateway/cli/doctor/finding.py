"""Findings of checks: one line of what was found and, where not all is well, one of what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.cli.output import visible

Verdict = Literal["ok", "warning", "problem", "skipped"]
_STYLES: dict[Verdict, str] = {
    "ok": "green",
    "warning": "yellow",
    "problem": "bold red",
    "skipped": "dim",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; holds no secret."""

    name: str
    """Of the check: stable, for programs."""
    verdict: Verdict
    """``warning``: it works, but look at it; ``skipped``: it could not be known, or need not."""
    found: str
    remedy: str | None = None
    """What to do; null if nothing has to be done."""


def ok(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """It works, but somebody should look at it."""
    return Finding(name, "warning", found, remedy)


def problem(name: str, found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(name, "problem", found, remedy)


def skipped(name: str, why: str, remedy: str | None = None) -> Finding:
    """It was not looked at."""
    return Finding(name, "skipped", why, remedy)


def all_skipped(names: Iterable[str], why: str) -> list[Finding]:
    """None of these could be looked at, for one reason."""
    return [skipped(name, why) for name in names]


def split(complaint: str) -> tuple[str, str]:
    """Split a message of ours, ``what is wrong; what to do``, into its two parts.

    One of two lines begins with what to do.
    """
    first, _, rest = complaint.rpartition("\n")
    found, _, remedy = rest.partition("; ")
    if first:
        return found, f"{first}; {remedy}" if remedy else first
    return found, remedy or "see the message"


def show(findings: Sequence[Finding]) -> None:
    """Print a table and a summary; without colour where the output is no screen."""
    # findings are read by programs, too: only a person needs a table
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for column in ("verdict", "name"):
        table.add_column(column, no_wrap=True)
    table.add_column("found", overflow="fold")
    for finding in findings:
        style = _STYLES[finding.verdict]
        told = Text(visible(finding.found))
        if finding.remedy is not None:
            told.append(f"\n-> {visible(finding.remedy)}", style="bold")
        table.add_row(Text(finding.verdict, style), Text(finding.name.replace("_", " ")), told)
    console = Console(highlight=False)
    console.print(table)
    console.print(Text(f"\n{summary(findings)}"))


def summary(findings: Sequence[Finding]) -> str:
    """Return how many are not well, in words."""
    count = Counter(finding.verdict for finding in findings)
    told = [
        f"{count[verdict]} {verdict}{'s' if count[verdict] > 1 else ''}"
        for verdict in ("problem", "warning")
        if count[verdict]
    ]
    return ", ".join(told) or "All is well."
