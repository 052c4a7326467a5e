"""What ``doctor`` found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shell import Done

from gateway.cli.doctor.finding import Finding

Run = Callable[..., Done]
Examine = Callable[..., dict[str, Finding]]


def write_config(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def names(findings: dict[str, Finding], verdict: str) -> set[str]:
    return {name for name, one in findings.items() if one.verdict == verdict}
