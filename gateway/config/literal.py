"""A setting as a file says it."""

from __future__ import annotations

from typing import Any

from .limit import NONE


def toml(value: Any) -> str:
    """Return a value in TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return f'"{NONE}"'
    return f'"{value}"' if isinstance(value, str) else str(value)
