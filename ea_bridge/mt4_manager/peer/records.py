"""Conversion between the library's records and ours, and of the texts in them.

Reading goes by name: every member of our struct that the record has too is taken over, so that
what is not a member of ours, secrets above all, cannot leave. What our members forbid does not
break a whole list: a number outside of their bounds becomes the nearest bound, and what is not
finite 0; no server is known to have either.

The header says ``char`` of texts and nothing about what the bytes mean; old servers write the code
page of their Windows. So the encoding is chosen when the peer is started, one for both ways, and
the texts that a client knows by heart (groups, symbols) are ASCII in any of them.
"""

from __future__ import annotations

import codecs
import ctypes
import math
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import msgspec

from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import model as mt4

from . import layouts
from .layouts import ConGroup

DEFAULT_ENCODING = "cp1252"
_CONTROL = "mt4-control"


class Unwritable(ValueError):
    """A member does not fit the record; the message says why and is for the wire."""


class TextCodec:
    """Codec of texts in the Manager API's arrays of bytes.

    A byte that the encoding has no character for is not an error in what is read: it becomes the
    character of the same number, as Windows does it, or U+FFFD. In what is written every
    character must exist.

    Args:
        encoding: as Python names it, one byte a character or UTF-8.

    Raises:
        LookupError: there is none of that name.

    """

    def __init__(self, encoding: str = DEFAULT_ENCODING) -> None:
        self.encoding = codecs.lookup(encoding).name
        self._errors = "replace" if self.encoding == "utf-8" else _CONTROL

    def read(self, data: bytes) -> str:
        """Return the text up to the first NUL."""
        # behind the NUL lies whatever the memory held before
        return data.partition(b"\0")[0].decode(self.encoding, self._errors)

    def write(self, text: str, size: int, name: str) -> bytes:
        """Return what goes into an array of ``size`` bytes, which has to end with a NUL.

        Raises:
            Unwritable: it is too long, or has characters that the array cannot hold.

        """
        if "\0" in text:
            raise Unwritable(f"{name} has a NUL")
        try:
            data = text.encode(self.encoding)
        except UnicodeEncodeError as error:
            bad = text[error.start]
            raise Unwritable(f"{name}: U+{ord(bad):04X} is not in {self.encoding}") from None
        # ``>=``: the last byte is the NUL's
        if len(data) >= size:
            raise Unwritable(f"{name} has {len(data)} bytes, more than {size - 1}")
        return data


def _as_control(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data: bytes = error.object[error.start : error.end]
    return data.decode("latin-1"), error.end


# cp1252 leaves five bytes without a character, which Windows reads as control characters
codecs.register_error(_CONTROL, _as_control)


S = TypeVar("S", bound=Struct)
Reader = Callable[[Any], Any]

_UINT_MAX = 2**32 - 1


class RecordConverter:
    """Converter of records, with texts in one encoding.

    Args:
        codec: of the texts.

    """

    def __init__(self, codec: TextCodec) -> None:
        self.codec = codec
        self._plans: dict[type[Struct], list[tuple[str, Reader]]] = {}

    def read(self, record: ctypes.Structure, kind: type[S], **others: Any) -> S:
        """Return the struct of that kind; ``others`` are members that need more than a look."""
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._plan(type(record), kind, others)
        return kind(**{name: read(getattr(record, name)) for name, read in plan}, **others)

    def read_group(self, record: ConGroup) -> mt4.GroupRecord:
        """Return a group, with the security groups up to the last that is shown."""
        shown = [at for at, security in enumerate(record.secgroups) if security.show]
        securities = record.secgroups[: shown[-1] + 1] if shown else []
        # the server's number is not trusted further than the array reaches
        count = max(0, min(record.secmargins_total, len(record.secmargins)))
        return self.read(
            record,
            mt4.GroupRecord,
            secgroups=[self.read(security, mt4.GroupSecurity) for security in securities],
            secmargins=[
                self.read(margin, mt4.GroupMargin) for margin in record.secmargins[:count]
            ],
        )

    def read_symbol(self, record: layouts.ConSymbol) -> mt4.SymbolRecord:
        """Return a symbol with its sessions."""
        days = [
            mt4.DaySessions(quote=_sessions(day.quote), trade=_sessions(day.trade))
            for day in record.sessions
        ]
        return self.read(record, mt4.SymbolRecord, sessions=days)

    def write(
        self, record: ctypes.Structure, change: Struct, *, but: Collection[str] = ()
    ) -> None:
        """Put every member that is not ``None`` into the record's member of that name.

        Args:
            but: members that are not of the record.

        Raises:
            Unwritable: a member does not fit.

        """
        for name in change.__struct_fields__:
            value = getattr(change, name)
            if value is not None and name not in but:
                self.set(record, name, value)

    def set(self, record: ctypes.Structure, name: str, value: Any) -> None:
        """Put one member into the record.

        Raises:
            Unwritable: it does not fit. A number that is cut to fit would be another command.

        """
        if isinstance(value, str):
            value = self.codec.write(value, getattr(type(record), name).size, name)
        setattr(record, name, value)
        if getattr(record, name) != value:
            raise Unwritable(f"{name} cannot be {value}")

    def _plan(
        self, record: type[ctypes.Structure], kind: type[Struct], others: Collection[str]
    ) -> list[tuple[str, Reader]]:
        members = {field[0] for field in record._fields_}
        info = msgspec.inspect.type_info(kind)
        assert isinstance(info, msgspec.inspect.StructType)
        return [
            (field.name, self._reader(field.type))
            for field in info.fields
            if field.name in members and field.name not in others
        ]

    def _reader(self, kind: msgspec.inspect.Type) -> Reader:
        match kind:
            case msgspec.inspect.StrType():
                return self.codec.read
            case msgspec.inspect.FloatType():
                return _finite
            case msgspec.inspect.IntType(ge=low, le=high) if low is not None and high is not None:
                return _unsigned if high == _UINT_MAX else _clamp(low, high)
            case msgspec.inspect.TupleType():
                return lambda array: tuple(_finite(value) for value in array)
            case msgspec.inspect.ListType():
                return lambda array: [value for value in array if value]
        raise TypeError(f"no record has a {kind}")


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _unsigned(value: int) -> int:
    """Return an address that the record has in a signed ``int``."""
    return value & _UINT_MAX


def _clamp(low: int, high: int) -> Callable[[int], int]:
    return lambda value: min(max(value, low), high)


def _sessions(array: Any) -> list[tuple[int, int, int, int]]:
    """Return the sessions of a day; one whose begin and end are equal is none."""
    spans = [
        (session.open_hour, session.open_min, session.close_hour, session.close_min)
        for session in array
    ]
    return [span for span in spans if span[:2] != span[2:]]
