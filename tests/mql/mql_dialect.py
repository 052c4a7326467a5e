"""What g++ would take and MetaEditor would not, or takes for something else."""

from __future__ import annotations

from collections.abc import Callable

from mql_source import Source, Token

_CPP_ONLY = [
    "auto",
    "nullptr",
    "constexpr",
    "decltype",
    "using",
    "throw",
    "try",
    "catch",
    "goto",
    "friend",
    "mutable",
    "volatile",
    "register",
    "typeid",
    "static_cast",
    "reinterpret_cast",
    "const_cast",
    "static_assert",
    "noexcept",
    "unsigned",
    "signed",
    "size_t",
    "std",
    "wchar_t",
    "char16_t",
    "typedef",
    "asm",
    "thread_local",
    "alignas",
    "alignof",
    "concept",
    "requires",
    "co_await",
    "int64_t",
    "uint64_t",
    "printf",
]
_RESERVED = [
    "matrix",
    "vector",
    "matrixf",
    "vectorf",
    "complex",
    "pack",
    "offsetof",
    "namespace",
    "group",
    "final",
    "override",
]
FORBIDDEN = {
    **dict.fromkeys(_CPP_ONLY, "C++ only"),
    **dict.fromkeys(_RESERVED, "reserved in MQL, or a type of it"),
}
REQUIRED_PROPERTIES = ("copyright", "version", "description")

_END = Token("", "", "", 0)


class Linter:
    """Looks at the tokens of one program.

    Args:
        source: where errors go.
        is_type: whether a name is one of a type.
        classes: names of classes.

    """

    def __init__(self, source: Source, is_type: Callable[[str], bool], classes: set[str]) -> None:
        self._source = source
        self._is_type = is_type
        self._classes = classes
        self._tokens = [token for token in source.tokens if not token.is_silent]

    def lint(self) -> None:
        """Note everything that is wrong."""
        for name in REQUIRED_PROPERTIES:
            if name not in self._source.properties:
                self._source.errors.append(f"missing #property {name}")
        depth = 0
        for at, token in enumerate(self._tokens):
            depth += (token.text == "{") - (token.text == "}")
            self._brackets(at, token)
            self._heads(at, token)
            if self._is_type(token.text) and self._at(at + 1).kind == "name":
                self._declaration(at, token, is_global=depth == 0)
        self._hiding()

    def _at(self, at: int) -> Token:
        return self._tokens[at] if 0 <= at < len(self._tokens) else _END

    def _brackets(self, at: int, token: Token) -> None:
        before = self._at(at - 1)
        if token.text != "[" or at == 0:
            return
        is_operator = before.kind == "sign" and before.text not in (")", "]", ">")
        if is_operator or before.text == "return":
            self._source.blame(token, "no lambdas, no attributes")

    def _heads(self, at: int, token: Token) -> None:
        if token.text in ("class", "struct") and self._at(at + 2).text == ":":
            if "," in self._until(at + 3, "{;"):
                self._source.blame(token, "no multiple inheritance")
        elif token.text == "template" and "=" in self._until(at, ">"):
            self._source.blame(token, "no default template arguments")

    def _declaration(self, at: int, token: Token, *, is_global: bool) -> None:
        after, before = self._at(at + 2).text, self._at(at - 1).text
        heads = ("class", "struct", "enum", "interface", "public", "private", "protected", "union")
        if after == "{" and before not in heads:
            self._source.blame(token, "no initialisation by braces without =")
        if after == "(" and token.text in self._classes and before in (";", "}", "{", ":", ""):
            self._source.blame(token, "objects are neither returned by value nor given arguments")
        if after == "=" and is_global:
            self._initialiser(at + 3, token)

    def _initialiser(self, at: int, token: Token) -> None:
        while self._at(at).text not in (";", ""):
            one, following = self._at(at), self._at(at + 1).text
            is_call = one.kind == "name" and following == "(" and one.text != "sizeof"
            if is_call and not self._is_type(one.text):
                self._source.blame(token, "a global is initialised by constants")
                return
            at += 1

    def _hiding(self) -> None:
        """Blame what has the name of an input or of another global, wherever that is declared:
        g++ sees it only below the global, MetaEditor warns above it, too (its warning 62).
        """
        own: set[str] = set()
        others: list[Token] = []
        braces = parentheses = 0
        for at, token in enumerate(self._tokens):
            braces += (token.text == "{") - (token.text == "}")
            parentheses += (token.text == "(") - (token.text == ")")
            if not self._is_type(token.text):
                continue
            for name in self._names(at + 1, is_parameter=parentheses > 0):
                if braces or parentheses:
                    others.append(name)
                else:
                    own.add(name.text)
        for name in others:
            if name.text in own:
                self._source.blame(name, f"'{name.text}' hides an input or another global")

    def _names(self, at: int, *, is_parameter: bool) -> list[Token]:
        """Return what is declared behind a type: no functions, and of parameters one."""
        found: list[Token] = []
        while True:
            at += self._at(at).text in ("&", "*")
            name, depth = self._at(at), 0
            if name.kind != "name" or self._at(at + 1).text not in (*"=;,)[", ""):
                return found
            found.append(name)
            while self._at(at).text and (depth or self._at(at).text not in (*";,)}", "")):
                depth += (self._at(at).text in "([{") - (self._at(at).text in ")]}")
                at += 1
            if is_parameter or self._at(at).text != ",":
                return found
            at += 1

    def _until(self, at: int, ends: str) -> list[str]:
        found = []
        while self._at(at).text and self._at(at).text not in ends:
            found.append(self._at(at).text)
            at += 1
        return found
