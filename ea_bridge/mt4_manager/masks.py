"""Masks of groups and symbols: ``"demo*,!demo-old"``."""

from __future__ import annotations

import fnmatch
import re


class Masks:
    """Masks with commas between them; the last that fits a name decides, ``!`` excludes.

    Args:
        text: the masks; ``None`` fits every name.

    """

    def __init__(self, text: str | None) -> None:
        self._known: dict[str, bool] = {}
        self._masks = None if text is None else [_parse(mask) for mask in text.split(",")]

    def fit(self, name: str) -> bool:
        """Tell whether they fit; asking again for the same name costs nothing."""
        if self._masks is None:
            return True
        found = self._known.get(name)
        if found is None:
            found = False
            for mask, wanted in self._masks:
                if mask.fullmatch(name):
                    found = wanted
            self._known[name] = found
        return found


def _parse(mask: str) -> tuple[re.Pattern[str], bool]:
    mask = mask.strip()
    return re.compile(fnmatch.translate(mask.removeprefix("!"))), not mask.startswith("!")
