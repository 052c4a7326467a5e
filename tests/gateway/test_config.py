"""The rules of ``config.toml``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gateway import config
from gateway.config import (
    Config,
    ConfigError,
    Section,
    descriptions,
    example,
    is_limit,
    load,
    parse,
    sections,
    zeros,
)
from gateway.credentials.key_store import chosen_store

PROJECT = Path(__file__).parents[2]
SECTIONS = [section.model for section in sections()]


def complaint_about(content: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(content)
    return str(caught.value)


def test_the_example_file_is_the_one_made_from_the_models() -> None:
    """``config.example.toml`` documents every setting, with its default."""
    assert (PROJECT / "config.example.toml").read_text(encoding="utf-8") == example()


def test_the_example_says_the_defaults() -> None:
    """Who copies the example as it is changes nothing."""
    read = parse(tomllib.loads(example()))
    assert read == Config()
    assert chosen_store(read.secrets) is None, "a home keeps to its own store"
    assert zeros(read) == []


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_setting_is_documented_and_has_a_default(section: type[Section]) -> None:
    """A file may leave out everything, and nobody has to guess what a setting does."""
    section()
    assert section.__doc__
    assert set(descriptions(section)) - {"says_defaults"} == set(section.model_fields)


def test_a_file_is_read(tmp_path: Path) -> None:
    """What a file says holds; what it leaves out has its default."""
    path = tmp_path / "config.toml"
    path.write_text('[api]\nport = 0\nallowed_origins = ["http://127.0.0.1:7402"]\n')
    read = load(path)
    assert read.api.port == 0
    assert read.api.allowed_origins == ("http://127.0.0.1:7402",)
    assert read.bridge == Config().bridge


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    """A typing error is seen."""
    message = complaint_about({"api": {"alowed_origins": []}})
    assert message == (
        "config.toml: [api] alowed_origins: there is no such setting; "
        "did you mean allowed_origins?"
    )


def test_an_unknown_setting_like_no_other_is_answered_with_all_names() -> None:
    """Where nothing is near, the settings that there are get listed."""
    assert complaint_about({"bridge": {"zzz": 1}}).endswith("no such setting; there are port")


def test_an_unknown_section_is_refused_with_the_nearest_name() -> None:
    """So are sections."""
    assert "did you mean limits?" in complaint_about({"limts": {}})


@pytest.mark.parametrize("key", ["host", "hosts", "bind", "listen", "address", "interface"])
@pytest.mark.parametrize("section", ["api", "bridge"])
def test_no_setting_makes_it_listen_beyond_loopback(section: str, key: str) -> None:
    """Who tries is told that it cannot be, and what to do instead."""
    message = complaint_about({section: {key: "0.0.0.0"}})  # noqa: S104  # the point of the test
    assert "127.0.0.1 and ::1 only" in message
    assert "tunnel" in message


@pytest.mark.parametrize(
    "content",
    [
        {"api": {"port": "7400"}},
        {"api": {"port": 7400.0}},
        {"api": {"port": True}},
        {"api": {"port": -1}},
        {"api": {"port": 65536}},
        {"api": {"allowed_hosts": "localhost"}},
        {"api": {"allowed_hosts": ["a:7400"]}},
        {"api": {"allowed_hosts": ["*"]}},
        {"api": {"allowed_hosts": [1]}},
        {"limits": {"max_batch": 0}},
        {"limits": {"max_batch": 1001}},
        {"secrets": {"store": "plain"}},
        {"secrets": {"key_file": ""}},
        {"bridge": 7401},
    ],
)
def test_a_wrong_value_names_its_place(content: dict[str, object]) -> None:
    """Nothing is coerced or rounded; the complaint names section and key."""
    (section, settings) = next(iter(content.items()))
    key = next(iter(settings)) if isinstance(settings, dict) else ""
    assert complaint_about(content).startswith(f"config.toml: [{section}] {key}".rstrip())


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "127.0.0.1:7402",
        "http://127.0.0.1:7402/",
        "http://a.example/path",
        "HTTP://A.EXAMPLE",
        "http://user@a.example",
        "file:///",
        "http://a.example\n",
        "http://a.example http://b.example",
    ],
)
def test_only_exact_origins_may_be_allowed(origin: str) -> None:
    """No wildcards, no paths: an origin is what a browser sends, to the letter."""
    assert "[api] allowed_origins.0: give an origin" in complaint_about(
        {"api": {"allowed_origins": [origin]}}
    )


def test_all_complaints_come_at_once() -> None:
    """Who has three errors need not start three times."""
    message = complaint_about({"api": {"port": -1}, "secrets": {"store": 1}, "x": {}})
    assert len(message.splitlines()) == 3


def test_a_complaint_does_not_repeat_the_value() -> None:
    """A file may hold secrets one day, and complaints end up in logs."""
    assert "hunter2" not in complaint_about(
        {"secrets": {"store": "hunter2"}, "api": {"port": "hunter2"}}
    )


def test_text_that_is_no_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    """The complaint names file, line and column."""
    path = tmp_path / "config.toml"
    path.write_text("[api]\nport == 1\n")
    with pytest.raises(ConfigError, match=re.escape(str(path)) + r": is not TOML: .*line 2"):
        load(path)


@pytest.mark.parametrize("text", ["[api]\nport = " + "9" * 5000, "a = " + "[" * 20_000])
def test_text_that_is_too_much_for_a_reader_is_refused(tmp_path: Path, text: str) -> None:
    """A number of thousands of digits, and lists in lists."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder, another encoding: no traceback."""
    with pytest.raises(ConfigError, match=r"cannot be read: No such file"):
        load(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match=r"cannot be read"):
        load(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(latin)


LIMITS = [
    (section, key)
    for section in ("trading", "manager")
    for key, field in Config.model_fields[section].annotation.model_fields.items()  # type: ignore[union-attr]  # a section
    if is_limit(field)
]


@pytest.mark.parametrize(("section", "key"), LIMITS, ids=lambda name: str(name))
def test_a_limit_of_nothing_allows_nothing(section: str, key: str) -> None:
    """It is told, since files of before meant no limit by it; none lifts it, and says nothing."""
    assert getattr(getattr(parse({section: {key: "none"}}), section), key) is None
    config = parse({section: {key: 0}})
    assert getattr(getattr(config, section), key) == 0
    (told,) = zeros(config)
    assert told.startswith(f"[{section}] {key} = 0 allows nothing; ")
    lifted = parse({}) if "remove the line" in told else parse({section: {key: "none"}})
    assert getattr(getattr(lifted, section), key) is None


def test_configuration_does_not_change() -> None:
    """What was read at the start holds until the end."""
    with pytest.raises(ValueError, match="frozen"):
        config.Config().api.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "url",
    ["https://console.example.com", "https://10.0.0.1:8443", "http://127.0.0.1:7402", ""],
)
def test_a_console_is_reached_by_tls_or_on_this_machine(url: str) -> None:
    """Anything else would carry signed requests past strangers."""
    assert parse({"console": {"url": url}}).console.url == url


@pytest.mark.parametrize(
    "url",
    ["http://console.example.com", "console.example.com", "https://a/b", "ftp://a", "https://"],
)
def test_other_console_addresses_are_refused(url: str) -> None:
    """In clear over a network, with a path, or not an address at all."""
    with pytest.raises(ConfigError, match=r"\[console\] url: give https://HOST"):
        parse({"console": {"url": url}})


def test_a_root_key_is_pinned_whole() -> None:
    """A part of it, or another key's text, is a mistake of pasting."""
    root = "mgr1_" + "A" * 43
    assert parse({"console": {"root": root}}).console.root == root
    with pytest.raises(ConfigError, match="give the root key as the console shows it"):
        parse({"console": {"root": root[:-1]}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"listen": "192.168.1.10"}, "name in allow"),
        ({"listen": "0.0.0.0", "allow": ["10.0.0.1"]}, "name in hosts"),  # noqa: S104  # refused
        ({"listen": "my-pc", "allow": ["10.0.0.1"]}, "names will not do"),
        ({"listen": "10.0.0.2", "allow": ["0.0.0.0/0"]}, "half the world"),
        ({"listen": "10.0.0.2", "allow": ["::/1"]}, "half the world"),
        ({"listen": "10.0.0.2", "allow": ["10.0.0.1/8"]}, "an address or a network"),
        ({"listen": "10.0.0.2", "allow": ["10.0.0.1"], "key_file": "k.pem"}, "or neither"),
        ({"lisen": "10.0.0.2"}, "did you mean listen?"),
    ],
)
def test_a_door_for_others_is_whole_or_refused(settings: dict[str, object], words: str) -> None:
    """Nobody opens it by half a section; nothing listens that is meant for everybody."""
    message = complaint_about({"api": {"remote": settings}})
    assert message.startswith("config.toml: [api.remote]")
    assert words in message
