"""Compile the EA with MetaEditor, on Windows: ``python .github/metaeditor.py FOLDER``.

FOLDER is that of a MetaTrader's program. The EA is put there by ``mt-gateway install-ea``, as a
user does, and compiled with the command that it prints. Every error and every warning fails it:
MetaEditor's exit code says nothing, so its log (UTF-16) is read, and the program must be there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

LIMIT_S = 180
RESULT = re.compile(r"^\s*Result:?\s+(\d+) error(?:\(s\)|s)?, (\d+) warning", re.MULTILINE)


def judge(log: bytes) -> str | None:
    """Return what is wrong with a compilation, ``None`` if nothing is."""
    found = RESULT.findall(text_of(log))
    if not found:
        return "the log names no result"
    if any(int(count) for result in found for count in result):
        return ", ".join(f"{errors} errors, {warnings} warnings" for errors, warnings in found)
    return None


def text_of(log: bytes) -> str:
    """Return what a log says: UTF-16 with its mark, of some builds without, or UTF-8."""
    if log[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return log.decode("utf-16", "replace")
    return log.decode("utf-16-le" if b"\0" in log else "utf-8", "replace")


def compile_ea(folder: Path) -> str | None:
    """Install the EA and compile it; return what is wrong, ``None`` if nothing is."""
    for language in ("MQL4", "MQL5"):  # made by the terminal's first start, which CI does without
        if (folder / {"MQL4": "terminal.exe", "MQL5": "terminal64.exe"}[language]).is_file():
            (folder / language).mkdir(exist_ok=True)
    words = [sys.executable, "-m", "gateway", "install-ea", "--json", "--terminal", str(folder)]
    installing = subprocess.run(words, check=True, stdout=subprocess.PIPE)  # noqa: S603  # ours
    facts = json.loads(installing.stdout)
    if facts["compile"] is None:
        return f"there is no MetaEditor in {folder}"
    log = Path(facts["compile_log"])
    program = log.with_suffix(f".ex{facts['terminal']['platform'][-1]}")
    for old in (log, program):
        old.unlink(missing_ok=True)
    subprocess.run(facts["compile"], check=False, timeout=LIMIT_S)  # noqa: S603  # ours
    deadline = time.monotonic() + LIMIT_S
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(1)
    if not log.exists():
        return "MetaEditor has left no log"
    raw = log.read_bytes()
    sys.stdout.write(text_of(raw).encode("ascii", "replace").decode() + "\n")
    return judge(raw) or (None if program.is_file() else f"{program} was not made")


def main() -> int:
    """Return 0 if all is well; what is not goes to stderr."""
    wrong = compile_ea(Path(sys.argv[1]))
    if wrong is not None:
        sys.stderr.write(f"{sys.argv[1]}: {wrong}\n")
    return int(wrong is not None)


if __name__ == "__main__":
    sys.exit(main())
