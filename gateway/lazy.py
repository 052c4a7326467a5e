"""Packages whose names are imported when they are asked for.

A command that needs one part of a package must not wait for all others to be loaded. A name must
not be that of a module of the package: once imported, the module would hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module


def names_of(package: str, **modules: str) -> Callable[[str], object]:
    """Return what serves as ``__getattr__`` of a package.

    Args:
        package: its ``__name__``.
        modules: the names that each of its modules gives, with spaces between.

    """
    places = {name: module for module, names in modules.items() for name in names.split()}

    def getter(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{places[name]}"), name)

    return getter
