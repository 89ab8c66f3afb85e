"""DescribeSpotPriceHistory: prices that change, where moto has one price of 2006 for everything."""

from collections.abc import Iterable
from datetime import UTC, datetime

from moto.ec2.models import ec2_backends

from demo.aws.answers import Answer, ec2_answer, element
from demo.aws.calls import Call
from demo.aws.paging import Listings, page_size
from demo.aws.prices import HISTORY, LIST_PRICES, SPOT_PRODUCTS, SpotPrice, spot_changes

_VPC = " (Amazon VPC)"


def describe_spot_price_history(call: Call, account_id: str, listings: Listings, now: datetime) -> Answer:
    """Newest first, from StartTime to EndTime (90 days at most), with the price in force at StartTime."""
    owner = (account_id, call.region, call.action)
    size = page_size(call.params.get("MaxResults"), 1, 1000)
    if token := call.params.get("NextToken"):
        items, following = listings.next(owner, token, size)
    else:
        items, following = listings.first(owner, list(_items(call, account_id, now)), size)
    inside = f"<spotPriceHistorySet>{''.join(items)}</spotPriceHistorySet>" + element("nextToken", following or "")
    return ec2_answer(call.action, inside)


def _items(call: Call, account_id: str, now: datetime) -> Iterable[str]:
    end = min(_time(call.params.get("EndTime")) or now, now)
    start = max(_time(call.params.get("StartTime")) or now - HISTORY, now - HISTORY)
    zones = {zone.name: zone.zone_id for zone in ec2_backends[account_id][call.region].describe_availability_zones()}
    wanted_zone = call.params.get("AvailabilityZone") or _first(_filtered(call, "availability-zone"))
    wanted_id = call.params.get("AvailabilityZoneId")
    types = _listed(call, "InstanceType.") or _filtered(call, "instance-type") or sorted(LIST_PRICES)
    products = _listed(call, "ProductDescription.") or _filtered(call, "product-description") or sorted(SPOT_PRODUCTS)
    found: list[tuple[SpotPrice, str]] = []
    for zone, zone_id in zones.items():
        if wanted_zone not in (None, zone) or wanted_id not in (None, zone_id):
            continue
        for instance_type in types:
            for product in sorted({name.removesuffix(_VPC) for name in products} & set(SPOT_PRODUCTS)):
                changes = spot_changes(instance_type, call.region, zone, product, start, end)
                found += [(change, zone_id) for change in changes]
    found.sort(key=lambda pair: (-pair[0].since.timestamp(), pair[0].instance_type, pair[0].zone, pair[0].product))
    return (_item(change, zone_id) for change, zone_id in found)


def _item(change: SpotPrice, zone_id: str) -> str:
    return (
        "<item>"
        + element("instanceType", change.instance_type)
        + element("productDescription", change.product)
        + element("spotPrice", f"{change.price:f}")
        + element("timestamp", change.since.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        + element("availabilityZone", change.zone)
        + element("availabilityZoneId", zone_id)
        + "</item>"
    )


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _listed(call: Call, prefix: str) -> list[str]:
    return [value for key, value in call.params.items() if key.startswith(prefix)]


def _filtered(call: Call, name: str) -> list[str]:
    for key, value in call.params.items():
        if key.startswith("Filter.") and key.endswith(".Name") and value == name:
            return _listed(call, key.removesuffix("Name") + "Value.")
    return []


def _first(values: list[str]) -> str | None:
    return values[0] if values else None
