"""The rules of a key on paper."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.credentials import recovery_kit
from gateway.credentials.recovery_kit import (
    LINES,
    KitMistyped,
    make_kit,
    open_kit,
    read_line,
)
from gateway.credentials.secrets import SecretsError

KEK = bytes(range(32))
WORDS = "correct horse battery staple"
CHEAP_KIB = 64
KIT = make_kit(KEK, WORDS, CHEAP_KIB)


def test_a_kit_gives_its_key_back() -> None:
    """With 256 MiB, as on every machine."""
    lines = make_kit(KEK, WORDS)
    assert open_kit(lines, WORDS) == KEK
    with pytest.raises(SecretsError, match="not the passphrase"):
        open_kit(lines, WORDS, CHEAP_KIB)


def test_a_kit_is_short_and_of_plain_characters() -> None:
    """Four lines of seven groups of four, without what is mistaken for something else."""
    assert len(KIT) == LINES
    for line in KIT:
        assert [len(group) for group in line.split(" ")] == [4] * 7
        assert set(line) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ ")


def test_no_two_kits_are_alike() -> None:
    """Each has a salt of its own, and with it a key and a nonce."""
    kits = [make_kit(KEK, WORDS, CHEAP_KIB) for _ in range(50)]
    assert len({line for kit in kits for line in kit[:3]}) == 150


@pytest.mark.parametrize(
    "typed",
    [
        lambda n, line: line.lower(),
        lambda n, line: line.replace(" ", ""),
        lambda n, line: line.replace(" ", "-"),
        lambda n, line: f"  {n}.  {line}  ",
        lambda n, line: f"{n}) {line}",
        lambda n, line: line.replace("0", "O").replace("1", "l"),
        lambda n, line: line.replace("1", "I").replace("0", "o"),
    ],
)
def test_it_may_be_typed_as_people_type(typed: object) -> None:
    """Small letters, other spaces, the line's number, letters for digits."""
    lines = [typed(n, line) for n, line in enumerate(KIT, 1)]  # type: ignore[operator]
    assert open_kit(lines, WORDS, CHEAP_KIB) == KEK


def test_every_mistyped_character_is_found_in_its_line() -> None:
    """Nearly every one at once, by the line's own check; the few that pass it open nothing."""
    missed = 0
    for number, line in enumerate(KIT, 1):
        for i, char in enumerate(line):
            if char == " ":
                continue
            wrong = line[:i] + ("A" if char != "A" else "B") + line[i + 1 :]
            try:
                read_line(number, wrong)
            except KitMistyped as error:
                assert f"line {number} of the kit" in str(error)
            else:
                missed += 1
                with pytest.raises(SecretsError):
                    open_kit([*KIT[: number - 1], wrong, *KIT[number:]], WORDS, CHEAP_KIB)
    assert missed <= 2


def test_lines_in_another_order_are_found() -> None:
    """A line is checked with its number."""
    for order in itertools.permutations(KIT):
        if list(order) != KIT:
            with pytest.raises(KitMistyped, match="mistyped"):
                open_kit(order, WORDS, CHEAP_KIB)


@pytest.mark.parametrize("lines", [KIT[:3], [*KIT, KIT[0]], []])
def test_a_kit_has_four_lines(lines: list[str]) -> None:
    """The message says how many there are."""
    with pytest.raises(KitMistyped, match="4 lines"):
        open_kit(lines, WORDS, CHEAP_KIB)


@given(st.lists(st.text(max_size=60), min_size=LINES, max_size=LINES))
@settings(max_examples=50)
def test_any_text_is_refused_in_the_documented_way(lines: list[str]) -> None:
    """No other exception."""
    with pytest.raises(KitMistyped):
        open_kit(lines, WORDS, CHEAP_KIB)


def test_another_passphrase_opens_nothing() -> None:
    """And is not repeated; one that was composed otherwise is the same."""
    with pytest.raises(SecretsError) as caught:
        open_kit(KIT, "correct horse battery stable", CHEAP_KIB)
    assert "horse" not in str(caught.value)
    kit = make_kit(KEK, "caf\u00e9 caf\u00e9 caf\u00e9", CHEAP_KIB)
    assert open_kit(kit, "cafe\u0301 cafe\u0301 cafe\u0301", CHEAP_KIB) == KEK


def test_a_short_passphrase_is_refused() -> None:
    """The paper is all that an attacker needs to try as long as he likes."""
    with pytest.raises(SecretsError, match="at least 12"):
        make_kit(KEK, "short", CHEAP_KIB)


def test_a_kit_of_a_newer_version_is_told_from_a_mistyped_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody searches the paper for a mistake that is not there."""
    with monkeypatch.context() as patch:
        patch.setattr(recovery_kit, "VERSION", 2)
        newer = make_kit(KEK, WORDS, CHEAP_KIB)
    with pytest.raises(SecretsError, match="newer version"):
        open_kit(newer, WORDS, CHEAP_KIB)
