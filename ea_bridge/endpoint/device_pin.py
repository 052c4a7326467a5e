"""Pin of the daemon that a terminal belongs to: the one that let it in first."""

from __future__ import annotations

import logging
from pathlib import Path

_log = logging.getLogger(__name__)


class DevicePin:
    """Id of that daemon's device.

    Another one may know the token too, and prove it: a program on the daemon's port that has
    introduced itself to the console as a new device. Whoever expects a mail may even approve it.
    So a terminal that has been let in once says nothing to any other device.

    Args:
        path: keeps the id between runs; what is there now counts. In memory only if absent.

    Raises:
        OSError: the file is there and cannot be read.
        UnicodeDecodeError: it is no text.

    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.device: str | None = None
        """``None`` before the first welcome."""
        if path is not None and path.exists():
            self.device = path.read_text(encoding="utf-8").strip()

    def fits(self, device: str) -> bool:
        """Tell whether that device may be talked to."""
        return self.device is None or device == self.device

    def keep(self, device: str) -> None:
        """Remember the device that has let us in."""
        if device == self.device:
            return
        self.device = device
        if self.path is None:
            return
        try:
            fresh = self.path.with_name(f"{self.path.name}.new")
            fresh.write_text(f"{device}\n", encoding="utf-8")
            fresh.replace(self.path)
        except OSError as error:
            _log.warning("%s is not written, so the next run trusts anew: %s", self.path, error)
