"""Secrets are found nowhere but where they belong (threats 31 and 35).

A demo runs with everything logged, is used and abused, its key is exchanged, moved and taken from
paper; then every file, log, answer and output is searched for every secret that there was.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import suppress
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import websockets.exceptions
from commands import HANGS_AFTER_S
from demo_process import Demo, clean_environment, running_demo
from planted import Planted, forms
from warm_process import COMMAND
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from ea_bridge.token import new_token
from gateway.credentials.key_store.passphrase import NEW_PASSPHRASE_FILE, PASSPHRASE_FILE
from gateway.home.home import KEY_FILE, Home

KIT_PASSPHRASE_FILE = "MT_GATEWAY_KIT_PASSPHRASE_FILE"
AT_DEBUG = "import logging, sys; logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)"


@pytest.fixture
def planted() -> Planted:
    """What is typed and shown; what is made is planted when it is there."""
    planted = Planted()
    for name, words in PASSPHRASES.items():
        planted.plant(name, words)
    planted.plant("password", "Canary-Hunter2-password")
    return planted


PASSPHRASES = {
    PASSPHRASE_FILE: "canary horse battery staple",
    NEW_PASSPHRASE_FILE: "canary zebra battery staple",
    KIT_PASSPHRASE_FILE: "canary paper battery staple",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a program which logs everything, asyncio's own debugging included."""
    site, words = tmp_path / "site", tmp_path / "words"
    site.mkdir()
    words.mkdir()
    (site / "sitecustomize.py").write_text(AT_DEBUG)
    files = {}
    for name, text in PASSPHRASES.items():
        (words / name).write_text(text)
        (words / name).chmod(0o600)
        files[name] = str(words / name)
    path = os.pathsep.join((str(site), os.getcwd()))
    return clean_environment() | files | {"PYTHONPATH": path, "PYTHONASYNCIODEBUG": "1"}


def test_no_secret_lies_where_it_does_not_belong(
    tmp_path: Path, planted: Planted, environment: dict[str, str]
) -> None:
    """While the gateway runs, after it ended, and after every change of its key."""
    folder = tmp_path / "home"
    said: dict[str, str] = {}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            (*COMMAND, *arguments, "--home", str(folder)),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS_AFTER_S,
        )
        assert done.returncode == 0, done.stderr
        said[" ".join(("errors of", *arguments[:2]))] = done.stderr
        return done.stdout

    with running_demo(folder, "--verbose", environment=environment) as demo:
        planted.plant_token("demo's token", demo.auth_token, may_lie_in=("token",))
        own = make_token(demo)
        planted.plant_token("own token", own)
        stranger = new_token()
        planted.plant_token("unknown token", stranger)
        planted.plant("console's password", demo.console_password)
        said |= use(demo, planted)
        said |= sign_in(demo, planted)
        people = (demo.console_password, "Canary-Hunter2-password")
        said |= abuse(demo, [demo.auth_token, own, stranger, *people])
        with Home(folder) as home:
            planted.plant_home(home, KEY_FILE)
        assert (folder / "gateway.db-wal").stat().st_size > 0
        shutil.copytree(folder, tmp_path / "running")
        assert planted.found_below(tmp_path / "running") == []
    log = folder.with_name("home.log.txt").read_text()
    assert "DEBUG" in log
    said["log"] = log

    for command in (("rotate",), ("move", "--to", "passphrase"), ("rotate",)):
        said[" ".join(command)] = run("secrets", *command)
        if "passphrase" in command:
            environment[PASSPHRASE_FILE] = environment[NEW_PASSPHRASE_FILE]
    kit = run("secrets", "recovery-kit")
    lines = [line.split(".", 1)[1].strip() for line in kit.splitlines() if line[:4].endswith(".")]
    for number, line in enumerate(lines, 1):
        planted.plant(f"line {number} of the kit", line)
    (tmp_path / "kit.txt").write_text(kit)
    restore = ("secrets", "restore", str(tmp_path / "kit.txt"), "--to", "file")
    said["restore"] = run(*restore)
    said["status"] = run("secrets", "status", "--json")
    with Home(folder) as home:
        planted.plant_home(home, KEY_FILE)
    assert len(planted.secrets) >= 12
    assert planted.found_below(folder) == []
    for place, text in said.items():
        assert planted.found_in(place, text) == []


def use(demo: Demo, planted: Planted) -> dict[str, str]:
    """Call and stream as programs do."""
    headers = {"Authorization": f"Bearer {demo.auth_token}"}
    said = {}
    with connect(demo.ws, additional_headers=headers, proxy=None) as ws:
        said["welcome"] = str(ws.recv(timeout=HANGS_AFTER_S))
        for number, method in enumerate(("get_account_info", "get_positions", "hello")):
            ws.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method}))
            said[f"answer to {method}"] = str(ws.recv(timeout=HANGS_AFTER_S))
    body = {"jsonrpc": "2.0", "id": 1, "method": "get_ws_ticket", "params": {}}
    answer = json.loads(post(demo, json.dumps(body), headers).splitlines()[-1])
    planted.plant("ticket", answer["result"]["ticket"])
    protocols = [Subprotocol("mtg.v1"), Subprotocol(answer["result"]["subprotocol"])]
    with connect(demo.ws, subprotocols=protocols, proxy=None) as ws:
        said["welcome of a ticket"] = str(ws.recv(timeout=HANGS_AFTER_S))
        ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}))
        said["answer to ping"] = str(ws.recv(timeout=HANGS_AFTER_S))
    return said


def sign_in(demo: Demo, planted: Planted) -> dict[str, str]:
    """Open the console's pages with the password, and try a wrong one."""
    said = {}
    for name, password in (("right", demo.console_password), ("wrong", "Canary-Hunter2-password")):
        cookies: dict[str, str] = {}
        _, asked = browse(demo, cookies, "GET", "/sign-in")
        form = {"email": demo.console_email, "password": password}
        form |= dict(re.findall(r'name="(csrf)" value="([^"]*)"', asked))
        status, said[f"page, {name} password"] = browse(demo, cookies, "POST", "/sign-in", form)
        assert (status == 303) == (name == "right")
        _, said[f"overview, {name} password"] = browse(demo, cookies, "GET", "/")
        assert cookies
        for cookie, value in cookies.items():
            if value:  # else it was taken back
                planted.plant(f"cookie {cookie} of the {name} password", value)
    return said


def make_token(demo: Demo) -> str:
    """Make a token on the console's pages; the one page that shows it is not kept."""
    cookies: dict[str, str] = {}

    def send(path: str, seen: str, **form: str) -> tuple[int, str]:
        hidden = dict(re.findall(r'name="(csrf)" value="([^"]*)"', seen))
        return browse(demo, cookies, "POST", path, form | hidden)

    _, asked = browse(demo, cookies, "GET", "/sign-in")
    send("/sign-in", asked, email=demo.console_email, password=demo.console_password)
    _, asked = browse(demo, cookies, "GET", "/tokens/new")
    fields = {"name": "B", "platform": "mt5", "lifetime": "30", "scope": "trade"}
    _, asked = send("/tokens", asked, **fields)
    _, shown = send("/tokens", asked, **fields, step_up_password=demo.console_password)
    token = re.search(r"mgt_[0-9A-Za-z]{50}", shown)
    assert token is not None, shown
    return token[0]


def browse(
    demo: Demo,
    cookies: dict[str, str],
    method: str,
    path: str,
    form: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Open a page as a browser does; returns status and page."""
    connection = http.client.HTTPConnection(urlsplit(demo.console).netloc, timeout=HANGS_AFTER_S)
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": demo.console}
    headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, path, urlencode(form or {}), headers)
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie", []):
            cookies.update({name: one.value for name, one in SimpleCookie(line).items()})
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def abuse(demo: Demo, secrets: list[str]) -> dict[str, str]:
    """Put each secret into everything that takes input, as people do by mistake."""
    said = {}
    rpc = urlsplit(demo.rpc)
    for number, secret in enumerate(secrets):
        bearer = {"Authorization": f"Bearer {demo.auth_token}"}
        call = {"jsonrpc": "2.0", "id": 1, "method": "get_account_info"}
        for name, body, headers in (
            ("header", json.dumps(call), {"Authorization": f"Bearer {secret}x"}),
            ("basic", json.dumps(call), {"Authorization": f"Basic {secret}"}),
            ("params", json.dumps({**call, "params": {"password": secret}}), bearer),
            ("auth_token", json.dumps({**call, "params": {"auth_token": secret}}), bearer),
            ("no JSON", f'{{"auth_token": "{secret}"', bearer),
            ("no call", json.dumps({"auth_token": secret}), bearer),
            ("no token", json.dumps({**call, "auth_token": secret}), {}),
        ):
            said[f"{name} {number}"] = post(demo, body, headers)
        target = f"{rpc.path}?auth_token={secret}"
        said[f"query {number}"] = post(demo, json.dumps(call), bearer, target)
        said[f"path {number}"] = post(demo, "{}", bearer, f"/{secret}")
        said[f"login {number}"] = login(demo, secret)
        said[f"bridge {number}"] = dial(demo, secret)
    return said


def post(demo: Demo, body: str, headers: dict[str, str], target: str = "/rpc") -> str:
    """Return headers and body of the answer."""
    connection = http.client.HTTPConnection(urlsplit(demo.rpc).netloc, timeout=HANGS_AFTER_S)
    try:
        content = {"Content-Type": "application/json"}
        connection.request("POST", target, body.encode(), content | headers)
        answer = connection.getresponse()
        return f"{answer.headers}{answer.read().decode()}"
    finally:
        connection.close()


def login(demo: Demo, secret: str) -> str:
    """Say hello with it, on a WebSocket without a header."""
    params = {"auth_token": secret, "password": secret}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": params}
    answer = ""
    try:
        with connect(demo.ws, proxy=None) as ws:
            ws.send(json.dumps(hello))
            answer = str(ws.recv(timeout=HANGS_AFTER_S))
            if "error" in json.loads(answer):  # then it is closed, with a reason
                with suppress(TimeoutError):
                    answer += str(ws.recv(timeout=1))
            return answer
    except websockets.exceptions.WebSocketException as error:
        return f"{answer}{error}"


def dial(demo: Demo, secret: str) -> str:
    """Talk to the bridge as an EA that sends its token, which a real one never does."""
    host, _, port = demo.bridge.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=HANGS_AFTER_S) as link:
        link.sendall(json.dumps({"t": "hello", "auth_token": secret}).encode() + b"\n")
        link.shutdown(socket.SHUT_WR)
        said = b""
        while new := link.recv(4096):
            said += new
    return said.decode()


@pytest.mark.parametrize("form", [0, 1, 2, 3, 4, 5, 6])
def test_what_is_searched_for_is_found(planted: Planted, tmp_path: Path, form: int) -> None:
    """In every form, in files below files and in their names; where it may lie, it is left."""
    secret = bytes(range(200, 232))
    planted.plant("a key", secret, may_lie_in=("its.key",))
    written = list(forms(secret))[form]
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"..." + written + b"...")
    (tmp_path / "its.key").write_bytes(written)
    (tmp_path / "canary horse battery staple").touch()
    assert planted.found_below(tmp_path) == [
        "a key lies in below/file",
        f"{PASSPHRASE_FILE} lies in the name of a file",
    ]
    assert planted.found_in("log", "x" + written.decode("latin-1")) == (
        ["a key lies in log"] if form else []
    )
