"""Codec of texts in the Manager API's arrays of bytes.

The header says ``char`` and nothing about what the bytes mean; old servers write the code page of
their Windows. So the encoding is chosen when the peer is started, one for both ways, and the
texts that a client knows by heart (groups, symbols) are ASCII in any of them. A byte that the
encoding has no character for is not an error in what is read: it becomes the character of the
same number, as Windows does it, or U+FFFD. In what is written every character must exist.
"""

from __future__ import annotations

import codecs

DEFAULT_ENCODING = "cp1252"
_CONTROL = "mt4-control"


class Unwritable(ValueError):
    """A member does not fit the record; the message says why and is for the wire."""


class TextCodec:
    """Codec of bytes to texts and back.

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
        if len(data) >= size:
            raise Unwritable(f"{name} has {len(data)} bytes, more than {size - 1}")
        return data


def _as_control(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data: bytes = error.object[error.start : error.end]
    return data.decode("latin-1"), error.end


codecs.register_error(_CONTROL, _as_control)
