"""How a caller wants a trade to be handled, apart from the trade itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import GatewayError, Outcome

from .deadline import Deadline

DEFAULT_DEVIATION = 20
"""Points that a price may have moved where the caller does not say how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """What goes with every trade."""

    client_order_id: str
    deadline: Deadline
    validate_only: bool = False
    """Check, and send nothing."""
    tid: str = ""
    """The token in whose name it is; of an order that is sent later, by the gateway itself."""
    normalize: bool = False
    """Move numbers onto the symbol's grid instead of refusing them."""

    @contextmanager
    def before_sending(self) -> Iterator[None]:
        """Around everything that comes before a request is sent: its errors say that it was not,
        and whose request it was.
        """
        try:
            yield
        except GatewayError as error:
            blame(error, self.client_order_id, "not_sent")
            raise


def blame(error: GatewayError, client_order_id: str, outcome: Outcome) -> GatewayError:
    """Complete the data of a trade's error."""
    error.data.setdefault("outcome", outcome)
    error.data.setdefault("client_order_id", client_order_id)
    return error
