"""What an API answered a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    body: Any
    headers: Any

    @property
    def detail(self) -> Any:
        """Of an error."""
        return self.body["detail"]
