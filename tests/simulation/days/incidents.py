"""Incidents of simulated days: drawn, one after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from ea_bridge.token import parse_token
from gateway.home.home_key import HomeKey

from ..network import Weather
from .bots import Bot
from .consoles import ConsoleAway

if TYPE_CHECKING:
    from .world import DaysWorld

HOUR_S = 3600
TOUR_AWAY_S = (1200.0, 1500.0)
"""How long programs are away in a tour: longer than a lease lasts."""
Kind = Callable[[], Awaitable[None]]


class Incidents:
    """Programs, machines, tokens and keys to which something happens, until cancelled.

    Attributes:
        counts: how often each kind has happened.

    """

    def __init__(self, world: DaysWorld) -> None:
        self._world = world
        self._dice = world.dice("incidents")
        self.counts: Counter[str] = Counter()
        kinds: dict[Kind, int] = {
            self.console_away: 3,
            self.network_away: 3,
            self.daemon_away: 4,
            self.pc_sleeps: 3,
            self.clock_stepped: 2,
            self.console_clock_stepped: 1,
            self.token_replaced: 3,
            self.token_revoked: 2,
            self.token_suspended: 2,
            self.token_expires: 2,
            self.account_disabled: 1,
            self.keys_rotated: 2,
            self.home_key_exchanged: 1,
            self.console_key_exchanged: 1,
        }
        self._kinds, self._weights = list(kinds), list(kinds.values())

    async def go_on(self) -> None:
        """Let one thing after the other happen."""
        options = self._world.options
        for kind in self._kinds if options.is_tour else self._drawn():
            await asyncio.sleep(self._dice.expovariate(1 / options.pause_s))
            self.counts[kind.__name__] += 1
            try:
                await kind()
            except ConsoleAway:
                self.counts["console was away"] += 1

    def _drawn(self) -> Iterator[Kind]:
        while True:
            yield from self._dice.choices(self._kinds, self._weights)

    def _away_s(self) -> float:
        if self._world.options.is_tour:
            return self._dice.uniform(*TOUR_AWAY_S)
        longest_s = self._dice.choice((60, 900, 2 * HOUR_S, 6 * HOUR_S))
        return self._dice.uniform(5, longest_s)

    # --- programs and machines ---------------------------------------------------------------

    async def console_away(self) -> None:
        """Kill the console, or cut the power of its machine; start it again after a while."""
        world = self._world
        power = world.dice("power") if self._dice.random() < 0.5 else None
        world.consoles.kill(power=power)
        world.rights.cut()
        await asyncio.sleep(self._away_s())
        await world.consoles.begin()
        world.rights.calm()

    async def network_away(self) -> None:
        """Let nothing through between the daemon and its console for a while."""
        world, away_s = self._world, self._away_s()
        world.network.weather["console"] = Weather(world.loop.now + away_s)
        world.rights.cut()
        await asyncio.sleep(away_s)
        world.network.weather.pop("console", None)
        world.rights.calm()

    async def daemon_away(self) -> None:
        """Kill the daemon, or cut the power of its PC; start it again after a while."""
        world = self._world
        await world.end_daemon(power=self._dice.random() < 0.5)
        await asyncio.sleep(self._dice.uniform(1, self._dice.choice((5, 600, 3 * HOUR_S))))
        await world.begin_daemon()
        world.rights.calm()

    async def pc_sleeps(self) -> None:
        """Let the PC sleep, so that its timers stand still."""
        world = self._world
        world.rights.interrupted()
        world.calendar.sleep(self._away_s(), timers_run=False)
        world.rights.daemon_began()
        world.rights.calm()

    async def clock_stepped(self) -> None:
        """Set the PC's clock: right, or wrong by seconds to hours."""
        pc = self._world.calendar.pc
        if abs(pc.ahead_s()) > 60:
            pc.step(-pc.ahead_s())
        else:
            pc.step(self._dice.uniform(-1, 1) * self._dice.choice((0.5, 30, 600, 10 * HOUR_S)))

    async def console_clock_stepped(self) -> None:
        """Set the clock of the console's machine, as NTP does."""
        pc = self._world.calendar.pc_of("console")
        pc.step(-pc.ahead_s() + self._dice.uniform(-20, 20))

    # --- tokens ------------------------------------------------------------------------------

    def _bot(self) -> Bot:
        return self._dice.choice(list(self._world.bots.values()))

    async def token_replaced(self) -> None:
        """Replace a token: at once, or with an overlap."""
        world, bot = self._world, self._bot()
        tid, overlap_s = parse_token(bot.token), self._dice.choice((0, 600, 4 * HOUR_S))
        text, info = await world.consoles.do(
            lambda console: console.tokens.replace(
                world.user_id, tid, overlap_s=overlap_s, lifetime_s=None
            )
        )
        world.rights.ended(tid, overlap_s)
        bot.use(text, info.tid, None)

    async def token_revoked(self) -> None:
        """Revoke a token, and make a new one later."""
        world, bot = self._world, self._bot()
        tid = parse_token(bot.token)
        await world.consoles.do(lambda console: console.tokens.revoke(world.user_id, tid))
        world.rights.ended(tid)
        await asyncio.sleep(self._dice.uniform(60, 1800))
        await bot.take_new_token()

    async def token_suspended(self) -> None:
        """Suspend a token for a while."""
        world, tid = self._world, parse_token(self._bot().token)
        await world.consoles.do(lambda console: console.tokens.suspend(world.user_id, tid))
        world.rights.ended(tid)
        await asyncio.sleep(self._dice.uniform(60, 3600))
        await world.consoles.do(lambda console: console.tokens.resume(world.user_id, tid))
        world.rights.good(tid)

    async def token_expires(self) -> None:
        """Make a token that lives for minutes or hours, and a new one after it."""
        bot, lifetime_s = self._bot(), self._dice.choice((600, HOUR_S, 5 * HOUR_S))
        await bot.take_new_token(lifetime_s)
        await asyncio.sleep(lifetime_s + self._dice.uniform(60, 1800))
        await bot.take_new_token()

    async def account_disabled(self) -> None:
        """Disable the user's account for a while."""
        world = self._world
        good = [one.tid for one in world.rights.tokens.values() if one.good_s is not None]
        await world.consoles.do(lambda console: console.users.disable(world.user_id))
        for tid in good:
            world.rights.ended(tid)
        await asyncio.sleep(self._dice.uniform(60, 1800))
        await world.consoles.do(lambda console: console.users.enable(world.user_id))
        for tid in good:
            world.rights.good(tid)

    # --- keys --------------------------------------------------------------------------------

    async def keys_rotated(self) -> None:
        """Give the console a new signing key; remove the old ones, or keep them to their end."""
        world, remove_old = self._world, self._dice.random() < 0.5
        world.signed_records.rotated(remove_old=remove_old)
        await world.consoles.do(lambda console: console.rotate_keys(remove_old=remove_old))

    async def home_key_exchanged(self) -> None:
        """Stop the daemon, and seal the secrets of its home with a new key."""
        world = self._world
        await world.end_daemon(power=False)

        def exchange() -> None:
            with HomeKey(world.folder / "home", world.daemons.config.secrets, alone=True) as key:
                key.exchange(key.open())

        world.context("operator").run(exchange)
        await world.begin_daemon()
        world.rights.calm()

    async def console_key_exchanged(self) -> None:
        """Stop the console, and seal its secrets with a new key."""
        world = self._world
        world.consoles.kill()
        world.rights.cut()
        await world.consoles.exchange_key()
        await world.consoles.begin()
        world.rights.calm()
