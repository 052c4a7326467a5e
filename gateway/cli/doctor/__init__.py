"""``doctor``: what is wrong on this machine, and which switch puts it right."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from gateway.cli.complaint import Complaint
from gateway.cli.home import Running, default_demo_home, default_home, running
from gateway.cli.target import AuthToken, Home, Url

if TYPE_CHECKING:
    from gateway.cli.doctor.finding import Finding
    from gateway.cli.doctor.gateway import Heard
    from gateway.config import Config


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be looked at."""

    home: Path
    runs: Running | None
    """The gateway of the home, if it runs."""
    url: str | None
    """Of the gateway that is meant; ``None`` if none runs and none was named."""
    auth_token: str | None = field(repr=False)


def doctor(
    *,
    url: Url = None,
    auth_token: AuthToken = None,
    home: Home = None,
    config: Annotated[
        Path | None, typer.Option("--config", dir_okay=False, help="As with serve.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find what is wrong, and tell how to put it right. Exit code 1: there is a problem.

    It looks at Python, home, ports, gateway, token, terminal and every switch of trading, and
    repairs nothing by itself. The gateway need not run.
    """
    findings = list(_findings(_subject(url, auth_token, home), config))
    if as_json:
        sys.stdout.write(json.dumps([asdict(one) for one in findings], indent=2) + "\n")
    else:
        from gateway.cli.doctor.table import show

        show(findings)
    if any(one.verdict == "problem" for one in findings):
        raise typer.Exit(1)


def _subject(url: str | None, auth_token: str | None, home: Path | None) -> Subject:
    """Return what is meant: as with ``call``, but a gateway that does not run is no mistake."""
    from gateway.client.address import parse_address

    try:
        base = None if url is None else parse_address(url).base
    except ValueError as error:
        raise Complaint(str(error), 2) from error
    homes = [home] if home is not None else [default_home(), default_demo_home()]
    for place in homes:
        found = running(place)
        if found is not None and (home is not None or base in (None, found.url)):
            return Subject(place, found, base or found.url, auth_token or found.auth_token)
    return Subject(homes[0], None, base, auth_token)


def _findings(subject: Subject, config_file: Path | None) -> Iterator[Finding]:
    from gateway.cli.doctor import folder, gateway, machine, terminal

    yield machine.python()
    yield machine.packages()
    yield machine.loopback()
    yield machine.system_clock()
    configured, settings = folder.config(config_file)
    yield configured
    stored = folder.examine(subject.home, _key_file(settings))
    yield from stored.findings
    heard = _heard(subject)
    yield from _ports(subject, settings, heard)
    yield heard.health
    yield gateway.version(heard)
    yield gateway.clock(heard)
    yield gateway.token(subject.auth_token, heard, stored.records, int(time.time()))
    yield from terminal.examine(heard)


def _key_file(settings: Config | None) -> str | None:
    if settings is None or settings.secrets.store != "file":
        return None
    return settings.secrets.key_file


def _heard(subject: Subject) -> Heard:
    from ea_bridge.token import MalformedToken, parse_token
    from gateway.cli.doctor.finding import problem
    from gateway.cli.doctor.gateway import Heard, listen

    if subject.url is None:
        start = "start it: mt-gateway serve; or name one that runs elsewhere with --url"
        return Heard(problem("gateway", f"none runs in {subject.home}", start))
    shown = subject.auth_token
    try:
        parse_token(shown or "")
    except MalformedToken:
        shown = None  # no gateway needs to see it
    return asyncio.run(listen(subject.url, shown))


def _ports(subject: Subject, settings: Config | None, heard: Heard) -> Iterator[Finding]:
    """Look at the ports of the gateway in the home, or those that it will want."""
    from gateway.cli.doctor.finding import all_skipped
    from gateway.cli.doctor.ports import Port, examine

    names = ("api_port", "bridge_port")
    if subject.runs is not None:
        numbers = (urlsplit(f"//{place}").port or 0 for place in _places(subject.runs))
    elif heard.health.verdict == "ok":
        yield from all_skipped(names, "the gateway that was named is another home's")
        return
    elif settings is None:
        yield from all_skipped(names, "see config")
        return
    else:
        numbers = (number for number in (settings.api.port, settings.bridge.port))
    pid = None if subject.runs is None else subject.runs.pid
    for name, section, number in zip(names, ("api", "bridge"), numbers, strict=True):
        yield examine(Port(name, section, number), pid)


def _places(runs: Running) -> tuple[str, str]:
    return urlsplit(runs.url).netloc, runs.bridge
