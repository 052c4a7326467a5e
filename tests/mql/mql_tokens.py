"""The tokens of an MQL program in their order: neighbours, brackets, ends of statements."""

from __future__ import annotations

from mql_source import BadSource, Token


class TokenRow(list[Token]):
    """All tokens; spaces and comments say nothing, and are stepped over."""

    def step(self, at: int | None, step: int) -> int | None:
        """Return the index of the next token that says something."""
        if at is None:
            return None
        at += step
        while 0 <= at < len(self) and self[at].is_silent:
            at += step
        return at if 0 <= at < len(self) else None

    def text_before(self, at: int) -> str:
        """Return the text of the token before, ``""`` where there is none."""
        found = self.step(at, -1)
        return "" if found is None else self[found].text

    def text_after(self, at: int) -> str:
        """Return the text of the token after, ``""`` where there is none."""
        found = self.step(at, 1)
        return "" if found is None else self[found].text

    def closing(self, opening: int) -> int:
        """Return the index of the bracket that closes ``[``."""
        depth = 0
        for at in range(opening, len(self)):
            text = self[at].text if self[at].kind == "sign" else ""
            depth += (text == "[") - (text == "]")
            if depth == 0:
                return at
        token = self[opening]
        raise BadSource(f"{token.file}:{token.line}: '[' is never closed")

    def end_of_statement(self, start: int) -> int | None:
        """Return the index of the ``;`` that ends a statement, none where a bracket ends first."""
        depth = 0
        for at in range(start, len(self)):
            text = self[at].text
            if self[at].kind != "sign":
                continue
            if text == ";" and depth == 0:
                return at
            depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
            if depth < 0:
                return None
        return None


def split(tokens: list[Token]) -> list[list[Token]]:
    """Split a declaration at the commas that separate its variables."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "sign":
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def text_of(tokens: list[Token]) -> str:
    """Return the source of tokens, without comments."""
    return "".join(token.text for token in tokens if token.kind != "comment")
