"""The rules of lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ea_bridge.protocol.codec import MAX_GREETING, MAX_LINE_TO_DAEMON, MAX_LINE_TO_EA, LineReader
from ea_bridge.protocol.errors import RemoteProtocolError


def read(data: bytes, max_size: int = 100) -> list[bytes]:
    return list(LineReader(max_size).feed(data))


def test_the_limits_are_those_of_the_design():
    """16 KiB to the EA, 1 MiB to the daemon, 4 KiB from a stranger."""
    assert (MAX_LINE_TO_EA, MAX_LINE_TO_DAEMON, MAX_GREETING) == (16384, 1048576, 4096)


@given(
    st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b), max_size=6),
    st.lists(st.integers(1, 9), max_size=40),
)
@settings(max_examples=150)
def test_lines_come_out_however_they_are_cut(bodies, cuts):
    """Any cutting of the stream gives the same lines."""
    lines = [b"{" + body.rstrip(b"\r") for body in bodies]
    stream = b"".join(line + b"\n" for line in lines)
    reader, got, at = LineReader(100), [], 0
    for size in [*cuts, len(stream) + 1]:
        got += reader.feed(stream[at : at + size])
        at += size
    assert got == lines


def test_carriage_returns_before_the_end_are_dropped():
    """CRLF is an end of line, also where the cut falls between the two bytes."""
    reader = LineReader(5)
    assert [*reader.feed(b"{abcd\r"), *reader.feed(b"\n{}\r\n")] == [b"{abcd", b"{}"]


def test_half_a_line_is_no_line():
    """What has no end yet is kept, not handed out."""
    reader = LineReader(100)
    assert list(reader.feed(b'{"t":"he')) == []
    assert list(reader.feed(b'llo"}\n')) == [b'{"t":"hello"}']


@pytest.mark.parametrize(
    "opening",
    [b"GET / HTTP/1.1\r\n", b"POST", b"H", b"OPTIONS *", b"PRI * HTTP/2", b"\x16\x03\x01", b"\n"],
)
def test_a_stranger_is_known_by_the_first_byte(opening):
    """HTTP, TLS or anything else that is not our JSON is refused before its first line ends."""
    with pytest.raises(RemoteProtocolError, match="not the bridge's"):
        read(opening[:1])


def test_a_line_of_the_limit_passes_and_one_byte_more_does_not():
    """The bound is exact, whether the line came whole or not."""
    assert read(b"{" * 100 + b"\n") == [b"{" * 100]
    for data in (b"{" * 101 + b"\n", b"{" * 101):
        with pytest.raises(RemoteProtocolError, match="exceeds 100"):
            read(data)


def test_an_endless_line_is_refused_before_it_ends():
    """Memory stays bounded however slowly the bytes drip in."""
    reader = LineReader(100)
    for _ in range(100):
        assert list(reader.feed(b"{")) == []
    with pytest.raises(RemoteProtocolError, match="exceeds 100"):
        list(reader.feed(b"{"))


def test_lines_before_an_endless_one_are_still_handed_out():
    """The good part of the data is not lost with the bad."""
    lines = LineReader(100).feed(b"{1}\n{2}\n" + b"x" * 101)
    assert [next(lines), next(lines)] == [b"{1}", b"{2}"]
    with pytest.raises(RemoteProtocolError):
        next(lines)


def test_blobs_are_reserved():
    """``#<n>`` announces raw bytes, for which there is no agreement yet."""
    with pytest.raises(RemoteProtocolError, match="blob"):
        read(b"{}\n#500\n")


def test_the_limit_grows_between_two_feeds():
    """Once the peer has proved who it is, it may send longer lines."""
    reader = LineReader(10)
    list(reader.feed(b"{}\n{"))
    reader.max_size = 100
    assert list(reader.feed(b"x" * 50 + b"\n")) == [b"{" + b"x" * 50]
