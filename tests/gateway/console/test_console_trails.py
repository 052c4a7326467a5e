"""What the console keeps of the audit trails of devices."""

from __future__ import annotations

import pytest
from console_fixtures import Clock
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.console.audit_trails import BadTrail
from gateway.console.service import Console
from gateway.credentials.daemon_api import MAX_EARLIER, TrailTold, Witness
from gateway.credentials.device import DeviceKey


async def met(console: Console) -> DeviceKey:
    device = DeviceKey(Ed25519PrivateKey.generate())
    facts = {"os": "Linux", "hostname": "vps", "version": "1", "ip": "127.0.0.1"}
    await console.devices.seen(device.did, pub=device.public, **facts)
    return device


def row(device: DeviceKey, n: int, mark: int = 0) -> str:
    """A row as the device signs it; another mark, another hash."""
    return device.sign_checkpoint(n, bytes([n, mark]) * 16, 0)


async def test_the_newest_is_kept_that_stands_on_the_one_before(console: Console) -> None:
    device = await met(console)
    assert await console.trails.of(device.did) == TrailTold()
    await console.trails.witness(device.did, Witness(newest=row(device, 3)))
    found = await console.trails.witness(
        device.did, Witness(newest=row(device, 7), before=row(device, 3))
    )
    assert found == TrailTold(newest=row(device, 7)) == await console.trails.of(device.did)
    found = await console.trails.witness(
        device.did, Witness(newest=row(device, 9), is_archived=True)
    )
    assert found.newest == row(device, 9)
    assert found.contradicted_at is None


async def test_what_was_the_newest_on_earlier_days_is_kept(console: Console, clock: Clock) -> None:
    """A bounded number, the first of all among them. Who has the key can sign any row that the
    console has and tell of another history behind it, but takes none of these away."""
    device = await met(console)
    told = [row(device, n) for n in range(1, 2 * MAX_EARLIER)]
    for before, newest in zip(["", *told], told, strict=False):
        for _ in range(2):
            await console.trails.witness(device.did, Witness(newest=newest, before=before))
        clock.forward(86_400)
    found = await console.trails.of(device.did)
    assert found.newest == told[-1]
    assert found.earlier == (told[0], *told[-MAX_EARLIER:-1])
    await console.trails.witness(device.did, Witness(newest=row(device, 200), is_archived=True))
    assert set(found.earlier[2:]) < set((await console.trails.of(device.did)).earlier)


async def test_within_a_day_only_the_newest_is_kept(console: Console, clock: Clock) -> None:
    device = await met(console)
    clock.now -= clock.now % 86_400
    for n in range(1, 9):
        told = Witness(newest=row(device, n), before=row(device, n - 1) if n > 1 else "")
        await console.trails.witness(device.did, told)
        clock.forward(3600)
    assert await console.trails.of(device.did) == TrailTold(newest=row(device, 8))


@pytest.mark.alike
async def test_one_that_stands_on_nothing_changes_nothing(console: Console) -> None:
    """It may be another history: the device has to say what became of the row that is known."""
    device = await met(console)
    await console.trails.witness(device.did, Witness(newest=row(device, 3)))
    for before in ("", row(device, 2)):
        told = Witness(newest=row(device, 7), before=before)
        found = await console.trails.witness(device.did, told)
        assert found == TrailTold(newest=row(device, 3))


@pytest.mark.parametrize("kind", ["shorter", "other", "other before"])
async def test_a_contradiction_is_kept_for_good(console: Console, kind: str) -> None:
    device = await met(console)
    await console.trails.witness(device.did, Witness(newest=row(device, 5)))
    told = {
        "shorter": Witness(newest=row(device, 4)),
        "other": Witness(newest=row(device, 5, mark=1)),
        "other before": Witness(newest=row(device, 8), before=row(device, 5, mark=1)),
    }[kind]
    for line in (told, Witness(newest=row(device, 9), before=row(device, 5))):
        found = await console.trails.witness(device.did, line)
        assert found.newest == row(device, 5)
        assert found.contradicted_at == console.now_s()


@pytest.mark.alike
async def test_only_the_device_itself_is_believed(console: Console) -> None:
    device, other = await met(console), await met(console)
    for newest in (row(other, 3), "mg1.ckpt.x.y.z", ""):
        with pytest.raises(BadTrail):
            await console.trails.witness(device.did, Witness(newest=newest))
    assert await console.trails.of(device.did) == TrailTold()
