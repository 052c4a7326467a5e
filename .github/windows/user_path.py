"""Put a folder into the ``Path`` of this user, or take it out: ``python user_path.py add FOLDER``.

The installer has this done by Python, since NSIS reads no more than 1023 characters of a ``Path``
and would write back what it read. Nothing else of the ``Path`` is changed, nor is its type: one
with ``%NAME%`` in it stays one that is expanded.
"""

from __future__ import annotations

import sys

ENVIRONMENT = "Environment"
"""The key under ``HKEY_CURRENT_USER``."""
NAME = "Path"


def with_folder(path: str, folder: str) -> str:
    """Return a ``Path`` that ends with a folder, or as it is if the folder stands there."""
    if any(_is_same(entry, folder) for entry in path.split(";")):
        return path
    kept = path.removesuffix(";")
    return f"{kept};{folder}" if kept else folder


def without_folder(path: str, folder: str) -> str:
    """Return a ``Path`` that names a folder nowhere."""
    return ";".join(entry for entry in path.split(";") if not _is_same(entry, folder))


def _is_same(entry: str, folder: str) -> bool:
    """Whether two entries mean one folder, as Windows reads them."""
    plain = [one.strip().strip('"').rstrip("\\").casefold() for one in (entry, folder)]
    return plain[0] == plain[1]


def change(action: str, folder: str) -> None:
    """Change the ``Path`` in the registry, and tell the programs that run.

    Raises:
        OSError: the registry could not be read or written.

    """
    if sys.platform != "win32":
        raise OSError("there is no registry on this system")
    import winreg

    access = winreg.KEY_READ | winreg.KEY_WRITE
    with winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, ENVIRONMENT, 0, access) as key:
        try:
            path, kind = winreg.QueryValueEx(key, NAME)
        except FileNotFoundError:
            path, kind = "", winreg.REG_EXPAND_SZ
        if kind not in (winreg.REG_SZ, winreg.REG_EXPAND_SZ):
            raise OSError("the Path of this user is no text")
        changed = (with_folder if action == "add" else without_folder)(path, folder)
        if changed == path:
            return
        if changed:
            winreg.SetValueEx(key, NAME, 0, kind, changed)
        else:
            winreg.DeleteValue(key, NAME)
    _tell()


def _tell() -> None:
    """Have the desktop read the environment anew: what it starts from now on has it."""
    if sys.platform != "win32":
        return
    import ctypes

    everybody, setting_change, abort_if_hung, limit_ms = 0xFFFF, 0x001A, 0x0002, 2000
    ctypes.windll.user32.SendMessageTimeoutW(
        everybody, setting_change, 0, ctypes.c_wchar_p(ENVIRONMENT), abort_if_hung, limit_ms, None
    )


def main() -> int:
    """Return 0 if the ``Path`` is as it should be."""
    match sys.argv[1:]:
        case ["add" | "remove" as action, folder] if folder and ";" not in folder:
            change(action, folder)
            return 0
    sys.stderr.write("user_path.py add|remove FOLDER\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
