"""The TypeScript client: generated types, its size, and one demo under Node.js and Chromium; with
``--long`` under Deno and Bun as well."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from platform import machine
from typing import Any

import pytest
from aiohttp import web
from chromium import chromium
from demo_process import Demo, running_demo
from external_programs import node, packed_node
from node_packages import RUNTIMES, installed_modules

from ea_bridge.sockets import bind_loopback
from gateway.app import asyncapi_document, build_catalogue, openrpc_document
from gateway.cli.stubs import CLIENT
from gateway.cli.typescript import typescript_files

HERE = Path(__file__).parent
PACKAGE = CLIENT / "typescript"
DOCUMENT = HERE.parents[2] / "docs" / "typescript.md"
MOST_BYTES = 12_000
RUN_S = 60
NODE_TYPES = "declare const process: { env: Record<string, string | undefined> };\n"
COMPILE = ("--strict", "--noEmit", "--module", "nodenext", "--target", "es2023")
LIBRARIES = ("--lib", "es2023,dom,dom.asynciterable", "--skipDefaultLibCheck")
"""The declarations of browsers are long, and right."""
WRONG = """\
import { Gateway } from "mt-gateway-client";
const gateway = new Gateway("http://127.0.0.1:7400", "");
// @ts-expect-error there is no such method
await gateway.call("place_ordr", {});
// @ts-expect-error the volume is missing
await gateway.call("place_order", { symbol: "EURUSD", side: "buy" });
// @ts-expect-error there is no such side
await gateway.call("place_order", { symbol: "EURUSD", side: "hold", volume: 1 });
// @ts-expect-error params are needed
await gateway.call("get_symbol_info");
// @ts-expect-error there is no such channel
gateway.subscribe("ticks:EURUSD");
// @ts-expect-error it is a number
const text: string = (await gateway.call("get_account_info")).equity;
for await (const event of gateway.subscribe(["bar.M1:EURUSD", "orders"])) {
  if (event.type === "reconnected") console.log(event.data.recovered, text);
}
"""
PAGE = """\
async ([url, token]) => {
  const { Gateway, GatewayError } = await import("/index.js");
  const gateway = new Gateway(url, token);
  const { login } = await gateway.call("get_account_info");
  const name = await gateway
    .call("no_such_method")
    .catch((error) => error instanceof GatewayError && error.name);
  for await (const event of gateway.subscribe("tick:EURUSD")) {
    if (event.type === "update") return [login, name, event.channel];
  }
}
"""


@pytest.fixture(name="page_port", scope="module")
def reserve() -> Iterator[Any]:
    """The sockets of the pages, bound before the demo that lets their origin in."""
    sockets = bind_loopback(0)
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture(name="web_demo", scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, page_port: Any) -> Iterator[Demo]:
    """One demo for Node.js and the browser."""
    origin = f"http://127.0.0.1:{page_port[0].getsockname()[1]}"
    home = tmp_path_factory.mktemp("typescript") / "home"
    with running_demo(home, "--speed", "20", "--allow-origin", origin) as demo:
        yield demo


@pytest.fixture(name="project")
def make_project(tmp_path: Path) -> Path:
    """A program's folder, into which the package was installed."""
    shutil.copytree(PACKAGE, tmp_path / "node_modules" / "mt-gateway-client")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


def bot() -> str:
    """Return the bot of the document."""
    found = re.search(r"```ts\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def node_of_now() -> str:
    """Return a Node.js that takes TypeScript, or skip the test."""
    runtime = packed_node() or node()
    version = subprocess.run((runtime, "--version"), capture_output=True, text=True, check=True)
    if [int(part) for part in version.stdout[1:].split(".")[:2]] < [22, 18]:
        pytest.skip("Node.js runs TypeScript from version 22.18 on")
    return runtime


def runs(project: Path, program: str, demo: Demo, *runtime: str | Path) -> str:
    """Run a program, in Node.js if in nothing else; return what it printed."""
    done = subprocess.run(
        (*(runtime or (node_of_now(),)), program),
        cwd=project,
        env=demo.environment,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_generated_files_are_up_to_date() -> None:
    """Run ``mt-gateway stubs`` when this fails."""
    files = typescript_files(build_catalogue(), openrpc_document(), asyncapi_document())
    for name, text in files:
        assert (CLIENT / name).read_text("utf-8") == text, name


def test_it_is_small_and_needs_nothing() -> None:
    package = json.loads((PACKAGE / "package.json").read_text())
    assert "dependencies" not in package
    assert {path.name for path in PACKAGE.iterdir()} == {*package["files"], "package.json"}
    code = b"".join((PACKAGE / name).read_bytes() for name in ("index.js", "api.js"))
    assert len(gzip.compress(code)) < MOST_BYTES


def test_the_bot_has_fifteen_lines() -> None:
    assert len([line for line in bot().splitlines() if line.strip()]) <= 15


@pytest.mark.xdist_group("demo")
def test_the_types(project: Path, node_modules: Path) -> None:
    """The bot of the document is right, and each of these mistakes is one."""
    for name, text in (("bot.ts", bot()), ("wrong.ts", WRONG), ("node.d.ts", NODE_TYPES)):
        (project / name).write_text(text)
    compiler = node_modules / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        (node(), compiler, *COMPILE, *LIBRARIES, "bot.ts", "wrong.ts", "node.d.ts"),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.xdist_group("chromium")
def test_under_node(project: Path, web_demo: Demo) -> None:
    """Calls, errors, one id for all tries of an order, streams that are resumed."""
    shutil.copy(HERE / "typescript_client.mjs", project)
    assert runs(project, "typescript_client.mjs", web_demo) == "typescript client ok\n"


@pytest.mark.xdist_group("chromium")
def test_the_bot_trades(project: Path, web_demo: Demo) -> None:
    """Node.js runs it as it stands in the document."""
    (project / "bot.ts").write_text(bot())
    assert runs(project, "bot.ts", web_demo).startswith("bought: position ")


# bound to this machine and to two variables: the client needs no more
DENO = (
    *("@deno/linux-x64-glibc/deno", "run", "--quiet", "--no-prompt", "--cached-only"),
    *("--node-modules-dir=manual", "--allow-net=127.0.0.1"),
    "--allow-env=MT_GATEWAY_URL,MT_GATEWAY_TOKEN",
)
BUN = ("@oven/bun-linux-x64/bin/bun", "run")


@pytest.mark.long
@pytest.mark.skipif((sys.platform, machine()) != ("linux", "x86_64"), reason="npm has others")
@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize("words", [DENO, BUN], ids=["deno", "bun"])
def test_under_another_runtime(
    project: Path, web_demo: Demo, pytestconfig: pytest.Config, words: tuple[str, ...]
) -> None:
    """The same, and the bot, with the rights that they need."""
    modules = installed_modules(pytestconfig.cache.mkdir("runtimes"), RUNTIMES)
    runtime: tuple[str | Path, ...] = (modules / words[0], *words[1:])
    shutil.copy(HERE / "typescript_client.mjs", project)
    (project / "bot.ts").write_text(bot())
    for program, says in (("typescript_client.mjs", "typescript client ok"), ("bot.ts", "bought")):
        assert runs(project, program, web_demo, *runtime).startswith(says)


@asynccontextmanager
async def served(sockets: Any) -> AsyncIterator[None]:
    """Serve the package, and an empty page, on the sockets."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>a page</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_static("/", PACKAGE)
    runner = web.AppRunner(app)
    await runner.setup()
    for sock in sockets:
        await web.SockSite(runner, sock).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.mark.xdist_group("chromium")
async def test_under_chromium(web_demo: Demo, page_port: Any, chromium_cache: Path) -> None:
    """A page of a listed origin calls, is told errors by their names, and hears ticks."""
    flags = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
    async with served(page_port), chromium(chromium_cache, flags) as browser:
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{page_port[0].getsockname()[1]}/")
        got = await page.evaluate(PAGE, [web_demo.url, web_demo.auth_token])
    assert got == [web_demo.account["login"], "method_not_found", "tick:EURUSD"]
