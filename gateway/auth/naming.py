"""What the terminals of a daemon are called: callers, links and channels meet by these names.

A console lets each user name terminals as he likes, and one daemon may serve several users. Then
the name alone must not bring one user's caller to another's terminal: all users but the first get
their own mark behind it, ``demo~3f2a9c0d17be5512``. No label contains a tilde.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.auth.entry import Entry


def named(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return the entries by token id, each with the name of its terminal.

    Who has a name keeps it, since links and callers are known by it; of users who come at the
    same time the one with the oldest token gets the bare name. The tokens of one user for one
    label are for the same terminal.
    """
    given = list(entries)
    names = {_whose(one): one.terminal for one in given if one.terminal}
    taken = set(names.values())
    for entry in sorted(given, key=lambda one: (one.record.created_at, one.record.uid_hash)):
        label, uid = entry.record.label, entry.record.uid_hash
        name = names.setdefault(_whose(entry), f"{label}~{uid}" if label in taken else label)
        taken.add(name)
    return {one.record.tid: _with_name(one, names[_whose(one)]) for one in given}


def _whose(entry: Entry) -> tuple[str, str]:
    return entry.record.uid_hash, entry.record.label


def _with_name(entry: Entry, name: str) -> Entry:
    return entry if entry.terminal == name else replace(entry, terminal=name)
