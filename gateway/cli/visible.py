"""Text of others on a person's screen."""

from __future__ import annotations


def visible(text: str) -> str:
    """Return a text with its control characters spelled out: a broker's comment or the reason of
    a halt must not move the cursor of who watches.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
