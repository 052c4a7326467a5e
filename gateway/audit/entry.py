"""Entry of one row of the audit trail, as the JSON that is hashed.

Every entry has ``ts`` (UTC milliseconds), ``mono_us`` (a clock that no person sets, to tell how
much later one thing was than another), ``boot`` (which run of which program) and ``event``. Beside
them stand what fits: ``actor`` (id of a token, ``cli`` or ``daemon``), ``terminal``, ``object``
(what it was done to), ``outcome``, ``reason``, and facts of the event.

No secret goes in: whoever records leaves them out, and as a second line of defence values under
names that only secrets have are taken out here, and so is what looks like a token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

MAX_TEXT = 512
"""Characters of one text."""
MAX_ITEMS = 64
"""Of one list or object."""
MAX_DEPTH = 4
MAX_ENTRY = 8192
"""Bytes of an entry; a larger one keeps its head alone."""
REMOVED = "[removed]"

_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|bearer|authorization|cookie|^(auth_?)?token$|^ticket_text$|private"
    r"|^kek$|^code$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"mgt_[0-9A-Za-z]{13,}|eyJ[\w-]+\.[\w-]+\.[\w-]+|mtg\.(ticket|bearer)\.[A-Za-z0-9_=-]+"
)
_HEAD = ("ts", "mono_us", "boot", "event", "actor", "terminal", "object", "outcome", "reason")


def encode(entry: Mapping[str, Any]) -> bytes:
    """Return an entry's bytes: sorted keys, no spaces, nothing secret, of bounded size.

    Never raises for what a value is: what is no JSON is written as text.
    """
    body = _json({name: _cleaned(name, value) for name, value in entry.items()})
    if len(body) <= MAX_ENTRY:
        return body
    head = {name: _cleaned(name, entry[name]) for name in _HEAD if name in entry}
    return _json({**head, "left_out_bytes": len(body)})


def _json(entry: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        text = json.dumps(entry, default=str, sort_keys=True, separators=(",", ":"))
        return text.encode("ascii")


def _cleaned(name: str, value: Any, depth: int = 0) -> Any:
    if _is_secret(name):
        return REMOVED
    if type(value) is str:
        return _text(value)
    if value is None or isinstance(value, int | float):
        return value
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        items = list(value.items())[:MAX_ITEMS]
        return {_text(str(key)): _cleaned(str(key), item, depth + 1) for key, item in items}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_cleaned("", item, depth + 1) for item in list(value)[:MAX_ITEMS]]
    return _text(str(value))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _text(text: str) -> str:
    if "mgt_" in text or "eyJ" in text or "mtg." in text:
        text = _SECRET_TEXT.sub(REMOVED, text)
    return text[:MAX_TEXT]
