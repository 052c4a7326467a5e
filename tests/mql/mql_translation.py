"""MQL source as C++: what the two languages write differently is rewritten, token by token.

Arrays become objects that know their bounds, string literals UTF-16 strings, ``.`` after a pointer
a checked dereference, an ``input`` a constant that the command line may set. Everything else is
left as it is, so that g++ checks the very text that MetaEditor will.
"""

from __future__ import annotations

import re

from mql_dialect import FORBIDDEN, Linter
from mql_source import BadSource, Source, Token, constant, with_strings
from mql_tokens import TokenRow, split, text_of

EVENTS = (
    "OnInit",
    "OnDeinit",
    "OnTick",
    "OnTimer",
    "OnBookEvent",
    "OnTradeTransaction",
    "OnTrade",
    "OnChartEvent",
    "OnStart",
)
"""In the order of the members of ``mql::Handlers``."""
MAX_INPUT_NAME = 63

_SCALARS = frozenset(
    [
        "void",
        "bool",
        "char",
        "uchar",
        "short",
        "ushort",
        "int",
        "uint",
        "long",
        "ulong",
        "float",
        "double",
        "string",
        "datetime",
        "color",
    ]
)
_API_STRUCTS = frozenset(
    [
        "MqlTick",
        "MqlRates",
        "MqlTradeRequest",
        "MqlTradeResult",
        "MqlTradeCheckResult",
        "MqlTradeTransaction",
        "MqlDateTime",
        "MqlBookInfo",
    ]
)
_NO_DECLARATION_AFTER = frozenset(
    ("new", ".", "<", "class", "struct", "enum", "typename", "::", "~")
)
_CALLS_OF_THE_LANGUAGE = frozenset(["if", "while", "delete", "for", "switch", "return"])


def translate(source: Source) -> str:
    """Return the program as C++; what is wrong with it is in ``source.errors``."""
    return _Translator(source).run()


class _Translator:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens = TokenRow(source.tokens)
        self._out: list[str] = []
        self._at = 0
        self._scopes: list[str] = []
        self._next_scope = ""
        self._parentheses = 0
        self._structs = set(_API_STRUCTS)
        self._classes: set[str] = set()
        self._enums: set[str] = set()
        self._type_params: set[str] = set()
        self._pointers: set[str] = set()
        self._find_types()
        self._find_pointers()

    def run(self) -> str:
        Linter(self._source, self._is_type, self._classes).lint()
        takers = {
            "comment": self._comment,
            "constant": self._constant,
            "string": self._string,
            "character": lambda token: self._put(f"((ushort)u{token.text})"),
            "name": self._name,
            "sign": self._sign,
        }
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            takers.get(token.kind, lambda one: self._put(one.text))(token)
        text = "".join(self._out)
        for declarations in self._source.imports.values():
            for match in re.finditer(r"(\w+)\s*\(", text_of(declarations)):
                call = rf"(?<![\w.:>]){match[1]}(?=\s*\()"
                text = re.sub(call, f"mqlimp::{match[1]}", text)
        return text

    # --- what the program declares -----------------------------------------------------------

    def _find_types(self) -> None:
        kinds = {
            "struct": self._structs,
            "union": self._structs,
            "class": self._classes,
            "interface": self._classes,
            "enum": self._enums,
            "typename": self._type_params,
        }
        for at, token in enumerate(self._tokens):
            following = self._tokens.step(at, 1)
            if token.text not in kinds or token.kind != "name" or following is None:
                continue
            if self._tokens[following].kind == "name":
                kinds[token.text].add(self._tokens[following].text)

    def _find_pointers(self) -> None:
        objects = self._structs | self._classes
        for at, token in enumerate(self._tokens):
            if (
                token.kind != "name"
                or token.text not in objects
                or self._tokens.text_after(at) != "*"
            ):
                continue
            name = self._tokens.step(self._tokens.step(at, 1), 1)
            if name is None or self._tokens[name].kind != "name":
                continue
            if self._tokens.text_after(name) == "(":
                self._blame(token, "no function returns a pointer: the shim has none")
            else:
                self._pointers.add(self._tokens[name].text)

    def _is_type(self, name: str) -> bool:
        return (
            name in _SCALARS
            or name in self._structs
            or name in self._classes
            or name in self._enums
            or name in self._type_params
            or name.startswith("ENUM_")
        )

    # --- simple tokens -----------------------------------------------------------------------

    def _comment(self, token: Token) -> None:
        self._put("\n" * token.text.count("\n") or " ")

    def _constant(self, token: Token) -> None:
        try:
            self._put(constant(token.text))
        except BadSource as error:
            self._blame(token, str(error))

    def _string(self, token: Token) -> None:
        """Adjacent literals are one."""
        parts, lines = [token.text], 0
        following = self._tokens.step(self._at - 1, 1)
        while following is not None and self._tokens[following].kind == "string":
            parts.append(self._tokens[following].text)
            lines += text_of(self._tokens[self._at : following]).count("\n")
            self._at = following + 1
            following = self._tokens.step(following, 1)
        self._put("string(u" + " u".join(parts) + ")" + "\n" * lines)

    def _sign(self, token: Token) -> None:
        if token.text == "->":
            self._blame(token, "'->' does not exist in MQL: use '.'")
        self._parentheses += (token.text == "(") - (token.text == ")")
        if token.text == "{":
            self._scopes.append(self._next_scope or "block")
            self._next_scope = ""
        elif token.text == "}":
            self._close_scope(token)
            return
        elif token.text == ";" and self._next_scope != "enum":
            self._next_scope = ""
        self._put(token.text)

    def _close_scope(self, token: Token) -> None:
        self._put("}")
        if self._scopes and self._scopes.pop() == "struct":
            end = self._tokens.step(self._at - 1, 1)
            if end is not None and self._tokens[end].text == ";":
                self._put(";")
                self._at = end + 1
            self._put(f'\n#pragma pack(pop)\n#line {token.line} "{token.file}"\n')

    # --- names -------------------------------------------------------------------------------

    def _name(self, token: Token) -> None:
        at = self._at - 1
        before = self._tokens.text_before(at)
        if token.text in FORBIDDEN and before != ".":
            self._blame(token, f"'{token.text}': {FORBIDDEN[token.text]}")
        if token.text in ("input", "sinput"):
            self._input(token)
        elif token.text == "interface":
            self._put("struct")
            self._next_scope = "class"
        elif token.text in ("struct", "class", "enum", "union") and before not in ("<", ","):
            self._next_scope = token.text
            if token.text == "struct":
                self._put(f'\n#pragma pack(push,1)\n#line {token.line} "{token.file}"\n')
            self._put(token.text)
        elif token.text == "this":
            self._this()
        elif self._is_type(token.text) and before not in _NO_DECLARATION_AFTER:
            if not self._declaration(token):
                self._put(token.text)
        elif token.text in self._pointers:
            self._pointer(token)
        else:
            self._put(token.text)

    def _this(self) -> None:
        self._put("this")
        following = self._tokens.step(self._at - 1, 1)
        if following is not None and self._tokens[following].text == ".":
            self._put("->")
            self._at = following + 1

    def _input(self, token: Token) -> None:
        start, end = self._at - 1, self._at
        while self._tokens[end].text != ";" and self._tokens[end].kind != "string":
            end += 1
        body = text_of(self._tokens[start:end])
        if re.match(r"s?input\s+group\s", body):
            self._at = end + 1
            return
        while self._tokens[end].text != ";":
            end += 1
        body = text_of(self._tokens[start:end])
        self._at = end + 1
        match = re.match(r"\s*s?input\s+(\w+)\s+(\w+)\s*=\s*(.*)$", body, re.DOTALL)
        if match is None:
            self._blame(token, "an input is written: input TYPE NAME = VALUE;")
            return
        type_, name, value = match.groups()
        if len(name) > MAX_INPUT_NAME:
            self._blame(token, f"the name of an input has at most {MAX_INPUT_NAME} characters")
        value = with_strings(value.strip())
        self._put(
            f"static {type_} {name}__v = {value}; static const {type_} &{name} = {name}__v; "
            f'static mql::Input<{type_}> {name}__r("{name}", {name}__v);' + "\n" * body.count("\n")
        )

    def _pointer(self, token: Token) -> None:
        """A pointer that is used: checked, as the terminal does."""
        at = self._at - 1
        following = self._tokens.step(at, 1)
        before, after = self._tokens.text_before(at), self._tokens.text_after(at)
        if after == "." and following is not None:
            self._put(f"mql::deref({token.text})->")
            self._at = following + 1
        elif after == "[" and following is not None:
            end = self._tokens.closing(following)
            dot = self._tokens.step(end, 1)
            if dot is not None and self._tokens[dot].text == ".":
                index = with_strings(text_of(self._tokens[following + 1 : end]))
                self._put(f"mql::deref({token.text}[{index}])->")
                self._at = dot + 1
            else:
                self._put(token.text)
        elif before in ("(", ",") and after in (",", ")") and self._parentheses:
            opening = self._tokens.step(at, -1)
            called = self._tokens.text_before(opening) if opening is not None else ""
            is_call = called not in _CALLS_OF_THE_LANGUAGE
            self._put(f"mql::parg({token.text})" if is_call else token.text)
        else:
            self._put(token.text)

    # --- declarations ------------------------------------------------------------------------

    def _declaration(self, token: Token) -> bool:
        """Rewrite a declaration that C++ would write otherwise; whether it was one of those."""
        start = self._at - 1
        name, reference = self._tokens.step(start, 1), ""
        if name is not None and self._tokens[name].text in ("&", "*"):
            reference = self._tokens[name].text
            name = self._tokens.step(name, 1)
        if name is None or self._tokens[name].kind != "name":
            return False
        if self._is_type(self._tokens[name].text):
            return False
        after = self._tokens.text_after(name)
        if self._parentheses:
            self._check_parameter(token, name, reference, after)
            return after == "[" and self._array_parameter(token, name, reference)
        if reference == "&":
            self._blame(token, f"'{self._tokens[name].text}': there are no reference variables")
            return False
        return after in ("[", ",", "=", ";") and self._arrays(token, start)

    def _check_parameter(self, token: Token, name: int, reference: str, after: str) -> None:
        named = self._tokens[name].text
        is_object = token.text in self._structs or token.text in self._classes
        if not reference and is_object and after in (",", ")"):
            self._blame(token, f"'{named}': structures and objects are passed by reference")
        is_const = self._tokens.text_before(self._at - 1) == "const"
        is_text = reference == "&" and token.text == "string" and is_const and after != "["
        is_handler = token.file.endswith((".mq4", ".mq5"))
        if is_text and not is_handler:
            self._blame(token, f"'{named}': strings that are not changed go by value")

    def _array_parameter(self, token: Token, name: int, reference: str) -> bool:
        named = self._tokens[name].text
        if reference != "&" and reference != "*":
            self._blame(token, f"'{named}': arrays are passed by reference (&)")
        pointer = "*" if reference == "*" else ""
        self._put(f"mql::Array<{token.text}{pointer}> &{named}")
        opening = self._tokens.step(name, 1)
        assert opening is not None
        self._at = self._tokens.closing(opening) + 1
        return True

    def _arrays(self, token: Token, start: int) -> bool:
        """Rewrite a statement that declares an array among its variables."""
        end = self._tokens.end_of_statement(start)
        first = self._tokens.step(start, 1)
        if end is None or first is None:
            return False
        declared = split(self._tokens[first:end])
        if not any(re.match(r"\s*\*?\s*\w+\s*\[", text_of(one)) for one in declared):
            return False
        qualifiers: list[str] = []
        while self._out and self._out[-1].strip() in ("static", "const", ""):
            qualifiers.insert(0, self._out.pop())
        before = "".join(qualifiers)
        lines = before.count("\n") + text_of(self._tokens[start:end]).count("\n")
        parts = [f"{before.strip()} {self._declared(token, one)};" for one in declared]
        self._put("\n" * lines + " ".join(parts))
        self._at = end + 1
        return True

    def _declared(self, token: Token, tokens: list[Token]) -> str:
        pattern = r"\s*(\*?)\s*(\w+)\s*((?:\[[^\]]*\]\s*)+)?(=.*)?$"
        match = re.match(pattern, text_of(tokens), re.DOTALL)
        if match is None:
            self._blame(token, "this declaration of an array is not understood")
            return ""
        star, name, dimensions, value = match.groups()
        type_ = token.text + star
        sizes = re.findall(r"\[([^\]]*)\]", dimensions or "")
        if len(sizes) > 1:
            self._blame(token, "arrays have one dimension")
        if sizes:
            in_struct = bool(self._scopes) and self._scopes[-1] == "struct"
            if not sizes[0].strip():
                type_ = f"mql::DynArray<{type_}>"
            else:
                kind = "PodArray" if in_struct else "StaticArray"
                type_ = f"mql::{kind}<{type_},{sizes[0]}>"
        return f"{type_} {name} {with_strings(value) if value else ''}"

    # --- what comes out ------------------------------------------------------------------------

    def _put(self, text: str) -> None:
        self._out.append(text)

    def _blame(self, token: Token, message: str) -> None:
        self._source.blame(token, message)
