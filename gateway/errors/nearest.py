"""Names that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(given: str, known: Iterable[str]) -> dict[str, Any]:
    """Return ``{"did_you_mean": [...]}`` with the nearest names in any case, or nothing."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(given[:64].lower(), names, n=3, cutoff=0.6)
    return {"did_you_mean": [names[name] for name in near]} if near else {}
