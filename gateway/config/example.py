"""``config.example.toml``, made from the models and their docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from gateway.config import Config, Section, fields

from .literal import toml


def example() -> str:
    """Return a commented ``config.toml`` in which every setting has its default.

    Who copies it as it is changes nothing.
    """
    lines = ["# Settings of mt-gateway. Everything may be left out; shown are the defaults."]
    for name, field in Config.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)  # Config holds nothing but sections
        assert issubclass(section, Section)
        lines += ["", *_comment((section.__doc__ or "").replace("``", "")), f"[{name}]"]
        told = descriptions(section)
        for key, setting in fields(field).items():
            line = f"{key} = {toml(setting.default)}"
            lines += _comment(f"{told[key]} {_span(setting)}")
            lines += [line if section.says_defaults else f"# {line}"]
    return "\n".join(lines) + "\n"


def descriptions(section: type[Section]) -> dict[str, str]:
    """Return the docstrings below the settings of a section.

    pydantic would read them whenever the models are made: the tenth part of a short command.
    """
    (whole,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(whole, ast.ClassDef)
    found: dict[str, str] = {}
    for one, after in zip(whole.body, whole.body[1:], strict=False):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            text = _docstring(after)
            if text is not None:
                found[one.target.id] = text
    return found


def _docstring(node: ast.stmt) -> str | None:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return None
    return inspect.cleandoc(node.value.value) if isinstance(node.value.value, str) else None


def _span(setting: FieldInfo) -> str:
    bounds = {type(bound).__name__: bound for bound in setting.metadata}
    least = getattr(bounds.get("Ge"), "ge", None)
    most = getattr(bounds.get("Le"), "le", None)
    if least is None:
        return ""
    return f"At least {least}." if most is None else f"From {least} to {most}."


def _comment(text: str) -> Iterator[str]:
    for line in text.strip().splitlines():
        yield f"# {line.strip()}".rstrip()
