"""Conversion between the library's records and ours.

Reading goes by name: every member of our struct that the record has too is taken over, so that
what is not a member of ours, secrets above all, cannot leave. What our members forbid does not
break a whole list: a number outside of their bounds becomes the nearest bound, and what is not
finite 0; no server is known to have either.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import msgspec

from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import model as mt4

from . import layouts
from .configuration import ConGroup
from .text_codec import TextCodec, Unwritable

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
