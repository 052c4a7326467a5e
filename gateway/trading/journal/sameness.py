"""Whether two calls under one id ask for the same, however each of them says it.

What the journal keeps is what a caller said, but for what equals its default. There is more than
one way to say the same: a stop of 0 is none, ``type: "buy"`` is ``side: "buy"``, 20 points are the
deviation that is taken where none is named, and a symbol may be written in any case, or in full as
the receipt of the first call has named it. A repeat in other words is no other request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..requests import DEFAULT_DEVIATION
from .intents import CallKey, Intent

_PRICES = ("price", "stoplimit", "sl", "tp")
_KINDS = frozenset({"market", "limit", "stop", "stop_limit"})
_STOPS = frozenset({"sl", "tp"})


def is_same(known: Intent, asked: CallKey) -> bool:
    """Whether a call asks for what was asked for under its id before."""
    if known.asked.method != asked.method:
        return False
    if known.asked.params == asked.params:
        return True
    before, now = (
        folded(asked.method, orjson.loads(params)) for params in (known.asked.params, asked.params)
    )
    taken = {send.request.symbol.casefold() for send in known.sends}
    if now.get("symbol") in taken and "symbol" in before:
        before["symbol"] = now["symbol"]
    return before == now


def folded(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return params as they are however they were said."""
    said = dict(params)
    for name in _PRICES:
        if said.get(name) == "0":
            if method == "modify_order" and name in _STOPS:
                said[name] = None  # there an absent one stays as it is
            else:
                del said[name]
    names = [said.pop(name, None) for name in ("deviation", "max_deviation_points")]
    deviation = next((one for one in names if one is not None), DEFAULT_DEVIATION)
    if deviation != DEFAULT_DEVIATION:
        said["deviation"] = deviation
    if isinstance(said.get("symbol"), str):
        said["symbol"] = said["symbol"].casefold()
    if method == "place_order":
        _fold_order(said)
    return said


def _fold_order(said: dict[str, Any]) -> None:
    kind, side = said.pop("type", "market"), said.pop("side", None)
    if kind in _KINDS and side is not None:
        kind = side if kind == "market" else f"{side}_{kind}"
    said["type"] = kind
    if said.get("type_time") == ("specified" if "expiration" in said else "gtc"):
        del said["type_time"]
