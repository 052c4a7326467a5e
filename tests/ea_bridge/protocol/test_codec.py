"""Lines and messages."""

from __future__ import annotations

import json
from typing import Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from bridge_parts import make_hello
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from ea_bridge.commands import COMMANDS, FilterParams, SymbolParams
from ea_bridge.model import TradeRequest
from ea_bridge.mt4_manager.commands import MANAGER_COMMANDS
from ea_bridge.mt4_manager.model import NewUser
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.codec import Decoder, count_unknown, encode, escape
from ea_bridge.protocol.errors import LocalProtocolError, UnreadableLine

SCALARS = {int, float, str, bool, int | None, float | None, str | None}


def decode(line: bytes) -> m.Message | None:
    return Decoder().decode(line)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_params_fit_a_flat_line(command):
    """They are scalars, and none has the name of a member of ``cmd`` itself."""
    hints = get_type_hints(command.params)
    words = {hint for hint in hints.values() if get_origin(hint) is Literal}
    assert set(hints.values()) - words <= SCALARS
    assert all(isinstance(word, str) for hint in words for word in get_args(hint))
    assert not hints.keys() & {"t", "id", "op", "ttl", "params"}


@pytest.mark.parametrize("command", MANAGER_COMMANDS.values(), ids=MANAGER_COMMANDS)
def test_params_of_managers_lie_beside_the_members_of_cmd(command):
    """They may be lists and records, but none has the name of a member of ``cmd`` on the wire."""
    names = set(command.params.__struct_encode_fields__)
    assert not names & {"t", "id", "op", "ttl", "params"}


def test_a_members_name_on_the_wire_is_kept_both_ways():
    """A user's id is not that of the command that makes him."""
    user = NewUser(group="demo", name="Ann", leverage=1, password="Secret12", id="P-77")
    cmd = m.Cmd(id=7, op="user_record_new", params=user)
    line = encode(cmd)

    assert json.loads(line)["id"] == 7
    assert Decoder(MANAGER_COMMANDS).decode(line) == cmd


@pytest.mark.parametrize("symbol", ["null", ',"params":{', '"}}', "EUR\u20acUSD"])
def test_a_text_of_a_command_may_hold_anything(symbol):
    """Also what marks a member without a value, or where the params begin."""
    cmd = m.Cmd(id=7, op="symbol_get", ttl=50, params=SymbolParams(symbol=symbol))
    assert json.loads(encode(cmd)) == {
        "t": "cmd",
        "id": 7,
        "op": "symbol_get",
        "ttl": 50,
        "symbol": symbol,
    }


def test_a_command_is_a_flat_object():
    """The params lie beside id and op; what is None is left out."""
    cmd = m.Cmd(id=7, op="orders_get", ttl=50, params=FilterParams(ticket=9))
    assert json.loads(encode(cmd)) == {
        "t": "cmd",
        "id": 7,
        "op": "orders_get",
        "ttl": 50,
        "ticket": 9,
    }
    assert decode(encode(cmd)) == cmd


def test_an_unknown_op_arrives_without_params():
    """The EA can then answer that it does not know it, instead of hanging up."""
    line = b'{"t":"cmd","id":7,"op":"fly"}'
    assert decode(line) == m.Cmd(id=7, op="fly", params=msgspec.UNSET)


@pytest.mark.parametrize("members", [b"", b',"symbol":5', b',"symbol":null'])
def test_params_that_do_not_fit_are_absent(members):
    """The EA can then answer that they are invalid."""
    cmd = decode(b'{"t":"cmd","id":7,"op":"tick_get"' + members + b"}")
    assert cmd == m.Cmd(id=7, op="tick_get", params=msgspec.UNSET)


def test_a_command_without_params_cannot_be_sent():
    """What only a receiver may meet."""
    with pytest.raises(LocalProtocolError, match="needs its params"):
        encode(m.Cmd(id=1, op="fly"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_are_never_sent(number):
    """An encoder would write null, and the EA read a volume of nothing."""
    with pytest.raises(LocalProtocolError, match="volume of order_send"):
        encode(m.Cmd(id=1, op="order_send", params=TradeRequest(action=1, volume=number)))


def test_half_a_surrogate_is_never_sent():
    """A text that has no UTF-8."""
    with pytest.raises(LocalProtocolError, match="surrogate"):
        encode(m.Cmd(id=1, op="tick_get", params=SymbolParams(symbol="\ud800")))


@given(st.text())
@settings(max_examples=150)
def test_escaped_lines_are_ascii_and_mean_the_same(symbol):
    """``\\uXXXX`` for all beyond ASCII, in pairs beyond the first plane."""
    cmd = m.Cmd(id=1, op="tick_get", params=SymbolParams(symbol=symbol))
    line = escape(encode(cmd))
    assert line.isascii()
    assert b"\n" not in line
    assert decode(line) == cmd
    assert json.loads(line)["symbol"] == symbol


def test_unknown_members_are_ignored_and_counted_in_hello():
    """A newer EA may say more."""
    line = msgspec.json.encode(m.Pending(user_code="a", url="b", expires_s=1))[:-1] + b',"x":[{}]}'
    assert decode(line) == m.Pending(user_code="a", url="b", expires_s=1)
    assert count_unknown(b'{"t":"hello","tid":"x","colour":1,"smell":{}}', m.Hello) == 2


@pytest.mark.parametrize("fp", ["x", "AB" * 32, "ab" * 31, "ab" * 33, "ab" * 32 + "\n"])
def test_a_fingerprint_is_a_whole_digest_or_absent(fp):
    """It goes on to the console, which takes no other."""
    line = encode(make_hello(fp="ab" * 32))
    hello = decode(line)
    assert isinstance(hello, m.Hello)
    assert hello.fp == "ab" * 32
    with pytest.raises(UnreadableLine):
        decode(encode(make_hello(fp=fp)))


def test_an_unknown_kind_of_message_is_none():
    """Not an error: a newer peer's."""
    assert decode(b'{"t":"dance","steps":3}') is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"t":5}',
        b'{"t":"ack"}',
        b'{"t":"ack","id":"5"}',
        b'{"t":"ack","id":5.5}',
        b'{"t":"ack","id":-1}',
        b'{"t":"ack","id":123456789012345678901234567890}',
        b'{"t":"ack","id":5}}',
        b'{"t":"ack","id":5',
        b'{"t":"pnl","d":[[1,NaN,0,0]]}',
        b'{"t":"pnl","d":[[1,1e999,0,0]]}',
        b'{"t":"pnl","d":[[1,Infinity,0,0]]}',
        b'{"t":"bye","code":"\xff"}',
        b'{"t":"bye","code":"' + b"x" * 200 + b'"}',
        b'{"t":"trade","op":"explode","q":1}',
        b'{"t":"ack","x":' + b"[" * 100_000,
        b'{"t":"zzz","x":' + b"[" * 100_000,
        b'{"t":"auth","proof":"abc"}',
        b'{"t":"verify"}',
        b'{"t":"verify","code":12345678}',
        b'{"t":"verify","code":"1234567"}',
        b'{"t":"verify","code":"123456789"}',
        b'{"t":"verify","code":"1234567\xd9\xa8"}',
        b'{"t":"verify","code":"12345678\\n"}',
        b'{"t":"pending","user_code":"\\u001b[2J","url":"https://x","expires_s":1}',
        b'{"t":"pending","user_code":"A","url":"https://x\\u001b[2J","expires_s":1}',
        b'{"t":"pending","user_code":"A","url":"https://x","expires_s":-1}',
        b'{"t":"pending","user_code":"A","url":"https://x","expires_s":1,"error":"no\\nway"}',
        b'{"t":"auth","proof":"' + b"g" * 64 + b'"}',
    ],
    # pytest tells a test's name in the environment, where Windows takes 32,767 characters
    ids=lambda line: repr(line[:60]),
)
def test_what_is_no_message_is_unreadable(line):
    """Wrong types, bounds broken, no JSON, too deep: one error, and none other."""
    with pytest.raises(UnreadableLine):
        decode(line)


def test_an_unreadable_line_tells_what_it_wanted_to_be():
    """So that lies of one kind can be counted."""
    with pytest.raises(UnreadableLine) as caught:
        decode(b'{"t":"ack","id":"5"}')
    assert caught.value.tag == "ack"


GOOD_TICK = [1, 1_764_000_000_000, "1.08541", "1.08543", 0.0, 0, 6]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, -1),
        (0, "1"),
        (1, 0),
        (1, 4_102_444_800_000),
        (1, 1_764_000_000),
        (2, "NaN"),
        (2, 1.08541),
        (3, "1e5"),
        (3, "01.5"),
        (3, '1,"x":2'),
        (4, "0"),
        (5, -1),
        (6, None),
    ],
)
def test_a_frame_with_one_wrong_tick_is_unreadable(at, value):
    """Prices are checked as text, stamps against the calendar; nothing of the frame is taken."""
    bad = [*GOOD_TICK]
    bad[at] = value
    with pytest.raises(UnreadableLine) as caught:
        decode(msgspec.json.encode({"t": "ticks", "d": [GOOD_TICK, bad]}))
    assert caught.value.tag == "ticks"


def test_prices_arrive_as_they_were_written():
    """The text reaches the client, trailing zeros and all."""
    ticks = decode(
        msgspec.json.encode(
            {"t": "ticks", "q": 5, "d": [[*GOOD_TICK[:2], "1.10", "1.20", 0, 0, 6]]}
        )
    )
    assert ticks == m.Ticks(d=[(1, 1_764_000_000_000, "1.10", "1.20", 0.0, 0, 6)], q=5)


FROM_A_TERMINAL = [
    *(get_args(m.Event)),
    m.Hello,
    m.Verify,
    m.Hb,
    m.Ack,
    m.Res,
    *(command.result for command in COMMANDS.values()),
]


def _leaves(kind: object) -> list[object]:
    match kind:
        case inspect.IntType() | inspect.StrType():
            return [kind]
        case inspect.StructType():
            parts = [field.type for field in kind.fields]
        case inspect.UnionType():
            parts = list(kind.types)
        case inspect.TupleType():
            parts = list(kind.item_types)
        case inspect.ListType():
            parts = [kind.item_type]
        case _:
            parts = []
    return [found for part in parts for found in _leaves(part)]


@pytest.mark.parametrize("said", FROM_A_TERMINAL, ids=str)
def test_everything_that_a_terminal_says_is_bounded(said):
    """A number beyond 64 bits, now or as milliseconds, could never be told to a client; a name
    without end could not be said back to the terminal.
    """
    for found in _leaves(inspect.type_info(said)):
        if isinstance(found, inspect.IntType):
            assert found.ge is not None
            assert (found.le if found.lt is None else found.lt) is not None
        elif said is not m.Ticks:  # whose texts are prices: see test_tick_prices
            assert found.max_length is not None or found.pattern is not None
