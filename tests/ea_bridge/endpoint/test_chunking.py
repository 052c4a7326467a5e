"""Long answers are cut into parts that fit into lines."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ea_bridge.endpoint.results import MAX_PART_BYTES, split_result
from ea_bridge.mt4_manager.model import Page, Transacted
from ea_bridge.protocol.messages import Res

SIZES = st.lists(st.sampled_from([1, 1000, MAX_PART_BYTES // 3, MAX_PART_BYTES + 1]), max_size=12)


def decode(res: Res, kind: Any) -> Any:
    return msgspec.json.decode(res.d, type=kind)


@given(SIZES)
@settings(max_examples=50)
def test_the_parts_are_the_answer(sizes: list[int]):
    """In order, counted, the last marked; none longer than it must be."""
    rows = ["x" * size for size in sizes]

    listed, paged = split_result(7, rows), split_result(7, Page(total=99, rows=rows))

    assert [row for res in listed for row in decode(res, list[str])] == rows
    pages = [decode(res, Page[str]) for res in paged]
    assert [row for page in pages for row in page.rows] == rows
    assert {page.total for page in pages} == {99}
    for some in (listed, paged):
        assert [res.part for res in some] == list(range(len(some)))
        assert [res.last for res in some] == [False] * (len(some) - 1) + [True]
    for page in pages:
        assert len(page.rows) == 1 or sum(map(len, page.rows)) <= MAX_PART_BYTES


@pytest.mark.parametrize("result", [Transacted(order=5), [], Page(total=0, rows=[])])
def test_a_short_answer_is_one_line(result: Any):
    """Also one without rows."""
    [res] = split_result(7, result)

    assert (res.id, res.ok, res.part, res.last) == (7, True, 0, True)
    assert bytes(res.d) == msgspec.json.encode(result)
