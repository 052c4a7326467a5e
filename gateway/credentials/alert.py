"""Order of a TradingView alert, an envelope of kind ``alert`` that the console signs.

It is for one machine, one token and one trading account, and it has a deadline. Its numbers are
texts: an envelope carries no floats. The daemon executes it as a call of the token, within all
that the token may do there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, model_validator

from .lease import DeviceId, Tid
from .record import First, Seconds, Signed, open_signed

AlertId = Annotated[str, Field(pattern=r"^tv-[0-9a-f]{40}$")]
"""The ``client_order_id``, made of hook, alert and bar time: the same for the same alert."""
Number = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$")]


class AlertOrder(Signed):
    """The payload of an ``alert`` envelope: an order at market. ``exp`` is exclusive."""

    v: First
    iss: str
    aud: Literal["mtgw-daemon"]
    did: DeviceId
    tid: Tid
    aid: AlertId
    login: Annotated[int, Field(ge=0, lt=2**63)]
    """Number of the trading account that it is meant for."""
    server: Annotated[str, Field(max_length=128)]
    """Of that account."""
    symbol: Annotated[str, Field(min_length=1, max_length=64)]
    side: Literal["buy", "sell"]
    volume: Number | None = None
    """In lots; ``None`` where ``risk_pct`` says how much."""
    risk_pct: Number | None = None
    """What is lost at the stop loss, in percent of the equity."""
    sl: Number | None = None
    """Stop loss, a price; or ``sl_pct``, its distance in percent of the market's price."""
    sl_pct: Number | None = None
    tp: Number | None = None
    tp_pct: Number | None = None
    dry_run: bool = False
    """Check the order and send nothing."""
    iat: Seconds
    exp: Seconds

    @model_validator(mode="after")
    def _is_clear(self) -> AlertOrder:
        # an order that says two things is none: a guess would be with somebody's money
        if (self.volume is None) == (self.risk_pct is None):
            raise ValueError("either a volume or a risk")
        if None not in (self.sl, self.sl_pct) or None not in (self.tp, self.tp_pct):
            raise ValueError("either a price or a distance")
        if self.risk_pct is not None and self.sl is None and self.sl_pct is None:
            raise ValueError("a risk needs a stop loss")
        return self


def open_alert(envelope: str, keys: Mapping[str, Ed25519PublicKey]) -> AlertOrder:
    """Verify an ``alert`` envelope; errors as of :func:`~.record.open_signed`."""
    return open_signed(AlertOrder, "alert", envelope, keys)
