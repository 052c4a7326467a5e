"""``doctor`` and the console: how what was found is judged."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any, cast

import pytest
from console_case import URL, WAITING, judged
from scripted_console import Signer

from gateway.cli.doctor.console import ConsoleAnswers, ConsoleCase, examine
from gateway.cli.doctor.folder import ConsoleTrust
from gateway.console_link.http import ConsoleRefused, explained
from gateway.credentials.daemon_api import Keys
from gateway.schemas import ConsoleInfo

TOLD = {
    "url": URL,
    "connected": True,
    "last_sync": 0,
    "problem": None,
    "clock_suspect": False,
    "tier": "full",
    "tier_reason": None,
    "tier_ends": None,
    "lease_ends": None,
    "device": "a" * 52,
    "device_words": "a-b-c-d",
}


def told(**changes: Any) -> ConsoleInfo:
    """Return what a gateway says that is in step but for these facts."""
    return cast(ConsoleInfo, TOLD | changes)


def keys_of(signer: Signer, **changes: Any) -> ConsoleAnswers:
    facts = {
        "root": signer.root_text,
        "keys": signer.key_set(),
        "server_time": signer.now_s(),
    }
    return ConsoleAnswers(Keys.model_validate(facts | changes), waiting=())


def test_a_home_without_a_console_is_told_so() -> None:
    """And nothing else of consoles."""
    (found,) = examine(ConsoleCase())
    assert (found.name, found.verdict, found.remedy) == ("console", "skipped", None)


def test_the_console_is_the_one_that_is_believed() -> None:
    """Another root key is a problem that names both; so are keys that the root has not signed."""
    signer, other = Signer(), Signer()
    case = ConsoleCase(url=URL, asked=keys_of(signer))
    assert "from the first contact on" in judged(case)["console"].found
    assert judged(replace(case, pinned=signer.root_text))["console"].verdict == "ok"
    another = judged(replace(case, pinned=other.root_text))["console"]
    assert another.verdict == "problem"
    assert signer.root_text in another.found
    assert other.root_text in another.found
    forged = replace(case, asked=keys_of(signer, keys=other.key_set()))
    assert "has not signed" in judged(forged)["console"].found
    nonsense = replace(case, asked=keys_of(signer, root="mgr1_x"))
    assert judged(nonsense)["console"].verdict == "problem"


def test_a_certificate_that_is_not_valid() -> None:
    """It may be that somebody sits in between."""
    failure = explained(URL, ssl.SSLCertVerificationError())
    found = judged(ConsoleCase(url=URL, asked=ConsoleAnswers(failure=failure)))["console"]
    assert (found.verdict, "certificate" in found.found) == ("problem", True)
    assert "somebody sits in between" in (found.remedy or "")


def test_what_waits_is_told_with_both_ways() -> None:
    """The page, and the command with the places of this gateway."""
    asked = replace(keys_of(Signer()), waiting=(WAITING,))
    found = judged(ConsoleCase(url=URL, asked=asked, places=" --config c.toml"))["approval"]
    assert found.verdict == "problem"
    assert found.found == "mt5 7 on Broker-Demo waits, for another 8 min"
    assert URL in (found.remedy or "")
    assert "mt-gateway verify CODE --config c.toml" in (found.remedy or "")
    assert judged(ConsoleCase(url=URL, asked=keys_of(Signer())))["approval"].verdict == "ok"


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({}, set()),
        ({"problem": f"{URL} does not answer: see whether it runs"}, {"console"}),
        ({"tier": "reduce", "tier_reason": "lease_expired"}, {"lease"}),
        (
            {"tier": "reduce", "tier_reason": "clock_suspect", "clock_suspect": True},
            {"lease", "console_clock"},
        ),
    ],
)
def test_what_the_gateway_says_counts(changes: dict[str, Any], warnings: set[str]) -> None:
    """It knows what its token may do now."""
    found = judged(ConsoleCase(url=URL, asked=keys_of(Signer()), told=told(**changes)))
    assert {name for name, one in found.items() if one.verdict != "ok"} == warnings
    assert found["device"].found.endswith("approved for this token")


@pytest.mark.parametrize(
    ("reason", "name", "remedy"),
    [
        ("device_pending", "device", "see approval"),
        ("device_revoked", "device", "Let it ask again"),
        ("lease_expired", "lease", "see console"),
    ],
)
def test_why_the_gateway_refuses_the_token(reason: str, name: str, remedy: str) -> None:
    """Each with what to do."""
    known = ConsoleTrust(did="a" * 52)
    case = ConsoleCase(url=URL, asked=keys_of(Signer()), trust=known, reason=reason, tid="t")
    found = judged(case)[name]
    assert (found.verdict, remedy in (found.remedy or "")) == ("problem", True)


def test_a_token_that_never_came_here() -> None:
    """The machine is known, by another token; of no token nothing is claimed."""
    known = ConsoleTrust(did="a" * 52)
    case = ConsoleCase(url=URL, asked=keys_of(Signer()), trust=known)
    assert judged(case)["device"].verdict == "ok"
    assert judged(replace(case, tid="A1b2C3d4E5f6"))["device"].verdict == "problem"
    assert judged(replace(case, asked=None, pinned="mgr1_x"))["device"].verdict == "skipped"
    assert judged(replace(case, trust=ConsoleTrust()))["device"].verdict == "skipped"


def test_a_device_that_the_console_refuses_otherwise() -> None:
    """Its own words are shown."""
    refused = ConsoleRefused(401, "bad_signature", "not signed by this device's key", {})
    asked = replace(keys_of(Signer()), waiting=None, refusal=refused)
    found = judged(ConsoleCase(url=URL, asked=asked, trust=ConsoleTrust(did="a" * 52)))["device"]
    assert (found.verdict, "bad_signature" in found.found) == ("warning", True)
