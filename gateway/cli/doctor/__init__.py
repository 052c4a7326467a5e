"""``doctor``: what is wrong on this machine, and which switch puts it right."""

from __future__ import annotations

import asyncio
import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from gateway.cli.home import URL, Running, default_home, home_in_use, is_same, known, running
from gateway.cli.output import CliError, shell_word
from gateway.cli.target import AuthToken, Home, Url

if TYPE_CHECKING:
    from gateway.cli.doctor.console import ConsoleAnswers, ConsoleCase
    from gateway.cli.doctor.finding import Finding
    from gateway.cli.doctor.folder import ConsoleTrust
    from gateway.cli.doctor.gateway import GatewayAnswers
    from gateway.cli.doctor.terminal import TerminalRefusal
    from gateway.config import Config


CONSOLE_S = 4.0
"""For all answers of the console; it is asked while the gateway is."""
LEAST_S = 0.5
"""For those of a console that only the gateway could name. So all ends within ten seconds."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Home, URL and token that are to be looked at."""

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
        Path | None,
        typer.Option("--config", dir_okay=False, help="Settings file; the home's if absent."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find what is wrong, and tell how to put it right. Exit code 1: there is a problem.

    It looks at Python, Wine, home, ports, gateway, console, token, terminal and every switch of
    trading, and repairs nothing by itself. The gateway need not run.
    """
    findings = list(_findings(_subject(url, auth_token, home), config))
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        from gateway.cli.doctor.finding import show

        show(findings)
    if any(finding.verdict == "problem" for finding in findings):
        raise typer.Exit(1)


def _subject(url: str | None, auth_token: str | None, home: Path | None) -> Subject:
    """Return what is meant: as with ``call``, but a gateway that does not run is no mistake."""
    from gateway.client.protocol import parse_address

    named = url or (os.environ.get(URL) if home is None else None)
    try:
        base = None if named is None else parse_address(named).base
    except ValueError as error:
        raise CliError(str(error), 2) from error
    if base is None:
        place = home or home_in_use()
    else:
        known_homes = (place for place, found in known() if is_same(base, found.url))
        place = home or next(known_homes, default_home())
    found = running(place)
    if found is None or (base is not None and not is_same(base, found.url)):
        return Subject(place, None, base, auth_token)
    return Subject(place, found, base or found.url, auth_token or found.auth_token)


def _findings(subject: Subject, config_file: Path | None) -> Iterator[Finding]:
    from gateway.cli.doctor import console, folder, gateway, machine, terminal
    from gateway.cli.doctor.finding import skipped

    yield machine.python()
    yield machine.packages()
    yield machine.loopback()
    yield machine.system_clock()
    yield machine.wine()
    configured, settings = folder.config(subject.home, config_file)
    yield configured
    stored = folder.examine(
        subject.home,
        None if settings is None else settings.secrets,
        will_start=subject.url is None,
    )
    yield from stored.findings
    heard, asked = asyncio.run(_asked(subject, settings, stored.trust))
    yield from _ports(subject, settings, heard)
    yield _remote(subject, settings, heard)
    yield heard.health
    yield gateway.version(heard)
    yield gateway.clock(heard)
    case = _case(subject, config_file, settings, stored.trust, heard, asked)
    if settings is None and case.told is None:
        yield skipped("console", "see config")
    else:
        yield from console.examine(case)
    url = (case.url or "its own") if case.url or case.pinned or case.told else None
    yield gateway.token(subject.auth_token, heard, stored.records, int(time.time()), url)
    yield from terminal.examine(heard, _refusal(subject, heard))


async def _asked(
    subject: Subject, settings: Config | None, trust: ConsoleTrust
) -> tuple[GatewayAnswers, ConsoleAnswers | None]:
    """Ask gateway and console, at the same time where it is known which console it is."""
    from gateway.cli.doctor.console import ask

    began_s, url = time.monotonic(), _console_url(subject, settings, trust)
    # at the same time: a person waits, and each may be silent until its time-out
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(_heard(subject))
        asking = tasks.create_task(ask(url, trust.device, CONSOLE_S)) if url else None
    heard = listening.result()
    # its console may be another one: what this home knows would not fit
    if _is_of_another_home(subject, heard):
        return heard, None
    if asking is not None:
        return heard, asking.result()
    told = None if heard.server is None else heard.server["console"]
    if told is None:
        return heard, None
    left_s = max(CONSOLE_S - (time.monotonic() - began_s), LEAST_S)
    return heard, await ask(told["url"], trust.device, left_s)


def _console_url(subject: Subject, settings: Config | None, trust: ConsoleTrust) -> str:
    """Return the console's url as configured, or as the home has noted it."""
    if settings is None or settings.console.url:
        return "" if settings is None else settings.console.url
    noted = trust.console
    if noted is None or (noted.made_by == "demo" and subject.runs is None):
        return ""
    return noted.url


async def _heard(subject: Subject) -> GatewayAnswers:
    from gateway.cli.doctor.finding import problem
    from gateway.cli.doctor.gateway import GatewayAnswers, listen

    if subject.url is None:
        start = "start it: mt-gateway serve; or name one that runs elsewhere with --url"
        return GatewayAnswers(problem("gateway", f"none runs in {subject.home}", start))
    is_token = _tid(subject.auth_token) is not None  # of anything else no gateway has to hear
    return await listen(subject.url, subject.auth_token if is_token else None)


def _case(
    subject: Subject,
    config_file: Path | None,
    settings: Config | None,
    trust: ConsoleTrust,
    heard: GatewayAnswers,
    asked: ConsoleAnswers | None,
) -> ConsoleCase:
    """Return what is known of the console; of another home's gateway it tells alone."""
    from gateway.cli.doctor.console import ConsoleCase

    told = None if heard.server is None else heard.server["console"]
    reason = None if heard.refusal is None else str(heard.refusal.data.get("reason"))
    tid, url = _tid(subject.auth_token), "" if told is None else told["url"]
    if _is_of_another_home(subject, heard):
        return ConsoleCase(url=url, told=told, reason=reason, tid=tid)
    section = None if settings is None else settings.console
    options = [] if config_file is None else ["--config", str(config_file)]
    if subject.home != default_home():
        options += ["--home", str(subject.home)]
    unnamed = settings is not None and not settings.console.url and subject.runs is None
    return ConsoleCase(
        url=url or _console_url(subject, settings, trust),
        pinned=("" if section is None else section.root) or trust.root,
        trust=trust,
        unnamed=unnamed,
        folder=subject.home,
        asked=asked,
        told=told,
        reason=reason,
        tid=tid,
        places="".join(f" {shell_word(option)}" for option in options),
    )


def _is_of_another_home(subject: Subject, heard: GatewayAnswers) -> bool:
    return subject.runs is None and heard.health.verdict == "ok"


def _refusal(subject: Subject, heard: GatewayAnswers) -> TerminalRefusal | None:
    """Return how the terminal was turned away, if it is not linked: the home tells."""
    from gateway.cli.doctor.terminal import last_refusal

    tid = _tid(subject.auth_token)
    is_linked = heard.ea is None or heard.ea["connected"]
    if tid is None or is_linked or _is_of_another_home(subject, heard):
        return None
    return last_refusal(subject.home, tid)


def _tid(token: str | None) -> str | None:
    from ea_bridge.token import MalformedToken, parse_token

    try:
        return parse_token(token or "")
    except MalformedToken:
        return None


def _ports(subject: Subject, settings: Config | None, heard: GatewayAnswers) -> Iterator[Finding]:
    """Look at the ports of the gateway in the home, or those that it will want."""
    from gateway.cli.doctor.finding import all_skipped
    from gateway.cli.doctor.machine import Port, examine_port

    names = ("api_port", "bridge_port")
    if subject.runs is not None:
        numbers = (urlsplit(f"//{place}").port or 0 for place in _places(subject.runs))
    elif _is_of_another_home(subject, heard):
        yield from all_skipped(names, "the gateway that was named is another home's")
        return
    elif settings is None:
        yield from all_skipped(names, "see config")
        return
    else:
        numbers = (number for number in (settings.api.port, settings.bridge.port))
    pid = None if subject.runs is None else subject.runs.pid
    for name, section, number in zip(names, ("api", "bridge"), numbers, strict=True):
        yield examine_port(Port(name, section, number), pid)


def _remote(subject: Subject, settings: Config | None, heard: GatewayAnswers) -> Finding:
    from gateway.cli.doctor import remote
    from gateway.cli.doctor.finding import skipped

    if settings is None:
        return skipped("remote", "see config")
    if _is_of_another_home(subject, heard):
        return skipped("remote", "the gateway that was named is another home's")
    return remote.examine(settings.api.remote, subject.home, runs=subject.runs is not None)


def _places(runs: Running) -> tuple[str, str]:
    return urlsplit(runs.url).netloc, runs.bridge
