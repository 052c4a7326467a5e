"""What a command left behind."""

from __future__ import annotations

from typing import NamedTuple


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def advice(self) -> tuple[str, str]:
        """What it told a person in two lines: what to do, and why."""
        assert (self.out, self.code) == ("", 1)
        first, second = self.err.splitlines()
        assert first.startswith("mt-gateway: ")
        return first.removeprefix("mt-gateway: "), second

    @property
    def complaint(self) -> str:
        """The one line that it told a person; nothing else was printed."""
        assert self.out == ""
        assert self.code != 0
        line, *rest = self.err.splitlines()
        assert rest == [], self.err
        assert line.startswith("mt-gateway: ")
        return line.removeprefix("mt-gateway: ")
