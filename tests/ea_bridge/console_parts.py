"""A console that plays by a script: it holds the keys, and says what the person decides."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge_parts import DEVICE, TOKEN, Bridge, Heard, TestEa, make_hello

from ea_bridge.protocol import messages as m
from ea_bridge.protocol.handshake import (
    answer_challenge,
    auth_message,
    is_client_proof,
    server_proof,
)
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import (
    Admitted,
    BridgeServer,
    CodeRejected,
    ConsoleChallenge,
    NotAdmitted,
    Relay,
    Waiting,
)
from ea_bridge.session import Timers
from ea_bridge.token import derive_keys, new_token, parse_token

CODE = "12345678"
URL = "https://console.example/approve"


class ScriptedConsole:
    """A authorizer that knows no token until it is approved, and the way to the console in one."""

    def __init__(self, *tokens: str, approved: bool = False, device: str = DEVICE) -> None:
        self.keys = {parse_token(token): derive_keys(token) for token in tokens}
        self.book: dict[str, Admitted | NotAdmitted] = {}
        """What the daemon knows."""
        self.device = device
        self.approved = approved
        """The machine is approved already: a right proof is all that it takes."""
        self.terminal = ""
        """What the authorizer knows of a terminal that it relays."""
        self.asked: list[str] = []
        """What the console was asked, in order."""
        self.cancelled = 0
        self.codes: list[str] = []
        self.failing: set[str] = set()
        """Steps that raise."""
        self.user_code = "BCDF-GHJK"
        self.expires_s = 600
        self.refusal: NotAdmitted | None = None
        """What ``fetch_challenge`` says instead."""
        self.hold = asyncio.Event()
        """While it is clear, the console does not answer."""
        self.hold.set()
        self._proofs: dict[str, tuple[m.Hello, bytes]] = {}
        self._requests: dict[str, tuple[m.Hello, asyncio.Future[Admitted | NotAdmitted]]] = {}
        self._changed = asyncio.Event()

    # --- the person ------------------------------------------------------------------------

    def approve(self, tid: str = parse_token(TOKEN), terminal: str = "demo") -> None:
        """The machine is approved, and the daemon has the record."""
        self._learn(tid, terminal)
        for hello, decided in self._requests.values():
            if hello.tid == tid and not decided.done():
                decided.set_result(self._learn(tid, terminal))

    def refuse(self, code: str = "refused", retry_ms: int = 5000) -> None:
        for _, decided in self._requests.values():
            if not decided.done():
                decided.set_result(NotAdmitted(code=code, reason="no", retry_ms=retry_ms))

    async def until_asked(self, *steps: str) -> None:
        """Wait until it was asked exactly that since the beginning."""
        async with asyncio.timeout(60):
            while tuple(self.asked) != steps:
                self._changed.clear()
                await self._changed.wait()

    async def until_cancelled(self, times: int = 1) -> None:
        async with asyncio.timeout(60):
            while self.cancelled < times:
                self._changed.clear()
                await self._changed.wait()

    # --- Authorizer ------------------------------------------------------------------------

    def admit(self, hello: m.Hello) -> Admitted | NotAdmitted | Relay:
        return self.book.get(hello.tid) or Relay(terminal=self.terminal)

    # --- Enroller ------------------------------------------------------------------------

    async def fetch_challenge(self, hello: m.Hello, snonce: str) -> ConsoleChallenge | NotAdmitted:
        await self._answer("fetch_challenge")
        if self.refusal is not None:
            return self.refusal
        said = auth_message(
            hello.tid, bytes.fromhex(hello.cnonce), bytes.fromhex(snonce), self.device
        )
        keys = self.keys.get(hello.tid) or derive_keys(new_token())
        id_ = secrets.token_hex(8)
        self._proofs[id_] = (hello, said)
        return ConsoleChallenge(id=id_, proof=server_proof(keys.server_key, said).hex())

    async def prove(
        self, challenge: ConsoleChallenge, auth: m.Auth
    ) -> Admitted | Waiting | NotAdmitted:
        await self._answer("prove")
        hello, said = self._proofs.pop(challenge.id)
        keys = self.keys.get(hello.tid)
        if keys is None or not is_client_proof(keys.stored_key, said, bytes.fromhex(auth.proof)):
            return NotAdmitted(code="unknown", reason="no such token, or its proof is wrong")
        if self.approved:
            return self._learn(hello.tid, "demo")
        id_ = secrets.token_hex(8)
        self._requests[id_] = (hello, asyncio.get_running_loop().create_future())
        return Waiting(id=id_, user_code=self.user_code, url=URL, expires_s=self.expires_s)

    async def outcome(self, waiting: Waiting) -> Admitted | NotAdmitted:
        try:
            await self._answer("outcome")
            return await asyncio.shield(self._requests[waiting.id][1])
        except asyncio.CancelledError:
            self._note_cancelled()
            raise

    async def verify(self, waiting: Waiting, code: str) -> Admitted | CodeRejected | NotAdmitted:
        self.codes.append(code)
        await self._answer("verify")
        hello, decided = self._requests[waiting.id]
        if code == CODE:
            return self._learn(hello.tid, "demo")
        if len(self.codes) >= 5:
            return NotAdmitted(code="refused", reason="too many wrong codes")
        assert not decided.done()
        return CodeRejected(tries_left=5 - len(self.codes))

    def _learn(self, tid: str, terminal: str) -> Admitted:
        admitted = Admitted(keys=self.keys[tid], terminal=terminal)
        self.book[tid] = admitted
        return admitted

    async def _answer(self, step: str) -> None:
        self.asked.append(step)
        self._changed.set()
        if step in self.failing:
            raise OSError("no route to the console")
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            if step != "outcome":
                self._note_cancelled()
            raise

    def _note_cancelled(self) -> None:
        self.cancelled += 1
        self._changed.set()


class ConsoleBridge(Bridge):
    """A bridge with a console behind it."""

    def __init__(
        self,
        server: BridgeServer,
        registry: TerminalRegistry,
        heard: Heard,
        console: ScriptedConsole,
    ) -> None:
        super().__init__(server, registry, heard)
        self.console = console

    async def introduced(self, token: str = TOKEN, **changes: Any) -> TestEa:
        """Dial and go through the handshake until the console judges it."""
        ea = await self.dial()
        hello = make_hello(**{"tid": parse_token(token), **changes})
        ea.say(hello)
        ea.say(answer_challenge(token, hello, await ea.hear(m.Challenge)))
        return ea

    async def waiting(self, token: str = TOKEN, **changes: Any) -> TestEa:
        """The same, until the terminal waits for approval."""
        ea = await self.introduced(token, **changes)
        await ea.hear(m.Pending)
        return ea


@asynccontextmanager
async def console_bridge(
    console: ScriptedConsole, *, timers: Timers | None = None
) -> AsyncIterator[ConsoleBridge]:
    """Listen on a free port, with that console behind."""
    heard = Heard()
    registry = TerminalRegistry(now_ms=lambda: 1_764_000_000_000)
    registry.subscribe(heard.on_registry_change)
    server = BridgeServer(
        console,
        registry,
        device_id=console.device,
        callbacks=heard.callbacks(),
        port=0,
        now_ms=lambda: 1_764_000_000_000,
        timers=timers,
        enroller=console,
    )
    async with server:
        bridge = ConsoleBridge(server, registry, heard, console)
        yield bridge
        await bridge.hang_up()
