"""Rights to a folder on Windows: its access control list, read from its text form (SDDL)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

SYSTEM = frozenset({"SY", "BA", "CO", "OW", "S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4"})
"""The system and administrators, who may do all anyway, and whoever owns what he makes."""
WRITES = frozenset({"FA", "GA", "FW", "GW", "WD", "WO", "SD", "DC", "LC", "RP", "DT", "CR"})
"""Rights that change a folder, or let others change it, in letters: those of objects in a
directory service stand for those of files."""
WRITE_BITS = 0x0000_0116 | 0x0004_0000 | 0x0008_0000 | 0x0001_0000 | 0x5000_0000 | 0x0000_0040
"""The same as numbers: data, attributes, children, DAC, owner, deletion, generic write and all."""
NAMES = {
    "WD": "Everyone",
    "BU": "Users",
    "AU": "Authenticated Users",
    "IU": "Interactive",
    "BG": "Guests",
    "AN": "Anonymous",
}
_ACE = re.compile(r"\(([^()]*)\)")
_DENIES = frozenset({"D", "OD", "XD"})


def access_of(sddl: str) -> tuple[list[str], list[str]]:
    """Return who else than the owner may write, and who may only read.

    Args:
        sddl: with owner and DACL, such as ``O:BAD:(A;;FA;;;SY)``.

    Raises:
        ValueError: it is no such text.

    """
    found = re.fullmatch(r"O:(?P<owner>[\w-]+?)(?:G:[\w-]+?)?D:(?P<dacl>.*)", sddl)
    # one with a condition (XA) holds brackets, and may let anybody in
    if found is None or "(XA;" in sddl:
        raise ValueError("no owner and no DACL that can be read")
    flags, _, _ = found["dacl"].partition("(")
    if "NO_ACCESS_CONTROL" in flags or not found["dacl"]:
        return ["Everyone"], []  # no list at all lets everybody do everything
    writers: dict[str, None] = {}
    readers: dict[str, None] = {}
    for ace in _ACE.findall(found["dacl"]):
        fields = ace.split(";")
        if len(fields) < 6:
            raise ValueError("an entry that is none")
        kind, rights, who = fields[0], fields[2], fields[5]
        if kind in _DENIES or who == found["owner"] or who in SYSTEM:
            continue
        (writers if _writes(rights) else readers)[NAMES.get(who, who)] = None
    return list(writers), [who for who in readers if who not in writers]


def _writes(rights: str) -> bool:
    if rights.startswith("0x"):
        return bool(int(rights, 16) & WRITE_BITS)
    return not WRITES.isdisjoint(re.findall("..", rights))


def closing(folder: Path) -> str:
    """Return the command of PowerShell that leaves a folder to its user alone."""
    place = "'{}'".format(str(folder).replace("'", "''"))
    grants = '"${env:USERNAME}:(OI)(CI)F" "*S-1-5-18:(OI)(CI)F"'
    return f"icacls {place} /inheritance:r /grant:r {grants}"


def sddl_of(folder: Path) -> str:
    """Return owner and DACL of a folder in their text form.

    Raises:
        OSError: they cannot be read, or this is no Windows.

    """
    if sys.platform != "win32":
        raise OSError("only Windows has such lists")
    import ctypes
    from ctypes import wintypes

    advapi, kernel = ctypes.WinDLL("advapi32"), ctypes.WinDLL("kernel32")
    kernel.LocalFree.argtypes = (ctypes.c_void_p,)
    descriptor, text = ctypes.c_void_p(), wintypes.LPWSTR()
    file_object, owner_and_dacl, revision = 1, 1 | 4, 1
    failed = advapi.GetNamedSecurityInfoW(
        wintypes.LPCWSTR(str(folder)),
        file_object,
        owner_and_dacl,
        None,
        None,
        None,
        None,
        ctypes.byref(descriptor),
    )
    if failed:
        raise OSError(failed, ctypes.FormatError(failed))
    try:
        if not advapi.ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor, revision, owner_and_dacl, ctypes.byref(text), None
        ):
            raise OSError(0, "its access control list cannot be told as text")
        try:
            return str(text.value)
        finally:
            kernel.LocalFree(text)
    finally:
        kernel.LocalFree(descriptor)
