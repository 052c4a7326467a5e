"""The README keeps its word: its commands are the real ones, and its snippets run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import requests
from demo_process import Demo
from external_programs import needed
from jsonschema import Draft7Validator

from gateway.app import build_catalogue
from gateway.client import GatewayError, SyncGatewayClient
from gateway.config import Config
from gateway.home.home import Home
from gateway.rpc.asyncapi import asyncapi_document
from gateway.rpc.openrpc import METHODS_OF_THE_FRONT
from gateway.streams.channels import FORMS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
RUN = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/mt-gateway demo\n"
TEST = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest\n"
SHELL = [code for language, code in BLOCKS if language == "sh" and code not in (RUN, TEST)]
OF_A_RUNNING_GATEWAY = {"halt", "audit"}
"""Commands that look into its home."""
PYTHON = [code for language, code in BLOCKS if language == "python"]


def environment(demo: Demo, home: Path) -> dict[str, str]:
    commands = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {
        **os.environ,
        "PATH": commands,
        "MT_GATEWAY_URL": demo.url,
        "MT_GATEWAY_TOKEN": demo.auth_token,
        "MT_GATEWAY_HOME": str(home),
    }


def execute(words: list[str], demo: Demo, folder: Path, home: Path | None = None) -> None:
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment(demo, home or folder / "home"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_two_commands_are_there():
    """The first shell block runs the demo, the last one the tests; CI calls that same line."""
    shell = [code for language, code in BLOCKS if language == "sh"]

    assert (shell[0], shell[-1]) == (RUN, TEST)
    assert (ROOT / ".ci" / "run").read_text("utf-8").endswith(TEST)


@pytest.mark.parametrize("code", SHELL, ids=lambda code: code.split()[1])
def test_a_shell_snippet_runs(code: str, demo: Demo, tmp_path: Path):
    """As it stands, with nothing but the two variables set; no machine needs a keyring for it."""
    if code.startswith("curl"):
        needed("curl")
    if "token create" in code:
        Home(tmp_path / "home").close()
    home = Path(demo.home) if code.split()[1] in OF_A_RUNNING_GATEWAY else None
    execute(["bash", "-euo", "pipefail", "-c", code], demo, tmp_path, home)


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: code.split()[1])
def test_a_python_snippet_runs(code: str, demo: Demo, tmp_path: Path):
    """As it stands, with nothing but the two variables set."""
    execute([sys.executable, "-c", code], demo, tmp_path)


def test_the_error_shown_is_the_real_one(demo: Demo):
    """The JSON block is what a mistyped symbol is answered with."""
    (shown,) = (json.loads(code) for language, code in BLOCKS if language == "json")
    with (
        SyncGatewayClient(demo.url, demo.auth_token) as client,
        pytest.raises(GatewayError) as caught,
    ):
        client.get_symbol_info(symbol=shown["data"]["symbol"])

    assert caught.value.as_dict() == shown


def test_metrics_are_called_as_shown(demo: Demo):
    """In every expression; and the page names none twice."""
    shown = set(re.findall(r"\bmt_gateway_\w+", TEXT))
    bearer = {"Authorization": f"Bearer {demo.auth_token}"}
    text = requests.get(f"{demo.url}/metrics", headers=bearer, timeout=60).text
    named = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    told = {name for name, kind in named if kind != "histogram"}
    told |= {f"{name}_bucket" for name, kind in named if kind == "histogram"}

    assert len(shown) > 5
    assert shown - told == set()
    assert len({name for name, _ in named}) == len(named)


def test_the_manager_api_is_called_as_shown(demo: Demo, tmp_path: Path):
    """Signing in and a deposit, with the name and the password that the demo prints; the user is
    one of its own."""
    needed("curl")
    (shown,) = (code for _, code in BLOCKS if "/deposit" in code)
    login, _, deposit = re.findall(r"^curl (?:.*\\\n)*.*$", shown, re.MULTILINE)
    given = {
        "http://127.0.0.1:7400": demo.url,
        "username=anna": f"username={demo.manager['username']}",
        "password=...": f"password={demo.manager['password']}",
    }
    token = json.loads(shell(login, given, demo, tmp_path))["access_token"]
    answer = json.loads(shell(deposit, given | {"eyJ...": token}, demo, tmp_path))

    assert "code" not in answer, answer
    assert answer["login"] == 100001


def shell(command: str, given: dict[str, str], demo: Demo, folder: Path) -> str:
    """Run a line of the README, with what is one's own in its place."""
    for shown, own in given.items():
        command = command.replace(shown, own)
    done = subprocess.run(
        ["bash", "-c", command.partition("   # ")[0].replace("curl ", "curl -s ", 1)],
        cwd=folder,
        env=environment(demo, folder / "home"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_settings_shown_are_accepted():
    """Each TOML block is a config.toml; the page's snippet runs in test_browsers.py."""
    shown = [code for language, code in BLOCKS if language == "toml"]

    assert shown
    for code in shown:
        Config.model_validate(tomllib.loads(code))


def test_every_method_is_listed():
    """The table names each method that there is, and none that there is not."""
    rows = re.findall(r"^\| [a-z ]+ \| (`.*) \|$", TEXT, re.MULTILINE)
    listed = set(re.findall(r"`([a-z_.]+)`", " ".join(row.split(" with ")[0] for row in rows)))
    front = {str(method["name"]) for method in METHODS_OF_THE_FRONT}

    assert listed == set(build_catalogue()) | front
    assert f"JSON-RPC 2.0. {len(listed)} methods" in TEXT


def test_every_channel_is_listed():
    """The table of the streams names each form of channels that there is, and no other."""
    rows = TEXT.partition("| channel | what comes |")[2].partition("\n\n")[0].splitlines()[2:]
    listed = [name for row in rows for name in re.findall(r"`(\S+)`", row.split("|")[1])]

    assert sorted(listed) == sorted(form.example for form in FORMS)


def test_the_error_shown_is_one_of_the_described():
    """AsyncAPI's shape of errors takes the JSON block."""
    (shown,) = (json.loads(code) for language, code in BLOCKS if language == "json")
    components = asyncapi_document(build_catalogue())["components"]
    schema = {"$ref": "#/components/schemas/ErrorObject", "components": components}

    Draft7Validator(schema).validate(shown)


def test_every_relative_link_leads_somewhere():
    """No link to a file that is not there."""
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", TEXT)

    assert [link for link in links if not (ROOT / link).exists()] == []
