"""What instances cost in the simulated AWS: list prices, and spot prices that move. Pure and the same in each run.

List prices of the two US regions are AWS's own of 2025 (Linux, per hour); other regions are set off by a factor and
are of the right size only. Spot prices are made up: a step function of time, from 25 to 55 % of the list price.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

#: USD per hour: Linux, shared tenancy, us-east-1 and us-west-2.
LIST_PRICES = {
    "t3.micro": Decimal("0.0104"),
    "t3.medium": Decimal("0.0416"),
    "t3.large": Decimal("0.0832"),
    "m5.large": Decimal("0.096"),
    "m5.xlarge": Decimal("0.192"),
    "m6i.xlarge": Decimal("0.192"),
    "m6i.2xlarge": Decimal("0.384"),
    "m6g.large": Decimal("0.077"),
    "c5.large": Decimal("0.085"),
    "c5.xlarge": Decimal("0.17"),
    "c6i.2xlarge": Decimal("0.34"),
    "c7g.xlarge": Decimal("0.145"),
    "r5.large": Decimal("0.126"),
    "r5.xlarge": Decimal("0.252"),
    "r6i.2xlarge": Decimal("0.504"),
    "g4dn.xlarge": Decimal("0.526"),
}
REGION_FACTORS = {
    "us-east-1": Decimal(1),
    "us-west-2": Decimal(1),
    "eu-west-1": Decimal("1.115"),
    "eu-central-1": Decimal("1.198"),
    "ap-southeast-1": Decimal("1.25"),
}
#: Sorted by zone name. Ids are those that moto gives; in a real account the two are shuffled.
SPOT_PRODUCTS = {
    "Linux/UNIX": Decimal(1),
    "Red Hat Enterprise Linux": Decimal("1.3"),
    "SUSE Linux": Decimal("1.25"),
    "Windows": Decimal("1.9"),
}
HISTORY = timedelta(days=90)
#: At most one change of a price in a slot; about two in three slots have one.
SLOT = timedelta(hours=8)
_ORIGIN = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class SpotPrice:
    """A price in force from `since` until the next one."""

    since: datetime
    instance_type: str
    zone: str
    product: str
    price: Decimal


def list_price(instance_type: str, region: str) -> Decimal | None:
    """USD per hour for Linux on shared tenancy; None where the simulation sells no such thing."""
    if instance_type not in LIST_PRICES or region not in REGION_FACTORS:
        return None
    return (LIST_PRICES[instance_type] * REGION_FACTORS[region]).quantize(Decimal("0.0001"))


def spot_changes(
    instance_type: str, region: str, zone: str, product: str, start: datetime, end: datetime
) -> Iterator[SpotPrice]:
    """Every change from `start` to `end`, newest first, and the last one before `start`: the price in force then."""
    listed = list_price(instance_type, region)
    if listed is None:
        return
    slot = (end - _ORIGIN) // SLOT
    while slot >= 0:
        roll = _roll(instance_type, zone, product, str(slot))
        if roll[0] < 170:
            since = (
                _ORIGIN + slot * SLOT + timedelta(seconds=int.from_bytes(roll[1:3], "big") % int(SLOT.total_seconds()))
            )
            if since <= end:
                yield SpotPrice(since, instance_type, zone, product, _spot_price(listed, product, zone, slot, roll[3]))
                if since <= start:
                    return
        slot -= 1


def _spot_price(listed: Decimal, product: str, zone: str, slot: int, noise: int) -> Decimal:
    """A level for the zone, a slow wave of about ten days, and a little noise."""
    level = 30 + _roll(zone)[0] % 15
    position = slot % 30
    wave = min(position, 30 - position) * 40 // 100
    percent = Decimal(level + wave) + Decimal(noise) / 64
    return (listed * SPOT_PRODUCTS[product] * percent / 100).quantize(Decimal("0.000001"))


def _roll(*parts: str) -> bytes:
    return hashlib.sha256("|".join(parts).encode()).digest()
