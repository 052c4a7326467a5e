"""How a compilation by MetaEditor is judged, where there is no MetaEditor."""

from __future__ import annotations

import codecs
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / ".github" / "metaeditor.py"
SOURCE = "C:\\MT5\\MQL5\\Experts\\TerminalGateway.mq5"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script of the workflow."""
    spec = spec_from_file_location("metaeditor", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("result", "wrong"),
    [
        ("Result: 0 errors, 0 warnings, 512 msec elapsed, cpu='X64 Regular'", None),
        ("Result 0 errors, 0 warnings", None),
        ("Result: 0 error(s), 0 warning(s)\t\t 312 ms elapsed", None),
        ("Result: 1 errors, 0 warnings", "1 errors, 0 warnings"),
        ("Result: 0 errors, 10 warnings", "0 errors, 10 warnings"),
        ("Result: 10 errors, 0 warnings", "10 errors, 0 warnings"),
        ("Result: 0 errors, 0 warnings\r\nResult: 0 errors, 1 warnings", "1 warnings"),
        ("information: 0 errors, 0 warnings", "names no result"),
        ("", "names no result"),
    ],
)
@pytest.mark.parametrize(
    ("coding", "mark"),
    [
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
        ("utf-8", b""),
    ],
)
def test_a_log_is_judged(
    script: ModuleType, result: str, wrong: str | None, coding: str, mark: bytes
) -> None:
    """Every error and every warning counts, and a log without a result does, too."""
    text = f"{SOURCE} : information: compiling\r\n{result}\r\n"
    judged = script.judge(mark + text.encode(coding))
    assert (judged is None) == (wrong is None)
    assert (wrong or "") in (judged or "")
