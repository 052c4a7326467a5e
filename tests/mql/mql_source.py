"""MQL source text: tokens, and what the preprocessor of MetaEditor makes of them.

Only what MetaEditor's own preprocessor knows is let through: ``#include``, ``#define``,
``#property``, ``#import`` and the conditions ``#ifdef``, ``#ifndef``, ``#else``, ``#endif``.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field
from pathlib import Path

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<directive>^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*)
    |(?P<constant>[DC]'[^'\n]*')
    |(?P<string>"(?:\\.|[^"\\\n])*")
    |(?P<character>'(?:\\.[0-9a-fA-F]*|[^'\\\n])')
    |(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<space>\s+)
    |(?P<sign><<=|>>=|->|\+\+|--|&&|\|\||<<|>>|[-+*/%&|^!<>=]=|::
        |[-+*/%&|^~!<>=?:;,.(){}\[\]\#])""",
    re.DOTALL | re.VERBOSE | re.MULTILINE,
)
_LANGUAGES = ("__MQL4__", "__MQL5__")


class BadSource(Exception):
    """The text cannot even be cut into tokens, or its brackets don't match."""


@dataclass(slots=True)
class Token:
    """A piece of text, and where it stands. Besides the kinds of :data:`_TOKEN` there are
    ``line`` (a ``#line`` for g++) and ``kept`` (a directive that g++ carries out).
    """

    kind: str
    text: str
    file: str
    line: int

    @property
    def is_silent(self) -> bool:
        """Whether it is no part of any expression."""
        return self.kind in ("space", "comment", "line", "kept")


def tokens_of(text: str, file: str) -> list[Token]:
    """Cut a text into tokens.

    Raises:
        BadSource: at a character that no token begins with.

    """
    position, line, found = 0, 1, []
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise BadSource(f"{file}:{line}: cannot read {text[position : position + 20]!r}")
        found.append(Token(str(match.lastgroup), match.group(), file, line))
        line += match.group().count("\n")
        position = match.end()
    return found


@dataclass(slots=True)
class _Condition:
    is_language: bool
    is_on: bool


@dataclass
class Source:
    """One program with all that it includes, as one row of tokens.

    Args:
        includes: the folders that ``#include <...>`` looks into.
        is_mql4: which of ``__MQL4__`` and ``__MQL5__`` is defined.

    """

    includes: list[Path]
    is_mql4: bool
    tokens: list[Token] = field(default_factory=list)
    properties: dict[str, list[str]] = field(default_factory=dict)
    imports: dict[str, list[Token]] = field(default_factory=dict)
    """Declarations of functions, by the DLL that has them."""
    errors: list[str] = field(default_factory=list)
    _seen: set[Path] = field(default_factory=set)

    def blame(self, token: Token, message: str) -> None:
        """Note an error."""
        self.errors.append(f"{token.file}:{token.line}: {message}")

    def read(self, path: Path) -> None:
        """Read the main file, and all that it includes."""
        self._read(path.resolve(), is_main=True)

    def _read(self, path: Path, *, is_main: bool) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        text = self._text(path)
        self.tokens.append(Token("line", f'\n#line 1 "{path}"\n', str(path), 1))
        if not is_main and not re.match(r"(?:\s|//[^\n]*|/\*.*?\*/)*#ifndef\b", text, re.DOTALL):
            self.errors.append(f"{path}:1: an include file begins with its guard: #ifndef")
        reading = _Reading(self, path, is_main)
        for token in tokens_of(text, str(path)):
            reading.take(token)

    def _text(self, path: Path) -> str:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        for number, line in enumerate(text.split("\n"), 1):
            if not line.isascii():
                self.errors.append(f"{path}:{number}: shipped sources are ASCII")
        return text

    def include(self, token: Token, path: Path) -> None:
        """Read what an ``#include`` names, then go on in the file that has it."""
        match = re.match(r'#\s*include\s*(?:<([^>]+)>|"([^"]+)")', token.text.strip())
        if match is None:
            self.blame(token, "#include needs <file> or a file in quotes")
            return
        name = (match[1] or match[2]).replace("\\", "/")
        folders = [path.parent] if match[2] else self.includes
        hit = next((one / name for one in folders if (one / name).exists()), None)
        if hit is None:
            self.blame(token, f"include file not found: {name}")
            return
        self._read(hit.resolve(), is_main=False)
        after = token.line + token.text.count("\n")
        self.tokens.append(Token("line", f'\n#line {after} "{path}"\n', str(path), token.line))


class _Reading:
    """Takes the tokens of one file, in their order."""

    def __init__(self, source: Source, path: Path, is_main: bool) -> None:
        self._source, self._path, self._is_main = source, path, is_main
        self._conditions: list[_Condition] = []
        self._import: str | None = None

    def take(self, token: Token) -> None:
        directive = token.text.strip() if token.kind == "directive" else ""
        if (directive and self._is_condition_on_language(directive)) or not all(
            one.is_on for one in self._conditions
        ):
            self._blank(token)
        elif directive:
            self._direct(token, directive)
        elif self._import is not None:
            self._source.imports.setdefault(self._import, []).append(token)
        else:
            self._source.tokens.append(token)

    def _blank(self, token: Token) -> None:
        """Leave the lines, so that g++ names the right ones."""
        lines = "\n" * max(token.text.count("\n"), token.kind == "directive")
        self._source.tokens.append(Token("space", lines, token.file, token.line))

    def _is_condition_on_language(self, directive: str) -> bool:
        """Follow a condition; whether it is ours to decide, rather than of g++."""
        match = re.match(r"#\s*(ifdef|ifndef|else|endif)\b\s*(\w*)", directive)
        if match is None:
            return False
        word, name = match.groups()
        if word in ("ifdef", "ifndef"):
            if name not in _LANGUAGES:
                self._conditions.append(_Condition(is_language=False, is_on=True))
                return False
            is_defined = (name == "__MQL4__") == self._source.is_mql4
            self._conditions.append(_Condition(True, is_defined == (word == "ifdef")))
            return True
        if not self._conditions:
            return False
        is_language = self._conditions[-1].is_language
        if word == "endif":
            self._conditions.pop()
        elif is_language:
            self._conditions[-1].is_on = not self._conditions[-1].is_on
        return is_language

    def _direct(self, token: Token, directive: str) -> None:
        source = self._source
        match = re.match(r"#\s*(\w+)", directive)
        word = match[1] if match else ""
        if word == "include":
            source.include(token, self._path)
        elif word == "property":
            self._property(token, directive)
        elif word == "import":
            named = re.match(r'#\s*import\s*"([^"]+)"', directive)
            self._import = named[1] if named else None
        elif word in ("ifdef", "ifndef", "else", "endif", "undef"):
            source.tokens.append(Token("kept", directive, token.file, token.line))
        elif word == "define":
            if "##" in directive:
                source.blame(token, "no token pasting in #define")
            text = with_strings(directive)
            source.tokens.append(Token("kept", text, token.file, token.line))
        else:
            source.blame(token, f"directive not allowed: {directive[:30]}")

    def _property(self, token: Token, directive: str) -> None:
        if not self._is_main:
            self._source.blame(token, "MetaEditor ignores #property in an include file")
        match = re.match(r"#\s*property\s+(\w+)\s*(.*)", directive)
        if match is None:
            self._source.blame(token, "#property needs a name")
        else:
            self._source.properties.setdefault(match[1], []).append(match[2].strip())


def with_strings(text: str) -> str:
    """Turn literals of MQL into those of the shim."""
    text = re.sub(r"[DC]'[^'\n]*'", lambda match: constant(match[0]), text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', lambda match: f"string(u{match[0]})", text)
    return re.sub(r"'(?:\\.[0-9a-fA-F]*|[^'\\])'", lambda match: f"((ushort)u{match[0]})", text)


def constant(text: str) -> str:
    """Return ``D'2026.01.31 12:00:00'`` or ``C'255,0,0'`` as the shim writes it.

    Raises:
        BadSource: it is neither.

    """
    body = text[2:-1]
    if text[0] == "C" and re.fullmatch(r"\w+,\w+,\w+", body):
        red, green, blue = (int(part, 0) for part in body.split(","))
        return f"color({red | green << 8 | blue << 16}u)"
    pattern = r"(\d{4})\.(\d\d?)\.(\d\d?)(?: (\d\d?)(?::(\d\d))?(?::(\d\d))?)?"
    match = re.fullmatch(pattern, body)
    if text[0] == "C" or match is None:
        raise BadSource(f"{text}: a time is written D'YYYY.MM.DD HH:MM:SS', a color C'R,G,B'")
    return f"datetime({calendar.timegm(tuple(int(part or 0) for part in match.groups()))}L)"
