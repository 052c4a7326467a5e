"""Findings of checks: one line of what was found and, where not all is well, one of what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "problem", "skipped"]


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
