"""REST kit: operations declared once, their errors, their OpenAPI document."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "/api/"
"""What is below it answers errors with ``{"detail": ...}``."""
