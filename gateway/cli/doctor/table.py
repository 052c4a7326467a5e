"""Findings, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.doctor.finding import Finding, Verdict
from gateway.cli.output import visible

_STYLES: dict[Verdict, str] = {
    "ok": "green",
    "warning": "yellow",
    "problem": "bold red",
    "skipped": "dim",
}


def show(findings: Sequence[Finding]) -> None:
    """Print a table and a summary; without colour where the output is no screen."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for column in ("verdict", "name"):
        table.add_column(column, no_wrap=True)
    table.add_column("found", overflow="fold")
    for one in findings:
        style = _STYLES[one.verdict]
        told = Text(visible(one.found))
        if one.remedy is not None:
            told.append(f"\n-> {visible(one.remedy)}", style="bold")
        table.add_row(Text(one.verdict, style), Text(one.name.replace("_", " ")), told)
    console = Console(highlight=False)
    console.print(table)
    console.print(Text(f"\n{summary(findings)}"))


def summary(findings: Sequence[Finding]) -> str:
    """Return how many are not well, in words."""
    count = Counter(one.verdict for one in findings)
    told = [
        f"{count[verdict]} {verdict}{'s' if count[verdict] > 1 else ''}"
        for verdict in ("problem", "warning")
        if count[verdict]
    ]
    return ", ".join(told) or "All is well."
