"""The console: reached, the right one, of one mind with this machine; and what waits there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ea_bridge.host import wall_ms
from gateway.auth.console_clock import Clocks
from gateway.cli.doctor.finding import Finding, ok, problem, skipped, warning
from gateway.cli.doctor.folder import ConsoleTrust
from gateway.cli.output import utc_minute
from gateway.cli.status import allowance, console_link
from gateway.console_link.http import (
    ConsoleFailure,
    ConsoleHttp,
    ConsoleRefused,
    ConsoleUnreachable,
)
from gateway.credentials.daemon_api import Keys, OpenRequest, OpenRequests
from gateway.credentials.device import DeviceKey, device_words
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.keyset import open_keyset, parse_root
from gateway.home.home_console import unnamed
from gateway.schemas import ConsoleInfo

MAX_SKEW_S = 10.0
"""Between the console's clock and ours; from 60 s on the console takes no first contact."""

_START = (
    "start the terminal with its token on this machine: "
    "the console then asks the token's owner by mail"
)


@dataclass(frozen=True, slots=True)
class ConsoleAnswers:
    """Answers of a console."""

    keys: Keys | None = None
    failure: ConsoleFailure | None = None
    """Why there are no keys."""
    skew_s: float = 0.0
    """Our clock ahead of the console's, beyond what the question took; negative: behind."""
    waiting: tuple[OpenRequest, ...] | None = None
    """The requests of this machine; ``None`` if it did not ask or was not told."""
    refusal: ConsoleFailure | None = None
    """Why it was not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleCase:
    """Facts of a home and its console that the checks judge."""

    url: str = ""
    """Of the console; empty if nobody says."""
    pinned: str = ""
    """Its root key as it is believed, ``mgr1_...``; empty before the first contact."""
    trust: ConsoleTrust = field(default_factory=ConsoleTrust)
    unnamed: bool = False
    """No configuration names it, and no gateway runs in the home."""
    folder: Path = Path()
    """The home."""
    asked: ConsoleAnswers | None = None
    """``None``: it was not asked, since the gateway is not this home's or ``url`` is unknown."""
    told: ConsoleInfo | None = None
    """By the gateway that runs."""
    reason: str | None = None
    """Why the gateway that runs refuses the token."""
    tid: str | None = None
    """Of the token that was given."""
    places: str = ""
    """The options that name home and configuration, for commands that are advised."""


async def ask(url: str, device: DeviceKey | None, within_s: float) -> ConsoleAnswers:
    """Ask a console for its keys and for what waits, by the client that the gateway uses.

    Args:
        url: of the console.
        device: of this machine; without it only the keys are asked for, which are for anybody.
        within_s: for all.

    """
    # the client signs everything; keys are for anybody, so any signature will do
    signer = device or DeviceKey(Ed25519PrivateKey.generate())
    asked = ConsoleAnswers()
    try:
        async with asyncio.timeout(within_s), ConsoleHttp(url, signer, Clocks()) as http:
            # first: keys are told even to a machine that the console has not met
            asked = await _keys(http)
            if device is not None:
                open_requests = await http.get("/v1/daemon/requests", OpenRequests)
                asked = _with(asked, waiting=open_requests.requests)
    except TimeoutError:
        asked = _with(
            asked, ConsoleUnreachable(f"{url} does not answer: see whether the console runs")
        )
    except ConsoleFailure as error:
        asked = _with(asked, error)
    return asked


async def _keys(http: ConsoleHttp) -> ConsoleAnswers:
    before_s = time.time()
    keys = await http.get("/v1/keys", Keys)
    after_s = time.time()
    http.learn_time(keys.server_time)  # so that a wrong clock hides nothing else
    ahead_s = max(before_s - (keys.server_time + 1), 0.0)  # it tells whole seconds
    return ConsoleAnswers(keys, skew_s=ahead_s - max(keys.server_time - after_s, 0.0))


def _with(
    asked: ConsoleAnswers,
    failure: ConsoleFailure | None = None,
    waiting: tuple[OpenRequest, ...] | None = None,
) -> ConsoleAnswers:
    if asked.keys is None:
        return ConsoleAnswers(failure=failure)
    return ConsoleAnswers(asked.keys, None, asked.skew_s, waiting, failure)


def examine(case: ConsoleCase) -> Iterator[Finding]:
    """Look at the console of a home; of a home without one that is told, and nothing else."""
    if not (case.url or case.pinned or case.told):
        yield skipped("console", "none: this gateway makes its own tokens")
        return
    yield console(case)
    yield clock(case)
    yield device(case)
    yield approval(case)
    yield lease(case)


def console(case: ConsoleCase) -> Finding:
    """Check that the console answers, is the trusted one, and is in step with the gateway."""
    name, asked, told, noted = "console", case.asked, case.told, case.trust.console
    if case.unnamed and noted is not None:
        if noted.made_by == "demo":
            return skipped(name, "the demo's own, which runs with it")
        found, _, remedy = unnamed(noted, case.folder).partition(": ")
        return problem(name, found, remedy)
    if asked is None and told is None:
        return skipped(
            name,
            "the url of this home's console stands in the config.toml of serve",
            "name that file with --config",
        )
    if asked is not None and asked.keys is None:
        return problem(name, *_split(asked.failure))
    if asked is not None and asked.keys is not None:
        other = _is_another(asked.keys, case.pinned)
        if other is not None:
            see = "see that url in [console] is the right one, and compare the root key with root"
            return problem(name, f"{case.url} {other}", see)
    if told is not None and told["problem"] is not None:
        found, remedy = _split(told["problem"])
        return warning(name, f"the gateway is not in step: {found}", remedy)
    if told is not None:
        return ok(name, console_link(told, wall_ms()))
    if not case.pinned:
        return ok(name, f"{case.url} answers; its root key is kept from the first contact on")
    return ok(name, f"{case.url} answers; its root key is the one that is believed")


def clock(case: ConsoleCase) -> Finding:
    """The console's clock agrees with ours."""
    name = "console_clock"
    if case.told is not None and case.told["clock_suspect"]:
        went = "the clock of this machine went back, and the console was not reached since"
        return warning(name, went, "let the network set the clock; see console")
    if case.asked is None or case.asked.keys is None:
        return skipped(name, "see console")
    skew_s = case.asked.skew_s
    found = f"ours is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}"
    if abs(skew_s) <= MAX_SKEW_S:
        return ok(name, "it agrees with ours" if not round(skew_s) else found)
    return warning(name, found, "let the network set the clocks of both machines")


def device(case: ConsoleCase) -> Finding:
    """The console knows this machine, and lets the token be used on it."""
    name, did = (
        "device",
        case.told["device"] if case.told is not None else case.trust.did,
    )
    if not did:
        return skipped(name, "this machine has no key yet: serve makes it")
    words = device_words(did)
    refusal = None if case.asked is None else case.asked.refusal
    if isinstance(refusal, ConsoleRefused) and refusal.word == "unknown_device":
        return problem(name, f"{words}: the console has not met this machine yet", _START)
    status = _status(case, did)
    if status == "revoked":
        again = (
            f'on the page Machines of {case.url or "the console"} choose "Let it ask again", '
            "then start the terminal again"
        )
        return problem(name, f"{words}: it may not be used any more", again)
    if status == "pending":
        return problem(name, f"{words}: not approved for this token", f"see approval, or {_START}")
    if refusal is not None:
        return warning(name, f"{words}: {_split(refusal)[0]}", _split(refusal)[1])
    if status == "approved":
        return ok(name, f"{words}: approved for this token")
    if case.asked is None or case.asked.waiting is None:
        return skipped(name, f"{words}: nobody could be asked whether it is approved")
    if case.tid is None:
        return ok(name, f"{words}: known to the console")
    missing = f"{words}: known to the console, but not with this token"
    return problem(name, missing, _START)


def approval(case: ConsoleCase) -> Finding:
    """No terminal waits for a person."""
    name, waiting = "approval", None if case.asked is None else case.asked.waiting
    if waiting is None:
        refused = case.asked is not None and case.asked.refusal is not None
        return skipped(name, "see device" if refused else "see console and key")
    if not waiting:
        return ok(name, "no terminal waits for approval")
    found = "; ".join(
        f"{request.terminal.platform} {request.terminal.login} on {request.terminal.server} "
        f"waits, for another {max(request.expires_s // 60, 1)} min"
        for request in waiting
    )
    return problem(
        name,
        found,
        f"type the code that the terminal shows at {case.url}, or here that of the mail: "
        f"mt-gateway verify CODE{case.places}",
    )


def lease(case: ConsoleCase) -> Finding:
    """What the token may do, and for how long."""
    name, told = "lease", case.told
    if told is not None:
        found = allowance(told)
        return ok(name, found) if told["tier"] == "full" else warning(name, found, "see console")
    if case.reason == "lease_expired":
        return problem(name, "the console has not vouched for the token too long", "see console")
    held = None if case.tid is None else case.trust.leases.get(case.tid)
    if case.reason is not None or held is None:
        return skipped(name, "see token and device")
    now_s = int(time.time())
    at = utc_minute(held.exp)
    if held.exp > now_s:
        return ok(name, f"until {at}; a gateway that runs renews it")
    return skipped(name, f"ended {at}; a gateway that runs renews it")


def _status(case: ConsoleCase, did: str) -> str | None:
    """Return what became of this machine for the token; ``None`` if nobody knows."""
    if case.told is not None:
        return "approved"
    if case.reason in ("device_pending", "device_revoked"):
        return case.reason.removeprefix("device_")
    record = None if case.tid is None else case.trust.records.get(case.tid)
    if record is None:
        return None
    return next((device.status for device in record.devices if device.did == did), "pending")


def _is_another(keys: Keys, pinned: str) -> str | None:
    """Return why the console is not the one that is believed; ``None`` if it is."""
    if pinned and keys.root != pinned:
        return f"has the root key {keys.root}, but {pinned} is believed here"
    try:
        open_keyset(keys.keys, parse_root(keys.root))
    except (EnvelopeError, ValueError):
        return "gives keys that its root key has not signed"
    return None


def _split(failure: ConsoleFailure | str | None) -> tuple[str, str]:
    """Split a message of the link, ``what is wrong: what to do``, into its two parts."""
    found, _, remedy = str(failure).rpartition(": ")
    return (found, remedy) if found else (remedy, "see the log of the gateway")
