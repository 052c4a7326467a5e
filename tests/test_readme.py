"""README and docs keep their word: their commands are the real ones, and their snippets run.

A block that is not run says why in a comment above it, and one that another file runs names it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest
import requests
import yaml
from demo_process import Demo
from external_programs import needed, node
from jsonschema import Draft7Validator
from warm_process import run_warm

from gateway.app import build_catalogue
from gateway.client import GatewayError, SyncGatewayClient
from gateway.config import Config
from gateway.home.home import Home
from gateway.rpc.asyncapi import asyncapi_document
from gateway.rpc.openrpc import METHODS_OF_THE_FRONT
from gateway.streams.channels import FORMS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
NOT_RUN = "not run: "
RUN_BY = "run by "
RUN = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/mt-gateway demo\n"
TEST = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest\n"
TRIES = 5
LINES = 150
"""Of the README, which is for somebody new."""


class Snippet(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    code: str
    note: str
    """A comment in the line above: why it is not run, or which file of tests runs it."""

    @property
    def runs_here(self) -> bool:
        return not self.note and self.code not in (RUN, TEST)


def snippets_of(page: Path) -> Iterator[Snippet]:
    """Find the fenced blocks of a page."""
    text = page.read_text("utf-8")
    block = r"^(?: *<!-- (.*?) -->\n)?( *)```(\w*)\n(.*?)^\2```$"
    for match in re.finditer(block, text, re.MULTILINE | re.DOTALL):
        note, _, language, code = match.groups(default="")
        line = text.count("\n", 0, match.start()) + 1
        yield Snippet(page, line, language, dedent(code), note)


SNIPPETS = [snippet for page in PAGES for snippet in snippets_of(page)]
OF_A_RUNNING_GATEWAY = {"halt", "audit"}
"""Commands that look into its home."""


def name_of(snippet: Snippet) -> str:
    return f"{snippet.page.stem}-{snippet.line}"


def written_in(*languages: str) -> pytest.MarkDecorator:
    """Parametrize a test with the snippets of some languages that it is to run."""
    found = [one for one in SNIPPETS if one.language in languages and one.runs_here]
    assert found
    return pytest.mark.parametrize("snippet", found, ids=name_of)


def noted(file: str, *languages: str) -> list[Snippet]:
    """Return the snippets that a file of tests says it runs."""
    return [one for one in SNIPPETS if one.note.startswith(f"{RUN_BY}{file}")]


def environment(demo: Demo, home: Path) -> dict[str, str]:
    commands = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {
        **os.environ,
        "PATH": commands,
        "MT_GATEWAY_URL": demo.url,
        "MT_GATEWAY_TOKEN": demo.auth_token,
        "MT_GATEWAY_HOME": str(home),
        # no window opens on the machine of the tests
        "BROWSER": "true",
    }


def execute(words: list[str], demo: Demo, folder: Path, **more: str) -> str:
    """Run a program to its end, which must be a good one; return what it printed."""
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment(demo, folder / "home") | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands_of(code: str) -> list[list[str]] | None:
    """Return the commands of a block that are ``mt-gateway`` alone; ``None`` if it has others."""
    lines = [line for line in code.splitlines() if not line.startswith("#")]
    if not all(line.startswith("mt-gateway ") and not {">", "|"} & set(line) for line in lines):
        return None
    return [shlex.split(line, comments=True)[1:] for line in lines]


def run_command(words: list[str], env: dict[str, str]) -> None:
    """Run ``mt-gateway``; it must end well.

    ``doctor`` calls a gateway dead that does not answer in some seconds, and so it is for a
    person: where the machine is too busy for that it is asked again.
    """
    for left in reversed(range(TRIES if words == ["doctor"] else 1)):
        done = run_warm(*words, env=env, timeout_s=60)
        if done.returncode == 0 or not left:
            assert done.returncode == 0, done.stdout + done.stderr
            return


def shown_in(page: str, language: str) -> list[str]:
    return [one.code for one in SNIPPETS if one.page.name == page and one.language == language]


def test_the_readme_is_short() -> None:
    """What somebody new does not need at once stands in docs."""
    assert len(README.read_text("utf-8").splitlines()) <= LINES


def test_the_two_commands_are_there() -> None:
    """The first shell block runs the demo, the last one the tests; CI calls that same line."""
    shell = shown_in("README.md", "sh")

    assert (shell[0], shell[-1]) == (RUN, TEST)
    assert (ROOT / ".ci" / "run").read_text("utf-8").endswith(TEST)


def test_every_snippet_runs_or_says_why_not() -> None:
    """Blocks of languages that no test below takes say it above; a file that is named names the
    page."""
    silent = [
        name_of(one)
        for one in SNIPPETS
        if not one.note and one.language not in ("sh", "python", "js", "json", "toml", "yaml")
    ]
    files = {one: one.note.removeprefix(RUN_BY).partition(":")[0] for one in SNIPPETS if one.note}
    wrong = [
        name_of(one)
        for one, file in files.items()
        if not (one.note.startswith(NOT_RUN) or one.page.name in (ROOT / file).read_text("utf-8"))
    ]

    assert (silent, wrong) == ([], [])


@written_in("sh")
def test_a_shell_snippet_runs(
    snippet: Snippet, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, with nothing but the two variables set; no machine needs a keyring for it.

    Commands of docs are forked from a process that has imported all; those of the README start
    as a person starts them. A refusal ends curl with an error.
    """
    code = snippet.code
    if "curl" in code:
        needed("curl")
    if "token create" in code:
        Home(tmp_path / "home").close()
    own = {"MT_GATEWAY_HOME": demo.home} if code.split()[1] in OF_A_RUNNING_GATEWAY else {}
    commands = None if snippet.page == README else commands_of(code)
    monkeypatch.chdir(tmp_path)
    for words in commands or []:
        run_command(words, environment(demo, tmp_path / "home") | own)
    if commands is None:
        curl = 'curl() { command curl --fail-with-body "$@"; }\n'
        execute(["bash", "-euo", "pipefail", "-c", curl + code], demo, tmp_path, **own)


@written_in("python")
def test_a_python_snippet_runs(snippet: Snippet, demo: Demo, tmp_path: Path) -> None:
    """As it stands, with nothing but the two variables set."""
    execute([sys.executable, "-c", snippet.code], demo, tmp_path)


@written_in("js")
def test_a_node_snippet_runs(snippet: Snippet, demo: Demo, tmp_path: Path) -> None:
    """As it stands, with nothing but the two variables set."""
    execute([node(), "--eval", snippet.code], demo, tmp_path)


@written_in("json")
def test_the_json_shown_is_json(snippet: Snippet) -> None:
    """As one document."""
    assert json.loads(snippet.code)


@written_in("yaml")
def test_the_yaml_shown_can_be_read(snippet: Snippet) -> None:
    """As one document."""
    assert yaml.safe_load(snippet.code)


@written_in("toml")
def test_the_settings_shown_are_accepted(snippet: Snippet) -> None:
    """Each TOML block is a config.toml."""
    Config.model_validate(tomllib.loads(snippet.code))


def test_the_error_shown_is_the_real_one(demo: Demo) -> None:
    """The JSON block is what a mistyped symbol is answered with."""
    (shown,) = map(json.loads, shown_in("api.md", "json"))
    with (
        SyncGatewayClient(demo.url, demo.auth_token) as client,
        pytest.raises(GatewayError) as caught,
    ):
        client.get_symbol_info(symbol=shown["data"]["symbol"])

    assert caught.value.as_dict() == shown


def test_metrics_are_called_as_shown(demo: Demo) -> None:
    """In every expression; and the page names none twice."""
    pages = "\n".join(page.read_text("utf-8") for page in PAGES)
    shown = set(re.findall(r"\bmt_gateway_\w+", pages))
    bearer = {"Authorization": f"Bearer {demo.auth_token}"}
    text = requests.get(f"{demo.url}/metrics", headers=bearer, timeout=60).text
    named = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    told = {name for name, kind in named if kind != "histogram"}
    histograms = [name for name, kind in named if kind == "histogram"]
    told |= {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}

    assert len(shown) > 5
    assert shown - told == set()
    assert len({name for name, _ in named}) == len(named)


def test_the_manager_api_is_called_as_shown(demo: Demo, tmp_path: Path) -> None:
    """On manager.md: signing in and a deposit, with the name and the password that the demo
    prints; the user is one of its own."""
    needed("curl")
    (shown,) = (one for one in noted("tests/test_readme.py") if one.page.name == "manager.md")
    login, _, deposit = calls_of(shown)
    given = {
        "http://127.0.0.1:7400": demo.url,
        "username=anna": f"username={demo.manager['username']}",
        "password=...": f"password={demo.manager['password']}",
    }
    token = json.loads(curl(login, given, demo, tmp_path))["access_token"]
    answer = json.loads(curl(deposit, given | {"eyJ...": token}, demo, tmp_path))

    assert "code" not in answer, answer
    assert answer["login"] == 100001


def test_accounts_are_registered_as_shown(demo: Demo, tmp_path: Path) -> None:
    """On accounts.md: one that is not logged in, and that of the demo on paper. Both are deleted,
    since a registration bounds what the other snippets may trade."""
    needed("curl")
    shown = [one for one in noted("tests/test_readme.py") if one.page.name == "accounts.md"]
    bearer = {"Authorization": f"Bearer {demo.auth_token}"}
    for snippet in shown:
        (call,) = calls_of(snippet)
        answer = json.loads(curl(call, {}, demo, tmp_path))
        place = f"{demo.url}/api/v1/accounts/{answer['id']}"
        ended = requests.delete(place, headers=bearer, timeout=60)

        assert json.loads(call.partition("-d '")[2][:-1])["login"] == answer["login"]
        assert ended.ok, ended.text
    assert len(shown) == 2


def calls_of(snippet: Snippet) -> list[str]:
    """Return the calls of curl in a block, without the remarks behind them."""
    calls = re.findall(r"^curl (?:.*\\\n)*.*$", snippet.code, re.MULTILINE)
    return [call.partition("   # ")[0].rstrip() for call in calls]


def curl(command: str, given: dict[str, str], demo: Demo, folder: Path) -> str:
    """Run a call of curl, with what is one's own in its place."""
    for shown, own in given.items():
        command = command.replace(shown, own)
    return execute(["bash", "-c", command.replace("curl ", "curl -s ", 1)], demo, folder)


def test_every_method_is_listed() -> None:
    """The table names each method that there is, and none that there is not."""
    text = (DOCS / "api.md").read_text("utf-8")
    rows = re.findall(r"^\| [a-z ]+ \| (`.*) \|$", text.partition("\n## Streams")[0], re.MULTILINE)
    listed = set(re.findall(r"`([a-z_.]+)`", " ".join(row.split(" with ")[0] for row in rows)))
    front = {str(method["name"]) for method in METHODS_OF_THE_FRONT}

    assert listed == set(build_catalogue()) | front
    assert f"JSON-RPC 2.0. {len(listed)} methods" in text


def test_every_channel_is_listed() -> None:
    """The table of the streams names each form of channels that there is, and no other."""
    table = (DOCS / "api.md").read_text("utf-8").partition("| channel | what comes |")[2]
    rows = table.partition("\n\n")[0].splitlines()[2:]
    listed = [name for row in rows for name in re.findall(r"`(\S+)`", row.split("|")[1])]

    assert sorted(listed) == sorted(form.example for form in FORMS)


def test_the_error_shown_is_one_of_the_described() -> None:
    """AsyncAPI's shape of errors takes the JSON block."""
    (shown,) = map(json.loads, shown_in("api.md", "json"))
    components = asyncapi_document(build_catalogue())["components"]
    schema = {"$ref": "#/components/schemas/ErrorObject", "components": components}

    Draft7Validator(schema).validate(shown)
