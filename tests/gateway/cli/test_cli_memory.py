"""What a process lets others see of its memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, ctypes, resource
from gateway.cli.process import run_until_stopped

async def main():
    print(resource.getrlimit(resource.RLIMIT_CORE))
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if {linux} else 0)  # PR_GET_DUMPABLE

run_until_stopped(main, verbose=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no core dumps there")
def test_a_running_gateway_leaves_no_core_dump() -> None:
    """Neither now nor by a higher limit later; on Linux nobody of the same user looks into it."""
    program = PROGRAM.format(linux=sys.platform == "linux")
    done = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True, check=True
    )
    assert done.stdout == "(0, 0)\n0\n"
    assert done.stderr == ""
