"""RecordConverter in memory: what ctypes makes of them is what a C++ compiler makes of them."""

from __future__ import annotations

import subprocess
from ctypes import Structure
from pathlib import Path

import pytest
from manager_library import compile_cpp

from ea_bridge.mt4_manager.peer.layouts import SIZES, TradeRecord, check_sizes

RECORDS: list[type[Structure]] = [*SIZES]


def test_every_member_lies_where_the_compiler_puts_it(tmp_path: Path):
    """Offset and size of each of the 330 members, and the sizes of the 15 records."""
    expected, lines = [], []
    for record in RECORDS:
        lines.append(f'printf("{record.__name__} %zu\\n", sizeof({record.__name__}));')
        expected.append(f"{record.__name__} {SIZES[record]}")
        for name, *_ in record._fields_:
            member = getattr(record, name)
            where = f"offsetof({record.__name__}, {name})"
            size = f"sizeof((({record.__name__} *)nullptr)->{name})"
            lines.append(f'printf("{record.__name__}.{name} %zu %zu\\n", {where}, {size});')
            expected.append(f"{record.__name__}.{name} {member.offset} {member.size}")
    source = tmp_path / "offsets.cpp"
    head = "#include <cstddef>\n#include <cstdio>\n#include <records.h>\nint main() {\n"
    source.write_text(head + "\n".join(lines) + "\n}\n", encoding="utf-8")
    program = compile_cpp(source, tmp_path / "offsets")

    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout

    assert said.splitlines() == expected


def test_a_trade_has_the_size_that_metaquotes_gives():
    """224 bytes."""
    assert SIZES[TradeRecord] == 224


def test_another_layout_is_noticed():
    """A Python that lays a record out otherwise does not get as far as reading one."""
    with pytest.raises(ImportError, match="TradeRecord takes 224 bytes here instead of 216"):
        check_sizes({TradeRecord: 216})
