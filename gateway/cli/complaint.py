"""What a command tells the person who typed it when it cannot do its work."""

from __future__ import annotations


class Complaint(Exception):
    """One line: what is wrong and what to do about it."""

    def __init__(self, line: str, exit_code: int = 1) -> None:
        super().__init__(line)
        self.exit_code = exit_code
