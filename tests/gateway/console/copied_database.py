"""Copy of a SQLite database with all tables of the console and no row."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.console.database import home_url


def new_sqlite(template: Path, home: Path) -> str:
    """Return the URL of a copy of the template, in a home."""
    home.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(template, home / template.name)
    (home / template.name).chmod(0o600)
    return home_url(home)
