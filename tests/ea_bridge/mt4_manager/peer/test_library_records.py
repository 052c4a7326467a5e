"""Between the library's records and ours: nothing is lost, nothing secret comes out."""

from __future__ import annotations

import ctypes
import math
import random
from ctypes import c_uint32
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.peer import layouts
from ea_bridge.mt4_manager.peer.layouts import ConCommon, ConGroup
from ea_bridge.mt4_manager.peer.records import RecordConverter, TextCodec, Unwritable

PAIRS: list[tuple[type[ctypes.Structure], type[Struct]]] = [
    (layouts.UserRecord, mt4.UserRecord),
    (layouts.TradeRecord, mt4.TradeRecord),
    (layouts.MarginLevel, mt4.MarginLevel),
    (layouts.OnlineRecord, mt4.OnlineRecord),
    (layouts.SymbolInfo, mt4.SymbolPrice),
    (ConCommon, mt4.ServerConfig),
]
SECRETS = {
    "password",
    "password_investor",
    "password_phone",
    "otp_secret",
    "secure_reserved",
    "smtp_password",
}
LETTERS = bytes(byte for byte in range(1, 256)).decode("latin-1")
CP1252 = [letter for letter in LETTERS.encode("latin-1").decode("cp1252", "ignore")]


def records(encoding: str = "cp1252") -> RecordConverter:
    return RecordConverter(TextCodec(encoding))


def draw(kind: type[Struct], record: type[ctypes.Structure], dice: random.Random) -> Struct:
    """Return a struct of that kind with members that the record can hold, its bounds among them.

    Drawn by hand: of structs of 60 members hypothesis makes ten a second.
    """
    types = {one[0]: one[1] for one in record._fields_}
    return kind(
        **{
            field.name: value(field.type, types[field.name], dice)
            for field in msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]
        }
    )


def value(told: msgspec.inspect.Type, raw: Any, dice: random.Random) -> Any:
    match told:
        case msgspec.inspect.StrType():
            length = dice.choice((0, 1, ctypes.sizeof(raw) - 1))
            return "".join(dice.choices(CP1252, k=length))
        case msgspec.inspect.FloatType():
            return dice.choice((0.0, -0.01, 1e300, -5e-324, dice.uniform(-1e9, 1e9)))
        case msgspec.inspect.IntType(ge=low, le=high):
            bits = 8 * ctypes.sizeof(raw)
            least = 0 if raw is c_uint32 else -(2 ** (bits - 1))
            most = least + 2**bits - 1
            floor, top = max(low or 0, least), min(high or 0, most)
            return dice.choice((floor, top, dice.randint(floor, top)))
        case msgspec.inspect.TupleType():
            return tuple(dice.uniform(-10, 10) for _ in range(raw._length_))
        case msgspec.inspect.ListType():
            return []
    raise AssertionError(f"what is a {told}?")


@pytest.mark.parametrize(("record", "kind"), PAIRS, ids=lambda one: one.__name__)
def test_every_member_survives_the_way_there_and_back(
    record: type[ctypes.Structure], kind: type[Struct]
):
    """Whatever it is, as long as the record can hold it."""
    converter = records()

    @settings(max_examples=30)
    @given(st.integers(0, 2**32))
    def there_and_back(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - test data
        struct, raw = draw(kind, record, dice), record()
        for name in struct.__struct_fields__:
            member = getattr(struct, name)
            if isinstance(member, tuple):
                getattr(raw, name)[:] = member
            elif not isinstance(member, list):
                converter.set(raw, name, member)
        assert converter.read(raw, kind) == struct

    there_and_back()


@pytest.mark.parametrize("record", [layouts.UserRecord, ConGroup], ids=lambda one: one.__name__)
def test_secrets_do_not_come_out(record: type[ctypes.Structure]):
    """A record whose secrets are full leaves none in what is told; ours has no such member."""
    raw = record()
    for name, *_ in record._fields_:
        if name in SECRETS:
            member = getattr(record, name)
            ctypes.memset(ctypes.addressof(raw) + member.offset, ord("s"), member.size)

    converter = records()
    told: Struct = (
        converter.read_group(raw)
        if isinstance(raw, ConGroup)
        else converter.read(raw, mt4.UserRecord)
    )

    assert not SECRETS & set(told.__struct_fields__)
    assert b"sss" not in msgspec.json.encode(told)


def test_a_text_that_does_not_fit_is_refused_never_cut():
    """The last of 16 bytes ends the text; a character that the encoding lacks is one too many."""
    user = layouts.UserRecord()

    records().set(user, "group", "g" * 15)
    assert user.group == b"g" * 15
    with pytest.raises(Unwritable, match="group has 16 bytes, more than 15"):
        records().set(user, "group", "g" * 16)
    with pytest.raises(Unwritable, match=r"name: U\+20BF is not in cp1252"):
        records().set(user, "name", "a ₿")
    with pytest.raises(Unwritable, match="city has a NUL"):
        records().set(user, "city", "a\0b")
    with pytest.raises(Unwritable, match="city has 40 bytes"):
        records("utf-8").set(user, "city", "я" * 20)


def test_a_number_that_would_be_cut_is_refused():
    """256 in a byte would be 0, and a leverage for many their deletion."""
    info = layouts.GroupCommandInfo()

    with pytest.raises(Unwritable, match="command cannot be 259"):
        records().set(info, "command", 259)


def test_bytes_without_a_character_are_read_all_the_same():
    """As Windows reads them, or replaced; one such byte does not hide a list of users."""
    user = layouts.UserRecord(name=b"A\x81\x80", city=b"\xd0\xaf\xff")

    assert records().read(user, mt4.UserRecord).name == "A\x81€"
    assert records("utf-8").read(user, mt4.UserRecord).city == "Я\ufffd"
    assert records("cp1251").read(user, mt4.UserRecord).name == "AЃЂ"


def test_what_no_server_should_tell_does_not_break_the_answer():
    """Infinity, a time before 1970, and an address with its highest bit in a signed number."""
    user = layouts.UserRecord(login=7, lastdate=-1, last_ip=-1062731775, balance=math.inf)

    told = records().read(user, mt4.UserRecord)

    assert (told.lastdate, told.last_ip, told.balance) == (0, 0xC0A80001, 0.0)
    assert msgspec.json.decode(msgspec.json.encode(told), type=mt4.UserRecord) == told


def test_a_group_is_told_with_what_is_in_use():
    """Security groups to the last that is shown, special margins as many as there are."""
    group = ConGroup(group=b"demo", secmargins_total=1)
    group.secgroups[2].show = 1
    group.secgroups[2].lot_step = 10
    group.secmargins[0].symbol = b"GOLD"

    told = records().read_group(group)

    assert [one.show for one in told.secgroups] == [0, 0, 1]
    assert told.secgroups[2].lot_step == 10
    assert [one.symbol for one in told.secmargins] == ["GOLD"]


def test_a_count_beyond_the_record_is_not_believed():
    """It would read over the end of the array."""
    group = ConGroup(secmargins_total=100_000)

    assert len(records().read_group(group).secmargins) == 128
    group.secmargins_total = -1
    assert records().read_group(group).secmargins == []
