"""Watcher of queues and tasks: nothing grows without a bound, nothing dies in silence."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..handles import LIFE
from ..log_rules import LogRules, TaskRules
from ..plugins import Watcher, watcher
from ..product_patches import after_puts
from ..queue_bounds import check_at_rest, check_bounds, check_outbox

if TYPE_CHECKING:
    from ..world import World

COMMITS_A_LOOK = 32
"""So many commits come to one look at all queues: they grow by calls, and calls commit. What
waits for those who listen grows by ticks as well, and is looked at each time."""


@watcher
class QueueWatcher(Watcher):
    """Looks at queues and tasks now and then, and hears what is logged."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._life = 0
        """That has begun, and is looked at."""
        self._tasks: TaskRules
        self._commits = 0
        self._failures = 0
        """Of the disk, before this life."""
        self._log = LogRules(
            world.invariants,
            is_dead=lambda: world.loop.is_dead(LIFE.get()),
            has_disk_failed=lambda: world.disk.failures > self._failures,
            on_record=partial(world.watch, "on_record"),
        )
        self._log.install()
        after_puts(partial(check_outbox, invariants=world.invariants))

    def after_life_begins(self, life: int, ready: Any) -> None:
        """Note the tasks that a daemon has for good."""
        self._tasks = TaskRules(self.world.loop.tasks_of(life), self.world.invariants)
        self._life = life

    def after_life_ends(self, life: int, cause: str) -> None:
        """Look no more at the dead."""
        self._life = 0
        self._failures = self.world.disk.failures

    def on_commit(self, life: int, group: list[Any]) -> None:
        """Look now and then."""
        self._commits += 1
        if self._commits % COMMITS_A_LOOK == 0 and life == self._life:
            check_bounds(self.world.daemons.gateway, self.world.invariants)
            if not self.world.daemons.is_stopping:
                self._tasks.look()

    def at_end(self) -> None:
        """See that nothing is left of what is over."""
        gateway = self.world.daemons.gateway
        check_bounds(gateway, self.world.invariants)
        check_at_rest(gateway, self.world.invariants)
        self._tasks.look()
