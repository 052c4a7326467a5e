"""The heads of frames, wherever the bytes are cut."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_server_fixture import UPGRADE, Server, masked

from gateway.http.websocket_frames import FrameHeads, code_to_echo

SIZES = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(sizes=st.lists(SIZES, min_size=1, max_size=4), cuts=st.lists(st.integers(0), max_size=12))
def test_good_frames_are_good_in_any_pieces(sizes: list[int], cuts: list[int]) -> None:
    """Of every length, cut anywhere; and a bad one behind them is found."""
    data = b"".join(masked(b"x" * size, 0x81) for size in sizes)
    heads = FrameHeads()
    assert all(heads.are_good(piece) for piece in pieces(data, cuts))
    assert not heads.are_good(b"\x81\x00")


@given(sizes=st.lists(SIZES, max_size=2), cuts=st.lists(st.integers(0), max_size=12))
def test_a_bad_frame_is_found_in_any_pieces(sizes: list[int], cuts: list[int]) -> None:
    """No later than with its last byte."""
    good = b"".join(masked(b"x" * size, 0x81) for size in sizes)
    for bad in (b"\x82\x05", b"\x81\xfe\x00\x7d", b"\x81\xff" + (65_535).to_bytes(8, "big")):
        heads = FrameHeads()
        assert not all([heads.are_good(piece) for piece in pieces(good + bad, cuts)])


@pytest.mark.parametrize(
    ("given", "echoed"),
    [
        (0, 1000), (1000, 1000), (1001, 1000), (1013, 1000), (3000, 3000), (4999, 4999),
        (999, 1002), (1004, 1002), (1005, 1002), (1006, 1002), (1015, 1002), (2999, 1002),
        (5000, 1002), (65_535, 1002), (None, 1000), (ConnectionError(), 1000),
    ],
)  # fmt: skip
def test_only_codes_of_programs_are_echoed(given: object, echoed: int) -> None:
    """What may not be sent is a broken protocol."""
    assert code_to_echo(given) == echoed


async def test_a_bad_frame_right_behind_the_handshake(house: Server) -> None:
    """It came before anybody listened for it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    head = house.head("/ws", "GET", *UPGRADE)
    call = b'{"jsonrpc":"2.0","id":1,"method":"update"}'
    writer.write(head.encode() + b"\r\n" + b"\x81%c" % len(call) + call)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.partition(b"\r\n\r\n")[2][2:4] == (1002).to_bytes(2, "big")
    assert house.doings.calls == []
