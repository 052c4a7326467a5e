"""The images of ``.github/container`` and their compose file; built and run with ``--containers``.

That needs Podman, ``podman-compose``, root, and a minute or three of network. An image
``debian:trixie-slim`` that cannot be had is made by ``mmdebstrap``. :data:`BUILD_OPTIONS` has more
words for the build, such as volumes with the settings of a proxy.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from external_programs import needed

from gateway.cli.commands import COMMANDS
from gateway.client import SyncGatewayClient
from gateway.config import Config
from gateway.options import API_PORT, BRIDGE_PORT
from gateway.rpc.server import HEALTH

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "container"
GATEWAY, TERMINAL = FOLDER / "Containerfile", FOLDER / "terminal.Containerfile"
PAGE = (ROOT / "docs" / "recipes" / "containers.md").read_text("utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SHARED = "service:net"
KNOWN = frozenset(
    {"build", "cap_drop", "container_name", "depends_on", "entrypoint", "environment"}
    | {"healthcheck", "image", "init", "network_mode", "networks", "ports", "read_only"}
    | {"restart", "secrets", "security_opt", "stop_grace_period", "tmpfs", "user", "volumes"}
)
"""Of a service, by the Compose Specification: what it knows of is more."""
BUILD_OPTIONS = "MT_GATEWAY_TESTS_BUILD_OPTIONS"
BASE = "debian:trixie-slim"
MOST_MB = 400
READY_S = 60


# --- what the files say --------------------------------------------------------------------------


def instructions(containerfile: Path) -> list[tuple[str, str]]:
    """Return the instructions of a file, each with its words."""
    text = containerfile.read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, words.strip()) for name, _, words in (line.partition(" ") for line in lines)]


def words_of(containerfile: Path, name: str) -> list[str]:
    """Return the words of all instructions of a name."""
    return [words for instruction, words in instructions(containerfile) if instruction == name]


def environment_of(containerfile: Path) -> dict[str, str]:
    """Return the variables that an image sets."""
    pairs = (word for words in words_of(containerfile, "ENV") for word in shlex.split(words))
    return dict(pair.split("=", 1) for pair in pairs)


def set_by(service: dict[str, Any]) -> dict[str, str]:
    """Return the variables that a service sets itself; others come from the person's shell."""
    environment = service.get("environment", {})
    return environment if isinstance(environment, dict) else {}


@pytest.mark.parametrize("containerfile", [GATEWAY, TERMINAL], ids=lambda path: path.name)
def test_an_image_is_not_root_and_copies_what_there_is(containerfile: Path) -> None:
    """By known instructions; nothing comes from an address, and its base can be chosen."""
    names = {name for name, _ in instructions(containerfile)}
    assert names <= {"ARG", "FROM", "RUN", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}
    assert {words.split(" ")[0] for words in words_of(containerfile, "FROM")} == {"${BASE}"}
    assert f"BASE={BASE}" in words_of(containerfile, "ARG")
    for words in words_of(containerfile, "COPY"):
        *sources, target = [word for word in words.split() if not word.startswith("--")]
        assert target.startswith("/")
        if "--from=" not in words:
            assert [name for name in sources if not (ROOT / name).exists()] == []
    [user] = words_of(containerfile, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_the_image_of_the_gateway_runs_its_command() -> None:
    assert words_of(GATEWAY, "ENTRYPOINT") == ['["mt-gateway"]']
    [[command]] = map(json.loads, words_of(GATEWAY, "CMD"))
    assert command in COMMANDS
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
    wheel = packaged["build"]["targets"]["wheel"]
    copied = " ".join(words_of(GATEWAY, "COPY"))
    for name in (*wheel["packages"], *wheel["force-include"]):
        assert f"{name} /source/{name}" in copied


def test_variables_are_those_of_the_gateway() -> None:
    """Each of ``MT_GATEWAY_...`` is read by the code."""
    named = set(environment_of(GATEWAY)) | {
        name for service in SERVICES.values() for name in set_by(service)
    }
    ours = {name for name in named if name.startswith("MT_GATEWAY_")}
    assert {"MT_GATEWAY_HOME", "MT_GATEWAY_PASSPHRASE_FILE"} <= ours
    source = "".join(path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    assert [name for name in ours if f'"{name}"' not in source] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_locked_in(name: str) -> None:
    """Not root, without capabilities, its root file system read only, and no socket of Docker."""
    service = SERVICES[name]
    assert service.keys() <= KNOWN
    assert re.fullmatch(r"\$\{RUN_AS:-[1-9]\d*:[1-9]\d*\}", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    own = r"\$\{DATA_FOLDER:\?[^}]+\}/[a-z]+:/[a-z/-]+"
    assert all(re.fullmatch(own, volume) for volume in service.get("volumes", ()))
    build = service["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


def test_nothing_is_published_beyond_the_machine() -> None:
    """One port, that of the door for other machines, on this machine's loopback; all services
    share the network of the one that owns it."""
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    door = Config().api.remote.port
    assert ports == {"net": [f"127.0.0.1:{door}:{door}"]}
    modes = {name: service.get("network_mode") for name, service in SERVICES.items()}
    assert modes.pop("net") is None
    assert set(modes.values()) == {SHARED}


def test_the_gateway_finds_what_it_is_given() -> None:
    """Home, passphrase and health under the names that image and code have for them."""
    gateway = SERVICES["gateway"]
    home = environment_of(GATEWAY)["MT_GATEWAY_HOME"]
    assert [volume.rpartition(":")[2] for volume in gateway["volumes"]] == [home]
    [secret] = gateway["secrets"]
    assert set_by(gateway)["MT_GATEWAY_PASSPHRASE_FILE"] == f"/run/secrets/{secret}"
    assert COMPOSE["secrets"].keys() == {secret}
    assert f"http://127.0.0.1:{API_PORT}{HEALTH}" in gateway["healthcheck"]["test"][-1]


def test_the_door_lets_this_machine_in_and_nobody_else() -> None:
    """The settings of the page allow the address from which the machine's programs come."""
    [told] = COMPOSE["networks"]["outside"]["ipam"]["config"]
    remote = Config.model_validate(tomllib.loads(settings_of_the_page())).api.remote
    assert [ip_network(entry) for entry in remote.allow] == [ip_network(told["gateway"])]
    assert ip_address(told["gateway"]) in ip_network(told["subnet"])


def settings_of_the_page() -> str:
    """Return the ``config.toml`` that the page shows."""
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_screen_listens_on_no_port() -> None:
    """Of X and VNC, its socket is for its user alone, and no Python lies beside the terminal."""
    script = FOLDER / "terminal.sh"
    subprocess.run((needed("sh"), "-n", script), check=True)
    text = script.read_text("utf-8")
    assert "-rfbport -1 -rfbunixpath" in text
    assert "-rfbunixmode 0600" in text
    assert "-nolisten tcp" in text
    assert "python" not in text + TERMINAL.read_text("utf-8").lower()
    variables = set(re.findall(r"\$\{?([A-Z_]{4,})", text))
    assert variables == {"SETUP_URL", "WINEPREFIX", "HOME"}
    assert variables - set(environment_of(TERMINAL)) == set(SERVICES["terminal"]["environment"])


# --- what they do --------------------------------------------------------------------------------


def podman(*words: str, timeout: float = 120) -> str:
    """Run Podman; return what it printed."""
    done = subprocess.run(
        (needed("podman"), *words), capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def ensure_base(folder: Path) -> None:
    """Have an image of Debian: that of the name, or one made here."""
    if subprocess.run((needed("podman"), "image", "exists", BASE), check=False).returncode == 0:
        return
    if subprocess.run(("podman", "pull", "-q", BASE), check=False).returncode == 0:
        return
    archive = str(folder / "debian.tar")
    subprocess.run((needed("mmdebstrap"), "--variant=minbase", "trixie", archive), check=True)
    podman("import", "-q", archive, BASE)


class Compose:
    """The compose file, with a folder of data."""

    def __init__(self, data: Path) -> None:
        self.data = data
        for name in ("home", "terminal", "screen"):
            (data / name).mkdir(mode=0o700)
        (data / "passphrase").write_text("a passphrase of the tests\n")
        (data / "passphrase").chmod(0o600)
        (data / "home" / "config.toml").write_text(settings_of_the_page())
        for path in (data, *data.iterdir(), data / "home" / "config.toml"):
            os.chown(path, 1000, 1000)

    def __call__(self, *words: str) -> None:
        command = (needed("podman-compose"), "--in-pod=false", "-f", FOLDER / "compose.yaml")
        environment = {**os.environ, "DATA_FOLDER": str(self.data)}
        done = subprocess.run(
            (*command, *words), env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """The image, built; the gateway, with a home whose key is a passphrase."""
    folder = tmp_path_factory.mktemp("containers")
    ensure_base(folder)
    more = shlex.split(os.environ.get(BUILD_OPTIONS, ""))
    podman("build", *more, "-t", "mt-gateway", "-f", str(GATEWAY), str(ROOT), timeout=900)
    (folder / "data").mkdir()
    compose = Compose(folder / "data")
    compose("run", "--rm", "-T", "gateway", "secrets", "move", "--to", "passphrase")
    compose("up", "-d", "gateway")
    try:
        yield compose
    finally:
        compose("down")


def inside(*words: str, **environment: str) -> str:
    """Run a command in the gateway's container."""
    options = [f"--env={name}={value}" for name, value in environment.items()]
    return podman("exec", *options, "mt-gateway", *words)


def waited(call: str, **environment: str) -> None:
    """Wait in the container until a call of its client is answered."""
    looks = (
        "import os, time\n"
        "from gateway.client import SyncGatewayClient\n"
        "told = os.environ['MT_GATEWAY_URL'], os.environ['MT_GATEWAY_TOKEN']\n"
        "for left in reversed(range(SECONDS * 10)):\n"
        "    try:\n"
        "        with SyncGatewayClient(*told) as client: client.CALL()\n"
        "        break\n"
        "    except Exception:\n"
        "        if not left: raise\n"
        "        time.sleep(0.1)\n"
    )
    code = looks.replace("SECONDS", str(READY_S)).replace("CALL", call)
    inside("python3", "-c", code, **environment)


@pytest.mark.containers
@pytest.mark.timeout(1200)
@pytest.mark.xdist_group("containers")
def test_an_order_goes_from_container_to_container(compose: Compose) -> None:
    """The terminal, an emulated one, proves its token over the loopback that they share; a program
    of this machine comes by the door; the gateway is started anew, and the link comes back."""
    size = int(podman("image", "inspect", "-f", "{{.Size}}", "mt-gateway"))
    print(f"mt-gateway: {size / 1e6:.0f} MB")  # for who runs it with -s
    assert size < MOST_MB * 1e6
    assert inside("id", "-u") == "1000"
    status = inside("cat", "/proc/self/status")
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    with pytest.raises(AssertionError, match="Read-only file system"):
        inside("touch", "/opt/mt-gateway/x")

    scopes = ("--scope", "trade", "--scope", "remote")
    token = inside("mt-gateway", "token", "create", "--name", "one", *scopes)
    told = {"MT_GATEWAY_TOKEN": token, "MT_GATEWAY_URL": f"http://127.0.0.1:{API_PORT}"}
    locked = ("--read-only", "--cap-drop=ALL", "--user=1000:1000", "--tmpfs=/tmp")
    beside = ("--network=container:mt-gateway-net", f"--env=MT_GATEWAY_TOKEN={token}")
    emulated = ("emulator", "--bridge", f"127.0.0.1:{BRIDGE_PORT}")
    waited("get_server_info", **told)
    emulator = podman("run", "-d", *locked, *beside, "mt-gateway", *emulated)
    try:
        waited("get_account_info", **told)
        order = ("symbol=EURUSD", "side=buy", "volume=0.1", "client_order_id=container-1")
        receipt = json.loads(inside("mt-gateway", "call", "place_order", *order, **told))
        pin = inside("mt-gateway", "remote", "pin").splitlines()[0]
        door = f"https://localhost:{Config().api.remote.port}"
        with SyncGatewayClient(door, token, pin=pin) as client:
            assert [one["ticket"] for one in client.get_positions()] == [
                receipt["order"]["position"]
            ]
        podman("restart", "mt-gateway")
        waited("get_account_info", **told)
        again = json.loads(inside("mt-gateway", "call", "place_order", *order, **told))
        assert again["duplicate"] is True
        assert again["order"]["position"] == receipt["order"]["position"]
    finally:
        podman("rm", "-f", emulator)
