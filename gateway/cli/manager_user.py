"""``manager-user``: who may use the manager API."""

from __future__ import annotations

import asyncio
import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from gateway.cli.audit_notes import note_in
from gateway.cli.home import default_home
from gateway.cli.output import CliError, known_failures, utc_minute
from gateway.cli.process import keep_memory_private
from gateway.cli.token import ConfigFile, HomeOption, Json

if TYPE_CHECKING:
    from gateway.mt4_manager import Operator, OperatorBook

Name = Annotated[str, typer.Argument(help="Of the operator: letters, digits and . _ @ + -")]
RoleName = Literal["read", "operator", "admin"]
RoleOption = Annotated[
    RoleName,
    typer.Option(
        "--role",
        help="read: look. operator: users, money and mail as well. admin: connect, change and "
        "delete trades, delete users as well.",
    ),
]
FromStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input, one line."),
]

T = TypeVar("T")


def add(
    name: Name,
    *,
    role: RoleOption = "read",
    password_stdin: FromStdin = False,
    home: HomeOption = None,
    config: ConfigFile = None,
) -> None:
    """Make an operator. The password is asked for; there is no operator at first."""
    from gateway.mt4_manager import OperatorRole

    # before the password is in it
    keep_memory_private()
    password = _password(from_stdin=password_stdin)
    with _book(home, config) as book:
        made = _run(book.add(name, password, OperatorRole(role)))
    _note(home, "manager_user_added", made.name, role=role)
    sys.stdout.write(f"made: {made.name} ({made.role})\n")


def list_users(
    *, home: HomeOption = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """List all operators."""
    with _book(home, config) as book:
        operators = book.all()
    if as_json:
        sys.stdout.write(json.dumps([_facts(operator) for operator in operators], indent=2) + "\n")
        return
    rows = [("NAME", "ROLE", "CREATED"), *(_row(operator) for operator in operators)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def remove(name: Name, *, home: HomeOption = None, config: ConfigFile = None) -> None:
    """Remove an operator. His tokens end at once, in a gateway that runs as well."""
    with _book(home, config) as book:
        book.remove(name)
    _note(home, "manager_user_removed", name)
    sys.stdout.write(f"removed: {name}\n")


def set_password(
    name: Name,
    *,
    password_stdin: FromStdin = False,
    home: HomeOption = None,
    config: ConfigFile = None,
) -> None:
    """Give an operator another password. His tokens end at once."""
    keep_memory_private()
    password = _password(from_stdin=password_stdin)
    with _book(home, config) as book:
        _run(book.set_password(name, password))
    _note(home, "manager_user_password", name)
    sys.stdout.write(f"password set: {name}\n")


def set_role(
    name: Name,
    role: Annotated[RoleName, typer.Argument(help="The new one; it counts at once.")],
    *,
    home: HomeOption = None,
    config: ConfigFile = None,
) -> None:
    """Give an operator another role."""
    from gateway.mt4_manager import OperatorRole

    with _book(home, config) as book:
        book.set_role(name, OperatorRole(role))
    _note(home, "manager_user_role", name, role=role)
    sys.stdout.write(f"role set: {name} ({role})\n")


def sign_out(name: Name, *, home: HomeOption = None, config: ConfigFile = None) -> None:
    """End all tokens of an operator; he may log in again."""
    with _book(home, config) as book:
        ended = book.sign_out(name)
    _note(home, "manager_user_signed_out", name, tokens=ended)
    sys.stdout.write(f"signed out: {name} ({ended} tokens)\n")


@contextmanager
def _book(home: Path | None, config_file: Path | None) -> Iterator[OperatorBook]:
    """Open the operators of a home; what is wrong with it becomes a complaint."""
    from gateway.config import load_for
    from gateway.home.home import Home
    from gateway.mt4_manager import OperatorError
    from gateway.mt4_manager.service import operators

    place = home or default_home()
    try:
        settings = load_for(place, config_file)
        with Home(place, settings.secrets) as opened, operators(opened.store, opened.box) as book:
            yield book
    except OSError as error:
        raise CliError(f"{error.filename or place}: {error.strerror}") from error
    except OperatorError as error:
        raise CliError(str(error)) from error
    except known_failures() as error:
        raise CliError(str(error)) from error


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CliError("no terminal to ask for the password; give --password-stdin", 2)
    first = getpass("Password: ")
    if getpass("Again: ") != first:
        raise CliError("the two passwords differ; nothing was changed: run the command again")
    return first


def _note(home: Path | None, event: str, name: str, **fields: Any) -> None:
    from gateway.mt4_manager.operators import key_of

    note_in(home or default_home(), event, object=key_of(name), **fields)


def _facts(operator: Operator) -> dict[str, Any]:
    return {
        "name": operator.name,
        "role": operator.role.value,
        "created": operator.created_at * 1000,
    }


def _row(operator: Operator) -> tuple[str, str, str]:
    return (operator.name, operator.role.value, utc_minute(operator.created_at))
