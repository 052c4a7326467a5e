"""How a caller wants a trade to be handled, apart from the trade itself."""

from __future__ import annotations

from dataclasses import dataclass

from .deadline import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """What goes with every trade."""

    client_order_id: str
    deadline: Deadline
    validate_only: bool = False
    """Check, and send nothing."""
    normalize: bool = False
    """Move numbers onto the symbol's grid instead of refusing them."""
