"""Columns that hold sealed secrets: what the exchange of a key has to know."""

from __future__ import annotations

from dataclasses import dataclass

from .secrets import Place


@dataclass(frozen=True)
class SealedColumn:
    """A column of texts that a :class:`~.secrets.SecretBox` sealed; where it is NULL, nothing is.

    Args:
        table: its name.
        key: the column that identifies a row, of type TEXT.
        column: the sealed one.

    """

    table: str
    key: str
    column: str

    def place(self, row: str) -> Place:
        """Return where the secret of one row lies."""
        return Place(self.table, row, self.column)
