"""Long answers, cut into parts that fit into lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ea_bridge.model import History
from ea_bridge.model.struct import Page
from ea_bridge.protocol.messages import Res

MAX_PART_BYTES = 256 * 1024
"""Of a long answer in one line: a quarter of what a line may have, so that what is urgent does
not wait for long behind it. Counted in bytes, since an order is five times as long as a bar."""

_encoder = msgspec.json.Encoder()


def split_result(command_id: int, result: Any) -> list[Res]:
    """Return an answer's messages: a long list, page or history in parts of the same kind."""
    whole = _encoder.encode(result)
    if len(whole) > MAX_PART_BYTES:
        if isinstance(result, Page):
            return _cut(command_id, result.rows, b'{"total":%d,"rows":[' % result.total, b"]}")
        if isinstance(result, History):
            tail = b'],"missing":%b}' % _encoder.encode(result.missing)
            return _cut(command_id, result.rows, b'{"rows":[', tail)
        if isinstance(result, list):
            return _cut(command_id, result, b"[", b"]")
    return [Res(id=command_id, ok=True, d=msgspec.Raw(whole))]


def _cut(command_id: int, rows: Iterable[Any], head: bytes, tail: bytes) -> list[Res]:
    lists = [head + b",".join(some) + tail for some in _fitting(map(_encoder.encode, rows))]
    last = len(lists) - 1
    return [
        Res(id=command_id, ok=True, d=msgspec.Raw(text), part=part, last=part == last)
        for part, text in enumerate(lists)
    ]


def _fitting(rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Put rows together that fit into one part; one that is longer by itself is alone."""
    some: list[bytes] = []
    size = 0
    for row in rows:
        if some and size + len(row) > MAX_PART_BYTES:
            yield some
            some, size = [], 0
        some.append(row)
        size += len(row) + 1
    yield some
